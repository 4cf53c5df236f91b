//! `apus rm`: removes objects.

use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::output::redacted;

/// Removes each of them, and continues after one that fails.
pub(crate) fn run(stage: &Stage, locations: &[String]) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let mut failed: Vec<Failure> = Vec::new();
    let mut told = Ok(());
    for location in locations {
        let result = open.stored(location).and_then(|stored| Ok(open.stores.delete(&stored)?));
        let name = redacted(location);
        match result {
            Ok(_) => {
                let value = json!({ "removed": name });
                told = told.and(stage.output.result(&value, format_args!("removed {name}")));
            }
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(mut failure) => {
                failure.message = format!("{name}: {}", failure.message);
                if locations.len() > 1 {
                    stage.output.fail(&failure);
                }
                failed.push(failure);
            }
        }
    }
    match (failed.len(), locations.len()) {
        (0, _) => told.map(|()| Exit::Done),
        (1, 1) => Err(failed.remove(0)),
        (failures, all) => {
            let message = format!("{failures} of {all} locations were not removed");
            Err(Failure::new(Exit::Partial, message))
        }
    }
}
