//! The tool `mcpcli` as its users meet it: arguments, events, exit codes, and what it says when something fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mcp_tokio::RawJson;
use mcp_tokio::mcp_proto::Event;
use mcp_tokio::mcp_proto::testing::recording::Recording;
use serde_json::{Value, json};

#[test]
fn the_demo_shows_every_report_and_ends_well() {
    let run = json_run(&["demo", "--steps", "10", "--every", "0"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.events[0]["event"], "ready");
    assert_eq!(run.events[0]["revision"], "2026-07-28");
    assert_eq!(run.events[0]["server"]["name"], "mcp-demo");
    let expected: Vec<_> = (0..10)
        .map(|n| json!({"event": "progress", "progress": n, "total": 10, "message": format!("step {} of 10", n + 1)}))
        .collect();
    assert_eq!(run.of("progress"), expected);
    let last = run.events.last().unwrap();
    assert_eq!((&last["event"], &last["isError"]), (&json!("result"), &json!(false)));
    assert_eq!(last["content"], json!([{"type": "text", "text": "完成"}]));
    assert_eq!(run.events.len(), 12);
}

#[test]
fn every_job_of_the_demo_runs_to_its_end() {
    for job in ["data", "training", "upload", "download", "workflow"] {
        let run = json_run(&["demo", job, "--steps", "4", "--every", "0"]);
        assert_eq!(run.code, 0, "{job}: {}", run.stderr);
        let values: Vec<_> =
            run.of("progress").iter().map(|event| event["progress"].as_f64().unwrap()).collect();
        assert!(values.len() >= 4 && values.is_sorted_by(|a, b| a < b), "{job}: {values:?}");
    }
}

#[test]
fn logs_and_reports_keep_their_order() {
    let run = json_run(&["demo", "data", "--steps", "2", "--every", "0"]);
    assert_eq!(run.of("log").len(), 4, "{:?}", run.events);
    let load = run.events.iter().position(|event| event["data"] == "load: done").unwrap();
    let fraction = |event: &Value| Some(event["progress"].as_f64()? / event["total"].as_f64()?);
    let before = run.events[..load].iter().filter_map(fraction).fold(0.0, f64::max);
    let after = run.events[load..].iter().filter_map(fraction).fold(1.0, f64::min);
    assert!(before <= 0.2 && 0.2 <= after, "{before} {after}");
}

#[test]
fn without_a_terminal_a_report_is_a_line_and_only_the_result_is_on_stdout() {
    let run = run(&["demo", "--steps", "3", "--every", "0"]);
    assert_eq!(run.code, 0);
    assert_eq!(run.stdout, "完成\n");
    assert_eq!(
        run.stderr,
        "long_running_task:   0%  0/3  step 1 of 3\n\
         long_running_task:  33%  1/3  step 2 of 3\n\
         long_running_task:  67%  2/3  step 3 of 3\n"
    );
}

#[test]
fn no_progress_asks_for_none() {
    let record = scratch("no-progress");
    let run = run(&[
        "demo",
        "--steps",
        "3",
        "--every",
        "0",
        "--no-progress",
        "--record",
        record.to_str().unwrap(),
    ]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "完成\n", ""));
    assert!(!written(&record).contains("progressToken"));
}

#[test]
fn every_revision_can_be_asked_for() {
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] {
        let run = json_run(&["demo", "--steps", "2", "--every", "0", "--revision", revision]);
        assert_eq!(run.code, 0, "{revision}: {}", run.stderr);
        assert_eq!(run.events[0]["revision"], revision);
        let message = if revision == "2024-11-05" { Value::Null } else { "step 2 of 2".into() };
        assert_eq!(run.of("progress")[1]["message"], message, "{revision}");
    }
}

#[test]
fn a_flood_is_paced_and_its_last_value_arrives() {
    let run = json_run(&call("flood", &["reports=100000"]));
    let reports = run.of("progress");
    assert!((2..2000).contains(&reports.len()), "{}", reports.len());
    assert_eq!(reports.last().unwrap()["progress"], 100_000);
}

#[test]
fn a_value_is_json_if_it_parses_else_a_string() {
    let record = scratch("arguments");
    let path = record.to_str().unwrap();
    let pairs = [
        "steps=1",
        "every_ms=0",
        "text=hello",
        "flag=true",
        "list=[1,2]",
        "名=字",
        "--args",
        r#"{"text":1,"more":{"a":null}}"#,
    ];
    let run = run(&call("long_running_task", &[&pairs[..], &["--record", path]].concat()));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let written = written(&record);
    let call: Value = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|line: &Value| line["method"] == "tools/call")
        .unwrap();
    let expected = json!({"steps": 1, "every_ms": 0, "text": "hello", "flag": true, "list": [1, 2], "名": "字", "more": {"a": null}});
    assert_eq!(call["params"]["arguments"], expected);
}

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

#[test]
fn a_failing_tool_is_exit_code_1() {
    let told = run(&call("fail", &["every_ms=0"]));
    assert_eq!((told.code, told.stdout.as_str()), (1, ""));
    assert!(told.stderr.contains("the disk is full"), "{}", told.stderr);
    let told = json_run(&call("fail", &["every_ms=0"]));
    let last = told.events.last().unwrap();
    assert_eq!((told.code, &last["event"], &last["isError"]), (1, &json!("result"), &json!(true)));
}

#[test]
fn an_unknown_tool_is_exit_code_1_and_the_known_ones_are_named() {
    let told = json_run(&call("upgrade", &[]));
    let last = told.events.last().unwrap();
    assert_eq!((told.code, &last["event"], &last["kind"]), (1, &json!("error"), &json!("peer")));
    assert_eq!(last["code"], -32602);
    assert!(
        told.stderr.contains("mcpcli list") && told.stderr.contains("upload"),
        "{}",
        told.stderr
    );
}

#[test]
fn wrong_usage_is_exit_code_2_and_starts_nothing() {
    for wrong in [
        &["call"][..],
        &["call", "t"],
        &["call", "t", "--"],
        &["call", "t", "novalue", "--", "true"],
        &["call", "t", "--args", "[1", "--", "true"],
        &["call", "t", "--idle-timeout", "soon", "--", "true"],
        &["call", "t", "--revision", "2020-01-01", "--", "true"],
        &["demo", "cooking"],
        &["demo", "--steps", "0"],
        &["unheard-of"],
        &[],
    ] {
        let told = run(wrong);
        assert_eq!((told.code, told.stdout.as_str()), (2, ""), "{wrong:?}");
        assert!(!told.stderr.trim().is_empty(), "{wrong:?}");
    }
    let told = run(&["call", "--json", "t", "n=1"]);
    let event: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((told.code, &event["event"], &event["kind"]), (2, &json!("error"), &json!("usage")));
    let told = run(&["call", "t", "--", "server", "--json"]);
    assert_eq!(told.stdout, "", "an option of the server is none of ours");
    let told = run(&["--help"]);
    assert_eq!(told.code, 0);
    assert!(
        told.stdout.contains("Usage") && !told.stdout.contains("demo-server"),
        "{}",
        told.stdout
    );
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let told = json_run(&["call", "t", "--", "no-such-command-anywhere"]);
    let last = told.events.last().unwrap();
    assert_eq!((told.code, &last["event"], &last["kind"]), (3, &json!("error"), &json!("spawn")));
    assert!(
        told.stderr.starts_with("error: command not found: no-such-command-anywhere\n  try: "),
        "{}",
        told.stderr
    );
    let told = run(&["call", "t", "--", "sh server.sh"]);
    assert!(told.stderr.contains("without quotes"), "{}", told.stderr);
}

#[cfg(unix)]
#[test]
fn what_is_no_server_is_told_so() {
    let told = json_run(&["call", "t", "--", "cat"]);
    let last = told.events.last().unwrap();
    assert_eq!((told.code, &last["kind"]), (3, &json!("protocol")));
    assert!(told.stderr.contains("no MCP server"), "{}", told.stderr);

    let told = json_run(&["list", "--", "true"]);
    let last = told.events.last().unwrap();
    assert_eq!((told.code, &last["kind"]), (3, &json!("closed")));
    assert!(told.stderr.contains("exited with status 0 before it was ready"), "{}", told.stderr);

    let told =
        json_run(&["call", "t", "--", "sh", "-c", "echo junk; echo 'no such model' >&2; exit 7"]);
    let last = told.events.last().unwrap();
    assert_eq!(
        (told.code, &last["kind"], &last["stderr"]),
        (3, &json!("closed"), &json!(["no such model"]))
    );
    assert!(told.stderr.contains("exited with status 7"), "{}", told.stderr);
    assert_eq!(told.of("violation").len(), 1, "the junk is told of: {:?}", told.events);
}

#[test]
fn a_timeout_is_exit_code_4_and_says_what_had_happened() {
    let told = json_run(&call("long_running_task", &["every_ms=600000", "--idle-timeout", "2s"]));
    let last = told.events.last().unwrap();
    assert_eq!((told.code, &last["kind"], &last["limit"]), (4, &json!("timeout"), &json!("idle")));
    assert_eq!((&last["reports"], &last["last"]), (&json!(1), &json!(0)));
    assert!(
        told.stderr.contains("nothing was heard of the call of long_running_task for 2s"),
        "{}",
        told.stderr
    );
    assert!(
        told.stderr.contains("1 report until then, the last: 0 of 10, \"step 1 of 10\""),
        "{}",
        told.stderr
    );

    let told = run(&call(
        "long_running_task",
        &["every_ms=600000", "--timeout", "2s", "--idle-timeout", "none"],
    ));
    assert_eq!(told.code, 4);
    assert!(
        told.stderr.contains("longer than 2s in all") && told.stderr.contains("--timeout none"),
        "{}",
        told.stderr
    );
}

#[test]
fn without_progress_none_is_asked_for_whatever_the_deadlines_are() {
    let record = scratch("silent");
    let path = record.to_str().unwrap();
    let options = ["every_ms=0", "--no-progress", "--idle-timeout", "9s", "--record", path];
    assert_eq!(run(&call("long_running_task", &options)).code, 0);
    let written = written(&record);
    assert!(!written.contains("progressToken"), "{written}");
}

#[cfg(unix)]
#[test]
fn a_timeout_covers_a_start_that_never_ends() {
    for (options, limit) in [
        (&["--timeout", "300ms"][..], "total"),
        (&["--timeout", "300ms", "--idle-timeout", "100ms"], "total"),
        (&["--timeout", "300ms", "--idle-timeout", "none", "--revision", "2025-11-25"], "total"),
    ] {
        for command in [&["call", "t"][..], &["list"]] {
            let began = Instant::now();
            let told = json_run(&[command, options, &["--", "sleep", "60"]].concat());
            let took = began.elapsed().as_secs_f64();
            let last = told.events.last().unwrap();
            assert_eq!(
                (told.code, &last["kind"], &last["limit"], &last["after"]),
                (4, &json!("timeout"), &json!(limit), &json!(0.3))
            );
            let elapsed = last["elapsed"].as_f64().unwrap();
            assert!(0.3 <= elapsed && elapsed <= took && took < 2.0, "{elapsed} of {took} s");
            let said = "timed out: the server has not answered the handshake within 0.3s";
            assert!(told.stderr.contains(said), "{}", told.stderr);
        }
    }
}

#[cfg(unix)]
#[test]
fn what_the_start_took_is_gone_from_the_timeout_of_the_call() {
    let late = format!("sleep 1; exec {} demo-server", env!("CARGO_BIN_EXE_mcpcli"));
    let began = Instant::now();
    let told = json_run(&[
        "call",
        "long_running_task",
        "every_ms=600000",
        "--timeout",
        "3s",
        "--",
        "sh",
        "-c",
        &late,
    ]);
    let took = began.elapsed().as_secs_f64();
    let last = told.events.last().unwrap();
    assert_eq!(
        (told.code, &last["kind"], &last["limit"], &last["after"], &last["reports"]),
        (4, &json!("timeout"), &json!("total"), &json!(3), &json!(1)),
        "{last}"
    );
    let elapsed = last["elapsed"].as_f64().unwrap();
    // Counted from the answer to the handshake it would be 4 s.
    assert!((3.0..3.9).contains(&elapsed) && elapsed <= took, "{elapsed} of {took} s");
    assert!(told.stderr.contains("longer than 3s in all"), "{}", told.stderr);
}

#[cfg(unix)]
#[test]
fn a_server_that_is_silent_about_the_probe_is_ready_within_the_timeout() {
    // It answers the handshake of old only, as servers do that drop what they do not know.
    let old = r#"while read -r line; do case $line in
        *'"initialize"'*) id=${line#*'"id":'}; id=${id%%[,\}]*}
            echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}}';;
        *tools/list*) id=${line#*'"id":'}; id=${id%%[,\}]*}
            echo '{"jsonrpc":"2.0","id":'$id',"result":{"tools":[]}}';;
    esac; done"#;
    let told = json_run(&["list", "--timeout", "4s", "--", "sh", "-c", old]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert_eq!(told.events[0]["revision"], "2025-06-18");
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

#[cfg(unix)]
#[test]
fn ctrl_c_or_term_cancels_the_call_on_the_wire_first() {
    for name in ["-INT", "-TERM"] {
        cancels_first(name);
    }
}

#[cfg(unix)]
fn cancels_first(signal: &str) {
    let record = scratch("interrupt");
    let path = record.to_str().unwrap();
    let mut child = start(&["demo", "--every", "600000", "--json", "--record", path]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"progress\"") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "ended early");
    }
    send(&child, signal);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(wait(child).code(), Some(130));
    let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["kind"]), (&json!("error"), &json!("cancelled")));
    let written = written(&record);
    let cancels: Vec<_> =
        written.lines().filter(|line| line.contains("notifications/cancelled")).collect();
    assert_eq!(cancels.len(), 1, "{written}");
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_does_not_wait_for_a_server_that_will_not_end() {
    let stubborn = "trap '' TERM; echo started >&2; while :; do sleep 1; done";
    let mut child = start(&["call", "t", "--", "sh", "-c", stubborn]);
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("started"), "{line}");
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        interrupt(&child);
        assert!(began.elapsed() < Duration::from_secs(30), "it never ends");
    }
    // By itself it would take two graces of two seconds to end such a server.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(wait(child).code(), Some(130));
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_even_a_write_that_nobody_reads() {
    let mut child = start(&["call", "t", "--json", "--", "yes"]);
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0]).unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        interrupt(&child);
        assert!(began.elapsed() < Duration::from_secs(30), "it never ends");
    }
    assert_eq!(wait(child).code(), Some(130));
}

#[test]
fn a_reader_that_leaves_ends_the_call_without_a_panic() {
    let mut child = start(&["demo", "--every", "5", "--steps", "100000", "--json"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(wait(child).code(), Some(3), "{stderr}");
    assert!(stderr.contains("nobody reads") && !stderr.contains("panicked"), "{stderr}");
}

#[test]
fn tools_are_listed_with_their_arguments() {
    let server = [env!("CARGO_BIN_EXE_mcpcli"), "demo-server"];
    let told = run(&[&["list", "--"][..], &server].concat());
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(
        told.stdout.contains("long_running_task\n  Works through some steps\n"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("    every_ms=INTEGER"), "{}", told.stdout);
    let told = json_run(&[&["list", "--"][..], &server].concat());
    let tools = told.events.last().unwrap()["tools"].as_array().unwrap();
    assert!(
        tools
            .iter()
            .any(|tool| tool["name"] == "upload" && tool["inputSchema"]["type"] == "object")
    );
}

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
    events: Vec<Value>,
}

impl Run {
    fn of(&self, event: &str) -> Vec<Value> {
        self.events.iter().filter(|line| line["event"] == event).cloned().collect()
    }
}

fn run(arguments: &[&str]) -> Run {
    let child = start(arguments);
    let output = output(child);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        events: Vec::new(),
    }
}

/// Runs it with `--json`, which every subcommand has.
fn json_run(arguments: &[&str]) -> Run {
    let mut all = arguments.to_vec();
    all.insert(1, "--json");
    let mut run = run(&all);
    run.events = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    run
}

/// A call of a tool of the demo server.
fn call<'a>(tool: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["call", tool][..], more, &["--", env!("CARGO_BIN_EXE_mcpcli"), "demo-server"]].concat()
}

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mcpcli"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it printed; killed if it takes longer than anything here should.
fn output(child: Child) -> Output {
    let watchdog = watchdog(child.id());
    let output = child.wait_with_output().unwrap();
    drop(watchdog);
    output
}

fn wait(mut child: Child) -> ExitStatus {
    let watchdog = watchdog(child.id());
    let status = child.wait().unwrap();
    drop(watchdog);
    status
}

/// Kills the process after a minute, unless it is dropped before.
fn watchdog(id: u32) -> std::sync::mpsc::Sender<()> {
    let (alive, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(60))
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    });
    alive
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    send(child, "-INT");
}

#[cfg(unix)]
fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A file of this run alone.
fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    directory.join(format!(
        "{name}-{}-{}.jsonl",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ))
}

fn recorded(path: &PathBuf) -> Recording {
    let recording = Recording::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!recording.chunks().is_empty());
    recording
}

/// What the client wrote in a run.
fn written(path: &PathBuf) -> String {
    String::from_utf8(recorded(path).written()).unwrap()
}
