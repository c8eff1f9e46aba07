//! A bad recording for each rule, and good ones that come close.
mod revisions;

use super::*;
use crate::json::RawJson;
use crate::revision::{Era, RevisionSet};
use alloc::string::ToString;
use alloc::vec;

/// The opening of a legacy session, in which both sides declare everything.
const OPEN: &str = r#"
C: {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{},"sampling":{}},"clientInfo":{"name":"c","version":"1"}}}
S: {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"logging":{}},"serverInfo":{"name":"s","version":"1"}}}
C: {"jsonrpc":"2.0","method":"notifications/initialized"}
"#;

/// What each request of the modern era says; a text to be put into `_meta`.
const META: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#;

/// What is found, as rule, side and the line of the text.
fn found(text: &str) -> Vec<(&'static str, End, usize)> {
    let recording = Recording::parse(text).unwrap();
    let findings = lint(&recording);
    findings.iter().map(|found| (found.rule.name, found.side, found.line)).collect()
}

/// A message without its head, in a few letters: `M` stands for the `_meta` of the modern era.
fn talk(opening: &str, lines: &[&str]) -> String {
    let mut text = opening.trim().to_string();
    for line in lines {
        let (mark, rest) = line.split_at(1);
        let rest =
            rest.trim().replace("M,", &format!("{META},")).replace("M}", &format!("{META}}}"));
        text += &format!("\n{mark}: {{\"jsonrpc\":\"2.0\",{rest}}}");
    }
    text.trim().to_string()
}

/// A recording of the legacy era in one of its revisions.
fn spoken_in(revision: Revision, text: &str) -> String {
    RevisionSet::era(Era::Legacy).iter().fold(text.to_string(), |text, other| {
        let said = |revision: Revision| format!("\"protocolVersion\":\"{revision}\"");
        text.replace(&said(other), &said(revision))
    })
}

fn names(text: &str) -> Vec<&'static str> {
    found(text).iter().map(|(name, ..)| *name).collect()
}

const CALL: &str =
    r#"C "id":2,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":7}}"#;
const DONE: &str = r#"S "id":2,"result":{"content":[]}"#;
const MODERN: &str =
    r#"C "id":2,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":7,M}}"#;
const MODERN_DONE: &str = r#"S "id":2,"result":{"content":[],"resultType":"complete"}"#;

fn report(token: &str, value: f64) -> String {
    format!(
        r#"S "method":"notifications/progress","params":{{"progressToken":{token},"progress":{value}}}"#
    )
}

#[test]
fn conversations_as_they_should_be_are_clean() {
    let legacy = [CALL, &report("7", 1.0), &report("7", 1.5), DONE];
    assert_eq!(found(&talk(OPEN, &legacy)), []);
    let modern = [MODERN, &report("7", 1.0), &report("7", 1.5), MODERN_DONE];
    assert_eq!(found(&talk("", &modern)), []);
    // A token may come again once its request has ended.
    let again = CALL.replace("\"id\":2", "\"id\":3");
    let done = DONE.replace("\"id\":2", "\"id\":3");
    assert_eq!(
        found(&talk(OPEN, &[CALL, &report("7", 5.0), DONE, &again, &report("7", 1.0), &done])),
        []
    );
    // What cannot be read is answered without an id; a message with a readable one with that.
    let said = format!(
        "{OPEN}C: nonsense\nS: {{\"jsonrpc\":\"2.0\",\"error\":{{\"code\":-32700,\"message\":\"no\"}}}}"
    );
    assert_eq!(names(&said), ["stray-input"]);
    let said = talk(
        OPEN,
        &[r#"C "id":5,"method":6"#, r#"S "id":5,"error":{"code":-32600,"message":"no"}"#],
    );
    assert_eq!(names(&said), ["not-a-message"]);
    // Server and client may use the same ids.
    let both = [r#"S "id":1,"method":"ping""#, r#"C "id":1,"result":{}"#];
    assert_eq!(found(&talk(OPEN, &both)), []);
}

#[test]
fn what_a_side_could_not_know_yet_is_no_fault() {
    let cancel = r#"C "method":"notifications/cancelled","params":{"requestId":2}"#;
    let on_its_way = [CALL, cancel, &report("7", 1.0), DONE];
    assert_eq!(found(&talk(OPEN, &on_its_way)), []);
    // An answer to something later shows that it was read.
    let ping = [r#"C "id":3,"method":"ping""#, r#"S "id":3,"result":{}"#];
    let knowing = [CALL, cancel, ping[0], ping[1], &report("7", 1.0), DONE];
    assert_eq!(names(&talk(OPEN, &knowing)), ["report-after-cancel", "answer-after-cancel"]);
    // So does time.
    let timed = |after: f64| {
        let message = |time, text: &str| {
            let (mark, rest) = text.split_at(1);
            let from = if mark == "C" { "client" } else { "server" };
            format!(
                "{{\"time\":{time},\"from\":\"{from}\",\"message\":{{\"jsonrpc\":\"2.0\",{rest}}}}}\n"
            )
        };
        OPEN.to_string()
            + &message(1.0, CALL)
            + &message(2.0, cancel)
            + &message(after, &report("7", 1.0))
    };
    assert_eq!(names(&timed(2.9)), [""; 0]);
    assert_eq!(names(&timed(3.0)), ["report-after-cancel"]);
    // A cancellation that crosses the answer.
    assert_eq!(found(&talk(OPEN, &[CALL, DONE, cancel])), []);
}

#[test]
fn where_and_who_is_named() {
    let text = talk(OPEN, &[CALL, &report("7", 1.0), &report("7", 1.0), DONE]);
    assert_eq!(found(&text), [("not-increasing", End::Server, 6)]);
    let finding = lint(&Recording::parse(&text).unwrap()).remove(0);
    assert_eq!(finding.to_string(), "server: not-increasing (R-PROG-03): 1 after 1, token 7");
    assert_eq!(found(&talk(OPEN, &[CALL])), [("no-answer", End::Server, 4)]);
    let asked = [r#"S "id":"r","method":"roots/list""#];
    assert_eq!(found(&talk(OPEN, &asked)), [("no-answer", End::Client, 4)]);
}

/// For each rule the recordings that break it, and nothing else.
fn bad() -> Vec<(&'static str, Vec<String>)> {
    let open = |lines: &[&str]| talk(OPEN, lines);
    let fresh = |lines: &[&str]| talk("", lines);
    let raw = |line: &str| format!("{}\n{line}", OPEN.trim());
    let batch = |lines: &[&str]| spoken_in(Revision::V2025_03_26, &batched(OPEN, lines));
    let ended = |text: &str| {
        format!(
            "{}\n{{\"time\":1,\"direction\":\"read\",\"text\":{}}}\n{{\"time\":1,\"direction\":\"read\",\"end\":true}}",
            OPEN.trim(),
            RawJson::string(text)
        )
    };
    let opening = |from: &str, to: &str| {
        assert!(OPEN.contains(from), "{from}");
        OPEN.trim().replace(from, to)
    };
    let asked =
        |method: &str| format!(r#"C "id":2,"method":"{method}","params":{{"_meta":{{M}}}}"#);
    let answer = |result: &str| format!(r#"S "id":2,"result":{result}"#);
    let error = |error: &str| format!(r#"S "id":2,"error":{error}"#);
    let base64 = |text: &str| {
        format!("{}\n{{\"time\":1,\"direction\":\"read\",\"base64\":\"{text}\"}}", OPEN.trim())
    };
    vec![
        ("not-utf8", vec![base64("Iv8iCg==")]),
        (
            "stray-output",
            vec![
                raw("S: Server ready"),
                raw(r#"{"time":1,"direction":"read","text":"\n"}"#),
                raw("S: \u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}"),
                raw("S: {\"jsonrpc\":\"2.0\","),
            ],
        ),
        ("stray-input", vec![raw("C: hello?")]),
        ("no-newline", vec![ended("{\"jsonrpc\"")]),
        (
            "not-a-message",
            vec![
                raw(r#"S: {"method":"notifications/x"}"#),
                raw(r#"S: {"jsonrpc":"1.0","method":"notifications/x"}"#),
                raw("S: 7"),
                open(&[r#"S "method":"notifications/x","method":"notifications/y""#]),
                open(&[r#"S "method":"notifications/x","result":{}"#]),
                raw(r#"S: {"jsonrpc":"2.0"}"#),
                raw(&format!(
                    "S: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{{\"x\":{}}}}}",
                    "[".repeat(200) + &"]".repeat(200)
                )),
            ],
        ),
        (
            "bad-id",
            vec![
                open(&[r#"C "id":1.5,"method":"ping""#]),
                open(&[r#"C "id":[],"method":"ping""#]),
                open(&[r#"C "method":"tools/list""#]),
            ],
        ),
        ("null-id", vec![open(&[r#"C "id":null,"method":"ping""#])]),
        ("notification-with-id", vec![open(&[r#"C "id":2,"method":"notifications/x""#])]),
        (
            "bad-answer",
            vec![
                open(&[CALL, r#"S "id":2,"result":{},"error":{"code":1,"message":""}"#]),
                open(&[CALL, r#"S "id":2,"result":7"#]),
                raw(r#"S: {"jsonrpc":"2.0","id":1}"#),
            ],
        ),
        (
            "bad-error",
            vec![
                open(&[CALL, &error(r#"{"code":"1","message":""}"#)]),
                open(&[CALL, &error(r#"{"code":1}"#)]),
            ],
        ),
        ("bad-params", vec![open(&[r#"S "method":"notifications/x","params":[1]"#])]),
        ("batch", vec![raw(r#"S: [{"jsonrpc":"2.0","method":"notifications/x"}]"#)]),
        ("initialize-in-batch", vec![spoken_in(Revision::V2025_03_26, &batched_opening())]),
        ("id-reused", vec![open(&[CALL, DONE, &CALL.replace("7", "8"), DONE])]),
        (
            "id-in-use",
            vec![
                fresh(&[MODERN, &MODERN.replace("7", "8"), MODERN_DONE]),
                // That of a probe that got no answer.
                fresh(&[&asked("server/discover").replace(":2,", ":1,")]) + "\n" + OPEN.trim(),
            ],
        ),
        (
            "answer-without-id",
            vec![
                open(&[r#"S "error":{"code":-32603,"message":""}"#]),
                open(&[r#"S "id":null,"error":{"code":-32603,"message":""}"#]),
                open(&[r#"S "result":{}"#]),
            ],
        ),
        ("answer-to-nobody", vec![open(&[r#"S "id":9,"result":{}"#])]),
        (
            "id-changed",
            vec![
                open(&[CALL, r#"S "id":"2","result":{"content":[]}"#]),
                open(&[CALL, r#"S "id":2.0,"result":{"content":[]}"#]),
                open(&[&CALL.replace(":2,", ":\"2\","), DONE]),
            ],
        ),
        (
            "two-answers",
            vec![
                open(&[CALL, DONE, DONE]),
                open(&[CALL, DONE, &error(r#"{"code":1,"message":""}"#)]),
            ],
        ),
        ("no-answer", vec![open(&[CALL]), open(&[CALL, &report("7", 1.0)])]),
        ("batch-answers", vec![batch(&[CALL]), batch(&[CALL]) + "\n" + &talk("", &[DONE, DONE])]),
        (
            "server-request",
            vec![fresh(&[MODERN, r#"S "id":1,"method":"roots/list""#, MODERN_DONE])],
        ),
        ("client-answer", vec![fresh(&[MODERN, MODERN_DONE, r#"C "id":1,"result":{}"#])]),
        (
            "ping-refused",
            vec![open(&[r#"C "id":2,"method":"ping""#, &error(r#"{"code":-32601,"message":""}"#)])],
        ),
        ("reserved-code", vec![fresh(&[MODERN, &error(r#"{"code":-32050,"message":""}"#)])]),
        (
            "old-code",
            vec![
                fresh(&[MODERN, &error(r#"{"code":-32002,"message":""}"#)]),
                fresh(&[MODERN, &error(r#"{"code":-32042,"message":""}"#)]),
            ],
        ),
        (
            "before-initialize",
            vec![fresh(&[CALL, DONE]), fresh(&[r#"C "method":"notifications/initialized""#])],
        ),
        (
            "initialize-lacks",
            vec![
                opening(r#","clientInfo":{"name":"c","version":"1"}"#, ""),
                opening(r#""capabilities":{"roots":{},"sampling":{}},"#, ""),
            ],
        ),
        (
            "initialize-result-lacks",
            vec![
                opening(r#","serverInfo":{"name":"s","version":"1"}"#, ""),
                opening(r#""result":{"protocolVersion":"2025-11-25","#, r#""result":{"#),
            ],
        ),
        (
            "not-initialized",
            vec![talk(
                &opening("C: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", ""),
                &[CALL, DONE],
            )],
        ),
        (
            "early-request",
            vec![talk(
                OPEN.trim().lines().next().unwrap(),
                &[
                    CALL,
                    DONE,
                    r#"S "id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{}}"#,
                ],
            )],
        ),
        (
            "early-server",
            vec![
                talk(
                    &opening(
                        "C: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
                        "",
                    ),
                    &[r#"S "method":"notifications/tools/list_changed""#],
                ),
                talk(
                    &opening(
                        "C: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
                        "",
                    ),
                    &[r#"S "id":1,"method":"roots/list""#, r#"C "id":1,"result":{}"#],
                ),
            ],
        ),
        (
            "initialize-cancelled",
            vec![talk(
                OPEN.trim().lines().next().unwrap(),
                &[r#"C "method":"notifications/cancelled","params":{"requestId":1}"#],
            )],
        ),
        (
            "second-initialize",
            vec![open(&[
                r#"C "id":2,"method":"initialize","params":{}"#,
                r#"S "id":2,"error":{"code":-32600,"message":""}"#,
            ])],
        ),
        (
            "wrong-version",
            vec![
                opening(
                    r#""result":{"protocolVersion":"2025-11-25""#,
                    r#""result":{"protocolVersion":"2026-07-28""#,
                ),
                opening(
                    r#""result":{"protocolVersion":"2025-11-25""#,
                    r#""result":{"protocolVersion":"1""#,
                ),
            ],
        ),
        (
            "undeclared",
            vec![
                open(&[r#"C "id":2,"method":"prompts/list""#, &answer("{}")]),
                open(&[r#"S "id":2,"method":"elicitation/create""#, r#"C "id":2,"result":{}"#]),
            ],
        ),
        (
            "undeclared-news",
            vec![
                open(&[r#"S "method":"notifications/resources/list_changed""#]),
                open(&[r#"C "method":"notifications/roots/list_changed""#]),
            ],
        ),
        (
            "undeclared-logs",
            vec![talk(
                &opening(r#","logging":{}"#, ""),
                &[r#"S "method":"notifications/message","params":{"level":"info","data":1}"#],
            )],
        ),
        (
            "no-meta",
            vec![
                fresh(&[
                    MODERN,
                    MODERN_DONE,
                    r#"C "id":3,"method":"tools/list""#,
                    r#"S "id":3,"error":{"code":-32602,"message":""}"#,
                ]),
                fresh(&[
                    r#"C "id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#,
                    &error(r#"{"code":-32602,"message":""}"#),
                ]),
            ],
        ),
        (
            "no-capabilities",
            vec![fresh(&[
                r#"C "id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
                &error(r#"{"code":-32602,"message":""}"#),
            ])],
        ),
        ("meta-not-required", vec![]),
        ("no-result-type", vec![fresh(&[MODERN, DONE])]),
        ("unknown-result-type", vec![fresh(&[MODERN, &answer(r#"{"resultType":"done"}"#)])]),
        (
            "input-not-allowed",
            vec![fresh(&[
                &asked("completion/complete"),
                &answer(r#"{"resultType":"input_required","requestState":"x"}"#),
            ])],
        ),
        (
            "discovery-lacks",
            vec![fresh(&[
                &asked("server/discover"),
                &answer(
                    r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","supportedVersions":["2026-07-28"]}"#,
                ),
            ])],
        ),
        (
            "no-cache-hints",
            vec![fresh(&[
                &asked("tools/list"),
                &answer(r#"{"resultType":"complete","tools":[],"ttlMs":0}"#),
            ])],
        ),
        (
            "bad-cache-hints",
            vec![
                fresh(&[
                    &asked("tools/list"),
                    &answer(
                        r#"{"resultType":"complete","tools":[],"ttlMs":-1,"cacheScope":"private"}"#,
                    ),
                ]),
                fresh(&[
                    &asked("tools/list"),
                    &answer(r#"{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":""}"#),
                ]),
            ],
        ),
        (
            "versions-not-named",
            vec![
                fresh(&[MODERN, &error(r#"{"code":-32022,"message":""}"#)]),
                fresh(&[
                    MODERN,
                    &error(
                        r#"{"code":-32022,"message":"","data":{"supported":[],"requested":"x"}}"#,
                    ),
                ]),
            ],
        ),
        (
            "bad-token",
            vec![open(&[&CALL.replace("7", "{}"), DONE]), open(&[&CALL.replace("7", "1.5"), DONE])],
        ),
        (
            "token-in-use",
            vec![open(&[CALL, &CALL.replace(":2,", ":3,"), DONE, &DONE.replace(":2,", ":3,")])],
        ),
        (
            "not-increasing",
            vec![
                open(&[CALL, &report("7", 2.0), &report("7", 1.0), DONE]),
                open(&[CALL, &report("7", 2.0), &report("7", 2.0), &report("7", 2.5), DONE]),
            ],
        ),
        (
            "invented-token",
            vec![
                open(&[CALL, &report("8", 1.0), DONE]),
                open(&[
                    CALL,
                    r#"S "method":"notifications/progress","params":{"progress":1}"#,
                    DONE,
                ]),
            ],
        ),
        ("late-report", vec![open(&[CALL, DONE, &report("7", 1.0)])]),
        (
            "token-changed",
            vec![
                open(&[CALL, &report("\"7\"", 1.0), DONE]),
                open(&[&CALL.replace('7', "\"7\""), &report("7", 1.0), DONE]),
            ],
        ),
        (
            "bad-report",
            vec![
                open(&[
                    CALL,
                    r#"S "method":"notifications/progress","params":{"progressToken":7,"progress":"1"}"#,
                    DONE,
                ]),
                open(&[
                    CALL,
                    r#"S "method":"notifications/progress","params":{"progressToken":7,"progress":1,"total":null}"#,
                    DONE,
                ]),
            ],
        ),
        (
            "client-report",
            vec![fresh(&[
                MODERN,
                MODERN_DONE,
                r#"C "method":"notifications/progress","params":{"progressToken":7,"progress":1}"#,
            ])],
        ),
        (
            "report-after-cancel",
            vec![fresh(&[
                MODERN,
                r#"C "method":"notifications/cancelled","params":{"requestId":2}"#,
                &asked("tools/call").replace(":2,", ":3,"),
                &MODERN_DONE.replace(":2,", ":3,"),
                &report("7", 1.0),
            ])],
        ),
        (
            "cancel-of-nothing",
            vec![
                open(&[r#"C "method":"notifications/cancelled","params":{"requestId":9}"#]),
                fresh(&[
                    MODERN,
                    r#"C "method":"notifications/cancelled","params":{}"#,
                    MODERN_DONE,
                ]),
            ],
        ),
        (
            "server-cancel",
            vec![fresh(&[
                MODERN,
                r#"S "method":"notifications/cancelled","params":{"requestId":2}"#,
                MODERN_DONE,
            ])],
        ),
        (
            "answer-after-cancel",
            vec![open(&[
                CALL,
                r#"C "method":"notifications/cancelled","params":{"requestId":2}"#,
                r#"C "id":3,"method":"ping""#,
                r#"S "id":3,"result":{}"#,
                DONE,
            ])],
        ),
        (
            "bad-schema",
            vec![open(&[
                r#"C "id":2,"method":"tools/list""#,
                &answer(r#"{"tools":[{"name":"t","inputSchema":{}}]}"#),
            ])],
        ),
        ("bad-structure", vec![open(&[CALL, &answer(r#"{"content":[],"structuredContent":7}"#)])]),
        (
            "bad-level",
            vec![open(&[
                r#"S "method":"notifications/message","params":{"level":"loud","data":1}"#,
            ])],
        ),
        (
            "log-not-wanted",
            vec![fresh(&[
                MODERN,
                r#"S "method":"notifications/message","params":{"level":"info","data":1}"#,
                MODERN_DONE,
            ])],
        ),
        (
            "log-too-fine",
            vec![fresh(&[
                &MODERN.replace("M}", r#""io.modelcontextprotocol/logLevel":"error",M}"#),
                r#"S "method":"notifications/message","params":{"level":"info","data":1}"#,
                MODERN_DONE,
            ])],
        ),
    ]
}

/// Messages of the client in one batch.
fn batched(opening: &str, lines: &[&str]) -> String {
    let batch = lines.iter().map(|line| talk("", &[line]).split_off(3)).collect::<Vec<_>>();
    format!("{}\nC: [{}]", opening.trim(), batch.join(","))
}

fn batched_opening() -> String {
    let initialize = OPEN.trim().lines().next().unwrap().strip_prefix("C: ").unwrap();
    OPEN.trim().replacen(initialize, &format!("[{initialize}]"), 1)
}

/// A rule that cannot be broken without another.
fn bad_with_another() -> (&'static str, String, [&'static str; 2]) {
    let lacking = talk(
        "",
        &[
            r#"C "id":2,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
            MODERN_DONE,
        ],
    );
    ("meta-not-required", lacking, ["no-capabilities", "meta-not-required"])
}

#[test]
fn each_rule_is_named_and_nothing_else() {
    let bad = bad();
    let tried: Vec<_> = bad.iter().map(|(name, _)| *name).collect();
    let rules: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(tried, rules);
    let (lacking, text, expected) = bad_with_another();
    assert_eq!(names(&text), expected, "{text}");
    for (name, recordings) in bad {
        assert_eq!(recordings.is_empty(), name == lacking, "{name}");
        for text in recordings {
            assert_eq!(names(&text), [name], "{text}");
        }
    }
}

#[test]
fn names_and_texts_of_rules_are_short_and_names_are_unique() {
    let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
    for rule in RULES {
        assert!(rule.text.len() < 100, "{rule:?}");
    }
}
