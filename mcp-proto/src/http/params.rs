//! Arguments of tools that are repeated in headers: `x-mcp-header` in a schema, `Mcp-Param-*` in a request.
//!
//! 2026-07-28 `basic/transports/streamable-http`, custom headers.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::HeaderName;

use crate::json::{Doubled, Kind, Raw};

const ANNOTATION: &str = "x-mcp-header";
pub(crate) const PREFIX: &str = "mcp-param-";

/// One argument that is repeated in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Param {
    pub(crate) header: HeaderName,
    /// Where it is: the names of properties, from the arguments inwards.
    path: Vec<String>,
    /// The schema says that it is an integer.
    is_integer: bool,
}

impl Param {
    /// Bytes that are kept of it, about.
    pub(crate) fn weight(&self) -> usize {
        let path = self.path.iter().map(|part| size_of::<String>() + part.len());
        size_of::<Self>() + self.header.as_str().len() + path.sum::<usize>()
    }
}

/// Why a schema's annotations cannot be followed: the tool must not be used over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAnnotation(String);

impl fmt::Display for BadAnnotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for BadAnnotation {}

/// The arguments that the schema of a tool's input wants repeated.
pub(crate) fn annotations(schema: Raw<'_>) -> Result<Vec<Param>, BadAnnotation> {
    let mut found = Vec::new();
    walk(schema, &mut Vec::new(), true, &mut found)?;
    let mut names = BTreeSet::new();
    for param in &found {
        if !names.insert(param.header.as_str()) {
            return Err(BadAnnotation(format!("{} names two arguments", param.header)));
        }
    }
    Ok(found)
}

/// `is_reachable`: only `properties` lie between the root and here.
fn walk(
    schema: Raw<'_>,
    path: &mut Vec<String>,
    is_reachable: bool,
    found: &mut Vec<Param>,
) -> Result<(), BadAnnotation> {
    for (name, value) in schema.members() {
        match &*name {
            ANNOTATION => {
                let is_reachable = is_reachable && !path.is_empty();
                found.push(param(schema, value, path, is_reachable)?);
            }
            "properties" => {
                for (property, schema) in value.members() {
                    path.push(property.into_owned());
                    walk(schema, path, is_reachable, found)?;
                    path.pop();
                }
            }
            // Schemas by names that somebody chose: what looks like an annotation may be one of them.
            "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                for (_, schema) in value.members() {
                    walk_inside(schema, path, found)?;
                }
            }
            // Data, and no schemas.
            "const" | "default" | "dependentRequired" | "enum" | "example" | "examples" => {}
            _ => walk_inside(value, path, found)?,
        }
    }
    Ok(())
}

/// Schemas in a keyword, one or many: an annotation among them says nothing of one certain argument.
fn walk_inside(
    value: Raw<'_>,
    path: &mut Vec<String>,
    found: &mut Vec<Param>,
) -> Result<(), BadAnnotation> {
    match value.kind() {
        Kind::Object => walk(value, path, false, found),
        Kind::Array => value.items().try_for_each(|item| walk_inside(item, path, found)),
        _ => Ok(()),
    }
}

fn param(
    schema: Raw<'_>,
    annotation: Raw<'_>,
    path: &[String],
    is_reachable: bool,
) -> Result<Param, BadAnnotation> {
    let bad = |why: &str| BadAnnotation(format!("{ANNOTATION} of {}: {why}", path.join(".")));
    if !is_reachable {
        return Err(bad("not reached by properties alone"));
    }
    let name = annotation.as_str().ok_or_else(|| bad("not a string"))?;
    if name.is_empty() {
        return Err(bad("empty"));
    }
    let kind = schema.get("type").and_then(Raw::as_str);
    if !matches!(kind.as_deref(), Some("string" | "integer" | "boolean")) {
        return Err(bad("neither a string, an integer nor a boolean"));
    }
    // A token: RFC 9110, 5.6.2. What a header name may be is the same.
    let header = HeaderName::try_from(format!("{PREFIX}{name}")).map_err(|_| bad("no token"))?;
    let is_integer = kind.as_deref() == Some("integer");
    Ok(Param { header, path: path.to_vec(), is_integer })
}

/// The largest integer that every program can hold in a double, and its opposite.
const SAFE: i64 = (1 << 53) - 1;

impl Param {
    /// The argument as a text; nothing if it is absent or null.
    ///
    /// # Errors
    ///
    /// See [`Unfit`].
    pub(crate) fn of<'a>(&self, arguments: Raw<'a>) -> Result<Option<Argument<'a>>, Unfit> {
        let mut value = arguments;
        for name in &self.path {
            match value.get_only(name)? {
                Some(inner) => value = inner,
                None => return Ok(None),
            }
        }
        if value.is_null() {
            return Ok(None);
        }
        let is_integer = self.is_integer && value.kind() == Kind::Number;
        text(value).map(|text| Some(Argument { text, is_integer })).ok_or(Unfit::Unsayable)
    }

    /// Where the argument is, to be shown.
    pub(crate) fn place(&self) -> String {
        self.path.join(".")
    }
}

/// Why an argument cannot be repeated in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is there twice: who reads the body may go by the other one.
    Doubled,
    /// A fraction, an integer that not every program can hold, an array, an object: the page has no form for it, and without
    /// a header it would pass by whoever looks at headers alone. So it is refused on both sides.
    Unsayable,
}

impl From<Doubled> for Unfit {
    fn from(_: Doubled) -> Self {
        Self::Doubled
    }
}

/// An argument, as a header repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument<'a> {
    pub(crate) text: Cow<'a, str>,
    /// By its schema and in its body, so that every spelling of it is the same.
    is_integer: bool,
}

impl Argument<'_> {
    /// Whether a header says the same. A text that looks like a number is a text: `042` is another tenant than `42`.
    pub(crate) fn is_said_by(&self, header: &str) -> bool {
        let is_same = |header| integer(&self.text) == Some(header);
        self.text == header || self.is_integer && integer(header).is_some_and(is_same)
    }
}

fn text(value: Raw<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        Kind::String => value.as_str(),
        Kind::Bool => Some(Cow::Borrowed(if value.as_bool()? { "true" } else { "false" })),
        Kind::Number => integer(value.number_text()?).map(|integer| format!("{integer}").into()),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

/// An integer in any of the ways to write one, such as `42.0`.
fn integer(text: &str) -> Option<i64> {
    let value = match text.parse::<i64>() {
        Ok(value) => value,
        Err(_) => {
            let value: f64 = text.parse().ok().filter(|value: &f64| value.abs() <= SAFE as f64)?;
            let whole = value as i64;
            (whole as f64 == value).then_some(whole)?
        }
    };
    (-SAFE..=SAFE).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::RawJson;
    use alloc::vec;

    fn read(schema: &'static str) -> Result<Vec<Param>, BadAnnotation> {
        annotations(RawJson::parse(schema).unwrap().as_raw())
    }

    #[test]
    fn annotations_are_found_where_properties_lead() {
        let found = read(
            r#"{"type":"object","properties":{
                "region":{"type":"string","x-mcp-header":"Region"},
                "where":{"type":"object","properties":{"deep":{"type":"integer","x-mcp-header":"Deep"}}},
                "x-mcp-header":{"type":"string"},
                "plain":{"type":"string","default":{"x-mcp-header":"no schema"}}},
                "$defs":{"x-mcp-header":{"type":"string"}},
                "definitions":{"x-mcp-header":{"type":"number"}},
                "patternProperties":{"x-mcp-header":{"type":"object"}},
                "dependentSchemas":{"x-mcp-header":{"required":["plain"]}},
                "dependentRequired":{"x-mcp-header":["plain"]}}"#,
        )
        .unwrap();
        let names: Vec<_> = found.iter().map(|param| param.header.as_str()).collect();
        assert_eq!(names, ["mcp-param-region", "mcp-param-deep"]);
        let arguments = RawJson::parse(r#"{"region":"é","where":{"deep":42.0}}"#).unwrap();
        let said =
            |text: &'static str, is_integer| Ok(Some(Argument { text: text.into(), is_integer }));
        let texts: Vec<_> = found.iter().map(|param| param.of(arguments.as_raw())).collect();
        assert_eq!(texts, [said("é", false), said("42", true)]);
    }

    #[test]
    fn annotations_that_cannot_be_followed_are_told() {
        for (schema, why) in [
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#, "empty"),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#, "no token"),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":"a\r\nb: c"}}}"#, "no token"),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":7}}}"#, "not a string"),
            (r#"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#, "neither"),
            (r#"{"properties":{"a":{"x-mcp-header":"A"}}}"#, "neither"),
            (r#"{"type":"string","x-mcp-header":"A"}"#, "not reached"),
            (
                r#"{"properties":{"a":{"items":{"type":"string","x-mcp-header":"A"}}}}"#,
                "not reached",
            ),
            (
                r#"{"properties":{"a":{"oneOf":[{"type":"string","x-mcp-header":"A"}]}}}"#,
                "not reached",
            ),
            (
                r#"{"$defs":{"a":{"properties":{"b":{"type":"string","x-mcp-header":"A"}}}}}"#,
                "not reached",
            ),
            (r#"{"$defs":{"x-mcp-header":{"type":"string","x-mcp-header":"A"}}}"#, "not reached"),
            (
                r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},
                    "b":{"type":"string","x-mcp-header":"a"}}}"#,
                "two arguments",
            ),
        ] {
            let error = read(schema).unwrap_err();
            assert!(error.0.contains(why), "{schema}: {error}");
        }
    }

    #[test]
    fn a_header_says_what_the_argument_says() {
        let integer = Param {
            header: HeaderName::from_static("mcp-param-a"),
            path: vec!["a".into()],
            is_integer: true,
        };
        let other = Param { is_integer: false, ..integer.clone() };
        for (arguments, header, is_same) in [
            (r#"{"a":"x"}"#, "x", true),
            (r#"{"a":"x"}"#, "X", false),
            (r#"{"a":42}"#, "42", true),
            (r#"{"a":42}"#, "42.0", true),
            (r#"{"a":4.2e1}"#, "42", true),
            (r#"{"a":42}"#, "43", false),
            (r#"{"a":true}"#, "true", true),
            (r#"{"a":true}"#, "True", false),
            (r#"{"a":null}"#, "null", false),
            (r#"{}"#, "", false),
            (r#"{"a":""}"#, "", true),
        ] {
            let arguments = RawJson::parse(arguments).unwrap();
            let argument = integer.of(arguments.as_raw()).unwrap();
            let found = argument.is_some_and(|argument| argument.is_said_by(header));
            assert_eq!(found, is_same, "{arguments} {header}");
        }
        // R-XHDR-16 speaks of integers: a text is what it is, and so is what a schema calls none.
        for spelled in ["42.0", "+42", "042", "4.2e1"] {
            for (param, arguments, is_same) in [
                (&integer, r#"{"a":42}"#, true),
                (&integer, r#"{"a":"42"}"#, false),
                (&other, r#"{"a":"42"}"#, false),
                (&other, r#"{"a":42}"#, false),
            ] {
                let arguments = RawJson::parse(arguments).unwrap();
                let argument = param.of(arguments.as_raw()).unwrap().unwrap();
                assert!(argument.is_said_by("42"), "{arguments}");
                assert_eq!(argument.is_said_by(spelled), is_same, "{arguments} {spelled}");
            }
        }
    }

    /// R-XHDR-01, -07, -11.
    #[test]
    fn what_no_header_can_say_is_told_from_what_is_absent() {
        let param = Param {
            header: HeaderName::from_static("mcp-param-a"),
            path: vec!["a".into()],
            is_integer: true,
        };
        for (value, is_sayable) in [
            ("9007199254740991", true),
            ("-9007199254740991", true),
            ("4.2e1", true),
            ("9007199254740992", false),
            ("-9007199254740993", false),
            ("1e300", false),
            ("42.5", false),
            ("[1]", false),
            ("{}", false),
        ] {
            let arguments = RawJson::parse(format!(r#"{{"a":{value}}}"#)).unwrap();
            let found = param.of(arguments.as_raw());
            match is_sayable {
                true => assert!(matches!(found, Ok(Some(_))), "{value}"),
                false => assert_eq!(found, Err(Unfit::Unsayable), "{value}"),
            }
        }
        for absent in ["{}", r#"{"a":null}"#, r#"{"b":[1]}"#] {
            let arguments = RawJson::parse(absent).unwrap();
            assert_eq!(param.of(arguments.as_raw()), Ok(None), "{absent}");
        }
    }

    #[test]
    fn an_argument_that_is_there_twice_is_told_wherever_it_is() {
        let param = Param {
            header: HeaderName::from_static("mcp-param-a"),
            path: vec!["a".into(), "b".into()],
            is_integer: false,
        };
        for (arguments, found) in [
            (r#"{"a":{"b":"x"},"c":1,"c":2}"#, Ok(Some("x"))),
            (r#"{"a":{"b":"x"},"a":{}}"#, Err(Unfit::Doubled)),
            (r#"{"a":{"b":"x","\u0062":"x"}}"#, Err(Unfit::Doubled)),
            (r#"{"a":{"c":0,"c":0}}"#, Ok(None)),
        ] {
            let parsed = RawJson::parse(arguments).unwrap();
            let argument = param.of(parsed.as_raw());
            let text = argument.as_ref().map(|argument| argument.as_ref().map(|it| &*it.text));
            assert_eq!(text, found.as_ref().copied(), "{arguments}");
        }
    }
}
