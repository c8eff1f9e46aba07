//! Many random sessions of two real connections over a bad network. A seed is a session.

mod plan;
mod port;
mod session;
mod step;
mod walk;

pub use plan::Plan;
pub use session::{Happened, Session};
pub use walk::{Failed, replay, walk};
