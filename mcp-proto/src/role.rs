//! The two sides of a connection, as types.

use core::fmt::Debug;

/// A side of a connection: [`Client`] or [`Server`]. Sealed.
pub trait Role: sealed::Sealed + Clone + Debug + Send + Sync + 'static {
    /// The other side.
    type Peer: Role<Peer = Self>;
}

/// The side that starts: it calls tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // never made: it only names a side
pub enum Client {}

/// The side that offers tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // never made: it only names a side
pub enum Server {}

impl Role for Client {
    type Peer = Server;
}

impl Role for Server {
    type Peer = Client;
}

#[allow(unnameable_types)] // what seals a trait must not be named
mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Client {}
    impl Sealed for super::Server {}
}
