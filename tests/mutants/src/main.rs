//! Mutation testing with one build: all mutants are in the tests at once, and an environment variable chooses one.
//!
//!     mcp-mutants weave TREE LIST…     writes the mutants of the lists (cargo mutants --list --json) into the tree, which
//!                                      must be a fresh copy, and says in TREE/mutants.tsv which of them are there
//!     mcp-mutants run TREE OUT LIST…   runs the quick tests for each and adds what became of it to OUT
//!     mcp-mutants all TREE OUT LIST…   runs all tests, or those that TESTS names as cargo does, for each
//!                                      that survived the quick ones
//!
//! SHARD=1/4 in the environment is the second of four parts, which may run beside each other.
//!
//! cargo-mutants chooses the mutants. Some cannot be switched: in constant functions, and where a type has no name. They are
//! counted as left; nobody tries them.

mod list;
mod run;
mod viable;
mod weave;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use list::{Mutant, Outcomes};
use run::{Program, Verdict};
use viable::Blame;

const FEATURES: &str = "mcp-proto/testing,mcp-proto/schemars";
/// The same packages and tests in both, so that the engine has the same features in both.
const CHECK: &[&str] = &["check", "--lib", "--tests"];
const TEST: &[&str] = &["test"];
const WHAT: &[&str] = &[
    "-p",
    "mcp-proto",
    "-p",
    "mcp-tests",
    "-p",
    "mcp-fuzz",
    "--features",
    FEATURES,
    "--profile",
    "mutants",
];
/// What is quick to build and to run, and catches most.
const QUICK: &[&str] = &["--lib", "--test", "transcripts", "--test", "replay"];
const ALL: &str = "--lib --tests";

fn main() {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match &arguments[..] {
        [step, tree, lists @ ..] if step == Path::new("weave") => {
            weave_all(&list::read(lists), tree)
        }
        [step, tree, out, lists @ ..] if step == Path::new("run") => {
            run_all(&list::read(lists), tree, Outcomes::open(out), QUICK);
        }
        [step, tree, out, lists @ ..] if step == Path::new("all") => {
            let tests = std::env::var("TESTS").unwrap_or_else(|_| ALL.to_owned());
            let tests: Vec<_> = tests.split_whitespace().collect();
            run_all(&list::read(lists), tree, Outcomes::open(out), &tests);
        }
        _ => panic!("mcp-mutants weave TREE LIST… | run TREE OUT LIST… | all TREE OUT LIST…"),
    }
}

/// The switch, as a module of the crate that is tested.
const SWITCH: &str = r#"
#![allow(missing_docs)]
extern crate std;
use core::sync::atomic::{AtomicU32, Ordering};

static CHOSEN: AtomicU32 = AtomicU32::new(u32::MAX);

#[inline]
pub(crate) fn number() -> u32 {
    match CHOSEN.load(Ordering::Relaxed) {
        u32::MAX => choose(),
        number => number,
    }
}

#[inline]
pub(crate) fn is(other: u32) -> bool {
    number() == other
}

#[cold]
fn choose() -> u32 {
    let number = std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    CHOSEN.store(number, Ordering::Relaxed);
    number
}
"#;

/// The mutants of a file, each with its number.
type Numbered<'a> = Vec<(usize, &'a Mutant)>;

fn weave_all(mutants: &[Mutant], tree: &Path) {
    fs::write(tree.join("mcp-proto/src/mutant.rs"), SWITCH).expect("a tree");
    let root = tree.join("mcp-proto/src/lib.rs");
    let text = fs::read_to_string(&root).expect("a crate");
    if !text.contains("mod mutant;") {
        fs::write(&root, text + "\nmod mutant;\n").expect("a tree");
    }
    let mut files: BTreeMap<&Path, (String, Numbered<'_>)> = BTreeMap::new();
    for (at, mutant) in mutants.iter().enumerate() {
        let read = || (fs::read_to_string(tree.join(&mutant.file)).expect("a source"), Vec::new());
        files.entry(&mutant.file).or_insert_with(read).1.push((at + 1, mutant));
    }
    // By number: not compiled, or not to be switched.
    let (mut unviable, mut unfit) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let mut there = BTreeSet::new();
        let mut texts = BTreeMap::new();
        for (file, (text, all)) in &files {
            let is_out = |number: &usize| unviable.contains(number) || unfit.contains(number);
            let left: Vec<_> = all.iter().filter(|(number, _)| !is_out(number)).copied().collect();
            let (woven, numbers) = weave::weave(text, &left);
            there.extend(numbers);
            let path = tree.join(file);
            if fs::read_to_string(&path).ok().as_ref() != Some(&woven) {
                fs::write(&path, &woven).expect("a tree");
            }
            texts.insert(file.to_string_lossy().into_owned(), woven);
        }
        let before = unviable.len() + unfit.len();
        let Err(errors) = viable::errors(tree, &[CHECK, WHAT].concat()) else {
            let mut out = String::new();
            for (at, mutant) in mutants.iter().enumerate() {
                let number = at + 1;
                let what = match () {
                    () if there.contains(&number) => "woven",
                    () if unviable.contains(&number) => "unviable",
                    () => "left",
                };
                out += &format!("{number}\t{what}\t{}\n", mutant.name);
            }
            fs::write(tree.join("mutants.tsv"), out).expect("a tree");
            println!(
                "{} woven, {} do not compile, {} left",
                there.len(),
                unviable.len(),
                mutants.len() - there.len() - unviable.len()
            );
            return;
        };
        for (file, at, said) in &errors {
            match texts.get(file).map_or(Blame::Nobody, |text| viable::blame(text, *at, said)) {
                Blame::One(number) => drop(unviable.insert(number)),
                Blame::Place(numbers) => {
                    println!("does not fit: {numbers:?} {said}");
                    unfit.extend(numbers);
                }
                Blame::Nobody => println!("in {file} at {at}: {said}"),
            }
        }
        println!(
            "{} errors, {} unviable, {} do not fit",
            errors.len(),
            unviable.len(),
            unfit.len()
        );
        assert!(unviable.len() + unfit.len() > before, "errors of nobody");
    }
}

/// Seconds of the processor after which a program of tests is taken for one that loops, if it needs no third of that
/// without a mutant, and a part of the library's, which needs less than half a second.
const MOST: u64 = 20;
const LEAST: u64 = 2;

fn run_all(mutants: &[Mutant], tree: &Path, mut outcomes: Outcomes, tests: &[&str]) {
    let state = fs::read_to_string(tree.join("mutants.tsv")).expect("what weave wrote");
    let woven: BTreeSet<usize> = state
        .lines()
        .filter(|line| line.split('\t').nth(1) == Some("woven"))
        .filter_map(|line| line.split('\t').next()?.parse().ok())
        .collect();
    let is_quick = tests == QUICK;
    let mut programs = run::build(tree, &[TEST, WHAT, tests].concat());
    // What is quick and meant for the file comes first, what only the whole is tried by last.
    let rank = |program: &Program| {
        let names = ["mcp-proto/mcp_proto", "tests/transcripts", "fuzz/replay"];
        names.iter().position(|name| *name == program.name).unwrap_or(names.len())
    };
    programs.sort_by_key(rank);
    // How long it takes without a mutant, and whether it passes: what does not can tell nothing.
    let (mut took, mut left_out) = (BTreeMap::new(), String::new());
    programs.retain(|program| {
        let began = Instant::now();
        let passed = program.run(0, &[], 120) == Verdict::Passed;
        println!(
            "{}: {:.1} s{}",
            program.name,
            began.elapsed().as_secs_f64(),
            if passed { "" } else { ", left out" }
        );
        took.insert(program.name.clone(), began.elapsed());
        if !passed {
            left_out += &format!("{}\n", program.name);
        }
        passed
    });
    fs::write(tree.join("left-out.txt"), left_out).expect("a tree");
    programs.sort_by_key(|program| (rank(program), took[&program.name]));
    let library = programs
        .first()
        .filter(|program| rank(program) == 0)
        .expect("tests of the library")
        .clone();
    let (part, parts) = shard();
    let is_ours = |(at, _): &(usize, &Mutant)| woven.contains(&(at + 1)) && at % parts == part;
    for (at, mutant) in mutants.iter().enumerate().filter(is_ours) {
        let known = outcomes.known.get(&mutant.name).map(|(outcome, _)| outcome.as_str());
        if if is_quick { known.is_some() } else { known != Some("survived") } {
            continue;
        }
        let began = Instant::now();
        let module = module(&mutant.file);
        // Its own tests first, then the cheap ones of the library; what draws a thousand schedules comes last of it.
        let quick = [vec![module.as_str()], vec!["--skip", "testing::"]]
            .into_iter()
            .map(|filter| (&library, filter));
        let whole = programs
            .iter()
            .filter(|program| rank(program) > 0)
            .map(|program| (program, Vec::new()));
        let stages = quick.chain(whole).chain([(&library, vec!["testing::"])]);
        let mut found = (if is_quick { "survived" } else { "missed" }, String::new());
        for (program, filter) in stages {
            let needed = took[&program.name].as_secs();
            let patience = if filter.is_empty() { MOST.max(3 * needed) } else { LEAST };
            match program.run(at + 1, &filter, patience) {
                Verdict::Passed => continue,
                Verdict::Failed => found = ("caught", program.name.clone()),
                Verdict::TimedOut => found = ("timeout", program.name.clone()),
            }
            break;
        }
        println!("{:.1} s {} {}: {}", began.elapsed().as_secs_f64(), found.0, found.1, mutant.name);
        outcomes.add(mutant, found.0, &found.1);
    }
}

/// Which part of the work is ours, and of how many.
fn shard() -> (usize, usize) {
    let text = std::env::var("SHARD").unwrap_or_else(|_| "0/1".to_owned());
    let numbers = text.split_once('/').and_then(|(part, parts)| {
        Some((part.parse().ok()?, parts.parse().ok().filter(|parts| *parts > 0)?))
    });
    numbers.expect("SHARD is a number below another: 0/4")
}

/// The path of the tests that stand in a file: `json::scan::`.
fn module(file: &Path) -> String {
    let text = file.to_string_lossy();
    let path = text.rsplit_once("src/").map_or(&*text, |(_, path)| path);
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    format!("{}::", path.replace('/', "::"))
}
