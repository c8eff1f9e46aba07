//! The mutants as cargo-mutants lists them, and what became of each.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One change to one place of the source.
#[derive(Deserialize, Debug, Clone)]
pub struct Mutant {
    pub name: String,
    pub file: PathBuf,
    pub genre: Genre,
    pub replacement: String,
    pub span: Span,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
}

#[derive(Deserialize, Debug, Clone, Copy)]
pub struct Span {
    pub start: Place,
}

/// Both counted from 1; columns are characters.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

pub fn read(paths: &[PathBuf]) -> Vec<Mutant> {
    let read = |path: &PathBuf| -> Vec<Mutant> {
        serde_json::from_slice(&fs::read(path).expect("a list")).expect("what cargo-mutants lists")
    };
    paths.iter().flat_map(read).collect()
}

/// What became of each, by its name: `name TAB outcome TAB test`, added to as it is found.
pub struct Outcomes {
    path: PathBuf,
    pub known: BTreeMap<String, (String, String)>,
}

impl Outcomes {
    pub fn open(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let known = text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, '\t').map(str::to_owned);
            Some((parts.next()?, (parts.next()?, parts.next().unwrap_or_default())))
        });
        Self { path: path.to_owned(), known: known.collect() }
    }

    pub fn add(&mut self, mutant: &Mutant, outcome: &str, test: &str) {
        let mut file =
            OpenOptions::new().create(true).append(true).open(&self.path).expect("a file");
        writeln!(file, "{}\t{outcome}\t{test}", mutant.name).expect("room on the disk");
        self.known.insert(mutant.name.clone(), (outcome.to_owned(), test.to_owned()));
    }
}
