//! Runs the cases, and compares each result with its row.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use apus_core::Error;

use crate::live::cases::{
    bodies, buckets, identity, keys, lists, objects, parts, transfers, versions,
};
use crate::live::site::Site;
use crate::live::stage::{Mode, Place, Setting, Stage};
use crate::live::store::Transport;
use crate::live::table::verdict;
use crate::live::{Case, OK, told_by};
use crate::matrix::Matrix;

/// Cases, and where they are run.
pub struct Suite {
    name: &'static str,
    pub cases: &'static [Case],
    settings: &'static [Setting],
}

/// All of them.
pub fn suites() -> impl Iterator<Item = Suite> {
    const DEFAULT: &[Setting] = &[Setting::DEFAULT];
    [
        ("buckets", buckets::CASES, DEFAULT),
        ("objects", objects::CASES, DEFAULT),
        ("keys", keys::CASES, DEFAULT),
        ("versions", versions::CASES, DEFAULT),
        ("lists", lists::CASES, DEFAULT),
        ("parts", parts::CASES, DEFAULT),
        ("transfers", transfers::CASES, DEFAULT),
        ("identity", identity::CASES, DEFAULT),
        ("bodies", bodies::CASES, bodies::SETTINGS),
    ]
    .into_iter()
    .map(|(name, cases, settings)| Suite { name, cases, settings })
}

/// Runs all cases on a server; fails with each difference from `conformance/live/SERVER.matrix`, as
/// the row that would be right.
pub fn compare(site: &Site, server: &str) {
    quiet();
    let matrix = Matrix::of(server);
    let mut wrong = Vec::new();
    for suite in suites() {
        let cases = suite.cases.iter().filter(|case| case.accounts <= site.accounts());
        let cases: Vec<&Case> = cases.collect();
        for place in places(suite.settings) {
            let words =
                [place.setting.name, place.mode.name(), place.scheme(), transport(place.transport)];
            let stage = Stage::open(site, place, suite.name);
            for case in &cases {
                let row = matrix.row(case.name, &words);
                if row.is_some_and(|row| row.result == "not run") {
                    continue;
                }
                let found = result(|| (case.check)(&stage));
                let compared = row.ok_or_else(|| "there is no row".to_owned());
                if let Err(told) = compared.and_then(|row| row.compare(case.due, &found)) {
                    let row = format!("{} | {} | {found}", case.name, words.join(", "));
                    eprintln!("{server}: {row}");
                    wrong.push(format!("{row}\n  # {told}"));
                }
            }
            let end = result(|| {
                stage.close();
                Ok(())
            });
            if end != OK {
                wrong.push(format!("{}, the end of the bucket, {words:?}: {end}", suite.name));
            }
        }
    }
    let unused = matrix.unused();
    if !unused.is_empty() {
        wrong.push(format!("rows that were not used: lines {unused:?}"));
    }
    assert!(wrong.is_empty(), "{} wrong on {server}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Each transport, over a scheme of its own, under each setting, and without one in each mode.
fn places(settings: &'static [Setting]) -> impl Iterator<Item = Place> {
    let modes = |setting: &Setting| match (settings.len(), setting.name) {
        (2.., "default") => &Mode::ALL[..],
        _ => &[Mode::WhenSupported],
    };
    settings.iter().flat_map(move |setting| {
        let ways = [(Transport::Blocking, false), (Transport::Async, true)];
        ways.into_iter().flat_map(move |(transport, https)| {
            modes(setting).iter().map(move |&mode| Place { transport, https, mode, setting })
        })
    })
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Blocking => "blocking",
        Transport::Async => "async",
    }
}

/// The result of a case, in one line, as a matrix has it.
fn result(check: impl FnOnce() -> Result<(), Error>) -> String {
    CHECKING.set(true);
    let done = catch_unwind(AssertUnwindSafe(check));
    CHECKING.set(false);
    let text = match done {
        Ok(Ok(())) => OK.to_owned(),
        Ok(Err(error)) if error.code().is_some() => verdict(&error),
        Ok(Err(error)) => match error.status() {
            Some(status) => format!("{}, {:?}: {error}", status.as_u16(), error.kind()),
            None => format!("{:?}: {error}", error.kind()),
        },
        Err(panic) => format!("wrong: {}", told_by(&*panic as &(dyn Any + Send))),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/")
}

thread_local! {
    static CHECKING: Cell<bool> = const { Cell::new(false) };
}

/// What a check panics with is its result, and not printed.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            if !CHECKING.get() {
                print(panic);
            }
        }));
    });
}
