//! A pair of connections that nobody uses.

use super::{add_each, peers, resident, runtime, settle};
use crate::allocations;
use crate::report::{Figures, Metric};

const PAIRS: usize = 1_000;

pub fn ours(figures: &mut Figures) {
    idle(figures, "idle/ours", || peers::ours_pair(|_| ()));
}

pub fn rmcp(figures: &mut Figures) {
    idle(figures, "idle/rmcp", peers::rmcp_tools_pair);
}

fn idle<T, F: Future<Output = T>>(figures: &mut Figures, case: &str, pair: impl Fn() -> F) {
    runtime().block_on(async {
        let mut pairs = Vec::with_capacity(PAIRS);
        // What is made once is not counted.
        drop(pair().await);
        settle().await;
        let (heap, pages) = (allocations::live(), resident());
        for _ in 0..PAIRS {
            pairs.push(pair().await);
        }
        settle().await;
        let (heap, pages) = ((allocations::live() - heap) as f64, resident() - pages);
        add_each(figures, case, Metric::HeapBytes, heap, PAIRS);
        add_each(figures, case, Metric::ResidentBytes, pages, PAIRS);
        drop(pairs);
    });
}
