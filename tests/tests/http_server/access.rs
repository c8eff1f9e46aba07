//! Who may come in, and with what (R-HTTP-02, R-HTTP-03, R-H26-02).

use bytes::Bytes;
use http::Method;
use mcp_proto::http::{Access, ServerOptions};
use mcp_proto::{Era, Revision, RevisionSet, ServerConfig};
use mcp_tests::web::{Web, bare, get, in_session, initialize, modern, post};
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn pages_from_elsewhere_and_other_hosts_are_refused_before_anything_is_read() {
    let mut web = Web::new();
    let session = web.open(Revision::V2025_11_25);
    for headers in [
        [("host", "127.0.0.1:8080"), ("origin", "http://evil.example")],
        [("host", "127.0.0.1:8080"), ("origin", "")],
        [("host", "127.0.0.1:8080"), ("origin", "null")],
        [("host", "evil.example"), ("x", "y")],
    ] {
        for method in [Method::POST, Method::GET, Method::DELETE, Method::OPTIONS] {
            let mut headers = headers.to_vec();
            headers.extend([JSON, ("mcp-session-id", &session)]);
            let answer = web.ask(bare(method, Bytes::from_static(b"{}"), &headers));
            assert_eq!(answer.status(), 403, "{headers:?}");
            assert_eq!(answer.json().get("id"), None, "an error of no request");
        }
    }
    assert_eq!((web.server.sessions(), web.events.len()), (1, 0));
    let local = [("origin", "http://localhost:3000")];
    assert_eq!(web.ask(post(&initialize(Revision::V2025_11_25), &local)).status(), 200);
}

#[test]
fn other_names_are_served_where_they_are_named() {
    let options = ServerOptions::default().access(Access::local().host("mcp.example.com"));
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let headers = [("host", "mcp.example.com"), ("origin", "https://mcp.example.com")];
    assert_eq!(web.ask(post(&initialize(Revision::V2025_11_25), &headers)).status(), 200);
}

#[test]
fn a_body_is_json_as_it_is() {
    let mut web = Web::new();
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for content in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
    {
        assert_eq!(web.ask(post(&ping, &[("content-type", content)])).status(), 415, "{content}");
    }
    let untyped = bare(Method::POST, ping.to_string().into(), &[]);
    assert_eq!(web.ask(untyped).status(), 415);
    assert_eq!(web.ask(post(&ping, &[("content-encoding", "gzip")])).status(), 415);
    assert_eq!(web.ask(post(&ping, &[("accept", "text/html")])).status(), 406);
    assert_eq!(web.ask(bare(Method::GET, Bytes::new(), &[("accept", "text/html")])).status(), 406);
}

#[test]
fn methods_are_those_of_the_eras_that_are_served() {
    // R-H26-25, R-HTTP-01, R-HTTP-23, R-SESS-08
    let modern_only = ServerConfig::new("s", "1").revisions(RevisionSet::era(Era::Modern));
    let mut web = Web::with(modern_only, ServerOptions::default());
    for method in [Method::GET, Method::DELETE, Method::PUT, Method::OPTIONS] {
        let answer = web.ask(bare(method, Bytes::new(), &[]));
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")));
    }
    let mut web = Web::new();
    let answer = web.ask(bare(Method::PUT, Bytes::new(), &[]));
    assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, POST, DELETE")));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    // A modern client has neither such a stream nor a session, whatever it says of one (R-SESS-11).
    let session = web.open(Revision::V2025_11_25);
    for method in [Method::GET, Method::DELETE] {
        for id in [None, Some("unknown"), Some(&*session)] {
            let mut headers = vec![("mcp-protocol-version", "2026-07-28")];
            headers.extend(id.map(|id| ("mcp-session-id", id)));
            let answer = web.ask(bare(method.clone(), Bytes::new(), &headers));
            let told = (answer.status(), answer.header("allow"));
            assert_eq!(told, (405, Some("POST")), "{method} {id:?}");
        }
    }
    assert_eq!(web.server.sessions(), 1);
    // Where no modern revision is served its name is a version that is not.
    let legacy_only = ServerConfig::new("s", "1").revisions(RevisionSet::era(Era::Legacy));
    let mut web = Web::with(legacy_only, ServerOptions::default().http_sse());
    let named = [("mcp-protocol-version", "2026-07-28"), ("accept", "text/event-stream")];
    assert_eq!(web.ask(bare(Method::GET, Bytes::new(), &named)).status(), 400);
    assert_eq!(web.server.sessions(), 0);
}

#[test]
fn two_eras_are_served_on_one_address() {
    // R-ERA-10, R-ERA-11, R-ERA-12
    let mut web = Web::new();
    let session = web.open(Revision::V2025_06_18);
    let discover = web.ask(modern(json!(1), "server/discover", json!({})));
    assert_eq!(discover.status(), 200);
    let versions = discover.json()["result"]["supportedVersions"].clone();
    assert_eq!(versions.as_array().map(Vec::len), Some(5));
    // A modern request is one, whatever session it names, and gets no session id back (R-SESS-11, R-RESU-07).
    let mut request = modern(json!(1), "server/discover", json!({}));
    request.headers_mut().insert("mcp-session-id", session.parse().unwrap());
    request.headers_mut().insert("last-event-id", "7".parse().unwrap());
    let answer = web.ask(request);
    assert_eq!((answer.status(), answer.header("mcp-session-id")), (200, None));
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}});
    for named in [&*session, "unknown"] {
        let answer = web.ask(in_session(&cancelled, named, Revision::V2026_07_28));
        assert_eq!((answer.status(), answer.body.len()), (202, 0), "{named}");
    }
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    assert_eq!(web.ask(in_session(&ping, &session, Revision::V2025_06_18)).status(), 200);
    let answer = web.ask(in_session(&ping, &session, Revision::V2026_07_28));
    assert_eq!(answer.status(), 400, "a session is of the revisions that have them");
    assert_eq!(web.ask(get(&session, Revision::V2026_07_28, None)).status(), 405);
}
