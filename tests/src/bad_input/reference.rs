//! The reference application of the catalogue: what a server and a client do with what reaches them.
//!
//! It answers as a function of the request, so that it serves the bare engine and the adapters alike.

use std::collections::BTreeMap;

use mcp_proto::{Era, ErrorObject, RawJson, Revision};
use serde_json::{Value, json};

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is answered at once.
    Result(Value),
    /// It is refused.
    Error(ErrorObject),
    /// It reports so many steps and is answered then.
    Count(u32),
    /// It runs until it is cancelled.
    Slow,
}

/// What becomes of a request, and which handler of a user ran for it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What becomes of it.
    pub answer: Answer,
    /// The handler; `None` if it was refused before.
    pub ran: Option<String>,
}

impl Outcome {
    fn refused(code: i64, why: &str) -> Self {
        Self { answer: Answer::Error(ErrorObject::new(code, why)), ran: None }
    }

    fn invalid(why: &str) -> Self {
        Self::refused(ErrorObject::INVALID_PARAMS, why)
    }

    fn unknown() -> Self {
        Self { answer: Answer::Error(ErrorObject::method_not_found()), ran: None }
    }

    fn ran(handler: &str, answer: Answer) -> Self {
        Self { answer, ran: Some(handler.to_owned()) }
    }

    fn result(handler: &str, result: Value) -> Self {
        Self::ran(handler, Answer::Result(result))
    }
}

/// A result that is one text.
pub fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

/// What a legacy revision answers about a resource that is not there.
const NO_RESOURCE: i64 = -32002;

/// The server. `params` are those of the request, which the engine has checked to be an object.
pub fn serve(method: &str, params: Option<&RawJson>, revision: Revision) -> Outcome {
    let get = |name: &str| params.and_then(|params| params.as_raw().get(name));
    let string =
        |name: &str| get(name).and_then(|value| value.as_str()).map(|text| text.into_owned());
    let is_modern = revision.era() == Era::Modern;
    let listed = |mut list: Value| {
        if is_modern {
            list["ttlMs"] = json!(0);
            list["cacheScope"] = json!("private");
        }
        Outcome::result(method, list)
    };
    if method.ends_with("/list") && get("cursor").is_some() {
        return Outcome::invalid("no such cursor");
    }
    match method {
        "tools/list" => listed(json!({ "tools": tools() })),
        "tools/call" => call(params, revision),
        "resources/list" => listed(json!({ "resources": [{ "uri": URI, "name": "a" }] })),
        "resources/templates/list" => listed(json!({ "resourceTemplates": [] })),
        "prompts/list" => listed(
            json!({ "prompts": [{ "name": "p1", "arguments": [{ "name": "who", "required": true }] }] }),
        ),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            match string("uri").as_deref() {
                None => Outcome::invalid("uri is missing"),
                // Compared whole: nothing a client writes becomes a path.
                Some(URI) if method == "resources/read" => {
                    listed(json!({ "contents": [{ "uri": URI, "text": "contents" }] }))
                }
                Some(URI) if !is_modern => Outcome::result(method, json!({})),
                Some(_) if is_modern => Outcome::invalid("no such resource"),
                Some(_) => Outcome::refused(NO_RESOURCE, "no such resource"),
            }
        }
        "prompts/get" => {
            let who = get("arguments").and_then(|arguments| arguments.get("who"));
            match (string("name").as_deref(), who.and_then(|who| who.as_str())) {
                (Some("p1"), Some(who)) => Outcome::result(
                    method,
                    json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": who } }] }),
                ),
                (Some("p1"), None) => Outcome::invalid("who is not a text"),
                _ => Outcome::invalid("no such prompt"),
            }
        }
        _ => Outcome::unknown(),
    }
}

/// The one resource.
const URI: &str = "file:///a.txt";

/// The tools, as they are listed.
pub fn tools() -> Vec<Value> {
    let tool = |name: &str, properties: Value| json!({ "name": name, "inputSchema": { "type": "object", "properties": properties } });
    let header = |name: &str| json!({ "type": "string", "x-mcp-header": name });
    vec![
        tool("echo", json!({ "text": { "type": "string" } })),
        tool("raw", json!({})),
        tool("slow", json!({})),
        tool("count", json!({ "n": { "type": "integer" } })),
        tool("route", json!({ "region": header("Region"), "shard": header("Shard") })),
        tool("needs_sampling", json!({})),
        tool("needs_elicitation", json!({})),
    ]
}

fn call(params: Option<&RawJson>, revision: Revision) -> Outcome {
    let get = |name: &str| params.and_then(|params| params.as_raw().get(name));
    let Some(name) = get("name").and_then(|name| name.as_str()) else {
        return Outcome::invalid("name is missing");
    };
    let arguments = match get("arguments").map(|arguments| arguments.to_raw_json()) {
        None => RawJson::empty_object(),
        Some(arguments) if arguments.as_raw().kind() == mcp_proto::json::Kind::Object => arguments,
        Some(_) => return Outcome::invalid("arguments: not an object"),
    };
    let wrong = |why: &str| {
        if revision.rules().tells_argument_errors {
            let mut result = text(why);
            result["isError"] = json!(true);
            Outcome { answer: Answer::Result(result), ran: None }
        } else {
            Outcome::invalid(why)
        }
    };
    let name: &str = &name;
    match name {
        "echo" => match arguments.get("text").and_then(|value| value.as_str()) {
            Some(said) => Outcome::result(name, text(&said)),
            None => wrong("text is not a text"),
        },
        "raw" => Outcome::result(name, text(arguments.as_str())),
        "slow" => Outcome::ran(name, Answer::Slow),
        "count" => match arguments.get("n").and_then(|n| n.as_f64()) {
            Some(n) if (0.0..=1000.0).contains(&n) => Outcome::ran(name, Answer::Count(n as u32)),
            _ => wrong("n is no small number"),
        },
        "route" => {
            let part = |name| {
                arguments.get(name).and_then(|part| part.as_str()).map(|part| part.into_owned())
            };
            match (part("region"), part("shard")) {
                (Some(region), Some(shard)) => {
                    Outcome::result(name, text(&format!("{region}/{shard}")))
                }
                _ => wrong("region or shard is not a text"),
            }
        }
        "needs_sampling" => needs("sampling", name, params, revision),
        "needs_elicitation" => needs("elicitation", name, params, revision),
        _ => Outcome::invalid("no such tool"),
    }
}

/// A tool that asks its client for something. 2026-07-28 `basic/versioning`: what the request does not
/// declare the client cannot do, whatever an earlier request declared.
fn needs(capability: &str, tool: &str, params: Option<&RawJson>, revision: Revision) -> Outcome {
    let declared = params.and_then(|params| {
        params
            .as_raw()
            .get("_meta")?
            .get("io.modelcontextprotocol/clientCapabilities")?
            .get(capability)
    });
    match declared {
        Some(_) => Outcome::result(tool, text(capability)),
        None if revision.era() == Era::Modern => {
            let data = json!({ "requiredCapabilities": { capability: {} } }).to_string();
            let error =
                ErrorObject::new(ErrorObject::MISSING_CLIENT_CAPABILITY, "a capability is missing");
            let error = error.data(RawJson::parse(data).expect("JSON"));
            Outcome { answer: Answer::Error(error), ran: None }
        }
        None => Outcome::unknown(),
    }
}

/// A client: what it can do, and what its user has seen.
#[derive(Clone, Debug, Default)]
pub struct ClientApplication {
    /// By capability; `handler: "slow"` means that everything runs until it is cancelled.
    pub caps: BTreeMap<String, Value>,
    /// Links that were handed to the user.
    pub opened: Vec<String>,
}

impl ClientApplication {
    /// What becomes of a server's request.
    pub fn answer(&mut self, method: &str, params: Option<&RawJson>) -> Outcome {
        let params: Value =
            params.map_or_else(|| json!({}), |params| params.decode().unwrap_or_default());
        let capability = match method {
            "roots/list" => "roots",
            "sampling/createMessage" => "sampling",
            "elicitation/create" => "elicitation",
            _ => return Outcome::unknown(),
        };
        let Some(capability) = self.caps.get(capability).cloned() else {
            return Outcome::unknown();
        };
        let outcome = match method {
            "roots/list" => Outcome::result(method, json!({ "roots": [] })),
            "sampling/createMessage" => sample(&params),
            _ => self.elicit(&params, &capability),
        };
        match outcome.ran {
            Some(handler) if self.caps.get("handler").is_some_and(|handler| handler == "slow") => {
                Outcome::ran(&handler, Answer::Slow)
            }
            _ => outcome,
        }
    }

    /// 2025-11-25 `client/elicitation`.
    fn elicit(&mut self, params: &Value, capability: &Value) -> Outcome {
        const FORM: &str = "form";
        let mode = params.get("mode").map_or(Some(FORM), Value::as_str);
        // An empty capability means forms.
        let declared = |mode: &str| {
            capability.get(mode).is_some()
                || (mode == FORM && capability.as_object().is_some_and(|modes| modes.is_empty()))
        };
        if !params["message"].is_string() {
            return Outcome::invalid("message is missing");
        }
        let result = json!({ "action": "decline" });
        match mode {
            Some(FORM) if declared(FORM) => {
                let is_flat = |property: &Value| {
                    property["type"].as_str().is_some_and(|kind| kind != "object" && kind != "null")
                };
                match params["requestedSchema"]["properties"].as_object() {
                    Some(properties) if properties.values().all(is_flat) => {
                        Outcome::result("elicitation/create", result)
                    }
                    _ => Outcome::invalid("a form is an object of plain fields"),
                }
            }
            Some("url") if declared("url") => {
                let url = params["url"].as_str().unwrap_or_default();
                let is_safe = url.len() < 2048
                    && url.starts_with("https://")
                    && !url.contains(char::is_control);
                if !is_safe || !params["elicitationId"].is_string() {
                    return Outcome::invalid("not a link that may be opened");
                }
                self.opened.push(url.to_owned());
                Outcome::result("elicitation/create", result)
            }
            _ => Outcome::invalid("a mode that was not declared"),
        }
    }
}

/// 2025-11-25 `client/sampling`.
fn sample(params: &Value) -> Outcome {
    let Some(messages) = params["messages"].as_array() else {
        return Outcome::invalid("messages is no list");
    };
    if !params["maxTokens"].is_number() {
        return Outcome::invalid("maxTokens is missing");
    }
    // Every use of a tool is followed by its results, before anything else is said.
    let mut owed: Vec<&str> = Vec::new();
    for message in messages {
        if !matches!(message["role"].as_str(), Some("user" | "assistant")) {
            return Outcome::invalid("a message of nobody");
        }
        let content = &message["content"];
        let blocks: Vec<&Value> = match content {
            Value::Array(blocks) => blocks.iter().collect(),
            block => vec![block],
        };
        let ids = |kind: &str, name: &str| -> Vec<&str> {
            blocks
                .iter()
                .filter(|block| block["type"] == kind)
                .filter_map(|block| block[name].as_str())
                .collect()
        };
        let results = ids("tool_result", "toolUseId");
        if owed.iter().any(|id| !results.contains(id)) || results.len() != owed.len() {
            return Outcome::invalid("a tool result is missing");
        }
        owed = ids("tool_use", "id");
    }
    if !owed.is_empty() {
        return Outcome::invalid("a tool result is missing");
    }
    Outcome::result(
        "sampling/createMessage",
        json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "said" } }),
    )
}
