//! A connection as hyper wants it, watched while it has not said anything yet.

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

/// A stream that must begin to speak in time. Stops connections that are only opened.
pub(super) struct Prompt<S> {
    stream: S,
    /// Bytes that are still expected, and until when.
    awaits: Option<(usize, Pin<Box<Sleep>>)>,
}

impl<S> Prompt<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, awaits: Some((GREETING_LEN, Box::pin(tokio::time::sleep(GREETING)))) }
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
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
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

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_or_little_is_closed_in_time() {
        for said in ["", "P", "PRI * HTTP/2.0\r\n"] {
            let (mut near, far) = duplex(64);
            let mut prompt = Prompt::new(far);
            near.write_all(said.as_bytes()).await.unwrap();
            let began = Instant::now();
            let error = prompt.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!((error.kind(), began.elapsed()), (io::ErrorKind::TimedOut, GREETING));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_begun_to_speak_may_be_silent() {
        let (mut near, far) = duplex(64);
        let mut prompt = Prompt::new(far);
        near.write_all(b"POST /mcp HTTP/1.1\r\nhost: a").await.unwrap();
        let mut buffer = [0; 64];
        assert!(prompt.read(&mut buffer).await.unwrap() > 0);
        let more = tokio::time::timeout(GREETING * 3, prompt.read(&mut buffer)).await;
        assert!(more.is_err(), "{more:?}");
    }
}
