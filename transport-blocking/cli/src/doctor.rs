//! `apus doctor`: what the server of each backend supports, and the options that follow from it.
//!
//! ```text
//!  reach ─▶ TLS, clock, proxy ─▶ authentication ─▶ addressing ─▶ objects
//!    └─ a step whose requirement has failed is skipped
//!                                                        │
//!  objects of its own, under one prefix: stored, fetched, compared; wrong ones must be refused
//!                                                        │
//!  in every case: all of them are removed ◀──────────────┘─▶ a table, and configuration lines
//! ```

mod reach;
mod report;
mod s3;
mod swift;
mod trial;

use apus_core::store::StoreBackend;

use self::report::{Answer, Report};
use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::open::Open;

pub(crate) fn run(stage: &Stage) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let ids: Vec<String> = match &stage.backend {
        Some(id) => vec![id.clone()],
        None => open.stores.core().ids().map(str::to_owned).collect(),
    };
    if ids.is_empty() {
        return Err(Failure::configuration("no S3 or Swift backend is configured"));
    }
    let mut worst = Exit::Done;
    for id in ids {
        let report = examine(stage, &open, &id)?;
        stage.output.result(&report.json(), &report)?;
        if worst == Exit::Done {
            worst = report.exit();
        }
        if open.interrupt.came() {
            return Err(Failure::new(
                Exit::Interrupted,
                "cancelled; the trial objects were removed",
            ));
        }
    }
    Ok(worst)
}

fn examine(stage: &Stage, open: &Open, id: &str) -> Result<Report, Failure> {
    let mut report = Report::new(id, stage.output);
    let shown = open.watch.show(&format!("backend {id}"), None);
    match open.named(id)? {
        StoreBackend::S3(store) => s3::examine(open, store, &mut report)?,
        StoreBackend::Swift(store) => swift::examine(open, store, &mut report)?,
        _ => return Err(Failure::usage(format!("the kind of backend {id} is not supported"))),
    }
    drop(shown);
    Ok(report)
}
