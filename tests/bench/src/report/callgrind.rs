//! Instructions of a case: the program itself again, under callgrind.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Instructions that the measured region of a case takes, all its messages together. Callgrind's file stays
/// in `results/`, for `callgrind_annotate`.
pub fn instructions(case: &str, warm_up: usize, messages: usize) -> u64 {
    let name = case.replace('/', "-");
    let file = format!("results/{name}.callgrind");
    fs::create_dir_all("results").expect("a directory for results");
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_region*"])
        .arg(format!("--callgrind-out-file={file}"))
        .arg(std::env::current_exe().expect("the path of this program"))
        .args(["run", case, &warm_up.to_string(), &messages.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind is needed to count instructions: {error}"));
    assert!(done.status.success(), "{case}: {}", String::from_utf8_lossy(&done.stderr));
    total(Path::new(&file))
}

fn total(file: &Path) -> u64 {
    let text = fs::read_to_string(file).expect("callgrind's file");
    let total = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    total.and_then(|total| total.trim().parse().ok()).expect("callgrind's total")
}
