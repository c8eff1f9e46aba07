//! A transport with several places for messages: what it says of each, and asks.

use super::*;
use crate::endpoint::Settled;
use crate::progress::Pacing;
use crate::wire::{Message, RequestMeta, read_message};

/// A request from one of the places, which wants progress.
pub(super) fn hear_from<R: Role>(end: &mut Endpoint<R>, origin: u64, message: &str) {
    let core = end.core_mut();
    let frame = Bytes::copy_from_slice(message.as_bytes());
    let read = read_message(&frame, &core.limits, core.tolerance);
    let params = match &read {
        Ok(Message::Request { params, .. }) => *params,
        _ => None,
    };
    core.handle_message_from(Origin(origin), &frame, read, &RequestMeta::of(params), NOW);
}

pub(super) fn request(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"x","_meta":{{"progressToken":{id}}}}}}}"#
    )
}

fn server() -> Endpoint<Server> {
    server_in(Revision::V2025_11_25, |config| config.pacing = Pacing::default().burst(1))
}

fn report(server: &mut Endpoint<Server>, id: u64, value: f64) {
    server.report(&(id as i64).into(), Progress::new(value), Weight::Ordinary, NOW).unwrap();
}

#[test]
fn a_report_whose_reader_is_slow_has_no_timer_until_he_reads() {
    let mut server = server();
    hear_from(&mut server, 1, &request(5));
    report(&mut server, 5, 1.0);
    assert_eq!(said(&mut server).len(), 1);
    server.core_mut().set_outlet(Origin(1), Outlet::Held, NOW);
    report(&mut server, 5, 2.0);
    assert_eq!((server.poll_timeout(), said(&mut server).len()), (None, 0));
    server.core_mut().set_outlet(Origin(1), Outlet::Open, NOW);
    let due = server.poll_timeout().unwrap();
    assert_eq!(due, NOW + Pacing::default().every);
    server.handle_timeout(due);
    assert_eq!(said(&mut server).len(), 1);
}

/// The room that there was when its timer was set may be gone when that is over.
#[test]
fn a_report_whose_time_has_come_waits_for_room() {
    let mut server = server();
    hear_from(&mut server, 1, &request(5));
    hear_from(&mut server, 2, &request(6));
    report(&mut server, 5, 1.0);
    assert_eq!(said(&mut server).len(), 1);
    report(&mut server, 5, 2.0);
    let due = server.poll_timeout().unwrap();
    let long = RawJson::parse(format!("{{\"x\":\"{}\"}}", "x".repeat(70_000))).unwrap();
    server.respond(&6.into(), &long, NOW).unwrap();
    server.handle_timeout(due);
    assert_eq!(said(&mut server).len(), 1, "the answer alone");
    server.handle_timeout(due);
    assert_eq!(said(&mut server).len(), 1);
}

#[test]
fn the_place_of_what_belongs_to_no_request_is_told_apart() {
    let mut server = server();
    for (outlet, is_held) in [(Outlet::Held, true), (Outlet::Shut, false), (Outlet::Open, false)] {
        server.core_mut().set_outlet(Origin::NONE, outlet, NOW);
        assert_eq!(server.core().is_held(), is_held);
        server.core_mut().set_outlet(Origin(1), Outlet::Held, NOW);
        assert_eq!(server.core().is_held(), is_held, "that is another");
    }
}

#[test]
fn the_newest_place_is_known_until_all_that_came_from_it_is_told() {
    let mut server = server();
    assert_eq!(server.core().newest_origin(), Origin::NONE);
    hear_from(&mut server, 7, &request(5));
    hear_from(&mut server, 3, &request(6));
    assert_eq!(server.core().newest_origin(), Origin(7), "a request waits");
    server.fail(&5.into(), &ErrorObject::internal("no"), NOW).unwrap();
    let settled = |server: &mut Endpoint<Server>| server.core_mut().poll_settled().unwrap();
    assert_eq!(settled(&mut server), Settled { origin: Origin(7), revoked: None });
    assert_eq!(server.core().newest_origin(), Origin(7), "its answer waits");
    assert_eq!(said(&mut server).len(), 1);
    assert_eq!(server.core().newest_origin(), Origin(3));
    server.abandon(&6.into(), NOW);
    said(&mut server);
    assert_eq!(server.core().newest_origin(), Origin(3), "it is not told that it is settled");
    assert_eq!(settled(&mut server).origin, Origin(3));
    assert_eq!(server.core().newest_origin(), Origin::NONE);
}

#[test]
fn what_the_requests_of_a_place_were_told_is_known_of_those_that_want_an_answer() {
    let mut server = server();
    hear_from(&mut server, 1, &request(5));
    hear_from(&mut server, 2, &request(6));
    hear_from(&mut server, 2, &request(7));
    let core = server.core_mut();
    core.set_outlet(Origin(2), Outlet::Held, NOW);
    let outlets = |core: &Core, origin| core.outlets_of(Origin(origin)).collect::<Vec<_>>();
    assert_eq!(outlets(core, 1), [Outlet::Open]);
    assert_eq!(outlets(core, 2), [Outlet::Held; 2]);
    core.withdraw(6.into(), None);
    assert_eq!(outlets(core, 2), [Outlet::Held]);
    let strays_are_shut = |core: &Core| core.strays_are_shut(|origin| origin == Origin(1));
    assert!(!strays_are_shut(core));
    core.set_outlet(Origin(2), Outlet::Shut, NOW);
    assert!(strays_are_shut(core) && !core.strays_are_shut(|_| false));
    core.set_outlet(Origin(2), Outlet::Open, NOW);
    assert!(!strays_are_shut(core) && core.strays_are_shut(|_| true));
    core.withdraw(7.into(), None);
    assert!(strays_are_shut(core), "nobody waits for these");
}

#[test]
fn answers_that_wait_for_the_rest_of_their_batch_count() {
    let mut server = server_in(Revision::V2025_03_26, |_| ());
    let ping = r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#;
    hear(&mut server, &format!("[{ping},{}]", request(6)));
    let held = server.core().held_in_batches();
    assert!((30..100).contains(&held), "{held} bytes");
    server.fail(&6.into(), &ErrorObject::internal("no"), NOW).unwrap();
    assert_eq!((server.core().held_in_batches(), said(&mut server).len()), (0, 1));
}

/// A request that its server has cancelled before is not cancelled twice.
#[test]
fn a_session_that_is_lost_ends_what_belonged_to_it_once() {
    let mut client = client_in(Revision::V2025_11_25, |_| ());
    let id = call(&mut client, 10).unwrap();
    for asked in ["a", "b"] {
        hear(&mut client, &format!(r#"{{"jsonrpc":"2.0","id":"{asked}","method":"roots/list"}}"#));
    }
    hear(
        &mut client,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#,
    );
    said(&mut client);
    assert_eq!(told(&mut client).len(), 3);
    client.core_mut().handle_session_lost(NOW);
    let outcome = Err(CallError::Http(HttpError::SessionExpired));
    let cancelled = Event::Cancelled { id: "b".into(), reason: None };
    assert_eq!(told(&mut client), [Event::Response { id, outcome }, cancelled]);
    let said = said(&mut client);
    assert!(matches!(&said[..], [line] if line.contains("\"initialize\"")), "{said:?}");
}
