//! Servers that are small shell scripts.

use std::process::Command;
use std::time::Duration;

/// Becomes ready, as a server of 2025-11-25 does.
const READY: &str = r#"
read -r line
id=${line##*'"id":'}
id=${id%%[,\}]*}
printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}}\n' "$id"
read -r line
"#;

/// How long a script may take to end, for most of them.
pub const GRACE: Duration = Duration::from_millis(100);

/// A server that becomes ready and then does this.
pub fn script(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{READY}{text}")]);
    command
}
