//! A raw value on its way out: told out of band, so that no data of a peer can imitate it.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::super::raw::{Kind, Raw};

/// The name of the newtype in which a raw value is handed to a serializer or asked of a deserializer.
/// It is told out of band: no data of a peer can imitate it.
pub(in super::super) const RAW: &str = "$mcp_proto::Raw";

/// The name of the newtype in which an object is asked of a deserializer whose `type` says what it is:
/// ours visits it as an enum of that name.
pub(crate) const TAGGED: &str = "$mcp_proto::Tagged";

/// Hands `raw` to any serializer: ours copies the text, a foreign one is walked through the value.
pub(in super::super) fn serialize_raw<S: Serializer>(
    raw: Raw<'_>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(RAW, &Inside(raw))
}

struct Inside<'a>(Raw<'a>);

impl Serialize for Inside<'_> {
    /// Inlined, so that the long way is not kept for our own serializer, which never takes it.
    #[inline(always)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.walk(serializer)
        } else {
            serializer.serialize_bytes(self.0.as_bytes())
        }
    }
}

impl Inside<'_> {
    #[inline(never)]
    fn walk<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = self.0;
        match raw.kind() {
            Kind::Null => serializer.serialize_unit(),
            Kind::Bool => serializer.serialize_bool(raw.as_bool().unwrap_or_default()),
            Kind::String => serializer.serialize_str(&raw.as_str().unwrap_or_default()),
            Kind::Number => {
                let text = raw.number_text().unwrap_or_default();
                if text == "-0" {
                    // No integer keeps its sign.
                    serializer.serialize_f64(-0.0)
                } else if let Ok(value) = text.parse() {
                    serializer.serialize_i64(value)
                } else if let Ok(value) = text.parse() {
                    serializer.serialize_u64(value)
                } else {
                    serializer.serialize_f64(text.parse().unwrap_or_default())
                }
            }
            Kind::Array => {
                let mut items = serializer.serialize_seq(None)?;
                for item in raw.items() {
                    items.serialize_element(&Inside(item))?;
                }
                items.end()
            }
            Kind::Object => {
                let mut members = serializer.serialize_map(None)?;
                for (key, value) in raw.members() {
                    members.serialize_entry(&*key, &Inside(value))?;
                }
                members.end()
            }
        }
    }
}
