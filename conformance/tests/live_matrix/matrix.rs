//! What a server is expected to do, as a file.
//!
//! ```text
//! case | where | result | whose fault | why
//! ```
//!
//! The first row of a case that is about the place is its expectation there. *Where* is empty, or
//! names that all have to be true of the place, with commas between them: the setting, the mode, the
//! scheme, the transport; `a or b` is either. The *result* is
//!
//! - `ok`, or status and code of a refusal;
//! - status, if there is one, and kind of an error without a code, and words of its text:
//!   `200, InvalidResponse: no date`;
//! - `wrong:` and words of what a check found instead;
//! - `not run`, where a check would harm the server.
//!
//! A result other than the one that is due is the fault of `server`, or is due to the `settings`:
//! then the library refuses what they exclude. A fault of ours has no row; it is mended.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use crate::live::OK;

/// The expectations of a server.
#[derive(Debug)]
pub struct Matrix {
    rows: Vec<Row>,
}

/// An expectation.
#[derive(Debug)]
pub struct Row {
    case: String,
    place: Vec<String>,
    pub result: String,
    fault: String,
    line: usize,
    used: Cell<bool>,
}

impl Matrix {
    /// Reads `conformance/live/SERVER.matrix`.
    pub fn of(server: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("live/{server}.matrix"));
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let rows = (1..).zip(text.lines());
        let rows = rows.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let rows = rows.map(|(number, line)| {
            Row::parse(number, line).map_err(|error| format!("line {number}: {error}: {line}"))
        });
        Ok(Self { rows: rows.collect::<Result<_, _>>()? })
    }

    /// Panics where a row has no case, or a case has no row.
    pub fn has_rows_of(&self, cases: &[&str]) {
        for row in &self.rows {
            assert!(cases.contains(&&*row.case), "line {}: there is no such case", row.line);
        }
        for case in cases {
            assert!(self.rows.iter().any(|row| row.case == *case), "there is no row of {case}");
        }
    }

    /// The expectation of a case where these words are true.
    pub fn row(&self, case: &str, place: &[&str]) -> Option<&Row> {
        let row = self.rows.iter().find(|row| row.case == case && row.is_at(place))?;
        row.used.set(true);
        Some(row)
    }

    /// The lines of rows that were nobody's expectation.
    pub fn unused(&self) -> Vec<usize> {
        self.rows.iter().filter(|row| !row.used.get()).map(|row| row.line).collect()
    }
}

impl Row {
    fn parse(line: usize, text: &str) -> Result<Self, String> {
        let cells: Vec<&str> = text.split('|').map(str::trim).collect();
        let (case, place, result, fault, why) = match cells[..] {
            [case, place, result] => (case, place, result, "", ""),
            [case, place, result, fault, why] => (case, place, result, fault, why),
            _ => return Err("a row has three cells, or five".into()),
        };
        if case.is_empty() || result.is_empty() {
            return Err("a row has a case and a result".into());
        }
        match fault {
            "" if why.is_empty() => {}
            "server" | "settings" if why.split(' ').count() > 2 => {}
            "server" | "settings" => return Err("why is it?".into()),
            "ours" => return Err("a fault of ours has to be mended".into()),
            _ => return Err("the fault is of `server`, or due to the `settings`".into()),
        }
        let words = place.split(',').map(|word| word.trim().to_owned());
        Ok(Self {
            case: case.to_owned(),
            place: words.filter(|word| !word.is_empty()).collect(),
            result: result.to_owned(),
            fault: fault.to_owned(),
            line,
            used: Cell::new(false),
        })
    }

    fn is_at(&self, place: &[&str]) -> bool {
        self.place.iter().all(|words| words.split(" or ").any(|word| place.contains(&word)))
    }

    /// Compares the result of a case with this expectation; `due` is what every server has to do.
    pub fn compare(&self, due: &str, found: &str) -> Result<(), String> {
        let line = self.line;
        if !agree(&self.result, found) {
            return Err(format!("line {line} expects {:?}, and it was {found:?}", self.result));
        }
        match (agree(due, found), self.fault.is_empty()) {
            (true, false) => Err(format!("line {line}: {found:?} is right, and is no fault")),
            (false, true) => {
                Err(format!("line {line}: {due:?} is due: whose fault is it that it is not so?"))
            }
            _ => Ok(()),
        }
    }
}

/// `expected` is `found`, or its kind, or its kind and words of its text.
fn agree(expected: &str, found: &str) -> bool {
    let words = expected.split_once(": ").zip(found.split_once(": "));
    expected == found
        || found.split_once(": ").is_some_and(|(kind, _)| kind == expected)
        || words.is_some_and(|((kind, words), (found, text))| kind == found && text.contains(words))
}

#[test]
fn a_difference_in_either_direction_is_an_error() {
    let matrix = Matrix::parse(
        "# a comment\n\
         Put | http, never or when_required | 400 Bad | server | it cannot read this\n\
         Put | | ok\n\
         Get | | wrong: left: 1 | server | it counts from one",
    )
    .unwrap();
    let row = |place: &[&str]| matrix.row("Put", place).unwrap();
    let refused = row(&["http", "when_required"]);
    refused.compare(OK, "400 Bad").unwrap();
    refused.compare(OK, "400 Worse").unwrap_err();
    refused.compare(OK, OK).unwrap_err();
    // Where the refusal is due, it is nobody's fault.
    refused.compare("400 Bad", "400 Bad").unwrap_err();
    for place in [["http", "when_supported"], ["https", "never"]] {
        row(&place).compare(OK, OK).unwrap();
        row(&place).compare(OK, "400 Bad").unwrap_err();
        row(&place).compare("403 Denied", OK).unwrap_err();
    }
    assert_eq!(matrix.unused(), [4]);
    let wrong = matrix.row("Get", &[]).unwrap();
    wrong.compare(OK, "wrong: assertion failed: left: 1, right: 0").unwrap();
    wrong.compare(OK, "wrong: assertion failed: left: 2, right: 0").unwrap_err();
    // A refusal without a document has no code.
    refused.compare("403, Refused", "400 Bad").unwrap();
    assert!(agree("403, Refused", "403, Refused: HeadBucket: the server refused the request: 403"));
    assert!(!agree(
        "403, Refused",
        "404, Refused: HeadBucket: the server refused the request: 404"
    ));
    assert!(matrix.unused().is_empty());
    assert!(matrix.row("Head", &[]).is_none());
}

#[test]
fn a_fault_of_ours_is_no_row() {
    for text in [
        "Put | | 400 Bad | ours | we send it wrong",
        "Put | | 400 Bad | nobody | it is the weather",
        "Put | | 400 Bad | server |",
        "Put | | 400 Bad | server",
        "Put | | ok | | it is fine",
        "Put | 400 Bad",
        " | | ok",
    ] {
        Matrix::parse(text).unwrap_err();
    }
}
