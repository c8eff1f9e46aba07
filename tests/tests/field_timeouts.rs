//! Faults of other libraries with deadlines, each a test named after the fault.

use std::time::Duration;

use mcp_proto::testing::{Random, SimNet};
use mcp_proto::{CallError, CallOptions, Event, Expired, Limit, RequestId, Revision, Timeouts};
use mcp_tests::{Hand, at, endings, millis, progress, result, secs, values, violations};
use proptest::prelude::*;

/// How the only call that has ended did so, if by a deadline.
fn expired(told: &[Event]) -> Expired {
    let [Event::Response { outcome: Err(CallError::TimedOut(expired)), .. }] = told else {
        panic!("not one timeout: {told:?}")
    };
    *expired
}

/// FIELD-BUGS 42; R-PROG-21. Without a token no report would ever come that could re-arm it.
#[test]
fn a_deadline_that_progress_re_arms_asks_for_progress() {
    for revision in Revision::ALL {
        let mut pair = mcp_proto::testing::Pair::ready(revision).over(SimNet::new(1));
        let options = CallOptions::default().timeouts(Timeouts::default().idle(secs(10)));
        let ticket = pair.client.request(&mcp_tests::work(), options, pair.now).unwrap();
        pair.settle();
        let token = format!("\"progressToken\":{}", ticket.id());
        assert!(pair.client_lines()[0].contains(&token), "{revision}");
        let Some(Event::Request { id, .. }) = pair.server_events.pop() else { panic!() };
        for n in 0..20 {
            pair.advance(secs(9));
            let progress = mcp_proto::Progress::new(f64::from(n));
            pair.server.report(&id, progress, Default::default(), pair.now).unwrap();
        }
        pair.settle();
        assert_eq!(endings(&pair.client_events), [], "{revision}: alive after 180 s");
        assert_eq!(values(&pair.client_events).len(), 20, "{revision}");
    }
}

/// FIELD-BUGS 43; R-TIME-01, R-PROG-22. 300 ms fired at 2,000 ms, or never.
#[test]
fn both_deadlines_fire_on_the_tick() {
    let timeouts = Timeouts::NEVER.idle(millis(200)).total(millis(300));
    // Without progress the idle deadline comes first.
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().timeouts(timeouts));
    assert_eq!(client.conn().poll_timeout(), Some(at(millis(200))));
    client.pass(millis(200) - Duration::from_nanos(1));
    assert_eq!(client.told(), []);
    client.pass(Duration::from_nanos(1));
    let told = client.told();
    assert_eq!((endings(&told), expired(&told).limit), (vec![(id, false)], Limit::Idle));

    // With progress the total one comes, however often it is heard of.
    let mut client = Hand::client();
    client.call(CallOptions::default().timeouts(timeouts));
    for value in 1..30 {
        client.pass(millis(10));
        client.feed(progress("2", &value.to_string()));
        client.told();
    }
    assert_eq!(client.conn().poll_timeout(), Some(at(millis(300))));
    client.pass(millis(10) - Duration::from_nanos(1));
    assert_eq!(client.told(), []);
    client.pass(Duration::from_nanos(1));
    let expired = expired(&client.told());
    assert_eq!((expired.limit, expired.elapsed), (Limit::Total, millis(300)));

    // And the total one alone.
    let mut client = Hand::client();
    client.call(CallOptions::default().timeouts(Timeouts::NEVER.total(millis(300))));
    assert_eq!(client.conn().poll_timeout(), Some(at(millis(300))));
}

/// R-TIME-01. Reports that guess a token arrive before the call is made and wait to be read: they must not move
/// its deadline to a time before it was made, which no timer stands for. Found by fuzzing.
#[test]
fn a_guessed_report_does_not_disarm_a_deadline() {
    let mut client = Hand::client();
    client.feed(progress("2", "1"));
    client.pass(secs(20));
    let id = client.call(CallOptions::default().timeouts(Timeouts::default().idle(secs(10))));
    assert_eq!(values(&client.told()), [1.0]);
    assert_eq!(client.conn().poll_timeout(), Some(at(secs(30))));
    client.pass(secs(10));
    let told = client.told();
    assert_eq!((endings(&told), expired(&told).limit), (vec![(id, false)], Limit::Idle));
}

/// R-PROG-21. More reads than arrival times are told apart: a report counts as heard when its last byte came.
#[test]
fn a_report_in_very_many_reads_re_arms_from_its_last_byte() {
    let mut client = Hand::client();
    client.call(CallOptions::default().timeouts(Timeouts::NEVER.idle(secs(10))));
    let line = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":2,\
         \"progress\":1,\"message\":\"{}\"}}}}\n",
        "m".repeat(1_900)
    );
    for byte in line.as_bytes() {
        client.pass(millis(4));
        client.feed([*byte]);
    }
    assert_eq!(values(&client.told()), [1.0]);
    assert_eq!(client.conn().poll_timeout(), Some(client.now() + secs(10)));
}

/// FIELD-BUGS 43; R-CANC-11. What came before the deadline was in time, however late it is looked at.
#[test]
fn a_late_caller_does_not_lose_what_was_in_time() {
    let options = CallOptions::default().timeouts(Timeouts::NEVER.total(secs(1)));
    let mut client = Hand::client();
    let id = client.call(options.clone());
    client.feed(result(&id));
    client.pass(secs(100));
    assert_eq!(endings(&client.told()), [(id, true)]);
    // At the deadline itself the bytes win, too.
    let mut client = Hand::client();
    let id = client.call(options.clone());
    let due = at(secs(1));
    client.conn().handle_input(result(&id).as_bytes(), due);
    client.conn().handle_timeout(due);
    assert_eq!(endings(&client.told()), [(id, true)]);
    // After it they do not, even if nobody called `handle_timeout`.
    let mut client = Hand::client();
    let id = client.call(options);
    client.conn().handle_input(result(&id).as_bytes(), due + Duration::from_nanos(1));
    assert_eq!(endings(&client.told()), [(id, false)]);
}

proptest! {
    /// FIELD-BUGS 44; R-PROG-22. A fix had restarted the start time, so progress put the end off for ever.
    #[test]
    fn no_progress_moves_the_total_deadline(
        gaps in prop::collection::vec(0_u64..5_000, 1..60),
        total in 1_u64..40_000,
        steps in prop::collection::vec(-3_i32..9, 60),
    ) {
        let timeouts = Timeouts::NEVER.idle(millis(5_000)).total(millis(total));
        let mut client = Hand::client();
        let id = client.call(CallOptions::default().timeouts(timeouts));
        let mut value = 0;
        for (gap, step) in gaps.iter().zip(&steps) {
            client.pass(millis(*gap));
            value += step;
            client.feed(progress("2", &value.to_string()));
            if client.conn().calls_in_flight() == 0 {
                break;
            }
            prop_assert!(client.conn().poll_timeout() <= Some(at(millis(total))));
        }
        client.pass(millis(total));
        let told = client.told();
        prop_assert_eq!(endings(&told), [(id, false)]);
        let expired = told.iter().find_map(|event| match event {
            Event::Response { outcome: Err(CallError::TimedOut(expired)), .. } => Some(*expired),
            _ => None,
        });
        let expired = expired.unwrap();
        prop_assert!(expired.elapsed <= millis(total));
        if expired.limit == Limit::Total {
            prop_assert_eq!(expired.elapsed, millis(total));
        }
    }
}

/// FIELD-BUGS 45; R-PROG-11, R-TIME-03.
#[test]
fn progress_is_delivered_whatever_the_deadlines_are() {
    for timeouts in [
        Timeouts::NEVER,
        Timeouts::default(),
        Timeouts::NEVER.idle(secs(1)),
        Timeouts::NEVER.total(secs(1)),
        Timeouts::NEVER.idle(Duration::MAX).total(Duration::MAX),
        Timeouts::NEVER.idle(Duration::from_nanos(1)),
    ] {
        let mut client = Hand::client();
        let id = client.call(CallOptions::default().tracked().timeouts(timeouts));
        client.feed(progress("2", "1") + &progress("2", "2") + &result(&id));
        let told = client.told();
        assert_eq!(values(&told), [1.0, 2.0], "{timeouts:?}");
        assert_eq!(endings(&told), [(id, true)], "{timeouts:?}");
        assert_eq!(client.conn().poll_timeout(), None, "{timeouts:?}: nothing is left to wait for");
    }
}

/// FIELD-BUGS 46; R-TIME-01, R-PROG-21. Other clients give up after 60 s, or reset what they should not.
#[test]
fn a_call_that_makes_progress_does_not_die_after_a_minute() {
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().tracked());
    for minute in 0..600 {
        client.pass(secs(60));
        client.feed(progress("2", &minute.to_string()));
    }
    let told = client.told();
    assert_eq!((endings(&told), values(&told).len()), (vec![], 600), "ten hours of work");
    client.pass(secs(299));
    assert_eq!(client.told(), []);
    client.pass(secs(1));
    assert_eq!(expired(&client.told()).limit, Limit::Idle, "the documented 300 s");

    let mut client = Hand::client();
    let id_of_silent = client.call(CallOptions::default());
    assert_eq!(id, id_of_silent);
    assert_eq!(client.conn().poll_timeout(), Some(at(secs(300))));

    let mut client = Hand::client();
    client.call(CallOptions::default().timeouts(Timeouts::default().idle(None)));
    assert_eq!(client.conn().poll_timeout(), Some(at(secs(24 * 3600))), "the documented 24 h");
}

/// FIELD-BUGS 47; R-TIME-03. Only the part below a minute, or below a second, was taken.
#[test]
fn long_and_short_deadlines_are_taken_whole() {
    for time in [
        Duration::from_nanos(1),
        millis(1),
        millis(999),
        millis(1_500),
        secs(61),
        secs(3_600) + millis(1),
        secs(86_400) * 3 + secs(5),
        secs(86_400) * 400,
    ] {
        for timeouts in [Timeouts::NEVER.total(time), Timeouts::NEVER.idle(time)] {
            let mut client = Hand::client();
            client.call(CallOptions::default().timeouts(timeouts));
            assert_eq!(client.conn().poll_timeout(), Some(at(time)));
            client.pass(time - Duration::from_nanos(1));
            assert_eq!(client.told(), [], "{time:?}");
            client.pass(Duration::from_nanos(1));
            let expired = expired(&client.told());
            assert_eq!((expired.after, expired.elapsed), (time, time));
        }
    }
    let mut client = Hand::client();
    client.call(CallOptions::default().timeouts(Timeouts::NEVER.total(Duration::MAX)));
    client.pass(secs(86_400) * 365 * 290);
    assert_eq!(client.told(), [], "no overflow brings it near");
}

/// FIELD-BUGS 50; R-TIME-04. "Request timed out" explains nothing.
#[test]
fn a_timeout_says_what_had_happened_until_then() {
    let mut client = Hand::client();
    let timeouts = Timeouts::default().idle(secs(30));
    client.call(CallOptions::default().timeouts(timeouts));
    let other = client.call(CallOptions::default());
    client.pass(secs(20));
    client.feed(progress("2", "3") + &progress("2", "7"));
    client.told();
    client.pass(secs(30));
    let told = client.told();
    let found = expired(&told);
    assert_eq!((found.limit, found.after, found.elapsed), (Limit::Idle, secs(30), secs(50)));
    assert_eq!((found.tracked, found.reports, found.last, found.others), (true, 2, Some(7.0), 1));
    let text = found.to_string();
    for part in ["30s", "2 reports", "last said 7", "1 other"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(client.conn().calls_in_flight(), 1);

    client.pass(secs(250));
    let told = client.told();
    let found = expired(&told);
    assert_eq!(endings(&told), [(other, false)]);
    assert!(!found.tracked);
    assert!(
        found.to_string().contains("progress was not asked for"),
        "the remedy is named: {found}"
    );
    assert_ne!(CallError::TimedOut(found), CallError::Closed(mcp_proto::CloseReason::Local));
}

/// FIELD-BUGS 50; R-TIME-02. A peer that reads nothing does not hold the deadline up.
#[test]
fn a_deadline_fires_although_the_peer_reads_nothing() {
    let mut client = Hand::client();
    let now = client.now();
    let options = CallOptions::default().timeouts(Timeouts::NEVER.total(secs(5)));
    let ticket = client.conn().request(&mcp_tests::work(), options, now).unwrap();
    client.pass(secs(5));
    let told = client.told();
    assert_eq!(endings(&told), [(ticket.id().clone(), false)]);
    assert_eq!(client.said(), [""; 0], "it was never sent, so there is nothing to cancel");
}

/// FIELD-BUGS 43; R-TIME-01. Nothing happens twice, whoever calls it how often.
#[test]
fn a_deadline_fires_once_under_any_schedule() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut client = Hand::client();
        let mut ids: Vec<RequestId> = Vec::new();
        for _ in 0..20 {
            let timeouts =
                Timeouts::NEVER.idle(millis(random.below(500))).total(millis(random.below(1_000)));
            ids.push(client.call(CallOptions::default().timeouts(timeouts)));
            client.pass(millis(random.below(50)));
        }
        while let Some(due) = client.conn().poll_timeout() {
            client.conn().handle_timeout(due);
            client.conn().handle_timeout(due);
            assert!(client.conn().poll_timeout() != Some(due), "seed {seed}: it would spin");
        }
        let told = client.told();
        let mut ended: Vec<_> = endings(&told).into_iter().map(|(id, _)| id).collect();
        ended.sort_by_key(RequestId::as_i64);
        assert_eq!(ended, ids, "seed {seed}");
        assert!(violations(&told).is_empty());
    }
}
