//! Every kind of runtime will do: one thread, a local set, a clock that tests move.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mcp_tokio::mcp_proto::types::Tool;
use mcp_tokio::{
    CallError, CallTool, CallToolResult, Client, ClientConfig, CloseReason, Context, Progress,
    RawJson, Router, Timeouts, ToolError,
};
use tokio::io::DuplexStream;
use tokio::task::LocalSet;
use tokio::time::Instant;

fn schema() -> RawJson {
    RawJson::parse(r#"{"type":"object"}"#).unwrap()
}

async fn client(near: DuplexStream) -> Client {
    let (reader, writer) = tokio::io::split(near);
    mcp_tokio::connect(reader, writer, ClientConfig::new("test", "1.0")).await.unwrap()
}

#[tokio::test]
async fn handlers_that_are_not_send_are_polled_in_place() {
    let (near, far) = tokio::io::duplex(256);
    let (reader, writer) = tokio::io::split(far);
    let counter = Rc::new(RefCell::new(0));
    let counted = counter.clone();
    let count = move |ctx: Context, _: Option<RawJson>| {
        let counted = counted.clone();
        async move {
            *counted.borrow_mut() += 1;
            tokio::task::yield_now().await;
            ctx.progress().report(Progress::new(1.0))?;
            Ok::<_, ToolError>(CallToolResult::text(counted.borrow().to_string()))
        }
    };
    let router = Router::local("test", "1.0").raw_tool(Tool::new("count", schema()), count);
    let calls = async {
        let client = client(near).await;
        let mut reports = 0;
        let first = client.call(CallTool::new("count")).on_progress(|_| reports += 1);
        let (first, second) = tokio::join!(first, client.call(CallTool::new("count")));
        (first.unwrap(), second.unwrap(), reports)
    };
    let (reason, (_, second, reports)) =
        tokio::join!(mcp_tokio::run_local(router, reader, writer), calls);
    assert_eq!(reason, CloseReason::Eof { unread: 0 });
    assert_eq!((second.content[0].as_text(), reports, *counter.borrow()), (Some("2"), 1, 2));
}

#[test]
fn a_local_set_on_one_thread_serves_and_calls() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let local = LocalSet::new();
    let text = local.block_on(&runtime, async {
        let (near, far) = tokio::io::duplex(64);
        let (reader, writer) = tokio::io::split(far);
        let done = async |_: Context, _: Option<RawJson>| CallToolResult::text("done");
        let router = Router::local("test", "1.0").raw_tool(Tool::new("t", schema()), done);
        let served = tokio::task::spawn_local(mcp_tokio::run_local(router, reader, writer));
        let client = client(near).await;
        let result = client.call(CallTool::new("t")).await.unwrap();
        drop(client);
        assert_eq!(served.await.unwrap(), CloseReason::Eof { unread: 0 });
        result.content[0].as_text().unwrap().to_owned()
    });
    assert_eq!(text, "done");
}

#[tokio::test(start_paused = true)]
async fn progress_re_arms_the_idle_deadline_and_never_the_total_one() {
    let (near, far) = tokio::io::duplex(4096);
    let (reader, writer) = tokio::io::split(far);
    let slow = async |ctx: Context, _: Option<RawJson>| {
        for step in 1..=100_u32 {
            tokio::time::sleep(Duration::from_secs(4)).await;
            ctx.progress().report(Progress::new(step.into()))?;
        }
        Ok::<_, ToolError>(CallToolResult::text("done"))
    };
    let router = Router::new("test", "1.0").raw_tool(Tool::new("slow", schema()), slow);
    tokio::spawn(mcp_tokio::run(router, reader, writer));
    let client = client(near).await;

    let patience = Timeouts::default().idle(Duration::from_secs(5));
    let began = Instant::now();
    client.call(CallTool::new("slow")).timeouts(patience).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 400);

    let began = Instant::now();
    let call = client.call(CallTool::new("slow")).timeouts(patience.total(Duration::from_secs(30)));
    let Err(CallError::TimedOut(expired)) = call.await else { panic!("it is too slow") };
    assert_eq!((began.elapsed().as_secs(), expired.reports), (30, 7));
}
