//! Calls that wait: what one takes on both sides, the caller's own task included, and whether another call is
//! slower for it.

use std::hint::black_box;
use std::time::Instant;

use mcp_bench::messages::TEXT;
use mcp_bench::tools::ours as tools;
use mcp_tokio::mcp_proto::Limits;
use mcp_tokio::{CallTool, Client};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::{add_each, peers, runtime, settle};
use crate::allocations;
use crate::report::{Figures, Metric, Spread};

/// Calls that wait.
const CALLS: usize = 100_000;

/// Fewer of rmcp's, each of which takes much more.
const CALLS_OF_RMCP: usize = 10_000;

/// Rounds of calls with and without others that wait.
const ROUNDS: usize = 101;
const CALLS_IN_A_ROUND: usize = 100;

/// A server that answers `echo` and keeps everything else.
async fn client_of_keeper() -> Client {
    let more = |limits: &mut Limits| {
        limits.max_calls = 2 * CALLS;
        limits.max_requests = 2 * CALLS;
    };
    let (client, mut server) = peers::ours_pair(more).await;
    tokio::spawn(async move {
        let mut kept = Vec::with_capacity(CALLS);
        while let Some(incoming) = server.accept().await {
            let name = incoming.raw_params().and_then(|params| params.get("name")?.as_str());
            if name.as_deref() == Some("echo") {
                let result = tools::echo(incoming.raw_params());
                incoming.respond(&result).expect("a request that waits");
            } else {
                kept.push(incoming);
            }
        }
    });
    client
}

pub fn ours(figures: &mut Figures) {
    runtime().block_on(async {
        let (quiet, busy) = (client_of_keeper().await, client_of_keeper().await);
        settle().await;
        let before = allocations::live();
        let mut tasks = Vec::with_capacity(CALLS);
        for n in 0..CALLS {
            let client = busy.clone();
            tasks.push(tokio::spawn(async move { client.call(CallTool::new("keep")).await }));
            // Slowly enough for the stream between them: a call that is refused would not wait.
            while n % 10 == 9 && busy.calls_in_flight() <= n {
                tokio::task::yield_now().await;
            }
        }
        settle().await;
        assert_eq!(busy.calls_in_flight(), CALLS, "each of them waits");
        let own = CALLS * size_of::<tokio::task::JoinHandle<()>>();
        let taken = (allocations::live() - before) as f64 - own as f64;
        add_each(figures, "pending/ours", Metric::HeapBytes, taken, CALLS);

        round(&busy).await;
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let free = round(&quiet).await;
            ratios.push(round(&busy).await / free);
        }
        figures.add_spread("pending/ours", Metric::SlowDown, Spread::of(ratios));
    });
}

async fn round(client: &Client) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS_IN_A_ROUND {
        let call = CallTool::new("echo").argument("text", TEXT);
        black_box(client.call(call).await.expect("a result"));
    }
    start.elapsed().as_secs_f64()
}

/// Keeps every call.
#[derive(Clone)]
struct Keeper;

impl ServerHandler for Keeper {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        std::future::pending::<()>().await;
        Ok(CallToolResult::success(Vec::new()).into())
    }
}

pub fn rmcp(figures: &mut Figures) {
    runtime().block_on(async {
        let (client, _server) = peers::rmcp_pair((), Keeper).await;
        settle().await;
        let before = allocations::live();
        let mut tasks = Vec::with_capacity(CALLS_OF_RMCP);
        for n in 0..CALLS_OF_RMCP {
            let peer = client.peer().clone();
            tasks.push(tokio::spawn(async move {
                peer.call_tool(CallToolRequestParams::new("keep")).await.is_ok()
            }));
            if n % 100 == 99 {
                tokio::task::yield_now().await;
            }
        }
        settle().await;
        let taken = (allocations::live() - before) as f64;
        add_each(figures, "pending/rmcp", Metric::HeapBytes, taken, CALLS_OF_RMCP);
    });
}
