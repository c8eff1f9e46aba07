//! Faults of other libraries between the engine and the user's code, each a test named after the fault,
//! through driver and router in memory. The adapters' tests do them again on real runtimes.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_proto::driver::{Delivery, ListenerError};
use mcp_proto::progress::Pacing;
use mcp_proto::router::{Context, Router, ToolError, ToolInfo};
use mcp_proto::testing::{Clock, Memory, Random};
use mcp_proto::{CallError, CallTool, ClientConfig, Limit, Progress, RawJson, Timeouts, Tool};
use mcp_tests::{millis, secs};

fn tool(name: &str) -> Tool {
    ToolInfo::new(name).into_tool(RawJson::parse(r#"{"type":"object"}"#).unwrap(), None)
}

/// A router whose tool `work` reports 0, 1, 2, … that many times, as fast as it can.
fn reports(count: u32) -> Router {
    Router::new("s", "1").pacing(Pacing::UNLIMITED).raw_tool(
        tool("work"),
        move |ctx: Context, _| async move {
            for n in 0..count {
                ctx.progress().report(Progress::new(n.into()).of(count.into()))?;
                if n % 100 == 99 {
                    ctx.progress().delivered().await;
                }
            }
            Ok::<_, ToolError>("done")
        },
    )
}

fn memory(router: Router, clock: &Clock) -> Memory {
    Memory::new(router, ClientConfig::new("c", "1"), clock.clone())
}

fn work() -> CallTool {
    CallTool::new("work")
}

fn counted(count: u32) -> Vec<f64> {
    (0..count).map(f64::from).collect()
}

/// FIELD-BUGS 17; R-PROG-13. Forty reports and the result in one read are forty callbacks, then the result.
#[test]
fn forty_reports_and_the_result_at_once_are_forty_callbacks() {
    let mut memory = memory(reports(40), &Clock::new());
    let mut seen = Vec::new();
    let call = memory.client().call(work()).on_progress(|report| seen.push(report.progress));
    let outcome = memory.run(call.outcome());
    assert_eq!(outcome.result.unwrap().content[0].as_text(), Some("done"));
    assert_eq!((outcome.merged, outcome.listener), (0, Ok(())));
    assert_eq!(seen, counted(40));
}

/// FIELD-BUGS 19, 20; R-PROG-03. A callback that suspends, each time for another while.
#[test]
fn a_suspending_callback_sees_every_report_in_order_before_the_result() {
    for seed in 0..20 {
        let clock = Clock::new();
        let mut memory = memory(reports(40), &clock);
        let (begun, ended) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let random = RefCell::new(Random::new(seed));
        let call = memory.client().call(work()).on_progress_async(|report| {
            let (ended, sleep) = (&ended, clock.sleep(millis(random.borrow_mut().below(50))));
            begun.borrow_mut().push(report.progress);
            async move {
                sleep.await;
                ended.borrow_mut().push(report.progress);
            }
        });
        memory.run(call).unwrap();
        assert_eq!(*begun.borrow(), counted(40), "seed {seed}");
        assert_eq!(
            *ended.borrow(),
            counted(40),
            "seed {seed}: one at a time, all before the result"
        );
    }
}

/// FIELD-BUGS 21, 22; R-PROG-03.
#[test]
fn twenty_thousand_callbacks_have_no_inversion() {
    let mut memory = memory(reports(20_000), &Clock::new());
    let mut seen = Vec::new();
    let call = memory.client().call(work()).delivery(Delivery::Every);
    let call = call.on_progress(|report| seen.push(report.progress));
    let outcome = memory.run(call.outcome());
    assert!(outcome.result.is_ok());
    assert_eq!(seen, counted(20_000));
}

/// FIELD-BUGS 37; R-PROG-13. An error in a callback escaped, or was blamed on something else.
#[test]
fn a_callback_that_fails_does_not_lose_the_response() {
    let mut memory = memory(reports(10), &Clock::new());
    let calls = Cell::new(0);
    let counting = |at: i32| {
        calls.set(calls.get() + 1);
        calls.get() == at
    };

    let call =
        memory.client().call(work()).on_progress(|_| assert!(!counting(3), "the third one panics"));
    let outcome = memory.run(call.outcome());
    assert!(outcome.result.is_ok());
    assert_eq!(
        (outcome.listener, calls.take()),
        (Err(ListenerError::Panicked), 3),
        "it gets no more"
    );

    let call = memory
        .client()
        .call(work())
        .on_progress(|_| if counting(4) { Err("disk full") } else { Ok(()) });
    let outcome = memory.run(call.outcome());
    assert!(outcome.result.is_ok());
    assert_eq!(
        (outcome.listener, calls.take()),
        (Err(ListenerError::Failed("disk full".into())), 4)
    );

    let call = memory.client().call(work()).on_progress_async(|_| {
        let fails = counting(5);
        async move { assert!(!fails, "the fifth one panics") }
    });
    let outcome = memory.run(call.outcome());
    assert!(outcome.result.is_ok());
    assert_eq!((outcome.listener, calls.take()), (Err(ListenerError::Panicked), 5));

    // Who only awaits the call gets its result.
    let call =
        memory.client().call(work()).on_progress(|report| assert!(report.progress < 0.0, "always"));
    assert!(memory.run(call).is_ok());
    // And the connection is as good as before.
    let again = memory.client().call(work());
    assert!(memory.run(again).is_ok());
}

/// FIELD-BUGS 39; R-PROG-11. Progress is reached from the call itself, beside other calls.
#[test]
fn each_of_many_calls_hears_of_its_own_progress() {
    let router = Router::new("s", "1").raw_tool(
        tool("work"),
        async |ctx: Context, args: Option<RawJson>| {
            let n = args.and_then(|args| args.get("n")?.as_f64()).unwrap_or_default();
            ctx.progress().report(Progress::new(n))?;
            ctx.progress().report(Progress::new(n + 0.5))?;
            Ok::<_, ToolError>("done")
        },
    );
    let mut memory = memory(router, &Clock::new());
    let mut calls: Vec<_> =
        (0..20).map(|n| memory.client().call(work().argument("n", n))).collect();
    let seen = memory.run(async {
        let mut seen = Vec::new();
        for call in calls.iter_mut().rev() {
            let mut mine = Vec::new();
            while let Some(report) = call.next_progress().await {
                mine.push(report.progress);
            }
            seen.push(mine);
        }
        seen
    });
    let expected: Vec<_> = (0..20).rev().map(|n| vec![f64::from(n), f64::from(n) + 0.5]).collect();
    assert_eq!(seen, expected);
}

/// FIELD-BUGS 40; R-PROG-11. Who subscribed after sending lost the first reports, and never came to an end.
#[test]
fn a_stream_of_reports_begins_with_the_first_and_ends_with_the_result() {
    let mut memory = memory(reports(30), &Clock::new());
    let mut call = memory.client().call(work());
    let seen = memory.run(async {
        let mut seen = Vec::new();
        while let Some(report) = call.next_progress().await {
            seen.push(report.progress);
        }
        assert_eq!(call.next_progress().await, None, "and stays at its end");
        seen
    });
    assert_eq!(seen, counted(30));
    assert_eq!(memory.run(call).unwrap().content[0].as_text(), Some("done"));
}

/// FIELD-BUGS 41, 85; R-PROG-03. Stages, steps, throttle: without a line of arithmetic in the tool.
#[test]
fn a_reporter_counts_and_stages_for_the_author() {
    let router = Router::new("s", "1")
        .raw_tool(tool("steps"), async |ctx: Context, _| {
            let steps = ctx.progress().steps(3);
            for name in ["read", "resize", "write"] {
                steps.step(name)?;
            }
            Ok::<_, ToolError>("done")
        })
        .raw_tool(tool("stages"), async |ctx: Context, _| {
            let load = ctx.progress().stage("load", 0.0..0.5)?;
            load.report(Progress::new(1.0).of(2.0))?;
            let train = ctx.progress().stage("train", 0.5..1.0)?;
            let epoch = train.stage("epoch 2", 0.5..1.0)?;
            epoch.report(Progress::new(1.0))?;
            Ok::<_, ToolError>("done")
        });
    let mut memory = memory(router, &Clock::new());
    let seen = RefCell::new(Vec::new());
    let note = |report: Progress| {
        let message = report.message.map(|text| text.as_str().to_owned()).unwrap_or_default();
        seen.borrow_mut().push((report.progress, report.total, message));
    };
    let call = memory.client().call(CallTool::new("steps")).on_progress(note);
    memory.run(call).unwrap();
    let step = |done, name: &str| (done, Some(3.0), name.to_owned());
    assert_eq!(seen.take(), [step(1.0, "read"), step(2.0, "resize"), step(3.0, "write")]);

    let call = memory.client().call(CallTool::new("stages")).on_progress(note);
    memory.run(call).unwrap();
    let seen = seen.take();
    let found: Vec<_> = seen.iter().map(|(value, _, name)| (*value, name.as_str())).collect();
    assert_eq!(
        found,
        [
            (0.0, "load"),
            (25.0, "load"),
            (50.0, "train"),
            (75.0, "train: epoch 2"),
            (100.0, "train: epoch 2")
        ]
    );
    assert!(seen.iter().all(|(_, total, _)| *total == Some(100.0)));
}

/// FIELD-BUGS 46, 85; R-PROG-21. Work that cannot be counted still keeps its call alive.
#[test]
fn a_heartbeat_keeps_an_uncountable_call_alive() {
    for beats in [true, false] {
        let clock = Clock::new();
        let handlers = clock.clone();
        let router = Router::new("s", "1").raw_tool(tool("work"), move |ctx: Context, _| {
            let clock = handlers.clone();
            async move {
                for _ in 0..20 {
                    clock.sleep(secs(9)).await;
                    if beats {
                        ctx.progress().heartbeat("still compiling")?;
                    }
                }
                Ok::<_, ToolError>("done")
            }
        });
        let mut memory = memory(router, &clock);
        let mut seen = Vec::new();
        let call = memory.client().call(work()).timeouts(Timeouts::NEVER.idle(secs(10)));
        let result = memory.run(call.on_progress(|report| seen.push(report.progress)));
        if beats {
            assert!(result.is_ok(), "{result:?}");
            assert_eq!(seen.len(), 20);
            assert!(seen.is_sorted() && seen[19] < 0.001, "it claims no progress: {seen:?}");
        } else {
            let Err(CallError::TimedOut(expired)) = result else { panic!("{result:?}") };
            assert_eq!((expired.limit, expired.elapsed), (Limit::Idle, secs(10)));
        }
    }
}

/// Counts the handlers that run, and those that were told to stop.
#[derive(Clone, Default)]
struct Watch {
    running: Arc<AtomicUsize>,
    cancelled: Arc<AtomicUsize>,
}

impl Watch {
    fn router(&self) -> Router {
        let watch = self.clone();
        Router::new("s", "1").raw_tool(tool("work"), move |ctx: Context, _| {
            let watch = watch.clone();
            async move {
                watch.running.fetch_add(1, Ordering::SeqCst);
                ctx.cancelled().await;
                watch.cancelled.fetch_add(1, Ordering::SeqCst);
                watch.running.fetch_sub(1, Ordering::SeqCst);
                // It tries to answer all the same.
                "too late"
            }
        })
    }

    fn count(&self) -> (usize, usize) {
        (self.running.load(Ordering::SeqCst), self.cancelled.load(Ordering::SeqCst))
    }
}

/// FIELD-BUGS 59; R-CANC-04, R-CANC-07.
#[test]
fn dropping_the_future_of_a_call_stops_its_handler() {
    let watch = Watch::default();
    let clock = Clock::new();
    let mut memory = memory(watch.router(), &clock);
    let call = memory.client().call(work());
    let patience = clock.sleep(secs(5));
    memory.run(async {
        // The call is polled, so it is sent; then the caller loses patience.
        let mut call = std::pin::pin!(std::future::IntoFuture::into_future(call));
        let mut patience = std::pin::pin!(patience);
        std::future::poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            patience.as_mut().poll(cx)
        })
        .await;
    });
    memory.settle();
    assert_eq!(watch.count(), (0, 1));
    assert_eq!(memory.client().calls_in_flight(), 0, "its entry is free");
    // A call that was never polled was never sent.
    drop(memory.client().call(work()));
    memory.settle();
    assert_eq!(watch.count(), (0, 1));
}

/// FIELD-BUGS 60, 73; R-STDIO-07. The client is gone: no handler lives on.
#[test]
fn no_handler_outlives_its_client() {
    let watch = Watch::default();
    let clock = Clock::new();
    let mut memory = memory(watch.router(), &clock);
    let calls = [memory.client().call(work()), memory.client().call(work())];
    let patience = clock.sleep(secs(1));
    let futures = calls.map(|call| Box::pin(std::future::IntoFuture::into_future(call)));
    let mut futures = futures;
    memory.run(async {
        let mut patience = std::pin::pin!(patience);
        std::future::poll_fn(|cx| {
            for call in &mut futures {
                assert!(call.as_mut().poll(cx).is_pending());
            }
            patience.as_mut().poll(cx)
        })
        .await;
    });
    assert_eq!(watch.count(), (2, 0));
    memory.client().close();
    memory.advance(secs(10));
    assert_eq!(watch.count(), (0, 2));
    for call in futures {
        let ended = memory.run(call);
        assert!(matches!(ended, Err(CallError::Closed(_))), "{ended:?}");
    }
}

/// FIELD-BUGS 53, 61; R-CANC-11. A handler that panics, and one that ends as it is cancelled.
#[test]
fn a_panicking_handler_answers_its_call() {
    let router = Router::new("s", "1")
        .raw_tool(tool("work"), async |_: Context, _| -> &str { panic!("a bug") });
    let mut memory = memory(router, &Clock::new());
    let call = memory.client().call(work());
    let Err(CallError::Peer(error)) = memory.run(call) else {
        panic!("not answered with an error")
    };
    assert_eq!(error.code, -32603);
    let again = memory.client().call(work());
    assert!(matches!(memory.run(again), Err(CallError::Peer(_))), "the server is still there");
}
