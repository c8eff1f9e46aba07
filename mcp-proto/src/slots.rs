//! A table of what goes by numbers that count up.

use alloc::vec::Vec;

/// Entries by number. One sits in the slot that the low bits of its number name, so a look-up is one step, and
/// nothing is allocated while the number of entries is steady.
#[derive(Clone, Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Option<(i64, T)>>,
    live: usize,
}

/// One call opens the conversation, and connections idle.
const FIRST_SLOTS: usize = 1;

/// Slots that are kept when the last entry has gone.
const KEPT_SLOTS: usize = 64;

impl<T> Slots<T> {
    /// Slots that there are at most for so many entries: seven of eight are filled before they double.
    pub(crate) const fn bound(entries: usize) -> usize {
        let slots = match entries.checked_mul(16) {
            Some(most) => most / 7 + 2,
            None => usize::MAX,
        };
        if slots < KEPT_SLOTS { KEPT_SLOTS } else { slots }
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// The first number from this one on whose entry would displace none.
    pub(crate) fn next_free(&self, mut number: i64) -> i64 {
        let slots = if self.must_grow() { self.doubled() } else { self.slots.len() };
        // Numbers that share a slot of the doubled table share one today, so looking there is enough.
        let is_free = |number: i64| match self.slot(number) {
            Some(Some((owner, _))) => index(*owner, slots) != index(number, slots),
            _ => true,
        };
        while !is_free(number) {
            number = number.saturating_add(1);
        }
        number
    }

    /// Enters something, and gives back what it displaces: an older entry whose number ends with the same bits.
    pub(crate) fn insert(&mut self, number: i64, entry: T) -> Option<(i64, T)> {
        if self.must_grow() {
            self.grow();
        }
        let displaced = self.slot_mut(number)?.replace((number, entry));
        self.live += usize::from(displaced.is_none());
        displaced
    }

    pub(crate) fn get(&self, number: i64) -> Option<&T> {
        self.slot(number)?.as_ref().filter(|(owner, _)| *owner == number).map(|(_, entry)| entry)
    }

    pub(crate) fn get_mut(&mut self, number: i64) -> Option<&mut T> {
        let slot = self.slot_mut(number)?.as_mut();
        slot.filter(|(owner, _)| *owner == number).map(|(_, entry)| entry)
    }

    pub(crate) fn remove(&mut self, number: i64) -> Option<T> {
        let (_, entry) = self.slot_mut(number)?.take_if(|(owner, _)| *owner == number)?;
        self.live -= 1;
        if self.live == 0 && self.slots.len() > KEPT_SLOTS {
            self.slots = Vec::new();
        }
        Some(entry)
    }

    /// The entries, slot by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &T)> {
        self.slots.iter().flatten().map(|(number, entry)| (*number, entry))
    }

    /// The table of so many slots that holds these entries, if there can be one.
    #[cfg(feature = "snapshot")]
    pub(crate) fn restore(slots: usize, entries: Vec<(i64, T)>) -> Option<Self> {
        if slots > 0 && !slots.is_power_of_two() {
            return None;
        }
        let mut table = Self::default();
        table.slots.resize_with(slots, || None);
        for (number, entry) in entries {
            let is_full = table.must_grow();
            let slot = table.slot_mut(number).filter(|slot| slot.is_none() && !is_full)?;
            *slot = Some((number, entry));
            table.live += 1;
        }
        Some(table)
    }

    /// Slots that there are.
    #[cfg(any(test, feature = "testing", feature = "snapshot"))]
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    fn must_grow(&self) -> bool {
        self.live * 8 >= self.slots.len() * 7
    }

    fn doubled(&self) -> usize {
        (self.slots.len() * 2).max(FIRST_SLOTS)
    }

    /// Doubles the table. Numbers that differ in the low bits differ in one bit more, so none collide.
    fn grow(&mut self) {
        let doubled = self.doubled();
        // A list that grows by itself begins with four.
        let old = core::mem::replace(&mut self.slots, Vec::with_capacity(doubled));
        self.slots.resize_with(doubled, || None);
        for (number, entry) in old.into_iter().flatten() {
            if let Some(slot) = self.slot_mut(number) {
                *slot = Some((number, entry));
            }
        }
    }

    fn slot(&self, number: i64) -> Option<&Option<(i64, T)>> {
        self.slots.get(index(number, self.slots.len())?)
    }

    fn slot_mut(&mut self, number: i64) -> Option<&mut Option<(i64, T)>> {
        let index = index(number, self.slots.len())?;
        self.slots.get_mut(index)
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), live: 0 }
    }
}

/// The slot of a number in a table whose length is a power of two.
fn index(number: i64, slots: usize) -> Option<usize> {
    let mask = u64::try_from(slots.checked_sub(1)?).ok()?;
    usize::try_from(u64::try_from(number).ok()? & mask).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displaced_is_given_back_and_the_rest_is_found() {
        let mut slots = Slots::default();
        for number in 0..7 {
            assert_eq!(slots.insert(number, number), None);
        }
        assert_eq!((slots.len(), slots.slots()), (7, 8));
        slots.remove(5);
        assert_eq!(slots.next_free(8), 13, "the slots before are taken");
        assert_eq!(slots.insert(8, 8), Some((0, 0)));
        assert_eq!((slots.get(0), slots.get(8), slots.len()), (None, Some(&8), 6));
        assert_eq!(slots.insert(13, 13), None);
        assert!(slots.iter().all(|(number, entry)| number == *entry));
    }

    #[test]
    fn a_table_that_has_run_empty_is_given_back_and_its_bound_holds() {
        let mut slots = Slots::default();
        for number in 0..1_000 {
            slots.insert(number, ());
            assert!(slots.slots() <= Slots::<()>::bound(slots.len()));
        }
        (0..1_000).for_each(|number| assert!(slots.remove(number).is_some()));
        assert_eq!((slots.len(), slots.slots()), (0, 0));
    }
}
