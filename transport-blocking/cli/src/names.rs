//! Names from standard input, in batches.

use std::io::{self, BufRead};

use crate::exit::{Exit, Failure};

/// Batches of names, of which one is in memory at a time.
pub(crate) struct Names {
    input: Box<dyn BufRead>,
    end: u8,
}

impl Names {
    /// Reads standard input, whose names end with a line's end or with NUL.
    pub(crate) fn of_stdin(null: bool) -> Self {
        Self { input: Box::new(io::stdin().lock()), end: if null { 0 } else { b'\n' } }
    }

    fn next_name(&mut self) -> Result<Option<String>, Failure> {
        loop {
            let mut line = Vec::new();
            let read = self
                .input
                .read_until(self.end, &mut line)
                .map_err(|error| Failure::new(Exit::Other, format!("standard input: {error}")))?;
            if read == 0 {
                return Ok(None);
            }
            if line.last() == Some(&self.end) {
                line.pop();
            }
            if self.end == b'\n' && line.last() == Some(&b'\r') {
                line.pop();
            }
            if line.is_empty() {
                continue;
            }
            return String::from_utf8(line).map(Some).map_err(|line| {
                let line = String::from_utf8_lossy(line.as_bytes()).into_owned();
                Failure::usage(format!("standard input: the name {line:?} is not UTF-8"))
            });
        }
    }
}

impl Iterator for Names {
    type Item = Result<Vec<String>, Failure>;

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
