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

/// The text that the echo tool is given and returns.
pub const TEXT: &str = "The quick brown fox jumps over the lazy dog, again and again, until somebody measures how long it takes \
     to say so and writes the figure down beside the others.";

/// A `tools/call` of 300 bytes and a newline.
pub fn call(id: usize) -> Vec<u8> {
    let head = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{TEXT}","count":3,"tag":""#
    );
    let line = format!("{head}{:x<room$}\"}}}}}}\n", "", room = 300 - head.len() - 4);
    assert_eq!(line.len(), 301);
    line.into_bytes()
}
