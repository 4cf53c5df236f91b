//! The live suite: `site` is the server, `store` a client over either transport, `stage` a bucket
//! to work in, `proxy` a faulty connection, `cases` the checks, `table` their results.
//!
//! ```text
//!  run(title, settings, cases)
//!    for each transport × scheme × setting × mode:  a Stage
//!       for each case:  check(stage) ─▶ Ok, or the Error the case expects there ─▶ the table
//! ```

pub mod cases;
pub mod proxy;
pub mod site;
pub mod stage;
pub mod store;
pub mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};

use apus_core::Error;

use self::site::Site;
use self::stage::{Mode, Place, Setting, Stage};
use self::store::Transport;
use self::table::{Section, verdict};

/// The verdict of a success.
pub const OK: &str = "ok";

/// Something that is done in a bucket.
pub struct Case {
    pub name: &'static str,
    /// Panics where something came out wrong; an error is what the server, or the core, refused.
    pub check: fn(&Stage<'_>) -> Result<(), Error>,
    /// What every server has to do: `ok`, or the verdict of its refusal.
    pub due: &'static str,
    /// What Ceph refuses it with at this place.
    pub refused: fn(&Place) -> Option<Refusal>,
    /// How many accounts it is about.
    #[allow(dead_code, reason = "a suite takes of it what it needs")]
    pub accounts: usize,
}

/// A refusal as it has to be: status and code, and the part of the hint that names what helps.
pub struct Refusal {
    /// As the table has it.
    pub verdict: &'static str,
    pub hint: &'static str,
}

impl Case {
    /// It succeeds everywhere.
    pub const fn ok(name: &'static str, check: fn(&Stage<'_>) -> Result<(), Error>) -> Self {
        Self { name, check, due: OK, refused: |_| None, accounts: 1 }
    }

    /// Every server has to refuse it so.
    pub const fn denied(
        name: &'static str,
        check: fn(&Stage<'_>) -> Result<(), Error>,
        verdict: &'static str,
    ) -> Self {
        Self { due: verdict, ..Self::ok(name, check) }
    }

    /// It is about two accounts.
    pub const fn of_two(self) -> Self {
        Self { accounts: 2, ..self }
    }

    /// Ceph refuses it at some places.
    pub const fn or(self, refused: fn(&Place) -> Option<Refusal>) -> Self {
        Self { refused, ..self }
    }
}

impl Refusal {
    /// What a case is due to be refused with everywhere.
    fn due(case: &Case) -> Option<Self> {
        (case.due != OK).then_some(Self { verdict: case.due, hint: "" })
    }

    /// Refused so, without a hint.
    pub const fn plain(verdict: &'static str) -> Option<Self> {
        Some(Self { verdict, hint: "" })
    }

    /// Refused so, with a hint that has these words.
    pub const fn hinted(verdict: &'static str, hint: &'static str) -> Option<Self> {
        Some(Self { verdict, hint })
    }
}

/// Runs every case at every place; `test` is the short name that buckets have.
pub fn run(test: &str, title: &'static str, settings: &'static [Setting], cases: &[Case]) {
    let Some(site) = Site::ceph(test) else { return };
    let mut section = Section::default();
    let mut wrong = Vec::new();
    for place in places(settings) {
        let stage = Stage::open(&site, place, test);
        for case in cases {
            let at = format!(
                "{} over {} ({:?}), {}, {}",
                case.name,
                place.scheme(),
                place.transport,
                place.mode.name(),
                place.setting.name
            );
            match catch_unwind(AssertUnwindSafe(|| (case.check)(&stage))) {
                Ok(result) => {
                    section.record(case.name, &place, &result);
                    if let Err(told) =
                        compare(&result, (case.refused)(&place).or(Refusal::due(case)))
                    {
                        wrong.push(format!("{at}: {told}"));
                    }
                }
                Err(panic) => wrong.push(format!("{at}: {}", told_by(&*panic))),
            }
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| stage.close())) {
            wrong.push(format!("{}: the bucket's end: {}", place.scheme(), told_by(&*panic)));
        }
    }
    section.publish(title);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every transport, scheme, setting and mode.
pub fn places(settings: &'static [Setting]) -> impl Iterator<Item = Place> {
    settings.iter().flat_map(|setting| {
        [Transport::Blocking, Transport::Async].into_iter().flat_map(move |transport| {
            [false, true].into_iter().flat_map(move |https| {
                Mode::ALL.into_iter().map(move |mode| Place { transport, https, mode, setting })
            })
        })
    })
}

fn compare(result: &Result<(), Error>, expected: Option<Refusal>) -> Result<(), String> {
    match (result, expected) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(refusal)) => Err(format!("succeeded, where {} was due", refusal.verdict)),
        (Err(error), None) => Err(error.to_string()),
        (Err(error), Some(refusal)) => {
            if verdict(error) != refusal.verdict {
                Err(format!("{error}, where {} was due", refusal.verdict))
            } else if !error.hint().unwrap_or_default().contains(refusal.hint) {
                Err(format!("{error} does not say {:?}", refusal.hint))
            } else {
                Ok(())
            }
        }
    }
}

pub fn told_by(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
