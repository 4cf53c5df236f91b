//! Names from standard input, in batches.

use std::io::{self, BufRead, BufReader, Stdin};

use crate::exit::{Exit, Failure};
use crate::stdin;

/// Batches of names, of which one is in memory at a time.
pub(crate) struct Names {
    input: BufReader<Stdin>,
    end: u8,
    /// How many lines were read.
    line: u64,
}

/// A line, or why it is no name.
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) wrong: Option<Failure>,
}

impl Names {
    /// Reads standard input, whose names end with a line's end or with NUL.
    pub(crate) fn of_stdin(null: bool) -> Result<Self, Failure> {
        let input = BufReader::new(stdin::opened()?);
        Ok(Self { input, end: if null { 0 } else { b'\n' }, line: 0 })
    }

    fn next_name(&mut self) -> Result<Option<Name>, Failure> {
        loop {
            let mut line = Vec::new();
            let read = self.input.read_until(self.end, &mut line).map_err(unread)?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            if line.last() == Some(&self.end) {
                line.pop();
            }
            if self.end == b'\n' && line.last() == Some(&b'\r') {
                line.pop();
            }
            if line.is_empty() {
                continue;
            }
            return Ok(Some(match String::from_utf8(line) {
                Ok(text) => Name { text, wrong: None },
                Err(line) => {
                    let text = String::from_utf8_lossy(line.as_bytes()).into_owned();
                    let what = match self.end {
                        0 => "name",
                        _ => "line",
                    };
                    let number = self.line;
                    let why = format!("{what} {number} of standard input is not UTF-8");
                    Name { text, wrong: Some(Failure::usage(why)) }
                }
            }));
        }
    }
}

fn unread(error: io::Error) -> Failure {
    Failure::new(Exit::Other, format!("standard input: {error}"))
}

impl Iterator for Names {
    type Item = Result<Vec<Name>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            match self.next_name() {
                Ok(Some(name)) => batch.push(name),
                Ok(None) => break,
                Err(failure) => return Some(Err(failure)),
            }
        }
        Some(Ok(batch)).filter(|batch| batch.as_ref().is_ok_and(|batch| !batch.is_empty()))
    }
}

/// How many names are in memory at once.
const BATCH: usize = 10_000;
