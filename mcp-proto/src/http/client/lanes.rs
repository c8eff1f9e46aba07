//! Messages that must arrive in order, although each is a request of its own: one at a time, lane by lane.

use alloc::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::exchange::Lane;

/// The lanes in which a message is on its way, with what waits behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    pub(super) busy: BTreeMap<Lane, VecDeque<Bytes>>,
    /// Bytes that wait.
    pub(super) len: usize,
    /// Messages that belong to nothing, so far.
    pub(super) announced: u64,
    /// Those of them that have arrived, or never will.
    pub(super) arrived: u64,
}

impl Lanes {
    /// A message is to go. It is given back if it may go now.
    pub(super) fn push(&mut self, lane: &Lane, message: Bytes) -> Option<Bytes> {
        self.announced += u64::from(*lane == Lane::Standalone);
        match self.busy.get_mut(lane) {
            Some(waiting) => {
                self.len += message.len();
                waiting.push_back(message);
                None
            }
            None => {
                self.busy.insert(lane.clone(), VecDeque::new());
                Some(message)
            }
        }
    }

    /// The message of this lane has arrived, or never will. What may go next.
    pub(super) fn next(&mut self, lane: &Lane) -> Option<Bytes> {
        let next = self.busy.get_mut(lane)?.pop_front();
        self.arrived += u64::from(*lane == Lane::Standalone);
        match &next {
            Some(message) => self.len -= message.len(),
            None => {
                self.busy.remove(lane);
            }
        }
        next
    }

    /// How many messages a call that is made now must not overtake.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// Whether so many of them have arrived, or never will.
    pub(super) fn have_arrived(&self, announced: u64) -> bool {
        self.arrived >= announced
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.busy.is_empty()
    }

    pub(super) fn has(&self, lane: &Lane) -> bool {
        self.busy.contains_key(lane)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_lets_one_go_at_a_time() {
        let (mut lanes, lane) = (Lanes::default(), Lane::Standalone);
        assert_eq!(lanes.push(&lane, "a".into()).unwrap(), "a");
        assert_eq!(lanes.push(&lane, "bc".into()), None);
        assert_eq!(lanes.push(&Lane::Cancel(1), "d".into()).unwrap(), "d");
        assert_eq!(lanes.len(), 2);
        assert_eq!(lanes.next(&lane).unwrap(), "bc");
        assert_eq!(lanes.next(&lane), None);
        assert!(!lanes.has(&lane) && !lanes.is_empty());
        assert_eq!(lanes.next(&Lane::Cancel(1)), None);
        assert!(lanes.is_empty());
        assert_eq!(lanes.len(), 0);
    }

    #[test]
    fn what_was_announced_so_far_arrives_one_by_one() {
        let mut lanes = Lanes::default();
        for lane in [Lane::Cancel(1), Lane::Standalone, Lane::Standalone] {
            lanes.push(&lane, "a".into());
        }
        assert!(lanes.announced() == 2 && lanes.have_arrived(0));
        lanes.next(&Lane::Cancel(1));
        assert!(!lanes.have_arrived(1));
        lanes.next(&Lane::Standalone);
        assert!(lanes.have_arrived(1) && !lanes.have_arrived(2));
        lanes.next(&Lane::Standalone);
        lanes.next(&Lane::Standalone);
        assert!(lanes.have_arrived(2) && !lanes.have_arrived(3));
    }
}
