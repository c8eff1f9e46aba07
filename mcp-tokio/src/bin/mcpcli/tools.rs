//! The tools of a server as text: what they do, what they take.

use mcp_tokio::mcp_proto::{RawJson, Tool};
use serde_json::{Map, Value};

use crate::text::{lines, one_line};

/// All tools, each with its arguments.
pub(crate) fn describe(tools: &[Tool]) -> String {
    if tools.is_empty() {
        return "the server has no tools\n".into();
    }
    tools.iter().map(describe_one).collect::<Vec<_>>().join("\n")
}

fn describe_one(tool: &Tool) -> String {
    let title = tool.title.as_ref().or_else(|| tool.annotations.as_ref()?.title.as_ref());
    let mut text = one_line(&tool.name);
    if let Some(title) = title.filter(|title| **title != tool.name) {
        text.push_str(&format!(" — {}", one_line(title)));
    }
    text.push('\n');
    for line in tool.description.as_deref().unwrap_or_default().trim().lines() {
        text.push_str(format!("  {}", lines(line).trim_end()).trim_end());
        text.push('\n');
    }
    for argument in arguments(&tool.input_schema) {
        text.push_str(&format!("    {argument}\n"));
    }
    text
}

/// A line for each argument: `width=INTEGER (required)  how wide`.
fn arguments(schema: &RawJson) -> Vec<String> {
    let schema: Map<String, Value> = schema.decode().unwrap_or_default();
    let required: Vec<_> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut all: Vec<_> = properties.into_iter().flatten().collect();
    // The required ones first, otherwise by name.
    all.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
    all.into_iter()
        .map(|(name, property)| {
            let mut line = format!("{}={}", one_line(name), kind(property));
            match property.get("default") {
                _ if required.contains(&name.as_str()) => line.push_str(" (required)"),
                Some(default) => {
                    line.push_str(&format!(" (default {})", one_line(&default.to_string())))
                }
                None => {}
            }
            if let Some(text) = property.get("description").and_then(Value::as_str) {
                line.push_str(&format!("  {}", one_line(text)));
            }
            line
        })
        .collect()
}

/// What a property takes, in capitals, or its possible values.
fn kind(property: &Value) -> String {
    if let Some(values) = property.get("enum").and_then(Value::as_array) {
        let values: Vec<_> = values
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        return one_line(&values.join("|"));
    }
    match property.get("type") {
        Some(Value::String(kind)) => one_line(kind).to_uppercase(),
        Some(Value::Array(kinds)) => {
            let kinds: Vec<_> =
                kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
            one_line(&kinds.join("|")).to_uppercase()
        }
        _ => {
            let choices =
                property.get("anyOf").or_else(|| property.get("oneOf")).and_then(Value::as_array);
            let kinds: Vec<_> =
                choices.into_iter().flatten().map(kind).filter(|kind| kind != "NULL").collect();
            if kinds.is_empty() { "VALUE".into() } else { kinds.join("|") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_listed_with_its_arguments() {
        let tool: Tool = RawJson::parse(
            r#"{"name":"resize","title":"Resize images","description":"Makes images smaller.\n\n  Slowly.","inputSchema":{"type":"object",
                "properties":{"quality":{"type":"number","default":0.8},"width":{"type":"integer","description":"how\nwide"},
                "format":{"enum":["png","jpg"]},"name":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null},"any":{}},
                "required":["width"]}}"#,
        )
        .unwrap()
        .decode()
        .unwrap();
        let bare = Tool::new("ping", RawJson::empty_object());
        let text = describe(&[tool, bare]);
        let expected = "\
resize — Resize images
  Makes images smaller.

    Slowly.
    width=INTEGER (required)  how wide
    any=VALUE
    format=png|jpg
    name=STRING (default null)
    quality=NUMBER (default 0.8)

ping
";
        assert_eq!(text, expected);
        assert_eq!(describe(&[]), "the server has no tools\n");
    }
}
