//! The results, as a table in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use apus_core::{Error, Kind};

use crate::site::Server;
use crate::stage::Place;
use crate::store::Transport;

/// The rows of one test, and the texts of its refusals.
#[derive(Default)]
pub struct Section {
    rows: Vec<Row>,
    refusals: BTreeMap<String, String>,
}

struct Row {
    case: &'static str,
    cells: BTreeMap<(Server, bool, Transport), String>,
}

impl Section {
    /// Records the result of a check.
    pub fn record(&mut self, case: &'static str, place: &Place, result: &Result<(), Error>) {
        let at = self.rows.iter().position(|row| row.case == case).unwrap_or_else(|| {
            self.rows.push(Row { case, cells: BTreeMap::new() });
            self.rows.len() - 1
        });
        let verdict = result.as_ref().map_or_else(verdict, |()| "ok".to_owned());
        if let Err(error) = result {
            let wording = self.refusals.entry(format!("{case}: {verdict}"));
            wording.or_insert_with(|| error.to_string());
        }
        self.rows[at].cells.insert((place.server, place.https, place.transport), verdict);
    }

    /// Adds the section to the table of this process, and writes all of it anew where
    /// `APUS_LIVE_TABLE` says.
    pub fn publish(self, title: &'static str) {
        if self.rows.is_empty() {
            return;
        }
        publish(title, self.render(title));
    }

    fn render(&self, title: &str) -> String {
        let mut lines: Vec<(Vec<&str>, [String; 3])> = Vec::new();
        for row in &self.rows {
            let verdicts = row.verdicts();
            match lines.iter_mut().find(|line| line.1 == verdicts) {
                Some((cases, _)) => cases.push(row.case),
                None => lines.push((vec![row.case], verdicts)),
            }
        }
        let mut out = format!("### {title}\n\n| what | Swift | Ceph, http | Ceph, https |\n");
        out.push_str("| --- | --- | --- | --- |\n");
        for (cases, verdicts) in lines {
            let _ = writeln!(out, "| {} | {} |", cases.join("; "), verdicts.join(" | "));
        }
        for (verdict, wording) in &self.refusals {
            let _ = writeln!(out, "\n- **{verdict}**: {}", without_ids(wording));
        }
        out
    }
}

impl Row {
    /// What each server and scheme gave; where the transports differ, each by its name.
    fn verdicts(&self) -> [String; 3] {
        [(Server::Swift, false), (Server::Ceph, false), (Server::Ceph, true)].map(
            |(server, https)| {
                let of = |transport| self.cells.get(&(server, https, transport));
                match (of(Transport::Blocking), of(Transport::Async)) {
                    (Some(one), Some(other)) if one == other => one.clone(),
                    (Some(one), Some(other)) => format!("blocking: {one}, async: {other}"),
                    (Some(one), None) | (None, Some(one)) => one.clone(),
                    (None, None) => String::new(),
                }
            },
        )
    }
}

/// Adds a text to the table of this process, under a title that sorts it.
pub fn publish(title: &'static str, text: String) {
    static TABLE: Mutex<BTreeMap<&'static str, String>> = Mutex::new(BTreeMap::new());
    eprintln!("{text}");
    let mut table = TABLE.lock().unwrap();
    table.insert(title, text);
    if let Ok(path) = std::env::var("APUS_LIVE_TABLE") {
        let text: Vec<&str> = table.values().map(String::as_str).collect();
        std::fs::write(&path, text.join("\n")).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

/// The status, that the core saw a refusal in a success, or that it was not even sent.
pub fn verdict(error: &Error) -> String {
    match error.status() {
        Some(status) => status.as_u16().to_string(),
        None if error.kind() == Kind::Refused => "refused".to_owned(),
        None => format!("{:?}", error.kind()),
    }
}

/// The error without what differs from run to run.
fn without_ids(text: &str) -> String {
    match (text.split_once(" [request "), text.split_once(']')) {
        (Some((before, _)), Some((_, after))) => format!("{before}{after}"),
        _ => text.to_owned(),
    }
}
