//! JSON text: validated once, kept as spans of the input, read when wanted.

mod captured;
mod de;
mod foreign;
mod frame;
mod owned;
mod plain;
mod raw;
mod scan;
mod ser;
#[cfg(feature = "http")]
mod single;
mod string;
mod text;
mod write;

pub use de::DecodeError;
pub use owned::RawJson;
pub use raw::{Items, Kind, Members, Raw};
pub use scan::{ScanError, ScanErrorKind};
pub use ser::EncodeError;
pub use text::Text;

pub(crate) use captured::Captured;
#[cfg(feature = "codec")]
pub(crate) use frame::ways_agree;
pub(crate) use frame::{Frame, Params, Shape, scan_frame, scan_head};
pub(crate) use scan::{is_utf8, number_at, plain_string_at};
pub(crate) use ser::{TAGGED, write_value};
#[cfg(feature = "http")]
pub(crate) use single::Doubled;
pub(crate) use text::{OneLine, bounded, shown, text_of};
#[cfg(feature = "http")]
pub(crate) use write::write_u64;
pub(crate) use write::{write_f64, write_i64, write_key, write_raw, write_str, write_utf8};
