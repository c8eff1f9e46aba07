//! What a message costs: this engine beside rmcp, rpc-io and mcp-io.
//!
//! `tests/bench/run` builds it and starts it in its directory. It starts itself again, one case in one
//! process, under callgrind and without; callgrind counts only what happens in the measured region.

mod allocations;
mod cases;
mod memory;
mod meter;
mod process;
mod report;

use std::fs;
use std::process::ExitCode;

use meter::Plan;
use report::{Figures, Verdict};

const USAGE: &str = "\
usage: tests/bench/run [OPTION …] [CASE-PREFIX …]
  --json FILE   writes figures and goals as JSON lines
  --svg FILE    draws the ratios
  --doc FILE    fills the tables of a page
  --no-time     counts only
  --check       counts our own cases; fails if one has risen by more than 5 % over the baseline
  --accept      counts our own cases; writes the baseline
  --counts FILE with --check or --accept: takes the counts that a run wrote as JSON lines
  --list        names the cases
A prefix is that of a case, or `memory`, `stdio` or `http`; without one everything is measured.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["run", case, warm_up, messages] = words[..] {
        let plan = Plan { warm_up: number(warm_up), messages: number(messages) };
        let sample = cases::find(case)(&plan);
        println!("{} {} {}", sample.messages, sample.allocations, sample.bytes);
        return ExitCode::SUCCESS;
    }
    if let ["memory", name] = words[..] {
        memory::measure(name);
        return ExitCode::SUCCESS;
    }
    match Options::parse(&words) {
        Some(options) => options.carry_out(),
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

#[derive(Default)]
struct Options<'a> {
    json: Option<&'a str>,
    svg: Option<&'a str>,
    page: Option<&'a str>,
    no_time: bool,
    check: bool,
    accept: bool,
    counts: Option<&'a str>,
    list: bool,
    prefixes: Vec<&'a str>,
}

impl<'a> Options<'a> {
    fn parse(words: &[&'a str]) -> Option<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--json" => options.json = Some(words.next()?),
                "--svg" => options.svg = Some(words.next()?),
                "--doc" => options.page = Some(words.next()?),
                "--no-time" => options.no_time = true,
                "--check" => options.check = true,
                "--accept" => options.accept = true,
                "--counts" => options.counts = Some(words.next()?),
                "--list" => options.list = true,
                prefix if !prefix.starts_with('-') => options.prefixes.push(prefix),
                _ => return None,
            }
        }
        Some(options)
    }

    fn carry_out(&self) -> ExitCode {
        if self.list {
            cases::all().iter().for_each(|(case, _)| println!("{case}"));
            return ExitCode::SUCCESS;
        }
        let mut figures = Figures::default();
        if self.check || self.accept {
            match self.counts {
                Some(file) => figures = Figures::read(file),
                None => report::count_all(&["ours/"], &mut figures),
            }
            report::print_figures(&figures);
            if self.accept {
                report::baseline::accept(&figures);
                return ExitCode::SUCCESS;
            }
            return if report::baseline::check(&figures) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
        report::count_all(&self.prefixes, &mut figures);
        if self.prefixes.is_empty() && !self.no_time {
            report::time_all(&mut figures);
        }
        if self.prefixes.is_empty() || self.prefixes.contains(&"memory") {
            memory::measure_all(&mut figures);
        }
        if self.prefixes.is_empty() || self.prefixes.contains(&"stdio") {
            process::measure_all(&mut figures);
        }
        if self.prefixes.is_empty() || self.prefixes.contains(&"http") {
            process::http::measure_all(&mut figures);
        }
        let verdicts = report::verdicts(&figures);
        report::print_figures(&figures);
        report::print_verdicts(&verdicts);
        let command = std::env::var("BENCH_COMMAND").unwrap_or_else(|_| "mcp-bench".into());
        self.write(&command, &figures, &verdicts);
        ExitCode::SUCCESS
    }

    fn write(&self, command: &str, figures: &Figures, verdicts: &[Verdict]) {
        if let Some(file) = self.json {
            let figures =
                figures.0.iter().map(|figure| serde_json::to_string(figure).expect("JSON"));
            let goals =
                verdicts.iter().map(|verdict| serde_json::to_string(verdict).expect("JSON"));
            let lines: Vec<_> = figures.chain(goals).collect();
            fs::write(file, lines.join("\n") + "\n")
                .unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        if let Some(file) = self.svg {
            report::draw(file, command, figures);
        }
        if let Some(file) = self.page {
            report::fill_page(file, command, figures, verdicts);
        }
    }
}
