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

/// Why a body is not read to its end.
enum Stopped {
    /// It is over the limit already; so many bytes may still be read and dropped.
    Over { left: usize },
    /// The sender broke off.
    Broken,
}

/// The whole body.
pub(super) async fn read(
    payload: &mut Payload,
    limit_bytes: usize,
    deadline: Instant,
) -> Result<Bytes, BodyError> {
    match timeout_at(deadline, collect(payload, limit_bytes)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(Stopped::Over { left })) => {
            skip(payload, left, deadline).await;
            Err(BodyError::TooLarge)
        }
        // A sender that broke off does not see the answer.
        Ok(Err(Stopped::Broken)) | Err(_) => Err(BodyError::TooSlow),
    }
}

/// The chunks as one run of bytes, which one that comes alone is already.
async fn collect(payload: &mut Payload, limit_bytes: usize) -> Result<Bytes, Stopped> {
    let Some(first) = next(payload).await else { return Ok(Bytes::new()) };
    let mut body = first.map_err(|_| Stopped::Broken)?;
    let mut bytes: Option<BytesMut> = None;
    loop {
        let length = bytes.as_ref().map_or(body.len(), BytesMut::len);
        if length > limit_bytes {
            return Err(Stopped::Over {
                left: limit_bytes.saturating_mul(2).saturating_sub(length),
            });
        }
        let Some(chunk) = next(payload).await else {
            return Ok(bytes.map_or(body, BytesMut::freeze));
        };
        let chunk = chunk.map_err(|_| Stopped::Broken)?;
        bytes
            .get_or_insert_with(|| BytesMut::from(std::mem::take(&mut body)))
            .extend_from_slice(&chunk);
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
