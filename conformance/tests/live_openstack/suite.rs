//! Runs each check on every server, and records the results.
//!
//! ```text
//!  run(title, cases)
//!    for each site × scheme × transport:  a Stage
//!       for each case:  check(stage) ─▶ Ok, or the refusal the case expects there ─▶ the table
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};

use apus_core::Error;

use crate::site::{Server, Site};
use crate::stage::{Place, Stage};
use crate::store::Transport;
use crate::table::{Section, verdict};

/// Something that is done in a container.
pub struct Case {
    pub name: &'static str,
    /// Panics where something came out wrong; an error is what the server, or the core, refused.
    pub check: fn(&Stage<'_>) -> Result<(), Error>,
    /// What Ceph refuses it with.
    pub ceph: Option<&'static str>,
    /// Where it makes sense.
    pub only: Option<Server>,
}

impl Case {
    /// It succeeds everywhere.
    pub const fn ok(name: &'static str, check: fn(&Stage<'_>) -> Result<(), Error>) -> Self {
        Self { name, check, ceph: None, only: None }
    }

    /// It succeeds under Keystone, and is of no meaning elsewhere.
    pub const fn keystone(name: &'static str, check: fn(&Stage<'_>) -> Result<(), Error>) -> Self {
        Self { only: Some(Server::Swift), ..Self::ok(name, check) }
    }

    /// Ceph refuses it so.
    pub const fn not_on_ceph(self, verdict: &'static str) -> Self {
        Self { ceph: Some(verdict), ..self }
    }
}

/// Runs every case at every place; `test` is the short name that containers have.
pub fn run(test: &str, title: &'static str, cases: &[Case]) {
    let mut section = Section::default();
    let mut wrong = Vec::new();
    for site in &Site::all(test) {
        for place in places(site) {
            let stage = Stage::open(site, place, test);
            let here = cases.iter().filter(|case| case.only.is_none_or(|only| only == site.server));
            for case in here {
                let at = format!("{} on {place}", case.name);
                match catch_unwind(AssertUnwindSafe(|| (case.check)(&stage))) {
                    Ok(result) => {
                        section.record(case.name, &place, &result);
                        let expected = case.ceph.filter(|_| site.server == Server::Ceph);
                        if let Err(told) = compare(&result, expected) {
                            wrong.push(format!("{at}: {told}"));
                        }
                    }
                    Err(panic) => wrong.push(format!("{at}: {}", told_by(&*panic))),
                }
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| stage.close())) {
                wrong.push(format!("the end of {place}: {}", told_by(&*panic)));
            }
        }
    }
    section.publish(title);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every scheme of a site, over both transports.
pub fn places(site: &Site) -> impl Iterator<Item = Place> + '_ {
    [Transport::Blocking, Transport::Async].into_iter().flat_map(move |transport| {
        site.addresses.iter().map(move |address| Place {
            server: site.server,
            https: address.starts_with("https:"),
            transport,
        })
    })
}

fn compare(result: &Result<(), Error>, expected: Option<&str>) -> Result<(), String> {
    match (result, expected) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(due)) => Err(format!("succeeded, where {due} was due")),
        (Err(error), Some(due)) if verdict(error) == due => Ok(()),
        (Err(error), Some(due)) => Err(format!("{error}, where {due} was due")),
        (Err(error), None) => Err(error.to_string()),
    }
}

pub fn told_by(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
