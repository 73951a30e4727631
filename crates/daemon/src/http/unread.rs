//! HTTP/2 answers whose client must keep opening its flow-control window (RFC 9113 §5.2). If it does not take 16 KiB of
//! an answer in two minutes, while that much or the rest of the answer is ready, the connection ends.
//!
//! `pace` does not notice such a client: it reads everything that is sent, also pings and acknowledgements, so nothing
//! waits in the socket. Each answer is measured alone, so that one answer that is read does not excuse a hundred that
//! are not. Time in which an answer waits for the server does not count.

use axum::body::Bytes;
use bytes::Buf;
use hyper::body::{Body, Frame, SizeHint};
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a client may take for [`MIN_BYTES`] of an answer. Longer than for a whole connection, because a slow client
/// may be reading a hundred answers at once.
const WINDOW: Duration = Duration::from_mins(2);
/// Bytes of an answer that a client must take in [`WINDOW`].
const MIN_BYTES: u64 = 16 * 1024;
/// Time between two checks.
const LOOK: Duration = Duration::from_secs(5);

/// The answers in flight on one connection. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Vec<Watched>>>);

struct Watched {
    answer: Weak<Answer>,
    /// When the window began, and the bytes taken by then.
    since: (Instant, u64),
}

/// Progress of one answer.
#[derive(Default)]
struct Answer {
    /// Parts that wait for the client: the body, unless it waits for the server, and the data it has handed over.
    waiting: AtomicUsize,
    taken_bytes: AtomicU64,
}

impl Answers {
    /// The body of an answer, measured.
    pub(super) fn watch<B>(&self, body: B) -> Unread<B> {
        let answer = Arc::new(Answer::default());
        let watched = Watched { answer: Arc::downgrade(&answer), since: (Instant::now(), 0) };
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // At most a hundred entries: a connection has a hundred streams.
        answers.retain(|watched| watched.answer.strong_count() > 0);
        answers.push(watched);
        Unread { body, waiting: Some(Waiting::new(&answer)), answer }
    }

    /// Returns when a client has stopped reading an answer.
    pub(super) async fn abandoned(&self) {
        loop {
            sleep(LOOK).await;
            let now = Instant::now();
            let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            answers.retain(|watched| watched.answer.strong_count() > 0);
            if answers.iter_mut().any(|watched| watched.is_abandoned(now)) {
                return;
            }
        }
    }
}

impl Watched {
    fn is_abandoned(&mut self, now: Instant) -> bool {
        let Some(answer) = self.answer.upgrade() else { return false };
        let taken = answer.taken_bytes.load(Ordering::Relaxed);
        let (begun, before) = self.since;
        let is_slow = taken.saturating_sub(before) < MIN_BYTES;
        if answer.waiting.load(Ordering::Relaxed) > 0 && is_slow {
            return now.duration_since(begun) >= WINDOW;
        }
        self.since = (now, taken);
        false
    }
}

/// Counts as a part of an answer that waits for the client, until it is dropped.
struct Waiting(Arc<Answer>);

impl Waiting {
    fn new(answer: &Arc<Answer>) -> Self {
        answer.waiting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(answer))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that is polled for more only when its client has room.
pub(super) struct Unread<B> {
    body: B,
    /// `None` while the server has nothing to send.
    waiting: Option<Waiting>,
    answer: Arc<Answer>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Unread<B> {
    type Data = Part;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, Self::Error>>> {
        self.waiting = None;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_some() && !self.body.is_end_stream() {
            self.waiting = Some(Waiting::new(&self.answer));
        }
        let part = |bytes| Part { bytes, waiting: Waiting::new(&self.answer) };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of a body, counted from when they are handed over until they are sent or dropped.
pub(super) struct Part {
    bytes: Bytes,
    waiting: Waiting,
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.waiting.0.taken_bytes.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
