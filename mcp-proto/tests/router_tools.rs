//! Tools as functions: how they are listed, called, and how they fail.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use mcp_proto::json::Text;
use mcp_proto::router::{Context, LocalRouter, Router, Structured, ToolError, ToolInfo};
use mcp_proto::testing::{self, Memory};
use mcp_proto::types::{ListTools, ListToolsResult};
use mcp_proto::{
    CallError, CallTool, CallToolResult, ContentBlock, ErrorObject, RawJson, Revision, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Deserialize, JsonSchema)]
struct Resize {
    /// Which images.
    images: Vec<String>,
    #[serde(default)]
    width: Option<u32>,
}

async fn resize(_: Context, args: Resize) -> Result<String, ToolError> {
    Ok(format!("{} to {:?}", args.images.join(" "), args.width))
}

#[derive(Serialize, JsonSchema)]
struct Size {
    width: u32,
    height: u32,
}

fn images() -> Router {
    Router::new("images", "1.0").tool("resize", "Resizes images", resize)
}

fn call(
    memory: &mut Memory,
    tool: impl Into<Text>,
    args: Value,
) -> Result<CallToolResult, CallError> {
    let call = memory.client().call(CallTool::new(tool).arguments(&args).unwrap());
    memory.run(call)
}

fn text(result: &CallToolResult) -> &str {
    match &result.content[..] {
        [block] => block.as_text().unwrap(),
        other => panic!("not one block: {other:?}"),
    }
}

fn peer_error(result: Result<CallToolResult, CallError>) -> ErrorObject {
    match result {
        Err(CallError::Peer(error)) => error,
        other => panic!("no error of the peer: {other:?}"),
    }
}

fn tools(memory: &mut Memory) -> Vec<Tool> {
    let client = memory.client().clone();
    memory.run(client.list_tools()).unwrap()
}

#[test]
fn a_typed_tool_gets_its_arguments() {
    for revision in Revision::ALL {
        let mut memory = testing::connect(images().revisions(revision));
        let result = call(&mut memory, "resize", json!({"images": ["a", "b"], "width": 3}));
        assert_eq!(text(&result.unwrap()), "a b to Some(3)");
        assert_eq!(memory.client().peer().unwrap().revision, revision);
    }
}

#[test]
fn the_schema_of_the_arguments_is_an_object_with_the_docs_of_its_fields() {
    let [tool] = tools(&mut testing::connect(images())).try_into().unwrap();
    assert_eq!((&*tool.name, tool.description.as_deref()), ("resize", Some("Resizes images")));
    let schema: Value = tool.input_schema.decode().unwrap();
    assert_eq!(
        schema,
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Resize",
            "type": "object",
            "properties": {
                "images": {"type": "array", "items": {"type": "string"}, "description": "Which images."},
                "width": {"type": ["integer", "null"], "format": "uint32", "minimum": 0, "default": null},
            },
            "required": ["images"],
        })
    );
}

#[test]
fn the_schema_is_made_once_and_never_for_a_call() {
    static MADE: AtomicU32 = AtomicU32::new(0);
    #[derive(Deserialize)]
    struct Counted {}
    impl JsonSchema for Counted {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Counted".into()
        }
        fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
            MADE.fetch_add(1, Ordering::Relaxed);
            schemars::json_schema!({"type": "object"})
        }
    }
    let router = Router::new("x", "1").tool("x", "", async |_: Context, _: Counted| "done");
    let made = MADE.load(Ordering::Relaxed);
    assert!(made > 0);
    let mut memory = testing::connect(router);
    for _ in 0..3 {
        call(&mut memory, "x", json!({})).unwrap();
        tools(&mut memory);
    }
    assert_eq!(MADE.load(Ordering::Relaxed), made);
}

#[test]
fn the_root_of_a_schema_is_an_object_even_for_enums_and_maps() {
    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "what")]
    #[allow(dead_code)] // only its schema is looked at
    enum Either {
        Circle { radius: f64 },
        Square { side: f64 },
    }
    let router = Router::new("x", "1")
        .tool("enum", "", async |_: Context, _: Either| ())
        .tool("map", "", async |_: Context, args: BTreeMap<String, u32>| format!("{args:?}"))
        .tool("option", "", async |_: Context, _: Option<Resize>| ())
        .tool("none", "", async |_: Context| "nothing needed");
    let mut memory = testing::connect(router);
    for tool in tools(&mut memory) {
        let schema: Value = tool.input_schema.decode().unwrap();
        assert_eq!(schema["type"], "object", "{}", tool.name);
    }
    let result = call(&mut memory, "map", json!({"a": 1})).unwrap();
    assert_eq!(text(&result), r#"{"a": 1}"#);
    let call = memory.client().call(CallTool::new("none"));
    assert_eq!(text(&memory.run(call).unwrap()), "nothing needed");
}

#[test]
fn arguments_that_do_not_decode_are_told_with_their_path() {
    let bad = json!({"images": ["a", "b", 3]});
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let result =
            call(&mut testing::connect(images().revisions(revision)), "resize", bad.clone());
        let result = result.unwrap();
        assert!(result.failed());
        assert!(text(&result).starts_with("invalid arguments: images[2]: "), "{}", text(&result));
    }
    let older = testing::connect(images().revisions(Revision::V2025_06_18));
    let error = peer_error(call(&mut { older }, "resize", bad));
    assert_eq!(error.code, ErrorObject::INVALID_PARAMS);
    assert!(error.message.contains("images[2]"), "{}", error.message);
}

#[test]
fn arguments_that_are_no_object_are_a_malformed_request() {
    let mut memory = testing::connect(images());
    let error = peer_error(call(&mut memory, "resize", json!([["a"], 3])));
    assert_eq!(error.code, ErrorObject::INVALID_PARAMS);
}

#[test]
fn absent_arguments_count_as_an_empty_object() {
    let router =
        Router::new("x", "1")
            .tool("x", "", async |_: Context, args: BTreeMap<String, u32>| args.len().to_string());
    let mut memory = testing::connect(router);
    let call = memory.client().call(CallTool::new("x"));
    assert_eq!(text(&memory.run(call).unwrap()), "0");
}

#[test]
fn an_unknown_tool_is_refused_and_its_name_is_not_echoed_without_end() {
    let mut memory = testing::connect(images());
    let error = peer_error(call(&mut memory, "resise", json!({})));
    assert_eq!(
        (error.code, &*error.message),
        (ErrorObject::INVALID_PARAMS, "unknown tool: resise")
    );
    let error = peer_error(call(&mut memory, "ü".repeat(9999), json!({})));
    assert!(error.message.len() < 200);
}

#[test]
fn an_unknown_method_and_a_call_without_a_name_are_refused() {
    let mut memory = testing::connect(images());
    for (method, params, code) in [
        ("resources/list", None, ErrorObject::METHOD_NOT_FOUND),
        ("tools/destroy", None, ErrorObject::METHOD_NOT_FOUND),
        ("tools/call", None, ErrorObject::INVALID_PARAMS),
        ("tools/call", Some(json!({"name": 3})), ErrorObject::INVALID_PARAMS),
    ] {
        let params = params.map(|params| RawJson::of(&params).unwrap());
        let call = memory.client().call_raw(method, params);
        match memory.run(call) {
            Err(CallError::Peer(error)) => assert_eq!(error.code, code, "{method}"),
            other => panic!("{method}: {other:?}"),
        }
    }
}

#[test]
fn every_error_and_every_text_becomes_an_error_that_the_model_reads() {
    async fn fails(_: Context, how: BTreeMap<String, String>) -> Result<(), ToolError> {
        match &*how["how"] {
            "parse" => drop("x".parse::<u32>()?),
            "text" => Err("no such image")?,
            "own" => Err(CallToolResult::text("half of it"))?,
            _ => return Err(ToolError::protocol(ErrorObject::new(-32000, "out of disks"))),
        }
        Ok(())
    }
    let mut memory = testing::connect(Router::new("x", "1").tool("fails", "", fails));
    for (how, said) in [
        ("parse", "invalid digit found in string"),
        ("text", "no such image"),
        ("own", "half of it"),
    ] {
        let result = call(&mut memory, "fails", json!({"how": how})).unwrap();
        assert!(result.failed(), "{how}");
        assert_eq!(text(&result), said);
    }
    let error = peer_error(call(&mut memory, "fails", json!({"how": "protocol"})));
    assert_eq!((error.code, &*error.message), (-32000, "out of disks"));
}

#[test]
fn a_handler_that_panics_is_answered_and_the_next_call_works() {
    async fn panics(_: Context, args: BTreeMap<String, bool>) {
        assert!(args["late"], "at once");
        std::future::ready(()).await;
        panic!("after a while");
    }
    fn panics_before_its_future(_: Context) -> std::future::Ready<()> {
        panic!("without a future");
    }
    let router = images().tool("panics", "", panics).tool("early", "", panics_before_its_future);
    let mut memory = testing::connect(router);
    for (tool, args) in [
        ("panics", json!({"late": true})),
        ("panics", json!({"late": false})),
        ("early", json!({})),
    ] {
        let error = peer_error(call(&mut memory, tool, args));
        let internal = (ErrorObject::INTERNAL_ERROR, "the tool panicked");
        assert_eq!((error.code, &*error.message), internal);
    }
    call(&mut memory, "resize", json!({"images": []})).unwrap();
}

#[test]
fn a_tool_that_wakes_itself_while_it_runs_is_run_again() {
    async fn twice(_: Context) -> &'static str {
        let mut has_run = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_run, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        "done"
    }
    let mut memory = testing::connect(images().tool("twice", "", twice));
    assert_eq!(text(&call(&mut memory, "twice", json!({})).unwrap()), "done");
}

#[test]
fn state_is_captured_or_passed() {
    let captured = Arc::new(AtomicU32::new(0));
    let counter = captured.clone();
    let router = Router::new("x", "1")
        .state(String::from("replaced"))
        .state(String::from("passed"))
        .tool("captured", "", move |_: Context| {
            let count = counter.fetch_add(1, Ordering::Relaxed) + 1;
            async move { count.to_string() }
        })
        .tool("passed", "", async |ctx: Context| {
            assert!(ctx.state::<u8>().is_none());
            ctx.state::<String>().unwrap().to_string()
        });
    let mut memory = testing::connect(router);
    assert_eq!(text(&call(&mut memory, "captured", json!({})).unwrap()), "1");
    assert_eq!(text(&call(&mut memory, "captured", json!({})).unwrap()), "2");
    assert_eq!(text(&call(&mut memory, "passed", json!({})).unwrap()), "passed");
    assert_eq!(captured.load(Ordering::Relaxed), 2);
}

#[test]
fn a_local_router_takes_handlers_that_are_not_send() {
    let calls = Rc::new(Cell::new(0));
    let counter = calls.clone();
    let router: LocalRouter = Router::local("x", "1").tool("count", "", move |_: Context| {
        let counter = counter.clone();
        async move {
            let before = counter.get();
            std::future::ready(()).await;
            counter.set(before + 1);
        }
    });
    let mut memory = testing::connect(router);
    call(&mut memory, "count", json!({})).unwrap();
    assert_eq!(calls.get(), 1);
}

#[test]
fn handling_is_send_where_the_handlers_are() {
    fn is_send<T: Send>(_: impl Fn(&Router, mcp_proto::driver::Incoming) -> T) {}
    is_send(|router, incoming| router.handle(incoming));
    is_send(|router, _| router.clone());
}

/// R-VER-17: after an older version was agreed on, only its fields are sent.
#[test]
fn an_old_client_is_told_of_a_tool_only_what_its_revision_has() {
    for revision in Revision::ALL {
        let icons = RawJson::parse(r#"[{"src":"https://a.example/a.png"}]"#).unwrap();
        let info = ToolInfo::new("look").title("Look").icons(icons.clone()).read_only();
        let mut tool = info.into_tool(RawJson::parse(r#"{"type":"object"}"#).unwrap(), None);
        let execution = RawJson::parse(r#"{"taskSupport":"optional"}"#).unwrap();
        tool.execution = Some(execution.clone());
        let router = Router::new("x", "1").raw_tool(tool, async |_: Context, _| "ok");
        let [tool] = tools(&mut testing::connect(router.revisions(revision))).try_into().unwrap();
        assert_eq!(tool.annotations.is_some(), revision >= Revision::V2025_03_26, "{revision}");
        assert_eq!(tool.title.is_some(), revision >= Revision::V2025_06_18, "{revision}");
        let has_icons = revision >= Revision::V2025_11_25;
        assert_eq!(tool.icons, has_icons.then_some(icons), "{revision}");
        let has_tasks = revision == Revision::V2025_11_25;
        assert_eq!(tool.execution, has_tasks.then_some(execution), "{revision}");
    }
}

#[test]
fn structured_output_is_given_where_the_revision_has_it_and_as_text_everywhere() {
    let router = Router::new("x", "1")
        .tool("object", "", async |_: Context| Structured(Size { width: 3, height: 4 }))
        .tool("list", "", async |_: Context| Ok::<_, ToolError>(Structured(vec![1, 2])));
    for revision in Revision::ALL {
        let mut memory = testing::connect(router.clone().revisions(revision));
        let announced = tools(&mut memory);
        let has = |is_object: bool| {
            revision >= Revision::V2026_07_28 || is_object && revision >= Revision::V2025_06_18
        };
        for (tool, value) in [("object", json!({"width": 3, "height": 4})), ("list", json!([1, 2]))]
        {
            let result = call(&mut memory, tool, json!({})).unwrap();
            assert_eq!(serde_json::from_str::<Value>(text(&result)).unwrap(), value);
            let structured = result.structured_content.map(|json| json.decode::<Value>().unwrap());
            assert_eq!(structured, has(value.is_object()).then_some(value), "{tool} {revision}");
            let tool = announced.iter().find(|announced| announced.name == tool).unwrap();
            assert_eq!(tool.output_schema.is_some(), structured.is_some(), "{revision}");
        }
    }
    let schema = &tools(&mut testing::connect(router))[0].output_schema;
    let schema: Value = schema.as_ref().unwrap().decode().unwrap();
    assert_eq!(schema["required"], json!(["width", "height"]));
}

#[test]
fn a_tool_may_return_nothing_blocks_or_a_result_of_its_own() {
    let router = Router::new("x", "1")
        .tool("nothing", "", async |_: Context| ())
        .tool("block", "", async |_: Context| ContentBlock::image("AA==", "image/png"))
        .tool("own", "", async |_: Context| CallToolResult::error("no"));
    let mut memory = testing::connect(router);
    assert_eq!(call(&mut memory, "nothing", json!({})).unwrap(), CallToolResult::default());
    let image = call(&mut memory, "block", json!({})).unwrap();
    assert!(matches!(&image.content[..], [ContentBlock::Image(_)]));
    assert!(call(&mut memory, "own", json!({})).unwrap().failed());
}

#[test]
fn tools_keep_their_order_and_a_second_of_a_name_takes_the_place_of_the_first() {
    let router = Router::new("x", "1")
        .tool("b", "first", async |_: Context| "first")
        .tool("a", "", async |_: Context| ())
        .tool("c", "", async |_: Context| ())
        .tool("b", "second", async |_: Context| "second");
    assert_eq!(router.tool_names().collect::<Vec<_>>(), ["b", "a", "c"]);
    let mut memory = testing::connect(router);
    let listed = tools(&mut memory);
    assert_eq!(listed[0].description.as_deref(), Some("second"));
    assert_eq!(listed.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["b", "a", "c"]);
    assert_eq!(text(&call(&mut memory, "b", json!({})).unwrap()), "second");
}

#[test]
fn what_a_tool_says_of_itself_is_listed() {
    let info = ToolInfo::new("look").title("Look").read_only().open_world(false);
    let router = Router::new("x", "1").tool_as(info, async |_: Context| ());
    let [tool] = tools(&mut testing::connect(router)).try_into().unwrap();
    let hints = tool.annotations.unwrap();
    assert_eq!((tool.title.as_deref(), tool.description), (Some("Look"), None));
    assert_eq!((hints.read_only_hint, hints.open_world_hint), (Some(true), Some(false)));
}

#[test]
fn a_long_list_comes_in_pages() {
    let add = |router: Router, n| router.tool(format!("tool-{n}"), "", async |_: Context| ());
    for (count, pages) in [(0, 1), (1, 1), (3, 1), (4, 2), (6, 2), (7, 3)] {
        let router = (0..count).fold(Router::new("x", "1").page_size(3), add);
        let mut memory = testing::connect(router);
        let mut names = Vec::new();
        let mut page = ListTools::new();
        for n in 1.. {
            let call = memory.client().call(page);
            let result: ListToolsResult = memory.run(call).unwrap();
            names.extend(result.tools.into_iter().map(|tool| tool.name));
            let Some(cursor) = result.next_cursor else {
                assert_eq!(n, pages, "{count} tools");
                break;
            };
            page = ListTools::new().cursor(cursor);
        }
        let expected: Vec<_> = (0..count).map(|n| format!("tool-{n}")).collect();
        assert_eq!(names, expected);
        assert_eq!(tools(&mut memory).len(), count);
    }
}

#[test]
fn a_cursor_that_was_never_given_out_is_refused() {
    let mut memory = testing::connect(images().page_size(1));
    for cursor in ["", "0", "1", "-1", "resize", "99999999999999999999"] {
        let call = memory.client().call(ListTools::new().cursor(cursor));
        match memory.run(call) {
            Err(CallError::Peer(error)) => assert_eq!(error.code, ErrorObject::INVALID_PARAMS),
            other => panic!("{cursor}: {other:?}"),
        }
    }
}

#[test]
fn only_the_modern_era_says_how_long_a_list_may_be_kept() {
    for (revision, ttl) in [(Revision::V2025_11_25, None), (Revision::V2026_07_28, Some(0))] {
        let mut memory = testing::connect(images().revisions(revision));
        let call = memory.client().call(ListTools::new());
        let page = memory.run(call).unwrap();
        assert_eq!((page.ttl_ms, page.cache_scope.is_some()), (ttl, ttl.is_some()));
    }
}

#[test]
fn a_raw_tool_reads_its_arguments_itself() {
    async fn echo(_: Context, args: Option<RawJson>) -> Result<CallToolResult, ToolError> {
        Ok(CallToolResult::text(args.unwrap_or(RawJson::null()).as_str()))
    }
    let schema = RawJson::parse(r#"{"type":"object","$defs":{},"x-mine":1}"#).unwrap();
    let router = Router::new("x", "1").raw_tool(Tool::new("echo", schema.clone()), echo);
    let mut memory = testing::connect(router);
    let result = call(&mut memory, "echo", json!({"any": [1, null]})).unwrap();
    assert_eq!(text(&result), r#"{"any":[1,null]}"#);
    assert_eq!(tools(&mut memory)[0].input_schema, schema);
}

/// Whoever stands between may go by the second name, so neither is taken.
#[test]
fn a_call_with_two_names_or_two_sets_of_arguments_is_refused() {
    for params in [
        r#"{"name":"resize","arguments":{"images":[]},"name":"other"}"#,
        r#"{"name":"resize","arguments":{"images":[]},"arguments":{"images":["a"]}}"#,
    ] {
        let mut memory = testing::connect(images());
        let params = RawJson::parse(params).unwrap();
        let call = memory.client().call_raw("tools/call", Some(params));
        let Err(CallError::Peer(error)) = memory.run(call) else { panic!("it was called") };
        assert_eq!(error.code, ErrorObject::invalid_params("").code);
    }
}
