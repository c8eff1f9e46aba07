//! Tools of one thread, whose arguments are types: what they take and give is told as of any other, and they may share
//! what no other thread may see.

use std::cell::Cell;
use std::rc::Rc;

use mcp_proto::router::{Context, Router, Structured, ToolError};
use mcp_proto::{CallTool, ClientConfig, CloseReason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Deserialize, JsonSchema)]
struct Add {
    amount: u32,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    sum: u32,
}

#[tokio::test]
async fn typed_tools_of_one_thread_have_schemas_and_share_a_cell() {
    let sum = Rc::new(Cell::new(0));
    let added = sum.clone();
    let router = Router::local("s", "1").tool("add", "adds up", move |_: Context, add: Add| {
        let sum = added.clone();
        async move {
            tokio::task::yield_now().await;
            sum.set(sum.get() + add.amount);
            if sum.get() > 10 {
                Err(ToolError::new("too much"))
            } else {
                Ok(Structured(Sum { sum: sum.get() }))
            }
        }
    });
    let (near, far) = tokio::io::duplex(1 << 10);
    let (reader, writer) = tokio::io::split(far);
    let calls = async {
        let (reader, writer) = tokio::io::split(near);
        let client = mcp_tokio::connect(reader, writer, ClientConfig::new("c", "1")).await.unwrap();
        let tools = client.list_tools().await.unwrap();
        let input: Value = tools[0].input_schema.decode().unwrap();
        assert_eq!(input["required"], json!(["amount"]));
        let output: Value = tools[0].output_schema.as_ref().unwrap().decode().unwrap();
        assert_eq!(output["properties"]["sum"]["type"], "integer");

        let add = |amount: Value| client.call(CallTool::new("add").argument("amount", amount));
        add(json!(3)).await.unwrap();
        let result = add(json!(4)).await.unwrap();
        let structured: Value = result.structured_content.unwrap().decode().unwrap();
        assert_eq!(structured, json!({ "sum": 7 }));
        assert_eq!(add(json!(4)).await.unwrap().is_error, Some(true));
        // What does not fit the type never reaches the tool.
        let refused = add(json!("a lot")).await;
        assert!(
            refused.as_ref().map_or(true, |result| result.is_error == Some(true)),
            "{refused:?}"
        );
    };
    let (ended, ()) = tokio::join!(mcp_tokio::run_local(router, reader, writer), calls);
    assert_eq!(ended, CloseReason::Eof { unread: 0 });
    assert_eq!(sum.get(), 11);
}
