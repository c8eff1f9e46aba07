//! Batches of 2025-03-26: what arrives in an array.

mod answers;
mod members;
mod properties;
mod refused;

use mcp_proto::role::{Client, Server};
use mcp_proto::{CallToolResult, Event, Limits, RequestId, Revision, ServerConfig};
use mcp_tests::Hand;
use serde_json::{Value, json};

const REVISION: Revision = Revision::V2025_03_26;

fn server() -> Hand<Server> {
    Hand::server_at(ServerConfig::new("s", "1"), REVISION)
}

fn server_with(limits: Limits) -> Hand<Server> {
    Hand::server_at(ServerConfig::new("s", "1").limits(limits), REVISION)
}

fn client() -> Hand<Client> {
    Hand::client_at(REVISION)
}

/// One line of these messages.
fn batch<T: AsRef<str>>(messages: &[T]) -> String {
    let messages: Vec<&str> = messages.iter().map(|message| message.as_ref().trim_end()).collect();
    format!("[{}]\n", messages.join(","))
}

fn ping(id: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}")
}

fn cancelled(id: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id}}}}}"
    )
}

const NOTIFICATION: &str = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}";

/// The lines that were said, read.
fn lines(said: &[String]) -> Vec<Value> {
    said.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ids and outcomes of the one batch that was said: `true` for a result, a code for an error.
fn answers(said: &[String]) -> Vec<(Value, Value)> {
    let [line] = &lines(said)[..] else { panic!("not one line: {said:?}") };
    let answers = line.as_array().unwrap_or_else(|| panic!("no batch: {line}"));
    answers.iter().map(outcome).collect()
}

fn outcome(answer: &Value) -> (Value, Value) {
    let outcome = match answer.get("result") {
        Some(_) => json!(true),
        None => answer["error"]["code"].clone(),
    };
    (answer["id"].clone(), outcome)
}

fn respond(server: &mut Hand<Server>, id: impl Into<RequestId>, text: &str) {
    let now = server.now();
    server.conn().respond(&id.into(), &CallToolResult::text(text), now).unwrap();
}

fn requested(events: &[Event]) -> Vec<String> {
    let id = |event: &Event| match event {
        Event::Request { id, .. } => Some(id.to_string()),
        _ => None,
    };
    events.iter().filter_map(id).collect()
}
