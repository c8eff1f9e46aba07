//! Values that pass through: nothing that a peer or a caller put into a message is lost or turned into something else.

use std::borrow::Cow;

use mcp_proto::json::Text;
use mcp_proto::router::{Router, ToolInfo};
use mcp_proto::types::ToolAnnotations;
use mcp_proto::{
    CallOptions, CallTool, ContentBlock, Era, ProgressToken, RawJson, RequestId, Revision,
    RevisionSet, testing,
};
use mcp_tests::Hand;
use serde_json::{Value, json};

fn parse(raw: &RawJson) -> Value {
    serde_json::from_str(raw.as_str()).unwrap()
}

#[test]
fn every_kind_of_content_passes_unharmed() {
    for (content, kind) in [
        (json!({"type": "text", "text": "x", "annotations": {"priority": 1}}), "Text"),
        (json!({"type": "image", "data": "AA==", "mimeType": "image/png"}), "Image"),
        (
            json!({"type": "audio", "data": "AA==", "mimeType": "audio/wav", "_meta": {"a": 1}}),
            "Audio",
        ),
        (
            json!({"type": "resource_link", "uri": "file:///a", "name": "a", "size": 5}),
            "ResourceLink",
        ),
        (json!({"type": "resource", "resource": {"uri": "file:///a", "text": "x"}}), "Other"),
        (json!({"type": "hologram", "depth": 1.0}), "Other"),
        (json!({"type": 7}), "Other"),
    ] {
        let raw = RawJson::parse(content.to_string()).unwrap();
        let block: ContentBlock = raw.decode().unwrap();
        assert!(format!("{block:?}").starts_with(kind), "{block:?} is not {kind}");
        assert_eq!(parse(&RawJson::of(&block).unwrap()), content);
        assert_eq!(block.as_text(), (kind == "Text").then_some("x"));
    }
    assert!(RawJson::parse(r#"{"type":"image"}"#).unwrap().decode::<ContentBlock>().is_err());
}

#[test]
fn metadata_of_the_application_is_kept_and_the_keys_of_the_engine_win() {
    let params = r#"{"name":"x","_meta":{"own":1,"both":"own","progressToken":"forged"},"arguments":{"a":[1.0]}}"#;
    let more = RawJson::parse(r#"{"both":"option","more":true}"#).unwrap();
    let mut client = Hand::client();
    let now = client.now();
    let options = CallOptions::default().tracked().meta(more);
    let params = RawJson::parse(params).unwrap();
    let id = client.conn().request_raw("tools/call", Some(&params), options, now).unwrap();
    let said: Value = serde_json::from_str(&client.said().pop().unwrap()).unwrap();
    let expected = json!({
        "name": "x",
        "arguments": {"a": [1.0]},
        "_meta": {"own": 1, "both": "option", "more": true, "progressToken": id.as_i64()},
    });
    assert_eq!(said["params"], expected);
    assert!(said.to_string().matches("progressToken").count() == 1);
}

#[test]
fn parameters_that_are_no_object_are_the_callers_error() {
    let mut client = Hand::client();
    let now = client.now();
    for params in ["[]", "7", "\"x\"", "null"] {
        let params = RawJson::parse(params).unwrap();
        let sent =
            client.conn().request_raw("x", Some(&params), CallOptions::default().tracked(), now);
        assert!(sent.is_err() || params.as_str() == "null", "{params:?}");
    }
    assert!(client.said().iter().all(|line| !line.contains("[]") && !line.contains(":7")));
}

#[test]
fn a_text_is_the_same_text_however_it_was_made() {
    let texts = [
        Text::from("né"),
        Text::from("né".to_owned()),
        Text::from(Cow::Borrowed("né")),
        Text::from(Cow::Owned("né".to_owned())),
        RawJson::parse("\"n\\u00e9\"").unwrap().decode().unwrap(),
    ];
    for text in texts {
        assert!(text == *"né" && text == "né" && text != "ne");
        assert_eq!((text.len(), text.is_empty(), text.as_ref()), (3, false, "né"));
        assert_eq!(RawJson::of(&text).unwrap().as_str(), "\"né\"");
        assert_eq!((format!("{text:>4}"), format!("{text:?}")), ("  né".into(), "\"né\"".into()));
    }
    assert!(Text::default().is_empty());
}

#[test]
fn an_id_is_a_number_or_a_text_and_never_both() {
    let (number, text) = (RequestId::from(5), RequestId::from("5"));
    assert_eq!((number.as_i64(), number.as_str()), (Some(5), None));
    assert_eq!((text.as_i64(), text.as_str()), (None, Some("5")));
    assert_eq!(ProgressToken::from("t").as_str(), Some("t"));
}

#[test]
fn the_set_of_an_era_holds_its_revisions_and_no_other() {
    let (old, new) = (RevisionSet::era(Era::Legacy), RevisionSet::era(Era::Modern));
    for revision in RevisionSet::default().iter() {
        let is_old = revision.era() == Era::Legacy;
        assert_eq!((old.contains(revision), new.contains(revision)), (is_old, !is_old));
    }
    assert_eq!(new.iter().collect::<Vec<_>>(), [Revision::V2026_07_28]);
}

#[test]
fn what_a_tool_hints_is_what_a_client_is_told() {
    let hinted = ToolInfo::new("remove").destructive(false).idempotent();
    let whole = ToolInfo::new("look")
        .annotations(ToolAnnotations::default())
        .meta(RawJson::parse("{\"a\":1}").unwrap());
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let nothing = async |_: mcp_proto::router::Context, _: Option<RawJson>| "done";
    let router = Router::new("hints", "1")
        .instructions("look before you remove")
        .raw_tool(hinted.into_tool(schema(), None), nothing)
        .raw_tool(whole.into_tool(schema(), None), nothing);
    assert!(format!("{router:?}").contains("remove"), "{router:?}");
    let mut memory = testing::connect(router);
    let client = memory.client().clone();
    let tools = memory.run(async { client.list_tools().await.unwrap() });
    let hints = tools[0].annotations.as_ref().unwrap();
    assert_eq!(
        (hints.destructive_hint, hints.idempotent_hint, hints.read_only_hint),
        (Some(false), Some(true), None)
    );
    assert_eq!(parse(tools[1].meta.as_ref().unwrap()), json!({"a": 1}));
    assert_eq!(client.peer().unwrap().instructions.as_deref(), Some("look before you remove"));
    let result = memory.run(async { client.call(CallTool::new("look")).await.unwrap() });
    assert_eq!(result.content[0].as_text(), Some("done"));
}
