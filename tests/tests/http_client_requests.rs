//! What the client over HTTP asks: requests and their headers. R-HTTP-05 to -07, R-SESS-03, R-H26-04 to -10, R-XHDR.

use http::{HeaderName, HeaderValue, Method};
use mcp_proto::http::ClientOptions;
use mcp_proto::json::RawJson;
use mcp_proto::{CallError, CallOptions, ListTools, RequestId, Revision, SendError, Violation};
use mcp_tests::http_hand::{HttpHand, JSON, done, error_of, header, id_of, method_of, result_of};

const LEGACY: [Revision; 3] = [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];
const MODERN: Revision = Revision::V2026_07_28;
const ALL: [Revision; 4] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, MODERN];

// Requests. R-HTTP-05, -06, -07, R-H26-04, -05.

#[test]
fn each_message_is_a_post_of_its_own_that_takes_both_kinds_of_answer() {
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        for tool in ["a", "b"] {
            hand.call(tool);
        }
        for request in hand.requests.values().filter(|request| request.method() == Method::POST) {
            assert_eq!(header(request, "accept"), Some("application/json, text/event-stream"));
            assert_eq!(header(request, "content-type"), Some(JSON));
            assert_eq!(header(request, "accept-encoding"), Some("identity"));
            assert_eq!(request.uri(), "https://a.example/mcp");
            assert_eq!(
                RawJson::parse(request.body().clone())
                    .unwrap()
                    .get("jsonrpc")
                    .unwrap()
                    .as_str()
                    .unwrap(),
                "2.0"
            );
        }
    }
}

#[test]
fn the_version_and_the_session_are_on_every_later_request() {
    // R-SESS-03, R-VER; 2025-03-26 has no header for the version.
    for revision in LEGACY {
        let mut hand = HttpHand::ready(revision);
        hand.call("a");
        for (at, request) in hand.requests.values().enumerate() {
            let (version, session) =
                (header(request, "mcp-protocol-version"), header(request, "mcp-session-id"));
            if at == 0 {
                assert_eq!((version, session), (None, None));
            } else {
                let named = (revision >= Revision::V2025_06_18).then_some(revision.as_str());
                assert_eq!((version, session), (named, Some("sess-1")), "{request:?}");
                assert!(request.headers()["mcp-session-id"].is_sensitive(), "R-SESS-09");
            }
            for name in ["mcp-method", "mcp-name"] {
                assert_eq!(header(request, name), None);
            }
        }
    }
}

#[test]
fn modern_requests_say_in_headers_what_they_are() {
    // R-H26-06 to -10.
    let mut hand = HttpHand::ready(MODERN);
    let (_, probe) = hand.requests.first_key_value().unwrap();
    assert_eq!(header(probe, "mcp-method"), Some("server/discover"));
    for (method, params, name) in [
        ("tools/call", r#"{"name":"resize"}"#, Some("resize")),
        ("tools/call", r#"{"name":"größe"}"#, Some("=?base64?Z3LDtsOfZQ==?=")),
        ("tools/call", r#"{"name":"a\r\nX: y"}"#, Some("=?base64?YQ0KWDogeQ==?=")),
        ("prompts/get", r#"{"name":" p"}"#, Some("=?base64?IHA=?=")),
        ("resources/read", r#"{"uri":"file:///a%20b"}"#, Some("file:///a%20b")),
        ("tasks/get", r#"{"taskId":"t1"}"#, Some("t1")),
        ("tasks/list", r#"{"taskId":"t1"}"#, None),
        ("tools/list", "{}", None),
        ("subscriptions/listen", r#"{"name":"x"}"#, None),
    ] {
        let params = RawJson::parse(params).unwrap();
        hand.client.request_raw(method, Some(&params), CallOptions::default(), hand.now).unwrap();
        hand.poll();
        let (_, request) = hand.take();
        assert_eq!(header(&request, "mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(header(&request, "mcp-method"), Some(method));
        assert_eq!(header(&request, "mcp-name"), name);
        assert_eq!(header(&request, "mcp-session-id"), None, "R-SESS-11");
        let version = RawJson::parse(request.body().clone()).unwrap();
        let version =
            version.get_in(&["params", "_meta", "io.modelcontextprotocol/protocolVersion"]);
        assert_eq!(version.unwrap().as_str().unwrap(), "2026-07-28");
    }
}

#[test]
fn the_application_adds_headers_but_none_of_the_protocol() {
    let options = ClientOptions::default()
        .header(HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer x"))
        .header(HeaderName::from_static("mcp-session-id"), HeaderValue::from_static("forged"))
        .header(HeaderName::from_static("accept"), HeaderValue::from_static("*/*"))
        .header(HeaderName::from_static("accept-encoding"), HeaderValue::from_static("gzip"));
    let hand = HttpHand::ready_with(Revision::V2025_11_25, None, options);
    for request in hand.requests.values() {
        assert_eq!(header(request, "authorization"), Some("Bearer x"));
        assert_eq!(header(request, "mcp-session-id"), None);
        assert_ne!(header(request, "accept"), Some("*/*"));
        assert_eq!(header(request, "accept-encoding"), Some("identity"));
    }
}

// `x-mcp-header`. R-XHDR-01 to -04, -09 to -11.

fn list(hand: &mut HttpHand, tools: &str) -> RawJson {
    let id = hand
        .client
        .request(&ListTools::default(), CallOptions::default(), hand.now)
        .unwrap()
        .id()
        .clone();
    hand.poll();
    let (exchange, request) = hand.take();
    let result = format!(r#"{{"resultType":"complete","tools":{tools},"nextCursor":"n"}}"#);
    hand.answer_json(exchange, &result_of(&id_of(&request), &result));
    hand.outcome(&id).unwrap().unwrap()
}

#[test]
fn arguments_are_repeated_in_headers_as_the_schema_asks() {
    let mut hand = HttpHand::ready(MODERN);
    let tools = r#"[{"name":"t","inputSchema":{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "count":{"type":"integer","x-mcp-header":"Count"},
        "dry":{"type":"boolean","x-mcp-header":"Dry"},
        "plain":{"type":"number"}}}}]"#;
    let listed = list(&mut hand, tools);
    assert_eq!(listed.get("tools").unwrap().items().count(), 1);
    for (arguments, headers) in [
        (
            r#"{"region":"us-west1","count":42,"dry":false,"plain":3.14}"#,
            [Some("us-west1"), Some("42"), Some("false")],
        ),
        (r#"{"region":"","count":-7.0,"dry":true}"#, [Some(""), Some("-7"), Some("true")]),
        (
            r#"{"region":"Hello, 世界","dry":null}"#,
            [Some("=?base64?SGVsbG8sIOS4lueVjA==?="), None, None],
        ),
        (r#"{"region":"a\nb"}"#, [Some("=?base64?YQpi?="), None, None]),
        (r#"{"region":"=?base64?eA==?="}"#, [Some("=?base64?PT9iYXNlNjQ/ZUE9PT89?="), None, None]),
        ("{}", [None, None, None]),
    ] {
        let params = RawJson::parse(format!(r#"{{"name":"t","arguments":{arguments}}}"#)).unwrap();
        hand.client
            .request_raw("tools/call", Some(&params), CallOptions::default(), hand.now)
            .unwrap();
        hand.poll();
        let (_, request) = hand.take();
        let names = ["mcp-param-region", "mcp-param-count", "mcp-param-dry"];
        assert_eq!(names.map(|name| header(&request, name)), headers, "{arguments}");
        assert!(!request.headers().keys().any(|name| name.as_str() == "mcp-param-plain"));
    }
}

/// R-XHDR-01, R-XHDR-07: the header must be there and there is none that says it, so the call does not leave.
#[test]
fn a_call_whose_argument_no_header_can_say_is_refused_here() {
    let tools = r#"[{"name":"t","inputSchema":{"type":"object","properties":{
        "at":{"type":"object","properties":{"count":{"type":"integer","x-mcp-header":"Count"}}}}}}]"#;
    let call = |hand: &mut HttpHand, count: &str| {
        let params = format!(r#"{{"name":"t","arguments":{{"at":{{"count":{count}}}}}}}"#);
        let params = RawJson::parse(params).unwrap();
        let options = CallOptions::default();
        let id = hand.client.request_raw("tools/call", Some(&params), options, hand.now).unwrap();
        hand.poll();
        id
    };
    let is_refused = |hand: &HttpHand, id: &RequestId| {
        let error = hand.error(id);
        assert!(matches!(error, CallError::Send(SendError::Encode(_))), "{error:?}");
        let told = error.to_string();
        assert!(told.contains("at.count") && told.contains("mcp-param-count"), "{told}");
    };
    let mut hand = HttpHand::ready(MODERN);
    list(&mut hand, tools);
    for count in ["9007199254740992", "-9007199254740993", "1e300", "0.5", "[1]", "{}"] {
        let id = call(&mut hand, count);
        is_refused(&hand, &id);
        assert!(hand.opened.is_empty() && hand.client.calls_in_flight() == 0, "{count}");
    }
    for (count, header_is) in [("9007199254740991", Some("9007199254740991")), ("null", None)] {
        let id = call(&mut hand, count);
        let (exchange, request) = hand.take();
        assert_eq!(header(&request, "mcp-param-count"), header_is);
        hand.answer_json(exchange, &done(&id));
        assert!(hand.outcome(&id).unwrap().is_ok());
    }
    // What it wants is known only when the server has said no.
    let mut hand = HttpHand::ready(MODERN);
    let id = call(&mut hand, "0.5");
    let (exchange, _) = hand.take();
    let refusal = error_of(&id.to_string(), -32020);
    hand.answer(exchange, 400, &[("content-type", JSON)], refusal.as_bytes());
    let (exchange, request) = hand.take();
    let page = format!(r#"{{"resultType":"complete","tools":{tools}}}"#);
    hand.answer_json(exchange, &result_of(&id_of(&request), &page));
    is_refused(&hand, &id);
    assert!(hand.opened.is_empty() && hand.client.calls_in_flight() == 0);
    // In a session there are no such headers.
    let mut hand = HttpHand::ready(Revision::V2025_11_25);
    list(&mut hand, tools);
    call(&mut hand, "0.5");
    assert_eq!(header(&hand.take().1, "mcp-param-count"), None);
}

#[test]
fn tools_whose_annotations_cannot_be_followed_are_left_out_and_the_others_stay() {
    let mut hand = HttpHand::ready(MODERN);
    let tools = r#"[{"name":"good","inputSchema":{"type":"object"}},
        {"name":"bad","inputSchema":{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}},
        {"name":"also good","inputSchema":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}]"#;
    let listed = list(&mut hand, tools);
    let names: Vec<_> = listed
        .get("tools")
        .unwrap()
        .items()
        .map(|tool| tool.get("name").unwrap().as_str().unwrap().into_owned())
        .collect();
    assert_eq!(names, ["good", "also good"]);
    assert_eq!(listed.get("nextCursor").unwrap().as_str().unwrap(), "n");
    assert!(
        matches!(&hand.violations()[..], [Violation::BadTool { tool, why }] if tool == "bad" && why.contains("neither"))
    );
    // A legacy server's annotations mean nothing.
    let mut hand = HttpHand::ready(Revision::V2025_11_25);
    assert_eq!(list(&mut hand, tools).get("tools").unwrap().items().count(), 3);
}

#[test]
fn of_many_faulty_tools_some_are_told_and_the_others_counted() {
    let mut hand = HttpHand::ready(MODERN);
    let faulty =
        r#"{"name":"bad","inputSchema":{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}}"#;
    let tools = format!("[{}]", vec![faulty; 100].join(","));
    assert_eq!(list(&mut hand, &tools).get("tools").unwrap().items().count(), 0);
    let told = hand.violations();
    assert_eq!((told.len(), told.last()), (65, Some(&Violation::More(36))));
}

#[test]
fn what_is_kept_of_tools_is_bounded_in_bytes_and_forgotten_with_the_list() {
    let mut options = ClientOptions::default();
    options.max_tools_len = 10_000;
    let mut hand = HttpHand::ready_with(MODERN, None, options);
    let tool = |at: usize| {
        let name = format!("{at}{}", "n".repeat(1_000));
        format!(
            r#"{{"name":"{name}","inputSchema":{{"properties":{{"a":{{"type":"string","x-mcp-header":"A"}}}}}}}}"#
        )
    };
    let tools = format!("[{}]", (0..20).map(tool).collect::<Vec<_>>().join(","));
    // The same list again is the same: nothing of the first one is left.
    for _ in 0..3 {
        let kept = list(&mut hand, &tools).get("tools").unwrap().items().count();
        assert!((8..10).contains(&kept), "{kept}");
        assert_eq!(hand.violations().len(), 20 - kept);
        hand.told.clear();
    }
    // And so is a page that names a tool twice.
    let twice = format!("[{}]", vec![tool(7); 20].join(","));
    assert_eq!(list(&mut hand, &twice).get("tools").unwrap().items().count(), 20);
}

#[test]
fn a_call_with_wrong_headers_is_said_once_more_when_the_tools_are_known() {
    // R-XHDR-17: a tool that was called without having been listed.
    let tool = r#"{"name":"t","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}"#;
    let params = RawJson::parse(r#"{"name":"t","arguments":{"region":"eu"}}"#).unwrap();
    let refused = |hand: &mut HttpHand| {
        let options = CallOptions::default();
        let id = hand.client.request_raw("tools/call", Some(&params), options, hand.now).unwrap();
        hand.poll();
        // Behind it the list may be asked for.
        let (exchange, request) = hand.opened.pop_back().unwrap();
        assert_eq!(header(&request, "mcp-param-region"), None);
        let refusal = error_of(&id.to_string(), -32020);
        hand.answer(exchange, 400, &[("content-type", JSON)], refusal.as_bytes());
        assert_eq!(hand.outcome(&id), None);
        id
    };
    let is_refusal = |hand: &HttpHand, id: &RequestId| matches!(hand.error(id), CallError::Peer(error) if error.code == -32020);
    let mut hand = HttpHand::ready(MODERN);
    let ids = [refused(&mut hand), refused(&mut hand)];
    // Page by page, asked for once.
    for page in [r#"{"tools":[],"nextCursor":"2"}"#.to_owned(), format!(r#"{{"tools":[{tool}]}}"#)]
    {
        let (exchange, request) = hand.opened.pop_front().unwrap();
        assert_eq!(
            (method_of(&request).as_str(), header(&request, "mcp-method")),
            ("tools/list", Some("tools/list"))
        );
        hand.answer_json(exchange, &result_of(&id_of(&request), &page));
    }
    for (id, code) in ids.iter().zip([0, -32020]) {
        let (exchange, request) = hand.take();
        assert_eq!(
            (id_of(&request), header(&request, "mcp-param-region")),
            (id.to_string(), Some("eu"))
        );
        if code == 0 {
            hand.answer_json(exchange, &done(id));
            assert!(hand.outcome(id).unwrap().is_ok());
        } else {
            // A second refusal is the end.
            let refusal = error_of(&id.to_string(), code);
            hand.answer(exchange, 400, &[("content-type", JSON)], refusal.as_bytes());
            assert!(is_refusal(&hand, id));
        }
    }
    assert!(hand.opened.is_empty() && hand.client.calls_in_flight() == 0);

    // Without a list the refusal stands; a call that is given up meanwhile is not said again.
    let mut hand = HttpHand::ready(MODERN);
    let (one, two) = (refused(&mut hand), refused(&mut hand));
    hand.client.cancel(&two, None, hand.now);
    hand.poll();
    let (exchange, _) = hand.take();
    hand.status(exchange, 500);
    assert!(is_refusal(&hand, &one));
    assert_eq!(hand.error(&two), CallError::Cancelled);
    assert!(hand.opened.is_empty() && hand.client.calls_in_flight() == 0);
}
