//! A connection whose client must keep reading. A client that takes less than 16 KiB in 30 seconds, while there is data
//! to send, is disconnected, so that clients cannot hold memory by not reading answers.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a reader may take for [`MIN_BYTES`].
const WINDOW: Duration = Duration::from_secs(30);
/// Bytes that a reader must take in [`WINDOW`].
const MIN_BYTES: usize = 16 * 1024;

/// A stream that measures how fast its peer reads.
pub(super) struct Paced<S> {
    stream: S,
    /// Runs while data waits to be sent.
    window: Option<Pin<Box<Sleep>>>,
    /// Bytes sent in this window.
    sent: usize,
}

impl<S> Paced<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, window: None, sent: 0 }
    }

    /// Records an attempt to send.
    fn judge(&mut self, context: &mut Context<'_>, attempt: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match attempt {
            Poll::Ready(Ok(count)) => self.sent = self.sent.saturating_add(count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                if self.window.is_none() {
                    self.sent = 0;
                }
                let window = self.window.get_or_insert_with(|| Box::pin(sleep(WINDOW)));
                ready!(window.as_mut().poll(context));
                if self.sent < MIN_BYTES {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                self.sent = 0;
                self.window = None;
                // The next window begins with the next attempt, which follows immediately.
                context.waker().wake_by_ref();
            }
        }
        attempt
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when everything has been handed to the system.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.window = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
