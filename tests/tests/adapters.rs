//! The adapters: small, and with examples that differ in nothing but the runtime's name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each adapter with the names that its runtime has in the text.
const ADAPTERS: [(&str, [&str; 2]); 3] = [
    ("mcp-tokio", ["tokio", "tokio"]),
    ("mcp-smol", ["smol", "smol"]),
    ("mcp-async-std", ["async-std", "async_std"]),
];

/// Examples for libraries that only one runtime has.
const OF_ONE: [&str; 2] = ["axum.rs", "reqwest.rs"];

/// Lines of an adapter, with everything that is in it.
const MAX_LINES: usize = 900;

fn folder(adapter: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(adapter)
}

/// The Rust files below a folder, by their place in it.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The words of a text without its imports, and with one name for every runtime.
fn words(text: &str, names: [&str; 2]) -> Vec<String> {
    let mut is_import = false;
    let mut kept = String::new();
    for line in text.lines() {
        is_import |= line.trim_start().starts_with("use ");
        if !is_import {
            kept.push_str(line);
            kept.push('\n');
        }
        is_import &= !line.ends_with(';');
    }
    for name in names {
        kept = kept.replace(name, "RUNTIME");
    }
    kept.split_whitespace().map(str::to_owned).collect()
}

/// The examples of an adapter that the others have too, in words; its own names for things are in `runtime/mod.rs`.
fn examples(adapter: &str, names: [&str; 2]) -> Vec<(String, Vec<String>)> {
    let all = sources(&folder(adapter).join("examples"));
    let shared = all.into_iter().filter(|(name, _)| !OF_ONE.contains(&name.as_str()));
    shared
        .filter(|(name, _)| name != "runtime/mod.rs")
        .map(|(name, text)| (name, words(&text, names)))
        .collect()
}

#[test]
fn the_examples_of_all_adapters_are_alike_word_for_word() {
    let [(first, names), others @ ..] = ADAPTERS;
    let expected = examples(first, names);
    let known: BTreeSet<_> = expected.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "call.rs",
        "client.rs",
        "demo/mod.rs",
        "http_server.rs",
        "resize.rs",
        "server.rs",
        "ws_server.rs",
    ] {
        assert!(known.contains(name), "{first} has no example {name}");
    }
    for (adapter, names) in others {
        let found = examples(adapter, names);
        let there: BTreeSet<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(there, known, "the examples of {adapter} and those of {first}");
        for ((name, ours), (_, theirs)) in expected.iter().zip(&found) {
            let differs = ours.iter().zip(theirs).position(|(a, b)| a != b);
            let at = differs.unwrap_or_else(|| ours.len().min(theirs.len()));
            let near = |words: &[String]| {
                words[at.saturating_sub(6)..].iter().take(12).cloned().collect::<Vec<_>>()
            };
            assert!(
                ours == theirs,
                "{name}: {:?} on {first}, {:?} on {adapter}",
                near(ours),
                near(theirs)
            );
        }
    }
}

/// A first example fits on two screens.
#[test]
fn the_example_that_calls_any_tool_has_little_more_than_a_hundred_lines() {
    for (adapter, _) in ADAPTERS {
        let text = fs::read_to_string(folder(adapter).join("examples/call.rs")).unwrap();
        assert!(text.lines().count() <= 125, "{adapter}: {}", text.lines().count());
    }
}

/// DECISIONS D4: what is equal is written once, below them.
#[test]
fn each_adapter_is_small() {
    for (adapter, _) in ADAPTERS {
        let sources = sources(&folder(adapter).join("src"));
        let own = sources.iter().filter(|(name, _)| !name.starts_with("bin/"));
        let lines: usize = own.map(|(_, text)| text.lines().count()).sum();
        assert!((100..MAX_LINES).contains(&lines), "{adapter} has {lines} lines");
    }
}

/// What is tried as a newcomer's crate and what is tested as an example are one program.
#[test]
fn the_page_on_embedding_shows_the_example_on_threads() {
    let read = |file| fs::read_to_string(folder("").join(file)).unwrap();
    let (page, example) = (read("docs/embedding.md"), read("mcp-proto/examples/threads.rs"));
    let (_, program) = example.split_once("// outside the engine, clocks are fine\n\n").unwrap();
    assert!(page.contains(&format!("```rust,no_run\n{program}```\n")));
}

/// What a new runtime takes for byte streams, and the examples of those who have none.
#[test]
fn what_needs_no_adapter_of_ours_is_short() {
    for (file, most) in [
        ("tests/runtimes/src/toy.rs", 150),
        ("mcp-proto/examples/threads.rs", 149),
        ("mcp-proto/examples/threads_server.rs", 149),
        ("mcp-proto/examples/mio.rs", 149),
    ] {
        let text = fs::read_to_string(folder("").join(file)).unwrap();
        let lines = text.lines().count();
        assert!((30..=most).contains(&lines), "{file} has {lines} lines");
    }
}

/// What an adapter offers, and where. A name of its own for its runtime is one name.
fn offered(adapter: &str, names: [&str; 2]) -> BTreeSet<(String, String)> {
    let types = ["Tokio", "Smol", "AsyncStd"];
    let mut offered = BTreeSet::new();
    for (file, text) in sources(&folder(adapter).join("src")) {
        if MODULES.contains(&file.as_str()) {
            for name in public_names(&text) {
                let name = if types.contains(&&*name) { "RUNTIME".to_owned() } else { name };
                offered.insert((file.clone(), name.replace(names[1], "RUNTIME")));
            }
        }
    }
    offered
}

/// What a user names. What else there is is private, or `parts`, for those who write an adapter.
const MODULES: [&str; 6] = ["child.rs", "http.rs", "lib.rs", "tcp.rs", "unix.rs", "ws.rs"];

/// The public functions, imports and modules of a source.
fn public_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("\npub ") {
        let item = &text[at + "\npub ".len()..];
        let words = item.strip_prefix("async ").unwrap_or(item);
        if let Some(rest) = words.strip_prefix("fn ") {
            names.extend(rest.split(['<', '(']).next().map(str::to_owned));
        } else if let Some(rest) = words.strip_prefix("mod ") {
            names.extend(rest.split(';').next().map(|name| format!("mod {name}")));
        } else if let Some(rest) = words.strip_prefix("use ") {
            let path = rest.split(';').next().unwrap();
            let last = path.split('{').nth(1).map(|list| list.trim_end_matches('}'));
            let list = last.unwrap_or_else(|| path.rsplit("::").next().unwrap());
            // All of a module is what that module has.
            let list = if list == "*" { path } else { list };
            let one = |name: &str| name.trim().rsplit(" as ").next().unwrap().to_owned();
            names.extend(list.split(',').map(one).filter(|name| !name.is_empty()));
        }
    }
    names
}

/// Who changes the runtime changes an import.
#[test]
fn all_adapters_offer_the_same_names() {
    let [(first, names), others @ ..] = ADAPTERS;
    let expected = offered(first, names);
    assert!(expected.len() > 50, "{expected:?}");
    for (adapter, names) in others {
        let mut found = offered(adapter, names);
        // What stands on smol's reactor and on no executor, for other adapters.
        found.remove(&("lib.rs".to_owned(), "mod parts".to_owned()));
        let differ: Vec<_> = expected.symmetric_difference(&found).collect();
        assert!(differ.is_empty(), "{first} and {adapter} differ in {differ:?}");
    }
}

/// The public functions of an adapter with what is said of them, without their examples, and how they are called.
fn told(adapter: &str, names: [&str; 2]) -> BTreeMap<(String, String), Vec<String>> {
    let mut told = BTreeMap::new();
    for (file, text) in sources(&folder(adapter).join("src")) {
        if MODULES.contains(&file.as_str()) {
            for (name, text) in functions(&text) {
                let text = text.replace("AsyncStd", "RUNTIME").replace(adapter, "RUNTIME");
                // Their traits are called differently, and a socket of async-std is told that it is closed by its type.
                let text = text.replace("AsyncRead", "Read").replace("AsyncWrite", "Write");
                let text = text.replace("W: Write + 'static>(", "W: Write>(");
                let text = text.replace("W: Write + 'static, {", "W: Write, {");
                told.insert((file.clone(), name), words(&text.to_lowercase(), names));
            }
        }
    }
    told
}

/// Each public function by its name, with the documentation before it and all until its body.
fn functions(text: &str) -> Vec<(String, String)> {
    let (mut found, mut kept) = (Vec::new(), String::new());
    let (mut is_code, mut is_head) = (false, false);
    for line in text.lines().map(str::trim) {
        let doc = line.strip_prefix("///").map(str::trim);
        is_code ^= doc.is_some_and(|doc| doc.starts_with("```"));
        let starts = line.starts_with("pub fn ") || line.starts_with("pub async fn ");
        is_head |= starts;
        match doc {
            Some(doc) if !is_code && !doc.starts_with("```") => kept += &format!("{doc} "),
            Some(_) => {}
            None if is_head => kept += &format!("{line} "),
            None if line.starts_with('#') => {}
            None => kept.clear(),
        }
        if is_head && line.ends_with('{') {
            let name = kept.split("fn ").last().unwrap().split(['<', '(']).next().unwrap();
            found.push((name.to_owned(), std::mem::take(&mut kept)));
            is_head = false;
        }
    }
    found
}

/// One behaviour is one description.
#[test]
fn all_adapters_say_the_same_of_what_they_offer() {
    let [(first, names), others @ ..] = ADAPTERS;
    let expected = told(first, names);
    assert!(expected.len() > 25, "{:?}", expected.keys());
    assert!(expected.values().all(|words| words.len() > 10), "{expected:?}");
    for (adapter, names) in others {
        let found = told(adapter, names);
        for (name, words) in &expected {
            assert_eq!(found.get(name), Some(words), "{name:?} of {first} and {adapter}");
        }
    }
}

/// What an adapter has at its root too, under a name of its own there.
const AT_ROOT: [(&str, &str); 4] = [
    ("child::spawn", "spawn"),
    ("http::connect", "connect_url"),
    ("http::run", "run_http"),
    ("ws::connect", "connect_ws"),
];

/// A name is not enough: each function is called, by one text on all of them, and that text by the tests.
#[test]
fn what_an_adapter_offers_is_called_on_every_adapter() {
    let suite = folder("tests/runtimes");
    let read = |file: &str| fs::read_to_string(suite.join("src").join(file)).unwrap();
    let calls = read("hosts.rs") + &read("web.rs");
    let is_called = |path: &str| calls.contains(&format!("$adapter::{path}("));
    let mut found = 0;
    for (file, text) in sources(&folder(ADAPTERS[0].0).join("src")) {
        let module = file.trim_end_matches(".rs");
        let is_offered = MODULES.contains(&file.as_str());
        for (name, _) in functions(&text).into_iter().filter(|_| is_offered) {
            let path = if module == "lib" { name } else { format!("{module}::{name}") };
            let mut at_root = AT_ROOT.iter().filter(|(inside, _)| *inside == path);
            assert!(is_called(&path) || at_root.any(|(_, name)| is_called(name)), "{path}");
            found += 1;
        }
    }
    assert!(found > 20, "only {found} functions");

    let bodies = sources(&suite.join("tests")).into_iter().chain(sources(&suite.join("src")));
    let bodies: String = bodies.map(|(_, text)| text).collect();
    for method in (read("host.rs") + &read("web.rs")).split("    /// The adapter's `").skip(1) {
        let name = method.split("    fn ").nth(1).unwrap().split(['<', '(']).next().unwrap();
        assert!(bodies.contains(&format!("H::{name}(")), "nobody calls {name}");
    }
}

#[test]
fn a_public_name_is_seen_however_it_is_written() {
    let text = "\npub fn a<T>() {}\npub async fn b(\nfn c() {}\npub use x::y::{D, e as F,\n    G};\n\
                pub use h::I;\npub use j::k as l;\npub use m::*;\npub mod n;\n    pub fn o() {}\n";
    assert_eq!(public_names(text), ["a", "b", "D", "F", "G", "I", "l", "m::*", "mod n"]);
}

#[test]
fn the_comparison_sees_a_word_and_passes_over_names_and_imports() {
    let ours = "use tokio::time::{\n    sleep,\n};\nfn a() {\n    mcp_tokio::run(1);\n}\n";
    let same = "use async_std::task::sleep;\nfn a() { mcp_async_std::run(1); }\n";
    let [(_, tokio), _, (_, async_std)] = ADAPTERS;
    assert_eq!(words(ours, tokio), words(same, async_std));
    assert_ne!(words(ours, tokio), words(&same.replace("run(1)", "run(2)"), async_std));
    assert_ne!(words(ours, tokio), words(&format!("{same}// more\n"), async_std));
}
