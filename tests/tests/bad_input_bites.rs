//! The runner of the bad inputs bites: a wrong expectation fails, whatever is wrong with it, and so does an engine
//! that does what it must not.

use std::collections::BTreeMap;

use mcp_proto::{CloseReason, RequestId, Revision};
use mcp_tests::bad_input::case::{Case, Side};
use mcp_tests::bad_input::exceptions::Exception;
use mcp_tests::bad_input::forbidden;
use mcp_tests::bad_input::judge::Judge;
use mcp_tests::bad_input::memory::{self, Flood, Measure, NOT_JUDGED, Taken};
use mcp_tests::bad_input::message::Sent;
use mcp_tests::bad_input::names::Names;
use mcp_tests::bad_input::observed::{Ending, Handled, Observed, Report};
use mcp_tests::bad_input::run::{Outcome, run};
use mcp_tests::bad_input::start::{NOT_SET, Started, server_names};
use mcp_tests::bad_input::suite::{Summary, run_these};
use mcp_tests::bad_input::{LAYERS, layers};
use serde::Deserialize;
use serde_json::{Value, json};

/// What nobody knows: no id, call, code or value of the catalogue.
const OTHER: i64 = 987_654_321;

/// Reactions to very many messages.
const STORMS: [&str; 5] = [
    "all_cancelled",
    "events_bounded",
    "events_coalesced",
    "first_n_run_rest_refused",
    "reply_each",
];

/// The cases that are run, as they stand in the file.
fn catalogue() -> Vec<Value> {
    let lines = include_str!("../data/bad-input/cases.jsonl").lines();
    let cases = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    cases.filter(|case| LAYERS.contains(&case["layer"].as_str().expect("a layer"))).collect()
}

fn read(case: &Value) -> Case {
    Case::deserialize(case).expect("a case")
}

/// Runs a case in the last of its revisions.
fn outcome(case: &Case) -> Outcome {
    measured(case, None)
}

fn measured(case: &Case, measure: Option<Measure>) -> Outcome {
    run(case, case.revisions().last().expect("a revision"), measure)
}

/// The same case with this as the one acceptable reaction.
fn expecting(case: &Value, reaction: &Value) -> Value {
    let mut case = case.clone();
    case["expect"]["any_of"] = json!([reaction]);
    case
}

/// The same object with another value of a member.
fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").remove(name);
    object
}

/// Reactions beside the one that is seen, none of which is seen, each with what is wrong with it.
fn wrong(seen: &Value) -> Vec<(&'static str, Value)> {
    let any_answer = json!({ "do": "reply", "either": true, "id": ["echo", "unreadable"] });
    let waits_for_another = with(seen, "pending", json!(["Z"]));
    match seen["do"].as_str().expect("a reaction") {
        "reply" => {
            let mut wrong = vec![
                ("silence for an answer", json!({ "do": "silent" })),
                ("another id", with(seen, "id", json!([OTHER.to_string()]))),
                ("a call that does not run", waits_for_another),
            ];
            if seen["result"] == true && seen.get("error").is_none() {
                let error = with(&without(seen, "result"), "error", "any".into());
                wrong.push(("an error for a result", error));
                let member = json!({ "nothing of the kind": 1 });
                wrong.push(("a result that has more", with(seen, "result_has", member)));
                wrong.push(("another text", with(seen, "result_text", "another".into())));
            } else if seen.get("error").is_some() && seen["result"] != true {
                let result = with(&without(seen, "error"), "result", true.into());
                wrong.push(("a result for an error", result));
                wrong.push(("another code", with(seen, "error", json!([OTHER]))));
                wrong.push(("data that is not there", with(seen, "data_has", json!(["other"]))));
            }
            wrong
        }
        "silent" => vec![
            ("an answer for silence", any_answer),
            ("a call that does not run", waits_for_another),
        ],
        "complete" => vec![
            ("another end", with(seen, "with", json!(["another"]))),
            ("another call", with(seen, "call", "Z".into())),
            ("another value", with(seen, "value", json!({ "v": OTHER }))),
        ],
        "progress" => vec![
            ("other progress", with(seen, "values", json!([[OTHER]]))),
            ("another total", with(seen, "total", OTHER.into())),
        ],
        "progress_multi" => vec![("other progress", with(seen, "A", json!([OTHER])))],
        "cancelled" | "handler_cancelled" => {
            vec![("another request", with(seen, "id", OTHER.into()))]
        }
        "still_running" => vec![("another request", with(seen, "ids", json!([OTHER])))],
        "both_processed" => vec![("silence for an answer", json!({ "do": "silent" }))],
        "reply_batch" => vec![
            ("another id", with(&without(seen, "mixed"), "ids", json!([OTHER]))),
            ("silence for an answer", json!({ "do": "silent" })),
        ],
        "deliver" => vec![("another event", with(seen, "method", "other".into()))],
        "close" => vec![("what does not come", json!({ "do": "fallback_initialize" }))],
        "fallback_initialize" => vec![("what does not come", json!({ "do": "close" }))],
        "reply_each" => vec![("another number", with(seen, "count", OTHER.into()))],
        "first_n_run_rest_refused" => vec![
            ("another number", with(seen, "n", OTHER.into())),
            ("what does not come", json!({ "do": "backpressure" })),
        ],
        "backpressure" => vec![("another number", with(seen, "n", OTHER.into()))],
        "events_coalesced" | "events_bounded" => {
            vec![("what does not come", json!({ "do": "backpressure" }))]
        }
        "all_cancelled" => vec![("an answer for silence", any_answer)],
        "all" => wrong_parts(seen["of"].as_array().expect("parts")),
        unknown => panic!("nobody knows what would be wrong about {unknown}"),
    }
}

/// Several at once: each part wrong by itself, or an answer that is not expected.
fn wrong_parts(parts: &[Value]) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let replaced = |new: Option<Value>| {
            let others = parts.iter().enumerate().filter(|(other, _)| *other != at);
            let parts: Vec<Value> = others.map(|(_, part)| part.clone()).chain(new).collect();
            json!({ "do": "all", "of": parts })
        };
        for (what, part) in wrong(part) {
            // Beside an answer, silence is only said of the rest.
            let is_silence = part["do"] == "silent" && part.get("pending").is_none();
            all.push((what, replaced(Some(part).filter(|_| !is_silence))));
        }
    }
    all
}

/// What a reaction cannot be without, among that which a case may forbid.
fn done(seen: &Value) -> Option<&'static str> {
    match seen["do"].as_str()? {
        "reply" if seen["result"] == true && seen.get("error").is_none() => Some("reply_result"),
        "reply" => Some("reply_any"),
        "complete" if seen["with"] == json!(["result"]) => Some("result_delivered"),
        _ => None,
    }
}

/// What happens in these depends on whether the answer has left before the next line is read.
const RACES: [&str; 1] = ["CAN-s11"];

/// Most cases, each with its right expectation and with many wrong ones.
#[test]
fn no_wrong_expectation_passes() {
    let mut tried = BTreeMap::<&str, usize>::new();
    let mut passed = Vec::new();
    let mut fails = |what: &'static str, case: &Value, why: &str| {
        *tried.entry(what).or_default() += 1;
        let case = read(case);
        let failures = outcome(&case).failures;
        if !failures.iter().any(|failure| failure.contains(why)) {
            passed.push(format!("{}, {what}: {} {failures:?}", case.id, case.expected_text()));
        }
    };
    let exceptions = Exception::all();
    for case in catalogue() {
        let right = read(&case);
        // What is long only shows more where many messages are expected to be dealt with.
        if !right.is_small()
            && !STORMS.contains(&case["expect"]["any_of"][0]["do"].as_str().unwrap_or_default())
        {
            continue;
        }
        let Outcome { failures, reaction, .. } = outcome(&right);
        if !failures.is_empty() {
            assert!(exceptions.iter().any(|listed| listed.id == right.id), "{}", right.id);
            continue;
        }
        let reaction = reaction.expect("one was seen");
        let seen = &case["expect"]["any_of"][reaction];
        if RACES.contains(&&*right.id) {
            continue;
        }
        let alone = expecting(&case, seen);
        assert_eq!(outcome(&read(&alone)).failures, Vec::<String>::new(), "{}", right.id);
        for (what, reaction) in wrong(seen) {
            fails(what, &expecting(&case, &reaction), "not reaction 1: ");
        }
        let mut other = alone;
        match case["expect"]["after"].as_str() {
            Some("usable") => {
                other["expect"]["after"] = "closed".into();
                fails("open, not closed", &other, "the connection has not ended");
            }
            Some("closed") => {
                other["expect"]["after"] = "usable".into();
                fails("closed, not open", &other, "the connection has ended");
            }
            _ => {}
        }
        if let Some(never) = done(seen) {
            let mut case = case.clone();
            case["expect"]["never"] = json!([never]);
            fails("what is forbidden", &case, &format!("never: {never}"));
        }
    }
    println!("{tried:#?}");
    assert!(passed.is_empty(), "{}", passed.join("\n"));
    assert_eq!(tried.len(), 21, "{tried:?}");
    assert!(tried.values().sum::<usize>() > 1200, "{tried:?}");
}

/// No case of the catalogue shows this as the first reaction that fits.
#[test]
fn what_is_delivered_is_looked_at() {
    let deliver = |kind: &str, method: &str| {
        let reaction = json!({ "do": "deliver", "kind": kind, "method": method });
        outcome(&read(&expecting(&case("LIM-s06"), &reaction))).failures
    };
    assert_eq!(deliver("notification", "notifications/message"), Vec::<String>::new());
    assert_eq!(deliver("notification", "other"), ["not reaction 1: other was not delivered once"]);
    let request = deliver("request", "notifications/message");
    assert_eq!(request, ["not reaction 1: notifications/message was delivered 0 times"]);
}

/// One is missing that should be there: that is counted, and one that must be there is a failure.
#[test]
fn a_report_that_should_come_and_does_not_is_counted() {
    let silent = |report: &str| {
        let reaction = json!({ "do": "silent", "pending": ["A"], "report": report });
        let answered = json!({ "do": "reply", "result": true, "id": ["echo"] });
        let both = json!({ "do": "all", "of": [answered, reaction] });
        let case = expecting(&case("RPC-s52"), &both);
        let summary = summary(&case, &[], None);
        (summary.failures, summary.untold.len(), summary.run["jsonrpc"].preferred)
    };
    assert_eq!(silent("may"), (String::new(), 0, 4));
    assert_eq!(silent("should"), (String::new(), 1, 0));
    let (failures, untold, _) = silent("must");
    assert_eq!(failures.matches("0 reports instead of Must").count(), 4, "{failures}");
    assert_eq!(untold, 0);
}

/// One case of the catalogue.
fn case(id: &str) -> Value {
    catalogue().into_iter().find(|case| case["id"] == id).expect("a case")
}

fn ping() -> Value {
    case("FRM-s01")
}

fn summary(case: &Value, exceptions: &[Exception], measure: Option<Measure>) -> Summary {
    run_these(&[read(case)], exceptions, "", measure)
}

fn excuse(id: &str, revisions: &Value) -> Exception {
    let exception =
        json!({ "id": id, "revision": revisions, "does": "", "page": "", "reason": "" });
    Exception::deserialize(exception).expect("an exception")
}

#[test]
fn the_suite_tells_what_failed_and_what_was_seen() {
    let case = ping();
    let good = summary(&case, &[], None);
    assert_eq!((&*good.failures, good.run["framing"].runs), ("", 4));
    let wrong = expecting(&case, &json!({ "do": "reply", "error": [-32601], "id": ["echo"] }));
    let failures = summary(&wrong, &[], None).failures;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        assert!(failures.contains(&format!("FRM-s01 | {revision}")), "{failures}");
    }
    let observed = r#"observed | > {"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert!(failures.contains(observed), "{failures}");
}

#[test]
fn an_exception_excuses_what_it_names_and_nothing_else() {
    let case = ping();
    let wrong = expecting(&case, &json!({ "do": "silent" }));
    let all = excuse("FRM-s01", &case["revision"]);
    let excused = summary(&wrong, std::slice::from_ref(&all), None);
    assert_eq!((&*excused.failures, excused.exceptions), ("", 4));
    // What no case may show is excused in none.
    let greedy = |_: &[u8], play: &mut dyn FnMut()| {
        play();
        Taken { most: usize::MAX, left: 0 }
    };
    let takes = summary(&wrong, std::slice::from_ref(&all), Some(greedy)).failures;
    assert_eq!(takes.matches("bytes of memory, more than").count(), 4, "{takes}");
    let met = summary(&case, &[all], None).failures;
    assert_eq!(met.matches("met, so it is no exception").count(), 4, "{met}");
    let one = excuse("FRM-s01", &json!(["2025-06-18"]));
    let failures = summary(&wrong, &[one], None).failures;
    assert_eq!(failures.matches("FRM-s01 | ").count(), 3, "{failures}");
    let of_nothing = excuse("FRM-s99", &json!(["2025-06-18"]));
    let failures = summary(&case, &[of_nothing], None).failures;
    assert!(failures.contains("FRM-s99 2025-06-18: an exception for nothing"), "{failures}");
}

#[test]
fn a_panic_and_too_much_memory_fail_a_case() {
    let panics = summary(&ping(), &[], Some(|_, _| panic!("as planned"))).failures;
    assert_eq!(panics.matches("panic: as planned").count(), 4, "{panics}");
    let greedy = |_: &[u8], play: &mut dyn FnMut()| {
        play();
        Taken { most: usize::MAX, left: 0 }
    };
    let failures = summary(&ping(), &[], Some(greedy)).failures;
    assert_eq!(failures.matches("bytes of memory, more than").count(), 4, "{failures}");
}

/// The cases that are about memory, those of HTTP included.
fn about_memory() -> Vec<Case> {
    let cases = Case::all().into_iter().filter(memory::is_about);
    cases.filter(|case| layers().any(|layer| layer == case.layer)).collect()
}

fn flood(most: usize, left: isize) -> Flood {
    Flood { most, bound: 1, left, is_stuck: false }
}

fn counted(play: impl FnOnce()) -> Taken {
    let counted = allocation_counter::measure(play);
    Taken { most: counted.bytes_max as usize, left: counted.bytes_current as isize }
}

/// Three engines that take more than they may, planted around the one that does not: each fails every case that is about
/// memory, but for those of which a list says why not.
#[test]
fn an_engine_that_keeps_its_input_fails_every_case_that_is_about_memory() {
    let keeps: Measure = |input, play| {
        let mut kept = Vec::new();
        counted(|| {
            kept.extend_from_slice(input);
            play();
        })
    };
    let lets_go_in_the_end: Measure = |input, play| {
        counted(|| {
            let kept = input.to_vec();
            play();
            drop(kept);
        })
    };
    let keeps_four_bytes_of_each_message: Measure = |input, play| {
        let mut kept = Vec::<[u8; 4]>::new();
        counted(|| {
            let newlines = input.iter().filter(|byte| **byte == b'\n');
            kept.extend(newlines.map(|_| [0; 4]));
            play();
        })
    };
    for case in about_memory() {
        let fault = |measure| {
            let failures = measured(&case, Some(measure)).failures;
            failures.into_iter().find(|why| why.starts_with("a flood of it"))
        };
        let is_judged = !NOT_JUDGED.iter().any(|(id, _)| case.id == *id);
        for measure in [keeps, lets_go_in_the_end] {
            let fault = fault(measure);
            assert_eq!(fault.is_some(), is_judged, "{}: {fault:?}", case.id);
            assert!(fault.is_none_or(|why| why.contains("bytes of memory")), "{}", case.id);
        }
        if case.behaviour.contains("flood") || case.behaviour.contains("storm") {
            let Outcome { failures, flood, .. } =
                measured(&case, Some(keeps_four_bytes_of_each_message));
            assert!(flood.is_some_and(|flood| flood.leaves_more()), "{}: {flood:?}", case.id);
            assert!(!failures.is_empty(), "{}", case.id);
        }
    }
    assert!(NOT_JUDGED.iter().all(|(id, _)| about_memory().iter().any(|case| case.id == *id)));
    assert_eq!(about_memory().len(), 19);
}

/// A limit that the engine does not have is none that a case may rely on, unless a list says so.
#[test]
fn a_limit_that_nobody_sets_fails_its_case() {
    let mut case = ping();
    case["setup"]["limits"] = json!({ "max_subscriptions": 100 });
    let failures = summary(&case, &[], None).failures;
    let said = "FRM-s01: a limit that the engine does not have: max_subscriptions";
    assert_eq!(failures.matches(said).count(), 4, "{failures}");
    for (id, limit) in NOT_SET {
        let listed = Case::named(id).expect("a case");
        assert!(listed.setup.limits.contains_key(limit), "{id} does not set {limit}");
    }
}

#[test]
fn a_layer_that_nobody_runs_is_counted() {
    let other = with(&ping(), "layer", "teleport".into());
    let summary = summary(&other, &[], None);
    assert_eq!(summary.left_out.get("teleport"), Some(&1));
    assert!(summary.run.is_empty() && summary.table().contains("not built yet"));
}

/// The id of the probe is in use, so it cannot be answered.
#[test]
fn a_server_that_does_not_answer_the_probe_fails() {
    let slow = json!({
        "jsonrpc": "2.0", "id": "the probe", "method": "tools/call",
        "params": { "name": "slow", "arguments": {} },
    });
    let mut case = with(&ping(), "input", format!("{slow}\n").into());
    case["expect"] = json!({
        "any_of": [{ "do": "still_running", "ids": ["the probe"] }], "after": "usable",
    });
    let failures = outcome(&read(&case)).failures;
    assert!(matches!(&failures[..], [only] if only.starts_with("the probe was answered with")));
}

/// Nothing is sent to it, so there is no reason to let it go.
#[test]
fn a_peer_that_does_not_read_and_is_kept_fails() {
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/other" });
    let mut case = with(&ping(), "input", format!("{notification}\n").into());
    case["setup"]["peer"] = "does_not_read".into();
    case["expect"] = json!({ "any_of": [{ "do": "silent" }], "after": "usable" });
    let failures = outcome(&read(&case)).failures;
    assert_eq!(failures, ["a peer that does not read is kept: None"]);
}

fn sent(line: &str) -> Vec<Sent> {
    Sent::of_line(0, line.as_bytes()).expect("messages")
}

fn ending(call: &str, name: &'static str, value: Option<Value>) -> Ending {
    Ending { call: call.to_owned(), names: vec![name], value }
}

fn handled(is_slow: bool, cancelled: usize) -> Handled {
    let (method, ran) = ("tools/call".to_owned(), Some("work".to_owned()));
    Handled { id: RequestId::from(1), method, ran, is_slow, cancelled }
}

/// What no case may ever show, planted one by one into what was seen of a server that was asked once.
#[test]
fn what_may_never_happen_fails_every_case() {
    const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    type Plant = fn(&mut Observed);
    let plants: [(&str, Plant); 16] = [
        ("an answer too many", |seen| seen.sent.extend(sent(ANSWER))),
        ("an answer to nothing", |seen| {
            seen.sent.extend(sent(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#));
        }),
        ("neither a request nor", |seen| {
            seen.sent =
                sent(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#);
        }),
        ("jsonrpc is not 2.0", |seen| seen.sent = sent(r#"{"id":1,"result":{}}"#)),
        ("a member that no message has", |seen| {
            seen.sent = sent(r#"{"jsonrpc":"2.0","id":1,"result":{},"x":1}"#);
        }),
        ("a batch", |seen| seen.sent = sent(&format!("[{ANSWER}]"))),
        ("the id null after", |seen| {
            seen.sent = sent(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}"#);
        }),
        ("keeps for itself", |seen| {
            seen.sent = sent(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32050,"message":""}}"#);
        }),
        ("a request without id", |seen| {
            seen.sent.extend(sent(r#"{"jsonrpc":"2.0","method":"ping"}"#));
        }),
        ("A ended 2 times", |seen| {
            seen.endings = vec![ending("A", "result", None), ending("A", "timeout", None)];
        }),
        ("which the input does not concern", |seen| {
            seen.endings.push(ending("A", "result", None));
        }),
        ("2 requests wait, but 1 run", |seen| {
            (seen.in_flight, seen.handled) = (2, vec![handled(true, 0)]);
        }),
        ("2 bytes of memory", |seen| seen.memory = Some((2, 1))),
        ("takes 2 bytes of memory", |seen| {
            seen.flood = Some(flood(2, 0));
        }),
        ("is not taken", |seen| {
            seen.flood = Some(Flood { is_stuck: true, ..flood(1, 0) });
        }),
        ("leaves 5000 bytes", |seen| {
            seen.flood = Some(flood(1, 5_000));
        }),
    ];
    let case = read(&ping());
    let input = case.input(&server_names());
    let faults = |plant: Plant| {
        let revisions = (Some(Revision::V2025_11_25), Some(Revision::V2025_11_25));
        let mut seen = Observed { sent: sent(ANSWER), revisions, ..Observed::default() };
        plant(&mut seen);
        let judge = Judge::new(&input, &seen);
        forbidden::always(&case, &judge, &server_names(), Revision::V2025_11_25)
    };
    assert_eq!(faults(|_| {}), Vec::<String>::new());
    for (what, plant) in plants {
        let found = faults(plant);
        assert!(found.iter().any(|fault| fault.contains(what)), "{what}: {found:?}");
    }
}

/// What was seen when that happened which a case forbids.
fn happening(what: &str) -> Observed {
    let mut seen = Observed::default();
    let result = |id: i64, result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
    let say = |messages: &[Value]| messages.iter().flat_map(|one| sent(&one.to_string())).collect();
    let text = |text: &str| json!({ "content": [{ "type": "text", "text": text }] });
    let error =
        |id: Value| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": 1, "message": "" } });
    match what {
        "memory_over_limit" => seen.memory = Some((2, 1)),
        "token_table_growth" => seen.flood = Some(flood(0, 5_000)),
        "reply_result" => seen.sent = say(&[result(1, json!({}))]),
        "reply_any" => seen.sent = say(&[error(json!(1))]),
        "reply_array" => seen.sent = say(&[json!([result(1, json!({}))])]),
        "null_id_reply" => seen.sent = say(&[error(Value::Null)]),
        "two_replies" | "processed_twice" => {
            seen.sent = say(&[error(json!(1)), result(1, json!({}))]);
        }
        "amplified_reply" => seen.sent_len = 5 << 10,
        "rounded_id" => seen.sent = say(&[error(json!(OTHER))]),
        "off_by_one" | "value_rewritten" => seen.sent = say(&[result(1, text("[\"other\"]"))]),
        "id2_answered" => seen.sent = say(&[error(json!(2))]),
        "only_first_processed" => seen.sent = say(&[result(1, json!({}))]),
        "completed_twice" => {
            seen.endings = vec![ending("A", "result", None), ending("A", "result", None)];
        }
        "result_delivered" | "typed_success" => seen.endings = vec![ending("A", "result", None)],
        "call_hangs" => seen.pending = vec!["A".to_owned()],
        "protocol_error_raised" => seen.closed = Some(CloseReason::HandshakeInvalid),
        "crosswired" => {
            seen.endings = vec![ending("A", "result", Some(json!({ "for": "B" })))];
            seen.sent = say(&[result(1, text("second"))]);
        }
        "initialized" => seen.revisions.1 = Some(Revision::LATEST),
        "initialized_sent" => {
            seen.sent = say(&[json!({ "method": "notifications/initialized" })]);
        }
        "fallback_initialize" => seen.sent = say(&[json!({ "method": "initialize" })]),
        "silent_downgrade" => seen.revisions.0 = Some(Revision::LATEST),
        "echo_unknown_version" => {
            seen.sent = say(&[result(1, json!({ "protocolVersion": "1999-01-01" }))]);
        }
        "handler_called" | "tool_executed" => seen.handled = vec![handled(false, 0)],
        "file_read" => seen.sent = say(&[result(1, json!({ "contents": [] }))]),
        "url_opened" | "url_fetched" => seen.opened = vec!["file:///a".to_owned()],
        "progress_delivered" | "infinity_delivered" => {
            let progress = f64::INFINITY;
            seen.reports = vec![Report { call: "A".to_owned(), progress, total: None }];
        }
        "own_call_cancelled" => seen.pending = vec!["Z".to_owned(); 9],
        "cancelled_twice" => seen.handled = vec![handled(true, 2)],
        "handler_leak" => seen.in_flight = 1,
        "superlinear_time" => seen.growth = Some(4.0),
        // Nothing was done about what was asked.
        "silent_drop" | "first_lost" => {}
        unknown => panic!("{unknown} is forbidden, but nobody shows that it would be seen"),
    }
    seen
}

/// Each thing that a case forbids is seen if it happens.
#[test]
fn what_a_case_forbids_fails_it() {
    let mut tried = 0;
    for case in catalogue() {
        let Some(never) = case["expect"]["never"].as_array() else { continue };
        let case = read(&case);
        let revision = case.revisions().last().expect("a revision");
        let names: Names = match case.role {
            Side::Server => server_names(),
            Side::Client => Started::client(&case, revision).names,
        };
        let input = case.input(&names);
        for what in never.iter().filter_map(Value::as_str) {
            // The first ends the process and the second the thread: see above.
            if matches!(what, "stack_overflow" | "panic") {
                continue;
            }
            let seen = happening(what);
            let judge = Judge::new(&input, &seen);
            assert!(forbidden::happened(what, &case, &judge, &names), "{}: {what}", case.id);
            tried += 1;
        }
    }
    assert!(tried > 90, "{tried}");
}
