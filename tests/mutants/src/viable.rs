//! Which of the mutants in the woven text do not compile.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What the compiler has against the text, by the file it is in and the byte.
pub fn errors(folder: &Path, arguments: &[&str]) -> Result<(), Vec<(String, usize, String)>> {
    let output = Command::new("cargo")
        .args(arguments)
        .args(["--message-format=json", "--keep-going"])
        .current_dir(folder)
        .output()
        .expect("cargo");
    if output.status.success() {
        return Ok(());
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let message = &line["message"];
        if line["reason"] != "compiler-message" || message["level"] != "error" {
            continue;
        }
        let said = message["message"].as_str().unwrap_or_default();
        let spans = message["spans"].as_array().into_iter().flatten();
        // The part of our text where it is, if a macro stands between.
        for span in spans.filter(|span| span["is_primary"] == true) {
            let mut span = span;
            while span["expansion"].is_object() {
                span = &span["expansion"]["span"];
            }
            let file = span["file_name"].as_str().unwrap_or_default().to_owned();
            let at = span["byte_start"].as_u64().unwrap_or_default() as usize;
            found.push((file, at, said.to_owned()));
        }
    }
    if found.is_empty() {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Err(found)
}

/// Whom an error at this byte concerns: one mutant alone, or all of the innermost place around it.
pub enum Blame {
    One(usize),
    Place(BTreeSet<usize>),
    Nobody,
}

pub fn blame(text: &str, at: usize, said: &str) -> Blame {
    // An arm that may be missing must not be missed: it stands behind what is matched.
    if said.starts_with("non-exhaustive") {
        let arm = text[at..].split("*/ if !crate::mutant::is(").nth(1);
        let number = arm.and_then(|rest| rest.split(')').next()?.parse().ok());
        return number.map_or(Blame::Nobody, Blame::One);
    }
    let mut open: Vec<(bool, BTreeSet<usize>)> = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find("/*").map(|start| start + from) {
        let Some(end) = text[start..].find("*/").map(|end| end + start) else { break };
        if start > at {
            break;
        }
        let mark = &text[start + 2..end];
        let numbers =
            |list: &str| list.split(',').filter_map(|number| number.parse().ok()).collect();
        if let Some(list) = mark.strip_prefix('<') {
            open.push((true, numbers(list)));
        } else if let Some(list) = mark.strip_prefix('[') {
            open.push((false, numbers(list)));
        } else if mark == "]" || mark.ends_with('>') {
            open.pop();
        }
        from = end + 2;
    }
    match open.pop() {
        Some((true, numbers)) => {
            numbers.first().map_or(Blame::Nobody, |number| Blame::One(*number))
        }
        Some((false, numbers)) => Blame::Place(numbers),
        None => Blame::Nobody,
    }
}
