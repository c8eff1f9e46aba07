//! An rmcp server with the tools and the options of `peers/fastmcp_server.py`, over stdio or, with --http, over HTTP.
//!
//! --http serves at the address that it prints; --json answers with JSON, without a session, where no report comes first.
//! --junk writes lines that are no messages, before the first message and between the reports.
//! --sign-off FILE appends a line to FILE for what the server itself saw: a cancelled tool, its own end.
#![expect(deprecated, reason = "log messages are deprecated in 2026-07-28, and still there")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{
    Implementation, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam,
    ProgressToken, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{Peer, RoleServer, ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Default)]
struct Interop {
    junk: bool,
    sign_off: Option<PathBuf>,
}

/// How many reports.
#[derive(Deserialize, JsonSchema)]
struct Steps {
    n: u32,
}

#[derive(Deserialize, JsonSchema)]
struct Sleep {
    seconds: f64,
    #[serde(default)]
    every: f64,
}

#[derive(Deserialize, JsonSchema)]
struct Add {
    a: i64,
    #[serde(default = "one")]
    b: i64,
}

fn one() -> i64 {
    1
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    result: i64,
}

/// The client of a request, if it asked for progress.
struct Reports(Peer<RoleServer>, Option<ProgressToken>);

impl Reports {
    fn of(context: &RequestContext<RoleServer>) -> Self {
        Self(context.peer.clone(), context.meta.get_progress_token())
    }

    async fn report(&self, progress: f64, total: Option<f64>, message: Option<String>) {
        let Some(token) = self.1.clone() else { return };
        let mut report = ProgressNotificationParam::new(token, progress);
        report.total = total;
        report.message = message;
        let _ = self.0.notify_progress(report).await;
    }
}

#[tool_router]
impl Interop {
    fn junk(&self, text: &str) {
        if self.junk {
            let mut stdout = std::io::stdout().lock();
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush())
                .expect("an open standard output");
        }
    }

    fn sign_off(&self, text: &str) {
        if let Some(path) = &self.sign_off {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .expect("a file to sign off in");
            writeln!(file, "{text}").expect("room for a line");
        }
    }

    #[tool(description = "Reports 1 to n of n, each with a message")]
    async fn count(
        &self,
        Parameters(Steps { n }): Parameters<Steps>,
        context: RequestContext<RoleServer>,
    ) -> String {
        let reports = Reports::of(&context);
        for i in 1..=n {
            reports.report(i.into(), Some(n.into()), Some(format!("step {i} of {n}"))).await;
            self.junk("loading model weights...\n");
        }
        format!("counted to {n}")
    }

    #[tool(description = "Reports 1 to n without a total and without a message")]
    async fn unknown_total(
        &self,
        Parameters(Steps { n }): Parameters<Steps>,
        context: RequestContext<RoleServer>,
    ) -> String {
        let reports = Reports::of(&context);
        for i in 1..=n {
            reports.report(i.into(), None, None).await;
        }
        "done".to_owned()
    }

    #[tool(description = "Reports 0.1, 0.2, ... as they come out of the arithmetic, of n / 10")]
    async fn floats(
        &self,
        Parameters(Steps { n }): Parameters<Steps>,
        context: RequestContext<RoleServer>,
    ) -> String {
        let reports = Reports::of(&context);
        let mut value = 0.0;
        for _ in 0..n {
            value += 0.1;
            reports.report(value, Some(f64::from(n) / 10.0), None).await;
        }
        value.to_string()
    }

    #[tool(description = "Reports 0 to 9 of 10 with messages in Chinese, and never 10")]
    async fn from_zero(&self, context: RequestContext<RoleServer>) -> String {
        let reports = Reports::of(&context);
        for i in 0..10 {
            reports.report(i.into(), Some(10.0), Some(format!("正在处理步骤 {}/10", i + 1))).await;
        }
        "完成".to_owned()
    }

    #[tool(
        description = "Reports values that stand still and go back, which the specification forbids"
    )]
    async fn repeats(&self, context: RequestContext<RoleServer>) -> String {
        let reports = Reports::of(&context);
        for value in [1.0, 2.0, 2.0, 1.0, 3.0] {
            reports.report(value, Some(3.0), None).await;
        }
        "done".to_owned()
    }

    #[tool(description = "Reports n times, then fails")]
    async fn fails(
        &self,
        Parameters(Steps { n }): Parameters<Steps>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, String> {
        let reports = Reports::of(&context);
        for i in 1..=n {
            reports.report(i.into(), Some((2 * n).into()), None).await;
        }
        Err("the disk is full".to_owned())
    }

    #[tool(description = "Reports n times, then ends the whole process in the middle of the call")]
    async fn dies(
        &self,
        Parameters(Steps { n }): Parameters<Steps>,
        context: RequestContext<RoleServer>,
    ) -> String {
        let reports = Reports::of(&context);
        for i in 1..=n {
            reports.report(i.into(), Some((2 * n).into()), None).await;
        }
        eprintln!("fatal: out of memory");
        std::process::exit(7);
    }

    #[tool(
        description = "Works for some seconds; with `every` it reports at that pace, else it is silent"
    )]
    async fn sleeps(
        &self,
        Parameters(Sleep { seconds, every }): Parameters<Sleep>,
        context: RequestContext<RoleServer>,
    ) -> String {
        let reports = Reports::of(&context);
        let work = async {
            if every == 0.0 {
                return tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
            let (mut done, mut slept) = (0.0, 0.0);
            while slept + every / 2.0 < seconds {
                tokio::time::sleep(Duration::from_secs_f64(every)).await;
                slept += every;
                done += 1.0;
                reports.report(done, None, Some("still at it".to_owned())).await;
            }
        };
        tokio::select! {
            () = work => "slept".to_owned(),
            () = context.ct.cancelled() => {
                self.sign_off("cancelled");
                "cancelled".to_owned()
            }
        }
    }

    #[tool(description = "Sends n log messages and as many reports, in turn")]
    async fn logs(
        &self,
        Parameters(Steps { n }): Parameters<Steps>,
        context: RequestContext<RoleServer>,
    ) -> String {
        let reports = Reports::of(&context);
        for i in 1..=n {
            let data = serde_json::json!(format!("log line {i}"));
            let log = LoggingMessageNotificationParam::new(LoggingLevel::Info, data);
            let _ = context.peer.notify_logging_message(log).await;
            reports.report(i.into(), Some(n.into()), None).await;
        }
        "logged".to_owned()
    }

    #[tool(description = "Adds two numbers; structured content, no progress")]
    async fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> Json<Sum> {
        Json(Sum { result: a + b })
    }
}

#[tool_handler]
impl ServerHandler for Interop {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_logging().build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("interop", "1.0"))
    }
}

async fn serve_http(server: Interop, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(!json)
        .with_json_response(json);
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.sse_retry = Some(Duration::from_millis(200));
    let service =
        StreamableHttpService::new(move || Ok(server.clone()), sessions.into(), config);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}/mcp", listener.local_addr()?);
    let router = axum::Router::new().nest_service("/mcp", service);
    Ok(axum::serve(listener, router).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut server = Interop::default();
    let (mut http, mut json) = (false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--http" => http = true,
            "--json" => json = true,
            "--junk" => server.junk = true,
            "--sign-off" => server.sign_off = arguments.next().map(PathBuf::from),
            _ => return Err(format!("unknown option {argument}").into()),
        }
    }
    if http {
        return serve_http(server, json).await;
    }
    server.junk("Welcome to the interop server!\n\n{not json}\n");
    server.clone().serve(rmcp::transport::stdio()).await?.waiting().await?;
    server.sign_off("ended");
    Ok(())
}
