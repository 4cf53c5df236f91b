//! Sources and sinks of the caller that fail, and that are given to a second run.

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apus_conformance::server::{Ending, Fault, Operation, Plan};
use apus_core::Error;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::{
    DownloadOptions, S3Download, S3Upload, UploadOptions, UploadSource, Uploaded,
};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::{Client, Setup, Via, Wire, pattern};
use crate::downloads;
use crate::uploads::{options, server, stored};

both! {
    a_source_that_failed_is_not_read_on,
    a_source_that_was_sent_is_not_sent_again,
    a_writer_that_fails_fails_the_download,
    a_file_that_was_opened_for_appending_gets_the_bytes_in_order,
}

/// Gives `first` bytes, then an error, then the rest.
struct Stumbles {
    bytes: Vec<u8>,
    at: usize,
    first: usize,
    failed: bool,
}

impl Read for Stumbles {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.first && !self.failed {
            self.failed = true;
            return Err(io::Error::other("the disk stumbled"));
        }
        let end = if self.failed { self.bytes.len() } else { self.first };
        let length = buffer.len().min(end - self.at);
        buffer[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

impl AsyncRead for Stumbles {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        let mut bytes = vec![0; room];
        let read = self.read(&mut bytes)?;
        buffer.put_slice(&bytes[..read]);
        Poll::Ready(Ok(()))
    }
}

/// Runs three uploads, one after the other, of one source with this reader.
fn uploads<R>(
    client: &Client,
    reader: R,
    length: Option<u64>,
    threshold: u64,
) -> Vec<Result<Uploaded, Error>>
where
    R: Read + AsyncRead + Send + 'static,
{
    let machine = || {
        let service = Arc::clone(&client.service);
        let options = UploadOptions { threshold, ..options() };
        S3Upload::new("bucket", "key", UploadSource::Stream(length), options, service, 7).unwrap()
    };
    match &client.wire {
        Wire::Blocking(client) => {
            use apus_blocking::Source;
            let source = match length {
                None => Source::stream(reader),
                Some(length) => Source::reader(reader, length),
            };
            (0..3).map(|_| client.run(machine()).body(&source).send()).collect()
        }
        Wire::Async(client, runtime) => {
            use apus_async::Source;
            let source = match length {
                None => Source::stream(reader),
                Some(length) => Source::reader(reader, length),
            };
            let run = |_| runtime.block_on(client.run(machine()).body(&source).send());
            (0..3).map(run).collect()
        }
    }
}

fn a_source_that_failed_is_not_read_on(via: Via) {
    for (total, first) in [
        (1000, 0),
        (1000, 100),
        (200_000, 100),
        (200_000, 100_000),
        (200_000, 199_999),
        (200_000, 200_000),
        (600_000, 300_000),
    ] {
        for (length, threshold) in [None, Some(total as u64)]
            .into_iter()
            .flat_map(|length| [64 << 10, 1 << 20].map(|threshold| (length, threshold)))
        {
            let server = server(false, Plan::new());
            let client = Setup::of(&server).client(via);
            let bytes = pattern(total).to_vec();
            let reader = Stumbles { bytes, at: 0, first, failed: false };
            let what = format!("{first} of {total}, length {length:?}, threshold {threshold}");
            for (run, result) in uploads(&client, reader, length, threshold).iter().enumerate() {
                let error = result.as_ref().expect_err(&what);
                let kind = error.exchange_error().map(|failure| failure.kind());
                assert_eq!(kind, Some(ExchangeErrorKind::Source), "{what}: {error}");
                let told = if run == 0 { "the disk stumbled" } else { "it can be read only once" };
                assert!(error.to_string().contains(told), "{what}, run {run}: {error}");
                assert!(error.leftovers().is_empty(), "{what}: {error}");
            }
            let model = server.model();
            assert!(model.object("bucket", "key").is_none(), "{what}");
            assert!(model.open_uploads().is_empty(), "{what}");
        }
    }
}

fn a_source_that_was_sent_is_not_sent_again(via: Via) {
    for total in [1000, 200_000] {
        for length in [None, Some(total as u64)] {
            let server = server(false, Plan::new());
            let client = Setup::of(&server).client(via);
            let bytes = pattern(total);
            let reader = Cursor::new(bytes.clone());
            let mut results = uploads(&client, reader, length, 64 << 10).into_iter();
            assert_eq!(results.next().unwrap().unwrap().size, total as u64);
            for result in results {
                let error = result.unwrap_err();
                assert!(error.to_string().contains("it can be read only once"), "{error}");
            }
            stored(&server, &bytes);
        }
    }
}

/// A writer that fails after some bytes, takes none any more, or can't be flushed.
#[derive(Clone, Copy, Debug)]
enum Fails {
    At(u64),
    TakesNone(u64),
    Flush,
}

struct Full {
    written: u64,
    fails: Fails,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = match self.fails {
            Fails::At(at) | Fails::TakesNone(at) => at - self.written,
            Fails::Flush => u64::MAX,
        };
        let taken = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.written += taken as u64;
        match self.fails {
            Fails::At(_) if taken == 0 => Err(io::Error::other("the tape is full")),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.fails {
            Fails::Flush => Err(io::Error::other("the tape is full")),
            _ => Ok(()),
        }
    }
}

impl AsyncWrite for Full {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn a_writer_that_fails_fails_the_download(via: Via) {
    const LENGTH: u64 = 500_000;
    let (server, _) = downloads::server(via, LENGTH as usize, Plan::new());
    let client = Setup::of(&server).client(via);
    let cut = Fault::CutBody(LENGTH as usize, Ending::Close);
    for fails in [
        Fails::At(0),
        Fails::At(250_001),
        Fails::At(LENGTH - 1),
        Fails::TakesNone(0),
        Fails::TakesNone(LENGTH - 1),
        Fails::Flush,
    ] {
        for (concurrency, hedged) in [(1, false), (4, false), (4, true)] {
            server.model().set_plan(Plan::new().on(Operation::GetObject, 1, cut.clone()));
            let options = DownloadOptions {
                range_size: 16 << 10,
                concurrency,
                hedged,
                ..DownloadOptions::default()
            };
            let service = Arc::clone(&client.service);
            let machine = S3Download::new(downloads::whole(), service, options, 7);
            let sink = Full { written: 0, fails };
            let result = match &client.wire {
                Wire::Blocking(client) => {
                    client.run(machine).write_to(apus_blocking::Sink::writer(sink)).send()
                }
                Wire::Async(client, runtime) => {
                    let run = client.run(machine).write_to(apus_async::Sink::writer(sink));
                    runtime.block_on(run.send())
                }
            };
            let what = format!("{fails:?}, {concurrency} at once, hedged {hedged}");
            let error = result.expect_err(&what);
            let kind = error.exchange_error().map(|failure| failure.kind());
            assert_eq!(kind, Some(ExchangeErrorKind::Sink), "{what}: {error}");
            let told = match fails {
                Fails::TakesNone(_) => "write",
                _ => "the tape is full",
            };
            assert!(error.to_string().contains(told), "{what}: {error}");
        }
    }
}

fn a_file_that_was_opened_for_appending_gets_the_bytes_in_order(via: Via) {
    if !cfg!(target_os = "linux") {
        return;
    }
    const LENGTH: usize = 300_000;
    let late = Fault::Delay(Duration::from_millis(50));
    let plan = Plan::new().on(Operation::GetObject, 2, late);
    let (server, bytes) = downloads::server(via, LENGTH, plan);
    let client = Setup::of(&server).client(via);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("image");
    for before in ["", "before"] {
        for concurrency in [1, 4] {
            std::fs::write(&path, before).unwrap();
            let file = File::options().append(true).open(&path).unwrap();
            let machine = downloads::download(downloads::whole(), concurrency, &client.service);
            let result = match &client.wire {
                Wire::Blocking(client) => {
                    client.run(machine).write_to(apus_blocking::Sink::file(file)).send()
                }
                Wire::Async(client, runtime) => {
                    let run = client.run(machine).write_to(apus_async::Sink::file(file));
                    runtime.block_on(run.send())
                }
            };
            assert_eq!(result.unwrap().bytes, LENGTH as u64);
            let expected = [before.as_bytes(), &bytes].concat();
            let found = std::fs::read(&path).unwrap();
            assert!(found == expected, "{before:?}, {concurrency} at once");
        }
    }
}
