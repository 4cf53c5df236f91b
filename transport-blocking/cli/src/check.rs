//! `apus config check`: reports everything that is wrong with a configuration, at once.

use apus_core::Error;
use apus_core::credentials::{CredentialSource, Source};
use apus_core::store::config::Backend;
use apus_host::credentials::Ambient;
use serde_json::json;

use crate::Stage;
use crate::arguments::Config;
use crate::exit::{Exit, Failure};
use crate::settings::{Finding, Needs, Settings};

pub(crate) fn run(stage: &Stage, _: &Config) -> Result<Exit, Failure> {
    let output = stage.output;
    let mut settings = stage.which.examine(Needs::Connections)?;
    let unstartable = settings.configuration.iter().flat_map(|found| &found.unstartable);
    settings.errors.extend(unstartable.map(Finding::of_config));
    check_sources(&mut settings);
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

/// Looks for the keys of backends that have them from elsewhere. A profile that can't be used is an
/// error. Variables that are missing here are a warning: those of the image service may differ.
fn check_sources(settings: &mut Settings) {
    let backends = settings.configuration.iter().flat_map(|found| &found.backends);
    for (id, backend) in backends {
        let Backend::S3(options) = backend else { continue };
        let source = options.s3_store_credential_source;
        let told = |option: &str, value: String, error: &Error| Finding {
            section: id.clone(),
            option: Some(option.to_owned()),
            value: Some(value),
            problem: error.message().to_owned(),
            file: None,
            line: None,
        };
        let variable = |found: Result<Source, Error>| match found {
            Ok(_) => None,
            Err(error) => Some(told("s3_store_credential_source", source.to_string(), &error)),
        };
        let ambient = match Ambient::read() {
            Ok(ambient) => ambient,
            Err(error) => {
                if source.reads_files() {
                    let option = "s3_store_credential_source";
                    settings.errors.push(told(option, source.to_string(), &error));
                }
                continue;
            }
        };
        let resolver = ambient.resolver();
        let warning = match source {
            CredentialSource::Profile => {
                let name = options.s3_store_profile.clone().unwrap_or_default();
                if let Err(error) = resolver.profile(&name) {
                    settings.errors.push(told("s3_store_profile", name, &error));
                }
                None
            }
            CredentialSource::Environment => variable(resolver.environment()),
            CredentialSource::WebIdentity => variable(resolver.web_identity()),
            CredentialSource::Container => variable(resolver.container()),
            CredentialSource::Instance => variable(resolver.instance()),
            CredentialSource::DefaultChain => variable(resolver.default_chain()),
            _ => None,
        };
        settings.warnings.extend(warning);
    }
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}
