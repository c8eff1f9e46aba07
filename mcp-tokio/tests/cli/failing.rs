//! What is told when something fails, with which exit code, and by when.

use std::time::Instant;

use serde_json::{Value, json};

use super::remote::Remote;
use super::{call, json_run, run, scratch, written};

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

/// FIELD-BUGS 50; R-TIME-04.
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

/// FIELD-BUGS 43, 44, 46; R-PROG-21, R-PROG-22. Other tools have both limits, and got one of the two wrong.
#[test]
fn reports_re_arm_the_idle_timeout_and_never_the_timeout() {
    let remotes = Remote::all();
    let here = ["--", env!("CARGO_BIN_EXE_mcpcli"), "demo-server"];
    let servers = [
        ("long_running_task", here.to_vec()),
        ("paced", vec!["--url", &remotes[0].url]),
        ("paced", vec!["--url", &remotes[1].url]),
    ];
    // All at once: each takes as long as it has to.
    std::thread::scope(|scope| {
        for (tool, server) in &servers {
            // It says something often enough, for longer than it may say nothing.
            scope.spawn(move || {
                let tool = ["call", tool, "steps=10", "every_ms=600", "--idle-timeout", "4s"];
                let told = json_run(&[&tool[..], server].concat());
                assert_eq!(told.code, 0, "{server:?}: {}", told.stderr);
                assert_eq!(told.of("progress").len(), 10, "{server:?}");
            });
            // It never stops saying something.
            scope.spawn(move || {
                let tool = ["call", tool, "steps=1000", "every_ms=100", "--timeout", "3s"];
                let began = Instant::now();
                let told = json_run(&[&tool[..], &["--idle-timeout", "none"], server].concat());
                let took = began.elapsed().as_secs_f64();
                let last = told.events.last().unwrap();
                let ended = (told.code, &last["kind"], &last["limit"], &last["after"]);
                let expected = (4, &json!("timeout"), &json!("total"), &json!(3));
                assert_eq!(ended, expected, "{server:?}: {last}");
                assert!(last["reports"].as_u64().unwrap() >= 3, "{server:?}: {last}");
                assert!((3.0..20.0).contains(&took), "{server:?}: {took} s");
            });
        }
    });
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
