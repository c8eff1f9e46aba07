//! The runtime of the cases that need one.

use tokio::runtime::{Builder, Runtime};

use crate::meter::{Plan, Sample, measured};

pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Handles so many messages in a task, as what calls and what answers mostly is. The future that `block_on` polls is not
/// one: Tokio comes back to it only when no task has anything to do, by way of the kernel.
pub fn measured_in_task<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    plan: &Plan,
    work: impl Fn(usize) -> F,
) -> Sample {
    let spawned = |count| runtime.spawn(work(count));
    runtime.block_on(spawned(plan.warm_up)).expect("no panic");
    let task = spawned(plan.messages);
    measured(plan.messages, || runtime.block_on(task).expect("no panic"))
}
