//! The revisions of the protocol, as rows of a table.

use core::fmt;

/// One dated version of the specification, in order of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "testing", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Revision {
    /// 2024-11-05: the first.
    V2024_11_05,
    /// 2025-03-26: batches, progress messages, audio.
    V2025_03_26,
    /// 2025-06-18: structured tool output, no batches.
    V2025_06_18,
    /// 2025-11-25: the last with a handshake.
    V2025_11_25,
    /// 2026-07-28: no handshake; every request stands alone.
    V2026_07_28,
}

/// How a revision is spoken; the specification's own two words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(clippy::exhaustive_enums)] // a third way to speak would be another engine
pub enum Era {
    /// A handshake opens a session, to 2025-11-25.
    Legacy,
    /// Each request carries version and capabilities, from 2026-07-28.
    Modern,
}

/// What differs from revision to revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Rules {
    /// The string on the wire.
    pub wire: &'static str,
    /// How it is spoken.
    pub era: Era,
    /// Whether an array of messages must be received. The engine sends none but the answers to one.
    pub batches: bool,
    /// Whether a progress report has a message.
    pub progress_message: bool,
    /// Whether a server may send requests, and a client responses.
    pub server_requests: bool,
    /// Whether an error whose request id could not be read carries `"id": null`; if not, it has no id.
    pub null_id: bool,
    /// Whether a tool result may have structured content.
    pub structured_content: bool,
    /// Whether structured content may be any value; if not, it is an object.
    pub structured_any: bool,
    /// Whether a tool has hints about what it does.
    pub tool_annotations: bool,
    /// Whether a tool has a title and metadata.
    pub tool_titles: bool,
    /// Whether arguments that are not what a tool takes are told to the model; if not, they are an error
    /// of the protocol.
    pub tells_argument_errors: bool,
    /// Whether a block of content may be a sound.
    pub audio: bool,
    /// Whether a block of content may be a link to a resource, has metadata, and says when it was modified.
    pub block_links: bool,
    /// Whether an implementation has a title, and a client elicits.
    pub titles: bool,
    /// Whether an implementation has a description and an address, and elicitation has modes.
    pub descriptions: bool,
    /// Whether an implementation and a tool have icons.
    pub icons: bool,
    /// Whether tasks are announced, and a tool says whether it runs as one: 2025-11-25 alone, for what came after it is an
    /// extension.
    pub tasks: bool,
    /// Whether that a server completes arguments is a capability.
    pub completions: bool,
    /// Whether extensions are announced: no revision before 2026-07-28 defines that, but 2025-11-25 is spoken by those who
    /// look for it among the members that it leaves open.
    pub extensions: bool,
}

/// A set of revisions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevisionSet(u8);

static RULES: [Rules; 5] = [
    Rules {
        wire: "2024-11-05",
        era: Era::Legacy,
        batches: false,
        progress_message: false,
        server_requests: true,
        null_id: true,
        structured_content: false,
        structured_any: false,
        tool_annotations: false,
        tool_titles: false,
        tells_argument_errors: false,
        audio: false,
        block_links: false,
        titles: false,
        descriptions: false,
        icons: false,
        tasks: false,
        completions: false,
        extensions: false,
    },
    Rules {
        wire: "2025-03-26",
        era: Era::Legacy,
        batches: true,
        progress_message: true,
        server_requests: true,
        null_id: true,
        structured_content: false,
        structured_any: false,
        tool_annotations: true,
        tool_titles: false,
        tells_argument_errors: false,
        audio: true,
        block_links: false,
        titles: false,
        descriptions: false,
        icons: false,
        tasks: false,
        completions: true,
        extensions: false,
    },
    Rules {
        wire: "2025-06-18",
        era: Era::Legacy,
        batches: false,
        progress_message: true,
        server_requests: true,
        null_id: true,
        structured_content: true,
        structured_any: false,
        tool_annotations: true,
        tool_titles: true,
        tells_argument_errors: false,
        audio: true,
        block_links: true,
        titles: true,
        descriptions: false,
        icons: false,
        tasks: false,
        completions: true,
        extensions: false,
    },
    Rules {
        wire: "2025-11-25",
        era: Era::Legacy,
        batches: false,
        progress_message: true,
        server_requests: true,
        null_id: false,
        structured_content: true,
        structured_any: false,
        tool_annotations: true,
        tool_titles: true,
        tells_argument_errors: true,
        audio: true,
        block_links: true,
        titles: true,
        descriptions: true,
        icons: true,
        tasks: true,
        completions: true,
        extensions: true,
    },
    Rules {
        wire: "2026-07-28",
        era: Era::Modern,
        batches: false,
        progress_message: true,
        server_requests: false,
        null_id: false,
        structured_content: true,
        structured_any: true,
        tool_annotations: true,
        tool_titles: true,
        tells_argument_errors: true,
        audio: true,
        block_links: true,
        titles: true,
        descriptions: true,
        icons: true,
        tasks: false,
        completions: true,
        extensions: true,
    },
];

impl Revision {
    /// All, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// The newest with a handshake.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// The newest.
    pub const LATEST: Self = Self::V2026_07_28;

    /// The revision of a wire string, compared exactly.
    pub fn parse(wire: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == wire)
    }

    /// The string on the wire.
    pub fn as_str(self) -> &'static str {
        self.rules().wire
    }

    /// How it is spoken.
    pub fn era(self) -> Era {
        self.rules().era
    }

    /// Its row of the table.
    pub fn rules(self) -> &'static Rules {
        let [r24, r25a, r25b, r25c, r26] = &RULES;
        match self {
            Self::V2024_11_05 => r24,
            Self::V2025_03_26 => r25a,
            Self::V2025_06_18 => r25b,
            Self::V2025_11_25 => r25c,
            Self::V2026_07_28 => r26,
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl RevisionSet {
    /// Every revision.
    pub const ALL: Self = Self(0b1_1111);

    /// The revisions of one era.
    pub const fn era(era: Era) -> Self {
        match era {
            Era::Legacy => Self(0b0_1111),
            Era::Modern => Self(0b1_0000),
        }
    }

    /// Just this one.
    pub const fn only(revision: Revision) -> Self {
        Self(1 << revision as u8)
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, revision: Revision) -> Self {
        Self(self.0 | 1 << revision as u8)
    }

    /// Whether it is in the set.
    pub const fn contains(self, revision: Revision) -> bool {
        self.0 & (1 << revision as u8) != 0
    }

    /// The members, newest first.
    pub fn iter(self) -> impl Iterator<Item = Revision> {
        Revision::ALL.into_iter().rev().filter(move |revision| self.contains(*revision))
    }

    /// The newest member of an era.
    pub fn newest(self, era: Era) -> Option<Revision> {
        self.iter().find(|revision| revision.era() == era)
    }
}

impl Default for RevisionSet {
    fn default() -> Self {
        Self::ALL
    }
}

impl From<Revision> for RevisionSet {
    fn from(revision: Revision) -> Self {
        Self::only(revision)
    }
}

impl fmt::Debug for RevisionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Revision::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_own_wire_string() {
        for revision in Revision::ALL {
            assert_eq!(Revision::parse(revision.as_str()), Some(revision));
        }
        assert_eq!(Revision::parse("2025-06-18 "), None);
        assert_eq!(Revision::parse(""), None);
    }

    /// A new revision, or a changed rule, is a diff of this table that somebody has to read.
    #[test]
    fn the_table_is_what_it_was() {
        let mark = |holds: bool| if holds { 'x' } else { '.' };
        let row = |revision: Revision| {
            let rules = revision.rules();
            let columns = [
                rules.batches,
                rules.progress_message,
                rules.server_requests,
                rules.null_id,
                rules.structured_content,
                rules.structured_any,
                rules.tool_annotations,
                rules.tool_titles,
                rules.tells_argument_errors,
                rules.audio,
                rules.block_links,
                rules.titles,
                rules.descriptions,
                rules.icons,
                rules.tasks,
                rules.completions,
                rules.extensions,
            ];
            alloc::format!(
                "{} {:?} {}",
                rules.wire,
                rules.era,
                columns.map(mark).iter().collect::<alloc::string::String>()
            )
        };
        assert_eq!(
            Revision::ALL.map(row),
            [
                "2024-11-05 Legacy ..xx.............",
                "2025-03-26 Legacy xxxx..x..x.....x.",
                "2025-06-18 Legacy .xxxx.xx.xxx...x.",
                "2025-11-25 Legacy .xx.x.xxxxxxxxxxx",
                "2026-07-28 Modern .x..xxxxxxxxxx.xx",
            ]
        );
    }

    #[test]
    fn the_newest_of_each_era_is_what_the_constants_say() {
        assert_eq!(RevisionSet::ALL.newest(Era::Legacy), Some(Revision::LATEST_LEGACY));
        assert_eq!(RevisionSet::ALL.newest(Era::Modern), Some(Revision::LATEST));
        assert_eq!(RevisionSet::only(Revision::V2025_03_26).newest(Era::Modern), None);
    }
}
