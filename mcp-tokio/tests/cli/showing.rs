//! What a run shows: reports, logs, the list of tools.

use serde_json::{Value, json};

use super::{call, json_run, run, scratch, written};

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
