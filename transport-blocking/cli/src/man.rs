//! `apus man`: writes the manual.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::Stage;
use crate::arguments::Arguments;
use crate::exit::{CODES, Exit, Failure};

/// Writes the page of `apus` to standard output, or a page for it and each of its commands into a
/// directory.
pub(crate) fn run(stage: &Stage, directory: Option<&Path>) -> Result<Exit, Failure> {
    let command = whole();
    let Some(directory) = directory else {
        stage.output.raw(&page(&command, "apus")?)?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(directory).map_err(|error| Failure::file(directory, &error))?;
    write(&command, "apus", directory)
}

/// Returns the command line, without the commands that print the help of others.
fn whole() -> Command {
    fn without_help(command: Command) -> Command {
        let names: Vec<String> =
            command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
        let command = command.disable_help_subcommand(true);
        names.into_iter().fold(command, |command, name| command.mut_subcommand(name, without_help))
    }
    /// The generator writes no other names of options.
    fn with_aliases(command: Command) -> Command {
        let command = command.mut_args(|arg| {
            let (longs, shorts) = (arg.get_visible_aliases(), arg.get_visible_short_aliases());
            let longs = longs.unwrap_or_default().into_iter().map(|name| format!("--{name}"));
            let shorts = shorts.unwrap_or_default().into_iter().map(|name| format!("-{name}"));
            let names: Vec<String> = longs.chain(shorts).collect();
            let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
            match (names.len(), help) {
                (0, _) | (_, None) => arg,
                (_, Some(help)) => arg.long_help(format!("{help}\n\nAlso: {}", names.join(", "))),
            }
        });
        command.mut_subcommands(with_aliases)
    }
    let mut command = with_aliases(without_help(Arguments::command().after_help("")));
    command.build();
    command
}

/// Writes the page of a command, and those of the commands below it.
fn write(command: &Command, name: &str, directory: &Path) -> Result<Exit, Failure> {
    let path = directory.join(format!("{name}.1"));
    let failed = |error: io::Error| Failure::file(&path, &error);
    fs::write(&path, page(command, name).map_err(failed)?).map_err(failed)?;
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write(inner, &format!("{name}-{}", inner.get_name()), directory)?;
    }
    Ok(Exit::Done)
}

fn page(command: &Command, name: &str) -> io::Result<Vec<u8>> {
    // A name of clap's lives as long as the program, which ends with this command.
    let lasting: &'static str = name.to_owned().leak();
    let man = Man::new(command.clone().name(lasting)).title(name);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    let codes = CODES.lines().skip(1).filter_map(|line| line.trim().split_once("  "));
    section(&mut page, "EXIT STATUS", codes);
    section(&mut page, "FILES", FILES.iter().copied());
    section(&mut page, "ENVIRONMENT", VARIABLES.iter().copied());
    Ok(page)
}

/// Adds a section of terms, in roff.
fn section<'a>(page: &mut Vec<u8>, name: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut text = format!(".SH \"{name}\"\n");
    for (term, meaning) in rows {
        text += &format!(".TP\n\\fB{}\\fR\n{}\n", escaped(term), escaped(meaning.trim()));
    }
    page.extend_from_slice(text.as_bytes());
}

/// Escapes what roff reads: backslashes, hyphens, and a point or quote at the start of a line.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

const FILES: &[(&str, &str)] = &[
    (
        "~/.config/apus/apus.conf, /etc/apus/apus.conf",
        "the configuration, unless --config, --store or APUS_CONFIG names another",
    ),
    ("~/.local/state/apus/put-*.json", "the state of uploads that --resume continues"),
    (
        "~/.local/state/apus/put-*.lock",
        "held while put --resume runs; that of a killed process is removed by a later put",
    ),
    (
        ".FILE.apus-part, .FILE.apus-resume",
        "beside FILE: the bytes and the state of a download that --resume continues",
    ),
    (
        "clouds.yaml, secure.yaml",
        "clouds of OpenStack, in the current directory, ~/.config/openstack or /etc/openstack, with --from-environment",
    ),
    (
        "~/.aws/config, ~/.aws/credentials",
        "profiles of the AWS SDKs, with --from-environment or s3_store_credential_source",
    ),
];

const VARIABLES: &[(&str, &str)] = &[
    ("APUS_CONFIG", "files of the configuration, separated by colons"),
    ("APUS_STORE", "the URL of --store, with --from-environment"),
    ("AWS_*", "credentials, profile, region and CA file of S3, with --from-environment"),
    (
        "OS_*, ST_AUTH, ST_USER, ST_KEY",
        "cloud, credentials or token of Swift, with --from-environment",
    ),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "certificates to trust instead of the system's"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "the folders in place of ~/.config and ~/.local/state"),
    ("NO_COLOR", "no colours in the help and in errors of the command line"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_codes_and_files_and_no_page_is_of_the_help() {
        fn check(command: &Command, name: &str) {
            let text = String::from_utf8(page(command, name).unwrap()).unwrap();
            for heading in ["EXIT STATUS", "FILES", "ENVIRONMENT"] {
                assert!(text.contains(&format!(".SH \"{heading}\"")), "{name}: {heading}");
            }
            assert!(text.contains("\\fB130\\fR"), "{name}");
            let has_copy = name == "apus-copy";
            assert!(!has_copy || text.contains("Also: \\-\\-to\\-container"), "{text}");
            for inner in command.get_subcommands() {
                assert_ne!(inner.get_name(), "help", "{name}");
                check(inner, &format!("{name}-{}", inner.get_name()));
            }
        }
        check(&whole(), "apus");
    }
}
