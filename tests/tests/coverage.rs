//! The faults of other libraries that the field knows, each with the tests that cite it, in every layer where it was at home.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mcp_tests::named::is_test;

/// Where a test is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// The machine for one conversation.
    Engine,
    /// The machines for HTTP.
    Http,
    /// Futures, queues and handlers on a runtime of the tests' own.
    Driver,
    /// Streams, sockets and processes on the runtimes themselves.
    Adapters,
    /// `mcpcli`, and other hosts that draw.
    Tool,
}

use Layer::{Adapters, Driver, Engine, Http, Tool};

/// How many there are.
const FAULTS: u32 = 85;

/// Those that are not tested because what they are faults of is not built: why, and the page that says so in these words.
const NOT_BUILT: [(u32, &str, &str, &str); 4] = [
    (
        31,
        "no status of a task races with its progress",
        "README.md",
        "| tasks | – | – | – | not yet³ |",
    ),
    (
        32,
        "no task and no second round reports",
        "README.md",
        "| results in several rounds (`input_required`) |",
    ),
    (
        51,
        "nothing waits for input",
        "README.md",
        "| results in several rounds (`input_required`) |",
    ),
    (
        84,
        "there is one result",
        "README.md",
        "| partial results, which are proposed and in no revision",
    ),
];

/// Those that were not the engine's alone, or not at all: each of these layers has a test of its own.
const LAYERS: [(u32, &[Layer]); 43] = [
    (17, &[Engine, Driver, Adapters]),
    (19, &[Engine, Driver, Adapters]),
    (20, &[Engine, Driver, Adapters]),
    (21, &[Engine, Adapters]),
    (22, &[Engine, Adapters]),
    (24, &[Engine, Http]),
    (25, &[Engine, Http]),
    (26, &[Http]),
    (27, &[Http]),
    (28, &[Adapters]),
    (29, &[Http]),
    (30, &[Adapters]),
    (37, &[Engine, Driver, Adapters]),
    (39, &[Engine, Adapters]),
    (40, &[Engine, Adapters]),
    (43, &[Engine, Tool]),
    (46, &[Engine, Tool]),
    (47, &[Engine, Adapters]),
    (48, &[Http, Adapters]),
    (49, &[Adapters]),
    (50, &[Engine, Tool]),
    (52, &[Adapters]),
    (57, &[Http, Adapters]),
    (58, &[Http, Adapters]),
    (59, &[Engine, Driver, Adapters]),
    (60, &[Engine, Http, Adapters]),
    (62, &[Engine, Driver, Adapters]),
    (63, &[Http, Adapters]),
    (64, &[Driver]),
    (65, &[Engine, Adapters]),
    (66, &[Http, Adapters]),
    (67, &[Http]),
    (70, &[Engine, Adapters]),
    (73, &[Engine, Adapters]),
    (74, &[Engine, Adapters]),
    (75, &[Engine, Adapters]),
    (76, &[Adapters]),
    (77, &[Adapters]),
    (78, &[Http, Adapters]),
    (79, &[Engine, Adapters]),
    (80, &[Engine, Http]),
    (81, &[Engine, Driver, Adapters]),
    (83, &[Tool]),
];

/// The folders that are searched, and where what is in them is at home. The first that fits counts.
const FOLDERS: [(&str, Layer); 8] = [
    ("tests/tests/host.rs", Tool),
    ("tests/tests/http_", Http),
    ("tests/tests", Engine),
    ("tests/runtimes/tests", Adapters),
    ("mcp-proto/tests", Driver),
    ("mcp-tokio/tests/cli", Tool),
    ("mcp-tokio/tests", Adapters),
    ("mcp-smol/tests", Adapters),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file below here, by its place in the repository.
fn sources(place: &str) -> Vec<(String, String)> {
    let (mut found, mut open) = (Vec::new(), vec![root().join(place)]);
    while let Some(next) = open.pop() {
        if next.is_dir() {
            open.extend(fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()));
        } else if next.extension().is_some_and(|extension| extension == "rs") {
            let name = next.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            found.push((name, fs::read_to_string(next).unwrap()));
        }
    }
    found
}

/// The faults that a file cites. Each citation stands above a test and names a requirement.
fn cited(name: &str, text: &str) -> Vec<u32> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut cited = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        assert!(
            !line.starts_with("// FIELD-BUGS"),
            "{name}: a citation stands above its test, as documentation: {line}"
        );
        let Some(rest) = line.strip_prefix("/// FIELD-BUGS ") else { continue };
        let (numbers, why) = rest.split_once(';').unwrap_or_else(|| panic!("{name}: {line}"));
        assert!(why.contains("R-"), "{name}: no requirement is named: {line}");
        let is_function = |line: &&&str| line.starts_with("fn ") || line.starts_with("async fn ");
        let head = lines[at..].iter().find(is_function).unwrap();
        let function = head.trim_start_matches("async ").trim_start_matches("fn ");
        let function = function.split(['(', '<']).next().unwrap();
        let mut between = lines[at..].iter().take_while(|line| !is_function(line));
        let is_property = text.contains("proptest!") && between.all(|line| line.starts_with("//"));
        assert!(is_property || is_test(text, function, true), "{name}: {function} is no test");
        let number =
            |text: &str| text.trim().parse::<u32>().unwrap_or_else(|_| panic!("{name}: {line}"));
        cited.extend(numbers.split(',').map(number));
    }
    cited
}

/// Which layers cite which fault.
fn all_cited() -> BTreeMap<u32, BTreeSet<Layer>> {
    let mut all: BTreeMap<u32, BTreeSet<Layer>> = BTreeMap::new();
    for place in [
        "tests/tests",
        "tests/runtimes/tests",
        "mcp-proto/tests",
        "mcp-tokio/tests",
        "mcp-smol/tests",
    ] {
        for (name, text) in sources(place) {
            let (_, layer) = FOLDERS.iter().find(|(folder, _)| name.starts_with(folder)).unwrap();
            for number in cited(&name, &text) {
                all.entry(number).or_default().insert(*layer);
            }
        }
    }
    all
}

#[test]
fn every_listed_fault_has_a_test_that_cites_it_in_each_layer_where_it_was() {
    let cited = all_cited();
    let layers = BTreeMap::from(LAYERS);
    let mut missing = Vec::new();
    for number in (1..=FAULTS).filter(|number| NOT_BUILT.iter().all(|(other, ..)| other != number))
    {
        let wanted = layers.get(&number).copied().unwrap_or(&[Engine]);
        let there = cited.get(&number);
        let lacks = |layer: &&Layer| there.is_none_or(|there| !there.contains(layer));
        missing.extend(wanted.iter().filter(lacks).map(|layer| (number, *layer)));
    }
    assert!(missing.is_empty(), "no test cites {missing:?}");
    let unknown: Vec<_> = cited.keys().filter(|number| !(1..=FAULTS).contains(*number)).collect();
    assert!(unknown.is_empty(), "cited, but not on the list: {unknown:?}");
}

#[test]
fn what_is_not_built_is_said_on_a_page_and_claimed_by_no_test() {
    let cited = all_cited();
    for (number, why, page, words) in NOT_BUILT {
        let text = fs::read_to_string(root().join(page)).unwrap();
        assert!(text.contains(words), "{page} does not say of {number} ({why}): {words}");
        assert!(!cited.contains_key(&number), "{number} has a test: {why}?");
    }
}
