//! Cuts a file into chunks of whole lines, none of which is longer than memory should hold.

use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

use super::LineProblem;

/// Lines of a chunk.
const MAX_LINES: u64 = 1000;
/// Bytes at which a chunk is full.
const FULL_BYTES: usize = 1 << 20;

/// The most bytes of a chunk of lines of at most `max_line_bytes`: the last line is added while it
/// is not full yet, and every line has a newline.
pub const fn longest_chunk_bytes(max_line_bytes: usize) -> usize {
    FULL_BYTES + max_line_bytes + 1
}

/// Whole lines of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The number of its first line, from 1.
    pub first_line: u64,
    /// The lines; in place of one that is too long stands an empty one.
    pub text: Vec<u8>,
    /// Lines that are too long.
    pub errors: Vec<LineProblem>,
    /// Where the file goes on behind it.
    pub end: Mark,
}

/// A place in a file between two lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Bytes before it.
    pub offset: u64,
    /// Lines before it.
    pub lines: u64,
}

/// Reads chunks.
pub struct Chunks<R> {
    reader: R,
    at: Mark,
    max_line_bytes: usize,
}

impl<R: BufRead> Chunks<R> {
    /// From a reader that stands at `at`.
    pub const fn new(reader: R, at: Mark, max_line_bytes: usize) -> Self {
        Self { reader, at, max_line_bytes }
    }

    /// The next lines; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Chunk>> {
        let mut chunk = Chunk { first_line: self.at.lines + 1, ..Chunk::default() };
        let begin = self.at.offset;
        while self.at.lines + 1 - chunk.first_line < MAX_LINES && chunk.text.len() < FULL_BYTES {
            if !self.line(&mut chunk)? {
                break;
            }
        }
        chunk.end = self.at;
        Ok((self.at.offset > begin).then_some(chunk))
    }

    /// Adds a line; `false` at the end.
    fn line(&mut self, chunk: &mut Chunk) -> io::Result<bool> {
        let before = chunk.text.len();
        // One byte more than a line may have, besides its newline, tells that it is too long.
        let limit = self.max_line_bytes as u64 + 1;
        let mut limited = io::Read::take(&mut self.reader, limit);
        let read = limited.read_until(b'\n', &mut chunk.text)?;
        if read == 0 {
            return Ok(false);
        }
        self.at.offset += read as u64;
        self.at.lines += 1;
        if read as u64 == limit && chunk.text.last() != Some(&b'\n') {
            self.at.offset += self.reader.skip_until(b'\n')? as u64;
            chunk.text.truncate(before);
            chunk.text.push(b'\n');
            chunk.errors.push(LineProblem {
                line: self.at.lines,
                field: String::new(),
                message: format!("a line has at most {} bytes", self.max_line_bytes),
            });
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, max_line_bytes: usize) -> Vec<Chunk> {
        let mut chunks = Chunks::new(text.as_bytes(), Mark::default(), max_line_bytes);
        std::iter::from_fn(|| chunks.next().expect("memory")).collect()
    }

    #[test]
    fn cuts_behind_lines() {
        let text = "{}\n".repeat(2_500);
        let chunks = all(&text, 10);
        let firsts: Vec<u64> = chunks.iter().map(|chunk| chunk.first_line).collect();
        assert_eq!(firsts, [1, 1001, 2001]);
        assert_eq!(chunks[2].end, Mark { offset: 7_500, lines: 2_500 });
        let joined: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.text).collect();
        assert_eq!(joined, text.as_bytes());
    }

    #[test]
    fn leaves_out_lines_that_are_too_long() {
        let chunks = all("1234\n12345\n\n1", 4);
        assert_eq!(chunks.len(), 1);
        assert_eq!(chunks[0].text, b"1234\n\n\n1");
        let lines: Vec<u64> = chunks[0].errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [2]);
        assert_eq!(chunks[0].end, Mark { offset: 13, lines: 4 });
    }

    #[test]
    fn knows_the_longest() {
        let (filler, line) = ("1".repeat(FULL_BYTES - 2), "2".repeat(FULL_BYTES));
        let chunks = all(&format!("{filler}\n{line}\n"), FULL_BYTES);
        assert_eq!(chunks.len(), 1);
        assert_eq!(chunks[0].errors, []);
        assert!(chunks[0].text.len() <= longest_chunk_bytes(FULL_BYTES));
    }

    #[test]
    fn ends() {
        assert_eq!(all("", 4), []);
        assert_eq!(all("\n", 4).len(), 1);
    }
}
