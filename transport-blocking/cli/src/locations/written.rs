//! The file with the result, and the reports of rows.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use apus_host::files::{Output, Remark};

use super::BUFFER;
use crate::exit::{Exit, Failure};

/// Reports whose reader may close the pipe; that does not affect the rows.
pub(super) struct Heard<W>(pub(super) W);

impl<W: Write> Write for Heard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// A file that is written completely or left as it was, or standard output.
pub(super) struct Written {
    /// The path as it was given.
    path: PathBuf,
    out: BufWriter<Box<dyn Write>>,
    output: Option<Output>,
}

impl Written {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let (out, output): (Box<dyn Write>, _) = if is_dash(path) {
            (Box::new(io::stdout()), None)
        } else {
            let output = Output::new(path).map_err(|error| not_written(&error))?;
            (Box::new(output.file().map_err(|error| not_written(&error))?), Some(output))
        };
        let out = BufWriter::with_capacity(BUFFER, out);
        Ok(Self { path: path.to_owned(), out, output })
    }

    pub(super) fn line(&mut self, text: &[u8]) -> Result<(), Failure> {
        let line = self.out.write_all(text).and_then(|()| self.out.write_all(b"\n"));
        line.map_err(|error| self.failed(&error))
    }

    /// A closed pipe is an error too, because rows are lost then.
    fn failed(&self, error: &io::Error) -> Failure {
        let place = match is_dash(&self.path) {
            true => "standard output".into(),
            false => self.path.display().to_string(),
        };
        let what = format!("{place}: could not write all rows: {error}");
        Failure::new(Exit::of_io(error.kind()), what)
    }

    /// Commits the file, and returns the remarks about it.
    pub(super) fn finish(mut self) -> Result<Vec<Remark>, Failure> {
        if let Err(error) = self.out.flush() {
            return Err(self.failed(&error));
        }
        let Some(output) = &self.output else { return Ok(Vec::new()) };
        output.commit().map_err(|error| not_written(&error))?;
        Ok(output.remarks())
    }
}

/// Returns an error that names the file.
fn not_written(error: &io::Error) -> Failure {
    Failure::new(Exit::of_io(error.kind()), error.to_string())
}

pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Returns whether standard input is the regular file at `path`.
pub(super) fn is_stdin(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        stdin.is_ok_and(|stdin| is_file(&File::from(stdin), path))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Returns whether `path` leads to this regular file, also by a link.
pub(super) fn is_file(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(other)) = (file.metadata(), fs::metadata(path)) else { return false };
    #[cfg(unix)]
    let is_same = {
        use std::os::unix::fs::MetadataExt;
        (file.dev(), file.ino()) == (other.dev(), other.ino())
    };
    #[cfg(not(unix))]
    let is_same = (file.len(), file.created().ok()) == (other.len(), other.created().ok());
    file.is_file() && !is_dash(path) && is_same
}
