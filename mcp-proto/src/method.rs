//! What a typed message is: its method, who may send it, what answers it.

use core::fmt;
use core::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::id::RequestId;
use crate::role::Role;

/// Opens a subscription, a stream that never ends by itself; 2026-07-28 basic/patterns/subscriptions.
pub(crate) const LISTEN: &str = "subscriptions/listen";

/// A request: the value holds its parameters.
///
/// The direction is checked by the compiler: a server cannot call a tool.
pub trait Request: Serialize {
    /// The method name on the wire.
    const METHOD: &'static str;
    /// The side that may send it.
    type Sender: Role;
    /// What its result decodes to. Owned: a caller who wants to borrow decodes the `RawJson` itself.
    type Output: DeserializeOwned;
}

/// A notification: the value holds its parameters.
pub trait Notification: Serialize {
    /// The method name on the wire.
    const METHOD: &'static str;
    /// The side that may send it.
    type Sender: Role;
}

/// The claim check for one call: says which id to wait for and how its result decodes.
#[must_use = "without the ticket the response cannot be told from others"]
pub struct Ticket<Q> {
    id: RequestId,
    output: PhantomData<fn() -> Q>,
}

impl<Q> Ticket<Q> {
    pub(crate) fn new(id: RequestId) -> Self {
        Self { id, output: PhantomData }
    }

    /// The id that the response event will carry.
    pub fn id(&self) -> &RequestId {
        &self.id
    }
}

impl<Q> Clone for Ticket<Q> {
    fn clone(&self) -> Self {
        Self::new(self.id.clone())
    }
}

impl<Q> fmt::Debug for Ticket<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.id).finish()
    }
}
