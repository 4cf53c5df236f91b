//! `apus config check`: reports everything that is wrong with a configuration, at once.

use apus_core::store::config::Backend;
use serde_json::json;

use crate::Stage;
use crate::arguments::Config;
use crate::exit::{Exit, Failure};
use crate::settings::{Finding, Needs};

pub(crate) fn run(stage: &Stage, _: &Config) -> Result<Exit, Failure> {
    let output = stage.output;
    let mut settings = stage.which.examine(Needs::Connections)?;
    let unstartable = settings.configuration.iter().flat_map(|found| &found.unstartable);
    settings.errors.extend(unstartable.map(Finding::of_config));
    for (severity, findings) in [("error", &settings.errors), ("warning", &settings.warnings)] {
        for finding in findings {
            output.result(&finding.json(severity), format_args!("{severity}: {finding}"))?;
        }
    }
    let (errors, warnings) = (settings.errors.len(), settings.warnings.len());
    if errors > 0 {
        let message = format!("{}, {}", count(errors, "error"), count(warnings, "warning"));
        return Err(Failure::configuration(message));
    }
    for (id, backend) in settings.configuration.iter().flat_map(|found| &found.backends) {
        let is_default = settings
            .configuration
            .as_ref()
            .is_some_and(|configuration| configuration.default.as_deref() == Some(id));
        let (kind, place) = match backend {
            Backend::S3(options) => {
                ("s3", options.place().map(|place| place.prefix()).unwrap_or_default())
            }
            Backend::Swift(options) => ("swift", options.swift_store_container.clone()),
        };
        let mark = if is_default { " (default)" } else { "" };
        let value = json!({ "backend": id, "kind": kind, "place": place, "default": is_default });
        output.result(&value, format_args!("backend {id}: {kind} {place}{mark}"))?;
    }
    for (id, kind) in settings.configuration.iter().flat_map(|found| &found.others) {
        output.remark(format_args!("backend {id}: {kind}, not checked"));
    }
    output.remark(format_args!("no errors, {}", count(warnings, "warning")));
    Ok(Exit::Done)
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}
