//! Recordings that the tool writes.

use mcp_tokio::RawJson;
use mcp_tokio::mcp_proto::Event;
use serde_json::{Value, json};

use super::remote::Remote;
use super::{json_run, recorded, run, scratch};

#[test]
fn a_recording_replays_to_the_same_events() {
    let revisions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "auto"];
    for revision in revisions {
        for job in ["task", "data"] {
            let record = scratch("replay");
            let path = record.to_str().unwrap();
            let words = ["demo", job, "--steps", "9", "--every", "1", "--record", path];
            let shown = json_run(&[&words[..], &["--revision", revision]].concat());
            assert_eq!(shown.code, 0, "{}", shown.stderr);
            assert!(shown.of("progress").len() >= 9);
            let [linted, replay] = ["lint", "replay"].map(|command| json_run(&[command, path]));
            assert_eq!((linted.code, linted.stdout.as_str()), (0, ""), "{revision}");
            let told = replay.events.iter().filter(|event| event["event"] != "closed").count();
            assert_eq!((replay.code, told), (0, shown.events.len()), "{}", replay.stderr);
            let recording = recorded(&record);
            for recording in [recording.chopped(1), recording] {
                let replayed = recording.replay(recording.config()).unwrap();
                let replayed: Vec<_> = replayed.iter().map(|(_, event)| printed(event)).collect();
                assert_eq!(replayed, shown.events, "{revision}");
            }
        }
    }
}

/// A number as it is in JSON: integers without a point.
fn as_written(number: f64) -> Value {
    serde_json::from_str(RawJson::of(&number).unwrap().as_str()).unwrap()
}

/// What the tool prints of an event.
fn printed(event: &Event) -> Value {
    match event {
        Event::Ready(peer) => {
            json!({"event": "ready", "revision": peer.revision.as_str(), "server": peer.info})
        }
        Event::Progress { progress, .. } => json!({
            "event": "progress",
            "progress": as_written(progress.progress),
            "total": progress.total.map(as_written),
            "message": progress.message.as_deref(),
        }),
        Event::Notification { method, params } => {
            assert_eq!(method.as_str(), "notifications/message");
            let mut log: Value = params.as_ref().unwrap().decode().unwrap();
            log["event"] = json!("log");
            log["logger"] = log.get("logger").cloned().unwrap_or_default();
            log
        }
        Event::Response { outcome, .. } => {
            let result: Value = outcome.as_ref().unwrap().decode().unwrap();
            let mut told = json!({"event": "result", "content": result["content"]});
            told["isError"] = result.get("isError").cloned().unwrap_or(json!(false));
            if let Some(structured) = result.get("structuredContent") {
                told["structuredContent"] = structured.clone();
            }
            told
        }
        other => panic!("{other:?}"),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_recording_on_a_full_disk_is_told_of_once_and_the_call_goes_on() {
    for json in [&[][..], &["--json"]] {
        let demo = ["demo", "--steps", "3", "--every", "0", "--record", "/dev/full"];
        let told = run(&[&demo[..], json].concat());
        assert_eq!(told.code, 0, "{}", told.stderr);
        assert!(told.stdout.contains("完成"), "{}", told.stdout);
        let warning = "warning: /dev/full cannot be written any more, the recording ends early: ";
        assert_eq!(told.stderr.matches(warning).count(), 1, "{}", told.stderr);
    }
}

/// A file with these lines.
fn file(name: &str, lines: &[&str]) -> String {
    let path = scratch(name);
    std::fs::write(&path, lines.join("\n")).unwrap();
    path.into_os_string().into_string().unwrap()
}

const OPENING: [&str; 3] = [
    r#"C: {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
    r#"S: {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#,
    r#"C: {"jsonrpc":"2.0","method":"notifications/initialized"}"#,
];

#[test]
fn lint_names_what_was_broken_and_by_whom() {
    let late = r#"{"time":1.5,"from":"server","message":{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"\u001b[31m","progress":1}}}"#;
    let path = file("lint", &[&OPENING[..], &[late]].concat());
    let run = json_run(&["lint", &path]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(
        run.events,
        [json!({
            "line": 4, "time": 1.5, "side": "server", "rule": "invented-token", "requirement": "R-PROG-04",
            "level": "MUST", "message": "token \"\\u{1b}[31m\" is of no request",
            "text": "a report bears a token that a request has given",
        })]
    );
    let run = super::run(&["lint", &path]);
    assert!(run.stdout.contains(":4: at 1.500 s, server: invented-token (R-PROG-04): "));
    assert!(!run.stdout.contains('\u{1b}') && run.stderr == "1 finding\n", "{run:?}");

    assert_eq!(super::run(&["lint", &file("lint", &OPENING)]).stderr, "clean\n");
}

#[test]
fn what_only_should_be_otherwise_in_the_revision_can_be_left_out() {
    let asked = r#"C: {"jsonrpc":"2.0","id":2,"method":"prompts/list"}"#;
    let answered = r#"S: {"jsonrpc":"2.0","id":2,"result":{"prompts":[]}}"#;
    for (revision, number, level) in
        [("2025-03-26", "R-LIFE-08", "SHOULD"), ("2025-11-25", "R-LIFE-09", "MUST")]
    {
        let opening = OPENING.map(|line| line.replace("2025-11-25", revision));
        let lines: Vec<&str> =
            opening.iter().map(String::as_str).chain([asked, answered]).collect();
        let path = file("undeclared", &lines);
        let run = json_run(&["lint", &path]);
        let found = &run.events[0];
        assert_eq!((run.code, run.events.len()), (1, 1), "{}", run.stdout);
        assert_eq!((&found["requirement"], &found["level"]), (&json!(number), &json!(level)));
        let must = json_run(&["lint", &path, "--must"]);
        assert_eq!(must.code, if level == "MUST" { 1 } else { 0 }, "{revision}");
    }
}

#[test]
fn replay_shows_where_the_engine_and_a_recording_part() {
    let path = file("replay", &OPENING);
    let run = json_run(&["replay", &path]);
    // Another client wrote its notification without parameters.
    assert_eq!(run.code, 1, "{}", run.stdout);
    let events: Vec<_> = run.events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["ready", "parted"]);
    assert_eq!(run.events[1]["line"], 3);
    assert!(run.stderr.contains(":3: from here on the engine does otherwise: "), "{}", run.stderr);
}

#[test]
fn what_is_no_recording_is_not_judged() {
    let none = file("none", &[]);
    for command in ["lint", "replay"] {
        for path in
            [file("junk", &["{}"]), file("junk", &["hello"]), none.clone(), "/nowhere".into()]
        {
            let run = run(&[command, &path]);
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{path}");
            assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
        }
        assert_eq!(run(&[command]).code, 2);
    }
}

/// The script that the help names, between a client and a server.
#[cfg(unix)]
#[test]
fn a_talk_is_written_down_as_the_help_says() {
    let help = run(&["lint", "--help"]).stdout;
    let lines = help.lines().skip_while(|line| !line.trim_start().starts_with("log() {")).take(2);
    let script = lines.collect::<Vec<_>>().join("\n");
    assert!(script.ends_with("| log S"), "{help}");
    let talk = scratch("talk");
    let script = script.replace("talk.txt", talk.to_str().unwrap());
    let server = [env!("CARGO_BIN_EXE_mcpcli"), "demo-server"];
    let call =
        ["call", "long_running_task", "steps=5", "every_ms=1", "--", "sh", "-c", &script, "sh"];
    let call = run(&[&call[..], &server].concat());
    assert_eq!(call.code, 0, "{}", call.stderr);
    let linted = run(&["lint", talk.to_str().unwrap()]);
    assert_eq!((linted.code, linted.stderr.as_str()), (0, "clean\n"), "{}", linted.stdout);
    let said = std::fs::read_to_string(&talk).unwrap();
    assert!(
        said.matches("notifications/progress").count() >= 5 && said.contains("\nS: "),
        "{said}"
    );
    assert_eq!(json_run(&["replay", talk.to_str().unwrap()]).code, 0);
}

/// The pieces of a conversation with a server at a URL can be judged, and replayed where they are one stream.
#[test]
fn a_talk_with_a_remote_server_is_recorded_by_the_message() {
    for remote in Remote::all() {
        let is_http = remote.url.starts_with("http");
        for revision in ["2025-03-26", "2025-11-25", "2026-07-28", "auto"] {
            let record = scratch("remote");
            let path = record.to_str().unwrap();
            let call = ["call", "count", "--url", &remote.url, "--record", path];
            let call = json_run(&[&call[..], &["--revision", revision]].concat());
            assert_eq!(call.code, 0, "{}", call.stderr);
            let recording = recorded(&record);
            assert_eq!(recording.is_over_http(), is_http);
            let said = String::from_utf8(recording.read()).unwrap();
            assert_eq!(said.matches("notifications/progress").count(), 64, "{said}");
            let written = String::from_utf8(recording.written()).unwrap();
            assert_eq!(written.matches("tools/call").count(), 1, "{written}");
            let linted = run(&["lint", path]);
            assert_eq!((linted.code, &*linted.stdout), (0, ""), "{revision} {}", remote.url);
            let replay = json_run(&["replay", path]);
            if is_http {
                assert_eq!((replay.code, &*replay.stdout), (2, ""));
                assert!(replay.stderr.contains("mcpcli lint"), "{}", replay.stderr);
                assert!(recording.replay(recording.config()).is_err());
            } else {
                assert_eq!(
                    (replay.code, replay.of("progress").len()),
                    (0, 64),
                    "{}",
                    replay.stderr
                );
            }
        }
    }
}

#[test]
fn what_was_cut_is_recorded_once_and_what_was_given_up_is_no_fault_of_the_server() {
    let remote = Remote::new(true);
    let record = scratch("cut");
    let path = record.to_str().unwrap();
    let url = remote.through_a_cable();
    let cut = ["call", "cut", "--revision", "2025-11-25", "--url", &url, "--record", path];
    let cut = json_run(&cut);
    assert_eq!((cut.code, cut.of("resumed").len()), (0, 1), "{}", cut.stderr);
    let said = String::from_utf8(recorded(&record).read()).unwrap();
    assert_eq!(said.matches("notifications/progress").count(), 64, "{said}");
    let linted = run(&["lint", path]);
    assert_eq!((linted.code, &*linted.stdout), (0, ""));
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(text.lines().any(|line| line.starts_with("# exchange ")), "{text}");
    for (revision, ends) in [("2025-11-25", false), ("2026-07-28", true)] {
        let record = scratch("given-up");
        let path = record.to_str().unwrap();
        let words = ["call", "wait", "--url", &remote.url, "--idle-timeout", "500ms"];
        let run = json_run(&[&words[..], &["--revision", revision, "--record", path]].concat());
        assert_eq!(run.code, 4, "{}", run.stderr);
        let linted = super::run(&["lint", path]);
        assert_eq!((linted.code, &*linted.stdout), (0, ""), "{revision}");
        // Without what says that it was closed, the server would owe an answer.
        let text = std::fs::read_to_string(&record).unwrap();
        let (kept, closed): (Vec<_>, Vec<_>) =
            text.lines().partition(|line| !line.ends_with("\"end\":true}"));
        assert!(!closed.is_empty());
        let linted = json_run(&["lint", &file("kept", &kept)]);
        let rules: Vec<_> = linted.events.iter().map(|found| found["rule"].clone()).collect();
        assert_eq!(rules == [json!("no-answer")], ends, "{rules:?}");
    }
}
