//! The requests of one side: what became of each.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::Place;
use crate::id::{ProgressToken, RequestId};
use crate::revision::Revision;
use crate::types::LogLevel;

/// All that one side has asked, oldest first.
#[derive(Debug, Default)]
pub(super) struct Requests {
    all: Vec<Asked>,
    /// The newest of that id.
    by_id: BTreeMap<RequestId, usize>,
    /// The newest with that token.
    by_token: BTreeMap<ProgressToken, usize>,
    /// The newest that the other side has shown to have read, as a place in the conversation.
    pub(super) read_until: usize,
    /// How many messages there were whose id nobody can read: each may be answered without one.
    pub(super) unreadable: usize,
    /// The ids of messages that are wrong otherwise: each may be answered.
    pub(super) malformed: Vec<RequestId>,
}

/// One request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: RequestId,
    pub(super) method: String,
    pub(super) place: Place,
    /// It says its version, or what the client can do, by itself.
    pub(super) is_modern: bool,
    /// It lacks one of the two.
    pub(super) lacks_meta: bool,
    pub(super) log_level: Option<LogLevel>,
    pub(super) last_report: Option<f64>,
    pub(super) answered: Option<Place>,
    pub(super) cancelled: Option<Place>,
    /// The client has closed the exchange on which it was asked.
    pub(super) is_left: bool,
    pub(super) is_in_batch: bool,
    /// It was answered with a task, which goes on.
    pub(super) is_task: bool,
}

impl Asked {
    pub(super) fn is_at_work(&self) -> bool {
        self.answered.is_none() && self.cancelled.is_none()
    }

    /// Its own revision, or else the one that is in force around it.
    pub(super) fn revision(&self, in_force: Revision) -> Revision {
        if self.is_modern { Revision::LATEST } else { in_force }
    }
}

impl Requests {
    pub(super) fn all(&self) -> &[Asked] {
        &self.all
    }

    pub(super) fn all_mut(&mut self) -> &mut [Asked] {
        &mut self.all
    }

    pub(super) fn by_id(&self, id: &RequestId) -> Option<&Asked> {
        self.all.get(*self.by_id.get(id)?)
    }

    pub(super) fn by_id_mut(&mut self, id: &RequestId) -> Option<&mut Asked> {
        self.all.get_mut(*self.by_id.get(id)?)
    }

    /// The id of a request that this one was made of: `"5"` or `5.0` of 5.
    pub(super) fn changed(&self, id: &RequestId) -> Option<RequestId> {
        let meant = match (id.lenient_i64(), id.as_i64()) {
            (Some(number), _) => RequestId::from(number),
            (None, Some(number)) => RequestId::from(alloc::format!("{number}")),
            (None, None) => return None,
        };
        self.by_id.contains_key(&meant).then_some(meant)
    }

    pub(super) fn by_token(&self, token: &ProgressToken) -> Option<&Asked> {
        self.all.get(*self.by_token.get(token)?)
    }

    pub(super) fn by_token_mut(&mut self, token: &ProgressToken) -> Option<&mut Asked> {
        self.all.get_mut(*self.by_token.get(token)?)
    }

    /// As [`changed`](Self::changed), of tokens.
    pub(super) fn changed_token(&self, token: &ProgressToken) -> Option<ProgressToken> {
        let meant = match (token.lenient_i64(), token.as_i64()) {
            (Some(number), _) => ProgressToken::from(number),
            (None, Some(number)) => ProgressToken::from(alloc::format!("{number}")),
            (None, None) => return None,
        };
        self.by_token.contains_key(&meant).then_some(meant)
    }

    pub(super) fn enter(&mut self, asked: Asked, token: Option<ProgressToken>) {
        let at = self.all.len();
        let earlier = self.by_id.insert(asked.id.clone(), at);
        // Which of two with one id is answered cannot be told.
        if let Some(earlier) = earlier.and_then(|earlier| self.all.get_mut(earlier)) {
            earlier.answered.get_or_insert(asked.place);
        }
        if let Some(token) = token {
            self.by_token.insert(token, at);
        }
        self.all.push(asked);
    }
}

impl Asked {
    pub(super) fn new(id: RequestId, method: &str, place: Place) -> Self {
        Self {
            id,
            method: method.to_owned(),
            place,
            is_modern: false,
            lacks_meta: false,
            log_level: None,
            last_report: None,
            answered: None,
            cancelled: None,
            is_left: false,
            is_in_batch: false,
            is_task: false,
        }
    }
}
