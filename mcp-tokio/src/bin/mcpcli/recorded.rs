//! A file that is a recording, for the commands that need no server.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use mcp_tokio::mcp_proto::testing::recording::Recording;
use mcp_tokio::mcp_proto::{Instant, RawJson};
use serde::Serialize;

use crate::output::tell;

/// Something was found.
pub(crate) const FOUND: u8 = 1;

/// The file cannot be read.
const UNREADABLE: u8 = 2;

/// What came of a recording.
pub(crate) enum Outcome {
    Clean,
    Found,
    /// It is none for this command, and why.
    Unfit(&'static str),
}

impl Outcome {
    pub(crate) fn found(found: bool) -> Self {
        if found { Self::Found } else { Self::Clean }
    }
}

/// Reads it and does something with it, which prints and says what came of it.
pub(crate) fn with(
    file: &Path,
    act: impl FnOnce(&Recording, &mut dyn Write) -> io::Result<Outcome>,
) -> ExitCode {
    let name = file.display();
    let read = match file.as_os_str().as_encoded_bytes() {
        b"-" => io::read_to_string(io::stdin()),
        _ => std::fs::read_to_string(file),
    };
    let recording = match read.map(|text| Recording::parse(&text)) {
        Ok(Ok(recording)) if !recording.chunks().is_empty() => recording,
        Ok(Ok(_)) => return unreadable(format_args!("{name}: nothing is recorded")),
        Ok(Err(fault)) => return unreadable(format_args!("{name}: {fault}")),
        Err(error) => return unreadable(format_args!("{name}: {error}")),
    };
    let mut out = io::stdout().lock();
    match act(&recording, &mut out).and_then(|outcome| out.flush().map(|()| outcome)) {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Unfit(why)) => {
            tell(format_args!("error: {name}: {why}"));
            UNREADABLE.into()
        }
        // If nobody reads what is printed, nobody is told that it is clean.
        Ok(Outcome::Found) | Err(_) => FOUND.into(),
    }
}

fn unreadable(what: std::fmt::Arguments<'_>) -> ExitCode {
    tell(format_args!("error: {what}\n  try: --help says what a recording is"));
    UNREADABLE.into()
}

/// Prints one object.
pub(crate) fn print(out: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    let line = RawJson::of(line).map_err(io::Error::other)?;
    writeln!(out, "{line}")
}

/// The seconds since the recording began.
pub(crate) fn seconds(at: Instant) -> f64 {
    (at - Instant::ZERO).as_secs_f64()
}
