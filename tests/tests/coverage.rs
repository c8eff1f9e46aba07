//! Which of the faults that are listed for the engine have a test here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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

#[test]
fn every_listed_fault_has_a_test_that_cites_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut cited = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("field_") {
            continue;
        }
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
