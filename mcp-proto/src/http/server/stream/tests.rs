//! Streams by themselves.

use super::super::replay::Ring;
use super::*;
use alloc::string::String;

const BOTH: Accepts = Accepts { json: true, stream: true };

fn stream(accepts: Accepts) -> Stream {
    let mut stream = Stream::new(StreamName(7), Kind::Answers(Era::Legacy), Exchange(1), accepts);
    stream.has_ids = true;
    stream
}

fn said(message: &'static str) -> Said {
    Said::bare(message.into())
}

fn taken(stream: &mut Stream) -> String {
    match stream.take() {
        Taken::Some(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => alloc::format!("{other:?}"),
    }
}

#[test]
fn what_is_said_first_decides_how() {
    let mut ring = Ring::default();
    for (accepts, is_over, messages, form) in [
        (BOTH, false, 0, Form::Undecided),
        (BOTH, true, 0, Form::Nothing),
        (BOTH, true, 1, Form::Json(StatusCode::OK)),
        (BOTH, false, 1, Form::Events),
        (BOTH, true, 2, Form::Events),
        (Accepts { json: false, stream: true }, true, 1, Form::Events),
        (Accepts { json: true, stream: false }, false, 1, Form::Undecided),
        (Accepts { json: true, stream: false }, true, 2, Form::Json(StatusCode::OK)),
    ] {
        let mut stream = stream(accepts);
        (0..messages).for_each(|_| stream.push(said("[{}]"), &mut ring));
        stream.is_over = is_over;
        stream.decide(&mut ring);
        assert_eq!(stream.form, form, "{accepts:?} {is_over} {messages}");
    }
}

#[test]
fn parts_of_a_batch_become_one_text_where_only_one_is_taken() {
    let mut ring = Ring::default();
    let mut stream = stream(Accepts { json: true, stream: false });
    for part in ["[1,2]", "[3]"] {
        stream.push(said(part), &mut ring);
    }
    stream.is_over = true;
    stream.decide(&mut ring);
    assert_eq!((stream.len(), taken(&mut stream)), (7, "[1,2,3]".into()));
    assert_eq!((stream.len(), taken(&mut stream)), (0, "End".into()));
}

#[test]
fn what_was_refused_is_not_answered_besides() {
    let mut ring = Ring::default();
    let mut stream = stream(BOTH);
    stream.refuse(Response::new("no".into()), &mut ring);
    stream.push(said("[1]"), &mut ring);
    stream.is_over = true;
    stream.decide(&mut ring);
    assert_eq!((stream.len(), taken(&mut stream)), (2, "no".into()));
    assert_eq!((stream.len(), taken(&mut stream)), (0, "End".into()));
}

#[test]
fn each_event_bears_its_stream_and_its_position() {
    let mut ring = Ring::default();
    let mut stream = stream(BOTH);
    stream.push(said("a"), &mut ring);
    stream.push(said("b"), &mut ring);
    stream.decide(&mut ring);
    assert_eq!(taken(&mut stream), "id: 7-1\ndata: a\n\nid: 7-2\ndata: b\n\n");
    assert_eq!((taken(&mut stream), stream.len()), ("Wait".into(), 0));
    stream.push(said("c"), &mut ring);
    assert!(!stream.resume(4, Exchange(2), &ring), "it was never said");
    assert!(stream.resume(1, Exchange(2), &ring));
    assert_eq!(taken(&mut stream), "id: 7-2\ndata: b\n\nid: 7-3\ndata: c\n\n");
    ring.forget(StreamName(7));
    assert!(!stream.resume(1, Exchange(3), &ring), "it is no longer kept");
    assert!(stream.resume(3, Exchange(3), &ring), "nothing is missing");
}

#[test]
fn what_follows_what_is_taken_back_gets_its_positions() {
    let mut ring = Ring::default();
    let mut stream = stream(BOTH);
    let report = |id: i64, text: &'static str| Said {
        route: Route::Related(id.into()),
        message: text.into(),
    };
    stream.push(report(5, "a"), &mut ring);
    stream.decide(&mut ring);
    assert_eq!(taken(&mut stream), "id: 7-1\ndata: a\n\n");
    for (id, text) in [(5, "bb"), (6, "c"), (5, "d")] {
        stream.push(report(id, text), &mut ring);
    }
    let call = Said { route: Route::Call(5.into()), message: "e".into() };
    stream.push(call, &mut ring);
    stream.take_back(&5.into(), &mut ring);
    assert_eq!(stream.len(), 2);
    stream.take_back(&5.into(), &mut ring);
    stream.push(report(5, "f"), &mut ring);
    // What was taken has left, and is said again to whoever asks for it.
    assert!(stream.resume(0, Exchange(2), &ring));
    stream.take_back(&5.into(), &mut ring);
    let again = "id: 7-1\ndata: a\n\nid: 7-2\ndata: c\n\nid: 7-3\ndata: e\n\n";
    assert_eq!((stream.len(), taken(&mut stream)), (3, again.into()));
    assert!(stream.resume(2, Exchange(3), &ring));
    assert_eq!(taken(&mut stream), "id: 7-3\ndata: e\n\n");
}

#[test]
fn an_id_is_read_as_it_is_written_and_in_no_other_way() {
    assert_eq!(read_id(b"7-2"), Some((StreamName(7), 2)));
    assert_eq!(read_id(b"10-0"), Some((StreamName(10), 0)));
    for id in [
        "",
        "-",
        "7",
        "7-",
        "-2",
        "+7-2",
        "7-+2",
        "7-2-1",
        " 7-2",
        "07-2",
        "7-02",
        "7-00",
        "7-18446744073709551616",
    ] {
        assert_eq!(read_id(id.as_bytes()), None, "{id}");
    }
    assert_eq!(read_id(b"\xFF-1"), None);
}
