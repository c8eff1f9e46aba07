//! The process's own standard input and output, taken over for the protocol.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Takes the process's standard input and output for the protocol.
///
/// From then on, on Unix, the process's standard input is empty, so that a child process cannot swallow
/// messages; and what is printed to its standard output goes to standard error, so that a stray `println!`
/// cannot break the protocol. Pipes and sockets, which is what clients hand out, are read and written
/// without a helper thread.
///
/// Must be called within a Tokio runtime. Call it once: later calls get the empty input.
///
/// # Errors
///
/// If a descriptor is closed or cannot be duplicated.
pub fn stdio() -> io::Result<(Stdin, Stdout)> {
    os::take()
}

/// What the client sends. See [`stdio()`].
pub struct Stdin(Pin<Box<dyn AsyncRead + Send + Sync>>);

/// What the client receives. See [`stdio()`].
pub struct Stdout(Pin<Box<dyn AsyncWrite + Send + Sync>>);

impl AsyncRead for Stdin {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().0.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Stdout {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.as_mut().poll_shutdown(cx)
    }
}

#[cfg(unix)]
mod os {
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;

    use tokio::net::unix::pipe;

    use super::{Stdin, Stdout};

    pub(super) fn take() -> io::Result<(Stdin, Stdout)> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok((reader(input)?, writer(output)?))
    }

    /// Non-blocking where nobody else is disturbed by it. A terminal is shared with the shell, and a file
    /// is always ready, so these go through Tokio's helper threads.
    fn reader(input: OwnedFd) -> io::Result<Stdin> {
        Ok(Stdin(match Kind::of(input)? {
            Kind::Pipe(fd) => Box::pin(pipe::Receiver::from_owned_fd(fd)?),
            Kind::Socket(stream) => Box::pin(tokio::net::UnixStream::from_std(stream)?),
            Kind::Other(file) => Box::pin(tokio::fs::File::from_std(file)),
        }))
    }

    fn writer(output: OwnedFd) -> io::Result<Stdout> {
        Ok(Stdout(match Kind::of(output)? {
            Kind::Pipe(fd) => Box::pin(pipe::Sender::from_owned_fd(fd)?),
            Kind::Socket(stream) => Box::pin(tokio::net::UnixStream::from_std(stream)?),
            Kind::Other(file) => Box::pin(tokio::fs::File::from_std(file)),
        }))
    }

    enum Kind {
        Pipe(OwnedFd),
        Socket(UnixStream),
        Other(File),
    }

    impl Kind {
        fn of(fd: OwnedFd) -> io::Result<Self> {
            let file = File::from(fd);
            let kind = file.metadata()?.file_type();
            if kind.is_fifo() {
                return Ok(Self::Pipe(file.into()));
            }
            if kind.is_socket() {
                // Node hands out socket pairs. A socket of another family works too: only read and write
                // are used.
                let stream = UnixStream::from(OwnedFd::from(file));
                stream.set_nonblocking(true)?;
                return Ok(Self::Socket(stream));
            }
            Ok(Self::Other(file))
        }
    }
}

#[cfg(not(unix))]
mod os {
    use std::io;

    use super::{Stdin, Stdout};

    pub(super) fn take() -> io::Result<(Stdin, Stdout)> {
        Ok((Stdin(Box::pin(tokio::io::stdin())), Stdout(Box::pin(tokio::io::stdout()))))
    }
}
