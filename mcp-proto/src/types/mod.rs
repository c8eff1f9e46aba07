//! What messages say: one superset of shapes for all revisions, by feature.

mod progress;

pub use progress::Progress;
