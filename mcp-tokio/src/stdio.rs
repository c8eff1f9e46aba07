//! The process's own standard input and output, taken over for the protocol.

use std::io;

use mcp_proto::net::{Duplex, Input, Output, Stream};

use crate::io::Io;

/// Takes the process's standard input and output for the protocol.
///
/// With the feature `guard`, on by default, on Unix, the process's standard input is empty from then on, so that a child
/// process cannot swallow messages; and what is printed to its standard output goes to standard error, so that a stray
/// `println!` cannot break the protocol. Without it a print stands between the messages, fails where the output is full,
/// and a child process has to be given an input and an output of its own.
///
/// Pipes and sockets, which is what clients hand out, are read and written without a helper thread.
///
/// Must be called within a Tokio runtime. Call it once: later calls get the empty input, or share with the first.
///
/// # Errors
///
/// If a descriptor is closed or cannot be duplicated.
pub fn stdio() -> io::Result<Stream> {
    let (input, output) = os::take()?;
    Ok(Stream::new(Duplex::new(input, output)))
}

type Ends = (Box<dyn Input + Send>, Box<dyn Output + Send>);

#[cfg(unix)]
mod os {
    use mcp_proto::net::stdio::{Descriptor, take as descriptors};
    use tokio::fs::File;
    use tokio::net::UnixStream;
    use tokio::net::unix::pipe::{Receiver, Sender};

    use super::*;

    pub(super) fn take() -> io::Result<Ends> {
        let (input, output) = descriptors()?;
        let input: Box<dyn Input + Send> = match input {
            Descriptor::Pipe(fd) => Box::new(Io::new(Receiver::from_owned_fd(fd)?)),
            Descriptor::Socket(stream) => Box::new(Io::new(UnixStream::from_std(stream)?)),
            Descriptor::Other(file) => Box::new(Io::new(File::from_std(file))),
        };
        let output: Box<dyn Output + Send> = match output {
            Descriptor::Pipe(fd) => Box::new(Io::new(Sender::from_owned_fd(fd)?)),
            Descriptor::Socket(stream) => Box::new(Io::new(UnixStream::from_std(stream)?)),
            Descriptor::Other(file) => Box::new(Io::new(File::from_std(file))),
        };
        Ok((input, output))
    }
}

#[cfg(not(unix))]
mod os {
    use super::*;

    pub(super) fn take() -> io::Result<Ends> {
        Ok((Box::new(Io::new(tokio::io::stdin())), Box::new(Io::new(tokio::io::stdout()))))
    }
}
