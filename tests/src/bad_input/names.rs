//! What stands for the placeholders in an input.

use std::collections::BTreeMap;

/// Placeholders by name, with the JSON text that stands for each.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// The id and, if it has one, the progress token of a call, with their look-alikes of the other type.
    pub fn call(&mut self, call: &str, id: &str, token: Option<&str>) {
        self.pair("id", "other", call, id);
        if let Some(token) = token {
            self.pair("token", "othertoken", call, token);
        }
    }

    /// One name.
    pub fn set(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), text.to_owned());
    }

    /// What stands for a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn pair(&mut self, name: &str, other: &str, call: &str, text: &str) {
        self.set(&format!("{name}.{call}"), text);
        let lookalike = match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            None => Some(format!("\"{text}\"")),
            // Only digits have a look-alike among the numbers.
            Some(text) => text.parse::<i64>().ok().map(|number| number.to_string()),
        };
        if let Some(lookalike) = lookalike {
            self.set(&format!("{other}.{call}"), &lookalike);
        }
    }

    /// The template with everything in its place.
    ///
    /// # Panics
    ///
    /// If nothing stands for a placeholder in it.
    pub fn fill(&self, template: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, name, behind)) = next(rest) {
            filled.extend_from_slice(before);
            match (
                self.get(name),
                name.strip_prefix("repeat:").and_then(|what| what.rsplit_once(':')),
            ) {
                (Some(text), _) => filled.extend_from_slice(text.as_bytes()),
                (None, Some((what, count))) => {
                    filled
                        .extend_from_slice(what.repeat(count.parse().expect("a count")).as_bytes());
                }
                (None, None) => panic!("nothing stands for {{{{{name}}}}}"),
            }
            rest = behind;
        }
        filled.extend_from_slice(rest);
        filled
    }
}

/// What is before the next placeholder, its name, and what is behind it.
fn next(text: &[u8]) -> Option<(&[u8], &str, &[u8])> {
    let mut from = 0;
    loop {
        let start = from + find(&text[from..], b"{{")?;
        let inside = &text[start + 2..];
        // JSON has braces beside each other too, but no name behind them.
        if inside.first().is_some_and(u8::is_ascii_lowercase) {
            let length = find(inside, b"}}")?;
            let name = std::str::from_utf8(&inside[..length]).ok()?;
            return Some((&text[..start], name, &inside[length + 2..]));
        }
        from = start + 1;
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[test]
fn placeholders_are_filled_and_braces_are_left_alone() {
    let mut names = Names::default();
    names.call("A", "7", Some("\"t\""));
    let fill = |text: &str| String::from_utf8(names.fill(text.as_bytes())).unwrap();
    assert_eq!(fill("{{id.A}}{{other.A}}{{token.A}}"), "7\"7\"\"t\"");
    assert_eq!(fill("{\"a\":{{\"b\":{{repeat:x:3}}}}"), "{\"a\":{{\"b\":xxx}}");
}
