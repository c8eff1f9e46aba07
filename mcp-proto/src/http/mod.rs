//! The rules of Streamable HTTP and of HTTP+SSE, without sockets.

mod access;
mod media;
mod params;
mod value;

pub use access::Access;
