//! `apus locations`: checks and migrates stored locations by the configuration.
//!
//! ```text
//!  {"id": …, "url": "s3://KEY:SECRET@host/bucket/key", "metadata": {"store": …}}   an input row
//!        │
//!        ├─ correct ──────────▶ not reported, written as it is
//!        ├─ to change ────────▶ {"id": …, "url": "s3://host/bucket/key", "metadata": {"store": …}}
//!        ├─ refused, kept ────▶ reported with its line, id and reason, written as it is
//!        └─ another store's ──▶ not reported, written as it is
//! ```
//!
//! Each row is read, decided and written before the next, or before the next few where objects are
//! requested, so that memory use does not grow with their number. Credentials are never reported.
//! They are written in rows that keep them and, on request, as the old values of those that do not.

mod others;
mod places;
mod row;
mod rows;
mod sql;
mod stored;
mod summary;
mod verify;
mod written;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use apus_host::files::Remark;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::places::{Places, Verdict};
use self::row::Row;
use self::rows::Rows as Texts;
use self::sql::Dialect;
use self::stored::Cipher;
use self::summary::Summary;
use self::verify::Verify;
pub(crate) use self::written::is_dash;
use self::written::{Heard, Written};
use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::settings::Needs;

#[derive(Debug, Subcommand)]
pub(crate) enum Locations {
    /// Report the rows that need a change or are refused
    ///
    /// Reads rows {"id", "url", "metadata"}, and writes a JSON line for each row that needs a change, is
    /// refused, or keeps its credentials. The exit code is 0 if there is no such row, else 10.
    Check(Rows),

    /// Remove credentials from locations, and set the backend of each
    ///
    /// Reads rows {"id", "url", "metadata"}. Without --write it is a dry run: the command reports the
    /// changes and writes none. A second migration changes nothing. The exit code is 9 if rows were
    /// refused or keep their credentials.
    Migrate {
        #[command(flatten)]
        rows: Rows,

        /// Write all rows, changed or not, to this file; - is standard output
        ///
        /// JSON lines, in the order of the input. Rows that are not changed have the text of the input.
        /// The file is created or replaced after all rows were read, and may not be the input. If the
        /// command fails, it is left as it was. Reports of rows go to standard output, or to standard
        /// error if the rows go to standard output.
        #[arg(short, long, value_name = "FILE")]
        write: Option<PathBuf>,

        #[command(flatten)]
        form: Form,

        /// Request each object with the credentials that remain, before a location loses its own
        ///
        /// A row is refused if its object can't be read with the keys of its backend. Rows of deleted
        /// images are not verified. If a server can't be reached, the command fails.
        #[arg(long)]
        verify: bool,
    },
}

/// The form of the rows that are written.
#[derive(Args, Debug, Default)]
pub(crate) struct Form {
    /// Write changed rows only
    #[arg(long, requires = "write")]
    only_changed: bool,

    /// Add the old URL and store to changed rows, as `was` and `was_store`, to compare with before a row
    /// is replaced
    ///
    /// The file then contains the credentials that the locations contained.
    #[arg(long, requires = "write")]
    was: bool,

    /// Write SQL that replaces each changed row of glance's table image_locations, if the row is as it
    /// was read
    ///
    /// The statements contain the credentials that the locations contained. Rows need `id`, `value` and
    /// `meta_data`.
    #[arg(long, value_name = "DATABASE", requires = "write", conflicts_with_all = ["only_changed", "was"])]
    sql: Option<Dialect>,

    /// Without effect: all rows are written
    #[arg(long, hide = true, conflicts_with_all = ["only_changed", "sql"])]
    all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Rows {
    /// The file with the rows, JSON lines or a JSON array; default: standard input
    ///
    /// A row has the members url and metadata, or glance's columns value and meta_data.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Accept locations at servers that are not configured, and keep their credentials
    #[arg(long)]
    foreign: bool,
}

pub(crate) fn run(stage: &Stage, command: &Locations) -> Result<Exit, Failure> {
    let by_default = Form::default();
    let (rows, write, form, verify) = match command {
        Locations::Check(rows) => (rows, None, &by_default, false),
        Locations::Migrate { rows, write, form, verify } => (rows, write.as_deref(), form, *verify),
    };
    let sound = stage.which.read(Needs::Places)?;
    let places = Places::new(&sound, rows.foreign)?;
    let cipher = Cipher::new(sound.configuration.metadata_encryption_key.as_ref())?;
    let interrupt = stage.interrupt()?;
    let input: Box<dyn BufRead> = match rows.file.as_deref().filter(|path| !is_dash(path)) {
        Some(path) => {
            let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
            let is_input = |write: &&Path| written::is_file(&file, write);
            refuse_input(write.filter(is_input))?;
            Box::new(BufReader::with_capacity(BUFFER, file))
        }
        None => {
            refuse_input(write.filter(|write| written::is_stdin(write)))?;
            Box::new(BufReader::with_capacity(BUFFER, crate::stdin::opened()?.lock()))
        }
    };
    let mut work = Work {
        places,
        cipher,
        verify: verify.then(|| stage.open().map(Verify::new)).transpose()?,
        written: write.map(Written::create).transpose()?,
        told: match write {
            Some(path) if is_dash(path) => Box::new(BufWriter::new(Heard(io::stderr()))),
            _ => Box::new(BufWriter::with_capacity(BUFFER, Heard(io::stdout().lock()))),
        },
        form,
        summary: Summary::default(),
    };
    work.read(input, &interrupt)?;
    let (summary, remarks) = work.finish()?;
    for remark in remarks {
        stage.output.remark(remark);
    }
    stage.output.remark_document(&json!({ "summary": summary.json() }), &summary);
    let is_dry = matches!(command, Locations::Migrate { write: None, .. });
    if is_dry && !stage.output.is_json() {
        stage.output.remark("dry run: nothing was written; to write the result, use --write FILE");
    }
    Ok(match command {
        Locations::Check(_) if summary.findings() > 0 => Exit::Findings,
        Locations::Migrate { .. } if summary.unchanged() > 0 => Exit::Partial,
        _ => Exit::Done,
    })
}

fn refuse_interrupted(interrupt: &Interrupt) -> Result<(), Failure> {
    match interrupt.came() {
        true => Err(Failure::new(Exit::Interrupted, "cancelled before the last row")),
        false => Ok(()),
    }
}

/// In place, the old values would be lost, of which a failed upgrade needs a copy.
fn refuse_input(same: Option<&Path>) -> Result<(), Failure> {
    match same {
        None => Ok(()),
        Some(path) => Err(Failure::usage(format!(
            "{}: --write names the file that the rows are read from: write to another file, and \
             keep this one: it has the old values",
            path.display()
        ))),
    }
}

/// One pass over the rows.
struct Work<'a> {
    places: Places,
    cipher: Cipher,
    verify: Option<Verify>,
    /// Where rows are written.
    written: Option<Written>,
    /// Where the result for each row is reported.
    told: Box<dyn Write>,
    form: &'a Form,
    summary: Summary,
}

impl Work<'_> {
    fn read(&mut self, input: impl BufRead, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut texts = Texts::new(input);
        if let (Some(dialect), Some(written)) = (self.form.sql, &mut self.written) {
            written.line(dialect.begin().as_bytes())?;
        }
        while let Some(text) = texts.next()? {
            refuse_interrupted(interrupt)?;
            match text.text {
                Ok(row) if row.trim_ascii().is_empty() => {}
                Ok(row) => self.row(text.line, row)?,
                Err(problem) if self.written.is_some() => {
                    let what = format!("line {}: {problem}: nothing was written", text.line);
                    return Err(Failure::new(Exit::Other, what));
                }
                Err(problem) => self.refuse(text.line, &Value::Null, problem)?,
            }
        }
        self.settle()?;
        // The signal may have ended the program that writes the rows, too: they are not complete.
        refuse_interrupted(interrupt)?;
        match (self.form.sql, &mut self.written) {
            (Some(_), Some(written)) => written.line(sql::COMMIT.as_bytes()),
            _ => Ok(()),
        }
    }

    fn row(&mut self, line: u64, text: &[u8]) -> Result<(), Failure> {
        let row = match Row::read(text) {
            Ok(row) => row,
            Err((id, problem)) => {
                self.settle()?;
                self.refuse(line, &id, &problem)?;
                return self.pass(text);
            }
        };
        let verdict = match self.cipher.read(row.url()) {
            Ok(stored) => {
                let is_plain = self.cipher.is_configured() && !stored.is_encrypted;
                self.summary.unencrypted += u64::from(is_plain && !row.is_deleted());
                self.places.judge(&stored, row.store())
            }
            Err(problem) => Verdict::Refused(problem.to_owned()),
        };
        match &mut self.verify {
            None => self.decided(line, text, &row, verdict),
            Some(verify) => {
                verify.add(line, text, &row, verdict);
                if verify.is_full() { self.settle() } else { Ok(()) }
            }
        }
    }

    /// Writes the rows whose objects were requested.
    fn settle(&mut self) -> Result<(), Failure> {
        let Some(verify) = &mut self.verify else { return Ok(()) };
        for verified in verify.settle()? {
            // It was read once already.
            if let Ok(row) = Row::read(&verified.text) {
                self.decided(verified.line, &verified.text, &row, verified.verdict)?;
            }
        }
        Ok(())
    }

    fn decided(
        &mut self,
        line: u64,
        text: &[u8],
        row: &Row<'_>,
        verdict: Verdict,
    ) -> Result<(), Failure> {
        match verdict {
            Verdict::Good => self.summary.good += 1,
            Verdict::Other => self.summary.others += 1,
            Verdict::Refused(problem) => self.refuse(line, &row.told_id(), &problem)?,
            Verdict::Kept(reason) => {
                self.summary.kept.add(&reason);
                self.tell(line, &row.told_id(), "kept", &reason)?;
            }
            Verdict::Changed { url, store, credentials_found, is_new_url, is_encrypted } => {
                let text = match is_new_url {
                    true => self.cipher.write(&url, is_encrypted)?,
                    false => row.url().to_owned(),
                };
                let new = match (&self.written, self.form.sql) {
                    (None, _) => None,
                    (Some(_), None) => Some(Ok(row.changed(&text, &store, self.form.was))),
                    (Some(_), Some(dialect)) => Some(dialect.update(row, &text, &store)),
                };
                if let Some(Err(problem)) = &new {
                    return self.refuse(line, &row.told_id(), problem);
                }
                self.summary.changed(&store, credentials_found, is_new_url);
                return match (new, &mut self.written) {
                    (Some(Ok(new)), Some(written)) => written.line(new.as_bytes()),
                    _ => {
                        let told = json!({
                            "line": line, "id": row.told_id(), "outcome": "change", "url": url,
                            "store": store, "credentials_found": credentials_found,
                        });
                        Ok(writeln!(self.told, "{told}")?)
                    }
                };
            }
        }
        self.pass(text)
    }

    /// Writes a row as it was read.
    fn pass(&mut self, text: &[u8]) -> Result<(), Failure> {
        match &mut self.written {
            Some(written) if self.form.sql.is_none() && !self.form.only_changed => {
                written.line(text)
            }
            _ => Ok(()),
        }
    }

    fn refuse(&mut self, line: u64, id: &Value, problem: &str) -> Result<(), Failure> {
        self.summary.refused.add(problem);
        self.tell(line, id, "refused", problem)
    }

    fn tell(&mut self, line: u64, id: &Value, what: &str, why: &str) -> Result<(), Failure> {
        let told = json!({ "line": line, "id": id, "outcome": what, "problem": why });
        Ok(writeln!(self.told, "{told}")?)
    }

    fn finish(mut self) -> Result<(Summary, Vec<Remark>), Failure> {
        self.told.flush()?;
        let remarks = self.written.map(Written::finish).transpose()?;
        Ok((self.summary, remarks.unwrap_or_default()))
    }
}

const BUFFER: usize = 256 << 10;
