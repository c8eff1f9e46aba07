//! The tables of `docs/performance.md`, filled in where the page has marks for them.

use std::fs;

use super::goals::Verdict;
use super::{Figures, table};

/// Replaces what is between `<!-- name -->` and `<!-- end name -->` for each table.
pub fn fill_page(file: &str, command: &str, figures: &Figures, verdicts: &[Verdict]) {
    let mut page = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let date = std::process::Command::new("date").arg("+%F").output().expect("date").stdout;
    let run = format!("`{command}`, {}\n", String::from_utf8_lossy(&date).trim());
    fill(&mut page, "run", &run);
    fill(&mut page, "goals", &table::verdicts_in_markdown(verdicts));
    fill(&mut page, "counts", &table::counts_in_markdown(figures));
    fill(&mut page, "others", &table::others_in_markdown(figures));
    fs::write(file, page).unwrap_or_else(|error| panic!("{file}: {error}"));
}

fn fill(page: &mut String, name: &str, text: &str) {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end {name} -->"));
    let from = page.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
    let to = page[from..].find(&end).unwrap_or_else(|| panic!("no {end}")) + from;
    page.replace_range(from..to, &format!("\n{text}\n"));
}
