//! What commands print: data on stdout, messages on stderr.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};

use serde::Serialize;

/// Where a command's data and messages go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Data as JSON, not as a table.
    pub json: bool,
    /// No notes.
    pub quiet: bool,
}

/// Nobody reads stdout any more, as after `| head`; no failure.
#[derive(Debug)]
pub struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout is closed")
    }
}

impl Error for StdoutClosed {}

#[expect(clippy::unused_self, reason = "whoever prints was given the output to print to")]
impl Output {
    /// Writes a line of data and flushes it, since a reader may wait for it.
    pub fn line(self, text: impl fmt::Display) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        written(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
    }

    /// Writes data that ends its own lines.
    pub fn bytes(self, bytes: &[u8]) -> anyhow::Result<()> {
        written(io::stdout().lock().write_all(bytes))
    }

    /// Writes what is left in the buffer of stdout.
    pub fn flush(self) -> anyhow::Result<()> {
        written(io::stdout().lock().flush())
    }

    /// Writes a value as one line of JSON.
    pub fn json<T: Serialize>(self, value: &T) -> anyhow::Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Writes rows as a table whose columns are as wide as they need to be.
    pub fn table(self, header: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
        self.bytes(table(header, rows).as_bytes())?;
        self.flush()
    }

    /// Tells the user something that is no data.
    pub fn note(self, text: impl fmt::Display) {
        if !self.quiet {
            message(text);
        }
    }
}

/// Writes a message to stderr, also when it is to be quiet.
pub fn message(text: impl fmt::Display) {
    // Where nobody listens any more there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error with its causes, but none that the text before it quotes already.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.extend([": ", &message]);
        }
        cause = error.source();
    }
    text
}

fn written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
        Err(error) => Err(anyhow::Error::new(error).context("cannot write to stdout")),
    }
}

fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |row: usize, column: usize| match row {
        0 => header.get(column).copied().unwrap_or_default(),
        _ => rows[row - 1].get(column).map_or("", String::as_str),
    };
    let width = |column: usize| {
        (0..=rows.len()).map(|row| cells(row, column).chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for row in 0..=rows.len() {
        let mut line = String::new();
        for (column, width) in widths.iter().enumerate() {
            let cell = cells(row, column);
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_cause_once() {
        let check = |error: anyhow::Error, expected: &str| {
            assert_eq!(chain(error.as_ref()), expected);
        };
        let inner = || anyhow::anyhow!("no such file");
        check(inner().context("cannot open a"), "cannot open a: no such file");
        check(inner().context("cannot open a: no such file"), "cannot open a: no such file");
        let quoted = "cannot read a: no such file; name another";
        check(inner().context(quoted).context("no start"), &format!("no start: {quoted}"));
    }

    #[test]
    fn aligns_columns() {
        let rows = [vec!["a".to_owned(), "10.00".to_owned()], vec!["long".to_owned()]];
        assert_eq!(table(&["kpi", "value"], &rows), "kpi   value\na     10.00\nlong\n");
    }
}
