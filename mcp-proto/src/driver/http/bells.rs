//! Wakers that tell which of many exchanges is to be polled.

use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::task::{Context, Waker};

use super::super::sync::{Mutex, PoisonError};
use crate::http::Exchange;

/// The bells of one driver.
#[derive(Clone, Default)]
pub(super) struct Bells(Arc<Mutex<Rung>>);

#[derive(Default)]
struct Rung {
    exchanges: Vec<Exchange>,
    driver: Option<Waker>,
}

/// One of them: it remembers that its exchange was woken, and wakes the driver.
pub(super) struct Bell {
    exchange: Exchange,
    bells: Bells,
}

impl Bells {
    pub(super) fn add(&self, exchange: Exchange) -> Waker {
        Waker::from(Arc::new(Bell { exchange, bells: self.clone() }))
    }

    /// Lets them wake the task of `cx`.
    pub(super) fn register(&self, cx: &Context<'_>) {
        let former = {
            let mut rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            super::super::shared::register(&mut rung.driver, cx)
        };
        drop(former);
    }

    /// Those that rang since; some perhaps for nothing.
    pub(super) fn take(&self) -> Vec<Exchange> {
        let mut rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut exchanges = core::mem::take(&mut rung.exchanges);
        drop(rung);
        exchanges.sort_unstable();
        exchanges.dedup();
        exchanges
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let driver = {
            let mut rung = self.bells.0.lock().unwrap_or_else(PoisonError::into_inner);
            // A stream that is woken over and over takes one place.
            if rung.exchanges.last() != Some(&self.exchange) {
                rung.exchanges.push(self.exchange);
            }
            rung.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}
