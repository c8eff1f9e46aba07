//! The rules, each with the number and the level that the list of requirements gives it in each revision.

use core::fmt;

use crate::revision::{Era, Revision, RevisionSet};
use crate::testing::End;

/// One rule of the protocol that a recording can break.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// What it is called here.
    pub name: &'static str,
    /// What must not happen, or must.
    pub text: &'static str,
    /// Where that is said; no two of them hold in one revision. Where none holds there is no such rule.
    pub requirements: &'static [Requirement],
}

impl Rule {
    /// What says so in a revision.
    pub fn requirement(&self, revision: Revision) -> Option<&'static Requirement> {
        self.requirements.iter().find(|requirement| requirement.revisions.contains(revision))
    }
}

/// Where the specification says something.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requirement {
    /// Its number in the list of requirements, or else the document that says so.
    pub number: &'static str,
    /// How much weight it has.
    pub level: Level,
    /// Who can break it, if only one side can.
    pub side: Option<End>,
    /// The revisions in which it holds.
    pub revisions: RevisionSet,
}

/// How much weight the specification gives a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // what is left, MAY, cannot be broken
pub enum Level {
    /// MUST and MUST NOT.
    Must,
    /// SHOULD and SHOULD NOT.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

const EITHER: Option<End> = None;
const CLIENT: Option<End> = Some(End::Client);
const SERVER: Option<End> = Some(End::Server);

const ALL: RevisionSet = RevisionSet::ALL;
const LEGACY: RevisionSet = RevisionSet::era(Era::Legacy);
const MODERN: RevisionSet = RevisionSet::era(Era::Modern);
/// The first revision, and the one with batches.
const V24: RevisionSet = RevisionSet::only(Revision::V2024_11_05);
const V25A: RevisionSet = RevisionSet::only(Revision::V2025_03_26);
const V24_25A: RevisionSet = V24.with(Revision::V2025_03_26);
const V25B_25C: RevisionSet = RevisionSet::only(Revision::V2025_06_18).with(Revision::V2025_11_25);
const V25A_ON: RevisionSet = V25B_25C.with(Revision::V2025_03_26).with(Revision::V2026_07_28);
const NOT_25A: RevisionSet = V25B_25C.with(Revision::V2024_11_05).with(Revision::V2026_07_28);

macro_rules! rules {
    ($($constant:ident $name:literal $text:literal
        $([$number:literal $level:ident $side:ident $revisions:ident])+)*) => {
        $(pub(super) static $constant: Rule = Rule {
            name: $name,
            text: $text,
            requirements: &[$(Requirement {
                number: $number,
                level: Level::$level,
                side: $side,
                revisions: $revisions,
            }),+],
        };)*

        /// Every rule.
        pub static RULES: &[&Rule] = &[$(&$constant),*];
    };
}

rules! {
    // Lines and messages.
    NOT_UTF8 "not-utf8" "messages are UTF-8"
        ["R-RPC-01" Must EITHER V24] ["R-RPC-02" Must EITHER V25A_ON]
    STRAY_OUTPUT "stray-output" "a server writes nothing but messages" ["R-STDIO-02" Must SERVER ALL]
    STRAY_INPUT "stray-input" "a client writes nothing but messages" ["R-STDIO-03" Must CLIENT ALL]
    NO_NEWLINE "no-newline" "a message ends with a newline and has none inside" ["R-STDIO-01" Must EITHER ALL]
    NOT_A_MESSAGE "not-a-message" "a message is JSON-RPC 2.0, and says so" ["R-RPC-01" Must EITHER ALL]
    BAD_ID "bad-id" "the id of a request is a string or an integer" ["R-RPC-03" Must EITHER ALL]
    NULL_ID "null-id" "the id of a request is not null" ["R-RPC-04" Must EITHER ALL]
    NOTIFICATION_WITH_ID "notification-with-id" "a notification has no id" ["R-RPC-05" Must EITHER ALL]
    BAD_ANSWER "bad-answer" "an answer has either a result or an error" ["R-RPC-08" Must EITHER ALL]
    BAD_ERROR "bad-error" "an error has an integer code and a text" ["R-RPC-09" Must EITHER ALL]
    BAD_PARAMS "bad-params" "parameters are an object" ["R-RPC-10" Must EITHER ALL]
    BATCH "batch" "only 2025-03-26 has batches" ["R-BATCH-07" Must EITHER NOT_25A]
    INITIALIZE_IN_BATCH "initialize-in-batch" "`initialize` stands alone" ["R-BATCH-03" Must CLIENT V25A]

    // Requests and their answers.
    ID_REUSED "id-reused" "in a session no id is used twice" ["R-ID-01" Must EITHER LEGACY]
    ID_IN_USE "id-in-use" "the id of a request that waits is not used for another one"
        ["R-ID-08" Must CLIENT LEGACY] ["R-ID-02" Must CLIENT MODERN]
    ANSWER_WITHOUT_ID "answer-without-id" "an answer bears the id of its request, unless that could not be read" ["R-RPC-07" Must EITHER ALL]
    ANSWER_TO_NOBODY "answer-to-nobody" "an answer bears the id of a request" ["R-RPC-07" Must EITHER ALL]
    ID_CHANGED "id-changed" "an id comes back as it was, type and digits" ["R-ID-06" Must EITHER ALL]
    TWO_ANSWERS "two-answers" "a request is answered once (JSON-RPC 2.0, 5)" ["R-RPC-01" Must EITHER ALL]
    NO_ANSWER "no-answer" "a request that is not cancelled is answered (JSON-RPC 2.0, 5)" ["R-RPC-01" Must EITHER ALL]
    BATCH_ANSWERS "batch-answers" "each request of a batch is answered once, in a batch or not" ["R-BATCH-04" Must EITHER V25A]
    SERVER_REQUEST "server-request" "without a session a server sends no requests" ["R-RPC-14" Must SERVER MODERN]
    CLIENT_ANSWER "client-answer" "without a session a client sends no answers" ["R-RPC-15" Must CLIENT MODERN]
    PING_REFUSED "ping-refused" "`ping` is answered with an empty result" ["R-PING-01" Must EITHER LEGACY]
    RESERVED_CODE "reserved-code" "from -32099 to -32020 there are only the codes that the revision defines" ["R-ERR-02" Must EITHER MODERN]
    OLD_CODE "old-code" "-32002 and -32042 are no longer sent" ["R-ERR-04" Must EITHER MODERN]

    // The session of the legacy era.
    BEFORE_INITIALIZE "before-initialize" "`initialize` comes first, or each request says its version" ["R-LIFE-01" Must CLIENT LEGACY]
    INITIALIZE_LACKS "initialize-lacks" "`initialize` says version, capabilities and who the client is" ["R-LIFE-02" Must CLIENT LEGACY]
    INITIALIZE_RESULT_LACKS "initialize-result-lacks" "its result says version, capabilities and who the server is" ["R-LIFE-03" Must SERVER LEGACY]
    NOT_INITIALIZED "not-initialized" "`notifications/initialized` follows a successful `initialize`, before anything else" ["R-LIFE-04" Must CLIENT LEGACY]
    EARLY_REQUEST "early-request" "until `initialize` is answered a client only pings" ["R-LIFE-05" Should CLIENT LEGACY]
    EARLY_SERVER "early-server" "until `notifications/initialized` a server only pings and logs" ["R-LIFE-06" Should SERVER LEGACY]
    INITIALIZE_CANCELLED "initialize-cancelled" "`initialize` is not cancelled" ["R-LIFE-07" Must CLIENT LEGACY]
    SECOND_INITIALIZE "second-initialize" "a session is opened once" ["R-LIFE-13" Should CLIENT LEGACY]
    WRONG_VERSION "wrong-version" "`initialize` is answered with a revision that has sessions" ["R-VER-04" Must SERVER LEGACY]
    UNDECLARED "undeclared" "only what the other side has declared is asked of it"
        ["R-LIFE-08" Should EITHER V24_25A] ["R-LIFE-09" Must EITHER V25B_25C]
    UNDECLARED_NEWS "undeclared-news" "changes are announced only where that was declared" ["R-CAP-11" Must EITHER ALL]
    UNDECLARED_LOGS "undeclared-logs" "a server that logs declares it" ["R-LOG-01" Must SERVER ALL]

    // The modern era.
    NO_META "no-meta" "each request says its version and what the client can do" ["R-META-01" Must CLIENT MODERN]
    NO_CAPABILITIES "no-capabilities" "each request says what the client can do" ["R-META-02" Must CLIENT MODERN]
    META_NOT_REQUIRED "meta-not-required" "a request that lacks either is refused with -32602" ["R-META-04" Must SERVER MODERN]
    NO_RESULT_TYPE "no-result-type" "each result has a `resultType`" ["R-RT-01" Must SERVER MODERN]
    UNKNOWN_RESULT_TYPE "unknown-result-type" "a `resultType` is one that the revision or an extension defines" ["R-RT-04" Must EITHER MODERN]
    INPUT_NOT_ALLOWED "input-not-allowed" "only tools, prompts and resources may ask back" ["R-RT-05" Must SERVER MODERN]
    DISCOVERY_LACKS "discovery-lacks" "a discovery says which versions there are and what the server can do" ["R-DISC-02" Must SERVER MODERN]
    NO_CACHE_HINTS "no-cache-hints" "what may be kept says for how long and by whom" ["R-CACHE-01" Must SERVER MODERN]
    BAD_CACHE_HINTS "bad-cache-hints" "`ttlMs` is no less than 0, `cacheScope` is `public` or `private`" ["R-CACHE-02" Must SERVER MODERN]
    VERSIONS_NOT_NAMED "versions-not-named" "-32022 says which versions are served and which was asked for" ["R-VER-12" Must SERVER MODERN]

    // Progress.
    BAD_TOKEN "bad-token" "a progress token is a string or an integer" ["R-PROG-01" Must EITHER ALL]
    TOKEN_IN_USE "token-in-use" "two requests that are at work have different tokens" ["R-PROG-02" Must EITHER ALL]
    NOT_INCREASING "not-increasing" "each report is above the one before" ["R-PROG-03" Must EITHER ALL]
    INVENTED_TOKEN "invented-token" "a report bears a token that a request has given" ["R-PROG-04" Must EITHER ALL]
    LATE_REPORT "late-report" "after the answer there are no reports" ["R-PROG-05" Must EITHER ALL]
    TOKEN_CHANGED "token-changed" "a token comes back as it was, type and digits" ["R-PROG-06" Must EITHER ALL]
    BAD_REPORT "bad-report" "`progress` is a number, `total` too if it is there" ["schema: progress" Must EITHER ALL]
    CLIENT_REPORT "client-report" "without a session a client sends no reports" ["R-PROG-14" Must CLIENT MODERN]
    REPORT_AFTER_CANCEL "report-after-cancel" "once a request is cancelled there are no reports"
        ["R-CANC-07" Should EITHER LEGACY] ["R-PROG-26" Must SERVER MODERN]

    // Cancellation.
    CANCEL_OF_NOTHING "cancel-of-nothing" "only requests of one's own that are at work are cancelled"
        ["R-CANC-01" Must EITHER LEGACY] ["R-CANC-02" Must CLIENT MODERN]
    SERVER_CANCEL "server-cancel" "without a session a server only cancels `subscriptions/listen`" ["R-CANC-03" Must SERVER MODERN]
    ANSWER_AFTER_CANCEL "answer-after-cancel" "a cancelled request is not answered"
        ["R-CANC-07" Should EITHER LEGACY] ["R-CANC-06" Must SERVER MODERN]

    // Tools and logs.
    BAD_SCHEMA "bad-schema" "the schema of a tool's input is of an object" ["R-TOOL-02" Must SERVER ALL]
    BAD_STRUCTURE "bad-structure" "structured content is an object" ["R-TOOL-07" Must SERVER V25B_25C]
    BAD_LEVEL "bad-level" "the level of a log message is one of the eight" ["R-LOG-10" Must EITHER ALL]
    LOG_NOT_WANTED "log-not-wanted" "without a session a server logs only for a request that asks for it" ["R-LOG-04" Must SERVER MODERN]
    LOG_TOO_FINE "log-too-fine" "a log message is no finer than asked for" ["R-LOG-07" Must SERVER MODERN]
}
