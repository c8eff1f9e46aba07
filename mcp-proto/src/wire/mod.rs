//! Bytes to messages and back.

mod batch;
mod encode;
mod envelope;
mod line;
mod progress;

pub(crate) use batch::read_batch;
pub(crate) use encode::{
    ErrorId, Head, Stamps, object_with_meta, write_error, write_head, write_notification,
    write_progress,
};
pub(crate) use envelope::{
    Malformed, MalformedKind, Message, PeerError, Salvaged, read_message, salvage,
};
pub(crate) use line::{Line, LineDecoder, MAX_READ};
pub(crate) use progress::{ProgressFields, ProgressLayout};
