//! The list of tools, of servers that make it as long as they can.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod runtime;

use mcp_proto::driver::{self, Server};
use mcp_proto::types::Tool;
use mcp_proto::{CallError, ClientConfig, RawJson, ServerConfig};
use runtime::*;

/// What a client lists of a server that answers each request with the next page, for ever.
fn listed(page: impl Fn(usize) -> String + 'static) -> String {
    let mut world = World::new();
    let (left, right) = pipe(1 << 16);
    let config = ClientConfig::new("test", "1.0");
    let (client, driver) = driver::client(left, config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    let mut config = ServerConfig::new("pages", "1.0");
    config.limits.max_outbox_len = 32 << 20;
    let (server, driver) = driver::server(right, config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    world.spawn(answer(server, page));
    reason(world.run(async move { client.list_tools().await }))
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

#[test]
fn a_list_of_ten_thousand_tools_is_read_and_a_longer_one_refused() {
    let four = |tools| listed(move |number| page(tools, 0, (number < 3).then_some(number)));
    assert_eq!(four(2500), "10000 tools");
    assert_eq!(four(2501), "an invalid response: a list that is too long");
}

#[test]
fn pages_of_megabytes_end_at_sixteen_in_all() {
    let pages = |count| listed(move |number| page(1, 4 << 20, (number < count).then_some(number)));
    assert_eq!(pages(2), "3 tools");
    assert_eq!(pages(3), "an invalid response: a list that is too long");
}

#[test]
fn a_list_of_more_than_64_pages_does_not_end() {
    let endless = "an invalid response: a list that does not end";
    assert_eq!(listed(|number| page(1, 0, Some(number))), endless);
    assert_eq!(listed(|_| page(1, 0, Some(7))), endless, "the cursor is the same again");
}
