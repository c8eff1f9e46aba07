//! What the benchmark and its servers share: the messages, and the same tools for every engine.

pub mod http;
pub mod messages;
pub mod tools;
