//! The conversations of a server, by scope.

use alloc::boxed::Box;

use super::Scope;
use super::conversation::Conversation;
use crate::slots::Slots;

/// The table. The place of a conversation that has ended is kept for the next, which mostly comes soon.
#[derive(Clone, Default)]
pub(super) struct Conversations {
    places: Slots<Place>,
    /// The last name that was given.
    last: i64,
    spare: Option<Place>,
}

/// Empty only while it is spare.
type Place = Box<Option<Conversation>>;

impl Conversations {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The last name that was given.
    #[cfg(feature = "testing")]
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// The name of the next one.
    pub(super) fn name(&mut self) -> Scope {
        self.last = self.places.next_free(self.last + 1);
        Scope(self.last.unsigned_abs())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Conversation> {
        self.places.iter().filter_map(|(_, place)| (**place).as_ref())
    }

    pub(super) fn get(&self, scope: Scope) -> Option<&Conversation> {
        (**self.places.get(number(scope)?)?).as_ref()
    }

    pub(super) fn get_mut(&mut self, scope: Scope) -> Option<&mut Conversation> {
        (**self.places.get_mut(number(scope)?)?).as_mut()
    }

    /// Enters one under its name.
    pub(super) fn insert(&mut self, conversation: Conversation) -> Option<&mut Conversation> {
        let scope = conversation.scope;
        let mut place = self.spare.take().unwrap_or_default();
        *place = Some(conversation);
        self.places.insert(number(scope)?, place);
        self.get_mut(scope)
    }

    /// Takes one out, which is over once `end` has seen it. Whether it was there.
    pub(super) fn remove(&mut self, scope: Scope, end: impl FnOnce(&mut Conversation)) -> bool {
        let removed = number(scope).and_then(|number| self.places.remove(number));
        let Some(mut place) = removed else { return false };
        if let Some(conversation) = &mut *place {
            end(conversation);
        }
        *place = None;
        self.spare = Some(place);
        true
    }
}

fn number(scope: Scope) -> Option<i64> {
    i64::try_from(scope.0).ok()
}
