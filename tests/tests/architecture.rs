//! The floors of `mcp-proto`: a module uses what is on floors below its own, or beside it without a
//! circle; never what is above.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each module of the engine, from the ground up.
const FLOORS: [(&str, u8); 28] = [
    ("bound", 1),
    ("slots", 1),
    ("sorted", 1),
    ("json", 1),
    ("id", 1),
    ("role", 1),
    ("revision", 1),
    ("time", 1),
    ("state", 1),
    ("digest", 1),
    ("method", 1),
    ("types", 2),
    ("error", 2),
    ("config", 2),
    ("wire", 3),
    ("progress", 3),
    ("event", 3),
    ("era", 4),
    ("codec", 4),
    ("endpoint", 5),
    ("stdio", 6),
    ("http", 6),
    ("memory", 6),
    ("driver", 7),
    ("router", 8),
    ("net", 9),
    ("testing", 9),
    ("lib", 10),
];

/// Arrows that run up and are meant to. Each with its reason.
const EXCEPTIONS: [(&str, &str, &str); 1] =
    [("config", "progress", "`Pacing` is configuration, but belongs to the concept that it paces")];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-proto/src")
}

/// Every source file with its module: the first folder, or the file itself.
fn files() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, module: Option<&str>, found: &mut Vec<(String, PathBuf, String)>) {
        let mut entries: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if name == "tests" {
                continue; // they may know everything, as those at the end of a file
            }
            let module = module.unwrap_or(&name);
            if path.is_dir() {
                walk(&path, Some(module), found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((module.to_owned(), path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&source(), None, &mut found);
    assert!(found.len() > 40, "the source was not found");
    found
}

/// The code of a file without its unit tests and comments, a line each.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_test = |line: &&str| line.starts_with("#[cfg(test)]");
    let lines = text.lines().enumerate().take_while(move |(_, line)| !is_test(line));
    lines
        .map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// The modules named behind `crate::`, also in `use crate::{a::b, c}`.
fn used(line: &str, rest: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let behind = &line[at + "crate::".len()..];
        let list = behind.strip_prefix('{').map(|_| format!("{behind}{rest}"));
        let word = |text: &str| -> String {
            text.trim_start()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        };
        match list {
            None => modules.push(word(behind)),
            Some(list) => {
                let (mut depth, mut item) = (0, String::new());
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if (c == ',' && depth == 1) || depth == 0 {
                        modules.push(word(&item));
                        item.clear();
                    } else if !(c == '{' && depth == 1) {
                        item.push(c);
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

/// Every arrow from one module to another, with where it is.
fn arrows() -> BTreeMap<(String, String), String> {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let mut arrows = BTreeMap::new();
    for (from, path, text) in files() {
        assert!(floors.contains_key(from.as_str()), "{from} has no floor: add it to FLOORS");
        let lines: Vec<_> = code(&text).collect();
        for (index, (number, line)) in lines.iter().enumerate() {
            let rest: String =
                lines.iter().skip(index + 1).take(12).map(|(_, line)| *line).collect();
            for to in used(line, &rest) {
                // What is no module is a name that `lib.rs` re-exports.
                let to = if floors.contains_key(to.as_str()) { to } else { "lib".to_owned() };
                if to != from && from != "lib" {
                    arrows
                        .entry((from.clone(), to))
                        .or_insert_with(|| format!("{}:{number}", path.display()));
                }
            }
        }
    }
    arrows
}

/// DECISIONS D15.
#[test]
fn no_arrow_runs_up_the_floors() {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let mut faults = String::new();
    let arrows = arrows();
    for ((from, to), place) in &arrows {
        let is_meant = EXCEPTIONS.iter().any(|(a, b, _)| a == from && b == to);
        if floors[to.as_str()] > floors[from.as_str()] && !is_meant {
            writeln!(
                faults,
                "{from} (floor {}) -> {to} (floor {}) at {place}",
                floors[from.as_str()],
                floors[to.as_str()]
            )
            .unwrap();
        }
    }
    assert!(faults.is_empty(), "arrows run up:\n{faults}");
    // Were nothing found at all, the reader of `use` lines would be broken.
    for known in [("stdio", "wire"), ("endpoint", "era"), ("era", "types"), ("wire", "json")] {
        let known = (known.0.to_owned(), known.1.to_owned());
        assert!(arrows.contains_key(&known), "{known:?} was not seen");
    }
}

/// DECISIONS D15: beside each other, but in no circle.
#[test]
fn modules_of_a_floor_form_no_circle() {
    let arrows = arrows();
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let beside: BTreeSet<(&str, &str)> = arrows
        .keys()
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .filter(|(from, to)| floors[from] == floors[to])
        .collect();
    for (start, _) in &beside {
        let (mut reached, mut next) = (BTreeSet::new(), vec![*start]);
        while let Some(at) = next.pop() {
            for (_, to) in beside.iter().filter(|(from, _)| *from == at) {
                assert_ne!(to, start, "a circle through {start} and {at}: {beside:?}");
                if reached.insert(*to) {
                    next.push(to);
                }
            }
        }
    }
}

/// STYLE 4.4: the machine knows no future, no waker and no lock.
#[test]
fn only_the_upper_floors_know_futures_and_locks() {
    let mut faults = String::new();
    for (module, path, text) in files() {
        if ["driver", "net", "router", "testing"].contains(&module.as_str()) {
            continue;
        }
        for (number, line) in code(&text) {
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let known =
                ["Future", "Waker", "Mutex", "RwLock", "Condvar", "Poll", "async", "await", "std"];
            if let Some(word) = words.find(|word| known.contains(word))
                && !(module == "lib" && word == "std")
            {
                writeln!(faults, "{word} at {}:{number}", path.display()).unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "below the driver:\n{faults}");
}

#[test]
fn the_reader_of_use_lines_sees_every_form() {
    assert_eq!(used("use crate::json::Raw;", ""), ["json"]);
    assert_eq!(used("    let x = crate::json::write(crate::id::of(y));", ""), ["json", "id"]);
    assert_eq!(used("use crate::{method::Request, role};", ""), ["method", "role"]);
    assert_eq!(used("use crate::{", "    a::{b, c}, d,};"), ["a", "d"]);
    assert_eq!(used("use super::x;", ""), [""; 0]);
}
