//! Deadlines and pacing against what a few lines of arithmetic say.

mod calls;
mod reports;

use arbitrary::{Arbitrary, Unstructured};

/// A byte that chooses the model, and bytes that `arbitrary` reads as steps in time.
pub fn timers(input: &[u8]) {
    match input.split_first() {
        Some((choice, bytes)) if choice % 2 == 0 => calls::run(&steps(bytes)),
        Some((_, [burst, every, bytes @ ..])) => reports::run(*burst, *every, &steps(bytes)),
        _ => {}
    }
}

/// Steps up to the end of the bytes. More than this at one moment are not told apart any longer.
fn steps<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> Vec<T> {
    let mut unread = Unstructured::new(bytes);
    let step = || (!unread.is_empty()).then(|| unread.arbitrary().ok()).flatten();
    std::iter::from_fn(step).take(1_000).collect()
}
