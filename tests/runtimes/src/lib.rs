//! One suite for every runtime: bodies that are written once and run on Tokio with one thread and with many, on smol, on
//! async-std, and on threads that block.
//!
//! A [`Host`] is a runtime with its adapter, [`on_every_runtime!`] makes a test of each body on each host. The far end
//! of a connection is mostly a [`Peer`], spoken by hand; [`leaves_nothing`] counts what is left.
#![cfg(unix)]

use std::sync::{Mutex, PoisonError};

mod bounds;
pub mod by_hand;
mod counting;
pub mod doomed;
mod door;
mod host;
mod hosts;
mod hurried;
pub mod listening;
mod narrow;
mod peer;
pub mod raw;
pub mod relay;
pub mod scenario;
mod script;
pub mod threads;
pub mod tools;
mod torn;
pub mod toy;
mod watched;
mod web;

pub use bounds::{apart, at_once, idle, soon, until};
pub use counting::{Counted, leaves_nothing};
pub use door::Door;
pub use host::{Host, Job, spawn};
pub use hosts::{AsyncStd, Smol, Threads, TokioCurrentThread, TokioMultiThread};
pub use hurried::{Hurried, Unhurried};
pub use mcp_tests::shelf::Shelf;
pub use narrow::Narrow;
pub use peer::{Asked, Peer, answer, done, pair, pair_over, report, small_sockets, sockets, talk};
pub use script::{GRACE, script};
pub use torn::{Tear, Torn};
pub use watched::{Ends, Seen, watched};
pub use web::{Cable, Site, Web};

/// Runs a body on a host.
pub fn run<H: Host>(body: impl Future<Output = ()>) {
    // On the heap: some runtimes move it more than once before it is polled.
    H::block_on(Box::pin(soon::<H, _>(body)));
}

/// The same, and no other body in this process meanwhile.
pub fn run_alone<H: Host>(body: impl Future<Output = ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    run::<H>(body);
}

/// Makes a test of each body on each host, named `body::host`. With `alone:` before them, one body at a time.
#[macro_export]
macro_rules! on_every_runtime {
    (alone: $($body:ident),+ $(,)?) => { $crate::on_every_runtime! { @bodies run_alone $($body)+ } };
    (@bodies $run:ident $($body:ident)+) => { $(
        mod $body {
            $crate::on_every_runtime! { @hosts $run $body
                tokio_current_thread TokioCurrentThread,
                tokio_multi_thread TokioMultiThread,
                smol Smol,
                async_std AsyncStd,
                threads Threads,
            }
        }
    )+ };
    (@hosts $run:ident $body:ident $($name:ident $host:ident,)+) => { $(
        #[test]
        fn $name() {
            $crate::$run::<$crate::$host>(super::$body::<$crate::$host>());
        }
    )+ };
    ($($body:ident),+ $(,)?) => { $crate::on_every_runtime! { @bodies run $($body)+ } };
}

/// Makes a test of each body on each host whose adapter speaks HTTP and WebSocket, named `body::host`. With `alone:` before
/// them, one body at a time.
#[macro_export]
macro_rules! on_every_adapter {
    (alone: $($body:ident),+ $(,)?) => { $crate::on_every_adapter! { @bodies run_alone $($body)+ } };
    ($($body:ident),+ $(,)?) => { $crate::on_every_adapter! { @bodies run $($body)+ } };
    (@bodies $run:ident $($body:ident)+) => { $(
        mod $body {
            $crate::on_every_runtime! { @hosts $run $body
                tokio_current_thread TokioCurrentThread,
                tokio_multi_thread TokioMultiThread,
                smol Smol,
                async_std AsyncStd,
            }
        }
    )+ };
}

/// The snippets of the page about runtimes compile, and those that claim something are run.
#[cfg(doctest)]
mod prose {
    #[doc = include_str!("../../../docs/embedding.md")]
    struct Embedding;
}
