//! Schedules of operations that a fuzzer can make up, and the oracles that judge them.
//!
//! - [`PairSchedule`]: two engines that talk to each other, in any order of everything that can happen.
//! - [`SoloSchedule`]: one engine whose peer says anything.
//! - [`HandlerSchedule`]: tools of your own behind the engine, called in ways that nobody thought of.
//! - [`Watched`]: one engine in a test of your own, with the same oracles beside it.
//!
//! All are read from bytes with [`arbitrary::Arbitrary`], so a target is one line. `docs/fuzzing.md` has a whole
//! one.
//!
//! ```
//! use arbitrary::{Arbitrary, Unstructured};
//! use mcp_proto::testing::ops::PairSchedule;
//!
//! # fn target(input: &[u8]) {
//! if let Ok(schedule) = PairSchedule::arbitrary(&mut Unstructured::new(input)) {
//!     schedule.run();
//! }
//! # }
//! # target(b"any bytes at all");
//! ```
#![allow(clippy::panic)] // the verdict of a test tool

mod handler;
mod message;
mod operation;
mod pair;
mod patience;
mod record;
mod solo;
mod spoken;
mod watched;

pub use handler::{Argument, HandlerSchedule, HandlerStep};
pub use message::{Message, Method, Reference};
pub use operation::{
    CallPlan, Operation, PairSchedule, PairStep, SoloSchedule, SoloStep, Step, TokenPlan,
};
pub use patience::Patience;
pub use watched::Watched;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::RawJson;
    use crate::progress::Weight;
    use crate::revision::Revision;
    use crate::router::{Context, Router, ToolInfo};
    use crate::testing::{Clock, End, Random};
    use crate::types::Progress;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;
    use arbitrary::{Arbitrary, Unstructured};
    use core::time::Duration;

    /// The bytes of a seed, small numbers more often than others.
    fn bytes(seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let length = random.within(&(0..=2_000));
        let mut byte = || random.next_u64().to_le_bytes()[0];
        (0..length).map(|_| byte() & if byte() < 85 { 0x07 } else { 0xFF }).collect()
    }

    fn schedule<T: for<'a> Arbitrary<'a>>(seed: u64) -> T {
        T::arbitrary(&mut Unstructured::new(&bytes(seed))).unwrap()
    }

    #[test]
    fn two_engines_keep_their_promises_in_any_order_of_what_can_happen() {
        for seed in 0..1_000 {
            schedule::<PairSchedule>(seed).run();
        }
    }

    #[test]
    fn an_end_that_is_restored_after_any_step_goes_on_as_before() {
        for (seed, every) in (0..1_000).zip((1..=5).cycle()) {
            schedule::<PairSchedule>(seed).run_restored(every);
            schedule::<SoloSchedule>(seed).run_restored(every);
        }
    }

    /// A tool that waits, reports, and answers with what it was given.
    fn router(clock: &Clock) -> Router {
        let clock = clock.clone();
        let schema = r#"{"type":"object","properties":{"n":{"type":"integer"},"names":{"type":"array",
            "items":{"type":"string"}},"how":{"enum":["fast","slow"]}}}"#;
        let info = ToolInfo::new("work").into_tool(RawJson::parse(schema).unwrap(), None);
        Router::new("ops", "1").raw_tool(info, move |ctx: Context, arguments: Option<RawJson>| {
            let clock = clock.clone();
            async move {
                for step in 0..3 {
                    clock.sleep(Duration::from_millis(20)).await;
                    ctx.progress().report(Progress::new(step.into())).ok();
                }
                arguments.map_or_else(String::new, |arguments| arguments.to_string())
            }
        })
    }

    #[test]
    fn a_tool_that_keeps_its_promises_is_let_pass() {
        for seed in 0..300 {
            let clock = Clock::new();
            schedule::<HandlerSchedule>(seed).run(router(&clock), clock);
        }
    }

    #[test]
    #[should_panic(expected = "does not answer within a day")]
    fn a_tool_that_never_answers_is_found() {
        let tool = ToolInfo::new("idle").into_tool(RawJson::empty_object(), None);
        let router = Router::new("ops", "1")
            .raw_tool(tool, |_: Context, _| async { core::future::pending::<String>().await });
        let step = HandlerStep::Call { tool: 0, arguments: Vec::new(), total: None };
        let schedule =
            HandlerSchedule { revision: Revision::V2026_07_28, steps: alloc::vec![step] };
        schedule.run(router, Clock::new());
    }

    fn solo(end: End, met: bool, steps: Vec<SoloStep>) -> SoloSchedule {
        SoloSchedule { end, revision: Revision::V2025_06_18, met, pinned: true, steps }
    }

    fn ask(token: Option<Reference>) -> SoloStep {
        let (id, method) = (Reference::Number(1), Method::Call);
        SoloStep::Hear(Message::Request { id, method, token, modern: false })
    }

    #[test]
    fn a_request_that_comes_after_the_handshake_timed_out_is_not_answered() {
        let steps = alloc::vec![SoloStep::Pass(60_001), ask(None), SoloStep::Do(Operation::Drain)];
        solo(End::Client, false, steps).run();
    }

    #[test]
    fn an_id_may_come_again_before_its_first_answer_left() {
        let (first, second) = (Reference::Number(5), Reference::Number(6));
        let report = |by| Operation::Report {
            request: 0,
            step: Step::Forward(by),
            total: None,
            weight: Weight::Ordinary,
            padding: 0,
        };
        let mut steps = Vec::new();
        for token in [first, second, second] {
            steps.push(ask(Some(token)));
            let done = [Operation::Poll(9), report(1), report(1), Operation::Respond(0)];
            steps.extend(done.map(SoloStep::Do));
        }
        steps.extend([Operation::Transmit(99), Operation::Drain].map(SoloStep::Do));
        solo(End::Server, true, steps).run();
    }

    #[test]
    fn one_engine_keeps_its_promises_whatever_it_hears() {
        for seed in 0..1_000 {
            schedule::<SoloSchedule>(seed).run();
        }
    }
}
