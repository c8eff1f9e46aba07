//! A connection as hyper wants it, watched while it has not said anything yet, and while it takes nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long a connection may take to say which version of HTTP it speaks. From then on hyper's own limits hold.
const GREETING: Duration = Duration::from_secs(10);

/// Bytes by which that is known: the preface of HTTP/2.
const GREETING_LEN: usize = 24;

/// A stream that must begin to speak in time, and must not stand still. Stops connections that are only opened, and those
/// that read nothing: what hyper has taken from a response is no longer seen by the machine.
pub(super) struct Prompt<S> {
    stream: S,
    /// Bytes that are still expected, and until when.
    awaits: Option<(usize, Pin<Box<Sleep>>)>,
    /// How long the peer may take nothing.
    patience: Duration,
    /// Until when it has to take something, while something waits for it.
    stalls: Option<Pin<Box<Sleep>>>,
}

impl<S> Prompt<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        let awaits = Some((GREETING_LEN, Box::pin(tokio::time::sleep(GREETING))));
        Self { stream, awaits, patience, stalls: None }
    }

    /// What came of writing, unless the peer has taken nothing for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalls = None;
            return written;
        }
        let patience = self.patience;
        let stalls = self.stalls.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalls.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Some((missing, deadline)) = &mut this.awaits {
            match read {
                Poll::Pending => {
                    ready!(deadline.as_mut().poll(cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Ready(_) => {
                    *missing = missing.saturating_sub(buf.filled().len() - before);
                    if *missing == 0 {
                        this.awaits = None;
                    }
                }
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prompt<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_or_little_is_closed_in_time() {
        for said in ["", "P", "PRI * HTTP/2.0\r\n"] {
            let (mut near, far) = duplex(64);
            let mut prompt = Prompt::new(far, PATIENCE);
            near.write_all(said.as_bytes()).await.unwrap();
            let began = Instant::now();
            let error = prompt.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!((error.kind(), began.elapsed()), (io::ErrorKind::TimedOut, GREETING));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_begun_to_speak_may_be_silent() {
        let (mut near, far) = duplex(64);
        let mut prompt = Prompt::new(far, PATIENCE);
        near.write_all(b"POST /mcp HTTP/1.1\r\nhost: a").await.unwrap();
        let mut buffer = [0; 64];
        assert!(prompt.read(&mut buffer).await.unwrap() > 0);
        let more = tokio::time::timeout(GREETING * 3, prompt.read(&mut buffer)).await;
        assert!(more.is_err(), "{more:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let (ours, mut peers) = duplex(16);
        let mut ours = Prompt::new(ours, PATIENCE);
        let start = Instant::now();
        let writing = tokio::spawn(async move { ours.write_all(&[7; 64]).await });
        for _ in 0..2 {
            tokio::time::sleep(PATIENCE * 2 / 3).await;
            peers.read_exact(&mut [0; 16]).await.unwrap();
        }
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), (PATIENCE * 7 / 3).as_secs());
    }
}
