//! What was agreed on is what is sent: nothing of a later revision. R-VER-17, R-LIFE-09.

use std::time::Duration;

use mcp_proto::json::Raw;
use mcp_proto::router::{Context, Router};
use mcp_proto::types::{Implementation, ResourceLink, ServerCapabilities, TextContent};
use mcp_proto::{
    CallTool, CallToolResult, ClientConfig, ContentBlock, RawJson, Revision, RevisionSet,
    ServerConfig, testing,
};
use mcp_tests::{Hand, handshake};
use serde_json::{Value, json};

const FIRST: Revision = Revision::V2024_11_05;
const SECOND: Revision = Revision::V2025_03_26;
const THIRD: Revision = Revision::V2025_06_18;
const FOURTH: Revision = Revision::V2025_11_25;

fn raw(value: Value) -> RawJson {
    RawJson::of(&value).unwrap()
}

fn someone() -> Implementation {
    let mut info = Implementation::new("n", "1");
    info.title = Some("Name".into());
    info.description = Some("does".into());
    info.website_url = Some("https://a.example".into());
    info.icons = Some(raw(json!([{"src": "https://a.example/a.png"}])));
    info
}

/// The members of an implementation that this revision has.
fn members(revision: Revision) -> Vec<&'static str> {
    let later: [(&str, Revision); 6] = [
        ("name", FIRST),
        ("version", FIRST),
        ("title", THIRD),
        ("description", FOURTH),
        ("websiteUrl", FOURTH),
        ("icons", FOURTH),
    ];
    later.into_iter().filter(|(_, since)| *since <= revision).map(|(name, _)| name).collect()
}

fn names(object: Raw<'_>) -> Vec<String> {
    object.members().map(|(name, _)| name.into_owned()).collect()
}

fn of_blocks<const N: usize>(blocks: [ContentBlock; N]) -> CallToolResult {
    let mut result = CallToolResult::default();
    result.content = blocks.into();
    result
}

/// What a tool returns in each revision, block by block.
fn returned(result: &CallToolResult, revision: Revision) -> Value {
    let kept = result.clone();
    let handler = move |_: Context, _: Option<RawJson>| {
        let kept = kept.clone();
        async move { kept }
    };
    let tool = mcp_proto::Tool::new("t", raw(json!({"type": "object"})));
    let router = Router::new("s", "1").revisions(revision).raw_tool(tool, handler);
    let mut memory = testing::connect(router);
    let call = memory.client().call(CallTool::new("t"));
    serde_json::to_value(memory.run(call).unwrap()).unwrap()
}

#[test]
fn a_block_that_a_revision_does_not_have_is_said_as_text() {
    let mut link = ResourceLink::default();
    (link.uri, link.name) = ("file:///a".into(), "a".into());
    link.description = Some("The first.".into());
    link.annotations = Some(raw(json!({"priority": 1})));
    let result = of_blocks([
        ContentBlock::audio("AAAA", "audio/wav"),
        ContentBlock::ResourceLink(link),
        ContentBlock::image("BBBB", "image/png"),
        // The same, written by hand.
        ContentBlock::Other(raw(json!({"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}))),
    ]);
    for revision in Revision::ALL {
        let content = &returned(&result, revision)["content"];
        let audio = match revision {
            FIRST => json!({"type": "text", "text": "[audio, audio/wav, 4 bytes of Base64]"}),
            _ => json!({"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}),
        };
        assert_eq!((&content[0], &content[3]), (&audio, &audio), "{revision}");
        let link = match revision {
            FIRST | SECOND => {
                json!({"type": "text", "text": "a: file:///a\nThe first.", "annotations": {"priority": 1}})
            }
            _ => {
                json!({"type": "resource_link", "uri": "file:///a", "name": "a",
                    "description": "The first.", "annotations": {"priority": 1}})
            }
        };
        assert_eq!(content[1], link, "{revision}");
        let image = json!({"type": "image", "data": "BBBB", "mimeType": "image/png"});
        assert_eq!(content[2], image, "{revision}");
    }
}

#[test]
fn metadata_of_blocks_is_sent_from_the_revision_on_that_has_it() {
    let mut text = TextContent::default();
    (text.text, text.meta) = ("t".into(), Some(raw(json!({"a": 1}))));
    let dated = json!({"priority": 1, "lastModified": "2026-01-01T00:00:00Z"});
    text.annotations = Some(raw(dated.clone()));
    let resource = json!({"type": "resource", "_meta": {"a": 1}, "annotations": dated,
        "resource": {"uri": "file:///a", "text": "x", "_meta": {"b": 2}}});
    let odd = json!({"type": "of tomorrow", "n": 1});
    let result = of_blocks([
        ContentBlock::Text(text),
        ContentBlock::Other(raw(resource.clone())),
        ContentBlock::Other(raw(odd.clone())),
    ]);
    for revision in Revision::ALL {
        let content = &returned(&result, revision)["content"];
        // Nobody knows which revision has that.
        assert_eq!(content[2], odd);
        if revision >= THIRD {
            assert_eq!((&content[0]["_meta"], &content[1]), (&json!({"a": 1}), &resource));
        } else {
            let undated = json!({"priority": 1});
            let text = json!({"type": "text", "text": "t", "annotations": undated});
            assert_eq!(content[0], text);
            let bare = json!({"type": "resource", "annotations": undated, "resource": {"uri": "file:///a", "text": "x"}});
            assert_eq!(content[1], bare, "{revision}");
        }
    }
}

#[test]
fn structured_content_that_cannot_be_sent_is_not_lost() {
    let mut result = CallToolResult::default();
    result.structured_content = Some(raw(json!({"a": 1})));
    for revision in Revision::ALL {
        let returned = returned(&result, revision);
        let expected = match revision {
            FIRST | SECOND => json!({"content": [{"type": "text", "text": "{\"a\":1}"}]}),
            _ => json!({"content": [], "structuredContent": {"a": 1}}),
        };
        assert_eq!(returned, expected, "{revision}");
    }
}

#[test]
fn a_server_says_of_itself_what_the_session_has() {
    let mut offered = ServerCapabilities::default().tools().logging();
    offered.completions = Some(raw(json!({})));
    offered.extensions = Some(raw(json!({"a.example/x": {}})));
    offered.tasks = Some(raw(json!({"list": {}})));
    let mut config = ServerConfig::new("s", "1").capabilities(offered);
    config.info = someone();
    for revision in Revision::ALL.into_iter().filter(|revision| *revision <= FOURTH) {
        let mut server = Hand::silent_server(config.clone());
        server.feed(handshake(revision));
        let said = RawJson::parse(server.said().remove(0)).unwrap();
        let result = said.get("result").unwrap();
        assert_eq!(names(result.get("serverInfo").unwrap()), members(revision), "{revision}");
        let capabilities = result.get("capabilities").unwrap();
        assert!(capabilities.get("tools").is_some() && capabilities.get("logging").is_some());
        assert_eq!(capabilities.get("completions").is_some(), revision >= SECOND, "{revision}");
        // No member that 2025-11-25 names, and one that it leaves room for.
        assert_eq!(capabilities.get("extensions").is_some(), revision >= FOURTH, "{revision}");
        assert_eq!(capabilities.get("tasks").is_some(), revision == FOURTH, "{revision}");
    }
    let mut server = Hand::silent_server(config);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}});
    let ask =
        json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}});
    server.feed(format!("{ask}\n"));
    let said = RawJson::parse(server.said().remove(0)).unwrap();
    assert!(said.get_in(&["result", "capabilities", "extensions"]).is_some());
    assert!(said.get_in(&["result", "capabilities", "tasks"]).is_none());
}

#[test]
fn a_client_says_of_itself_what_the_revision_has_that_it_asks_for() {
    let whole = json!({"form": {}, "url": {}});
    for (modes, third) in [
        (json!({}), Some(json!({}))),
        (whole.clone(), Some(json!({}))),
        (json!({"form": {}}), Some(json!({}))),
        // Without modes there is only the form, which this client does not have.
        (json!({"url": {}}), None),
    ] {
        for revision in Revision::ALL {
            let mut config = ClientConfig::new("c", "1").revisions(RevisionSet::only(revision));
            config.info = someone();
            config.capabilities.sampling = Some(raw(json!({})));
            config.capabilities.elicitation = Some(raw(modes.clone()));
            config.capabilities.extensions = Some(raw(json!({"a.example/x": {}})));
            config.capabilities.tasks = Some(raw(json!({"list": {}})));
            let mut client = Hand::client_with(config);
            client.pass(Duration::from_millis(1));
            let said = RawJson::parse(client.said().remove(0)).unwrap();
            let params = said.get("params").unwrap();
            let (info, offered) = match revision <= FOURTH {
                true => (params.get("clientInfo"), params.get("capabilities")),
                false => (
                    params.get_in(&["_meta", "io.modelcontextprotocol/clientInfo"]),
                    params.get_in(&["_meta", "io.modelcontextprotocol/clientCapabilities"]),
                ),
            };
            assert_eq!(names(info.unwrap()), members(revision), "{revision}");
            let offered: Value = offered.unwrap().decode().unwrap();
            assert_eq!(offered["sampling"], json!({}), "{revision}");
            assert_eq!(offered.get("extensions").is_some(), revision >= FOURTH, "{revision}");
            assert_eq!(offered.get("tasks").is_some(), revision == FOURTH, "{revision}");
            let elicitation = match revision {
                FIRST | SECOND => None,
                THIRD => third.as_ref(),
                _ => Some(&modes),
            };
            assert_eq!(offered.get("elicitation"), elicitation, "{revision} {modes}");
        }
    }
}
