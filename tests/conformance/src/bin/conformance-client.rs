//! The client that the conformance suite starts: `conformance-client URL`, with the scenario, its data, the revision and
//! our runtime in the environment.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use mcp_conformance::Runtime;
use mcp_tokio::{CallTool, Client, ClientConfig, RawJson, Revision, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

fn main() -> ExitCode {
    let done = Runtime::chosen().and_then(|runtime| runtime.block_on(run(runtime)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Calls that a scenario dictates.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Dictated {
    tool_calls: Vec<ToolCall>,
}

#[derive(Deserialize)]
struct ToolCall {
    name: String,
    arguments: Value,
}

async fn run(runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("usage: conformance-client URL")?;
    let mut config = ClientConfig::new("conformance-client", env!("CARGO_PKG_VERSION"));
    if let Ok(revision) = env::var("MCP_CONFORMANCE_PROTOCOL_VERSION") {
        config = config.revisions(Revision::parse(&revision).ok_or("an unknown revision")?);
    }
    let client = runtime.connect_url(&url, config).await?;
    let tools = client.list_tools().await?;
    let dictated: Dictated = match env::var("MCP_CONFORMANCE_CONTEXT") {
        Ok(context) => serde_json::from_str(&context)?,
        Err(_) => Dictated::default(),
    };
    if dictated.tool_calls.is_empty() {
        for tool in &tools {
            client.call(CallTool::new(tool.name.clone()).arguments(&made_up(tool)?)?).await?;
        }
    }
    for ToolCall { name, arguments } in dictated.tool_calls {
        client.call(CallTool::new(name).arguments(&arguments)?).await?;
    }
    if env::var("MCP_CONFORMANCE_SCENARIO").is_ok_and(|name| name == "http-standard-headers") {
        other_methods(&client).await?;
    }
    client.close();
    client.closed().await;
    Ok(())
}

/// Arguments that fit the schema of a tool: one of each type that it requires.
fn made_up(tool: &Tool) -> Result<Value, Box<dyn Error>> {
    let schema: Value = tool.input_schema.decode()?;
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let mut arguments = serde_json::Map::new();
    for name in required.filter_map(Value::as_str) {
        let kind = schema.pointer(&format!("/properties/{name}/type"));
        let value = match kind.and_then(Value::as_str) {
            Some("number" | "integer") => json!(7),
            Some("boolean") => json!(true),
            Some("array") => json!([]),
            Some("object") => json!({}),
            Some("null") => Value::Null,
            _ => json!("text"),
        };
        arguments.insert(name.to_owned(), value);
    }
    Ok(arguments.into())
}

/// The methods beside tools whose names or addresses a header repeats.
async fn other_methods(client: &Client) -> Result<(), Box<dyn Error>> {
    for (list, get, items, key) in [
        ("resources/list", "resources/read", "resources", "uri"),
        ("prompts/list", "prompts/get", "prompts", "name"),
    ] {
        let listed: Value = client.call_raw(list, None).await?.decode()?;
        for item in listed.get(items).and_then(Value::as_array).into_iter().flatten() {
            let params = json!({key: item.get(key)});
            client.call_raw(get, Some(RawJson::of(&params)?)).await?;
        }
    }
    Ok(())
}
