//! `GET /v1/log/dump`: the events of the log, one JSON object a line, as they are read.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use aggregator::api::Problem;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Admin, not_foreign};
use crate::log_view;

/// Bytes of a piece of the answer.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that a slow reader may leave waiting.
const PIECES: usize = 8;

/// Streams what the log holds by now.
pub async fn dump(admin: Data<Admin>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    not_foreign(&admin, &request)?;
    let log = admin.file_log()?;
    let (pieces, body) = channel(PIECES);
    actix_web::rt::task::spawn_blocking(move || {
        let mut writer = Writer { pieces, piece: Vec::with_capacity(PIECE_BYTES) };
        let dumped = log_view::dump(&log, |line| {
            // A line is plain data; that it cannot be written down does not happen.
            serde_json::to_writer(&mut writer.piece, &line).is_ok() && writer.end_line()
        });
        match dumped {
            Ok(()) => drop(writer.send()),
            Err(error) => tracing::error!(%error, "the log could not be dumped"),
        }
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").body(Pieces(body)))
}

/// Gathers lines into pieces.
struct Writer {
    pieces: Sender<Bytes>,
    piece: Vec<u8>,
}

impl Writer {
    /// `false` once nobody reads any more.
    fn end_line(&mut self) -> bool {
        self.piece.push(b'\n');
        self.piece.len() < PIECE_BYTES || self.send()
    }

    fn send(&mut self) -> bool {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.pieces.blocking_send(Bytes::from(piece)).is_ok()
    }
}

/// The body of the answer.
struct Pieces(Receiver<Bytes>);

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(Ok))
    }
}
