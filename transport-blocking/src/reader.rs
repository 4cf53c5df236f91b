//! A reader of a download.

use std::fmt;
use std::io::{self, Read};
use std::panic::resume_unwind;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use apus_core::Error;
use apus_core::contract::{IntoMachine, Machine};
use apus_core::machine::Claim;
use bytes::{Buf, Bytes};

use crate::cancel::CancelToken;
use crate::pipe::{PipeReader, pipe};
use crate::run::{Peek, Run};
use crate::sink::Sink;

/// The bytes of a download, read while its machine runs in a thread of its own. At most 512 KiB
/// and one piece wait to be read, besides what the machine itself keeps.
///
/// If the download fails, the read after the last byte returns the error; a failed download never
/// looks like an early end. Dropping the reader cancels the run, which cleans up in its thread.
pub struct Reader<T> {
    pieces: Option<PipeReader>,
    current: Bytes,
    token: CancelToken,
    thread: Option<JoinHandle<Result<T, Error>>>,
    /// Absent after the outcome is known.
    claim: Option<Claim>,
    outcome: Option<Result<T, Error>>,
}

impl<T: Send + 'static> Reader<T> {
    /// Runs `run` in a thread. `heads` gets the head of what is downloaded, as soon as it is known.
    pub(crate) fn spawn<K, S, H: Send + 'static>(
        mut run: Run<'static, K, S>,
        head: fn(&K::Machine) -> Option<H>,
        heads: Option<Sender<H>>,
    ) -> Self
    where
        K: IntoMachine<S, Machine: Machine<Output = T>> + Send + 'static,
        S: Send + Sync + 'static,
    {
        let (writer, pieces) = pipe();
        // Cancelling the caller's own token could stop other runs too.
        let token = run.token.unwrap_or_default().child();
        run.token = Some(token.clone());
        let (running, claim) = run.context.cleanups.begin();
        run.running = Some(running);
        run.sink = Sink::writer(writer);
        let thread = thread::spawn(move || {
            let peek = heads.map(|heads| -> Peek<'_, K::Machine> {
                Box::new(move |machine| match head(machine) {
                    Some(head) => {
                        let _ = heads.send(head);
                        true
                    }
                    None => false,
                })
            });
            run.drive(peek)
        });
        Self {
            pieces: Some(pieces),
            current: Bytes::new(),
            token,
            thread: Some(thread),
            claim: Some(claim),
            outcome: None,
        }
    }

    /// Reads and drops the remaining bytes, and returns the machine's output.
    ///
    /// ```no_run
    /// # use apus_blocking::{Client, s3};
    /// use std::io::Read;
    ///
    /// use apus_blocking::s3::Download;
    ///
    /// # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
    /// let (head, mut reader) = client.run(Download::new("bucket", "disk.img")).open()?;
    /// let mut first = [0; 512];
    /// reader.read_exact(&mut first)?;
    /// println!("{:?} bytes, the first is {}", head.size, first[0]);
    /// // Only the output tells that all bytes arrived and were validated:
    /// println!("{}", reader.finish()?.validation);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The machine's error.
    pub fn finish(mut self) -> Result<T, Error> {
        while self.advance() {}
        match self.outcome.take() {
            Some(outcome) => outcome,
            None => Err(Error::invalid_input("the run was finished before")),
        }
    }

    /// Waits for the next piece; false at the end, when the outcome is known.
    fn advance(&mut self) -> bool {
        if let Some(piece) = self.pieces.as_ref().and_then(PipeReader::next) {
            self.current = piece;
            return true;
        }
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            self.outcome = Some(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            self.claim.take().map(Claim::settle);
        }
        false
    }
}

impl<T: Send + 'static> Read for Reader<T> {
    /// Fails with [`io::ErrorKind::Other`], which wraps the machine's [`Error`].
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !buffer.is_empty() {
            if !self.advance() {
                return match &self.outcome {
                    Some(Err(error)) => Err(io::Error::other(error.clone())),
                    _ => Ok(0),
                };
            }
        }
        let length = self.current.len().min(buffer.len());
        self.current.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.token.cancel();
        // The run may be waiting for the pipe to have room.
        self.pieces = None;
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("over", &self.thread.is_none()).finish_non_exhaustive()
    }
}
