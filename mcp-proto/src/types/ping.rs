//! `ping`: is the other side alive? Legacy era only, either direction.

use core::fmt;
use core::marker::PhantomData;

use serde::{Deserialize, Serialize, Serializer};

use crate::method::Request;
use crate::role::Role;

/// `ping`, from the side `R`. The engine answers the peer's pings by itself.
#[derive(Clone, Copy)]
pub struct Ping<R>(PhantomData<fn() -> R>);

/// A result that says nothing but "done".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmptyResult {}

impl<R> Ping<R> {
    /// A ping.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Default for Ping<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Ping<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ping")
    }
}

impl<R> Serialize for Ping<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        EmptyResult {}.serialize(serializer)
    }
}

impl<R: Role> Request for Ping<R> {
    const METHOD: &'static str = "ping";
    type Sender = R;
    type Output = EmptyResult;
}
