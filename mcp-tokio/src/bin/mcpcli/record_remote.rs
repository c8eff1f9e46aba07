//! The recording of a run with a server at a URL: every message that was sent or received, one a line.
//!
//! A line is `{"time":SECONDS,"from":"client"|"server","message":…}`. Over HTTP it names the exchange too, which is the number
//! of the request; `"end":true` instead of a message says that the client has closed the exchange before its end. What
//! server-sent events repeat after a stream was taken up again is written once.

use std::collections::HashSet;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body::{Body, Frame};
use mcp_tokio::mcp_proto::driver::MessageTransport;
use mcp_tokio::mcp_proto::driver::http::HttpClient;
use mcp_tokio::mcp_proto::sse::Decoder;
use mcp_tokio::mcp_proto::{CloseReason, Instant, RawJson};

use crate::record::{Recorder, Side};

/// A WebSocket whose messages are written down.
pub(crate) struct RecordedMessages<T> {
    inner: T,
    recorder: Recorder,
    has_ended: bool,
}

impl<T> RecordedMessages<T> {
    pub(crate) fn new(inner: T, recorder: Recorder) -> Self {
        Self { inner, recorder, has_ended: false }
    }
}

impl<T: MessageTransport + Unpin> MessageTransport for RecordedMessages<T> {
    type Error = T::Error;

    fn poll_receive(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, T::Error>>> {
        let received = ready!(Pin::new(&mut self.inner).poll_receive(cx));
        match &received {
            Some(Ok(message)) => self.recorder.message(Side::Server, None, message),
            Some(Err(_)) => {}
            None if mem::replace(&mut self.has_ended, true) => {}
            None => self.recorder.end(Side::Server, None),
        }
        Poll::Ready(received)
    }

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        Pin::new(&mut self.inner).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Bytes) -> Result<(), T::Error> {
        self.recorder.message(Side::Client, None, &message);
        Pin::new(&mut self.inner).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        reason: &CloseReason,
    ) -> Poll<Result<(), T::Error>> {
        Pin::new(&mut self.inner).poll_close(cx, reason)
    }
}

/// An HTTP library, the messages in whose exchanges are written down.
pub(crate) struct RecordedHttp<H> {
    inner: H,
    recorder: Recorder,
    /// Requests so far.
    exchanges: u64,
    seen: Arc<Mutex<HashSet<u64>>>,
}

impl<H> RecordedHttp<H> {
    pub(crate) fn new(inner: H, recorder: Recorder) -> Self {
        Self { inner, recorder, exchanges: 0, seen: Arc::default() }
    }
}

impl<H> HttpClient for RecordedHttp<H>
where
    H: HttpClient<
            Body: Body<Data = Bytes> + Unpin + 'static,
            Error: 'static,
            Sending: Send + 'static,
        >,
{
    type Body = RecordedBody<H::Body>;
    type Error = H::Error;
    type Sending = Pin<Box<dyn Future<Output = Result<Response<Self::Body>, H::Error>> + Send>>;

    fn send(&mut self, request: Request<Bytes>) -> Self::Sending {
        self.exchanges += 1;
        let exchange = Exchange {
            number: self.exchanges,
            recorder: self.recorder.clone(),
            session: request.headers().get(SESSION).cloned(),
            resumes: request.headers().contains_key("last-event-id"),
            seen: self.seen.clone(),
            has_ended: false,
        };
        match request.body() {
            nothing if nothing.is_empty() => {
                // The path may hold a secret, and recordings are handed on.
                let resumes = if exchange.resumes { ", resumes" } else { "" };
                exchange.remark(&format!("{}{resumes}", request.method()));
            }
            message => {
                exchange.recorder.message(Side::Client, Some(exchange.number), message);
            }
        }
        let sending = self.inner.send(request);
        Box::pin(answered(sending, exchange))
    }
}

async fn answered<B, E: std::fmt::Display>(
    sending: impl Future<Output = Result<Response<B>, E>>,
    mut exchange: Exchange,
) -> Result<Response<RecordedBody<B>>, E> {
    let response = match sending.await {
        Ok(response) => response,
        Err(error) => {
            exchange.has_ended = true;
            exchange.remark(&error.to_string());
            return Err(error);
        }
    };
    if let Some(session) = response.headers().get(SESSION) {
        exchange.session = Some(session.clone());
    }
    let status = response.status();
    if !status.is_success() {
        exchange.remark(&format!("HTTP status {status}"));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let content = if kind.starts_with("text/event-stream") {
        Content::Events(Decoder::new(MAX_EVENT_LEN, MAX_ID_LEN).into())
    } else if kind.starts_with("application/json") {
        Content::Message(Vec::new(), status.is_success())
    } else {
        Content::Other
    };
    Ok(response.map(|inner| RecordedBody { inner, exchange, content }))
}

const SESSION: &str = "mcp-session-id";

/// Longer ones are not taken by the engine either.
const MAX_EVENT_LEN: usize = 64 << 20;

const MAX_ID_LEN: usize = 64 << 10;

/// One request and what comes back. Dropped before its end, it was closed by the client.
struct Exchange {
    number: u64,
    recorder: Recorder,
    /// An id is of one event in its session.
    session: Option<HeaderValue>,
    /// It takes a stream up again.
    resumes: bool,
    /// Events that were written down, as sums of their sessions and ids.
    seen: Arc<Mutex<HashSet<u64>>>,
    has_ended: bool,
}

impl Exchange {
    fn remark(&self, text: &str) {
        self.recorder.remark(&format!("exchange {}: {text}", self.number));
    }

    fn message(&self, message: &[u8]) {
        self.recorder.message(Side::Server, Some(self.number), message);
    }

    /// Whether an event is to be written down: a server may repeat what came before the cut.
    fn is_new(&self, id: Option<&Bytes>) -> bool {
        let Some(id) = id.filter(|id| !id.is_empty()) else { return true };
        let mut sum = DefaultHasher::new();
        (&self.session, id).hash(&mut sum);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(sum.finish()) || !self.resumes
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.has_ended {
            self.recorder.end(Side::Client, Some(self.number));
        }
    }
}

/// A body whose messages are written down as they come.
pub(crate) struct RecordedBody<B> {
    inner: B,
    exchange: Exchange,
    content: Content,
}

enum Content {
    Events(Box<Decoder>),
    /// What has come of it, and whether it is the answer in any case.
    Message(Vec<u8>, bool),
    Other,
}

impl<B> RecordedBody<B> {
    fn read(&mut self, data: &[u8]) {
        match &mut self.content {
            Content::Events(decoder) => {
                // Nobody asks when.
                decoder.handle_input(data, Instant::ZERO);
                while let Some(Ok(event)) = decoder.poll_event() {
                    let is_message = event.name.is_empty() || event.name == "message";
                    if is_message
                        && self.exchange.is_new(event.id.as_ref())
                        && !event.data.is_empty()
                    {
                        self.exchange.message(&event.data);
                    }
                }
            }
            Content::Message(message, _) => message.extend_from_slice(data),
            Content::Other => {}
        }
    }

    fn end(&mut self) {
        if mem::replace(&mut self.exchange.has_ended, true) {
            return;
        }
        if let Content::Message(message, is_answer) = &self.content
            && !message.is_empty() // such as 202
            && (*is_answer || is_message(message))
        {
            self.exchange.message(message);
        }
    }
}

/// Whether what a refusal says is a message of the protocol, and not of a proxy.
fn is_message(text: &[u8]) -> bool {
    RawJson::parse(text.to_vec()).is_ok_and(|json| json.get("jsonrpc").is_some())
}

impl<B: Body<Data = Bytes> + Unpin> Body for RecordedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.read(data);
                }
            }
            Some(Err(_)) => {
                self.exchange.has_ended = true;
                self.exchange.remark("the connection was cut");
            }
            None => self.end(),
        }
        Poll::Ready(frame)
    }
}
