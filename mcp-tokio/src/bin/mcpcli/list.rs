//! `mcpcli list`: the tools of a server.

use tokio::time::timeout;

use crate::args::{Options, Target};
use crate::asides::Feed;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::session::Session;
use crate::stage::Stage;

/// Reaches the server and prints its tools.
///
/// # Errors
///
/// Why there is no list.
pub(crate) async fn run(
    target: &Target,
    options: &Options,
    stage: &mut Stage,
    feed: Feed,
) -> Result<u8, Failure> {
    let session = Session::open(target, options, stage, feed).await?;
    let now = stage.now();
    stage.output.waiting("listing", now);
    let limits = Limits::new(options.timeouts(), now);
    let listing = timeout(limits.left(), session.client.list_tools());
    let listed = stage.watch(listing).await;
    let now = stage.now();
    let limits = Limits::new(options.timeouts(), now);
    let listed = match listed {
        Ok(Ok(Ok(tools))) => stage.output.tools(&tools, now).map_err(|_| Failure::unread()),
        Ok(Ok(Err(error))) => Err(Failure::of_call(
            limits.as_set(error),
            "the list of tools",
            None,
            session.whereabouts(),
        )),
        Ok(Err(_)) => Err(Failure::of_slow_list(limits.total(), now)),
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
