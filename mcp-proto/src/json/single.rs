//! Members of which there may be one.

use super::frame::Params;
use super::raw::Raw;

/// Two members of one name: of those who read the text each may go by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubled;

impl<'a> Raw<'a> {
    /// The value of the only member of that name, if there is one. Linear.
    pub(crate) fn get_only(self, name: &str) -> Result<Option<Self>, Doubled> {
        only(self.members().filter(|(key, _)| *key == *name).map(|(_, value)| value))
    }
}

impl<'a> Params<'a> {
    /// The value of the only member of that name, if there is one.
    pub(crate) fn get_only(&self, name: &str) -> Result<Option<Raw<'a>>, Doubled> {
        let Some(noted) = self.all() else { return self.raw().get_only(name) };
        let found = noted.iter().filter(|(key, _)| *key == name.as_bytes());
        only(found.map(|(_, value)| *value))
    }
}

fn only<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Doubled> {
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Doubled),
    }
}
