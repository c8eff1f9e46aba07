//! Unix sockets: one message a line, as over standard input and output.
//!
//! Whoever may write to the socket's file may call every tool. It is made for its owner alone (mode 600); put it
//! where no other user may write either, such as `$XDG_RUNTIME_DIR`, so that nobody can put another in its place.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, ready};

use mcp_proto::ClientConfig;
use mcp_proto::driver::Client;
use tokio::net::{UnixListener, UnixStream};

use crate::ConnectError;
use crate::listen::{Listener, Source, Stream};

/// Connects to a server that listens on a path, and waits until it is ready.
///
/// # Errors
///
/// [`ConnectError`]: there is no connection, or no server at its other end.
pub async fn connect(path: impl AsRef<Path>, config: ClientConfig) -> Result<Client, ConnectError> {
    let (reader, writer) = UnixStream::connect(path).await?.into_split();
    Ok(crate::connect(reader, writer, config).await?)
}

/// Listens on a path, for its owner alone. A socket that nobody listens on any more is replaced; the new one is
/// removed when the listener ends.
///
/// # Errors
///
/// [`AddrInUse`](io::ErrorKind::AddrInUse) if something else is there, or somebody listens; else why the system
/// refuses it.
pub async fn listen(path: impl AsRef<Path>) -> io::Result<Listener> {
    let path = path.as_ref();
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path).await => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    let file = SocketFile::of(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(Listener::new(Bound { listener, _file: file }, None))
}

/// Whether there is a socket whose process is gone.
async fn is_left_over(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).await.is_err_and(refused)
}

struct Bound {
    listener: UnixListener,
    _file: SocketFile,
}

impl Source for Bound {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let (stream, _) = ready!(self.listener.poll_accept(cx))?;
        let (reader, writer) = stream.into_split();
        Poll::Ready(Ok((Box::new(reader), Box::new(writer))))
    }
}

/// The file of a socket, removed with this, unless another has taken its place.
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        // The program may go elsewhere before it ends.
        let path = std::path::absolute(path)?;
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
