//! Numbers, durations and foreign text, as people read them on one line.

use std::time::Duration;

/// Text of a peer for a terminal: no control character gets through, so that it can neither move the cursor
/// nor colour what is not its own. Line breaks become spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { visible(c) }).collect()
}

/// Like [`one_line`], with line breaks, those of Windows included, and tabs kept.
pub(crate) fn lines(text: &str) -> String {
    let mut rest = text.chars().peekable();
    let mut shown = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\t' => shown.push(c),
            _ => shown.push(visible(c)),
        }
    }
    shown
}

fn visible(c: char) -> char {
    // Controls, and the characters that turn the direction of writing.
    let is_unruly =
        c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if is_unruly { '\u{fffd}' } else { c }
}

/// A value of a report: whole numbers as such, at most three decimals, and thousands as k, M, G, T.
pub(crate) fn amount(value: f64) -> String {
    let size = value.abs();
    for (unit, suffix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")] {
        if size >= unit {
            let unit = if suffix == "k" { 1e3 } else { unit };
            return format!("{}{suffix}", trimmed(value / unit, 2));
        }
    }
    trimmed(value, 3)
}

/// Units per second, or per minute or hour if that reads better.
pub(crate) fn rate(per_second: f64) -> String {
    let (value, unit) = match per_second {
        slow if slow < 1.0 / 60.0 => (slow * 3600.0, "h"),
        slow if slow < 1.0 => (slow * 60.0, "min"),
        fast => (fast, "s"),
    };
    let shown = if value < 10_000.0 {
        trimmed(value, if value < 10.0 { 1 } else { 0 })
    } else {
        amount(value)
    };
    format!("{shown}/{unit}")
}

/// A duration to the second: `7s`, `1m05s`, `2h03m`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A duration that is over: to the tenth of a second below a minute.
pub(crate) fn took(time: Duration) -> String {
    if time < Duration::from_secs(59) {
        return format!("{}s", trimmed(time.as_secs_f64(), 1));
    }
    duration(time)
}

/// A duration as somebody would type it: `300s` is `5m`, and `1.5s` stays.
pub(crate) fn exact(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        return humantime::format_duration(duration).to_string().replace(' ', "");
    }
    format!("{}s", trimmed(duration.as_secs_f64(), 3))
}

/// `1 report`, `2 reports`.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short_and_true() {
        for (value, text) in [
            (0.0, "0"),
            (9.0, "9"),
            (0.1 + 0.2, "0.3"),
            (9999.0, "9999"),
            (12_500.0, "12.5k"),
            (1e6, "1M"),
            (4_294_967_296.0, "4.29G"),
            (5e12, "5T"),
            (-0.0001, "0"),
            (-3.5, "-3.5"),
            (100.0, "100"),
        ] {
            assert_eq!(amount(value), text, "{value}");
        }
    }

    #[test]
    fn rates_pick_the_unit_that_reads_best() {
        for (per_second, text) in [
            (2.0, "2/s"),
            (2.54, "2.5/s"),
            (140.2, "140/s"),
            (0.5, "30/min"),
            (0.01, "36/h"),
            (1.5e8, "150M/s"),
        ] {
            assert_eq!(rate(per_second), text, "{per_second}");
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let shown = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!([shown(0), shown(59), shown(65), shown(3780)], ["0s", "59s", "1m05s", "1h03m"]);
        assert_eq!(took(Duration::from_millis(1940)), "1.9s");
        assert_eq!(took(Duration::from_secs(5)), "5s");
        assert_eq!(took(Duration::from_secs(65)), "1m05s");
        assert_eq!(exact(Duration::from_secs(300)), "5m");
        assert_eq!(exact(Duration::from_millis(1500)), "1.5s");
        assert_eq!(exact(Duration::from_secs(86_400)), "1day");
    }

    #[test]
    fn a_peer_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\x1b[2Jb\r\nc\u{202e}d\u{7}\n"), "a\u{fffd}[2Jb  c\u{fffd}d\u{fffd}");
        assert_eq!(lines("a\tb\nc\x1b"), "a\tb\nc\u{fffd}");
        assert_eq!(lines("a\r\nb\rc\r"), "a\nb\u{fffd}c\u{fffd}");
    }
}
