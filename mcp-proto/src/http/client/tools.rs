//! Tools whose arguments are repeated in headers, learnt from the lists that pass.
//!
//! 2026-07-28 `basic/transports/streamable-http`, custom headers.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::params::{Param, annotations};
use super::options::ClientOptions;
use crate::error::Violation;
use crate::json::{Kind, Raw, RawJson, bounded, write_key, write_raw};

/// What is known of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tools {
    params: BTreeMap<String, Vec<Param>>,
    /// Bytes that is kept of them.
    len: usize,
}

/// Tools of one list whose faults are told one by one. Stops a list from becoming many times its size.
const MAX_FAULTS: usize = 64;

/// Bytes of a name and of a reason that are shown.
const SHOWN: usize = 256;

impl Tools {
    /// The arguments of a tool that are repeated.
    pub(super) fn params(&self, tool: &str) -> &[Param] {
        self.params.get(tool).map_or(&[], Vec::as_slice)
    }

    /// One page of a list of tools has come. Tools whose annotations cannot be followed MUST be left out: what
    /// remains, and why. `is_first`: what was known before is no longer true.
    pub(super) fn learn(
        &mut self,
        list: RawJson,
        is_first: bool,
        options: &ClientOptions,
    ) -> (RawJson, Vec<Violation>) {
        if is_first {
            *self = Self::default();
        }
        let Some(tools) = list.get("tools").filter(|tools| tools.kind() == Kind::Array) else {
            return (list, Vec::new());
        };
        let mut kept = Vec::new();
        let (mut faults, mut more) = (Vec::new(), 0);
        for tool in tools.items() {
            match self.learn_one(tool, options) {
                Ok(()) => kept.push(tool),
                Err(_) if faults.len() >= MAX_FAULTS => more += 1,
                Err(why) => {
                    let name = tool.get("name").and_then(Raw::as_str).unwrap_or_default();
                    let why = bounded(&why, SHOWN).into();
                    faults.push(Violation::BadTool { tool: bounded(&name, SHOWN).into(), why });
                }
            }
        }
        faults.extend((more > 0).then_some(Violation::More(more)));
        let kept = if faults.is_empty() { None } else { Some(with_tools(&list, &kept)) };
        (kept.unwrap_or(list), faults)
    }

    fn learn_one(&mut self, tool: Raw<'_>, options: &ClientOptions) -> Result<(), String> {
        let (Some(name), Some(schema)) =
            (tool.get("name").and_then(Raw::as_str), tool.get("inputSchema"))
        else {
            return Ok(()); // whoever decodes it will say what is missing
        };
        let params = annotations(schema).map_err(|bad| bad.to_string())?;
        if let Some(before) = self.params.remove(&*name) {
            self.len -= weight(&name, &before);
        }
        if params.is_empty() {
            return Ok(());
        }
        let len = self.len + weight(&name, &params);
        if self.params.len() >= options.max_tools || len > options.max_tools_len {
            return Err("more tools with such arguments than are kept".into());
        }
        self.len = len;
        self.params.insert(name.into_owned(), params);
        Ok(())
    }
}

/// Bytes of what is kept of a tool.
fn weight(name: &str, params: &[Param]) -> usize {
    name.len() + params.iter().map(Param::weight).sum::<usize>()
}

/// The list with these tools in place of its own.
fn with_tools(list: &RawJson, tools: &[Raw<'_>]) -> RawJson {
    let mut out = Vec::with_capacity(list.as_bytes().len());
    out.push(b'{');
    for (at, (name, value)) in list.as_raw().members().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_key(&mut out, &name);
        if name != "tools" {
            write_raw(&mut out, value);
            continue;
        }
        out.push(b'[');
        for (at, tool) in tools.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_raw(&mut out, *tool);
        }
        out.push(b']');
    }
    out.push(b'}');
    // Written from parts that were read, so it can be read.
    RawJson::parse(Bytes::from(out)).unwrap_or_else(|_| RawJson::empty_object())
}
