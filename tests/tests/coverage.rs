//! Which of the faults that are listed for the engine have a test here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The entries of FIELD-BUGS.md that concern what is built so far.
fn expected() -> BTreeSet<u32> {
    let ranges = [
        1..=9,
        11..=13,
        15..=25,
        33..=37,
        39..=47,
        50..=50,
        53..=56,
        59..=62,
        65..=65,
        68..=75,
        79..=82,
        85..=85,
    ];
    ranges.into_iter().flatten().collect()
}

/// The files whose names begin so, and those in folders whose names do.
fn field_tests(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("field_").then_some((name, path))
    };
    let files = |(name, path): (String, PathBuf)| -> Vec<_> {
        if path.is_file() {
            return vec![(name, path)];
        }
        let inside = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        inside.map(|path| (format!("{name}/{}", path.display()), path)).collect()
    };
    entries.filter_map(named).flat_map(files).collect()
}

#[test]
fn every_listed_fault_has_a_test_that_cites_it() {
    let mut cited = BTreeSet::new();
    for (name, path) in field_tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")) {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(rest) = line.strip_prefix("/// FIELD-BUGS ") else { continue };
            let (numbers, why) = rest.split_once(';').unwrap_or_else(|| panic!("{name}: {line}"));
            assert!(why.contains("R-"), "{name}: no requirement is named: {line}");
            let test = lines[at..].iter().find(|line| line.starts_with("fn ")).unwrap();
            let between = lines[at..].iter().take_while(|line| !line.starts_with("fn "));
            let is_test = between.clone().any(|line| *line == "#[test]");
            let is_property =
                text.contains("proptest!") && between.clone().all(|line| line.starts_with("//"));
            assert!(is_test || is_property, "{name}: {test} is no test");
            for number in numbers.split(',') {
                cited.insert(
                    number.trim().parse::<u32>().unwrap_or_else(|_| panic!("{name}: {line}")),
                );
            }
        }
    }
    let missing: Vec<_> = expected().difference(&cited).copied().collect();
    let unknown: Vec<_> = cited.difference(&expected()).copied().collect();
    assert!(missing.is_empty(), "no test cites {missing:?}");
    assert!(unknown.is_empty(), "cited, but not on the list: {unknown:?}");
}
