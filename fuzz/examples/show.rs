//! What an input of `endpoint_ops`, `handler` or `pair` stands for, so that a crash can be read:
//! `cargo run -p mcp-fuzz --example show -- endpoint_ops FILE`. Of an input that breaks a promise only the steps are shown
//! without which it would not.

use std::fmt::Debug;
use std::fs;
use std::panic::{self, AssertUnwindSafe};

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::testing::ops::{HandlerSchedule, PairSchedule, SoloSchedule};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(target), Some(file)) = (arguments.next(), arguments.next()) else {
        return eprintln!("usage: show endpoint_ops|handler|pair FILE");
    };
    let input = match fs::read(&file) {
        Ok(input) => input,
        Err(error) => return eprintln!("{file}: {error}"),
    };
    match target.as_str() {
        "endpoint_ops" => {
            show(&input, |schedule: &mut SoloSchedule| &mut schedule.steps, SoloSchedule::run)
        }
        "handler" => {
            show(&input, |schedule: &mut HandlerSchedule| &mut schedule.steps, mcp_fuzz::call_tools)
        }
        "pair" => {
            show(&input, |schedule: &mut PairSchedule| &mut schedule.steps, PairSchedule::run)
        }
        _ => eprintln!("{target}: only inputs of endpoint_ops, handler and pair are schedules"),
    }
}

fn show<'a, S: Arbitrary<'a> + Clone + Debug, T>(
    input: &'a [u8],
    steps: fn(&mut S) -> &mut Vec<T>,
    run: fn(&S),
) {
    let mut schedule = match S::arbitrary(&mut Unstructured::new(input)) {
        Ok(schedule) => schedule,
        Err(error) => return eprintln!("no schedule: {error}"),
    };
    let breaks = |schedule: &S| panic::catch_unwind(AssertUnwindSafe(|| run(schedule))).is_err();
    if breaks(&schedule) {
        panic::set_hook(Box::new(|_| ()));
        // In ever smaller pieces, and again as long as anything can go.
        let mut piece = steps(&mut schedule).len().div_ceil(2);
        while piece > 0 {
            let (mut at, mut has_shrunk) = (0, false);
            while at < steps(&mut schedule).len() {
                let mut shorter = schedule.clone();
                let end = steps(&mut shorter).len().min(at + piece);
                steps(&mut shorter).drain(at..end);
                if breaks(&shorter) {
                    (schedule, has_shrunk) = (shorter, true);
                } else {
                    at += piece;
                }
            }
            piece = if has_shrunk { piece } else { piece / 2 };
        }
        let _ = panic::take_hook();
    }
    println!("{schedule:#?}");
}
