//! `mcpcli demo`: this program, started once more as a server, and its bar.

use std::env;

use serde_json::Map;

use crate::args::{Demo, Job, Target};
use crate::call;
use crate::failure::{Failure, Kind};

/// The call that shows a job of the demo server.
///
/// # Errors
///
/// If the system does not say where this program is.
pub(crate) fn job(demo: &Demo) -> Result<call::Job, Failure> {
    let program = env::current_exe().map_err(|error| {
        Failure::new(Kind::Spawn, format!("this program cannot find itself: {error}"))
    })?;
    let mut arguments = Map::new();
    if let Some(steps) = demo.steps {
        arguments.insert("steps".into(), steps.into());
    }
    if let Some(every) = demo.every {
        arguments.insert("every_ms".into(), every.into());
    }
    let target = Target::Command(vec![program.into_os_string(), "demo-server".into()]);
    Ok(call::Job { tool: tool(demo.job).into(), arguments, target })
}

fn tool(job: Job) -> &'static str {
    match job {
        Job::Task => "long_running_task",
        Job::Data => "data",
        Job::Training => "training",
        Job::Upload => "upload",
        Job::Download => "download",
        Job::Workflow => "workflow",
    }
}
