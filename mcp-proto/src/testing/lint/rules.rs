//! The rules, each with the number and the level that the list of requirements gives it.

use core::fmt;

/// One rule of the protocol that a recording can break.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// What it is called here.
    pub name: &'static str,
    /// The number of the requirement, or else the document that says so.
    pub requirement: &'static str,
    /// How much weight the specification gives it.
    pub level: Level,
    /// What must not happen, or must.
    pub text: &'static str,
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

macro_rules! rules {
    ($($constant:ident $name:literal $requirement:literal $level:ident $text:literal)*) => {
        $(pub(super) static $constant: Rule =
            Rule { name: $name, requirement: $requirement, level: Level::$level, text: $text };)*

        /// Every rule.
        pub static RULES: &[&Rule] = &[$(&$constant),*];
    };
}

rules! {
    // Lines and messages.
    NOT_UTF8 "not-utf8" "R-RPC-02" Must "messages are UTF-8"
    STRAY_OUTPUT "stray-output" "R-STDIO-02" Must "a server writes nothing but messages"
    STRAY_INPUT "stray-input" "R-STDIO-03" Must "a client writes nothing but messages"
    NO_NEWLINE "no-newline" "R-STDIO-01" Must "a message ends with a newline and has none inside"
    NOT_A_MESSAGE "not-a-message" "R-RPC-01" Must "a message is JSON-RPC 2.0, and says so"
    BAD_ID "bad-id" "R-RPC-03" Must "the id of a request is a string or an integer"
    NULL_ID "null-id" "R-RPC-04" Must "the id of a request is not null"
    NOTIFICATION_WITH_ID "notification-with-id" "R-RPC-05" Must "a notification has no id"
    BAD_ANSWER "bad-answer" "R-RPC-08" Must "an answer has either a result or an error"
    BAD_ERROR "bad-error" "R-RPC-09" Must "an error has an integer code and a text"
    BAD_PARAMS "bad-params" "R-RPC-10" Must "parameters are an object"
    BATCH "batch" "R-BATCH-07" Must "only 2025-03-26 has batches"
    INITIALIZE_IN_BATCH "initialize-in-batch" "R-BATCH-03" Must "`initialize` stands alone"

    // Requests and their answers.
    ID_REUSED "id-reused" "R-ID-01" Must "in a session no id is used twice"
    ID_IN_USE "id-in-use" "R-ID-02" Must "the id of a request that waits is not used for another one"
    ANSWER_WITHOUT_ID "answer-without-id" "R-RPC-07" Must "an answer bears the id of its request, unless that could not be read"
    ANSWER_TO_NOBODY "answer-to-nobody" "R-RPC-07" Must "an answer bears the id of a request"
    ID_CHANGED "id-changed" "R-ID-06" Must "an id comes back as it was, type and digits"
    TWO_ANSWERS "two-answers" "JSON-RPC 2.0, 5" Must "a request is answered once"
    NO_ANSWER "no-answer" "JSON-RPC 2.0, 5" Must "a request that is not cancelled is answered"
    SERVER_REQUEST "server-request" "R-RPC-14" Must "without a session a server sends no requests"
    CLIENT_ANSWER "client-answer" "R-RPC-15" Must "without a session a client sends no answers"
    PING_REFUSED "ping-refused" "R-PING-01" Must "`ping` is answered with an empty result"
    RESERVED_CODE "reserved-code" "R-ERR-02" Must "from -32099 to -32020 there are only the codes that the revision defines"
    OLD_CODE "old-code" "R-ERR-04" Must "-32002 and -32042 are no longer sent"

    // The session of the legacy era.
    BEFORE_INITIALIZE "before-initialize" "R-LIFE-01" Must "`initialize` comes first, or each request says its version"
    INITIALIZE_LACKS "initialize-lacks" "R-LIFE-02" Must "`initialize` says version, capabilities and who the client is"
    INITIALIZE_RESULT_LACKS "initialize-result-lacks" "R-LIFE-03" Must "its result says version, capabilities and who the server is"
    NOT_INITIALIZED "not-initialized" "R-LIFE-04" Must "`notifications/initialized` follows a successful `initialize`, before anything else"
    EARLY_REQUEST "early-request" "R-LIFE-05" Should "until `initialize` is answered a client only pings"
    EARLY_SERVER "early-server" "R-LIFE-06" Should "until `notifications/initialized` a server only pings and logs"
    INITIALIZE_CANCELLED "initialize-cancelled" "R-LIFE-07" Must "`initialize` is not cancelled"
    SECOND_INITIALIZE "second-initialize" "R-LIFE-13" Should "a session is opened once"
    WRONG_VERSION "wrong-version" "R-VER-04" Must "`initialize` is answered with a revision that has sessions"
    UNDECLARED "undeclared" "R-LIFE-09" Must "only what the other side has declared is asked of it"
    UNDECLARED_NEWS "undeclared-news" "R-CAP-11" Must "changes are announced only where that was declared"
    UNDECLARED_LOGS "undeclared-logs" "R-LOG-01" Must "a server that logs declares it"

    // The modern era.
    NO_META "no-meta" "R-META-01" Must "each request says its version and what the client can do"
    NO_CAPABILITIES "no-capabilities" "R-META-02" Must "each request says what the client can do"
    META_NOT_REQUIRED "meta-not-required" "R-META-04" Must "a request that lacks either is refused with -32602"
    NO_RESULT_TYPE "no-result-type" "R-RT-01" Must "each result has a `resultType`"
    UNKNOWN_RESULT_TYPE "unknown-result-type" "R-RT-04" Must "a `resultType` is one that the revision or an extension defines"
    INPUT_NOT_ALLOWED "input-not-allowed" "R-RT-05" Must "only tools, prompts and resources may ask back"
    DISCOVERY_LACKS "discovery-lacks" "R-DISC-02" Must "a discovery says which versions there are and what the server can do"
    NO_CACHE_HINTS "no-cache-hints" "R-CACHE-01" Must "what may be kept says for how long and by whom"
    BAD_CACHE_HINTS "bad-cache-hints" "R-CACHE-02" Must "`ttlMs` is no less than 0, `cacheScope` is `public` or `private`"
    VERSIONS_NOT_NAMED "versions-not-named" "R-VER-12" Must "-32022 says which versions are served and which was asked for"

    // Progress.
    BAD_TOKEN "bad-token" "R-PROG-01" Must "a progress token is a string or an integer"
    TOKEN_IN_USE "token-in-use" "R-PROG-02" Must "two requests that are at work have different tokens"
    NOT_INCREASING "not-increasing" "R-PROG-03" Must "each report is above the one before"
    INVENTED_TOKEN "invented-token" "R-PROG-04" Must "a report bears a token that a request has given"
    LATE_REPORT "late-report" "R-PROG-05" Must "after the answer there are no reports"
    TOKEN_CHANGED "token-changed" "R-PROG-06" Must "a token comes back as it was, type and digits"
    BAD_REPORT "bad-report" "schema: progress" Must "`progress` is a number, `total` too if it is there"
    CLIENT_REPORT "client-report" "R-PROG-14" Must "without a session a client sends no reports"
    REPORT_AFTER_CANCEL "report-after-cancel" "R-PROG-26" Must "once a request is cancelled there are no reports"

    // Cancellation.
    CANCEL_OF_NOTHING "cancel-of-nothing" "R-CANC-01" Must "only requests of one's own that are at work are cancelled"
    SERVER_CANCEL "server-cancel" "R-CANC-03" Must "without a session a server only cancels `subscriptions/listen`"
    ANSWER_AFTER_CANCEL "answer-after-cancel" "R-CANC-07" Should "a cancelled request is not answered"

    // Tools and logs.
    BAD_SCHEMA "bad-schema" "R-TOOL-02" Must "the schema of a tool's input is of an object"
    BAD_STRUCTURE "bad-structure" "R-TOOL-07" Must "before 2026-07-28 structured content is an object"
    BAD_LEVEL "bad-level" "R-LOG-10" Must "the level of a log message is one of the eight"
    LOG_NOT_WANTED "log-not-wanted" "R-LOG-04" Must "without a session a server logs only for a request that asks for it"
    LOG_TOO_FINE "log-too-fine" "R-LOG-07" Must "a log message is no finer than asked for"
}
