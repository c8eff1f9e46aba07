//! Faults of other libraries with the numbers of progress, each a test named after the fault, at the engine.

use mcp_proto::progress::{Pacing, Phase, ProgressView, ReportError, Span, Weight};
use mcp_proto::testing::Pair;
use mcp_proto::{
    CallOptions, Event, Instant, Progress, Revision, ServerConfig, Timeouts, Violation,
};
use mcp_tests::{Hand, endings, progress, result, secs, tool_call, values, violations, working};

/// FIELD-BUGS 33; R-PROG-07.
#[test]
fn fractions_and_byte_counts_survive_exactly() {
    let steps: Vec<f64> = (1..=30).map(|n| f64::from(n) * 0.1).collect();
    let bytes: Vec<f64> =
        [1_u64, 1 << 24, (1 << 24) + 1, 1 << 32, (1 << 53) - 1, 1 << 53].map(|n| n as f64).into();
    let odd = vec![-1e300, -0.1, 0.0, f64::MIN_POSITIVE, 1e-5, 0.1 + 0.2, 1e15, 1e21, f64::MAX];
    for values_sent in [steps, bytes, odd] {
        let mut pair = Pair::ready(Revision::V2025_11_25);
        let id = working(&mut pair);
        for value in &values_sent {
            let progress = Progress::new(*value).of(*value);
            pair.server.report(&id, progress, Weight::Ordinary, pair.now).unwrap();
        }
        pair.settle();
        let bits = |value: f64| value.to_bits();
        let seen: Vec<u64> = values(&pair.client_events).into_iter().map(bits).collect();
        assert_eq!(seen, values_sent.iter().copied().map(bits).collect::<Vec<_>>());
        for (event, sent) in pair.client_events.iter().zip(&values_sent) {
            let Event::Progress { progress, .. } = event else { panic!() };
            assert_eq!(progress.total.map(bits), Some(bits(*sent)));
        }
    }
    let mut server = Hand::server();
    let id = server.accept(&tool_call("5", Some("5")));
    let now = server.now();
    server
        .conn()
        .report(&id, Progress::new((1_u64 << 53) as f64).of(10.0), Weight::Ordinary, now)
        .unwrap();
    assert!(
        server.said()[0].contains("\"progress\":9007199254740992,\"total\":10}"),
        "whole numbers as such"
    );
}

/// FIELD-BUGS 34; R-PROG-07, R-PROG-13.
#[test]
fn a_total_of_zero_divides_nothing() {
    for total in ["0", "-0", "0.0", "-5", "1e999", "null", "\"10\"", "[]"] {
        let mut client = Hand::client();
        let id = client.call(CallOptions::default().tracked());
        let mut view = ProgressView::new(Instant::ZERO);
        client.feed(progress("2", &format!("3,\"total\":{total}")) + &result(&id));
        let told = client.told();
        let Some(Event::Progress { progress, .. }) = told.first() else {
            panic!("{total}: {told:?}")
        };
        view.update(progress, Instant::ZERO);
        assert_eq!((view.percent(), view.phase()), (None, Phase::Counting), "{total}");
        assert_eq!(view.eta(Instant::from(secs(1))), None, "{total}");
        assert_eq!(endings(&told), [(id, true)], "{total}");
    }
    let mut server = Hand::server();
    let id = server.accept(&tool_call("5", Some("5")));
    let now = server.now();
    for (value, total) in
        [(1.0, f64::NAN), (1.0, f64::INFINITY), (f64::NAN, 1.0), (f64::NEG_INFINITY, 1.0)]
    {
        let refused =
            server.conn().report(&id, Progress::new(value).of(total), Weight::Ordinary, now);
        assert_eq!(refused, Err(ReportError::NotFinite));
    }
    assert_eq!(server.said(), [""; 0]);
}

/// FIELD-BUGS 35; R-PROG-13, R-RPC-01.
#[test]
fn a_bare_nan_on_the_wire_is_contained() {
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().tracked());
    for value in ["NaN", "Infinity", "-Infinity", "+1", "01", "1.", ".5", "0x10"] {
        client.feed(progress("2", value));
        let told = client.told();
        assert!(
            matches!(&told[..], [Event::Violation(Violation::NotJson { .. })]),
            "{value}: {told:?}"
        );
    }
    for value in ["1e999", "-1e999", "null", "\"5\"", "true", "[5]"] {
        client.feed(progress("2", value));
        assert_eq!(client.told(), [Event::Violation(Violation::BadProgress)], "{value}");
    }
    assert_eq!(client.said(), [""; 0], "a client does not answer what it cannot read");
    client.feed(progress("2", "1") + &result(&id));
    let told = client.told();
    assert_eq!((values(&told), endings(&told)), (vec![1.0], vec![(id, true)]));
}

/// FIELD-BUGS 36; R-PROG-03.
#[test]
fn values_that_do_not_increase_are_not_forwarded() {
    let mut server = Hand::server();
    let id = server.accept(&tool_call("5", Some("5")));
    let now = server.now();
    let mut report = |value| server.conn().report(&id, Progress::new(value), Weight::Ordinary, now);
    assert_eq!(report(5.0), Ok(()));
    assert_eq!(report(5.0), Err(ReportError::NotIncreasing { last: 5.0 }));
    assert_eq!(report(4.9), Err(ReportError::NotIncreasing { last: 5.0 }));
    assert_eq!(report(5.1), Ok(()));
    assert_eq!(server.said().len(), 2);

    let mut client = Hand::client();
    let id = client.call(CallOptions::default().timeouts(Timeouts::NEVER.idle(secs(10))));
    client.feed(progress("2", "5"));
    client.pass(secs(9));
    client.feed(progress("2", "5") + &progress("2", "-1"));
    let told = client.told();
    assert_eq!(values(&told), [5.0]);
    let refused = |progress| Violation::NotIncreasing { id: id.clone(), last: 5.0, progress };
    assert_eq!(violations(&told), [&refused(5.0), &refused(-1.0)]);
    client.pass(secs(1));
    assert_eq!(endings(&client.told()), [(id, false)], "they do not keep a call alive");
}

/// FIELD-BUGS 41; R-PROG-12. Parts of a scale, without a helper of one's own.
#[test]
fn nobody_has_to_write_the_arithmetic_of_stages() {
    let mut pair = Pair::ready(Revision::V2025_11_25);
    let id = working(&mut pair);
    let stages =
        [Span::WHOLE.part(0.0, 0.2), Span::WHOLE.part(0.2, 0.9), Span::WHOLE.part(0.9, 1.0)];
    for stage in stages {
        for step in 1..=4 {
            let progress = Progress::new(stage.at(f64::from(step) / 4.0)).of(1.0);
            pair.server.report(&id, progress, Weight::Ordinary, pair.now).unwrap();
        }
    }
    pair.settle();
    let seen = values(&pair.client_events);
    assert_eq!((seen.len(), seen.last()), (12, Some(&1.0)));
}

/// FIELD-BUGS 85; R-PROG-03. The monotonic guard: a refused report changes nothing.
#[test]
fn authors_need_no_monotonic_guard_of_their_own() {
    let mut pair = Pair::ready(Revision::V2025_11_25);
    let id = working(&mut pair);
    for value in [1.0, 3.0, 2.0, 3.0, f64::NAN, 4.0, 0.0] {
        // An author who does not look at the outcome does no harm.
        let _ = pair.server.report(&id, Progress::new(value), Weight::Ordinary, pair.now);
    }
    pair.settle();
    assert_eq!(values(&pair.client_events), [1.0, 3.0, 4.0]);
    assert!(violations(&pair.client_events).is_empty());
}

/// R-PROG-03, R-PROG-07. Beyond the largest number there is none: a heartbeat wrote `null`.
#[test]
fn nothing_is_reported_beyond_the_largest_number() {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let mut server = Hand::server_with(config);
    let id = server.accept(&tool_call("5", Some("5")));
    let now = server.now();
    let report = Progress::new(f64::MAX);
    server.conn().report(&id, report.clone(), Weight::Ordinary, now).unwrap();
    assert_eq!(server.said().len(), 1);
    for weight in [Weight::Heartbeat, Weight::Ordinary] {
        let refused = server.conn().report(&id, report.clone(), weight, now);
        assert_eq!(refused, Err(ReportError::NotIncreasing { last: f64::MAX }), "{weight:?}");
        assert_eq!(server.said(), [""; 0]);
    }
}
