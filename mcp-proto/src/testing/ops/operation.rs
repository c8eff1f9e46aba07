//! What can be done to one end, and what a peer may say to it, as `arbitrary` reads it from bytes.

use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::message::Message;
use crate::progress::Weight;
use crate::revision::Revision;
use crate::testing::End;

/// What an application does with its end of a conversation. An index names one of the calls or requests
/// that are open at that moment, counted round; where there is none, nothing is done.
#[derive(Arbitrary, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// Calls the peer.
    Call(CallPlan),
    /// Gives a call up.
    Cancel(u8),
    /// Gives up a call that never was.
    CancelUnknown,
    /// Answers a request with a result.
    Respond(u8),
    /// Answers a request with an error.
    Fail(u8),
    /// Lets go of a request.
    Abandon(u8),
    /// Reports how far a request has come.
    Report {
        /// Which request.
        request: u8,
        /// The value.
        step: Step,
        /// The total.
        total: Option<f64>,
        /// What becomes of it if it comes too fast.
        weight: Weight,
        /// How long its message is, in steps of three bytes.
        padding: u8,
    },
    /// Sends a log message, and announces something of its own, for a request or for none.
    Log(Option<u8>),
    /// Takes so many events.
    Poll(u8),
    /// Begins to write so many bytes; the next `Transmit` or `Drain` says how many of them were written.
    Lend(u16),
    /// Begins to write everything that waits, as a transport that does not share the connection; the next
    /// `Transmit` or `Drain` says how much of it was written.
    PollTransmit,
    /// Writes so many bytes.
    Transmit(u16),
    /// Takes every event and writes everything.
    Drain,
    /// Is told what time it is, whether or not anything is due.
    Wake,
    /// Is told that it is so many milliseconds earlier.
    WakeInThePast(u16),
    /// Closes the connection.
    Close,
    /// Its transport fails.
    FailTransport,
}

/// How a call is made.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallPlan {
    /// Whether it asks for progress.
    pub token: TokenPlan,
    /// Its idle deadline in milliseconds.
    pub idle: Option<u16>,
    /// Its total deadline in milliseconds.
    pub total: Option<u16>,
    /// How long its argument is, in steps of three bytes. Every third call has `_meta` of the application's, which tries to
    /// say what only the engine may.
    pub padding: u8,
}

/// Under which token progress is asked for.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenPlan {
    /// It is not.
    None,
    /// The engine's own.
    Own,
    /// The caller's own: a number from -128 on, which may collide with others.
    Number(u8),
    /// The caller's own: the digits of a number, as a text.
    Text(u8),
}

/// The value of a report.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// So much above the one before; 0 is none.
    Forward(u8),
    /// This value, be it finite or not.
    Any(f64),
}

/// One end of a conversation, whose peer is the schedule: anything may arrive, at any time, in any pieces.
///
/// Read it from bytes with `arbitrary`, and [`run`](Self::run) it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SoloSchedule {
    /// The end.
    pub end: End,
    /// The revision that is spoken.
    pub revision: Revision,
    /// Whether the handshake lies behind it. If not, an end that is not `pinned` speaks every revision.
    pub met: bool,
    /// Whether it speaks that revision only.
    pub pinned: bool,
    /// What happens, in order.
    pub steps: Vec<SoloStep>,
}

/// One step of a [`SoloSchedule`].
#[derive(Arbitrary, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SoloStep {
    /// The application does something.
    Do(Operation),
    /// A message arrives that makes sense, or nearly.
    Hear(Message),
    /// Up to seven such messages arrive in one array, which only 2025-03-26 has.
    HearBatch(#[arbitrary(with = some_messages)] Vec<Message>),
    /// Bytes arrive, as they are.
    HearBytes(#[arbitrary(with = some_bytes)] Vec<u8>),
    /// The peer sends nothing more.
    Eof,
    /// So many milliseconds pass, and nobody says so.
    Pass(u16),
    /// Time passes to the next deadline and so many milliseconds beyond, and the end is told.
    Jump(u16),
}

/// Two ends that talk to each other: every order in which their applications, the pipes between them and the
/// clock may act.
///
/// Read it from bytes with `arbitrary`, and [`run`](Self::run) it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PairSchedule {
    /// The revision that the client speaks.
    pub revision: Revision,
    /// Whether the client speaks every other one too, and so probes first.
    pub probes: bool,
    /// Whether the handshake lies behind them.
    pub met: bool,
    /// Whether progress is paced: two reports at once, then one every 100 ms.
    pub paced: bool,
    /// What happens, in order.
    pub steps: Vec<PairStep>,
}

/// One step of a [`PairSchedule`].
#[derive(Arbitrary, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PairStep {
    /// The application at the client does something. What it writes is then on its way.
    Client(Operation),
    /// The application at the server does something.
    Server(Operation),
    /// So many bytes arrive at that end.
    Deliver(End, u16),
    /// Everything that is on its way arrives, and everything that follows from it happens.
    Settle,
    /// So many milliseconds pass, and nobody says so.
    Pass(u16),
    /// Time passes to the next deadline of either end and so many milliseconds beyond; that end is told.
    Jump(u16),
    /// The stream that this end writes is cut behind what is on its way.
    Cut(End),
}

impl<'a> Arbitrary<'a> for SoloSchedule {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (end, revision) = (u.arbitrary()?, u.arbitrary()?);
        let (met, pinned) = (u.arbitrary()?, u.arbitrary()?);
        Ok(Self { end, revision, met, pinned, steps: steps(u)? })
    }
}

impl<'a> Arbitrary<'a> for PairSchedule {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (revision, probes) = (u.arbitrary()?, u.arbitrary()?);
        let (met, paced) = (u.arbitrary()?, u.arbitrary()?);
        Ok(Self { revision, probes, met, paced, steps: steps(u)? })
    }
}

/// Steps up to the end of the bytes: a list of `arbitrary` would on average have one.
pub(super) fn steps<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> Result<Vec<T>> {
    let mut steps = Vec::new();
    while !u.is_empty() {
        steps.push(u.arbitrary()?);
    }
    Ok(steps)
}

/// Up to 255 bytes, for the same reason.
fn some_bytes(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let count = usize::from(u8::arbitrary(u)?).min(u.len());
    Ok(u.bytes(count)?.to_vec())
}

/// Up to seven messages.
fn some_messages(u: &mut Unstructured<'_>) -> Result<Vec<Message>> {
    (0..u.int_in_range(0..=7)?).map(|_| u.arbitrary()).collect()
}

/// The one that an index names, counted round.
pub(super) fn pick<T: Clone>(items: impl ExactSizeIterator<Item = T>, which: u8) -> Option<T> {
    let mut items = items;
    let at = usize::from(which).checked_rem(items.len())?;
    items.nth(at)
}
