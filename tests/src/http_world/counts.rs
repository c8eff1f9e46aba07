//! What worlds have seen.

use std::ops::AddAssign;

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps: something arrived, or time passed.
    pub steps: u64,
    /// Calls, each of which ended once.
    pub calls: u64,
    /// Of them, those that ended with an error.
    pub lost: u64,
    /// … that were given up.
    pub cancelled: u64,
    /// … whose deadline passed.
    pub timed_out: u64,
    /// … that were answered with a refusal because their session moved.
    pub turned_away: u64,
    /// Connections that broke.
    pub cuts: u64,
    /// Connections that died without a word.
    pub holes: u64,
    /// Readers that stood still for a while.
    pub stalls: u64,
    /// … with so much before them that the server had to wait.
    pub full: u64,
    /// Calls of others that ended while a reader stood still.
    pub meanwhile: u64,
    /// Responses that the server cut because nobody read them.
    pub given_up: u64,
    /// Streams that were asked for again.
    pub resumed: u64,
    /// … and refused, because something was no longer kept.
    pub refused: u64,
    /// Responses that were ended by the server for the client to come back.
    pub parted: u64,
    /// Questions of the server that its clients answered.
    pub answered: u64,
    /// Sessions that went to another server.
    pub moved: u64,
    /// Sessions that the server forgot.
    pub forgotten: u64,
    /// Sessions that were opened after one was lost.
    pub reopened: u64,
    /// Reports that were merged on their way.
    pub merged: u64,
    /// Requests of strangers that named a session.
    pub strangers: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        let Self {
            steps,
            calls,
            lost,
            cancelled,
            timed_out,
            turned_away,
            cuts,
            holes,
            stalls,
            full,
            meanwhile,
            given_up,
            resumed,
            refused,
            parted,
            answered,
            moved,
            forgotten,
            reopened,
            merged,
            strangers,
        } = more;
        for (sum, more) in [
            (&mut self.steps, steps),
            (&mut self.calls, calls),
            (&mut self.lost, lost),
            (&mut self.cancelled, cancelled),
            (&mut self.timed_out, timed_out),
            (&mut self.turned_away, turned_away),
            (&mut self.cuts, cuts),
            (&mut self.holes, holes),
            (&mut self.stalls, stalls),
            (&mut self.full, full),
            (&mut self.meanwhile, meanwhile),
            (&mut self.given_up, given_up),
            (&mut self.resumed, resumed),
            (&mut self.refused, refused),
            (&mut self.parted, parted),
            (&mut self.answered, answered),
            (&mut self.moved, moved),
            (&mut self.forgotten, forgotten),
            (&mut self.reopened, reopened),
            (&mut self.merged, merged),
            (&mut self.strangers, strangers),
        ] {
            *sum += more;
        }
    }
}
