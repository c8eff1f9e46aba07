//! One request over HTTP without a socket: the services that a library of HTTP is given, and the machine in ours.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use mcp_bench::http::servers::{self, Answer};
use mcp_bench::http::{
    CALL, Load, MEDIA, OPENING, PATH, REPORT, REPORTS, SESSION_CALL, SESSION_REPORT,
};
use mcp_bench::messages::{STEP, TOTAL};
use mcp_proto::http::{Body, Caller, Exchange, Server, ServerOptions};
use mcp_proto::json::Raw;
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::{CallToolResult, Event, Instant, Progress, ServerConfig};
use tower_service::Service;

use super::Case;
use crate::meter::{Plan, Sample, measured};

pub const CASES: [(&str, Case); 14] = [
    ("ours/http-call/machine", |plan| machine(plan, CALL)),
    ("ours/http-progress/machine", |plan| machine(plan, REPORT)),
    ("ours/http-call/service", |plan| ours(plan, CALL)),
    ("ours/http-progress/service", |plan| ours(plan, REPORT)),
    ("ours/session-call/service", |plan| ours(plan, SESSION_CALL)),
    ("ours/session-progress/service", |plan| ours(plan, SESSION_REPORT)),
    ("rmcp/http-call/service", |plan| rmcp(plan, CALL)),
    ("rmcp/http-progress/service", |plan| rmcp(plan, REPORT)),
    ("rmcp/session-call/service", |plan| rmcp(plan, SESSION_CALL)),
    ("rmcp/session-progress/service", |plan| rmcp(plan, SESSION_REPORT)),
    ("axum/http-call/service", |plan| axum(plan, CALL)),
    ("axum/http-progress/service", |plan| axum(plan, REPORT)),
    ("axum/session-call/service", |plan| axum(plan, SESSION_CALL)),
    ("axum/session-progress/service", |plan| axum(plan, SESSION_REPORT)),
];

type Request = http::Request<Full<Bytes>>;

fn request(headers: &[(&str, &str)], body: String) -> Request {
    let builder = http::Request::post(PATH).header("host", "127.0.0.1:8000");
    let builder =
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(Full::from(body)).expect("a request")
}

async fn exchange<S, B>(service: &mut S, request: Request) -> (http::response::Parts, Bytes)
where
    S: Service<Request, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let (head, body) = service.call(request).await.expect("a response").into_parts();
    (head, body.collect().await.expect("a whole body").to_bytes())
}

async fn open_session<S, B>(service: &mut S) -> String
where
    S: Service<Request, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let [initialize, initialized] = OPENING;
    let (head, _) = exchange(service, request(&MEDIA, initialize.into())).await;
    let id = head.headers["mcp-session-id"].to_str().expect("text").to_owned();
    let mut headers = MEDIA.to_vec();
    headers.extend([("mcp-session-id", id.as_str()), ("mcp-protocol-version", "2025-11-25")]);
    exchange(service, request(&headers, initialized.into())).await;
    id
}

/// A request in, and its whole response out, on a runtime of one thread.
fn service<S, B>(plan: &Plan, load: Load, make: impl FnOnce() -> S) -> Sample
where
    S: Service<Request, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let runtime = runtime();
    let (mut service, mut requests) = runtime.block_on(async {
        let mut service = make();
        let session = match load.in_session() {
            true => Some(open_session(&mut service).await),
            false => None,
        };
        let headers = load.headers(session.as_deref());
        let requests: Vec<_> = (0..plan.warm_up + plan.messages)
            .map(|n| request(&headers, load.body(n + 10)))
            .collect();
        (service, requests)
    });
    let mut run = |requests: Vec<Request>| {
        runtime.block_on(async {
            let mut body = Bytes::new();
            for request in requests {
                body = exchange(&mut service, request).await.1;
                black_box(&body);
            }
            body
        })
    };
    let measured_ones = requests.split_off(plan.warm_up);
    let body = run(requests);
    assert!(load.is_answered(&String::from_utf8_lossy(&body)), "{body:?}");
    measured(measured_ones.len(), || drop(run(measured_ones)))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn ours(plan: &Plan, load: Load) -> Sample {
    service(plan, load, servers::ours)
}

fn rmcp(plan: &Plan, load: Load) -> Sample {
    service(plan, load, || servers::rmcp(load.in_session()))
}

/// The yardstick, which returns what ours returned.
fn axum(plan: &Plan, load: Load) -> Sample {
    let (kind, body) = runtime().block_on(async {
        let mut ours = servers::ours();
        let session = match load.in_session() {
            true => Some(open_session(&mut ours).await),
            false => None,
        };
        let asked = request(&load.headers(session.as_deref()), load.body(10));
        let (head, body) = exchange(&mut ours, asked).await;
        let kind = head.headers["content-type"].to_str().expect("text").to_owned();
        (kind, String::from_utf8(body.into()).expect("UTF-8"))
    });
    let frames = body.split_inclusive("\n\n").map(str::to_owned).collect();
    let answer = Answer { content_type: kind, frames };
    // The yardstick knows no sessions.
    let mut bare = servers::bare(&answer);
    let requests = (0..plan.warm_up + plan.messages)
        .map(|n| request(&load.headers(load.in_session().then_some("none")), load.body(n + 10)));
    let mut requests: Vec<_> = requests.collect();
    let runtime = runtime();
    let mut run = |requests: Vec<Request>| {
        runtime.block_on(async {
            for request in requests {
                black_box(exchange(&mut bare, request).await.1);
            }
        });
    };
    let measured_ones = requests.split_off(plan.warm_up);
    run(requests);
    measured(measured_ones.len(), || run(measured_ones))
}

/// The machine alone: a request in, its event, the answer to it, the whole response out.
fn machine(plan: &Plan, load: Load) -> Sample {
    let config = ServerConfig::new("bench", "1").pacing(Pacing::UNLIMITED);
    let mut server = Server::new(config, ServerOptions::default());
    let headers = load.headers(None);
    let mut requests: Vec<_> = (0..plan.warm_up + plan.messages)
        .map(|n| {
            let (head, _) = request(&headers, String::new()).into_parts();
            http::Request::from_parts(head, Bytes::from(load.body(n + 10)))
        })
        .collect();
    let mut now = Instant::ZERO;
    let mut run = |requests: Vec<http::Request<Bytes>>| {
        for request in requests {
            now = now + Duration::from_millis(1);
            let (head, body) = request.into_parts();
            let admission = server.handle_head(&head).expect("it may come in");
            let request = http::Request::from_parts(head, body);
            let exchange = server
                .handle_request(admission, request, Caller::default(), now)
                .expect("there is room");
            answer(&mut server, load, now);
            assert!(response(&mut server, exchange) > 0);
        }
    };
    let measured_ones = requests.split_off(plan.warm_up);
    run(requests);
    measured(measured_ones.len(), || run(measured_ones))
}

/// The tools.
fn answer(server: &mut Server, load: Load, now: Instant) {
    let Some((scope, Event::Request { id, params, .. })) = server.poll_event() else {
        panic!("no request")
    };
    let endpoint = server.endpoint_mut(scope).expect("it waits for its answer");
    if load == REPORT {
        for step in 1..=REPORTS {
            let progress = Progress::new(step as f64).of(TOTAL).message(STEP);
            endpoint.report(&id, progress, Weight::Ordinary, now).expect("a report that is wanted");
        }
        endpoint.respond(&id, &CallToolResult::text(""), now).expect("a request that waits");
        return;
    }
    let params = params.expect("parameters");
    let text = params.get_in(&["arguments", "text"]).and_then(Raw::as_str).expect("a text");
    let result = CallToolResult::text(text.into_owned());
    endpoint.respond(&id, &result, now).expect("a request that waits");
}

/// Takes the whole response. Bytes of its body.
fn response(server: &mut Server, exchange: Exchange) -> usize {
    while server.poll_ready().is_some() {}
    black_box(server.poll_head(exchange).expect("an answer"));
    let mut len = 0;
    loop {
        match server.poll_body(exchange) {
            Some(Body::Chunk(chunk)) => len += black_box(chunk).len(),
            Some(Body::End) => return len,
            other => panic!("{other:?}"),
        }
    }
}
