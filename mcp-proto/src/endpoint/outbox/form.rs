//! What a snapshot keeps of the queue.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Origin, Outbox, Place, Queued, Route};
use crate::state::{RestoreError, check, check_count, check_limit};

/// The unsent bytes, and the messages that they are of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OutboxForm {
    #[serde(with = "crate::state::kept")]
    bytes: Vec<u8>,
    messages: Vec<Message>,
    /// The place of the first message.
    first: u64,
    /// How much of it has been sent.
    begun: usize,
    /// How much is being written.
    lent: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Message {
    route: Route,
    origin: Origin,
    len: usize,
    previous: Option<Place>,
    is_revoked: bool,
}

impl Outbox {
    pub(crate) fn form(&self) -> OutboxForm {
        let Self {
            bytes,
            start,
            messages,
            first,
            gone: _,
            begun,
            lent,
            revoked,
            #[cfg(test)]
                steps: _,
        } = self;
        let message = |(number, message): (u64, &Queued)| Message {
            route: message.route.clone(),
            origin: message.origin,
            len: message.len,
            previous: message.previous,
            is_revoked: revoked.contains(&Place::new(number)),
        };
        OutboxForm {
            bytes: bytes.get(*start..).unwrap_or_default().to_vec(),
            messages: (*first..).zip(messages).map(message).collect(),
            first: *first,
            begun: *begun,
            lent: *lent,
        }
    }

    /// The queue again, of so many messages and bytes at most.
    pub(crate) fn restore(
        form: OutboxForm,
        max_messages: usize,
        max_len: usize,
    ) -> Result<Self, RestoreError> {
        let OutboxForm { bytes, messages, first, begun, lent } = form;
        check_limit(messages.len(), max_messages, "messages that wait to be sent")?;
        check_limit(bytes.len(), max_len, "bytes that wait to be sent")?;
        check_count(first)?;
        check(lent <= bytes.len(), "more is being written than there is")?;
        // What has left is counted from the beginning of the first message.
        let mut outbox = Self { first, gone: begun as u64, begun, lent, ..Self::new() };
        let (mut rest, mut at) = (&*bytes, 0_u64);
        for (number, message) in (first..).zip(messages) {
            let Message { route, origin, len, previous, is_revoked } = message;
            let unsent = if number == first { len.checked_sub(begun) } else { Some(len) };
            let unsent = unsent
                .filter(|unsent| *unsent > 0)
                .and_then(|unsent| rest.split_at_checked(unsent));
            let (text, behind) = unsent.ok_or(RestoreError::Invalid("a message without bytes"))?;
            rest = behind;
            let is_line = memchr::memchr(b'\n', text) == Some(text.len() - 1);
            let begins = begun > 0 && number == first || matches!(text, [b'{' | b'[', _, ..]);
            check(is_line && begins, "a message that is no line")?;
            let place = Place::new(number);
            if is_revoked {
                let is_leaving = at < outbox.gone + lent as u64;
                check(!is_leaving, "what is being written was taken back")?;
                outbox.revoked.insert(place, ());
            }
            let is_chained = previous.is_none_or(|before| {
                before < place
                    && outbox.get(before).is_none_or(|other| other.route.leads_to(&route))
            });
            check(is_chained, "a message behind one of somebody else")?;
            outbox.messages.push_back(Queued { route, origin, len, at, previous });
            at += len as u64;
        }
        check(rest.is_empty(), "bytes of no message")?;
        check(begun == 0 || !outbox.messages.is_empty(), "a part of no message was sent")?;
        outbox.bytes = bytes;
        outbox.skip_revoked();
        Ok(outbox)
    }

    /// Whether a message that somebody has the place of is theirs, or has left.
    pub(crate) fn is_owner(&self, place: Place, route: &Route) -> bool {
        let end = self.first + self.messages.len() as u64;
        place.number() < end && self.get(place).is_none_or(|message| message.route == *route)
    }

    /// Where its messages go.
    #[cfg(feature = "http")]
    pub(crate) fn origins(&self) -> impl Iterator<Item = Origin> {
        self.messages.iter().map(|message| message.origin)
    }

    /// Whether no message has left in part.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.begun == 0
    }
}
