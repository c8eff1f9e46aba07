//! The example of a host that draws shows what was reported, and nothing that a server may report garbles it.

#[path = "../../mcp-proto/examples/host.rs"]
#[allow(dead_code)] // its `main`
mod host;

use mcp_proto::Progress;
use mcp_tests::{at, millis};

use host::{Line, recorded};

/// FIELD-BUGS 83; R-PROG-03. Hosts showed nothing of what their servers reported.
#[test]
fn a_host_draws_a_recorded_call_from_its_beginning_to_its_end() {
    let mut line = Line::new("resize", at(millis(0)));
    let mut shown = vec![line.text(at(millis(300)), 60)];
    for (now, report) in recorded() {
        line.update(&report, at(millis(now)));
        shown.push(line.text(at(millis(now)), 60));
    }
    shown.push(line.text(at(millis(3_400)), 60));
    line.end(true, at(millis(3_900)));
    shown.push(line.text(at(millis(9_000)), 60));
    assert_eq!(
        shown,
        [
            "resize … 0 s",
            "resize [--------------------] 0 % opening",
            "resize [#####---------------] 25 %, 1 s left a.png",
            "resize [##########----------] 50 %, 1 s left b.png",
            "resize [###############-----] 75 %, 0 s left c.png",
            "resize [###############-----] 75 %, 0 s left c.png",
            "resize done after 3 s",
        ]
    );
}

/// FIELD-BUGS 83, 34; R-PROG-07. A total that says nothing makes no bar, and a text no mess.
#[test]
fn nothing_that_a_server_reports_garbles_the_line_of_a_host() {
    let reported = [
        (Progress::new(3.0).of(0.0), "t\u{1b}[2J 3 "),
        (Progress::new(3.0).of(-5.0), "t 3 "),
        (Progress::new(3.0).of(f64::INFINITY), "t 3 "),
        (Progress::new(3.0).of(2.0), "t [####################] 100 %, 0 s left "),
        (Progress::new(f64::MAX).of(f64::MIN_POSITIVE), "t [####################] 100 %"),
        (Progress::new(-1e300).of(1.0), "t [--------------------] 0 %"),
        (Progress::new(7.0), "t 7 "),
    ];
    for (report, begins) in reported {
        let label = if begins.contains('\u{1b}') { "t\u{1b}[2J" } else { "t" };
        let mut line = Line::new(label, at(millis(0)));
        line.update(
            &report.message("\r\n\u{1b}[31m".to_owned() + &"x".repeat(10_000)),
            at(millis(1)),
        );
        let text = line.text(at(millis(2)), 50);
        assert!(text.starts_with(&begins.replace('\u{1b}', " ")), "{text}");
        assert!(text.chars().count() <= 50 && !text.chars().any(char::is_control), "{text:?}");
        line.end(false, at(millis(3)));
        assert!(line.text(at(millis(4)), 200).contains(" stopped at "), "{text}");
    }
}
