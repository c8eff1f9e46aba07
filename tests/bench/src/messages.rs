//! The messages behind the figures, the same for every engine.

/// Bytes of one progress notification, without its newline.
pub const PROGRESS_LEN: usize = 134;

/// How a progress value is written.
#[derive(Clone, Copy)]
pub enum Values {
    /// `42` of `100000`.
    Integers,
    /// `0.0042` of `1.0`.
    Floats,
}

/// So many notifications for `token`, increasing, each of [`PROGRESS_LEN`] bytes and a newline.
pub fn progress(token: &str, values: Values, count: usize) -> Vec<Vec<u8>> {
    (1..=count)
        .map(|step| {
            let (progress, total) = match values {
                Values::Integers => (step.to_string(), "100000"),
                Values::Floats => (format!("{:.4}", step as f64 / 10_000.0), "1.0"),
            };
            let head = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{progress},"total":{total},"message":""#
            );
            let room = PROGRESS_LEN - head.len() - 3;
            let message = format!("{:.<room$}", format!("step {step}"));
            let line = format!("{head}{message}\"}}}}");
            assert_eq!(line.len(), PROGRESS_LEN);
            (line + "\n").into_bytes()
        })
        .collect()
}

/// The message of a report that an engine writes by itself, as long as those of [`progress`].
pub const STEP: &str = "step of many, all alike";

/// The total of such a report.
pub const TOTAL: f64 = 100_000.0;

/// The text that the echo tool is given and returns.
pub const TEXT: &str = "The quick brown fox jumps over the lazy dog, again and again, until somebody measures how long it takes \
     to say so and writes the figure down beside the others.";

/// The last argument of the echo tool.
pub const TAG: &str = "xxxxxxxxxxxxxxxx";

/// A `tools/call` of 300 bytes and a newline.
pub fn call(id: usize) -> Vec<u8> {
    let head = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{TEXT}","count":3,"tag":""#
    );
    let line = format!("{head}{:x<room$}\"}}}}}}\n", "", room = 300 - head.len() - 4);
    assert_eq!(line.len(), 301);
    line.into_bytes()
}

/// So many of them.
pub fn calls(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| call(n + 10)).collect()
}

/// What begins a session of 2025-11-25: a request, and the notification behind its answer.
pub const INITIALIZE: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}\n";
pub const INITIALIZED: &str = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";

/// Bytes of the large text result, without its newline.
pub const LARGE_LEN: usize = 1 << 20;

/// The answer to request `id`: one text of about 1 MiB with an escape every 14 bytes, or none.
pub fn large_result(id: usize, escaped: bool) -> Vec<u8> {
    let head =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#);
    let tail = "\"}],\"isError\":false}}\n";
    let word = if escaped { r"lorem ipsum \n" } else { "lorem ipsum do" };
    let text = word.repeat((LARGE_LEN - head.len() - tail.len()) / word.len());
    (head + &text + tail).into_bytes()
}
