//! `apus locations`: checks and migrates stored locations, as JSON lines, by the configuration.
//!
//! ```text
//!  {"id": …, "url": "s3://KEY:SECRET@host/bucket/key", "metadata": {"store": …}}   an input line
//!        │
//!        ├─ correct ──────────▶ not reported
//!        ├─ to change ────────▶ {"id": …, "url": "s3://host/bucket/key", "metadata": {"store": …}}
//!        ├─ refused ──────────▶ reported with its line, id and reason; the line stays as it is
//!        └─ another store's ──▶ not reported
//! ```
//!
//! Each line is read, decided and written before the next, so that memory use does not grow with
//! their number. Credentials found in a location are never written.

mod lines;
mod places;
mod row;
mod summary;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use apus_host::files::{Output, Remark};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::lines::{Line, Lines};
use self::places::{Places, Verdict};
use self::row::Row;
use self::summary::Summary;
use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::settings::Needs;

#[derive(Debug, Subcommand)]
pub(crate) enum Locations {
    /// Report the rows that need a change or are refused
    ///
    /// Reads JSON lines {"id", "url", "metadata"}, and writes one for each row that needs a change or
    /// is refused. The exit code is 0 if there is no such row, else 10.
    Check(Rows),

    /// Remove credentials from locations, and set the backend of each
    ///
    /// Reads JSON lines {"id", "url", "metadata"}. Without --write it is a dry run: the command reports
    /// the changes and writes none. A second migration changes nothing. The exit code is 9 if rows
    /// were refused.
    Migrate {
        #[command(flatten)]
        rows: Rows,

        /// Write the changed rows, complete, to this file; - is standard output
        ///
        /// The file is created or replaced after all rows were read. If the command fails, it is left
        /// as it was. Reports of rows go to standard output, or to standard error if the changed rows
        /// go to standard output.
        #[arg(short, long, value_name = "FILE")]
        write: Option<PathBuf>,

        /// Also write the rows that need no change, and those of other stores
        #[arg(long, requires = "write")]
        all: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Rows {
    /// The file with the rows; default: standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Accept locations at servers that are not configured, and keep their credentials
    #[arg(long)]
    foreign: bool,
}

pub(crate) fn run(stage: &Stage, command: &Locations) -> Result<Exit, Failure> {
    let (rows, write, all) = match command {
        Locations::Check(rows) => (rows, None, false),
        Locations::Migrate { rows, write, all } => (rows, write.as_deref(), *all),
    };
    let places = Places::new(&stage.which.read(Needs::Places)?, rows.foreign)?;
    let interrupt = stage.interrupt()?;
    let mut work = Work {
        places,
        written: write.map(Written::create).transpose()?,
        told: match write {
            Some(path) if is_dash(path) => Box::new(BufWriter::new(Heard(io::stderr()))),
            _ => Box::new(BufWriter::with_capacity(BUFFER, Heard(io::stdout().lock()))),
        },
        all,
        summary: Summary::default(),
    };
    match &rows.file {
        Some(path) if !is_dash(path) => {
            let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
            work.read(BufReader::with_capacity(BUFFER, file), &interrupt)?;
        }
        _ => work.read(BufReader::with_capacity(BUFFER, io::stdin().lock()), &interrupt)?,
    }
    let (summary, remarks) = work.finish()?;
    for remark in remarks {
        stage.output.remark(remark);
    }
    if stage.output.is_json() {
        stage.output.remark(json!({ "summary": summary.json() }));
    } else {
        stage.output.remark(&summary);
        if matches!(command, Locations::Migrate { write: None, .. }) {
            stage
                .output
                .remark("dry run: nothing was written; to write the result, use --write FILE");
        }
    }
    Ok(match command {
        Locations::Check(_) if summary.findings() > 0 => Exit::Findings,
        Locations::Migrate { .. } if summary.refused() > 0 => Exit::Partial,
        _ => Exit::Done,
    })
}

/// One pass over the lines.
struct Work {
    places: Places,
    /// Where changed lines are written.
    written: Option<Written>,
    /// Where the result for each line is reported.
    told: Box<dyn Write>,
    all: bool,
    summary: Summary,
}

impl Work {
    fn read(&mut self, input: impl BufRead, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut lines = Lines::new(input);
        while let Some(line) = lines.next()? {
            if line.number.is_multiple_of(4096) && interrupt.came() {
                return Err(Failure::new(Exit::Interrupted, "cancelled"));
            }
            self.line(&line)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        let text = match line.text {
            Ok(text) if text.trim_ascii().is_empty() => return Ok(()),
            Ok(text) => text,
            Err(problem) => return self.refuse(line.number, &Value::Null, problem),
        };
        let row = match Row::read(text) {
            Ok(row) => row,
            Err((id, problem)) => return self.refuse(line.number, &id, &problem),
        };
        match self.places.judge(row.url(), row.store()) {
            Verdict::Good => {
                self.summary.good += 1;
                self.pass(text)
            }
            Verdict::Other => {
                self.summary.others += 1;
                self.pass(text)
            }
            Verdict::Refused(problem) => self.refuse(line.number, row.id(), &problem),
            Verdict::Changed { url, store, credentials_found } => {
                self.summary.changed(&store, credentials_found, url != row.url());
                if self.written.is_none() {
                    let told = json!({
                        "line": line.number, "id": row.id(), "outcome": "change", "url": url,
                        "store": store, "credentials_found": credentials_found,
                    });
                    writeln!(self.told, "{told}")?;
                }
                let changed = row.changed(url, store);
                match &mut self.written {
                    Some(written) => written.line(changed.to_string().as_bytes()),
                    None => Ok(()),
                }
            }
        }
    }

    /// Passes a line on unchanged.
    fn pass(&mut self, text: &[u8]) -> Result<(), Failure> {
        match &mut self.written {
            Some(written) if self.all => written.line(text),
            _ => Ok(()),
        }
    }

    fn refuse(&mut self, line: u64, id: &Value, problem: &str) -> Result<(), Failure> {
        self.summary.refuse(problem);
        let told = json!({ "line": line, "id": id, "outcome": "refused", "problem": problem });
        writeln!(self.told, "{told}")?;
        Ok(())
    }

    fn finish(mut self) -> Result<(Summary, Vec<Remark>), Failure> {
        self.told.flush()?;
        let remarks = self.written.map(Written::finish).transpose()?;
        Ok((self.summary, remarks.unwrap_or_default()))
    }
}

/// Reports whose reader may close the pipe; that does not affect the lines.
struct Heard<W>(W);

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
struct Written {
    /// The path as it was given.
    path: PathBuf,
    out: BufWriter<Box<dyn Write>>,
    output: Option<Output>,
}

impl Written {
    fn create(path: &Path) -> Result<Self, Failure> {
        let (out, output): (Box<dyn Write>, _) = if is_dash(path) {
            (Box::new(io::stdout()), None)
        } else {
            let output = Output::new(path).map_err(|error| not_written(&error))?;
            (Box::new(output.file().map_err(|error| not_written(&error))?), Some(output))
        };
        let out = BufWriter::with_capacity(BUFFER, out);
        Ok(Self { path: path.to_owned(), out, output })
    }

    fn line(&mut self, text: &[u8]) -> Result<(), Failure> {
        let line = self.out.write_all(text).and_then(|()| self.out.write_all(b"\n"));
        line.map_err(|error| self.failed(&error))
    }

    /// A closed pipe is an error too, because lines are lost then.
    fn failed(&self, error: &io::Error) -> Failure {
        let place = match is_dash(&self.path) {
            true => "standard output".into(),
            false => self.path.display().to_string(),
        };
        Failure::new(Exit::Other, format!("{place}: could not write all rows: {error}"))
    }

    /// Commits the file, and returns the remarks about it.
    fn finish(mut self) -> Result<Vec<Remark>, Failure> {
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
    Failure::new(Exit::Other, error.to_string())
}

pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

const BUFFER: usize = 256 << 10;
