//! mcp-io: its server, which runs on rpc-io, and its reports as rpc-io's endpoint hears them. It has no client.

use std::hint::black_box;
use std::io;
use std::sync::{Arc, Mutex};

use mcp_bench::messages::{self, INITIALIZE, INITIALIZED, TEXT};
use mcp_bench::tools::mcp_io::tools;
use mcp_io::Connection;
use rpc_io::{Config, Endpoint, Router, Sink};

use super::Case;
use super::rpc_io::Last;
use crate::meter::{Plan, Sample, each, measured};

pub const CASES: [(&str, Case); 2] =
    [("mcp-io/call/server", server), ("mcp-io/progress/trip", trip)];

fn greet<K: Sink>(connection: &mut Connection<K>) {
    for line in [INITIALIZE, INITIALIZED] {
        connection.handle(line.trim_end().as_bytes()).expect("an open connection");
    }
}

/// One request line in, one response line out.
fn server(plan: &Plan) -> Sample {
    let answered = Last::default();
    let mut connection = tools().connect(answered.clone()).expect("a connection");
    greet(&mut connection);
    let lines = messages::calls(plan.warm_up + plan.messages);
    let sample = each(plan, &lines, |line| {
        connection.handle(line.trim_ascii_end()).expect("an open connection");
        black_box(&answered);
    });
    assert!(answered.take().contains(TEXT), "the text was not echoed");
    sample
}

/// Gives each message to the client as it is sent.
struct ToClient(Arc<Mutex<Endpoint<usize, Last>>>);

impl Sink for ToClient {
    fn send(&mut self, message: &str) -> io::Result<()> {
        let mut client = self.0.lock().expect("one thread");
        client.handle(message.as_bytes()).expect("an open endpoint");
        Ok(())
    }
}

/// One report from its tool to the handler of an rpc-io endpoint.
fn trip(plan: &Plan) -> Sample {
    let router =
        Router::new().notification("notifications/progress", |heard: &mut usize, params, _| {
            let Ok(params) = params.parse() else { return };
            let progress = (params["progress"].as_f64(), params["total"].as_f64());
            *heard += usize::from(params["message"].as_str().is_some());
            black_box(progress);
        });
    let config = Config::mcp().with_timer(false);
    let client = Endpoint::new(Last::default(), router, 0).with_config(config);
    let client = Arc::new(Mutex::new(client));
    let mut connection = tools().connect(ToClient(client.clone())).expect("a connection");
    greet(&mut connection);
    let mut run = |count: usize| {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"report","arguments":{{"count":{count}}},"_meta":{{"progressToken":7}}}}}}"#
        );
        connection.handle(line.as_bytes()).expect("an open connection");
    };
    run(plan.warm_up);
    let sample = measured(plan.messages, || run(plan.messages));
    let heard = *client.lock().expect("one thread").state();
    assert_eq!(heard, plan.warm_up + plan.messages);
    sample
}
