//! An HTTP library whose server is the test.
#![allow(dead_code, unreachable_pub)] // every test file uses its part

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use mcp_proto::driver::Client;
use mcp_proto::driver::http::{self as http_driver, HttpClient};
use mcp_proto::http::ClientOptions;
use mcp_proto::json::RawJson;
use mcp_proto::{ClientConfig, Revision};

use crate::runtime::World;

/// The library, and the exchanges that it was asked for and the test has not taken yet.
#[derive(Clone, Default)]
pub struct ByHand(Arc<Mutex<VecDeque<Exchange>>>);

/// One exchange. Nothing happens on it but what the test does.
#[derive(Clone)]
pub struct Exchange {
    pub method: String,
    /// The method of the message.
    pub says: String,
    pub id: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    head: Option<Response<()>>,
    body: VecDeque<Bytes>,
    is_over: bool,
    is_dropped: bool,
    waker: Option<Waker>,
}

/// What the driver holds of it.
pub struct Held(Arc<Mutex<Shared>>);

impl HttpClient for ByHand {
    type Body = Held;
    type Error = Infallible;
    type Sending = Sending;

    fn send(&mut self, request: Request<Bytes>) -> Sending {
        let body = RawJson::parse(request.body().clone()).ok();
        let member = |name| {
            let value = body.as_ref().and_then(|body| body.get(name));
            value.map_or_else(String::new, |value| value.to_string().trim_matches('"').to_owned())
        };
        let shared = Arc::new(Mutex::new(Shared::default()));
        let method = request.method().to_string();
        let (says, id) = (member("method"), member("id"));
        self.0.lock().unwrap().push_back(Exchange { method, says, id, shared: shared.clone() });
        Sending(Some(Held(shared)))
    }
}

/// A response on its way.
pub struct Sending(Option<Held>);

impl Future for Sending {
    type Output = Result<Response<Held>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let held = self.0.as_ref().expect("it is not over");
        let head = {
            let mut shared = held.0.lock().unwrap();
            shared.waker = Some(cx.waker().clone());
            shared.head.take()
        };
        let Some(head) = head else { return Poll::Pending };
        let held = self.0.take().expect("it was there");
        Poll::Ready(Ok(head.map(|()| held)))
    }
}

impl Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut shared = self.0.lock().unwrap();
        shared.waker = Some(cx.waker().clone());
        match shared.body.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None if shared.is_over => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lock().unwrap().is_dropped = true;
    }
}

impl ByHand {
    /// The oldest exchange that was not taken.
    pub fn take(&self) -> Exchange {
        self.0.lock().unwrap().pop_front().expect("an exchange")
    }

    pub fn has_more(&self) -> bool {
        !self.0.lock().unwrap().is_empty()
    }
}

impl Exchange {
    fn change(&self, change: impl FnOnce(&mut MutexGuard<'_, Shared>)) {
        let mut shared = self.shared.lock().unwrap();
        change(&mut shared);
        let waker = shared.waker.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    }

    pub fn head(&self, status: u16, headers: &[(&str, &str)]) {
        let mut head = Response::builder().status(status);
        for (name, value) in headers {
            head = head.header(*name, *value);
        }
        self.change(|shared| shared.head = Some(head.body(()).unwrap()));
    }

    /// The head of a stream.
    pub fn stream(&self) {
        self.head(200, &[("content-type", "text/event-stream")]);
    }

    pub fn chunk(&self, chunk: impl Into<Bytes>) {
        let chunk = chunk.into();
        self.change(|shared| shared.body.push_back(chunk));
    }

    /// A message as an event.
    pub fn say(&self, message: &str) {
        self.chunk(format!("data: {}\n\n", message.trim_end()));
    }

    pub fn end(&self) {
        self.change(|shared| shared.is_over = true);
    }

    /// A whole answer that is no stream.
    pub fn answer(&self, headers: &[(&str, &str)], body: &str) {
        self.head(200, &[headers, &[("content-type", "application/json")]].concat());
        self.chunk(body.to_owned());
        self.end();
    }

    pub fn accept(&self) {
        self.head(202, &[]);
        self.end();
    }

    /// Chunks that nobody has read.
    pub fn unread(&self) -> usize {
        self.shared.lock().unwrap().body.len()
    }

    /// Whether nobody waits for it any more.
    pub fn is_dropped(&self) -> bool {
        self.shared.lock().unwrap().is_dropped
    }
}

/// A client that has begun to speak.
pub fn connect(
    world: &mut World,
    hand: &ByHand,
    revision: Revision,
    options: ClientOptions,
) -> Client {
    let config = ClientConfig::new("test", "1").revisions(revision);
    let uri = "http://localhost/mcp".parse().unwrap();
    let (client, driver) =
        http_driver::connect(hand.clone(), uri, config, options, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    world.settle();
    client
}

/// A client past its handshake, and the stream for what belongs to no call, where it has one.
pub fn ready(world: &mut World, hand: &ByHand, revision: Revision) -> (Client, Option<Exchange>) {
    let client = connect(world, hand, revision, ClientOptions::default());
    let first = hand.take();
    if revision >= Revision::V2026_07_28 {
        let id = &first.id;
        first.answer(&[], &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{{"tools":{{}}}}}}}}"#));
        world.settle();
        return (client, None);
    }
    first.answer(&[("mcp-session-id", "s")], &initialized(&first.id, revision));
    world.settle();
    hand.take().accept();
    world.settle();
    let listening = hand.take();
    assert_eq!(listening.method, "GET");
    listening.stream();
    world.settle();
    (client, Some(listening))
}

/// The id of the call that it is for.
pub fn number(exchange: &Exchange) -> i64 {
    exchange.id.parse().unwrap()
}

/// The answer to `initialize`.
pub fn initialized(id: &str, revision: Revision) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"protocolVersion":"{revision}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"s","version":"1"}}}}}}"#
    )
}
