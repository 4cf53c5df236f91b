//! Options of backends that are not read, and values that are probably not what was meant.

use std::collections::BTreeSet;

use super::draft::{Draft, Mode};
use super::error::ConfigError;
use super::oslo::{OsloConfig, OsloValue};
use super::s3::S3Options;
use super::swift::SwiftOptions;

/// Adds warnings about the whole of a `glance-api.conf`.
pub(super) fn warn(config: &OsloConfig, draft: &mut Draft) {
    let specs = || S3Options::specs().into_iter().chain(SwiftOptions::specs());
    let known: BTreeSet<&str> = specs().map(|spec| spec.name).collect();
    let shown: BTreeSet<&str> =
        specs().filter(|spec| !spec.is_secret).map(|spec| spec.name).collect();
    let ids: BTreeSet<String> =
        draft.plain.enabled_backends.keys().map(|id| id.to_lowercase()).collect();
    for group in config.groups() {
        let is_read = match draft.mode {
            Mode::Single => group == "glance_store",
            Mode::Multi => group == "backend_defaults" || ids.contains(group),
        };
        for (name, value) in config.options(group) {
            let told = |problem: String| ConfigError {
                place: Some((value.file.clone(), value.line)),
                section: group.to_owned(),
                option: Some(name.to_owned()),
                value: shown.contains(name).then(|| value.text.clone()),
                problem,
            };
            let at_home = HOMES.iter().find(|(option, _)| *option == name).map(|(_, home)| *home);
            let is_option = known.contains(name) || is_ours(name);
            let is_near = ["DEFAULT", "default", "glance_store"].contains(&group);
            if let Some(home) = at_home.filter(|home| *home != group && is_near) {
                draft.warnings.push(told(format!("this option is read from [{home}] only")));
            } else if let Some(meant) = misspelt(name).filter(|_| is_near && !is_option) {
                draft.warnings.push(told(format!("unknown option: did you mean {meant}?")));
            } else if is_option && !is_read {
                draft.warnings.push(told(elsewhere(draft, group)));
            } else if is_read && known.contains(name) || at_home.is_some() {
                if let Some(line) = first_of(config.all(group, name)) {
                    draft.warnings.push(told(format!(
                        "the option is in this section more than once: line {line} does not count"
                    )));
                }
                if at_home.is_none() && has_comment(&value.text) {
                    draft.warnings.push(told(
                        "a comment after a value is part of it: write it on a line of its own"
                            .to_owned(),
                    ));
                }
            }
        }
    }
    let is_empty = config.groups().all(|group| config.options(group).next().is_none());
    if is_empty {
        draft.nothing = Some("the configuration has no options");
    }
}

/// Says where an option of a backend should be instead.
fn elsewhere(draft: &Draft, group: &str) -> String {
    if draft.mode == Mode::Single {
        return "this option is not read: without enabled_backends, options of backends are read from \
                [glance_store]"
            .to_owned();
    }
    let ids: Vec<String> =
        draft.plain.enabled_backends.keys().map(|id| format!("[{id}]")).collect();
    let places = ids.join(", ");
    match group {
        "glance_store" | "DEFAULT" => format!(
            "this option is not read: where enabled_backends is set, options of backends are read \
             from {places}"
        ),
        _ => format!("this option is not read: no backend is called {group}; sections: {places}"),
    }
}

/// Returns the line of the first value, where a later one of the same file replaces it.
fn first_of(values: &[OsloValue]) -> Option<usize> {
    let last = values.last()?;
    let first = values.iter().find(|value| value.file == last.file)?;
    (first.line != last.line).then_some(first.line)
}

fn has_comment(text: &str) -> bool {
    [" #", "\t#", " ;", "\t;"].iter().any(|mark| text.contains(mark))
}

/// Returns whether an option's name has the prefix of S3 or Swift, which may have `-` for `_`.
pub(super) fn is_ours(name: &str) -> bool {
    let name = name.replace('-', "_");
    ["s3_store_", "swift_store_"].iter().any(|ours| name.starts_with(ours))
}

/// Returns whether an option is about all backends: it may be in the section of a backend that is
/// called `glance_store`.
pub(super) fn is_of_all(name: &str) -> bool {
    HOMES.iter().any(|(option, _)| *option == name)
}

/// Returns the option about all backends that a name resembles, but is not.
fn misspelt(name: &str) -> Option<&'static str> {
    let nearest = HOMES.iter().map(|(option, _)| (super::distance(name, option), *option)).min();
    let (distance, option) = nearest?;
    (distance > 0 && distance * 4 <= option.len()).then_some(option)
}

/// The options that are about all backends, and the section of each.
const HOMES: [(&str, &str); 5] = [
    ("enabled_backends", "DEFAULT"),
    ("metadata_encryption_key", "DEFAULT"),
    ("default_backend", "glance_store"),
    ("default_store", "glance_store"),
    ("stores", "glance_store"),
];
