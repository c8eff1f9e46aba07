//! The members of an object, each read by serde_json, until something is none.

use serde::de::IgnoredAny;

/// What could be read of an object.
#[derive(Default)]
pub(crate) struct Members<'a> {
    pub(crate) whole: Vec<Member<'a>>,
    /// The name of the one whose value cannot be read to its end.
    pub(crate) begun: Option<String>,
    /// Whether it stays unclear if that one counts: it has a name that is there already, or may be nested too deeply, and
    /// is passed over by its brackets alone.
    pub(crate) is_unclear: bool,
}

/// One that is whole.
pub(crate) struct Member<'a> {
    pub(crate) name: String,
    pub(crate) value: &'a str,
    /// What follows it.
    pub(crate) behind: &'a str,
}

impl<'a> Members<'a> {
    /// Reads what a text begins with; nothing if that is no object.
    pub(crate) fn read(text: &'a str) -> Self {
        let mut members = Self::default();
        let mut rest = blanks(text).strip_prefix('{').unwrap_or_default();
        while let Some((name, text)) = key(rest) {
            let Some((value, behind)) = value(text) else {
                let is_deep = text.matches(['[', '{']).count() >= 64;
                members.is_unclear = is_deep || members.get(&name).is_some();
                members.begun = Some(name);
                break;
            };
            members.whole.push(Member { name, value, behind });
            let Some(next) = blanks(behind).strip_prefix(',') else { break };
            rest = next;
        }
        members
    }

    /// The first of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.whole.iter().find(|member| member.name == name)
    }

    /// Whether one of a message's own is there twice.
    pub(crate) fn is_double(&self) -> bool {
        let count = |name| self.whole.iter().filter(|member| member.name == name).count();
        ["jsonrpc", "id", "method", "params", "result", "error"].into_iter().any(|it| count(it) > 1)
    }
}

/// The name that a member begins with, and what is behind its colon.
fn key(text: &str) -> Option<(String, &str)> {
    let text = blanks(text);
    let (name, behind) = value(text).filter(|_| text.starts_with('"'))?;
    let behind = blanks(behind).strip_prefix(':')?;
    Some((serde_json::from_str(name).unwrap_or_default(), blanks(behind)))
}

/// The value that a text begins with, and what is behind it.
fn value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(text.split_at(values.byte_offset()))
}

fn blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}
