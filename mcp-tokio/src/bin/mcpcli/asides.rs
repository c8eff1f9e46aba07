//! What comes beside the reports of a call, put in one order with them.

use std::collections::VecDeque;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::block_in_place;

use crate::output::Aside;

/// Where listeners put what they hear.
#[derive(Clone)]
pub(crate) struct Feed(Sender<Stamped>);

/// The other end: gives everything back in the order of arrival.
pub(crate) struct Asides {
    receiver: Receiver<Stamped>,
    /// What came after reports that are not shown yet.
    held: VecDeque<Stamped>,
    /// Reports shown so far.
    shown: u64,
}

/// Something, and how many reports came before it.
struct Stamped {
    reports_before: u64,
    aside: Aside,
}

/// What may wait to be shown. When it is full, the listener waits, and with it the server.
const CAPACITY: usize = 1024;

pub(crate) fn asides() -> (Feed, Asides) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Feed(sender), Asides { receiver, held: VecDeque::new(), shown: 0 })
}

impl Feed {
    /// Puts something in, which came after so many reports.
    pub(crate) fn put(&self, reports_before: u64, aside: Aside) {
        if let Err(TrySendError::Full(stamped)) = self.0.try_send(Stamped { reports_before, aside })
        {
            // Whoever prints is slow. Letting the server wait loses nothing.
            block_in_place(|| drop(self.0.blocking_send(stamped)));
        }
    }
}

impl Asides {
    /// Waits until something more has arrived. While the turn of what has arrived is not yet, it waits for ever:
    /// a flood must not keep the reports away that it waits for.
    pub(crate) async fn arrived(&mut self) {
        if !self.held.is_empty() {
            std::future::pending().await
        } else if let Some(stamped) = self.receiver.recv().await {
            self.held.push_back(stamped);
        } else {
            std::future::pending().await
        }
    }

    /// The next one whose turn it is: all reports before it are shown.
    pub(crate) fn due(&mut self) -> Option<Aside> {
        self.receive();
        self.held
            .pop_front_if(|stamped| stamped.reports_before <= self.shown)
            .map(|stamped| stamped.aside)
    }

    /// The next one, whatever is shown.
    pub(crate) fn any(&mut self) -> Option<Aside> {
        self.receive();
        self.held.pop_front().map(|stamped| stamped.aside)
    }

    /// One more report is shown.
    pub(crate) fn report_shown(&mut self) {
        self.shown += 1;
    }

    fn receive(&mut self) {
        while self.held.len() < CAPACITY
            && let Ok(stamped) = self.receiver.try_recv()
        {
            self.held.push_back(stamped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(asides: &mut Asides) -> Vec<String> {
        std::iter::from_fn(|| asides.due())
            .map(|aside| match aside {
                Aside::Stderr(line) => line,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn nothing_overtakes_a_report_that_came_before_it() {
        let (feed, mut asides) = asides();
        for (before, text) in [(0, "a"), (1, "b"), (1, "c"), (3, "d")] {
            feed.put(before, Aside::Stderr(text.into()));
        }
        assert_eq!(due(&mut asides), ["a"]);
        asides.report_shown();
        assert_eq!(due(&mut asides), ["b", "c"]);
        asides.report_shown();
        assert!(due(&mut asides).is_empty());
        asides.report_shown();
        assert_eq!(due(&mut asides), ["d"]);
    }

    #[tokio::test]
    async fn a_flood_does_not_keep_away_the_report_it_waits_for() {
        let (feed, mut asides) = asides();
        (0..10).for_each(|_| feed.put(1, Aside::Stderr(String::new())));
        asides.arrived().await;
        assert!(asides.due().is_none());
        let more = tokio::time::timeout(std::time::Duration::ZERO, asides.arrived()).await;
        assert!(more.is_err(), "the report's turn never comes");
        asides.report_shown();
        assert_eq!(due(&mut asides).len(), 10);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_loses_nothing() {
        let (feed, mut asides) = asides();
        let total = CAPACITY * 3;
        let writer = tokio::spawn(async move {
            (0..total).for_each(|_| feed.put(0, Aside::Stderr(String::new())))
        });
        for _ in 0..total {
            while asides.due().is_none() {
                asides.arrived().await;
            }
        }
        writer.await.unwrap();
        assert!(asides.due().is_none());
    }
}
