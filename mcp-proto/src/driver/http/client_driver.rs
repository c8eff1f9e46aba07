//! The future that holds the exchanges of a client.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;

use super::super::afterwards::Afterwards;
use super::super::alarm::Alarm;
use super::super::drive::LINGER;
use super::super::shared::{State, register};
use super::super::trouble::said;
use super::bells::Bells;
use super::calling::{Call, Calling};
use crate::error::CloseReason;
use crate::http::{Exchange, Transmit};
use crate::role;
use crate::time::Instant;

/// Sends HTTP requests: hyper, reqwest, or whatever a program uses anyway.
///
/// Connections, TLS, proxies and redirects are its affair. It must not decompress bodies: what is asked for is never
/// compressed, and an answer that is would be a bomb. Redirects to another origin must not take the headers along.
pub trait HttpClient {
    /// The body of a response. What its error says becomes [`Client::last_trouble`](super::super::Client::last_trouble).
    type Body: Body<Error: fmt::Display>;
    /// Why there is no response. What it says becomes [`Client::last_trouble`](super::super::Client::last_trouble).
    type Error: fmt::Display;
    /// A response on its way: ready with its head. Dropped, it closes the exchange.
    type Sending: Future<Output = Result<Response<Self::Body>, Self::Error>>;

    /// Sends a request. Its URI is absolute.
    fn send(&mut self, request: Request<Bytes>) -> Self::Sending;
}

/// Moves requests, responses and time between an HTTP library and the machine. Spawn it, or poll it beside your own
/// code.
///
/// It ends when the server is lost or the last handle is dropped; what was queued is sent first, and the session ended,
/// for at most five seconds.
#[must_use = "nothing moves until the driver is polled"]
pub struct ClientDriver<H: HttpClient> {
    shared: Call,
    http: H,
    open: BTreeMap<Exchange, Open<H>>,
    bells: Bells,
    /// Exchanges whose bodies wait until the machine takes more.
    blocked: Vec<Exchange>,
    afterwards: Afterwards,
    alarm: Alarm,
    /// When what is left to send is given up.
    give_up_at: Option<Instant>,
}

/// An exchange under way.
struct Open<H: HttpClient> {
    stage: Stage<H>,
    waker: Waker,
}

enum Stage<H: HttpClient> {
    Sending(Pin<Box<H::Sending>>),
    Receiving(Pin<Box<H::Body>>),
}

/// Steps before other tasks get their turn.
const BUDGET: usize = 64;

/// Frames of one body before other exchanges get their turn.
const FRAMES: usize = 16;

/// What came of looking at the machine.
struct Turn {
    closed: Option<CloseReason>,
    is_finished: bool,
    due: Option<Instant>,
    /// Whether something was opened or closed, or heard.
    has_moved: bool,
}

impl<H: HttpClient> ClientDriver<H> {
    pub(super) fn new(shared: Call, http: H) -> Self {
        Self {
            shared,
            http,
            open: BTreeMap::new(),
            bells: Bells::default(),
            blocked: Vec::new(),
            afterwards: Afterwards::default(),
            alarm: Alarm::default(),
            give_up_at: None,
        }
    }

    /// Changes the machine, and hands over what happened.
    fn change(&mut self, change: impl FnOnce(&mut State<role::Client, Calling>, Instant)) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        change(&mut state, now);
        loop {
            state.pump(now, &mut self.afterwards);
            let has_jobs = !self.afterwards.jobs.is_empty();
            let listeners = state.listeners.as_ref().filter(|_| has_jobs).cloned();
            drop(state);
            self.afterwards.run(listeners.as_deref());
            if !has_jobs {
                return;
            }
            state = self.shared.lock();
        }
    }

    /// Lets time pass, opens and closes what the machine wants.
    fn turn(&mut self, now: Instant, cx: &mut Context<'_>) -> Turn {
        let former = register(&mut self.shared.lock().driver, cx);
        drop(former);
        self.change(|state, now| {
            if state.link.machine.poll_timeout().is_some_and(|at| at <= now) {
                state.link.machine.handle_timeout(now);
            }
        });
        let mut has_moved = false;
        loop {
            let transmit = self.shared.lock().link.machine.poll_transmit();
            match transmit {
                Some(Transmit::Open { exchange, request }) => self.send(exchange, request),
                Some(Transmit::Abort(exchange)) => drop(self.open.remove(&exchange)),
                None => break,
            }
            has_moved = true;
        }
        let state = self.shared.lock();
        let open = &self.open;
        self.blocked.retain(|exchange| {
            let waits = !state.link.machine.wants_input(*exchange);
            if let (false, Some(open)) = (waits, open.get(exchange)) {
                open.waker.wake_by_ref();
            }
            waits
        });
        let turn = Turn {
            closed: state.closed.clone(),
            is_finished: state.link.machine.is_finished(),
            due: state.link.machine.poll_timeout(),
            has_moved,
        };
        drop(state);
        if turn.closed.is_some() {
            self.give_up_at.get_or_insert(now + LINGER);
        }
        turn
    }

    fn send(&mut self, exchange: Exchange, request: Request<Bytes>) {
        let stage = Stage::Sending(Box::pin(self.http.send(request)));
        let waker = self.bells.add(exchange);
        waker.wake_by_ref();
        self.open.insert(exchange, Open { stage, waker });
    }

    /// Polls an exchange that was woken.
    fn advance(&mut self, exchange: Exchange) {
        let Some(mut open) = self.open.remove(&exchange) else { return };
        if self.is_going_on(exchange, &mut open) {
            self.open.insert(exchange, open);
        }
    }

    fn is_going_on(&mut self, exchange: Exchange, open: &mut Open<H>) -> bool {
        let waker = open.waker.clone();
        let mut cx = Context::from_waker(&waker);
        if let Stage::Sending(sending) = &mut open.stage {
            match sending.as_mut().poll(&mut cx) {
                Poll::Pending => return true,
                Poll::Ready(Err(error)) => {
                    self.fail(exchange, &error);
                    return false;
                }
                Poll::Ready(Ok(response)) => {
                    let (head, body) = response.into_parts();
                    open.stage = Stage::Receiving(Box::pin(body));
                    self.change(|state, now| {
                        state.link.machine.handle_head(exchange, &head, now);
                    });
                }
            }
        }
        let Stage::Receiving(body) = &mut open.stage else { return true };
        for _ in 0..FRAMES {
            if !self.wants_input(exchange) {
                self.blocked.push(exchange);
                return true;
            }
            match body.as_mut().poll_frame(&mut cx) {
                Poll::Pending => return true,
                Poll::Ready(None) => {
                    self.change(|state, now| state.link.machine.handle_end(exchange, now));
                    return false;
                }
                Poll::Ready(Some(Err(error))) => {
                    self.fail(exchange, &error);
                    return false;
                }
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing here.
                    let Ok(mut data) = frame.into_data() else { continue };
                    self.change(|state, now| {
                        state.detach();
                        while data.has_remaining() {
                            let chunk = data.chunk();
                            state.link.machine.handle_body(exchange, chunk, now);
                            let len = chunk.len();
                            data.advance(len);
                        }
                    });
                }
            }
        }
        waker.wake();
        true
    }

    fn wants_input(&self, exchange: Exchange) -> bool {
        let state = self.shared.lock();
        state.closed.is_some() || state.link.machine.wants_input(exchange)
    }

    fn fail(&mut self, exchange: Exchange, error: &impl fmt::Display) {
        let trouble = said(error);
        self.change(|state, now| {
            state.trouble = Some(trouble);
            state.link.machine.handle_failure(exchange, now);
        });
    }

    /// Arms the timer for the next deadline. Whether that has come already.
    fn arm(&mut self, due: Option<Instant>, now: Instant, cx: &mut Context<'_>) -> bool {
        let at = due.into_iter().chain(self.give_up_at).min();
        self.alarm.arm(at, now, self.shared.runtime(), cx)
    }
}

/// Nothing in it is pinned: exchanges have boxes of their own.
impl<H: HttpClient> Unpin for ClientDriver<H> {}

impl<H: HttpClient> Future for ClientDriver<H> {
    type Output = CloseReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = self.get_mut();
        for _ in 0..BUDGET {
            let now = this.shared.now();
            let Turn { closed, is_finished, due, has_moved } = this.turn(now, cx);
            if let Some(reason) = closed
                && (is_finished || this.give_up_at.is_some_and(|at| at <= now))
            {
                this.open.clear();
                this.shared.abandon();
                return Poll::Ready(reason);
            }
            this.bells.register(cx);
            let rung = this.bells.take();
            if rung.is_empty() && !has_moved && !this.arm(due, now, cx) {
                return Poll::Pending;
            }
            for exchange in rung {
                this.advance(exchange);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<H: HttpClient> Drop for ClientDriver<H> {
    fn drop(&mut self) {
        self.open.clear();
        self.shared.abandon();
    }
}

impl<H: HttpClient> fmt::Debug for ClientDriver<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientDriver").field("open", &self.open.len()).finish_non_exhaustive()
    }
}
