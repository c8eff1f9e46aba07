//! Progress, logs and cancellation of tools, seen by a client in memory, in both eras.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_proto::driver::Delivery;
use mcp_proto::progress::ReportError;
use mcp_proto::router::{Context, Router, ToolError};
use mcp_proto::testing::{self, Clock, Memory};
use mcp_proto::types::LogLevel;
use mcp_proto::{CallError, CallTool, ClientConfig, Limit, Progress, Revision, Timeouts};

const ERAS: [Revision; 2] = [Revision::V2025_11_25, Revision::V2026_07_28];

fn router() -> Router {
    Router::new("server", "1")
}

/// Reports 0 to 9 of 10, as a Python sample does.
async fn ten_steps(ctx: Context) -> Result<&'static str, ToolError> {
    for step in 0..10 {
        let message = format!("step {step}");
        ctx.progress().report(Progress::new(step.into()).of(10.0).message(message))?;
    }
    Ok("完成")
}

#[test]
fn a_tool_is_tested_in_six_lines() {
    let mut memory = testing::connect(router().tool("ten", "Ten steps", ten_steps));
    let mut seen = Vec::new();
    let call = memory.client().call(CallTool::new("ten")).on_progress(|report| seen.push(report));
    let result = memory.run(call).unwrap();
    assert_eq!(
        seen.iter().map(|report| report.progress as u32).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    );
    assert_eq!(result.content[0].as_text(), Some("完成"));
}

#[test]
fn every_report_comes_in_order_and_before_the_result_in_both_eras() {
    for revision in ERAS {
        let server = router().revisions(revision).tool("ten", "", ten_steps);
        let mut memory = testing::connect(server);
        let order = RefCell::new(Vec::new());
        let call = memory
            .client()
            .call(CallTool::new("ten"))
            .on_progress(|report| order.borrow_mut().push(report.message.unwrap().to_string()));
        let order = &order;
        memory.run(async {
            let result = call.await.unwrap();
            order.borrow_mut().push(result.content[0].as_text().unwrap().to_owned());
        });
        let mut expected: Vec<_> = (0..10).map(|step| format!("step {step}")).collect();
        expected.push("完成".to_owned());
        assert_eq!(*order.borrow(), expected, "{revision}");
    }
}

#[test]
fn without_a_listener_a_tool_is_told_that_nobody_listens() {
    let server = router().tool("ask", "", async |ctx: Context| {
        let wanted = ctx.progress().is_wanted();
        ctx.progress().report(Progress::new(f64::from(wanted))).map(|()| wanted.to_string())
    });
    let mut memory = testing::connect(server);
    let unheard = memory.client().call(CallTool::new("ask"));
    assert_eq!(memory.run(unheard).unwrap().content[0].as_text(), Some("false"));
    let heard = memory.client().call(CallTool::new("ask")).on_progress(|_| ());
    assert_eq!(memory.run(heard).unwrap().content[0].as_text(), Some("true"));
}

#[test]
fn a_million_reports_are_limited_and_the_last_one_arrives() {
    for revision in ERAS {
        let server = router().revisions(revision).tool("flood", "", async |ctx: Context| {
            for n in 1..=1_000_000_u32 {
                ctx.progress().report(Progress::new(n.into()).of(1e6))?;
            }
            Ok::<_, ReportError>(ctx.progress().merged().to_string())
        });
        let mut memory = testing::connect(server);
        let mut seen = Vec::new();
        let call = memory
            .client()
            .call(CallTool::new("flood"))
            .delivery(Delivery::Every)
            .on_progress(|report| seen.push(report.progress));
        let merged = memory.run(call).unwrap();
        let merged: usize = merged.content[0].as_text().unwrap().parse().unwrap();
        assert!(seen.len() < 100, "{} came", seen.len());
        assert_eq!(seen.len() + merged, 1_000_000);
        assert!(seen.is_sorted());
        assert_eq!((seen[0], *seen.last().unwrap()), (1.0, 1e6));
    }
}

#[test]
fn a_slow_tool_reports_on_the_clock_and_an_hour_takes_no_time() {
    let clock = Clock::new();
    let hours = clock.clone();
    let server = router().tool("slow", "", move |ctx: Context| {
        let clock = hours.clone();
        async move {
            for hour in 1..=10 {
                clock.sleep(Duration::from_secs(3600)).await;
                ctx.progress().report(Progress::new(hour.into()).of(10.0))?;
            }
            Ok::<_, ReportError>(())
        }
    });
    // Two hours without a word would be too long; each report starts them anew.
    let timeouts = Timeouts::default().idle(Duration::from_secs(2 * 3600));
    let config = ClientConfig::new("client", "1").timeouts(timeouts);
    let mut memory = Memory::new(server, config, clock.clone());
    let mut times = Vec::new();
    let call = memory
        .client()
        .call(CallTool::new("slow"))
        .on_progress(|_| times.push(clock.now().as_nanos() / 3_600_000_000_000));
    memory.run(call).unwrap();
    assert_eq!(times, (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_tool_that_hangs_ends_by_the_deadline_of_its_call() {
    let server = router().tool("hang", "", async |_: Context| std::future::pending::<()>().await);
    let mut memory = testing::connect(server);
    let timeouts = Timeouts::NEVER.total(Duration::from_secs(90));
    let call = memory.client().call(CallTool::new("hang")).timeouts(timeouts);
    match memory.run(call) {
        Err(CallError::TimedOut(expired)) => {
            assert_eq!((expired.limit, expired.elapsed.as_secs()), (Limit::Total, 90));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_test_that_waits_for_nothing_is_told_so() {
    let server = router().tool("hang", "", async |_: Context| std::future::pending::<()>().await);
    let mut memory = testing::connect(server);
    let call = memory.client().call(CallTool::new("hang")).timeouts(Timeouts::NEVER);
    let _ = memory.run(call);
}

#[test]
fn a_handler_sees_that_its_call_was_cancelled_and_may_go_on() {
    for revision in ERAS {
        let seen = Arc::new(AtomicBool::new(false));
        let refused = Arc::new(Mutex::new(None));
        let (see, refuse) = (seen.clone(), refused.clone());
        let server = router().revisions(revision).tool("work", "", move |ctx: Context| {
            let (see, refuse) = (see.clone(), refuse.clone());
            async move {
                assert!(!ctx.is_cancelled());
                ctx.progress().report(Progress::new(1.0))?;
                ctx.cancelled().await;
                see.store(ctx.is_cancelled(), Ordering::Relaxed);
                *refuse.lock().unwrap() = ctx.progress().report(Progress::new(2.0)).err();
                Ok::<_, ToolError>("too late")
            }
        });
        let mut memory = testing::connect(server);
        let mut call = memory.client().call(CallTool::new("work"));
        assert_eq!(memory.run(call.next_progress()), Some(Progress::new(1.0)));
        assert!(!seen.load(Ordering::Relaxed));

        let violations = Arc::new(Mutex::new(Vec::new()));
        let log = violations.clone();
        memory.client().on_violation(move |violation| log.lock().unwrap().push(violation));
        drop(call);
        memory.settle();
        assert!(seen.load(Ordering::Relaxed), "{revision}");
        assert_eq!(*refused.lock().unwrap(), Some(ReportError::Finished));
        // The answer was dropped, not sent: the client would have called it late.
        memory.advance(Duration::from_secs(60));
        assert_eq!(*violations.lock().unwrap(), []);
        assert_eq!(memory.client().calls_in_flight(), 0);
    }
}

#[test]
fn work_is_dropped_where_it_waits_once_nobody_wants_it() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    for revision in ERAS {
        let (dropped, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (held, tell) = (dropped.clone(), told.clone());
        let server = router().revisions(revision).tool("work", "", move |ctx: Context| {
            let (held, tell) = (Dropped(held.clone()), tell.clone());
            async move {
                assert_eq!(ctx.unless_cancelled(async { 1 }).await, Some(1));
                ctx.progress().report(Progress::new(1.0))?;
                let work = async move {
                    let _held = held;
                    std::future::pending::<()>().await;
                };
                assert_eq!(ctx.unless_cancelled(work).await, None);
                // Too late even for what is ready.
                assert_eq!(ctx.unless_cancelled(async { 1 }).await, None);
                tell.store(true, Ordering::Relaxed);
                Ok::<_, ToolError>("too late")
            }
        });
        let mut memory = testing::connect(server);
        let mut call = memory.client().call(CallTool::new("work"));
        assert_eq!(memory.run(call.next_progress()), Some(Progress::new(1.0)));
        memory.settle();
        assert!(!dropped.load(Ordering::Relaxed));
        drop(call);
        memory.settle();
        assert!(dropped.load(Ordering::Relaxed) && told.load(Ordering::Relaxed), "{revision}");
    }
}

#[test]
fn two_calls_run_beside_each_other() {
    let clock = Clock::new();
    let shared = clock.clone();
    let server = router().tool(
        "wait",
        "",
        move |ctx: Context, args: std::collections::BTreeMap<String, u64>| {
            let sleep = shared.sleep(Duration::from_secs(args["secs"]));
            async move {
                ctx.progress().report(Progress::new(1.0))?;
                sleep.await;
                Ok::<_, ReportError>(())
            }
        },
    );
    let mut memory = Memory::new(server, ClientConfig::new("client", "1"), clock.clone());
    let order = Rc::new(RefCell::new(Vec::new()));
    let client = memory.client().clone();
    let wait = |secs: u64| {
        let (client, clock, order) = (client.clone(), clock.clone(), order.clone());
        async move {
            client.call(CallTool::new("wait").argument("secs", secs)).await.unwrap();
            order.borrow_mut().push((secs, clock.now()));
        }
    };
    let (mut slow, mut fast) = (pin!(wait(20)), pin!(wait(10)));
    let mut left = 2;
    memory.run(std::future::poll_fn(|cx| {
        // Neither is polled again after it is ready: the fast one ends first, which is asserted below.
        if left == 2 && fast.as_mut().poll(cx).is_ready() {
            left = 1;
        }
        slow.as_mut().poll(cx)
    }));
    let secs: Vec<_> =
        order.borrow().iter().map(|(secs, at)| (*secs, at.as_nanos() / 1_000_000_000)).collect();
    assert_eq!(secs, [(10, 10), (20, 20)]);
}

#[test]
fn log_messages_reach_the_client_that_asked_for_them() {
    for revision in ERAS {
        let server = router().revisions(revision).tool("talk", "", async |ctx: Context| {
            ctx.debug("not this one");
            ctx.info("loading");
            ctx.warn("disk is slow");
            ctx.error("one image is broken");
        });
        let config = ClientConfig::new("client", "1").log_level(LogLevel::Info);
        let mut memory = Memory::new(server, config, Clock::new());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = heard.clone();
        memory.client().on_log(move |message| {
            log.lock().unwrap().push((message.level, message.data.to_string()))
        });
        let call = memory.client().call(CallTool::new("talk"));
        memory.run(call).unwrap();
        let heard: Vec<_> = heard.lock().unwrap().drain(..).collect();
        let expected = [
            (LogLevel::Info, "\"loading\""),
            (LogLevel::Warning, "\"disk is slow\""),
            (LogLevel::Error, "\"one image is broken\""),
        ];
        assert_eq!(heard, expected.map(|(level, text)| (level, text.to_owned())), "{revision}");
    }
}

#[test]
fn a_context_says_which_request_it_is_of() {
    for revision in Revision::ALL {
        let server = router()
            .revisions(revision)
            .tool("who", "", async |ctx: Context| format!("{} in {}", ctx.id(), ctx.revision()));
        let mut memory = testing::connect(server);
        let mut call = memory.client().call(CallTool::new("who"));
        let (id, result) = memory.run(async {
            assert_eq!(call.next_progress().await, None);
            (call.id().cloned().unwrap(), call.await)
        });
        assert_eq!(result.unwrap().content[0].as_text(), Some(&*format!("{id} in {revision}")));
    }
}

#[test]
fn a_client_that_closes_ends_its_calls() {
    let mut memory = testing::connect(router().tool("ten", "", ten_steps));
    let call = memory.client().call(CallTool::new("ten"));
    memory.run(call).unwrap();
    let client = memory.client().clone();
    client.close();
    let reason = memory.run(client.closed());
    assert_eq!(reason, mcp_proto::CloseReason::Local);
    let refused = client.call(CallTool::new("ten"));
    assert!(memory.run(refused).is_err());
}

#[test]
fn stages_announce_their_names_and_fill_their_parts() {
    async fn job(ctx: Context) -> Result<(), ReportError> {
        let load = ctx.progress().stage("load", 0.0..0.5)?;
        load.report(Progress::new(1.0).of(2.0).message("half of it"))?;
        load.report(Progress::new(2.0).of(2.0))?;
        let clean = ctx.progress().stage("clean", 0.5..1.0)?;
        let rows = clean.stage("rows", 0.0..1.0)?;
        rows.report(Progress::new(0.5))?;
        clean.report(Progress::new(1.0))
    }
    for revision in ERAS {
        let mut memory = testing::connect(router().revisions(revision).tool("job", "", job));
        let mut seen = Vec::new();
        let call = memory.client().call(CallTool::new("job")).on_progress(|report| {
            assert_eq!(report.total, Some(100.0));
            seen.push((report.progress.round() as u32, report.message.unwrap().to_string()));
        });
        memory.run(call).unwrap();
        let expected = [
            (0, "load"),
            (25, "load: half of it"),
            (50, "load"),
            (50, "clean"),
            (50, "clean: rows"),
            (75, "clean: rows"),
            (100, "clean"),
        ];
        assert_eq!(seen, expected.map(|(value, text)| (value, text.to_owned())), "{revision}");
    }
}

#[test]
fn a_hundred_milestones_at_once_are_a_hundred_reports() {
    let server = router().tool("states", "", async |ctx: Context| {
        (1..=100).try_for_each(|n| ctx.progress().milestone(Progress::new(n.into())))
    });
    let mut memory = testing::connect(server);
    let mut seen = Vec::new();
    let call =
        memory.client().call(CallTool::new("states")).on_progress(|report| seen.push(report));
    memory.run(call).unwrap();
    assert!(seen.iter().map(|report| report.progress as u32).eq(1..=100));
}

#[test]
fn a_report_after_the_answer_is_refused_and_never_sent() {
    for revision in ERAS {
        let kept = Arc::new(Mutex::new(None));
        let keep = kept.clone();
        let server = router().revisions(revision).tool("keep", "", move |ctx: Context| {
            *keep.lock().unwrap() = Some(ctx);
            async { "answered" }
        });
        let mut memory = testing::connect(server);
        let violations = Arc::new(Mutex::new(Vec::new()));
        let log = violations.clone();
        memory.client().on_violation(move |violation| log.lock().unwrap().push(violation));
        let mut seen = 0;
        let call = memory.client().call(CallTool::new("keep")).on_progress(|_| seen += 1);
        memory.run(call).unwrap();
        let ctx = kept.lock().unwrap().take().unwrap();
        let refused = ctx.progress().report(Progress::new(1.0));
        assert_eq!(refused, Err(ReportError::Finished), "{revision}");
        assert!(!ctx.progress().is_wanted());
        ctx.info("nobody hears this");
        memory.advance(Duration::from_secs(60));
        assert_eq!((seen, &*violations.lock().unwrap()), (0, &Vec::new()));
    }
}
