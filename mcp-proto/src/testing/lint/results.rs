//! What a result of the server has to say, by the method that it answers.

use alloc::format;
use alloc::vec::Vec;

use super::message::{Fault, Outcome};
use super::requests::Asked;
use super::rules;
use crate::error::ErrorObject;
use crate::json::{Kind, Raw};

/// Results that may be kept.
const CACHEABLE: [&str; 6] = [
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "server/discover",
    "tools/list",
];

/// Methods in whose place a server may ask back.
const ASKING_BACK: [&str; 3] = ["prompts/get", "resources/read", "tools/call"];

/// The answer of a server to a request.
pub(super) fn judge(asked: &Asked, outcome: Outcome<'_>, faults: &mut Vec<Fault>) {
    match outcome {
        Outcome::Error { code, data } => judge_error(asked, code, data, faults),
        Outcome::Result(result) => {
            if asked.lacks_meta {
                faults.push((&rules::META_NOT_REQUIRED, format!("{} was served", asked.method)));
            } else if asked.is_modern {
                judge_modern(asked, result, faults);
            }
            judge_tools(asked, result, faults);
        }
    }
}

fn judge_error(asked: &Asked, code: Option<i64>, data: Option<Raw<'_>>, faults: &mut Vec<Fault>) {
    if asked.method == "ping" {
        faults.push((&rules::PING_REFUSED, format!("an error, code {}", code.unwrap_or_default())));
    }
    let Some(code) = code.filter(|_| asked.is_modern) else { return };
    match code {
        ErrorObject::UNSUPPORTED_VERSION => {
            let member = |name| data.and_then(|data| data.get(name));
            let is_named = member("supported").is_some_and(|versions| {
                versions.items().next().is_some()
                    && versions.items().all(|version| version.kind() == Kind::String)
            });
            if !is_named || member("requested").is_none_or(|version| version.kind() != Kind::String)
            {
                let data = data.map_or_else(|| "absent".into(), |data| format!("{data}"));
                faults.push((&rules::VERSIONS_NOT_NAMED, format!("its data is {data}")));
            }
        }
        ErrorObject::MISSING_CLIENT_CAPABILITY | ErrorObject::HEADER_MISMATCH => {}
        -32002 | -32042 => faults.push((&rules::OLD_CODE, format!("code {code}"))),
        -32099..=-32020 => faults.push((&rules::RESERVED_CODE, format!("code {code}"))),
        _ => {}
    }
}

fn judge_modern(asked: &Asked, result: Raw<'_>, faults: &mut Vec<Fault>) {
    let method = asked.method.as_str();
    let kind = result.get("resultType").and_then(Raw::as_str);
    match kind.as_deref() {
        None => faults.push((&rules::NO_RESULT_TYPE, format!("the result of {method}"))),
        Some("complete") => {}
        Some("input_required") if ASKING_BACK.contains(&method) => {}
        Some("input_required") => faults.push((&rules::INPUT_NOT_ALLOWED, method.into())),
        // An extension's.
        Some("task") if method == "tools/call" => {}
        Some(other) => {
            faults.push((&rules::UNKNOWN_RESULT_TYPE, format!("{other:?} for {method}")));
        }
    }
    let is_complete = kind.is_none_or(|kind| kind == "complete");
    if is_complete && CACHEABLE.contains(&method) {
        let (ttl, scope) = (result.get("ttlMs"), result.get("cacheScope"));
        match (ttl, scope) {
            (Some(ttl), Some(scope)) => {
                let is_known = matches!(scope.as_str().as_deref(), Some("public" | "private"));
                if ttl.decode::<u64>().is_err() || !is_known {
                    let what = format!("ttlMs {ttl}, cacheScope {scope}");
                    faults.push((&rules::BAD_CACHE_HINTS, what));
                }
            }
            _ => faults.push((&rules::NO_CACHE_HINTS, format!("the result of {method}"))),
        }
    }
    if method == "server/discover" {
        let has = |name, kind| result.get(name).is_some_and(|value: Raw<'_>| value.kind() == kind);
        if !has("supportedVersions", Kind::Array) || !has("capabilities", Kind::Object) {
            let what = "no `supportedVersions` or no `capabilities`";
            faults.push((&rules::DISCOVERY_LACKS, what.into()));
        }
    }
}

fn judge_tools(asked: &Asked, result: Raw<'_>, faults: &mut Vec<Fault>) {
    match asked.method.as_str() {
        "tools/list" => {
            for tool in result.get("tools").into_iter().flat_map(Raw::items) {
                let root = tool.get_in(&["inputSchema", "type"]).and_then(Raw::as_str);
                if root.as_deref() != Some("object") {
                    let name = tool.get("name").and_then(Raw::as_str).unwrap_or_default();
                    faults.push((&rules::BAD_SCHEMA, format!("that of {name:?}")));
                }
            }
        }
        "tools/call" => {
            if let Some(value) = result.get("structuredContent")
                && value.kind() != Kind::Object
            {
                faults.push((&rules::BAD_STRUCTURE, format!("{value}")));
            }
        }
        _ => {}
    }
}
