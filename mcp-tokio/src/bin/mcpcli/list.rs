//! `mcpcli list`: the tools of a server.

use std::ffi::OsString;

use crate::args::Options;
use crate::asides::Feed;
use crate::failure::Failure;
use crate::session::Session;
use crate::stage::Stage;

/// Starts the server and prints its tools.
///
/// # Errors
///
/// Why there is no list.
pub(crate) async fn run(
    command: &[OsString],
    options: &Options,
    stage: &mut Stage,
    feed: Feed,
) -> Result<u8, Failure> {
    let session = Session::open(command, options, stage, feed).await?;
    let now = stage.now();
    stage.output.waiting("listing", now);
    let listed = match stage.watch(session.client.list_tools()).await {
        Ok(Ok(tools)) => {
            let now = stage.now();
            stage.output.tools(&tools, now).map_err(|_| Failure::unread())
        }
        Ok(Err(error)) => Err(Failure::of_call(error, "the list of tools", None)),
        Err(failure) => Err(failure),
    };
    match listed {
        Ok(()) => {
            session.close(stage).await;
            Ok(0)
        }
        Err(failure) => Err(session.fail(failure, stage, "in the middle of the list").await),
    }
}
