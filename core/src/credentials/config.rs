//! The profiles of the config and the credentials file of the AWS SDKs.
//!
//! ```text
//!  config:       [default] [profile NAME] [sso-session NAME] [services NAME] [DEFAULT]
//!  credentials:  [NAME]                                                      [DEFAULT]
//! ```
//!
//! A profile has the options of both files. Those of the credentials file take precedence. The
//! options of `[DEFAULT]` are the defaults of every section of that file.

use std::collections::BTreeMap;
use std::fmt;

use super::ini::{AwsConfigError, Ini, Options, Written};
use crate::checksum::{RequestChecksumCalculation, ResponseChecksumValidation};
use crate::s3::Addressing;

/// The config and the credentials file.
#[derive(Clone, Debug, Default)]
pub struct AwsConfig {
    config: Ini,
    credentials: Ini,
    profiles: BTreeMap<String, Parts>,
    sso_sessions: BTreeMap<String, usize>,
    services: BTreeMap<String, usize>,
    problems: Vec<AwsConfigError>,
}

/// The sections that a profile is made of, by their index in their file.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    config: Option<usize>,
    credentials: Option<usize>,
}

/// A profile.
#[derive(Clone, Copy)]
pub struct Profile<'a> {
    of: &'a AwsConfig,
    name: &'a str,
    parts: Parts,
}

/// A section that a profile refers to.
#[derive(Clone, Copy)]
pub(super) struct Referred<'a> {
    ini: &'a Ini,
    at: usize,
}

/// A value, and its file.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    ini: &'a Ini,
    written: &'a Written,
}

/// The S3 settings of a profile, without the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3Settings {
    /// The region.
    pub region: Option<String>,
    /// The URL of the server; `None` for AWS.
    pub endpoint_url: Option<String>,
    /// A file of CA certificates that replaces the system's.
    pub ca_bundle: Option<String>,
    /// Whether the bucket is in the host name or in the path.
    pub addressing: Option<Addressing>,
    /// When uploads carry a checksum.
    pub request_checksum_calculation: Option<RequestChecksumCalculation>,
    /// When the checksum of a response is requested and compared.
    pub response_checksum_validation: Option<ResponseChecksumValidation>,
    /// Whether to use the endpoints of Transfer Acceleration.
    pub use_accelerate: bool,
    /// Whether to use the endpoints that have IPv6 addresses too.
    pub use_dualstack: bool,
}

impl AwsConfig {
    /// Parses both files, each given as a name for errors and its text. A missing file is empty
    /// text.
    ///
    /// ```
    /// use apus_core::credentials::AwsConfig;
    ///
    /// let config = "[profile backup]\nregion = eu-central-1\ns3 =\n  addressing_style = path\n";
    /// let config = AwsConfig::parse(("config", config), ("credentials", ""))?;
    /// let backup = config.profile("backup").unwrap();
    /// assert_eq!(backup.option("region"), Some("eu-central-1"));
    /// assert_eq!(backup.nested("s3", "addressing_style"), Some("path"));
    /// # Ok::<(), apus_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first line that is invalid.
    pub fn parse(config: (&str, &str), credentials: (&str, &str)) -> Result<Self, AwsConfigError> {
        let mut this = Self::read(config, credentials)?;
        if this.problems.is_empty() { Ok(this) } else { Err(this.problems.swap_remove(0)) }
    }

    /// As [`parse`](Self::parse), but an invalid line makes its section unusable, and the others are
    /// read: [`problems`](Self::problems) returns the lines. A profile with such a section is an
    /// error when it is used.
    ///
    /// # Errors
    ///
    /// A file is longer than 4 MiB, or a line of `[DEFAULT]`, whose options belong to every
    /// section, is invalid.
    pub fn read(
        (config_name, config): (&str, &str),
        (credentials_name, credentials): (&str, &str),
    ) -> Result<Self, AwsConfigError> {
        let mut this = Self {
            config: Ini::parse(config_name, config)?,
            credentials: Ini::parse(credentials_name, credentials)?,
            ..Self::default()
        };
        for (at, section) in this.config.sections.iter().enumerate() {
            let (kind, name) = kind(&section.name);
            let unreadable =
                || this.config.wrong(section.line, "a quote in the section name is not closed");
            let name = match name {
                Ok(Some(name)) => name,
                Ok(None) => continue,
                Err(()) => {
                    this.problems.push(unreadable());
                    continue;
                }
            };
            match kind {
                "profile" => {
                    this.profiles.entry(name).or_default().config = Some(at);
                }
                "sso-session" => {
                    this.sso_sessions.insert(name, at);
                }
                "services" => {
                    this.services.insert(name, at);
                }
                _ => {}
            }
        }
        for (at, section) in this.credentials.sections.iter().enumerate() {
            this.profiles.entry(section.name.clone()).or_default().credentials = Some(at);
        }
        let files = [&mut this.config, &mut this.credentials];
        let of_files = files.into_iter().flat_map(|ini| std::mem::take(&mut ini.problems));
        this.problems.splice(0..0, of_files.collect::<Vec<_>>());
        Ok(this)
    }

    /// Returns the invalid lines that [`read`](Self::read) found, the first of each section.
    pub fn problems(&self) -> &[AwsConfigError] {
        &self.problems
    }

    /// Returns the names of all profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// Returns the profile of this name.
    pub fn profile(&self, name: &str) -> Option<Profile<'_>> {
        let (name, parts) = self.profiles.get_key_value(name)?;
        Some(Profile { of: self, name, parts: *parts })
    }

    /// Returns the profile of this name, if its sections can be used.
    pub(super) fn usable(&self, name: &str) -> Result<Option<Profile<'_>>, AwsConfigError> {
        let profile = self.profile(name);
        profile.iter().flat_map(Profile::sections).try_for_each(|part| part.check())?;
        Ok(profile)
    }

    pub(super) fn sso_session(&self, name: &str) -> Result<Option<Referred<'_>>, AwsConfigError> {
        self.referred(self.sso_sessions.get(name))
    }

    pub(super) fn services(&self, name: &str) -> Result<Option<Referred<'_>>, AwsConfigError> {
        self.referred(self.services.get(name))
    }

    fn referred(&self, at: Option<&usize>) -> Result<Option<Referred<'_>>, AwsConfigError> {
        let section = at.map(|at| Referred { ini: &self.config, at: *at });
        section.iter().try_for_each(Referred::check)?;
        Ok(section)
    }
}

impl<'a> Profile<'a> {
    /// Returns the profile's name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the text of an option, and `None` if it is missing or a map.
    pub fn option(&self, name: &str) -> Option<&'a str> {
        self.found(name)?.written.text()
    }

    /// Returns an entry of an option that is a map: `addressing_style` of `s3`.
    pub fn nested(&self, option: &str, name: &str) -> Option<&'a str> {
        self.found(option)?.written.nested(name)
    }

    pub(super) fn found(&self, name: &str) -> Option<Found<'a>> {
        self.sections().find_map(|part| part.found(name))
    }

    /// Returns the profile's sections, those of the credentials file first.
    fn sections(&self) -> impl Iterator<Item = Referred<'a>> + use<'a> {
        let parts =
            [(&self.of.credentials, self.parts.credentials), (&self.of.config, self.parts.config)];
        parts.into_iter().filter_map(|(ini, at)| Some(Referred { ini, at: at? }))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.found(name).is_some()
    }

    /// Returns the profile's section of each file that has this option. Keys are never combined
    /// from both files.
    pub(super) fn keys_part(&self, access_key: &str) -> [Option<Referred<'a>>; 2] {
        let part = |ini: &'a Ini, at: Option<usize>| {
            let part = Referred { ini, at: at? };
            part.found(access_key).map(|_| part)
        };
        [
            part(&self.of.credentials, self.parts.credentials),
            part(&self.of.config, self.parts.config),
        ]
    }

    /// Creates an error about this option, or about the profile if it lacks the option.
    pub(super) fn wrong(&self, option: &str, problem: impl fmt::Display) -> AwsConfigError {
        let name = self.name;
        match self.found(option) {
            Some(found) => found.wrong(format!("profile {name:?}: {option}: {problem}")),
            None => {
                let parts = [
                    (&self.of.config, self.parts.config),
                    (&self.of.credentials, self.parts.credentials),
                ];
                let place = parts.into_iter().find_map(|(ini, at)| Some((ini, at?)));
                let (ini, at) = place.unwrap_or((&self.of.config, 0));
                let line = ini.sections.get(at).map_or(1, |section| section.line);
                ini.wrong(line, format!("profile {name:?}: {problem}"))
            }
        }
    }
}

impl<'a> Referred<'a> {
    fn check(&self) -> Result<(), AwsConfigError> {
        let problem = self.ini.sections.get(self.at).and_then(|section| section.problem.clone());
        problem.map_or(Ok(()), Err)
    }

    fn options(&self) -> Option<&'a Options> {
        self.ini.sections.get(self.at).map(|section| &section.options)
    }

    pub(super) fn found(&self, name: &str) -> Option<Found<'a>> {
        let written = self.options()?.get(name).or_else(|| self.ini.defaults.get(name))?;
        Some(Found { ini: self.ini, written })
    }

    pub(super) fn option(&self, name: &str) -> Option<&'a str> {
        self.found(name)?.written.text()
    }

    /// Returns all options of the section, without those of `[DEFAULT]`.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, Found<'a>)> {
        let ini = self.ini;
        let options = self.options().into_iter().flatten();
        options.map(move |(name, written)| (name.as_str(), Found { ini, written }))
    }
}

impl<'a> Found<'a> {
    pub(super) fn text(&self) -> Option<&'a str> {
        self.written.text()
    }

    pub(super) fn nested(&self, name: &str) -> Option<&'a str> {
        self.written.nested(name)
    }

    pub(super) fn wrong(&self, problem: impl Into<String>) -> AwsConfigError {
        self.ini.wrong(self.written.line, problem)
    }
}

impl fmt::Debug for Profile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Profile").field(&self.name).finish()
    }
}

/// Returns the kind of a section of the config file and its name, which is `None` for sections
/// that have no name.
fn kind(section: &str) -> (&str, Result<Option<String>, ()>) {
    if section == "default" {
        return ("profile", Ok(Some("default".to_owned())));
    }
    let Some((kind, rest)) = section.split_once([' ', '\t']) else { return (section, Ok(None)) };
    if !matches!(kind, "profile" | "sso-session" | "services") {
        return (kind, Ok(None));
    }
    let name =
        super::words::split(rest).map_err(|_| ()).map(|words| match <[_; 1]>::try_from(words) {
            Ok([name]) => Some(name),
            // A name is one word.
            Err(_) => None,
        });
    (kind, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_named_as_botocore_names_them() {
        for (section, name) in [
            ("default", Some("default")),
            ("profile a", Some("a")),
            ("profile \"a b\"", Some("a b")),
            ("profile 'a'b", Some("ab")),
            ("profile  a", Some("a")),
            ("profile a b", None),
            ("profile", None),
            ("preview", None),
        ] {
            assert_eq!(kind(section).1.unwrap().as_deref(), name, "{section}");
        }
        assert!(kind("profile 'a").1.is_err());
    }

    #[test]
    fn the_credentials_file_counts_first_and_errors_name_the_place() {
        let config = AwsConfig::parse(
            ("config", "[DEFAULT]\nregion = r1\n[profile a]\noutput = text\n"),
            ("credentials", "[a]\noutput = json\n[b]\n"),
        )
        .unwrap();
        let a = config.profile("a").unwrap();
        assert_eq!((a.option("region"), a.option("output")), (Some("r1"), Some("json")));
        assert_eq!(a.wrong("output", "no").to_string(), "credentials:2: profile \"a\": output: no");
        assert_eq!(a.wrong("role_arn", "no").to_string(), "config:3: profile \"a\": no");
        assert_eq!(config.profile("b").unwrap().option("region"), None);
        assert_eq!(config.profiles().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn an_invalid_line_costs_its_own_section_only() {
        let config = "junk\n[profile a]\nregion = r1\nhunter2\nx=1\n[profile b]\nregion = r2\n\
                      [profile c]\ns3 =\n  hunter2\n[profile d]\n[profile d]\n[profile 'e]\n\
                      [services s]\nhunter2\n";
        let credentials = "[b]\noutput = json\n[f]\na = 1\na = 2\n";
        let read = AwsConfig::read(("config", config), ("credentials", credentials)).unwrap();
        for (name, usable) in [("a", false), ("b", true), ("c", false), ("d", false), ("f", false)]
        {
            assert_eq!(read.usable(name).is_ok(), usable, "{name}");
        }
        assert!(read.services("s").is_err());
        assert_eq!(read.profile("b").unwrap().option("region"), Some("r2"));
        let problems: Vec<String> = read.problems().iter().map(ToString::to_string).collect();
        let places: Vec<&str> =
            problems.iter().filter_map(|line| line.split(": ").next()).collect();
        assert_eq!(
            places,
            [
                "config:1",
                "config:4",
                "config:9",
                "config:12",
                "config:15",
                "credentials:5",
                "config:13"
            ]
        );
        assert!(!problems.concat().contains("hunter2"), "{problems:?}");
        assert!(AwsConfig::parse(("config", config), ("", "")).is_err());
        assert!(AwsConfig::read(("config", "[DEFAULT]\njunk\n"), ("", "")).is_err());
    }
}
