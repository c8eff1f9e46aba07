//! One end against a peer that says anything.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::operation::{Operation, SoloSchedule, SoloStep};
use super::watched::Watched;
use crate::config::{ClientConfig, Limits, ServerConfig};
use crate::progress::Pacing;
use crate::revision::{Revision, RevisionSet};
use crate::role::Role;
use crate::stdio::Connection;
use crate::testing::{End, Pair};
use crate::time::Instant;
use crate::types::LogLevel;

impl SoloSchedule {
    /// Does every step and checks what [`Watched`] promises.
    ///
    /// # Panics
    ///
    /// If a promise is broken.
    pub fn run(&self) {
        self.run_restored(0);
    }

    /// As [`run`](Self::run), and after so many steps each time the end is replaced by what its snapshot becomes.
    ///
    /// # Panics
    ///
    /// If a promise is broken.
    pub fn run_restored(&self, every: u8) {
        let now = Instant::from_nanos(1);
        match self.end {
            End::Client => {
                self.play(Watched::client(self.client(now), now).restored_every(every), now)
            }
            End::Server => {
                self.play(Watched::server(self.server(now), now).restored_every(every), now)
            }
        }
    }

    fn client(&self, now: Instant) -> Connection<crate::role::Client> {
        let config = client_config(self.revision, !self.pinned);
        if !self.met {
            return Connection::client(config, now);
        }
        met(config.revisions(self.revision), server_config(true), now).client
    }

    fn server(&self, now: Instant) -> Connection<crate::role::Server> {
        let config = server_config(true);
        let config = if self.pinned { config.revisions(self.revision) } else { config };
        if !self.met {
            return Connection::server(config);
        }
        met(client_config(self.revision, false), config, now).server
    }

    fn play<R: Role>(&self, mut end: Watched<R>, mut now: Instant) {
        if !self.steps.iter().any(|step| matches!(step, SoloStep::HearBytes(_))) {
            end.count_answers();
        }
        for step in &self.steps {
            match step {
                SoloStep::Do(operation) => end.apply(operation, now),
                SoloStep::Hear(message) => {
                    let calls = end.in_flight();
                    message.asks_as(&calls).into_iter().for_each(|id| end.expect_answer(id));
                    end.handle_input(message.line(&calls).as_bytes(), now);
                }
                SoloStep::HearBatch(messages) => {
                    let calls = end.in_flight();
                    let asked = messages.iter().filter_map(|message| message.asks_as(&calls));
                    asked.for_each(|id| end.expect_answer(id));
                    let lines: Vec<_> =
                        messages.iter().map(|message| message.line(&calls)).collect();
                    let batch = lines.join(",").replace('\n', "");
                    end.handle_input(format!("[{batch}]\n").as_bytes(), now);
                }
                SoloStep::HearBytes(bytes) => end.handle_input(bytes, now),
                SoloStep::Eof => end.handle_eof(now),
                SoloStep::Pass(millis) => now = now + Duration::from_millis((*millis).into()),
                SoloStep::Jump(late) => {
                    let at = end.connection().poll_timeout().unwrap_or(now).max(now);
                    now = at + Duration::from_millis((*late).into());
                    end.apply(&Operation::Wake, now);
                }
            }
        }
        end.finish(now);
    }
}

/// Limits so low that a few steps reach them.
pub(super) fn limits() -> Limits {
    Limits {
        max_message_len: 2 << 10,
        max_depth: 8,
        max_id_len: 16,
        max_calls: 4,
        max_requests: 4,
        max_outbox_len: 1 << 10,
        max_error_answers_per_second: 4,
        max_error_answers: 16,
        max_milestones: 3,
        ..Limits::default()
    }
}

pub(super) fn client_config(revision: Revision, probes: bool) -> ClientConfig {
    let config = ClientConfig::new("ops", "1").limits(limits()).log_level(LogLevel::Info);
    config.revisions(if probes { RevisionSet::ALL } else { revision.into() })
}

pub(super) fn server_config(is_paced: bool) -> ServerConfig {
    let pacing = Pacing::default().burst(2).every(Duration::from_millis(100));
    let pacing = if is_paced { pacing } else { Pacing::UNLIMITED };
    let config = ServerConfig::new("ops", "1").limits(limits()).pacing(pacing);
    let capabilities = config.capabilities.clone().logging();
    config.capabilities(capabilities)
}

/// Two ends that have met, with nothing left to say or to tell.
pub(super) fn met(client: ClientConfig, server: ServerConfig, now: Instant) -> Pair {
    let mut pair = Pair::new(client, server);
    pair.now = now;
    for _ in 0..4 {
        pair.settle();
    }
    pair.forget();
    pair
}
