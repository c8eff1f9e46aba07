//! Tools of a router, called in ways that nobody thought of.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;

use arbitrary::{Arbitrary, Unstructured};

use super::operation::{pick, steps};
use crate::config::{ClientConfig, Timeouts};
use crate::error::CallError;
use crate::json::{Raw, RawJson};
use crate::revision::Revision;
use crate::router::{Kind, Router};
use crate::testing::{Clock, Memory};
use crate::types::{CallTool, CallToolResult, Progress, Tool};

/// Calls of a client to the tools of a [`Router`]: with arguments that their schemas allow and others, beside
/// each other, given up, timed out and cut off at any moment.
///
/// Read it from bytes with `arbitrary`, and [`run`](Self::run) it on a router of your own.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HandlerSchedule {
    /// The revision that is spoken.
    pub revision: Revision,
    /// What happens, in order.
    pub steps: Vec<HandlerStep>,
}

/// One step of a [`HandlerSchedule`].
#[derive(Arbitrary, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HandlerStep {
    /// Calls a tool.
    Call {
        /// Which of those that the router lists, counted round.
        tool: u8,
        /// Its arguments: which of the properties of its schema, counted round, and what it is given.
        arguments: Vec<(u8, Argument)>,
        /// The total deadline in milliseconds; without one, the tool has a day.
        total: Option<u16>,
    },
    /// Drops one of the calls in flight, which cancels it.
    Drop(u8),
    /// Lets everything happen that can happen without time.
    Settle,
    /// Lets so many milliseconds pass.
    Pass(u16),
    /// The client closes the connection.
    Close,
}

/// What an argument is given.
#[derive(Arbitrary, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Argument {
    /// A value of the type that the schema names, made from this number.
    Fitting(u16),
    /// A list of values of the type that the schema names for its items.
    FittingList(Vec<u8>),
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A number; `null` if JSON has none for it.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
    /// An empty object.
    Object,
    /// Lists in lists, so deep (up to 60).
    Deep(u8),
}

impl<'a> Arbitrary<'a> for HandlerSchedule {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self { revision: u.arbitrary()?, steps: steps(u)? })
    }
}

impl HandlerSchedule {
    /// Does every step against `router`. Whatever the tools wait for, they wait for on `clock`.
    ///
    /// # Panics
    ///
    /// If a tool panics, does not answer within a simulated day, reports beyond its end or not in order, or
    /// answers with what is no result; if a call does not end; if anything stays behind.
    pub fn run<K: Kind + ?Sized>(&self, router: Router<K>, clock: Clock) {
        let config = ClientConfig::new("ops", "1").revisions(self.revision);
        let mut memory = Memory::new(router, config, clock);
        let listing = memory.client().clone();
        let tools = match memory.run(listing.list_tools()) {
            Ok(tools) => tools,
            // It does not serve this revision.
            Err(CallError::Closed(_)) => return,
            Err(error) => panic!("the list of tools: {error}"),
        };
        drop(listing);
        let mut calls = Vec::new();
        for step in &self.steps {
            match step {
                HandlerStep::Call { tool, arguments, total } => {
                    let Some(tool) = pick(tools.iter(), *tool) else { return };
                    calls.push(Errand::new(&memory, tool, arguments, *total));
                }
                HandlerStep::Drop(which) => {
                    if let Some(at) = pick(0..calls.len(), *which) {
                        calls.swap_remove(at);
                    }
                }
                HandlerStep::Settle => memory.settle(),
                HandlerStep::Pass(millis) => {
                    memory.advance(Duration::from_millis((*millis).into()))
                }
                HandlerStep::Close => memory.client().close(),
            }
            poll(&mut memory, &mut calls);
        }
        for mut call in calls {
            let result = memory.run(&mut call.future);
            call.judge(&result);
        }
        memory.settle();
        assert_eq!(memory.client().calls_in_flight(), 0, "a call stays behind");
    }
}

/// One call, and what was heard of it.
struct Errand {
    future: Pin<Box<dyn Future<Output = Result<CallToolResult, CallError>>>>,
    name: String,
    has_deadline: bool,
    reports: Rc<Cell<Reports>>,
}

#[derive(Clone, Copy, Default)]
struct Reports {
    last: Option<f64>,
    is_disordered: bool,
}

impl Errand {
    fn new(memory: &Memory, tool: &Tool, arguments: &[(u8, Argument)], total: Option<u16>) -> Self {
        let mut call = CallTool::new(tool.name.clone());
        call.arguments = Some(arguments_for(tool, arguments));
        let reports = Rc::new(Cell::new(Reports::default()));
        let heard = reports.clone();
        let total = total.map(|millis| Duration::from_millis(millis.into()));
        let day = Duration::from_secs(24 * 60 * 60);
        let timeouts = Timeouts::NEVER.total(total.unwrap_or(day));
        let call =
            memory.client().call(call).timeouts(timeouts).on_progress(move |report: Progress| {
                let mut reports = heard.get();
                reports.is_disordered |= reports.last.is_some_and(|last| last >= report.progress);
                reports.last = Some(report.progress);
                heard.set(reports);
            });
        let name = tool.name.clone();
        Self { future: Box::pin(call), name, has_deadline: total.is_some(), reports }
    }

    fn judge(&self, result: &Result<CallToolResult, CallError>) {
        let name = &self.name;
        assert!(!self.reports.get().is_disordered, "reports of {name} do not increase");
        match result {
            Err(CallError::TimedOut(_)) => {
                assert!(self.has_deadline, "{name} does not answer within a day");
            }
            Err(CallError::Peer(error)) => {
                assert_ne!(error.message, "the tool panicked", "{name}");
            }
            Err(error @ (CallError::Decode(_) | CallError::Protocol(_))) => {
                panic!("{name}: {error}")
            }
            _ => {}
        }
    }
}

/// Polls every call once, and takes out those that are over.
fn poll(memory: &mut Memory, calls: &mut Vec<Errand>) {
    memory.run(poll_fn(|cx| {
        calls.retain_mut(|call| match call.future.as_mut().poll(cx) {
            Poll::Ready(result) => {
                call.judge(&result);
                false
            }
            Poll::Pending => true,
        });
        Poll::Ready(())
    }));
}

/// An object of arguments, as far as the schema of a tool names properties.
fn arguments_for(tool: &Tool, arguments: &[(u8, Argument)]) -> RawJson {
    let properties: Vec<_> = tool
        .input_schema
        .get("properties")
        .into_iter()
        .flat_map(Raw::members)
        .map(|(name, schema)| (name.into_owned(), schema))
        .collect();
    let mut members = BTreeMap::new();
    for (which, argument) in arguments {
        // One index beyond the last is a property that the schema does not have.
        let at = usize::from(*which) % (properties.len() + 1);
        let (name, schema) = match properties.get(at) {
            Some((name, schema)) => (name.clone(), Some(*schema)),
            None => ("unheard of".into(), None),
        };
        members.insert(name, argument.value(schema));
    }
    RawJson::of(&members).unwrap_or_else(|_| RawJson::empty_object())
}

impl Argument {
    fn value(&self, schema: Option<Raw<'_>>) -> RawJson {
        let json = match self {
            Self::Fitting(number) => fitting(schema, *number),
            Self::FittingList(numbers) => {
                let items = schema.and_then(|schema| schema.get("items"));
                let items: Vec<_> =
                    numbers.iter().map(|number| fitting(items, (*number).into())).collect();
                format!("[{}]", items.join(","))
            }
            Self::Text(text) => RawJson::string(text).to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Number(number) if number.is_finite() => format!("{number:?}"),
            Self::Bool(value) => value.to_string(),
            Self::Number(_) | Self::Null => "null".into(),
            Self::Object => "{}".into(),
            Self::Deep(depth) => {
                let depth = usize::from(depth % 61);
                "[".repeat(depth) + &"]".repeat(depth)
            }
        };
        RawJson::parse(json).unwrap_or_else(|_| RawJson::empty_object())
    }
}

/// A value of the type that a schema names, as JSON.
fn fitting(schema: Option<Raw<'_>>, number: u16) -> String {
    let get = |name| schema.and_then(|schema| schema.get(name));
    if let Some(choice) = get("enum").and_then(|choices| {
        let choices: Vec<_> = choices.items().collect();
        choices.get(usize::from(number).checked_rem(choices.len())?).copied()
    }) {
        return String::from_utf8_lossy(choice.as_bytes()).into_owned();
    }
    // A type may be a list of types; the first counts.
    let kind = get("type").and_then(|kind| kind.items().next().or(Some(kind))?.as_str());
    match kind.as_deref() {
        Some("string") => format!("\"{}\"", "x".repeat(usize::from(number % 32))),
        Some("number") => format!("{:?}", f64::from(number) / 7.0),
        Some("boolean") => number.is_multiple_of(2).to_string(),
        Some("array") => "[]".into(),
        Some("object") => "{}".into(),
        Some("null") => "null".into(),
        _ => number.to_string(),
    }
}
