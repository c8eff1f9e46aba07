//! Bytes to messages and back.

mod batch;
mod encode;
mod envelope;
mod framing;
mod inbox;
mod line;
mod message;
mod meta;
mod progress;
#[cfg(feature = "http")]
pub(crate) mod sse;

pub(crate) use batch::read_batch;
pub(crate) use encode::{
    ErrorId, Head, Stamps, object_with_meta, write_error, write_head, write_notification,
    write_progress,
};
pub(crate) use envelope::{
    Malformed, MalformedKind, Message, PeerError, Salvaged, read_message, salvage,
};
pub use framing::Framing;
pub(crate) use framing::Input;
#[cfg(feature = "snapshot")]
pub(crate) use framing::InputForm;
pub(crate) use inbox::MAX_READ;
pub(crate) use line::{Line, LineDecoder};
pub(crate) use meta::RequestMeta;
pub(crate) use progress::{ProgressFields, ProgressLayout};
