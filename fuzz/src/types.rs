//! What messages say: read by us and by serde_json, the same is understood; written, it stays what it is.

use mcp_proto::types::{
    ClientCapabilities, Discover, DiscoverResult, EmptyResult, Implementation, Initialize,
    InitializeResult, Initialized, ListChanged, ListToolsResult, MediaContent, ResourceLink,
    ServerCapabilities, SetLevel, TextContent, ToolAnnotations,
};
use mcp_proto::{
    CallTool, CallToolResult, ContentBlock, ErrorObject, ListTools, LogLevel, LogMessage, RawJson,
    Tool,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::scanner::alike;

/// Reads the JSON as one type. Gives back whether it could be read.
type Check = fn(&RawJson, &[u8]);

/// The types by name: the first byte of an input chooses one. New ones go to the end, so that old inputs keep
/// their meaning.
pub const TYPES: [(&str, Check); 25] = [
    ("CallTool", check::<CallTool>),
    ("CallToolResult", check::<CallToolResult>),
    ("ListTools", check::<ListTools>),
    ("ListToolsResult", check::<ListToolsResult>),
    ("Tool", check::<Tool>),
    ("ToolAnnotations", check::<ToolAnnotations>),
    ("ContentBlock", check::<ContentBlock>),
    ("TextContent", check::<TextContent>),
    ("MediaContent", check::<MediaContent>),
    ("ResourceLink", check::<ResourceLink>),
    ("Discover", check::<Discover>),
    ("DiscoverResult", check::<DiscoverResult>),
    ("Initialize", check::<Initialize>),
    ("InitializeResult", check::<InitializeResult>),
    ("Initialized", check::<Initialized>),
    ("Implementation", check::<Implementation>),
    ("ClientCapabilities", check::<ClientCapabilities>),
    ("ServerCapabilities", check::<ServerCapabilities>),
    ("ListChanged", check::<ListChanged>),
    ("LogMessage", check::<LogMessage>),
    ("LogLevel", check::<LogLevel>),
    ("SetLevel", check::<SetLevel>),
    ("EmptyResult", check::<EmptyResult>),
    ("ErrorObject", check::<ErrorObject>),
    ("RawJson", check::<RawJson>),
];

/// A byte that chooses a type, and JSON, or something else.
pub fn types(input: &[u8]) {
    let Some((which, json)) = input.split_first() else { return };
    let (_, check) = TYPES[usize::from(*which) % TYPES.len()];
    // What is refused by the scanner is never decoded.
    if let Ok(raw) = RawJson::parse(json.to_vec()) {
        check(&raw, json);
    }
}

/// As [`types`], for a type of a user.
pub(crate) fn check_json<T: Serialize + DeserializeOwned>(json: &[u8]) {
    if let Ok(raw) = RawJson::parse(json.to_vec()) {
        check::<T>(&raw, json);
    }
}

fn check<T: Serialize + DeserializeOwned>(raw: &RawJson, json: &[u8]) {
    let ours = raw.decode::<T>();
    let theirs = serde_json::from_slice::<T>(json);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => {
            let (ours, theirs) = (value(ours), value(theirs));
            assert!(alike(&ours, &theirs), "read differently: {ours} and {theirs}");
        }
        (Err(_), Err(_)) => {}
        // JSON that is kept as text may hold numbers for which serde_json has no room.
        (Ok(_), Err(error)) if error.to_string().starts_with("number out of range") => return,
        (Ok(_), Err(error)) => panic!("read {raw}, but serde_json says {error}"),
        // Fields in order, without their names: serde_json reads them, no schema has them.
        (Err(error), Ok(_))
            if error.to_string().contains("invalid type: sequence, expected struct") => {}
        (Err(error), Ok(_)) => panic!("serde_json reads {raw}, but we say {error}"),
    }
    let Ok(ours) = ours else { return };
    let once = RawJson::of(&ours).expect("what was read can be written");
    let again = once.decode::<T>().unwrap_or_else(|error| panic!("{error} in our own {once}"));
    let twice = RawJson::of(&again).expect("what was read can be written");
    assert_eq!(once, twice, "writing it again changes it");
    let by_serde = serde_json::to_string(&ours).expect("what was read can be written");
    let by_serde = serde_json::from_str(&by_serde).expect("JSON");
    assert!(alike(&value(&ours), &by_serde), "written differently: {once} and {by_serde}");
}

/// What our own writer says of it, as serde_json reads it.
fn value<T: Serialize>(value: &T) -> Value {
    let written = RawJson::of(value).expect("what was read can be written");
    serde_json::from_slice(written.as_bytes()).expect("our own JSON")
}
