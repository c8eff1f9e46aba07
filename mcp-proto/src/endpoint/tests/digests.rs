//! What decides the future is told apart: a model that takes two states for one visits one of them only.

use super::*;
use crate::digest::Digest;
use crate::endpoint::answers::{Answers, Reports};
use crate::endpoint::deadlines::{Deadlines, Timer};
use crate::progress::{Bucket, Pacing, Receiver, Sender};
use ::core::hash::Hasher;
use std::hash::DefaultHasher;

/// The digest of one part.
fn of(part: impl FnOnce(&mut Digest<'_>)) -> u64 {
    let mut hasher = DefaultHasher::new();
    part(&mut Digest::new(NOW, &mut hasher));
    hasher.finish()
}

fn whole<R: Role>(end: &Endpoint<R>) -> u64 {
    let mut hasher = DefaultHasher::new();
    end.digest(NOW, &mut hasher);
    hasher.finish()
}

#[test]
fn each_part_is_another_once_something_has_happened_to_it() {
    let limits = Limits::default();
    let later = NOW + Duration::from_secs(1);
    let mut bucket = Bucket::new(Pacing::default());
    let before = of(|digest| bucket.digest(digest));
    assert!(bucket.try_take(NOW));
    assert_ne!(of(|digest| bucket.digest(digest)), before);

    let mut answers = Answers::new(&limits);
    let before = of(|digest| answers.digest(digest));
    answers.take(NOW);
    assert_ne!(of(|digest| answers.digest(digest)), before);

    let mut reports = Reports::new(&limits);
    let before = of(|digest| reports.digest(digest));
    reports.take(NOW);
    assert_ne!(of(|digest| reports.digest(digest)), before);

    let mut receiver = Receiver::default();
    let before = of(|digest| receiver.digest(digest));
    receiver.accept(1.0).unwrap();
    assert_ne!(of(|digest| receiver.digest(digest)), before);

    let mut sender = Sender::new(Pacing::UNLIMITED, 1);
    let before = of(|digest| sender.digest(digest));
    sender.offer(Progress::new(1.0), Weight::Ordinary, true, NOW).unwrap();
    assert_ne!(of(|digest| sender.digest(digest)), before);

    let mut deadlines = Deadlines::default();
    let before = of(|digest| deadlines.digest(digest));
    deadlines.arm(later, Timer::Call(1));
    assert_ne!(of(|digest| deadlines.digest(digest)), before);
}

#[test]
fn lives_differ_by_their_era_and_how_far_they_have_come() {
    let lives = [
        of(|digest| new_client(|_| ()).core.life.digest(digest)),
        of(|digest| client_in(Revision::V2025_11_25, |_| ()).core.life.digest(digest)),
        of(|digest| client_in(Revision::V2026_07_28, |_| ()).core.life.digest(digest)),
        of(|digest| new_server().core.life.digest(digest)),
        of(|digest| server_in(Revision::V2025_11_25, |_| ()).core.life.digest(digest)),
    ];
    for (at, life) in lives.iter().enumerate() {
        assert!(!lives[..at].contains(life), "{at}");
    }
}

#[test]
fn who_waits_for_an_answer_is_not_who_has_it() {
    let mut client = client_in(Revision::V2025_11_25, |_| ());
    let id = call(&mut client, 10).unwrap();
    said(&mut client);
    let waiting = whole(&client);
    hear(&mut client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    told(&mut client);
    assert_ne!(whole(&client), waiting);

    let mut server = server_in(Revision::V2025_11_25, |_| ());
    let idle = whole(&server);
    hear(&mut server, r#"{"jsonrpc":"2.0","id":5,"method":"tools/list"}"#);
    told(&mut server);
    assert_ne!(whole(&server), idle);
    server.fail(&5.into(), &ErrorObject::internal("no"), NOW).unwrap();
    said(&mut server);
    assert_eq!(whole(&server), idle, "how many there were is only told");
}

#[test]
fn what_is_held_is_told_apart() {
    let digest = |text: &str| {
        let mut client = new_client(|_| ());
        let params = RawJson::parse(format!("{{\"x\":\"{text}\"}}")).unwrap();
        client.request_raw("x", Some(&params), CallOptions::default(), NOW).unwrap();
        whole(&client)
    };
    assert_eq!(digest("one"), digest("one"));
    assert_ne!(digest("one"), digest("two"));
}
