//! The exhaustive model and the simulation, by hand: `docs/model.md`.

use std::collections::VecDeque;
use std::fs;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use mcp_proto::Revision;
use mcp_tests::http_world::{Counts, Plan, World};
use mcp_tests::model::{Faults, Scenario, close};
use mcp_tests::promises::PROMISES;
use mcp_tests::simulation::{Failed, Happened, replay, walk};

const HELP: &str = "\
Checks mcp-proto against its promises.

  mcp-check model [--deep] [NAME]...         every interleaving of the scenarios whose names begin so
  mcp-check search [--revision R] [--calls N] [--reports N] [--server-calls N] [--faults N] [--wire N]
                   [--handshake yes] [--errors yes]
                                             one scenario of these bounds
  mcp-check simulate [--steps N] [--seed S] [--resume FILE]
                                             random sessions from a seed on; with FILE from where it ends
  mcp-check replay SEED                      the session of one seed, step by step
  mcp-check http [--worlds N] [--seed S]     random worlds of many clients and one server over HTTP, from a seed on
  mcp-check promises                         what is checked";

/// Steps after which the file of `--resume` is written.
const REST_EVERY: u64 = 10_000_000;

fn main() -> ExitCode {
    let mut arguments: VecDeque<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.pop_front().as_deref() {
        Some("model") => model(arguments),
        Some("search") => search(arguments),
        Some("simulate") => simulate(arguments),
        Some("replay") => again(arguments),
        Some("http") => http(arguments),
        Some("promises") => {
            PROMISES.iter().for_each(|(name, promise)| println!("{name:<24}{promise}"));
            Ok(())
        }
        _ => Err(HELP.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn model(mut arguments: VecDeque<String>) -> Result<(), String> {
    let is_deep = arguments.front().is_some_and(|first| first == "--deep");
    if is_deep {
        arguments.pop_front();
    }
    let scenarios = if is_deep { Scenario::deep() } else { Scenario::usual() };
    // A check of nothing finds nothing.
    for name in &arguments {
        if !scenarios.iter().any(|scenario| scenario.name.starts_with(name)) {
            return Err(format!("no scenario has a name that begins with {name:?}"));
        }
    }
    let is_named = |scenario: &&Scenario| {
        arguments.is_empty() || arguments.iter().any(|name| scenario.name.starts_with(name))
    };
    run(scenarios.iter().filter(is_named))
}

fn search(mut arguments: VecDeque<String>) -> Result<(), String> {
    let mut scenario = Scenario::new("search", Revision::LATEST_LEGACY, 1, 2);
    while let Some(name) = arguments.pop_front() {
        let value = arguments.pop_front().ok_or(HELP)?;
        let small = || number(&value).map(|number| u8::try_from(number).unwrap_or(u8::MAX));
        match &*name {
            "--revision" => {
                let revision = Revision::parse(&value).ok_or("no such revision")?;
                (scenario.client, scenario.server) = (revision.into(), revision.into());
            }
            "--calls" => scenario.client_calls = small()?,
            "--reports" => scenario.reports = small()?,
            "--server-calls" => scenario.server_calls = small()?,
            "--faults" => scenario.faults = Faults::any(small()?),
            "--wire" => scenario.wire = small()?.into(),
            "--handshake" => scenario.handshake = true,
            "--errors" => scenario.errors = true,
            _ => return Err(HELP.to_owned()),
        }
    }
    run([&scenario].into_iter())
}

fn run<'a>(scenarios: impl Iterator<Item = &'a Scenario>) -> Result<(), String> {
    println!(
        "{:<46} {:>10} {:>12} {:>6} {:>9} {:>8}",
        "scenario", "states", "transitions", "depth", "widest", "seconds"
    );
    let (mut states, mut transitions) = (0, 0);
    for scenario in scenarios {
        let began = Instant::now();
        let tally = close(scenario)?;
        println!(
            "{:<46} {:>10} {:>12} {:>6} {:>9} {:>8.1}",
            scenario.name,
            tally.states,
            tally.transitions,
            tally.depth,
            tally.widest,
            began.elapsed().as_secs_f64()
        );
        states += tally.states;
        transitions += tally.transitions;
    }
    println!("{:<46} {states:>10} {transitions:>12}", "all closed, nothing broken");
    Ok(())
}

fn simulate(mut arguments: VecDeque<String>) -> Result<(), String> {
    let (mut steps, mut seed, mut resume) = (1_000_000, 1, None);
    while let Some(name) = arguments.pop_front() {
        let value = arguments.pop_front().ok_or(HELP)?;
        match &*name {
            "--steps" => steps = number(&value)?,
            "--seed" => seed = number(&value)?,
            "--resume" => resume = Some(value),
            _ => return Err(HELP.to_owned()),
        }
    }
    let first = seed;
    let mut rest = Rest { first, next: first, all: Happened::default() };
    if let Some(file) = &resume
        && let Ok(text) = fs::read_to_string(file)
    {
        rest = serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
    }
    let began = Instant::now();
    while rest.all.steps < steps {
        let budget = REST_EVERY.min(steps - rest.all.steps);
        let (more, next) = walk(rest.next, budget, None).map_err(told)?;
        rest.all += more;
        rest.next = next;
        if let Some(file) = &resume {
            let text = serde_json::to_string(&rest).map_err(|error| error.to_string())?;
            fs::write(file, text).map_err(|error| format!("{file}: {error}"))?;
        }
    }
    let Rest { first, next, all } = rest;
    let took = began.elapsed().as_secs_f64();
    println!("seeds {first} to {}, nothing broken: {all}; {took:.1} s now", next - 1);
    Ok(())
}

/// Where a run rests, so that another goes on.
#[derive(serde::Serialize, serde::Deserialize)]
struct Rest {
    first: u64,
    next: u64,
    all: Happened,
}

fn again(mut arguments: VecDeque<String>) -> Result<(), String> {
    let seed = number(&arguments.pop_front().ok_or(HELP)?)?;
    let (happened, trace) = replay(seed, None).map_err(told)?;
    trace.iter().for_each(|step| println!("{step}"));
    println!("nothing broken: {happened}");
    Ok(())
}

fn http(mut arguments: VecDeque<String>) -> Result<(), String> {
    let (mut worlds, mut first) = (1_000, 0);
    while let Some(name) = arguments.pop_front() {
        let value = number(&arguments.pop_front().ok_or(HELP)?)?;
        match &*name {
            "--worlds" => worlds = value,
            "--seed" => first = value,
            _ => return Err(HELP.to_owned()),
        }
    }
    let began = Instant::now();
    let mut all = Counts::default();
    for seed in first..first + worlds {
        let plan = Plan::of(seed);
        // Whatever is broken has been said by then.
        let counts = catch_unwind(|| World::new(plan).run().counts);
        all += counts
            .map_err(|_| format!("{plan:#?}\nagain: mcp-check http --worlds 1 --seed {seed}"))?;
    }
    println!("{all:#?}");
    let took = began.elapsed().as_secs_f64();
    println!("seeds {first} to {}, nothing broken; {took:.1} s", first + worlds - 1);
    Ok(())
}

fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is no number"))
}

fn told(failed: Failed) -> String {
    let Failed { seed, broken, trace } = failed;
    format!("{}\nseed {seed}, after {} steps: {broken}", trace.join("\n"), trace.len())
}
