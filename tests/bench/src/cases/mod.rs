//! One message in one engine, so many times.

mod http;
mod mcp_io;
mod ours_codec;
mod ours_sans_io;
mod ours_tokio;
mod raw_field;
mod rmcp_codec;
mod rmcp_service;
mod rpc_io;
mod tasks;

use crate::meter::{Plan, Sample};

/// One message, so many times.
pub type Case = fn(&Plan) -> Sample;

/// All cases, by name: engine/message/what is done with it.
pub fn all() -> Vec<(&'static str, Case)> {
    let mut cases: Vec<(&'static str, Case)> = Vec::new();
    cases.extend(ours_codec::CASES);
    cases.extend(ours_sans_io::CASES);
    cases.extend(ours_tokio::CASES);
    cases.extend(http::CASES);
    cases.extend(raw_field::CASES);
    cases.extend(rmcp_codec::CASES);
    cases.extend(rmcp_service::CASES);
    cases.extend(rpc_io::CASES);
    cases.extend(mcp_io::CASES);
    cases
}

/// The case of that name.
pub fn find(name: &str) -> Case {
    let found = all().into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no case {name}; see `mcp-bench list`")).1
}
