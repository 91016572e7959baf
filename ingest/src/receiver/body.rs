//! Reads a body whole: within a limit of bytes, and of time, which the server does not watch.

use std::future::poll_fn;
use std::pin::Pin;

use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::Stream as _;
use tokio::time::{Instant, timeout_at};

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Over the limit. Up to twice the limit was read, so that the sender sees the answer.
    TooLarge,
    /// The deadline passed, or the sender gave up.
    TooSlow,
}

/// The whole body.
pub(super) async fn read(
    payload: &mut Payload,
    limit_bytes: usize,
    deadline: Instant,
) -> Result<Bytes, BodyError> {
    let mut body = BytesMut::new();
    loop {
        match timeout_at(deadline, next(payload)).await {
            Ok(Some(Ok(chunk))) if body.len() + chunk.len() > limit_bytes => {
                let left = limit_bytes.saturating_mul(2).saturating_sub(body.len() + chunk.len());
                drop(body);
                skip(payload, left, deadline).await;
                return Err(BodyError::TooLarge);
            }
            Ok(Some(Ok(chunk))) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            // A sender that broke off does not see the answer.
            Ok(Some(Err(_))) | Err(_) => return Err(BodyError::TooSlow),
        }
    }
}

/// Reads and drops what comes, at most `limit_bytes` and until the deadline.
pub(super) async fn skip(payload: &mut Payload, limit_bytes: usize, deadline: Instant) {
    let mut left = limit_bytes;
    while let Ok(Some(Ok(chunk))) = timeout_at(deadline, next(payload)).await {
        let Some(rest) = left.checked_sub(chunk.len()) else { return };
        left = rest;
    }
}

async fn next(payload: &mut Payload) -> Option<Result<Bytes, actix_web::error::PayloadError>> {
    poll_fn(|context| Pin::new(&mut *payload).poll_next(context)).await
}
