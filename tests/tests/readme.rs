//! The README keeps its word: each guarantee names a test that exists.

use std::fs;
use std::path::Path;

#[test]
fn every_guarantee_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, section) = readme.split_once("## What is guaranteed").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut checked = 0;
    for (link, _) in section.match_indices("[`") {
        let rest = &section[link + 2..];
        let (name, rest) = rest.split_once("`](").unwrap();
        let (file, _) = rest.split_once(')').unwrap();
        let source =
            fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("{file} is missing"));
        assert!(source.contains(&format!("fn {name}(")), "{file} has no test {name}");
        checked += 1;
    }
    assert!(checked >= 15, "only {checked} guarantees were found");
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for page in ["README.md", "CONTRIBUTING.md", "docs/progress.md", "docs/architecture.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let folder = root.join(page).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#']).next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{page} links to {target}, which is missing");
            }
        }
    }
}
