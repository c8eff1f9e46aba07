//! The output for people: results on stdout, everything else on stderr.

use std::io::{self, IsTerminal, Write};

use mcp_tokio::mcp_proto::{
    CallToolResult, ContentBlock, Instant, PeerInfo, Progress, RawJson, Tool, Violation,
};

use crate::bar::{Bar, INTERRUPTED};
use crate::failure::Failure;
use crate::output::{Aside, Output, tell};
use crate::text::{lines, one_line};
use crate::tools::describe;

/// A bar while there is something to wait for, and text.
pub(crate) struct Human {
    bar: Option<Bar>,
}

impl Human {
    pub(crate) fn new(with_progress: bool, now: Instant) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { bar: with_progress.then(|| Bar::on_stderr("", is_terminal, now)) }
    }

    /// Prints a line on stderr, above the bar if there is one.
    fn print_above(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.print_above(text),
            None => tell(text),
        }
    }
}

impl Output for Human {
    fn waiting(&mut self, what: &str, now: Instant) {
        if let Some(bar) = &mut self.bar {
            bar.restart(what, now);
        }
    }

    fn ready(&mut self, _: &PeerInfo) -> io::Result<()> {
        Ok(())
    }

    fn progress(&mut self, report: &Progress, now: Instant) -> io::Result<()> {
        if let Some(bar) = &mut self.bar {
            bar.update(report, now);
        }
        Ok(())
    }

    fn aside(&mut self, aside: &Aside) -> io::Result<()> {
        if let Some(bar) = &mut self.bar {
            match aside {
                // How the call ends says more; this is of the stream for what belongs to no call.
                Aside::Violation(Violation::Http(_)) => return Ok(()),
                // The bar says so itself, where there is one to be seen.
                Aside::Interrupted if bar.interrupt() => return Ok(()),
                Aside::Resumed => bar.resume(),
                _ => {}
            }
        }
        self.print_above(&match aside {
            Aside::Log(log) => {
                let text = log.data.decode::<String>().unwrap_or_else(|_| log.data.to_string());
                match &log.logger {
                    Some(logger) => {
                        format!("{} {}: {}", log.level.as_str(), one_line(logger), lines(&text))
                    }
                    None => format!("{}: {}", log.level.as_str(), lines(&text)),
                }
            }
            Aside::Violation(violation) => {
                format!("protocol: {}", one_line(&violation.to_string()))
            }
            Aside::Stderr(line) => format!("server: {}", lines(line)),
            Aside::Interrupted => INTERRUPTED.into(),
            Aside::Resumed => "connection resumed".into(),
            Aside::Warning(text) => format!("warning: {text}"),
        });
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        if let Some(bar) = &mut self.bar {
            bar.tick(now);
        }
    }

    fn result(&mut self, _: &RawJson, result: &CallToolResult, now: Instant) -> io::Result<()> {
        if let Some(bar) = &mut self.bar {
            if result.failed() { bar.stop(now) } else { bar.finish(now) }
        }
        let text = text_of(result);
        if result.failed() {
            tell(format_args!("error: the tool failed: {}", lines(text.trim_end())));
            return Ok(());
        }
        print(&text)
    }

    fn tools(&mut self, tools: &[Tool], _: Instant) -> io::Result<()> {
        if let Some(bar) = &self.bar {
            bar.clear();
        }
        print(&describe(tools))
    }

    fn failure(&mut self, failure: &Failure, now: Instant) {
        if let Some(bar) = &mut self.bar {
            // A bar that never moved tells nothing that the sentence does not.
            if bar.last().is_some() { bar.stop(now) } else { bar.clear() }
        }
        tell(failure);
    }
}

/// What a tool returned, as text.
fn text_of(result: &CallToolResult) -> String {
    let mut text = String::new();
    for block in &result.content {
        match block {
            ContentBlock::Text(content) => text.push_str(&content.text),
            ContentBlock::Image(media) => {
                text.push_str(&media_line("image", &media.mime_type, media.data.len()))
            }
            ContentBlock::Audio(media) => {
                text.push_str(&media_line("audio", &media.mime_type, media.data.len()))
            }
            ContentBlock::ResourceLink(link) => {
                text.push_str(&format!("{} <{}>", link.name, link.uri))
            }
            ContentBlock::Other(raw) => text.push_str(raw.as_str()),
            _ => {}
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    match &result.structured_content {
        // Most servers repeat it in the text; what is said twice is shown once.
        Some(structured) if result.content.is_empty() => format!("{}\n", pretty(structured)),
        _ => text,
    }
}

fn media_line(kind: &str, mime_type: &str, base64_len: usize) -> String {
    format!("[{kind}, {mime_type}, {} bytes; use --json for the data]", base64_len / 4 * 3)
}

fn pretty(json: &RawJson) -> String {
    let value = json.decode::<serde_json::Value>();
    value
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_else(|| json.to_string())
}

/// Prints on stdout. A terminal gets no control characters from a peer; a file gets what was sent.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        out.write_all(lines(text).as_bytes())?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_content_has_a_line() {
        let raw = RawJson::parse(
            r#"{"content":[{"type":"text","text":"done"},{"type":"image","data":"AAAA","mimeType":"image/png"},
                {"type":"resource_link","uri":"file:///a","name":"a"},{"type":"new","x":1}]}"#,
        );
        let result: CallToolResult = raw.unwrap().decode().unwrap();
        assert_eq!(
            text_of(&result),
            "done\n[image, image/png, 3 bytes; use --json for the data]\na <file:///a>\n{\"type\":\"new\",\"x\":1}\n"
        );
    }

    #[test]
    fn structured_content_is_shown_where_it_is_all_there_is() {
        let result: CallToolResult =
            RawJson::parse(r#"{"content":[],"structuredContent":{"a":[1]}}"#)
                .unwrap()
                .decode()
                .unwrap();
        assert_eq!(text_of(&result), "{\n  \"a\": [\n    1\n  ]\n}\n");
        let both: CallToolResult = RawJson::parse(
            r#"{"content":[{"type":"text","text":"1"}],"structuredContent":{"a":1}}"#,
        )
        .unwrap()
        .decode()
        .unwrap();
        assert_eq!(text_of(&both), "1\n");
    }
}
