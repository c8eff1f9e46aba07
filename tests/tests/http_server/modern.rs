//! 2026-07-28: one exchange, one conversation.

use bytes::Bytes;
use http::Request;
use mcp_proto::http::{Body, ServerOptions};
use mcp_proto::progress::{Pacing, ReportError, Weight};
use mcp_proto::{
    CallToolResult, ErrorObject, Event, LogLevel, LogMessage, Progress, RawJson, Revision,
    SendError, ServerConfig,
};
use mcp_tests::secs;
use mcp_tests::web::{
    Answer, Web, in_session, initialize, modern, modern_call, modern_parts, post,
};
use serde_json::{Value, json};

fn done() -> CallToolResult {
    CallToolResult::text("done")
}

#[test]
fn a_call_without_reports_is_answered_with_one_object() {
    // R-H26-17, R-H26-18
    let mut web = Web::new();
    let exchange = web.send(modern_call(json!("a"), "resize")).unwrap();
    assert_eq!(web.take(exchange).status(), 0, "nothing is said yet");
    let (scope, id) = web.request();
    let now = web.now;
    web.server.endpoint_mut(scope).unwrap().respond(&id, &done(), now).unwrap();
    assert_eq!(web.server.poll_ready(), Some(exchange));
    let answer = web.take(exchange);
    assert_eq!((answer.status(), answer.header("content-type")), (200, Some("application/json")));
    assert_eq!((answer.json()["id"].clone(), answer.end), (json!("a"), Some(Body::End)));
    assert!(web.server.endpoint(scope).is_none(), "it has ended with its answer");
    assert_eq!((web.server.exchanges(), web.server.requests_in_flight()), (0, 0));

    let announced = json!({"jsonrpc": "2.0", "method": "notifications/something"});
    let answer = web.ask(post(&announced, &[("mcp-protocol-version", "2026-07-28")]));
    assert_eq!((answer.status(), answer.body.len()), (202, 0));
    web.listen();
    assert!(matches!(&web.events[..], [(_, Event::Notification { .. })]));
}

#[test]
fn the_first_report_makes_it_a_stream_and_each_leaves_at_once() {
    // R-H26-20, R-H26-22, R-H26-23
    let mut web = Web::new();
    let exchange = web.send(modern_call(json!(1), "resize")).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    for step in 1..=3 {
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        endpoint.report(&id, Progress::new(f64::from(step)), Weight::Ordinary, now).unwrap();
        assert_eq!(web.server.poll_ready(), Some(exchange), "report {step} is ready");
        let answer = web.take(exchange);
        if step == 1 {
            assert!(answer.is_stream());
            assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        }
        assert_eq!(answer.messages()[0]["params"]["progress"], f64::from(step));
        assert!(answer.events()[0].id.is_empty(), "no ids: nothing is resumed");
    }
    web.server.endpoint_mut(scope).unwrap().respond(&id, &done(), now).unwrap();
    let answer = web.take(exchange);
    assert_eq!((answer.messages()[0]["id"].clone(), answer.end), (json!(1), Some(Body::End)));
}

/// FIELD-BUGS 58; R-CANC-05, R-PROG-26.
#[test]
fn hanging_up_cancels_and_nothing_follows() {
    // R-CANC: 2026-07-28 basic/patterns/cancellation
    let mut web = Web::new();
    let exchange = web.send(modern_call(json!(1), "resize")).unwrap();
    let (scope, id) = web.request();
    web.hang_up(exchange);
    assert!(matches!(&web.events[..], [(of, Event::Cancelled { .. })] if *of == scope));
    assert_eq!(web.server.requests_in_flight(), 1, "its handler still runs");
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    assert!(endpoint.is_cancelled(&id));
    assert_eq!(endpoint.respond(&id, &done(), now), Err(SendError::Cancelled));
    assert_eq!(web.server.poll_ready(), None);
    assert!(web.server.endpoint(scope).is_none());
}

/// FIELD-BUGS 25, 58; R-CANC-06. At the pace of the default, and at one that lets reports wait.
#[test]
fn what_waits_or_is_reported_after_a_hang_up_goes_nowhere() {
    for burst in [32, 1] {
        let pacing = Pacing::default().burst(burst);
        let mut web =
            Web::with(ServerConfig::new("s", "1").pacing(pacing), ServerOptions::default());
        let exchange = web.send(modern_call(json!(1), "resize")).unwrap();
        let (scope, id) = web.request();
        let report = |web: &mut Web, step: u32, weight| {
            let now = web.now;
            let endpoint = web.server.endpoint_mut(scope).unwrap();
            endpoint.report(&id, Progress::new(step.into()), weight, now)
        };
        for step in 1..=4 {
            report(&mut web, step, Weight::Milestone).unwrap();
            if step == 1 {
                assert_eq!(web.take(exchange).messages().len(), 1);
            }
        }
        web.hang_up(exchange);
        assert!(matches!(&web.events[..], [(of, Event::Cancelled { .. })] if *of == scope));
        for step in 5..=17 {
            let weight = if step % 2 == 0 { Weight::Ordinary } else { Weight::Milestone };
            assert_eq!(report(&mut web, step, weight), Err(ReportError::Finished));
        }
        web.pass(secs(60));
        assert_eq!(web.server.poll_ready(), None, "burst {burst}");
        let answer = web.take(exchange);
        assert_eq!((answer.body.len(), answer.end), (0, None));
        let now = web.now;
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        assert!(!endpoint.is_progress_wanted(&id));
        assert_eq!(endpoint.respond(&id, &done(), now), Err(SendError::Cancelled));
        assert_eq!((web.server.exchanges(), web.server.requests_in_flight()), (0, 0));
        assert_eq!(web.server.poll_ready(), None);
        assert!(web.server.endpoint(scope).is_none());
    }
}

#[test]
fn many_clients_may_use_one_id() {
    let mut web = Web::new();
    let exchanges: Vec<_> =
        (0..8).map(|_| web.send(modern_call(json!(1), "resize")).unwrap()).collect();
    let requests = web.requests();
    let now = web.now;
    for (at, (scope, id)) in requests.iter().enumerate().rev() {
        let result = CallToolResult::text(format!("{at}"));
        web.server.endpoint_mut(*scope).unwrap().respond(id, &result, now).unwrap();
    }
    for (at, exchange) in exchanges.into_iter().enumerate() {
        let answer = web.take(exchange).json();
        assert_eq!(answer["result"]["content"][0]["text"], at.to_string());
    }
}

/// A request whose message and headers a test has changed.
fn changed(
    method: &str,
    params: Value,
    change: impl Fn(&mut Value, &mut Request<Bytes>),
) -> Answer {
    reworded(method, params, |message, request| {
        change(message, request);
        message.to_string()
    })
}

/// As above, where `body` says what the body is.
fn reworded(
    method: &str,
    params: Value,
    body: impl Fn(&mut Value, &mut Request<Bytes>) -> String,
) -> Answer {
    let schema = json!({"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "shard": {"type": "integer", "x-mcp-header": "Shard"}}});
    let schema = RawJson::parse(schema.to_string()).unwrap();
    let options = ServerOptions::default().mirror("route", &schema).unwrap();
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let (mut message, headers) = modern_parts(json!(7), method, params);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut request = post(&message, &headers);
    let body = body(&mut message, &mut request);
    *request.body_mut() = body.into();
    let exchange = match web.send(request) {
        Ok(exchange) => exchange,
        Err(refusal) => return Answer::refused(*refusal),
    };
    let now = web.now;
    for (scope, id) in web.requests() {
        web.server.endpoint_mut(scope).unwrap().respond(&id, &done(), now).unwrap();
    }
    web.take(exchange)
}

fn set<'a>(name: &'static str, value: &'a str) -> impl Fn(&mut Value, &mut Request<Bytes>) + 'a {
    move |_, request| {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
}

fn add<'a>(name: &'static str, value: &'a str) -> impl Fn(&mut Value, &mut Request<Bytes>) + 'a {
    move |_, request| {
        request.headers_mut().append(name, value.parse().unwrap());
    }
}

fn remove(name: &'static str) -> impl Fn(&mut Value, &mut Request<Bytes>) {
    move |_, request| {
        request.headers_mut().remove(name);
    }
}

fn route() -> Value {
    json!({"name": "route", "arguments": {"region": "eu", "shard": 42}})
}

#[test]
fn headers_say_what_the_body_says() {
    // R-H26-12 to R-H26-15, R-META-04, R-META-05
    let mismatch = (400, Some(-32020));
    let list = |change: &dyn Fn(&mut Value, &mut Request<Bytes>)| {
        let answer = changed("tools/list", json!({}), change);
        assert_eq!(answer.json()["id"], 7, "the id comes back");
        (answer.status(), answer.code())
    };
    assert_eq!(list(&|_, _| {}), (200, None));
    assert_eq!(list(&remove("mcp-protocol-version")), mismatch);
    assert_eq!(list(&set("mcp-protocol-version", "2025-11-25")), mismatch);
    assert_eq!(list(&set("mcp-protocol-version", "")), mismatch);
    assert_eq!(list(&add("mcp-protocol-version", "2026-07-28")), mismatch);
    assert_eq!(list(&remove("mcp-method")), mismatch);
    assert_eq!(list(&set("mcp-method", "tools/call")), mismatch);
    assert_eq!(list(&set("mcp-method", "TOOLS/LIST")), mismatch);
    assert_eq!(list(&set("mcp-method", "  tools/list ")), (200, None));
    assert_eq!(list(&add("mcp-method", "tools/call")), mismatch);
    let meta = "io.modelcontextprotocol/protocolVersion";
    let named = |version: &'static str| {
        move |message: &mut Value, _: &mut Request<Bytes>| {
            message["params"]["_meta"][meta] = version.into();
        }
    };
    assert_eq!(list(&named("v999.0.0")), mismatch, "compared before it is judged");
    let both = |message: &mut Value, request: &mut Request<Bytes>| {
        named("v999.0.0")(message, request);
        set("mcp-protocol-version", "v999.0.0")(message, request);
    };
    assert_eq!(list(&both), (400, Some(-32022)));
    let invalid = (400, Some(-32602));
    assert_eq!(list(&|message, _| message["params"] = json!({})), invalid);
    assert_eq!(
        list(&|message, _| {
            let meta = message["params"]["_meta"].as_object_mut().unwrap();
            meta.remove("io.modelcontextprotocol/clientCapabilities");
        }),
        invalid
    );
}

#[test]
fn names_are_compared_decoded() {
    // R-H26-09, R-H26-11, R-H26-12
    let mismatch = (400, Some(-32020));
    let call = |change: &dyn Fn(&mut Value, &mut Request<Bytes>)| {
        let answer = changed("tools/call", json!({"name": "écho"}), change);
        (answer.status(), answer.code())
    };
    assert_eq!(call(&set("mcp-name", "=?base64?w6ljaG8=?=")), (200, None));
    assert_eq!(call(&set("mcp-name", " =?base64?w6ljaG8=?=  ")), (200, None));
    for wrong in ["echo", "=?base64?w6ljaG8?=", "=?base64?w6lja!8=?=", "=?BASE64?w6ljaG8=?=", ""] {
        assert_eq!(call(&set("mcp-name", wrong)), mismatch, "{wrong}");
    }
    assert_eq!(call(&remove("mcp-name")), mismatch);
    // It is required, whatever the body lacks.
    for (method, params) in [
        ("tools/call", json!({})),
        ("tools/call", json!({"name": 7})),
        ("prompts/get", json!({})),
        ("resources/read", json!({"name": "p"})),
    ] {
        let answer = changed(method, params, remove("mcp-name"));
        assert_eq!((answer.status(), answer.code()), mismatch, "{method}");
    }
    assert_eq!(changed("tasks/get", json!({}), remove("mcp-name")).status(), 200);
    for (method, params, name) in [
        ("prompts/get", json!({"name": "p"}), "p"),
        ("resources/read", json!({"uri": "file:///a"}), "file:///a"),
        ("tasks/get", json!({"taskId": "t"}), "t"),
    ] {
        let right = changed(method, params.clone(), set("mcp-name", name));
        assert_eq!(right.status(), 200, "{method}");
        assert_eq!(changed(method, params.clone(), set("mcp-name", "x")).code(), Some(-32020));
        assert_eq!(changed(method, params, remove("mcp-name")).code(), Some(-32020));
    }
}

#[test]
fn arguments_are_compared_with_their_headers() {
    // R-XHDR-12 to R-XHDR-16
    let status = |params: Value, headers: &[(&'static str, &str)]| {
        let answer = changed("tools/call", params, |_, request| {
            for (name, value) in headers {
                request.headers_mut().append(*name, value.parse().unwrap());
            }
        });
        if answer.status() != 200 {
            assert_eq!((answer.status(), answer.code()), (400, Some(-32020)));
        }
        answer.status()
    };
    let (region, shard) = ("mcp-param-region", "mcp-param-shard");
    assert_eq!(status(route(), &[(region, "eu"), (shard, "42")]), 200);
    assert_eq!(status(route(), &[(region, "eu"), (shard, "42.0")]), 200);
    assert_eq!(status(route(), &[(region, "=?base64?ZXU=?="), (shard, "42")]), 200);
    assert_eq!(status(route(), &[(region, "eu"), (shard, "42"), ("mcp-param-other", "x")]), 200);
    assert_eq!(status(route(), &[(region, "us"), (shard, "42")]), 400);
    assert_eq!(status(route(), &[(region, "eu")]), 400);
    assert_eq!(status(route(), &[(region, "eu"), (shard, "43")]), 400);
    assert_eq!(status(route(), &[(region, "eu"), (region, "eu"), (shard, "42")]), 400);
    assert_eq!(status(route(), &[(region, "=?base64?ZXU?="), (shard, "42")]), 400);
    // Only integers have spellings: a text that looks like one is another text.
    let tenant = |tenant: &str| json!({"name": "route", "arguments": {"region": tenant}});
    assert_eq!(status(tenant("42"), &[(region, "42")]), 200);
    for other in ["42.0", "+42", "042", "4.2e1"] {
        assert_eq!(status(tenant("42"), &[(region, other)]), 400, "{other}");
        assert_eq!(status(tenant(other), &[(region, "42")]), 400, "{other}");
    }
    let text = json!({"name": "route", "arguments": {"shard": "42"}});
    assert_eq!(status(text.clone(), &[(shard, "42")]), 200);
    assert_eq!(status(text, &[(shard, "42.0")]), 400, "it is no integer, whatever the schema says");
    // What no header can say passes neither without one nor with one (R-XHDR-07, -13).
    for shard in ["9007199254740993", "-9007199254740992", "42.5", "1e300", "[42]", "{}"] {
        let shard_is = json!({"name": "route", "arguments": {
            "shard": serde_json::from_str::<Value>(shard).unwrap()}});
        assert_eq!(status(shard_is.clone(), &[]), 400, "{shard}");
        assert_eq!(status(shard_is, &[("mcp-param-shard", shard)]), 400, "{shard}");
    }
    let without = json!({"name": "route", "arguments": {"region": null}});
    assert_eq!(status(without.clone(), &[]), 200);
    assert_eq!(status(without, &[(region, "eu")]), 400);
    assert_eq!(status(json!({"name": "route"}), &[]), 200);
    let other = json!({"name": "other", "arguments": {"region": "eu"}});
    assert_eq!(status(other, &[]), 200, "of other tools nothing is known");
}

#[test]
fn what_headers_repeat_is_in_the_body_once() {
    // Whoever stands between may go by one, and the application by the other.
    let status = |name: &str, said: &str, instead: &str| {
        let answer = reworded(
            "tools/call",
            json!({"name": name, "arguments": {"region": "eu"}}),
            |message, request| {
                set("mcp-name", name)(message, request);
                request.headers_mut().insert("mcp-param-region", "eu".parse().unwrap());
                let body = message.to_string();
                assert!(body.contains(said), "{body}");
                body.replace(said, instead)
            },
        );
        (answer.status(), answer.code())
    };
    let region = r#""region":"eu""#;
    assert_eq!(status("route", region, region), (200, None));
    let mismatch = (400, Some(-32020));
    for (said, instead) in [
        (region, r#""region":"eu","region":"us""#),
        (region, r#""region":"us","region":"eu""#),
        (region, r#""region":"eu","\u0072egion":"us""#),
        (r#""name":"route""#, r#""name":"route","name":"other""#),
        (r#""arguments""#, r#""arguments":{},"arguments""#),
        (r#""arguments""#, r#""a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"arguments":{},"arguments""#),
    ] {
        assert_eq!(status("route", said, instead), mismatch, "{instead}");
    }
    let doubled = r#""region":"eu","region":"us""#;
    assert_eq!(status("other", region, doubled), (200, None), "of other tools nothing is known");
}

#[test]
fn what_is_no_request_is_refused_with_a_status() {
    // R-H26-04, and the table of 2026-07-28 basic/transports/streamable-http
    let mut web = Web::new();
    let version = [("mcp-protocol-version", "2026-07-28"), ("content-type", "application/json")];
    let mut status = |body: &str| {
        let mut request = post(&json!({}), &version);
        *request.body_mut() = body.to_owned().into();
        let answer = web.ask(request);
        assert_eq!(answer.json().get("id"), None, "{body}");
        (answer.status(), answer.code())
    };
    assert_eq!(status("not json"), (400, Some(-32700)));
    assert_eq!(status(""), (400, Some(-32700)));
    assert_eq!(status("[]"), (400, Some(-32600)));
    assert_eq!(status(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), (400, Some(-32600)));
    assert_eq!(status(r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#), (400, Some(-32600)));
    let announced = json!({"jsonrpc": "2.0", "method": "notifications/x"});
    assert_eq!(web.ask(post(&announced, &[])).status(), 400, "neither a session nor a version");
    assert!(web.events.is_empty());
}

#[test]
fn a_server_of_this_era_alone_says_so_to_whoever_opens_a_session() {
    // R-VER-18
    for header in [None, Some("2025-11-25"), Some("2026-07-28")] {
        let config = ServerConfig::new("s", "1").revisions(Revision::V2026_07_28);
        let mut web = Web::with(config, ServerOptions::default());
        let headers: Vec<_> =
            header.map(|named| ("mcp-protocol-version", named)).into_iter().collect();
        let answer = web.ask(post(&initialize(Revision::V2025_11_25), &headers));
        assert_eq!((answer.status(), answer.code()), (400, Some(-32022)), "{header:?}");
        let error = answer.json()["error"].clone();
        let data = json!({"supported": ["2026-07-28"], "requested": "2025-11-25"});
        assert_eq!(error["data"], data, "{header:?}");
        assert!(error["message"].as_str().unwrap().contains("2026-07-28"), "{error}");
        assert_eq!(web.server.exchanges(), 0);
    }
}

#[test]
fn the_version_that_was_asked_for_is_echoed_whole_or_not_at_all() {
    // R-VER-12
    for (len, is_echoed) in [(65, true), (1 << 10, true), (1025, false)] {
        let mut web = Web::new();
        let version = "v".repeat(len);
        let (mut message, headers) = modern_parts(json!(7), "tools/list", json!({}));
        message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(version);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| match *name {
                "mcp-protocol-version" => (*name, &*version),
                _ => (*name, value.as_str()),
            })
            .collect();
        let answer = web.ask(post(&message, &headers));
        assert_eq!((answer.status(), answer.code()), (400, Some(-32022)));
        let data = answer.json()["error"]["data"].clone();
        assert_eq!(data["supported"].as_array().map(Vec::len), Some(5));
        assert_eq!(data.get("requested"), is_echoed.then(|| json!(version)).as_ref(), "{len}");
    }
}

#[test]
fn a_session_of_the_server_before_hears_which_versions_there_are_now() {
    // R-VER-18, R-ERA-09: its client can only find out by this that it has to ask again.
    let config = ServerConfig::new("s", "1").revisions(Revision::V2026_07_28);
    let mut web = Web::with(config, ServerOptions::default());
    let call = |params: Value| {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        in_session(&message, "of-before", Revision::V2025_11_25)
    };
    let answer = web.ask(call(json!({"name": "a"})));
    assert_eq!((answer.status(), answer.code()), (400, Some(-32022)));
    let told = answer.json();
    let data = json!({"supported": ["2026-07-28"], "requested": "2025-11-25"});
    assert_eq!((&told["id"], &told["error"]["data"]), (&json!(7), &data));
    // A version in `_meta` that is none is a fault of the request.
    let meta = json!({"io.modelcontextprotocol/protocolVersion": 7});
    let answer = web.ask(call(json!({"name": "a", "_meta": meta})));
    assert_eq!((answer.status(), answer.code()), (400, Some(-32602)));
}

#[test]
fn errors_of_the_application_have_the_status_of_the_page() {
    // R-H26-16, R-CAP-07; whatever the client takes, for the page makes no exception.
    let accepted = ["application/json, text/event-stream", "application/json", "text/event-stream"];
    for (code, status) in [(-32601, 404), (-32021, 400), (-32602, 200), (-32603, 200), (7, 200)] {
        for accepts in accepted {
            for reports in [false, true] {
                let mut web = Web::new();
                let mut request = modern(json!(1), "some/thing", json!({}));
                if reports {
                    request = modern_call(json!(1), "resize");
                }
                request.headers_mut().insert("accept", accepts.parse().unwrap());
                let exchange = web.send(request).unwrap();
                let (scope, id) = web.request();
                let now = web.now;
                let endpoint = web.server.endpoint_mut(scope).unwrap();
                if reports {
                    let _ = endpoint.report(&id, Progress::new(1.0), Weight::Ordinary, now);
                }
                endpoint.fail(&id, &ErrorObject::new(code, "no"), now).unwrap();
                let answer = web.take(exchange);
                // What has begun as a stream has its status (A-8).
                let is_begun = reports && accepts != "application/json";
                let status = if is_begun { 200 } else { status };
                assert_eq!(answer.status(), status, "{code} {accepts} {reports}");
                let is_stream = is_begun || accepts == "text/event-stream" && status == 200;
                assert_eq!(answer.is_stream(), is_stream, "{code} {accepts} {reports}");
                let said = match is_stream {
                    true => answer.messages().pop().unwrap(),
                    false => answer.json(),
                };
                assert_eq!((&said["id"], &said["error"]["code"]), (&json!(1), &json!(code)));
            }
        }
    }
    let mut web = Web::new();
    for method in ["ping", "initialize", "logging/setLevel", "resources/subscribe"] {
        let answer = web.ask(modern(json!(1), method, json!({})));
        assert_eq!((answer.status(), answer.code()), (404, Some(-32601)), "{method}");
    }
}

#[test]
fn silence_becomes_a_stream_that_says_it_is_alive() {
    // R-H26-24
    let options = ServerOptions::default().keep_alive(secs(15));
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let exchange = web.send(modern_call(json!(1), "slow")).unwrap();
    let (scope, id) = web.request();
    assert_eq!(web.take(exchange).status(), 0);
    web.pass(secs(14));
    assert_eq!(web.server.poll_ready(), None);
    web.pass(secs(1));
    assert_eq!(web.server.poll_ready(), Some(exchange));
    let answer = web.take(exchange);
    assert_eq!((answer.is_stream(), &answer.body[..]), (true, &b":\n\n"[..]));
    web.pass(secs(20));
    assert_eq!(web.take(exchange).body, b":\n\n");
    let now = web.now;
    web.server.endpoint_mut(scope).unwrap().respond(&id, &done(), now).unwrap();
    assert_eq!(web.take(exchange).messages()[0]["id"], 1);
}

#[test]
fn a_subscription_stays_open_until_either_side_ends_it() {
    // R-SUB-01, R-SUB-08, R-SUB-13
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Acknowledged {}
    impl mcp_proto::Notification for Acknowledged {
        const METHOD: &'static str = "notifications/subscriptions/acknowledged";
        type Sender = mcp_proto::role::Server;
    }
    let mut web = Web::new();
    for ends_itself in [true, false] {
        let exchange = web.send(modern(json!(1), "subscriptions/listen", json!({}))).unwrap();
        let (scope, id) = web.request();
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        endpoint.notify_for(&id, &Acknowledged {}).unwrap();
        let answer = web.take(exchange);
        assert!(answer.is_stream());
        assert_eq!(answer.messages()[0]["method"], "notifications/subscriptions/acknowledged");
        for _ in 0..5 {
            web.pass(secs(20));
            assert_eq!(web.take(exchange).body, b":\n\n", "and it is kept alive");
        }
        let now = web.now;
        if ends_itself {
            web.server.endpoint_mut(scope).unwrap().respond(&id, &json!({}), now).unwrap();
            let answer = web.take(exchange);
            assert_eq!(answer.messages()[0]["result"]["resultType"], "complete");
            assert_eq!(answer.end, Some(Body::End));
        } else {
            web.hang_up(exchange);
            assert!(matches!(web.events.pop(), Some((_, Event::Cancelled { .. }))));
            let endpoint = web.server.endpoint_mut(scope).unwrap();
            assert_eq!(endpoint.notify_for(&id, &Acknowledged {}), Err(SendError::Cancelled));
            endpoint.abandon(&id, now);
        }
        web.listen();
        assert_eq!((web.server.exchanges(), web.server.requests_in_flight()), (0, 0));
    }
}

/// FIELD-BUGS 29; R-PROG-15.
#[test]
fn where_only_json_is_taken_the_author_is_told_once_that_reports_have_no_way() {
    let mut web = Web::new();
    let mut request = modern_call(json!(1), "resize");
    request.headers_mut().insert("accept", "application/json".parse().unwrap());
    let exchange = web.send(request).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    assert!(!endpoint.is_progress_wanted(&id));
    for step in 1..=3 {
        endpoint.report(&id, Progress::new(f64::from(step)), Weight::Ordinary, now).unwrap();
    }
    let log = endpoint.log(Some(&id), &LogMessage::text(LogLevel::Error, "x"));
    assert_eq!(log, Err(SendError::Undeliverable));
    endpoint.respond(&id, &done(), now).unwrap();
    web.listen();
    assert!(matches!(&web.events[..], [(_, Event::Undelivered { .. })]), "{:?}", web.events);
    let answer = web.take(exchange);
    assert_eq!((answer.json()["id"].clone(), answer.end), (json!(1), Some(Body::End)));
}

#[test]
fn where_only_streams_are_taken_every_answer_is_one() {
    let mut web = Web::new();
    let mut discover = modern(json!(1), "server/discover", json!({}));
    discover.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
    let answer = web.ask(discover);
    assert_eq!((answer.is_stream(), answer.messages().len()), (true, 1));
    let mut call = modern_call(json!(1), "resize");
    call.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
    let exchange = web.send(call).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    web.server.endpoint_mut(scope).unwrap().respond(&id, &done(), now).unwrap();
    let answer = web.take(exchange);
    assert_eq!((answer.is_stream(), answer.messages().len()), (true, 1));
    assert_eq!(
        web.server.handle_head(&http::Request::new(()).into_parts().0).unwrap_err().status(),
        403
    );
}
