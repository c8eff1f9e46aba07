//! Runs the woven tests once for each mutant.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A program of tests.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    path: PathBuf,
    /// The folder of its package, where cargo runs it.
    folder: PathBuf,
}

/// Bytes of addresses. Stops what grows without end before it takes the machine.
const MEMORY: u64 = 3 << 30;

#[derive(PartialEq, Debug)]
pub enum Verdict {
    Passed,
    Failed,
    TimedOut,
}

/// Builds the tests, and names them in the order in which cargo does.
pub fn build(folder: &Path, arguments: &[&str]) -> Vec<Program> {
    let output = Command::new("cargo")
        .args(arguments)
        .args(["--no-run", "--message-format=json"])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo");
    assert!(output.status.success(), "the woven tests do not build");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = lines.filter_map(|line| {
        let manifest = PathBuf::from(line["manifest_path"].as_str()?);
        let is_test = line["profile"]["test"] == true;
        let path = line["executable"].as_str().filter(|_| is_test)?;
        let package = manifest.parent()?.file_name()?.to_str()?.to_owned();
        Some(Program {
            name: format!("{package}/{}", line["target"]["name"].as_str()?),
            path: path.into(),
            folder: manifest.parent()?.to_owned(),
        })
    });
    programs.collect()
}

impl Program {
    /// Runs its tests, with these arguments and this mutant (0: with none), for so many seconds of the
    /// processor at most: on a busy machine the clock says little.
    pub fn run(&self, number: usize, filter: &[&str], patience: u64) -> Verdict {
        let mut child = Command::new("prlimit")
            .args([format!("--cpu={patience}"), format!("--as={MEMORY}"), "--".to_owned()])
            .arg(&self.path)
            .arg("-q")
            .args(filter)
            .current_dir(&self.folder)
            .env("MUTANT", number.to_string())
            .env("RUST_BACKTRACE", "0")
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program that was built");
        wait(&mut child)
    }
}

/// Waits until it ends. What loops is ended by the system; what waits for ever uses no time and is ended here.
fn wait(child: &mut Child) -> Verdict {
    let began = Instant::now();
    loop {
        match child.try_wait().expect("a child") {
            Some(status) if status.success() => return Verdict::Passed,
            Some(status) if matches!(status.signal(), Some(SIGKILL | SIGXCPU)) => {
                return Verdict::TimedOut;
            }
            Some(_) => return Verdict::Failed,
            None if began.elapsed() > IDLE_LIMIT => {
                let _ = child.kill();
                let _ = child.wait();
                return Verdict::TimedOut;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;
const IDLE_LIMIT: Duration = Duration::from_secs(300);
