//! How many requests a connection of HTTP/2 carries.

use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::task::{Context, Poll};

use ::hyper::body::{Body, Frame, Incoming, SizeHint};
use bytes::Bytes;

use super::pool::{Failure, refused};

/// The places of one connection.
pub(super) struct Places {
    taken: AtomicUsize,
    /// How many the server allows, as far as it has said so.
    most: AtomicUsize,
}

/// What nearly every server allows, and the standard recommends at least; RFC 9113, 6.5.2.
const USUAL: usize = 100;

impl Default for Places {
    fn default() -> Self {
        Self { taken: AtomicUsize::new(0), most: AtomicUsize::new(USUAL) }
    }
}

impl Places {
    /// The server allows so many.
    pub(super) fn limit(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    /// The place of the request for which the connection was made: it has one whatever the server allows.
    pub(super) fn first(places: &Arc<Self>) -> Place {
        places.taken.fetch_add(1, Relaxed);
        Place(places.clone())
    }

    /// A place, if one is free.
    pub(super) fn take(places: &Arc<Self>) -> Option<Place> {
        let most = places.most.load(Relaxed);
        let next = |taken: usize| (taken < most).then_some(taken + 1);
        places.taken.fetch_update(Relaxed, Relaxed, next).ok()?;
        Some(Place(places.clone()))
    }
}

/// A place, until it is dropped.
pub(super) struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Relaxed);
    }
}

/// The body of a response as it comes.
pub struct Received {
    body: Incoming,
    _place: Option<Place>,
}

impl Received {
    pub(super) fn new(body: Incoming, place: Option<Place>) -> Self {
        Self { body, _place: place }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Pin::new(&mut self.body).poll_frame(cx).map_err(|error| Failure::of(&refused(&error)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_places_as_the_server_allows_and_one_for_whom_it_was_made() {
        let places = Arc::new(Places::default());
        places.limit(2);
        let first = Places::first(&places);
        let second = Places::take(&places);
        assert!(second.is_some() && Places::take(&places).is_none());
        drop(first);
        assert!(Places::take(&places).is_some(), "its place is free");
        places.limit(0);
        let _more = Places::first(&places);
        assert!(Places::take(&places).is_none());
    }
}
