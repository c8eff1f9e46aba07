//! What is named depends on the revision that is spoken.
use super::*;

/// The same, as rule, requirement and level.
fn said(text: &str) -> Vec<(&'static str, &'static str, Level)> {
    let findings = lint(&Recording::parse(text).unwrap());
    let said =
        |found: &Finding| (found.rule.name, found.requirement.number, found.requirement.level);
    findings.iter().map(said).collect()
}

/// That the requirements are what they are said to be is checked in `tests/tests/recordings.rs`, against the list of them.
#[test]
fn what_is_named_holds_in_the_revision_and_for_the_side() {
    let (name, text, _) = bad_with_another();
    for (name, recordings) in bad().into_iter().chain([(name, vec![text])]) {
        let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
        for text in recordings {
            let is_modern =
                text.contains("io.modelcontextprotocol/") && !text.contains("serverInfo");
            let era = if is_modern { Era::Modern } else { Era::Legacy };
            for revision in RevisionSet::era(era).iter() {
                let text = spoken_in(revision, &text);
                let findings = lint(&Recording::parse(&text).unwrap());
                let is_named = findings.iter().any(|found| found.rule.name == name);
                let is_rule = rule.requirement(revision).is_some();
                assert_eq!(is_named, is_rule, "{name} in {revision}: {text}");
                for Finding { requirement, side, .. } in findings {
                    assert!(requirement.revisions.contains(revision), "{requirement:?}: {text}");
                    assert!(requirement.side.is_none_or(|only| only == side), "{requirement:?}");
                }
            }
        }
    }
}

#[test]
fn a_rule_has_the_number_and_the_weight_that_it_has_in_the_revision() {
    use Level::{Must, Should};
    let cancel = r#"C "method":"notifications/cancelled","params":{"requestId":2}"#;
    let later = [r#"C "id":3,"method":"ping""#, r#"S "id":3,"result":{}"#];
    let modern_later = [
        r#"C "id":3,"method":"tools/call","params":{"_meta":{M}}"#,
        r#"S "id":3,"result":{"content":[],"resultType":"complete"}"#,
    ];
    // What a server says of a request that it knows to be cancelled.
    let legacy = talk(OPEN, &[CALL, cancel, later[0], later[1], &report("7", 1.0), DONE]);
    let modern = [MODERN, cancel, modern_later[0], modern_later[1], &report("7", 1.0), MODERN_DONE];
    assert_eq!(
        said(&legacy),
        [
            ("report-after-cancel", "R-CANC-07", Should),
            ("answer-after-cancel", "R-CANC-07", Should)
        ]
    );
    let in_2026 =
        [("report-after-cancel", "R-PROG-26", Must), ("answer-after-cancel", "R-CANC-06", Must)];
    assert_eq!(said(&talk("", &modern)), in_2026);
    // A request that stands alone is of its own revision also beside a session.
    assert_eq!(said(&talk(OPEN, &modern)), in_2026);

    let nothing = cancel.replace(":2", ":9");
    let legacy = [("cancel-of-nothing", "R-CANC-01", Must)];
    assert_eq!(said(&talk(OPEN, &[&nothing])), legacy);
    let modern = [("cancel-of-nothing", "R-CANC-02", Must)];
    assert_eq!(said(&talk("", &[MODERN, &nothing, MODERN_DONE])), modern);
    let late = "\n{\"time\":5,\"from\":\"client\",\"message\":{\"jsonrpc\":\"2.0\",".to_string();
    let late = late + cancel.strip_prefix("C ").unwrap() + "}}";
    assert_eq!(said(&(talk(OPEN, &[MODERN, MODERN_DONE]) + &late)), modern);

    let undeclared =
        talk(OPEN, &[r#"C "id":2,"method":"prompts/list""#, r#"S "id":2,"result":{}"#]);
    let unstructured = talk(OPEN, &[CALL, r#"S "id":2,"result":{"structuredContent":7}"#]);
    let not_utf8 =
        OPEN.trim().to_string() + "\n{\"time\":1,\"direction\":\"read\",\"base64\":\"Iv8iCg==\"}";
    for revision in RevisionSet::era(Era::Legacy).iter() {
        let said = |text: &str| said(&spoken_in(revision, text));
        let is_strict = revision >= Revision::V2025_06_18;
        let (number, level) = if is_strict { ("R-LIFE-09", Must) } else { ("R-LIFE-08", Should) };
        assert_eq!(said(&undeclared), [("undeclared", number, level)], "{revision}");
        // Before there was such a member it was one that nobody knows.
        let bad = [("bad-structure", "R-TOOL-07", Must)];
        let expected = if is_strict { &bad[..] } else { &[] };
        assert_eq!(said(&unstructured), expected, "{revision}");
        let first = revision == Revision::V2024_11_05;
        let number = if first { "R-RPC-01" } else { "R-RPC-02" };
        assert_eq!(said(&not_utf8), [("not-utf8", number, Must)], "{revision}");
    }
}

#[test]
fn a_batch_is_judged_where_there_are_batches() {
    use Level::Must;
    let said = |revision, text: &str| said(&spoken_in(revision, text));
    let two = batched(OPEN, &[CALL, r#"C "id":3,"method":"ping""#]);
    let answered = two.clone() + "\n" + &talk("", &[r#"S "id":3,"result":{}"#, DONE]);
    assert_eq!(said(Revision::V2025_03_26, &answered), []);
    let half = two + "\n" + &talk("", &[DONE]);
    assert_eq!(said(Revision::V2025_03_26, &half), [("batch-answers", "R-BATCH-04", Must)]);
    // What stands alone is in no batch, wherever it came.
    let modern = batched(OPEN, &[&MODERN.replace("M}", &format!("{META}}}"))]);
    let no_answer = [("no-answer", "R-RPC-01", Must)];
    assert_eq!(said(Revision::V2025_03_26, &modern), no_answer);
    // Elsewhere it must not be sent, and what is in it is as good as what stands alone.
    let refused = [("batch", "R-BATCH-07", Must), ("no-answer", "R-RPC-01", Must)];
    assert_eq!(said(Revision::V2025_06_18, &half), refused);
    // Before there is a session, what the client asks for counts.
    let opening = batched_opening();
    let together = [("initialize-in-batch", "R-BATCH-03", Must)];
    assert_eq!(said(Revision::V2025_03_26, &opening), together);
    assert_eq!(said(Revision::V2024_11_05, &opening), [("batch", "R-BATCH-07", Must)]);
}

/// R-PROG-17: in 2025-11-25 a task goes on under the token of its call.
#[test]
fn the_reports_of_a_task_are_not_late() {
    let task = r#"S "id":2,"result":{"task":{"taskId":"1","status":"working"}}"#;
    let reported = talk(OPEN, &[CALL, task, &report("7", 1.0), &report("7", 2.0)]);
    assert_eq!(names(&reported), [""; 0]);
    let falling = talk(OPEN, &[CALL, task, &report("7", 2.0), &report("7", 1.0)]);
    assert_eq!(names(&falling), ["not-increasing"]);
    assert_eq!(names(&spoken_in(Revision::V2025_06_18, &reported)), ["late-report"; 2]);
}

/// A server may be the first to speak, and then there is no revision yet.
#[test]
fn before_anybody_has_said_a_revision_no_rule_of_the_modern_era_is_broken() {
    let log = r#"S "method":"notifications/message","params":{"level":"info","data":1}"#;
    let ping = [r#"S "id":1,"method":"ping""#, r#"C "id":1,"result":{}"#];
    let talkative = talk("", &[log, ping[0], ping[1]]) + "\n" + OPEN.trim();
    assert_eq!(names(&talkative), [""; 0]);
    let asking = talk("", &[r#"S "id":1,"method":"roots/list""#, r#"C "id":1,"result":{}"#]);
    assert_eq!(names(&asking), ["early-server"]);
    // The client had spoken the modern era, but a ping says nothing of that.
    let probe = [
        r#"C "id":1,"method":"server/discover","params":{"_meta":{M}}"#,
        r#"S "id":1,"error":{"code":-32601,"message":"no"}"#,
    ];
    let refused = r#"S "id":3,"error":{"code":-32601,"message":"no"}"#;
    assert_eq!(
        names(&talk("", &[probe[0], probe[1], r#"C "id":3,"method":"ping""#, refused])),
        [""; 0]
    );
    // Its id is free again.
    assert_eq!(names(&(talk("", &probe) + "\n" + OPEN.trim())), [""; 0]);
}

/// A stream that stands alone beside a session is the client's, and the server may end it.
#[test]
fn a_server_cancels_a_stream_beside_a_session() {
    let listen = r#"C "id":2,"method":"subscriptions/listen","params":{"_meta":{M}}"#;
    let cancel = r#"S "method":"notifications/cancelled","params":{"requestId":2}"#;
    assert_eq!(names(&talk(OPEN, &[listen, cancel])), [""; 0]);
    assert_eq!(names(&talk("", &[listen, cancel])), [""; 0]);
}
