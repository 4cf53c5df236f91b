//! The results, as a table in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use apus_core::{Error, Kind};

use super::OK;
use super::stage::{Mode, Place};
use super::store::Transport;

/// One line of the table before lines that are alike are joined.
pub struct Row {
    pub case: &'static str,
    pub setting: &'static str,
    cells: BTreeMap<(bool, Mode, Transport), String>,
}

/// A check, its settings, and its result in each column.
type Line<'a> = (Vec<&'a str>, Vec<&'a str>, Vec<String>);

/// The rows of one test, and the texts of its refusals.
#[derive(Default)]
pub struct Section {
    rows: Vec<Row>,
    refusals: BTreeMap<String, String>,
}

impl Section {
    /// Records the result of a check.
    pub fn record(&mut self, case: &'static str, place: &Place, result: &Result<(), Error>) {
        let setting = place.setting.name;
        let known = |row: &Row| row.case == case && row.setting == setting;
        let at = self.rows.iter().position(known).unwrap_or_else(|| {
            self.rows.push(Row { case, setting, cells: BTreeMap::new() });
            self.rows.len() - 1
        });
        let verdict = match result {
            Ok(()) => OK.to_owned(),
            Err(error) => {
                let verdict = verdict(error);
                self.refusals.entry(verdict.clone()).or_insert_with(|| wording(error));
                verdict
            }
        };
        self.rows[at].cells.insert((place.https, place.mode, place.transport), verdict);
    }

    /// Adds the section to the table of this process, and writes all of it anew where
    /// `APUS_LIVE_TABLE` says.
    pub fn publish(self, title: &'static str) {
        static TABLE: Mutex<BTreeMap<&'static str, String>> = Mutex::new(BTreeMap::new());
        let text = self.render(title);
        eprintln!("{text}");
        let mut table = TABLE.lock().unwrap();
        table.insert(title, text);
        if let Ok(path) = std::env::var("APUS_LIVE_TABLE") {
            let text: Vec<&str> = table.values().map(String::as_str).collect();
            std::fs::write(&path, text.join("\n"))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }

    fn render(&self, title: &str) -> String {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for row in &self.rows {
            let (setting, verdicts) = (vec![row.setting], row.verdicts());
            match lines.iter_mut().find(|line| line.1 == setting && line.2 == verdicts) {
                Some((cases, ..)) => cases.push(row.case),
                None => lines.push((vec![row.case], setting, verdicts)),
            }
        }
        let mut joined: Vec<Line<'_>> = Vec::new();
        for (cases, setting, verdicts) in lines {
            match joined.iter_mut().find(|line| line.0 == cases && line.2 == verdicts) {
                Some((_, settings, _)) => settings.extend(setting),
                None => joined.push((cases, setting, verdicts)),
            }
        }
        let with_setting = joined.iter().any(|line| line.1 != ["default"]);
        let mut out = format!("### {title}\n\n|");
        if with_setting {
            out.push_str(" setting |");
        }
        out.push_str(" what |");
        for scheme in ["http", "https"] {
            for mode in Mode::ALL {
                let _ = write!(out, " {scheme}, {} |", mode.name());
            }
        }
        let columns = 7 + usize::from(with_setting);
        let _ = writeln!(out, "\n|{}", " --- |".repeat(columns));
        for (cases, settings, verdicts) in joined {
            let setting =
                if with_setting { format!(" {} |", settings.join("; ")) } else { String::new() };
            let _ = writeln!(out, "|{setting} {} | {} |", cases.join("; "), verdicts.join(" | "));
        }
        for (verdict, wording) in &self.refusals {
            let _ = writeln!(out, "\n- **{verdict}**: {wording}");
        }
        out
    }
}

impl Row {
    /// What each scheme and mode gave; where the transports differ, each by its name.
    fn verdicts(&self) -> Vec<String> {
        let mut verdicts = Vec::new();
        for https in [false, true] {
            for mode in Mode::ALL {
                let of = |transport| self.cells.get(&(https, mode, transport));
                verdicts.push(match (of(Transport::Blocking), of(Transport::Async)) {
                    (Some(one), Some(other)) if one == other => one.clone(),
                    (Some(one), Some(other)) => format!("blocking: {one}, async: {other}"),
                    (Some(one), None) | (None, Some(one)) => one.clone(),
                    (None, None) => "".to_owned(),
                });
            }
        }
        verdicts
    }
}

/// Status and code, that the core saw a refusal in a success, or that it was not even sent.
pub fn verdict(error: &Error) -> String {
    match (error.status(), error.code()) {
        (None, _) if error.kind() == Kind::Refused => "refused".to_owned(),
        (Some(status), Some(code)) => format!("{} {code}", status.as_u16()),
        (Some(status), None) => format!("{}, {:?}", status.as_u16(), error.kind()),
        (None, _) => "not sent".to_owned(),
    }
}

/// The error without what differs from run to run.
fn wording(error: &Error) -> String {
    let text = error.to_string();
    match (text.split_once(" [request "), text.split_once(']')) {
        (Some((before, _)), Some((_, after))) => format!("{before}{after}"),
        _ => text,
    }
}
