//! What a snapshot keeps, and takes back.

use super::places::{hear_from, request};
use super::*;

fn again(server: &Endpoint<Server>, limits: Limits) -> Endpoint<Server> {
    let config = ServerConfig::new("s", "1").limits(limits);
    Endpoint::<Server>::restore(server.snapshot(NOW), config, NOW).unwrap()
}

#[test]
fn what_was_asked_is_kept_as_far_as_the_limit_until_it_is_answered() {
    let mut server = server_in(Revision::V2025_11_25, |config| {
        config.limits.max_message_len = size_of::<Asked>() + "tools/list".len();
    });
    let mut is_kept = |id: i64| {
        hear(&mut server, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#));
        assert!(server.in_flight().all(|request| *request.id != id.into()), "it is still told of");
        assert!(matches!(told(&mut server)[..], [Event::Request { .. }]));
        let is_kept =
            server.in_flight().find(|request| *request.id == id.into()).unwrap().asked.is_some();
        if id != 5 {
            server.fail(&id.into(), &ErrorObject::internal("no"), NOW).unwrap();
        }
        is_kept
    };
    assert_eq!([3, 4, 5, 6, 7].map(&mut is_kept), [true, true, true, false, false]);
    server.fail(&5.into(), &ErrorObject::internal("no"), NOW).unwrap();
    hear(&mut server, r#"{"jsonrpc":"2.0","id":8,"method":"tools/list"}"#);
    hear(&mut server, r#"{"jsonrpc":"2.0","id":9,"method":"tools/lists"}"#);
    told(&mut server);
    let kept: Vec<_> = server.in_flight().map(|request| request.asked.is_some()).collect();
    assert_eq!(kept, [true, false]);
}

#[test]
fn what_can_wait_can_be_restored_however_much_it_is() {
    let mut limits = Limits::default();
    (limits.max_requests, limits.max_calls, limits.max_batch_len) = (1, 1, 1);
    (limits.max_outbox_len, limits.max_output_len) = (31 * 1_000, 1 << 20);
    let mut server = server_in(Revision::V2025_11_25, |config| config.limits = limits);
    // The shortest that there is, so that they are as many as can be.
    while server.core_mut().notify("", &EmptyResult {}).is_ok() {}
    let mut restored = again(&server, limits);
    let (all, again) = (said(&mut server), said(&mut restored));
    assert!(all.len() > 500 && all == again, "{} and {}", all.len(), again.len());
}

#[test]
fn requests_that_are_settled_and_not_told_so_are_settled_still() {
    let mut server = server_in(Revision::V2025_11_25, |_| ());
    for id in 5..9 {
        hear_from(&mut server, id, &request(id));
        server.fail(&(id as i64).into(), &ErrorObject::internal("no"), NOW).unwrap();
    }
    let mut restored = again(&server, Limits::default());
    let mut settled: Vec<_> =
        ::core::iter::from_fn(|| Some(restored.core_mut().poll_settled()?.origin)).collect();
    settled.sort();
    assert_eq!(settled, [5, 6, 7, 8].map(Origin));
}

/// A session on HTTP is kept between messages only.
#[test]
fn a_message_that_has_left_in_part_is_known() {
    let mut client = new_client(|_| ());
    assert!(client.core().is_between_messages());
    assert!(client.core_mut().lend_chunk(3).is_some());
    client.core_mut().advance(3);
    assert!(!client.core().is_between_messages());
    let rest = client.core_mut().lend_chunk(usize::MAX).unwrap().len();
    client.core_mut().advance(rest);
    assert!(client.core().is_between_messages());
}
