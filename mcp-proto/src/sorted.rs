//! A table in the order of its keys.

use alloc::collections::VecDeque;
use core::cmp::Ordering;

/// Entries by key. Keys mostly count up, so entries come at the end and leave near the front; a deque moves the shorter
/// side, and whoever keeps one limits how long it is. What is compiled for a kind of entry is a tenth of a B-tree.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Sorted<K, V> {
    entries: VecDeque<(K, V)>,
}

/// Room that is kept when the last entry has gone.
const KEPT_ROOM: usize = 64;

impl<K: Ord, V> Sorted<K, V> {
    pub(crate) const fn new() -> Self {
        Self { entries: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where a key is, or else belongs.
    pub(crate) fn find(&self, key: &K) -> Result<usize, usize> {
        // Mostly few wait: what is new belongs behind the last, and what is looked for is the last or the first.
        let Some((last, _)) = self.entries.back() else { return Err(0) };
        match last.cmp(key) {
            Ordering::Less => return Err(self.entries.len()),
            Ordering::Equal => return Ok(self.entries.len() - 1),
            Ordering::Greater => {}
        }
        match self.entries.front() {
            Some((first, _)) if first == key => Ok(0),
            _ => self.entries.binary_search_by(|(entry, _)| entry.cmp(key)),
        }
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(self.find(key).ok()?).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key).ok()?;
        self.entries.get_mut(at).map(|(_, value)| value)
    }

    pub(crate) fn first(&self) -> Option<&K> {
        self.entries.front().map(|(key, _)| key)
    }

    /// The first key from this one on.
    #[cfg(feature = "driver")]
    pub(crate) fn next(&self, key: &K) -> Option<&K> {
        let at = self.find(key).unwrap_or_else(|at| at);
        self.entries.get(at).map(|(key, _)| key)
    }

    #[cfg(feature = "snapshot")]
    pub(crate) fn last(&self) -> Option<&K> {
        self.entries.back().map(|(key, _)| key)
    }

    /// Enters something whose key is new. Whether it was; otherwise what is there stays.
    pub(crate) fn insert(&mut self, key: K, value: V) -> bool {
        let place = self.find(&key);
        if let Err(at) = place {
            self.insert_at(at, key, value);
        }
        place.is_err()
    }

    /// Enters something where [`find`](Self::find) has just said that it belongs.
    pub(crate) fn insert_at(&mut self, at: usize, key: K, value: V) {
        self.entries.insert(at.min(self.entries.len()), (key, value));
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (_, value) = self.entries.remove(self.find(key).ok()?)?;
        if self.entries.is_empty() && self.entries.capacity() > KEPT_ROOM {
            self.entries = VecDeque::new();
        }
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Takes every entry.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (K, V)> + use<K, V> {
        core::mem::take(&mut self.entries).into_iter()
    }
}

impl<K: Ord, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    #[test]
    fn it_holds_what_a_tree_holds_and_gives_its_room_back() {
        let (mut table, mut tree) = (Sorted::new(), BTreeMap::new());
        let mut key = 1_u32;
        for step in 0..10_000 {
            key = key.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = key >> 24;
            assert_eq!(table.contains(&key), tree.contains_key(&key));
            if key.is_multiple_of(3) {
                assert_eq!(table.remove(&key), tree.remove(&key));
            } else if table.insert(key, step) {
                assert_eq!(tree.insert(key, step), None);
            } else {
                assert_eq!(table.get(&key), tree.get(&key));
            }
            assert_eq!(table.first(), tree.keys().next());
            #[cfg(feature = "driver")]
            assert_eq!(table.next(&key), tree.range(key..).next().map(|(key, _)| key));
        }
        assert!(table.iter().eq(&tree) && !table.is_empty());
        tree.keys().for_each(|key| assert!(table.remove(key).is_some()));
        assert_eq!((table.len(), table.entries.capacity()), (0, 0));
    }
}
