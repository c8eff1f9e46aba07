//! The process's own standard input and output, taken over for the protocol.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;

/// A descriptor of the process, by how it is best read and written.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "adapters handle each")]
pub enum Descriptor {
    /// A pipe, which is what most clients hand out. Whoever makes it non-blocking disturbs nobody.
    Pipe(OwnedFd),
    /// A socket, made non-blocking; Node hands these out.
    Socket(UnixStream),
    /// A terminal, which is shared with the shell, or a file, which is always ready: for a thread that may block.
    Other(File),
}

/// Takes the process's standard input and output. With the feature `net-guard` its standard input is empty from then on,
/// so that a child process cannot swallow messages; and what is printed to its standard output goes to standard error, so
/// that a stray `println!` cannot break the protocol. Without it, both stay shared with whoever prints or is started.
///
/// Call it once: later calls get the empty input, or share with the first.
///
/// # Errors
///
/// If a descriptor is closed or cannot be duplicated.
pub fn take() -> io::Result<(Descriptor, Descriptor)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    #[cfg(feature = "net-guard")]
    guard()?;
    Ok((Descriptor::of(input)?, Descriptor::of(output)?))
}

/// Points the process's own descriptors elsewhere. Nothing in the standard library replaces a given descriptor.
#[cfg(feature = "net-guard")]
fn guard() -> io::Result<()> {
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(rustix::stdio::dup2_stdout(io::stderr())?)
}

impl Descriptor {
    fn of(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        let kind = file.metadata()?.file_type();
        if kind.is_fifo() {
            return Ok(Self::Pipe(file.into()));
        }
        if kind.is_socket() {
            // A socket of another family works too: only read and write are used.
            let stream = UnixStream::from(OwnedFd::from(file));
            stream.set_nonblocking(true)?;
            return Ok(Self::Socket(stream));
        }
        Ok(Self::Other(file))
    }
}
