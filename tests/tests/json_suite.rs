//! The JSON test suite, as texts and inside messages, with serde_json as the judge.

use std::fs;
use std::path::Path;

use mcp_proto::json::{Raw, ScanErrorKind};
use mcp_proto::testing::take_output;
use mcp_proto::{
    ClientConfig, Connection, Event, Instant, RawJson, Revision, ServerConfig, Violation,
};
use serde_json::{Number, Value};

struct File {
    name: String,
    bytes: Vec<u8>,
}

impl File {
    fn must_be_accepted(&self) -> bool {
        self.name.starts_with("y_")
    }

    fn must_be_refused(&self) -> bool {
        self.name.starts_with("n_")
    }
}

#[test]
fn every_text_is_judged_as_the_suite_and_serde_json_do() {
    for file in &suite() {
        let ours = RawJson::parse(file.bytes.clone());
        let theirs = serde_json::from_slice::<Value>(&file.bytes);
        if file.must_be_accepted() || file.must_be_refused() {
            assert_eq!(ours.is_ok(), file.must_be_accepted(), "{}: {ours:?}", file.name);
            assert_eq!(
                theirs.is_ok(),
                file.must_be_accepted(),
                "the judge: {}: {theirs:?}",
                file.name
            );
        }
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else { continue };
        assert_eq!(ours.as_bytes(), file.bytes.trim_ascii(), "{}", file.name);
        match ours.decode::<Value>() {
            Ok(decoded) => {
                // Digits that a build of the judge keeps are not compared, but what they stand for.
                let written = RawJson::of(&decoded).unwrap();
                assert_same(written.as_raw(), &theirs, &file.name);
            }
            Err(error) => assert!(has_huge(&theirs), "{}: {error}", file.name),
        }
        assert_same(ours.as_raw(), &theirs, &file.name);
    }
}

#[test]
fn what_serde_json_refuses_as_text_we_refuse_but_for_numbers_beyond_floats() {
    for file in suite().iter().filter(|file| file.name.starts_with("i_")) {
        let ours = Raw::parse(&file.bytes, 64);
        let theirs = serde_json::from_slice::<Value>(&file.bytes);
        // Digits are kept as they stand, so a number may be larger than any float; its value is refused.
        let is_huge =
            theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        assert_eq!(ours.is_ok(), theirs.is_ok() || is_huge, "{}: {ours:?} {theirs:?}", file.name);
        if is_huge {
            let value = ours.unwrap().decode_owned::<Value>();
            assert!(value.is_err(), "{}: {value:?}", file.name);
        }
    }
}

#[test]
fn inside_a_message_every_text_does_what_it_does_alone_and_the_next_message_is_read() {
    let mut judged = 0;
    for file in &suite() {
        let Ok(text) = str::from_utf8(&file.bytes) else { continue };
        if text.contains('\n') {
            continue;
        }
        judged += 1;
        let mut server = server();
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x/y\",\"params\":{{\"v\":{text}}}}}\n"
        );
        server.handle_input(line.as_bytes(), Instant::ZERO);
        let event = server.poll_event();
        match &event {
            Some(Event::Request { method, params, .. }) => {
                assert!(!file.must_be_refused(), "{}: {event:?}", file.name);
                assert_eq!(method.as_str(), "x/y");
                let value = params.as_ref().and_then(|params| params.get("v")).unwrap();
                assert_eq!(value.as_bytes(), text.trim().as_bytes(), "{}", file.name);
            }
            Some(Event::Violation(Violation::NotJson { .. } | Violation::Refused(_))) => {
                assert!(!file.must_be_accepted(), "{}: {event:?}", file.name);
                let answer = sent(&mut server);
                assert!(answer.contains("\"error\""), "{}: {answer}", file.name);
            }
            _ => panic!("{}: {event:?}", file.name),
        }
        server.handle_input(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n", Instant::ZERO);
        assert_eq!(server.poll_event(), None, "{}", file.name);
        assert_eq!(
            sent(&mut server),
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n",
            "{}",
            file.name
        );
    }
    assert!(judged > 100, "only {judged} files could be put into a line");
}

/// What is at the limit is read on a stack of 256 KiB; what is beyond is refused, however far.
#[test]
fn nesting_is_bounded_at_every_limit() {
    on_a_stack_of(256, || {
        for (open, close) in
            [("[", "]"), ("{\"a\":", "}"), ("[0,", ",[]]"), ("{\"b\":[],\"a\":", "}")]
        {
            for limit in 0..=140 {
                let most = usize::min(limit, 128);
                for depth in [most.saturating_sub(1), most, most + 1, 10_000] {
                    let text = format!("{}[]{}", open.repeat(depth), close.repeat(depth));
                    let raw = Raw::parse(text.as_bytes(), limit);
                    assert_eq!(raw.is_ok(), depth < most, "{depth} + 1 levels, {limit} allowed");
                }
            }
        }
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for limit in [3, 64, 128, usize::MAX] {
                for depth in [1, 2, 62, 63, 126, 127, 100_000] {
                    let mut config = ServerConfig::new("s", "1");
                    config.limits.max_depth = limit;
                    let mut server = Connection::server(config);
                    let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                    let line = format!(
                        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"v\":{value}}}}}\n"
                    );
                    server.handle_input(line.as_bytes(), Instant::ZERO);
                    let is_refused = matches!(
                        server.poll_event(),
                        Some(Event::Violation(Violation::Refused(ScanErrorKind::Depth)))
                    );
                    let is_deep = depth + 2 > usize::min(limit, 128);
                    assert_eq!(is_refused, is_deep, "{depth} at {limit}");
                    assert!(sent(&mut server).starts_with("{\"jsonrpc\":\"2.0\",\"id\":1,"));
                }
            }
        }
    });
}

/// A tree is read and dropped by recursion, and that of serde_json is not ours; so the default limit leaves it room
/// on a stack of 256 KiB, unoptimised. A caller that allows twice the depth needs more, and so does one whose build keeps
/// the order of members: that makes its trees larger.
#[test]
fn a_tree_as_deep_as_the_default_limit_fits_a_small_stack() {
    let keeps_order = serde_json::json!({"b": 1, "a": 2}).to_string().starts_with("{\"b\"");
    let factor = if keeps_order { 2 } else { 1 };
    for (depth, kib) in [(ServerConfig::new("s", "1").limits.max_depth, 256), (128, 1024)] {
        on_a_stack_of(kib * factor, move || {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let text = open.repeat(depth) + "1" + &close.repeat(depth);
                let value: Value = RawJson::parse(text.clone()).unwrap().decode().unwrap();
                assert_eq!(RawJson::of(&value).unwrap().as_str(), text);
            }
        });
    }
}

fn on_a_stack_of(kib: usize, test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(kib << 10).spawn(test).unwrap().join().unwrap();
}

/// The value of a number, if a float can hold it. A build of the judge that keeps digits has larger ones.
fn finite(number: &Number) -> Option<f64> {
    number.as_f64().filter(|value| value.is_finite())
}

fn has_huge(value: &Value) -> bool {
    match value {
        Value::Number(number) => finite(number).is_none(),
        Value::Array(values) => values.iter().any(has_huge),
        Value::Object(values) => values.values().any(has_huge),
        _ => false,
    }
}

/// Every span says what the judge read.
fn assert_same(raw: Raw<'_>, value: &Value, name: &str) {
    match value {
        Value::Null => assert!(raw.is_null(), "{name}"),
        Value::Bool(value) => assert_eq!(raw.as_bool(), Some(*value), "{name}"),
        Value::Number(number) => assert_eq!(raw.as_f64(), finite(number), "{name}"),
        Value::String(text) => assert_eq!(raw.as_str().as_deref(), Some(text.as_str()), "{name}"),
        Value::Array(values) => {
            let items: Vec<_> = raw.items().collect();
            assert_eq!(items.len(), values.len(), "{name}");
            items.into_iter().zip(values).for_each(|(item, value)| assert_same(item, value, name));
        }
        Value::Object(values) => {
            for (key, value) in values {
                // Of equal keys the judge keeps the last.
                let member = raw.members().filter(|(name, _)| name == key).last().unwrap().1;
                assert_same(member, value, name);
            }
        }
    }
}

/// A server that has met its client, in a legacy session.
fn server() -> Connection<mcp_proto::role::Server> {
    let mut client = Connection::client(
        ClientConfig::new("suite", "1").revisions(Revision::V2025_11_25),
        Instant::ZERO,
    );
    let mut server = Connection::server(ServerConfig::new("suite", "1"));
    for _ in 0..2 {
        server.handle_input(sent(&mut client).as_bytes(), Instant::ZERO);
        while server.poll_event().is_some() {}
        client.handle_input(sent(&mut server).as_bytes(), Instant::ZERO);
        while client.poll_event().is_some() {}
    }
    server
}

fn sent<R: mcp_proto::role::Role>(connection: &mut Connection<R>) -> String {
    String::from_utf8(take_output(connection)).unwrap()
}

fn suite() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/json-suite");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| File {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            bytes: fs::read(&path).unwrap(),
        })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let count = |prefix| files.iter().filter(|file| file.name.starts_with(prefix)).count();
    assert_eq!((count("y_"), count("n_"), count("i_")), (48, 94, 18));
    files
}
