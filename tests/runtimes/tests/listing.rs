//! The list of tools, of servers that make it as long as they can.
#![cfg(unix)]

use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{Host, on_every_runtime, sockets, spawn};

/// A client of a server that answers each request with the next page, for ever.
async fn client_of<H: Host>(page: impl Fn(usize) -> String + Send + 'static) -> Client {
    let (near, far) = sockets();
    let mut config = ServerConfig::new("pages", "1.0");
    config.limits.max_outbox_len = 32 << 20;
    let server = H::serve(far, config);
    drop(spawn(&H::platform(), answer(server, page)));
    H::connect(near, ClientConfig::new("test", "1.0")).await.unwrap()
}

async fn answer(mut server: Server, page: impl Fn(usize) -> String) {
    let mut number = 0;
    while let Some(request) = server.accept().await {
        assert_eq!(request.method(), "tools/list");
        request.respond(&RawJson::parse(page(number)).unwrap()).unwrap();
        number += 1;
    }
}

/// A page of so many tools, whose descriptions have so many bytes.
fn page(tools: usize, description: usize, next: Option<usize>) -> String {
    let text = "x".repeat(description);
    let tool =
        format!(r#"{{"name":"t","description":"{text}","inputSchema":{{"type":"object"}}}}"#);
    let next = next.map(|next| format!(r#","nextCursor":"{next}""#)).unwrap_or_default();
    format!(r#"{{"tools":[{}]{next}}}"#, vec![tool; tools].join(","))
}

fn reason(listed: Result<Vec<Tool>, CallError>) -> String {
    match listed {
        Ok(tools) => format!("{} tools", tools.len()),
        Err(CallError::Protocol(violation)) => violation.to_string(),
        Err(error) => panic!("{error}"),
    }
}

async fn a_list_of_ten_thousand_tools_is_read_and_a_longer_one_refused<H: Host>() {
    let client = client_of::<H>(|number| page(2500, 0, (number < 3).then_some(number))).await;
    assert_eq!(reason(client.list_tools().await), "10000 tools");
    let client = client_of::<H>(|number| page(2501, 0, (number < 3).then_some(number))).await;
    assert_eq!(reason(client.list_tools().await), "an invalid response: a list that is too long");
}

async fn pages_of_megabytes_end_at_sixteen_in_all<H: Host>() {
    let client = client_of::<H>(|number| page(1, 4 << 20, (number < 2).then_some(number))).await;
    assert_eq!(reason(client.list_tools().await), "3 tools");
    let client = client_of::<H>(|number| page(1, 4 << 20, (number < 3).then_some(number))).await;
    assert_eq!(reason(client.list_tools().await), "an invalid response: a list that is too long");
}

async fn a_list_of_more_than_64_pages_does_not_end<H: Host>() {
    let client = client_of::<H>(|number| page(1, 0, Some(number))).await;
    assert_eq!(reason(client.list_tools().await), "an invalid response: a list that does not end");
    let client = client_of::<H>(|_| page(1, 0, Some(7))).await;
    assert_eq!(
        reason(client.list_tools().await),
        "an invalid response: a list that does not end",
        "the cursor is the same again"
    );
}

on_every_runtime!(
    a_list_of_ten_thousand_tools_is_read_and_a_longer_one_refused,
    pages_of_megabytes_end_at_sixteen_in_all,
    a_list_of_more_than_64_pages_does_not_end,
);
