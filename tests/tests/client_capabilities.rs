//! What a client can do, for the tool that needs it. R-CAP-04, -05, -06.

use mcp_proto::router::{Context, Router, ToolError};
use mcp_proto::testing::{Clock, Memory};
use mcp_proto::types::ClientCapabilities;
use mcp_proto::{CallError, CallTool, ClientConfig, ErrorObject, RawJson, Revision, Tool};

fn raw(json: &'static str) -> RawJson {
    RawJson::parse(json).unwrap()
}

/// A client of this revision that can do this, on a server with a tool that gives back what it may rely on and one that needs
/// more.
fn asked(
    revision: Revision,
    declared: &ClientCapabilities,
    tool: &'static str,
) -> Result<RawJson, CallError> {
    let schema = raw(r#"{"type":"object"}"#);
    let told = |ctx: Context, _: Option<RawJson>| async move {
        RawJson::of(&ctx.client_capabilities()).map(|said| said.as_str().to_owned())
    };
    let needs = |ctx: Context, _: Option<RawJson>| async move {
        let mut needed = ClientCapabilities::default();
        needed.sampling = Some(raw(r#"{"tools":{}}"#));
        match ctx.client_capabilities().sampling.is_some_and(|it| it.get("tools").is_some()) {
            true => Ok("sampled"),
            false => Err(ToolError::protocol(ErrorObject::missing_capability(&needed))),
        }
    };
    let router = Router::new("s", "1")
        .raw_tool(Tool::new("told", schema.clone()), told)
        .raw_tool(Tool::new("needs", schema), needs);
    let mut config = ClientConfig::new("c", "1").revisions(revision);
    config.capabilities = declared.clone();
    let mut memory = Memory::new(router, config, Clock::new());
    let call = memory.client().call(CallTool::new(tool));
    let result = memory.run(call)?;
    Ok(RawJson::parse(result.content[0].as_text().unwrap().to_owned()).unwrap_or(RawJson::null()))
}

#[test]
fn a_tool_sees_what_the_client_of_its_request_can_do() {
    let mut declared = ClientCapabilities::default();
    declared.sampling = Some(raw(r#"{"tools":{}}"#));
    declared.roots = Some(raw("{}"));
    for revision in Revision::ALL {
        let told: ClientCapabilities =
            asked(revision, &declared, "told").unwrap().decode().unwrap();
        assert_eq!(told, declared, "{revision}");
        let none = ClientCapabilities::default();
        let told: ClientCapabilities = asked(revision, &none, "told").unwrap().decode().unwrap();
        assert_eq!(told, none, "{revision}");
        assert!(asked(revision, &declared, "needs").is_ok());
    }
}

#[test]
fn what_a_client_lacks_is_named_to_it() {
    let mut declared = ClientCapabilities::default();
    declared.sampling = Some(raw("{}"));
    for revision in Revision::ALL {
        let Err(CallError::Peer(error)) = asked(revision, &declared, "needs") else {
            panic!("{revision}: it cannot be served");
        };
        assert_eq!(error.code, ErrorObject::MISSING_CLIENT_CAPABILITY);
        let data = raw(r#"{"requiredCapabilities":{"sampling":{"tools":{}}}}"#);
        assert_eq!(error.data, Some(data), "{revision}");
    }
}
