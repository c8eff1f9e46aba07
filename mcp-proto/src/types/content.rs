//! What tools return: blocks of text, media and resources. `server/tools`, content.

use alloc::string::String;
use core::fmt;

use serde::de::{EnumAccess, Error, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::{Captured, RawJson, TAGGED};

/// One block of a tool's result. A `type` that the engine does not know keeps its JSON.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ContentBlock {
    /// `text`
    Text(TextContent),
    /// `image`
    Image(MediaContent),
    /// `audio`; from 2025-03-26
    Audio(MediaContent),
    /// `resource_link`; from 2025-06-18
    ResourceLink(ResourceLink),
    /// `resource` and every type of the future, as it came, `type` included.
    Other(RawJson),
}

/// Plain text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextContent {
    /// The text.
    pub text: String,
    /// For whom it is and how important.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<RawJson>,
    /// Metadata; from 2025-06-18.
    #[serde(default, rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<RawJson>,
}

/// An image or a sound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MediaContent {
    /// Base64.
    pub data: String,
    /// Such as `image/png`.
    pub mime_type: String,
    /// For whom it is and how important.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<RawJson>,
    /// Metadata; from 2025-06-18.
    #[serde(default, rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<RawJson>,
}

/// Where a resource can be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ResourceLink {
    /// Its address.
    pub uri: String,
    /// Its name, for programs.
    pub name: String,
    /// Its name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Such as `text/plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size in bytes, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<f64>,
    /// For whom it is and how important.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<RawJson>,
    /// Metadata.
    #[serde(default, rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<RawJson>,
}

impl ContentBlock {
    /// A block of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextContent { text: text.into(), ..TextContent::default() })
    }

    /// An image: Base64 data and its type, such as `image/png`.
    pub fn image(base64: impl Into<String>, mime_type: impl Into<String>) -> Self {
        Self::Image(MediaContent::new(base64.into(), mime_type.into()))
    }

    /// A sound: Base64 data and its type, such as `audio/wav`.
    pub fn audio(base64: impl Into<String>, mime_type: impl Into<String>) -> Self {
        Self::Audio(MediaContent::new(base64.into(), mime_type.into()))
    }

    /// The text, if it is a block of text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(content) => Some(&content.text),
            _ => None,
        }
    }
}

impl MediaContent {
    fn new(data: String, mime_type: String) -> Self {
        Self { data, mime_type, ..Self::default() }
    }
}

impl Serialize for ContentBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Output only: on the way in the type is read first.
        #[derive(Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        enum Tagged<'a> {
            Text(&'a TextContent),
            Image(&'a MediaContent),
            Audio(&'a MediaContent),
            ResourceLink(&'a ResourceLink),
        }
        match self {
            Self::Text(content) => Tagged::Text(content).serialize(serializer),
            Self::Image(content) => Tagged::Image(content).serialize(serializer),
            Self::Audio(content) => Tagged::Audio(content).serialize(serializer),
            Self::ResourceLink(content) => Tagged::ResourceLink(content).serialize(serializer),
            Self::Other(raw) => raw.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ContentBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            Text,
            Image,
            Audio,
            ResourceLink,
            #[serde(other)]
            Other,
        }

        struct Block;

        impl<'de> Visitor<'de> for Block {
            type Value = ContentBlock;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a block of content")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, block: A) -> Result<ContentBlock, A::Error> {
                let (kind, content) = block.variant()?;
                match kind {
                    Kind::Text => content.newtype_variant().map(ContentBlock::Text),
                    Kind::Image => content.newtype_variant().map(ContentBlock::Image),
                    Kind::Audio => content.newtype_variant().map(ContentBlock::Audio),
                    Kind::ResourceLink => content.newtype_variant().map(ContentBlock::ResourceLink),
                    Kind::Other => content.newtype_variant().map(ContentBlock::Other),
                }
            }

            /// Another format, in which the type cannot be looked up first.
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                foreign: D,
            ) -> Result<ContentBlock, D::Error> {
                let captured = Captured::deserialize(foreign)?;
                captured.as_raw().decode_owned().map_err(D::Error::custom)
            }
        }

        deserializer.deserialize_newtype_struct(TAGGED, Block)
    }
}
