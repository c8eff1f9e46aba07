//! What may never happen, in any case or in one.

use std::collections::BTreeMap;

use mcp_proto::{Era, Revision};
use serde_json::Value;

use super::case::{Case, Side};
use super::judge::Judge;
use super::message::{Kind, Sent, cut};
use super::names::Names;

/// Longest answer that is not an amplification, in bytes.
const SMALL: usize = 4 << 10;

/// What happened although nothing may ever do so.
pub fn always(case: &Case, judge: &Judge<'_>, names: &Names, revision: Revision) -> Vec<String> {
    let seen = judge.seen;
    let mut faults = seen.faults.clone();
    // A modern request says by itself what it is spoken in; a legacy session has agreed on it.
    let spoken = if revision.era() == Era::Modern && case.setup.base != "client.probing" {
        Some(revision)
    } else {
        seen.revisions.0
    };
    for sent in &seen.sent {
        for fault in sent.faults(case.role, spoken) {
            faults.push(format!("invalid output: {fault}: {}", cut(&sent.text)));
        }
    }
    faults.extend(answers(judge));
    let mut times = BTreeMap::<&str, usize>::new();
    for ending in &seen.endings {
        *times.entry(&ending.call).or_default() += 1;
    }
    faults.extend(
        times
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(call, times)| format!("{call} ended {times} times")),
    );
    for ending in seen.endings.iter().filter(|ending| !ending.names.contains(&"closed")) {
        let concerns = |name: &str| {
            let id = names.get(&format!("{name}.{}", ending.call));
            id.is_some_and(|id| judge.fed().iter().any(|fed| fed.is(id)))
        };
        let is_opening = matches!(ending.call.as_str(), "INIT" | "PROBE");
        if !is_opening && !concerns("id") && !concerns("other") {
            faults.push(format!("{} ended, which the input does not concern", ending.call));
        }
    }
    let running = seen.handled.iter().filter(|handled| handled.is_running()).count();
    if running != seen.in_flight {
        faults.push(format!("{} requests wait, but {running} run", seen.in_flight));
    }
    if let Some((used, bound)) = seen.memory.filter(|(used, bound)| used > bound) {
        faults.push(format!("{used} bytes of memory, more than {bound}"));
    }
    faults.extend(seen.flood.and_then(|flood| flood.fault()));
    faults
}

/// Answers that nothing can have asked for.
fn answers(judge: &Judge<'_>) -> Vec<String> {
    if !judge.seen.sent.iter().any(Sent::is_response) {
        return Vec::new();
    }
    let mut asked = BTreeMap::<String, isize>::new();
    let (mut unreadable, mut faults) = (0_isize, Vec::new());
    for fed in judge.fed().iter() {
        match fed.kind {
            Kind::Request | Kind::Unreadable => {
                fed.ids.iter().for_each(|id| *asked.entry(plain(id)).or_default() += 1);
                unreadable += 1;
            }
            Kind::Notification | Kind::Response => {}
        }
    }
    for sent in judge.seen.sent.iter().filter(|sent| sent.is_response()) {
        let left = match sent.id().filter(|_| !sent.is_anonymous()) {
            // A number may come back as it was written or as it is.
            Some(id) => match asked.get_mut(&plain(&id)) {
                Some(left) => left,
                None => {
                    faults.push(format!("an answer to nothing: {}", cut(&sent.text)));
                    continue;
                }
            },
            None => &mut unreadable,
        };
        *left -= 1;
        if *left < 0 {
            faults.push(format!("an answer too many: {}", cut(&sent.text)));
        }
    }
    faults
}

/// An id in one spelling.
fn plain(id: &str) -> String {
    match serde_json::from_str::<Value>(id) {
        Ok(Value::String(text)) => Value::String(text).to_string(),
        Ok(Value::Number(number))
            if number.as_f64().is_some_and(|value| value.fract() == 0.0 && value.abs() < 1e15) =>
        {
            format!("{}", number.as_f64().unwrap_or_default() as i64)
        }
        _ => id.to_owned(),
    }
}

/// Whether that happened which this case forbids.
///
/// # Panics
///
/// If nobody here knows what it is.
pub fn happened(what: &str, case: &Case, judge: &Judge<'_>, names: &Names) -> bool {
    let seen = judge.seen;
    let responses = || seen.sent.iter().filter(|sent| sent.is_response());
    let ended = |name: &str| seen.endings.iter().any(|ending| ending.names.contains(&name));
    let handlers =
        || seen.handled.iter().filter(|handled| handled.ran.is_some() || handled.is_slow);
    let text = |sent: &Sent| sent.result_text().unwrap_or_default().to_owned();
    let results = || responses().filter(|sent| sent.is_result());
    let given = || judge.fed().iter().filter_map(|fed| fed.arguments.as_ref());
    let fed_ids = || judge.fed().iter().flat_map(|fed| &fed.ids);
    match what {
        // The process is still there, and a panic is caught where the case is run.
        "stack_overflow" | "panic" => false,
        "memory_over_limit" => {
            seen.memory.is_some_and(|(used, bound)| used > bound)
                || seen.flood.is_some_and(|flood| flood.fault().is_some())
        }
        "reply_result" => responses().any(Sent::is_result),
        "reply_any" => responses().next().is_some(),
        "reply_array" => seen.sent.iter().any(|sent| sent.batch.is_some()),
        "null_id_reply" => responses().any(|sent| sent.json.get("id").is_some_and(Value::is_null)),
        "two_replies" => responses().count() > 1,
        "amplified_reply" => seen.sent_len > SMALL,
        "rounded_id" => responses()
            .filter_map(Sent::id)
            .filter(|id| id != "null")
            .any(|id| !fed_ids().any(|fed| *fed == id)),
        // What nobody gave, so also any value where nothing given can be read.
        "off_by_one" => results().any(|sent| !given().any(|given| text(sent) == *given)),
        "value_rewritten" => results().any(|sent| {
            let value = |text: &str| serde_json::from_str::<Value>(text).ok();
            !given().any(|given| value(&text(sent)) == value(given))
        }),
        "id2_answered" => responses().filter_map(Sent::id).any(|id| id == "2"),
        "only_first_processed" => {
            let is = |wanted: &str| {
                responses().any(|sent| sent.is_result() && sent.id().is_some_and(|id| id == wanted))
            };
            is("1") && !is("2")
        }
        "processed_twice" => {
            responses().count() > 1 || seen.endings.len() + responses().count() > 1
        }
        "silent_drop" => {
            let requests = judge.fed().iter().filter(|fed| fed.kind == Kind::Request).count();
            let running = seen.handled.iter().filter(|handled| handled.is_running()).count();
            requests > responses().count() + running && !seen.refused_input
        }
        "completed_twice" => {
            seen.endings.iter().any(|ending| {
                seen.endings.iter().filter(|other| other.call == ending.call).count() > 1
            }) || (case.setup.base != "client.pending" && !seen.endings.is_empty())
        }
        "result_delivered" | "typed_success" => ended("result"),
        "call_hangs" => !seen.pending.is_empty(),
        "own_call_cancelled" => case.setup.pending.len() != seen.pending.len(),
        "protocol_error_raised" => ended("protocol_error") || seen.closed.is_some(),
        "crosswired" => {
            let foreign = |ending: &super::observed::Ending| {
                let for_whom = ending.value.as_ref().and_then(|value| value["for"].as_str());
                for_whom.is_some_and(|whom| whom != ending.call)
            };
            // A token or an id of one may not serve another; the second of two equal ids may not answer the first.
            let reported = seen
                .reports
                .iter()
                .any(|report| names.get(&format!("token.{}", report.call)).is_none());
            seen.endings.iter().any(foreign)
                || reported
                || (case.role == Side::Server
                    && responses().any(|sent| sent.is_result() && text(sent) == "second"))
        }
        "first_lost" => seen.handled.first().is_none_or(|first| !first.is_running()),
        "initialized" => seen.revisions.1.is_some(),
        "initialized_sent" => {
            seen.sent.iter().any(|sent| sent.method() == Some("notifications/initialized"))
        }
        "fallback_initialize" => seen.sent.iter().any(|sent| sent.method() == Some("initialize")),
        "silent_downgrade" => seen.revisions.0 != seen.revisions.1,
        "echo_unknown_version" => responses().any(|sent| {
            let version = sent.json["result"]["protocolVersion"].as_str();
            version.is_some_and(|version| Revision::parse(version).is_none())
        }),
        "handler_called" | "tool_executed" => handlers().next().is_some(),
        "file_read" => responses().any(|sent| sent.json["result"].get("contents").is_some()),
        "url_opened" | "url_fetched" => seen.opened.iter().any(|url| !url.starts_with("https://")),
        "progress_delivered" => !seen.reports.is_empty(),
        "infinity_delivered" => seen.reports.iter().any(|report| !report.progress.is_finite()),
        "token_table_growth" => seen.flood.is_some_and(|flood| flood.leaves_more()),
        "cancelled_twice" => seen.handled.iter().any(|handled| handled.cancelled > 1),
        "handler_leak" => seen.in_flight > 0,
        "superlinear_time" => seen.growth.is_some_and(|growth| growth > MOST_GROWTH),
        unknown => panic!("{}: nobody knows what {unknown} is", case.id),
    }
}

/// Twice the input takes twice the time, four times if it is looked at from every place in it.
const MOST_GROWTH: f64 = 3.0;
