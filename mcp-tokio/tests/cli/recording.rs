//! Recordings that the tool writes.

use mcp_tokio::RawJson;
use mcp_tokio::mcp_proto::Event;
use serde_json::{Value, json};

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
