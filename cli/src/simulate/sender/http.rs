//! A small HTTP/1.1 client on one kept-alive connection: posts bytes, reads the status. Ours, because
//! a load generator on the same cores must cost less than what it measures.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// The longest head of an answer that is read.
const MAX_HEAD: usize = 16 * 1024;

/// A connection with the bytes that were read beyond the last answer.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What an answer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// Whether the connection may be used again.
    pub(super) reusable: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::with_capacity(1024) }
    }

    /// Writes a whole request and reads its answer.
    pub(super) fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        let head_len = self.read_head()?;
        let head = parse_head(&self.buffer[..head_len])
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))?;
        let Some(body_len) = head.body_len else {
            // Without a length the body ends with the connection, and the status is all we need.
            return Ok(Answer { status: head.status, reusable: false });
        };
        while self.buffer.len() < head_len + body_len {
            self.read_more()?;
        }
        self.buffer.drain(..head_len + body_len);
        Ok(Answer { status: head.status, reusable: !head.close })
    }

    fn read_head(&mut self) -> io::Result<usize> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return Ok(end + 4);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the answer's head is too long",
                ));
            }
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 4096];
        let read = self.stream.read(&mut chunk)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(())
    }
}

struct Head {
    status: u16,
    /// `None` where only the connection's end tells.
    body_len: Option<usize>,
    close: bool,
}

fn parse_head(head: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let mut parsed = Head { status, body_len: (status == 204).then_some(0), close: false };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            parsed.body_len = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            parsed.close = value.trim().eq_ignore_ascii_case("close");
        }
    }
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_heads() {
        let check = |head: &str, expected: Option<(u16, Option<usize>, bool)>| {
            let head = parse_head(head.as_bytes());
            assert_eq!(head.map(|head| (head.status, head.body_len, head.close)), expected);
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some((200, Some(0), false)));
        check(
            "HTTP/1.1 503 X\r\ncontent-length: 7\r\nConnection: close\r\n\r\n",
            Some((503, Some(7), true)),
        );
        check("HTTP/1.1 204 No Content\r\n\r\n", Some((204, Some(0), false)));
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Some((200, None, false)));
        check("SSH-2.0\r\n\r\n", None);
    }
}
