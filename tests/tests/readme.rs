//! The pages keep their word: what they link to exists, and a test that they name is one.

use std::fs;
use std::path::{Path, PathBuf};

use mcp_tests::model::Scenario;
use mcp_tests::named::is_test;
use mcp_tests::promises::PROMISES;

/// Programs whose cases no attribute marks: one without test harness, one without std.
const UNMARKED: [&str; 3] =
    ["mcp-proto/tests/no_runtime.rs", "tests/no-std/peer/main.rs", "bad_input_tokio/main.rs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every page of the repository and of `docs/`, as its place and its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/decisions", "docs/results"] {
        let folder = root().join(folder);
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                pages.push((path, text));
            }
        }
    }
    assert!(pages.len() >= 8, "only {} pages were found", pages.len());
    pages
}

/// The links of a page into the repository, as label and target.
fn links(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("](").filter_map(|(at, _)| {
        let label = text[..at].rsplit_once('[')?.1;
        let target = text[at + 2..].split([')', '#']).next()?;
        (!target.is_empty() && !target.contains("://")).then_some((label, target))
    })
}

/// The tests that a page names, as name and file: a link to a Rust file that is called after a function.
fn named_tests(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_name = |name: &&str| {
        name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_' || c.is_ascii_digit())
    };
    links(text).filter(|(_, target)| target.ends_with(".rs")).filter_map(move |(label, target)| {
        let name = label.strip_prefix('`')?.strip_suffix('`')?;
        is_name(&name).then_some((name, target))
    })
}

/// How many tests a page names; each has to exist.
fn check_named_tests(page: &Path, text: &str) -> usize {
    let mut checked = 0;
    for (name, target) in named_tests(text) {
        let file = page.parent().unwrap().join(target);
        let source = fs::read_to_string(&file)
            .unwrap_or_else(|_| panic!("{} names {target}, which is missing", page.display()));
        let is_marked = !UNMARKED.iter().any(|unmarked| target.ends_with(unmarked));
        assert!(
            is_test(&source, name, is_marked),
            "{} names the test {name}, which {target} does not have",
            page.display()
        );
        checked += 1;
    }
    checked
}

#[test]
fn every_test_that_a_page_names_exists() {
    let mut least = vec![("README.md", 15), ("SECURITY.md", 30), ("reliability.md", 70)];
    for (page, text) in pages() {
        let checked = check_named_tests(&page, &text);
        least.retain(|(name, least)| !(page.ends_with(name) && checked >= *least));
    }
    assert!(least.is_empty(), "pages that are missing or name too few tests: {least:?}");
}

#[test]
fn every_guarantee_of_the_readme_names_a_test() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, section) = readme.split_once("## What is guaranteed").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let guarantees =
        section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| guarantee"));
    assert!(
        guarantees.map(|line| assert_eq!(named_tests(line).count(), 1, "{line}")).count() >= 15
    );
}

/// What a report costs, as the README says it, is what `.ci/run bench` holds it to.
#[test]
fn the_count_of_instructions_is_that_of_the_baseline() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let readme = read("README.md");
    let (_, row) = readme.split_once("| receiving a report | ").unwrap();
    let (instructions, row) = row.split_once(" instructions, ").unwrap();
    let said: f64 = instructions.replace(',', "").parse().unwrap();
    let (allocations, _) = row.split_once(" allocations").unwrap();
    let baseline = read("tests/bench/baseline.jsonl");
    let accepted = |metric: &str| -> f64 {
        let begin =
            format!("{{\"case\":\"ours/progress-ints/receive\",\"metric\":\"{metric}\",\"value\":");
        let (_, behind) = baseline.split_once(&begin).expect("the case");
        behind.split('}').next().unwrap().parse().unwrap()
    };
    let counted = accepted("instructions");
    assert!((said / counted - 1.0).abs() < 0.05, "{said} in the README, {counted} accepted");
    assert_eq!(allocations.parse::<f64>().unwrap(), accepted("allocations"));
}

/// Figures of `docs/reliability.md` that can be counted.
#[test]
fn the_figures_of_the_promises_are_those_of_today() {
    let page = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let files = |folder: &str, kind: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|found| found == kind)).collect()
    };
    let models: usize = files("tests/loom/models", "rs")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap().matches("#[test]").count())
        .sum();
    let planted = files("fuzz/faults", "patch").len();
    for figure in [
        format!("{models} models run"),
        format!("| {} patches |", files("tests/loom/faults", "patch").len()),
        format!("| {planted} faults: `.ci/deep faults` |"),
        format!("| {planted} faults, planted one by one"),
        format!("the {} promises", PROMISES.len()),
        format!("| {} scenarios, each closed", Scenario::usual().len()),
    ] {
        assert!(page.contains(&figure), "not on the page: {figure}");
    }
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    for (page, text) in pages() {
        for (_, target) in links(&text) {
            let file = page.parent().unwrap().join(target);
            assert!(file.exists(), "{} links to {target}, which is missing", page.display());
        }
    }
}

#[test]
fn the_reader_of_pages_tells_a_test_from_what_is_none() {
    let page =
        "[`a_test`](a.rs), [`src/b.rs`](b.rs), [a page](c.md#x), [there](https://x.org), [`d`](#d)";
    assert_eq!(named_tests(page).collect::<Vec<_>>(), [("a_test", "a.rs")]);
    assert_eq!(links(page).count(), 3);
    let source =
        "#[test]\nfn one() {}\n\n/// Why.\n#[tokio::test]\nasync fn two() {}\n\nfn helper() {}\n";
    assert!(is_test(source, "one", true) && is_test(source, "two", true));
    assert!(!is_test(source, "helper", true) && is_test(source, "helper", false));
    assert!(is_test("(\"case\", run)", "case", false) && !is_test("(\"case\", run)", "case", true));
    assert!(!is_test(source, "on", true) && !is_test(source, "three", false));
}
