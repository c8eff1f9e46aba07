//! JSON text: validated once, kept as spans of the input, read when wanted.

mod text;

pub use text::Text;
