//! Reads the body of a request: up to the limit of its route, and within the [`Budget`] of the process.
//!
//! A request that says that it is larger than the limit is refused before its body is read. A large body that says its length
//! is counted in full before the first byte, so that none is refused half-way. Other bodies count as they grow. A body that is
//! counted in full must arrive at a [`Pace`]: else a few clients that send one byte each would keep out all others.
//!
//! After a refusal over HTTP/1.1 the rest of the body is read and dropped for a short time. Many clients read the answer
//! only when they have sent everything, and a connection that is closed before that can lose the answer (RFC 9112 §9.6).
//! HTTP/2 can tell a client to stop (RFC 9113 §8.1), which is what happens when the body is dropped.
//!
//! How a refusal is answered belongs to the roles.

use crate::budget::{Arriving, Budget, Busy, Load, SMALL_BYTES};
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Version, header};
use bytes::Bytes;
use hyper::body::Body as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long the rest of a refused body is read.
const LINGER: Duration = Duration::from_secs(2);

/// How long a large body may arrive at any pace.
const GRACE: Duration = Duration::from_secs(5);
/// The least bytes per second after that. The largest body of any route needs more, or its deadline ends it.
const LEAST_BYTES_PER_SECOND: u32 = 256 * 1024;

/// When which part of a large body must have arrived.
struct Pace(Option<Instant>);

impl Pace {
    /// For a body that is counted in full, or for another one.
    fn new(is_counted: bool) -> Self {
        Self(is_counted.then(|| Instant::now() + GRACE))
    }

    /// The next bytes, after `arrived` of them.
    async fn next(&self, body: &mut Body, arrived: usize) -> Result<Option<Bytes>, NotReceived> {
        let Self(Some(begin)) = self else { return next(body).await };
        let arrived = u32::try_from(arrived).unwrap_or(u32::MAX);
        let until = *begin + Duration::from_secs(1) * arrived / LEAST_BYTES_PER_SECOND;
        timeout_at(until, next(body)).await.unwrap_or(Err(NotReceived::Incomplete))
    }
}

/// A body that was received, with what it takes of the budget.
#[derive(Debug)]
pub struct Received {
    /// The body.
    pub bytes: Bytes,
    /// Drop it when the body and its parsed form are no longer needed.
    pub load: Load,
}

/// The reason why a body was not received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReceived {
    /// It is larger than the limit of its route.
    #[error("the body is larger than the limit")]
    TooLarge,
    /// There is no room for it now.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The client did not send all of it.
    #[error("the body is incomplete")]
    Incomplete,
}

impl Received {
    /// As [`Load::run`], with the body.
    pub async fn run<T: Send + 'static>(self, work: impl FnOnce(&Bytes) -> T + Send + 'static) -> Result<T, Busy> {
        let Self { bytes, load } = self;
        load.run(move || work(&bytes)).await
    }
}

/// Receives the body of a request. No body is an empty one.
pub async fn receive(request: Request, limit_bytes: usize) -> Result<Received, NotReceived> {
    let (parts, body) = request.into_parts();
    receive_body(&parts, body, limit_bytes).await
}

/// As [`receive`], for a request whose other parts are still needed.
pub(super) async fn receive_body(parts: &Parts, mut body: Body, limit_bytes: usize) -> Result<Received, NotReceived> {
    let mut arriving = Arriving::new(parts.extensions.get::<Budget>().cloned());
    match read(&mut body, &mut arriving, limit_bytes).await {
        Ok(bytes) => Ok(Received { bytes, load: arriving.arrived() }),
        Err(refusal) => {
            linger(parts, body);
            Err(refusal)
        }
    }
}

async fn read(body: &mut Body, arriving: &mut Arriving, limit_bytes: usize) -> Result<Bytes, NotReceived> {
    // Exact where the client has said it, else zero.
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > limit_bytes {
        return Err(NotReceived::TooLarge);
    }
    if declared > SMALL_BYTES {
        arriving.grow_to(declared)?;
    }
    let pace = Pace::new(declared > SMALL_BYTES);
    let Some(first) = pace.next(body, 0).await? else { return Ok(Bytes::new()) };
    if first.len() > limit_bytes {
        return Err(NotReceived::TooLarge);
    }
    arriving.grow_to(first.len())?;
    // Almost every body has one part, which is not copied.
    let Some(second) = pace.next(body, first.len()).await? else { return Ok(first) };
    let mut whole = Vec::new();
    extend(&mut whole, arriving, &first, declared.max(first.len()))?;
    let mut part = Some(second);
    while let Some(bytes) = part {
        let length = whole.len().saturating_add(bytes.len());
        if length > limit_bytes {
            return Err(NotReceived::TooLarge);
        }
        let capacity = whole.capacity().saturating_mul(2).min(limit_bytes).max(length);
        extend(&mut whole, arriving, &bytes, capacity)?;
        part = pace.next(body, length).await?;
    }
    Ok(whole.into())
}

/// Adds a part. If it does not fit, `whole` first gets this capacity, which is counted.
fn extend(whole: &mut Vec<u8>, arriving: &mut Arriving, part: &[u8], capacity: usize) -> Result<(), NotReceived> {
    if whole.capacity() - whole.len() < part.len() {
        arriving.grow_to(capacity)?;
        // The system may have less memory than the budget.
        whole.try_reserve_exact(capacity - whole.len()).map_err(|_| Busy)?;
    }
    whole.extend_from_slice(part);
    Ok(())
}

/// The next bytes, or `None` at the end.
async fn next(body: &mut Body) -> Result<Option<Bytes>, NotReceived> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            Some(Err(_)) => return Err(NotReceived::Incomplete),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data()
                    && !bytes.is_empty()
                {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// Reads and drops the rest of a refused body where that helps the client to see the answer.
fn linger(Parts { version, headers, .. }: &Parts, mut body: Body) {
    // A client that waits for `100 Continue` has sent nothing, and reading would tell it to go on.
    if *version >= Version::HTTP_2 || headers.contains_key(header::EXPECT) || body.is_end_stream() {
        return;
    }
    tokio::spawn(async move {
        let rest = async { while let Ok(Some(_)) = next(&mut body).await {} };
        // The connection ends with the body if there is still more of it.
        let _ = tokio::time::timeout(LINGER, rest).await;
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::convert::Infallible;

    /// A request with these parts, whose length is declared or not.
    fn request(parts: Vec<Vec<u8>>, declared: bool, budget: &Budget) -> Request {
        let body = if declared {
            Body::from(parts.concat())
        } else {
            Body::from_stream(stream::iter(parts.into_iter().map(Ok::<_, Infallible>)))
        };
        let mut request = Request::new(body);
        request.extensions_mut().insert(budget.clone());
        request
    }

    async fn received(
        parts: Vec<Vec<u8>>,
        declared: bool,
        limit: usize,
        budget: &Budget,
    ) -> Result<usize, NotReceived> {
        let whole = parts.concat();
        let received = receive(request(parts, declared, budget), limit).await?;
        assert_eq!(received.bytes, whole);
        Ok(received.bytes.len())
    }

    #[tokio::test]
    async fn bodies_up_to_the_limit_are_received() {
        let budget = Budget::default();
        for declared in [true, false] {
            for (parts, outcome) in [
                (vec![], Ok(0)),
                (vec![vec![], vec![]], Ok(0)),
                (vec![vec![1; 1000]], Ok(1000)),
                (vec![vec![1; 999], vec![], vec![2]], Ok(1000)),
                (vec![vec![1; 400], vec![2; 400], vec![3; 200]], Ok(1000)),
                (vec![vec![1; 1001]], Err(NotReceived::TooLarge)),
                (vec![vec![1; 400], vec![2; 400], vec![3; 201]], Err(NotReceived::TooLarge)),
            ] {
                assert_eq!(received(parts, declared, 1000, &budget).await, outcome);
            }
            let parts = vec![vec![7; 16 * 1024]; 100];
            assert_eq!(received(parts, declared, 100 * 16 * 1024, &budget).await, Ok(100 * 16 * 1024));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_must_arrive_at_its_pace() {
        let budget = Budget::default();
        // The first byte at once, and nothing then; or 300 KiB a second, which goes on for longer than the grace.
        for (first, later, arrives) in [(1, 0, false), (300 * 1024, 300 * 1024, true), (300 * 1024, 1024, false)] {
            let parts = stream::unfold(0, move |second: u64| async move {
                if second > 0 {
                    let pause = if later == 0 { 3600 } else { 1 };
                    tokio::time::sleep(Duration::from_secs(pause)).await;
                }
                let part = vec![0; if second == 0 { first } else { later }];
                (second < 20).then(|| (Ok::<_, Infallible>(Bytes::from(part)), second + 1))
            });
            let length = if arrives { (first + 19 * later) as u64 } else { 31 << 20 };
            let body = Body::new(Declared { length, body: Body::from_stream(parts) });
            let mut request = Request::new(body);
            *request.version_mut() = Version::HTTP_2;
            request.extensions_mut().insert(budget.clone());
            let begun = Instant::now();
            let received = receive(request, 32 << 20).await;
            assert_eq!(received.is_ok(), arrives, "{first}, {later}: {received:?}");
            assert!(arrives || begun.elapsed() < 2 * GRACE, "{:?}", begun.elapsed());
        }
    }

    #[tokio::test]
    async fn a_large_body_is_refused_before_its_first_byte() {
        let budget = Budget::default();
        let endless = || stream::repeat_with(|| -> Result<Bytes, Infallible> { panic!("nothing is read") });
        // axum takes the length that a body says; this one says more than the limit, and then more than is left.
        let all_but_a_mebibyte = {
            let mut arriving = Arriving::new(Some(budget.clone()));
            arriving.grow_to(95 << 20).unwrap();
            arriving
        };
        for (length, limit, refusal) in
            [(1001, 1000, NotReceived::TooLarge), (2 << 20, 32 << 20, NotReceived::Busy(Busy))]
        {
            let body = Body::new(Declared { length, body: Body::from_stream(endless()) });
            let mut request = Request::new(body);
            // Otherwise the rest is read after the refusal.
            *request.version_mut() = Version::HTTP_2;
            request.extensions_mut().insert(budget.clone());
            assert_eq!(receive(request, limit).await.unwrap_err(), refusal);
        }
        drop(all_but_a_mebibyte);
    }

    /// A body that says its length.
    struct Declared {
        length: u64,
        body: Body,
    }

    impl hyper::body::Body for Declared {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
            Pin::new(&mut self.body).poll_frame(context)
        }

        fn size_hint(&self) -> hyper::body::SizeHint {
            hyper::body::SizeHint::with_exact(self.length)
        }
    }
}
