//! What an engine may do about an input, as the catalogue says it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One acceptable reaction. Every member is judged or is a note for readers; an unknown one is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the README of the catalogue explains them
pub enum Reaction {
    All {
        of: Vec<Self>,
    },
    Reply(Box<Reply>),
    ReplyEach {
        count: usize,
        #[serde(default)]
        result: bool,
        #[serde(default)]
        error: Option<i64>,
        /// `bounded`: that the answers are small is measured for every case.
        #[serde(default)]
        output: Option<String>,
    },
    ReplyBatch {
        #[serde(default)]
        ids: Vec<Value>,
        #[serde(default)]
        result: bool,
        /// By id as JSON text, or `unreadable`: `"result"` or an error code.
        #[serde(default)]
        mixed: BTreeMap<String, Value>,
        #[serde(default)]
        note: Option<String>,
    },
    Silent {
        #[serde(default)]
        of: Option<String>,
        #[serde(default)]
        pending: Vec<String>,
        #[serde(default)]
        report: Report,
    },
    Deliver {
        kind: Delivered,
        method: String,
    },
    Complete {
        call: String,
        with: Vec<String>,
        #[serde(default)]
        value: Option<Value>,
        #[serde(default)]
        value_from: Option<String>,
        #[serde(default)]
        note: Option<String>,
    },
    Progress {
        call: String,
        values: Values,
        #[serde(default)]
        total: Option<f64>,
        #[serde(default)]
        pending: Vec<String>,
    },
    /// The values by call. No `deny_unknown_fields`: the names of calls are the members.
    ProgressMulti(BTreeMap<String, Value>),
    /// The peer cancelled a request, and its handler was told so once.
    #[serde(alias = "handler_cancelled")]
    Cancelled {
        id: Value,
        reply: NoReply,
        #[serde(default)]
        pending: Vec<String>,
    },
    StillRunning {
        ids: Vec<Value>,
    },
    AllCancelled {
        replies: NoReply,
    },
    BothProcessed,
    Close,
    FallbackInitialize,
    Backpressure {
        #[serde(default)]
        n: Option<usize>,
    },
    FirstNRunRestRefused {
        n: usize,
        error: String,
        #[serde(default)]
        note: Option<String>,
    },
    EventsCoalesced,
    EventsBounded,
}

/// Exactly one response to a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Which message is answered, by its id as JSON text. Default: all that can be.
    #[serde(default)]
    pub of: Option<String>,
    /// It is an error of one of these codes.
    #[serde(default)]
    pub error: Option<Codes>,
    /// It is a result.
    #[serde(default)]
    pub result: bool,
    /// It is either.
    #[serde(default)]
    pub either: bool,
    /// Acceptable ids: `echo`, `exact`, `numerically_equal`, `unreadable`, `first`, `last`, or JSON text.
    pub id: Vec<String>,
    /// `<=5`: not one but so many.
    #[serde(default)]
    pub count: Option<String>,
    /// Members of the result: a value, or what kind of a value.
    #[serde(default)]
    pub result_has: BTreeMap<String, Value>,
    /// Members of the error's data.
    #[serde(default)]
    pub data_has: Vec<String>,
    /// The text of the result.
    #[serde(default)]
    pub result_text: Option<String>,
    /// What `raw` says that its arguments were.
    #[serde(default)]
    pub args_equal: Option<Value>,
    /// Digits that stand in the text of the result.
    #[serde(default)]
    pub number_text: Option<String>,
    /// `none`: nothing was reported.
    #[serde(default)]
    pub progress: Option<String>,
    /// `exact`: what was reported bears the token of the request, type and digits.
    #[serde(default)]
    pub progress_token: Option<String>,
    /// `single object`: no array.
    #[serde(default)]
    pub shape: Option<String>,
    /// What the message of the error says, if the engine takes the trouble.
    #[serde(default)]
    pub message_should: Option<String>,
    /// Other answers that may stand beside it, in words.
    #[serde(default)]
    pub extra: Option<String>,
    /// Calls that are still running.
    #[serde(default)]
    pub pending: Vec<String>,
    /// For readers.
    #[serde(default)]
    pub note: Option<String>,
}

/// Acceptable error codes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Codes {
    These(Vec<i64>),
    /// The word `any`.
    Any(String),
}

/// Progress that an application may see.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Values {
    These(Vec<Vec<f64>>),
    /// The word `any`.
    Any(String),
}

/// Whether a violation is reported to the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Report {
    #[default]
    May,
    /// Preferred: that there is none is counted, and fails nothing.
    Should,
    Must,
    /// Yes, but not for each of very many.
    RateLimited,
}

/// What is delivered to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Delivered {
    Notification,
    Request,
}

/// The word `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum NoReply {
    None,
}

impl Reaction {
    /// Whether something should be reported beside it, though it need not.
    pub fn should_be_told(&self) -> bool {
        match self {
            Self::All { of } => of.iter().any(Self::should_be_told),
            Self::Silent { report, .. } => *report == Report::Should,
            _ => false,
        }
    }
}

impl Codes {
    /// Whether `code` is among them.
    pub fn contain(&self, code: i64) -> bool {
        match self {
            Self::These(codes) => codes.contains(&code),
            Self::Any(word) => {
                assert_eq!(word, "any");
                true
            }
        }
    }
}
