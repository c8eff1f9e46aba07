//! Messages that must arrive in order, although each is a request of its own: one at a time, lane by lane.

use alloc::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::exchange::Lane;

/// The lanes in which a message is on its way, with what waits behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    busy: BTreeMap<Lane, VecDeque<Bytes>>,
    /// Bytes that wait.
    len: usize,
}

impl Lanes {
    /// A message is to go. It is given back if it may go now.
    pub(super) fn push(&mut self, lane: &Lane, message: Bytes) -> Option<Bytes> {
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
        match &next {
            Some(message) => self.len -= message.len(),
            None => {
                self.busy.remove(lane);
            }
        }
        next
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
}
