//! What is not `Send` is polled in place, on every runtime, and by the executors that are made for it.
#![cfg(unix)]

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

use futures_lite::future::{yield_now, zip};
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{Host, Smol, TokioCurrentThread, on_every_runtime, sockets};

/// A router whose tool `count` reports once and counts in a cell that no other thread may see.
fn router(counter: &Rc<RefCell<i32>>) -> LocalRouter {
    let counted = counter.clone();
    let count = move |ctx: Context, _: Option<RawJson>| {
        let counted = counted.clone();
        async move {
            *counted.borrow_mut() += 1;
            yield_now().await;
            ctx.progress().report(Progress::new(1.0))?;
            Ok::<_, ToolError>(CallToolResult::text(counted.borrow().to_string()))
        }
    };
    let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
    Router::local("test", "1.0").raw_tool(Tool::new("count", schema), count)
}

/// Two calls at once: the reports of one, and what the other says.
async fn calls(client: Client) -> (usize, String) {
    let mut reports = 0;
    let first = client.call(CallTool::new("count")).on_progress(|_| reports += 1);
    let (first, second) = zip(first, client.call(CallTool::new("count"))).await;
    first.unwrap();
    (reports, second.unwrap().content[0].as_text().unwrap().to_owned())
}

async fn handlers_that_are_not_send_are_polled_in_place<H: Host>() {
    let ((near, far), counter) = (sockets(), Rc::default());
    let calls =
        async { calls(H::connect(near, ClientConfig::new("test", "1.0")).await.unwrap()).await };
    let (reason, said) = zip(H::run_local(router(&counter), far), calls).await;
    assert_eq!(reason, CloseReason::Eof { unread: 0 });
    assert_eq!((said, *counter.borrow()), ((1, "2".to_owned()), 2));
}

async fn a_client_that_is_not_spawned_is_moved_beside_its_calls<H: Host>() {
    let ((near, far), counter) = (sockets(), Rc::default());
    let (client, moving) = H::client_local(near, ClientConfig::new("test", "1.0"));
    let both = zip(moving, calls(client));
    let (served, (closed, said)) = zip(H::run_local(router(&counter), far), both).await;
    assert_eq!((served, closed), (CloseReason::Eof { unread: 0 }, CloseReason::Local));
    assert_eq!(said, (1, "2".to_owned()));
}

on_every_runtime!(
    handlers_that_are_not_send_are_polled_in_place,
    a_client_that_is_not_spawned_is_moved_beside_its_calls,
);

type LocalTask = Pin<Box<dyn Future<Output = ()>>>;

/// A server and what moves a client, each a task of an executor for what is not `Send`.
async fn in_tasks<H: Host>(spawn_local: impl Fn(LocalTask)) {
    let ((near, far), counter) = (sockets(), Rc::default());
    let (ends, ended) = async_channel::bounded(2);
    let (serving, serves) = (H::run_local(router(&counter), far), ends.clone());
    spawn_local(Box::pin(async move { serves.send(serving.await).await.unwrap() }));
    let (client, moving) = H::client_local(near, ClientConfig::new("test", "1.0"));
    spawn_local(Box::pin(async move { ends.send(moving.await).await.unwrap() }));
    assert_eq!(calls(client).await, (1, "2".to_owned()));
    let mut reasons = [ended.recv().await.unwrap(), ended.recv().await.unwrap()];
    reasons.sort_by_key(|reason| *reason != CloseReason::Local);
    assert_eq!(reasons, [CloseReason::Local, CloseReason::Eof { unread: 0 }]);
}

#[test]
fn a_local_set_of_tokio_serves_and_calls() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let set = tokio::task::LocalSet::new();
    set.block_on(&runtime, async {
        in_tasks::<TokioCurrentThread>(|task| drop(tokio::task::spawn_local(task))).await;
    });
}

#[test]
fn a_local_executor_of_smol_serves_and_calls() {
    let executor = smol::LocalExecutor::new();
    let body = in_tasks::<Smol>(|task| executor.spawn(task).detach());
    smol::block_on(executor.run(body));
}
