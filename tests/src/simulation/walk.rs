//! Session after session, each from the seed after the last one's.

use super::session::{Happened, Session};
use crate::promises::{Broken, Planted};

/// A session in which a promise was broken.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Failed {
    /// Its seed: it gives the same session again.
    pub seed: u64,
    /// What was broken.
    pub broken: Broken,
    /// What happened, step by step.
    pub trace: Vec<String>,
}

/// Runs sessions from `seed` on until they have taken so many steps. Gives back what happened and the seed to
/// go on from.
///
/// # Errors
///
/// The first session in which a promise was broken.
pub fn walk(seed: u64, steps: u64, planted: Option<Planted>) -> Result<(Happened, u64), Failed> {
    let (mut happened, mut next) = (Happened::default(), seed);
    while happened.steps < steps {
        match Session::new(next).planted(planted).run() {
            Ok(more) => happened += more,
            Err(_) => return Err(replay(next, planted).expect_err("a seed is a session")),
        }
        next += 1;
    }
    Ok((happened, next))
}

/// Runs the session of a seed once more. What happened, in numbers and step by step.
///
/// # Errors
///
/// A broken promise, with what happened before.
pub fn replay(seed: u64, planted: Option<Planted>) -> Result<(Happened, Vec<String>), Failed> {
    let mut session = Session::new(seed).planted(planted).traced();
    let outcome = session.run();
    let trace = session.trace().to_vec();
    match outcome {
        Ok(happened) => Ok((happened, trace)),
        Err(broken) => Err(Failed { seed, broken, trace }),
    }
}
