//! What the bytes of a response say, seen by somebody who is neither end.

/// The bytes of one response, as far as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Heard {
    rest: Vec<u8>,
    /// It has said where to go on, and that it is alive: then silence is noticed.
    has_place: bool,
    has_comment: bool,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The stream that it is of, and its position there.
    pub place: Option<(u64, u64)>,
    /// Its data: a message, or nothing.
    pub data: String,
}

impl Heard {
    /// More bytes have come: the events that are complete with them.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<_> = self.rest.drain(..end + 2).collect();
            let event = String::from_utf8(event).expect("messages are text");
            self.has_comment |= event.starts_with(':');
            let said = read(&event);
            self.has_place |= said.as_ref().is_some_and(|said| said.place.is_some());
            events.extend(said);
        }
        events
    }

    /// Whether a client that hears nothing more knows that something is wrong.
    pub fn is_watched(&self) -> bool {
        self.has_place && self.has_comment
    }

    /// What came behind the last event: all of what is no stream.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }
}

/// An event as this server writes it; a comment is none.
fn read(event: &str) -> Option<Said> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let place = field("id: ").map(|id| {
        let (stream, position) = id.split_once('-').expect("an id of this server");
        (stream.parse().expect("a number"), position.parse().expect("a number"))
    });
    let data = field("data:").map(|data| data.trim_start().to_owned());
    (place.is_some() || data.is_some()).then(|| Said { place, data: data.unwrap_or_default() })
}
