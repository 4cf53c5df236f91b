//! Reads the configuration files, and collects everything that is wrong with them.

mod environment;
mod finding;
mod limits;
mod url;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use apus_core::Secret;
use apus_core::keystone::clouds::{Cloud, CloudTls};
use apus_core::store::config::{Backend, Configuration, OsloConfig, Plain, Reference};
use apus_host::credentials::Ambient;
use clap::Args;

pub(crate) use self::finding::Finding;
use self::limits::Limits;
pub(crate) use self::limits::{once, request_checksums};
use crate::exit::Failure;

/// Where the configuration comes from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which store")]
pub(crate) struct Which {
    /// A glance-api.conf, a directory of such files, or a .json or .toml file with the same options
    ///
    /// The option can be repeated; the values of later files take precedence. Default: the files in
    /// APUS_CONFIG, separated by colons; or ~/.config/apus/apus.conf; or /etc/apus/apus.conf.
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,

    /// One backend by its URL: s3+https://HOST/BUCKET, swift+https://KEYSTONE/v3/CONTAINER
    ///
    /// The URL has no credentials: --from-environment or --option supply them.
    #[arg(short, long, global = true, value_name = "URL", conflicts_with = "config")]
    store: Option<String>,

    /// An option of the backend of --store: NAME=VALUE, or NAME=@FILE for the content of a file
    ///
    /// Secrets are read from files only, because other users can see the arguments of a process.
    #[arg(short = 'O', long = "option", global = true, value_name = "NAME=VALUE")]
    options: Vec<String>,

    /// Read the credentials of --store from the sources of the AWS SDKs or those of openstacksdk, and
    /// the URL from APUS_STORE if --store is not given
    ///
    /// For Swift: the cloud that OS_CLOUD names in clouds.yaml, or that the other OS_* variables
    /// describe, with its scope, region, interface and TLS settings. The Keystone of --store must be
    /// the cloud's; swift:///CONTAINER leaves it out. ST_AUTH, ST_USER and ST_KEY are read where no
    /// OS_* variable is set. For S3: s3:///BUCKET is at the endpoint of the profile or the region.
    ///
    /// With --config: the user of backends with swift_store_multi_tenant, by OS_TOKEN or the others.
    #[arg(short = 'e', long, global = true)]
    from_environment: bool,

    /// A file with the token of a user, in place of the user's other credentials
    ///
    /// As `openstack token issue -f value -c id` prints it. For backends with
    /// swift_store_multi_tenant, whose objects are in the accounts of their users, and for --store.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The profile of the AWS SDKs' files for --from-environment: keys, region, endpoint and CA file
    ///
    /// Default: AWS_PROFILE, or the profile `default`.
    #[arg(long, global = true, value_name = "NAME", requires = "from_environment")]
    profile: Option<String>,

    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// The user of multi-tenant backends, as the command line names the user.
#[derive(Debug)]
pub(crate) enum User {
    /// By a token.
    Token(Secret),
    /// By the cloud of the environment.
    Cloud(Box<Cloud>),
}

/// A configuration without errors.
#[derive(Debug)]
pub(crate) struct Sound {
    pub(crate) configuration: Configuration,
    pub(crate) references: References,
    /// Those of the environment's cloud.
    pub(crate) tls: CloudTls,
}

/// The configuration as it was found.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// `None` if it has too many errors to be used.
    pub(crate) configuration: Option<Configuration>,
    pub(crate) references: References,
    /// Those of the environment's cloud.
    pub(crate) tls: CloudTls,
    /// Errors.
    pub(crate) errors: Vec<Finding>,
    /// Probable mistakes.
    pub(crate) warnings: Vec<Finding>,
    /// Files of references that can't be read.
    wrong_files: BTreeSet<String>,
}

/// The references in each file that a backend in Swift names.
pub(crate) type References = BTreeMap<String, BTreeMap<String, Reference>>;

/// What a command needs of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Backends and their references.
    Places,
    /// Backends, references and certificates.
    Connections,
}

impl Which {
    /// Returns the user of multi-tenant backends, if the command line names one.
    pub(crate) fn user(&self) -> Result<Option<User>, Failure> {
        if let Some(path) = &self.token_file {
            return Ok(Some(User::Token(crate::tenant::token_of(path)?)));
        }
        if !self.from_environment {
            return Ok(None);
        }
        if let Some(token) = environment::token() {
            return Ok(Some(User::Token(token)));
        }
        let cloud = environment::cloud(None);
        let cloud = cloud.map_err(|error| Failure::configuration(error.message().to_owned()))?;
        Ok(Some(User::Cloud(Box::new(cloud))))
    }

    /// Returns the configuration, if there are no errors.
    pub(crate) fn read(&self, needs: Needs) -> Result<Sound, Failure> {
        let settings = self.examine(needs)?;
        match settings.configuration {
            Some(mut configuration) if settings.errors.is_empty() => {
                self.limits.apply(&mut configuration);
                Ok(Sound { configuration, references: settings.references, tls: settings.tls })
            }
            _ => {
                let lines: Vec<String> = settings.errors.iter().map(Finding::to_string).collect();
                Err(Failure::configuration(lines.join("\n")))
            }
        }
    }

    /// Returns the configuration with all errors and warnings. The `Err` is about the arguments.
    pub(crate) fn examine(&self, needs: Needs) -> Result<Settings, Failure> {
        let of_environment = || self.from_environment.then(environment::store).flatten();
        let store = match self.config.is_empty() {
            true => self.store.clone().or_else(of_environment),
            false => None,
        };
        let Some(store) = store else {
            if !self.options.is_empty() {
                return Err(Failure::usage("--option requires --store"));
            }
            let files = match self.config.is_empty() {
                true => environment::configuration(),
                false => self.config.clone(),
            };
            if files.is_empty() {
                let missing = if self.from_environment { UNNAMED } else { NOTHING };
                return Err(Failure::usage(missing));
            }
            return Ok(self.of_files(&files, needs));
        };
        let token = self.token_file.as_deref().map(crate::tenant::token_of).transpose()?;
        let from = url::From {
            environment: self.from_environment,
            profile: self.profile.as_deref(),
            token: token.as_ref(),
        };
        let written = url::backend(&store, &self.options, &from)?;
        let mut settings = Settings::default();
        if let Some((reference, cloud)) = written.cloud {
            let warning =
                |problem: &String| Finding { problem: problem.clone(), ..Finding::default() };
            settings.warnings.extend(cloud.warnings.iter().map(warning));
            settings.tls = cloud.tls;
            let references = BTreeMap::from([(url::REFERENCE.to_owned(), reference)]);
            settings.references.insert(url::REFERENCES.to_owned(), references);
        }
        settings.take(Configuration::of_plain(&written.plain));
        settings.open_files(&[], needs);
        Ok(settings)
    }

    fn of_files(&self, files: &[PathBuf], needs: Needs) -> Settings {
        let mut settings = Settings::default();
        let files = settings.texts(files);
        if !settings.errors.is_empty() {
            return settings;
        }
        if let [(file, text)] = files.as_slice()
            && let Some(format) = Format::of(file)
        {
            match format.read(text) {
                Ok(plain) => settings.take(Configuration::of_plain(&plain)),
                Err((line, problem)) => {
                    settings.errors.push(Finding::in_file(file, Some(line), problem));
                }
            }
            settings.open_files(&[], needs);
            return settings;
        }
        let files = files.iter().map(|(file, text)| (file.as_str(), text.as_str()));
        let (config, lines) = OsloConfig::read(files);
        settings.errors.extend(lines.iter().map(Finding::of_line));
        settings.take(Configuration::of_oslo(&config));
        settings.open_files(&named_files(&config), needs);
        settings
    }
}

impl Settings {
    /// Reads the files, and those named `*.conf` in directories, in order.
    fn texts(&mut self, paths: &[PathBuf]) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for path in paths {
            match confs(path) {
                Ok(confs) => files.extend(confs),
                Err(error) => self.errors.push(Finding::of_io(path, &error)),
            }
        }
        let mut texts = Vec::new();
        for path in files {
            match fs::read(&path) {
                Err(error) => self.errors.push(Finding::of_io(&path, &error)),
                Ok(bytes) => match String::from_utf8(bytes) {
                    Ok(text) => texts.push((path.display().to_string(), text)),
                    Err(error) => {
                        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
                        let file = path.display().to_string();
                        self.errors.push(Finding::in_file(
                            &file,
                            Some(line),
                            "the file is not UTF-8",
                        ));
                    }
                },
            }
        }
        texts
    }

    fn take(&mut self, read: Result<Configuration, apus_core::store::config::ConfigErrors>) {
        match read {
            Ok(configuration) => {
                self.warnings.extend(configuration.warnings.iter().map(Finding::of_config));
                self.configuration = Some(configuration);
            }
            Err(errors) => {
                self.errors.extend(errors.iter().map(Finding::of_config));
                self.warnings.extend(errors.warnings().iter().map(Finding::of_config));
            }
        }
    }

    /// Reads the files that backends name. Those that a wrong configuration names, as they are
    /// `written`, are checked nevertheless.
    fn open_files(&mut self, written: &[Named], needs: Needs) {
        let mut named = match self.configuration {
            Some(_) => Vec::new(),
            None => written.to_vec(),
        };
        for (id, backend) in self.configuration.iter().flat_map(|found| &found.backends) {
            let (references, ca) = match backend {
                Backend::S3(options) => (None, options.s3_store_cacert.clone()),
                Backend::Swift(options) => {
                    (options.swift_store_config_file.clone(), options.swift_store_cacert.clone())
                }
            };
            let files = [("swift_store_config_file", references), (ca_option(backend), ca)];
            for (option, file) in files {
                let Some(file) = file.filter(|file| !file.is_empty()) else { continue };
                let same = |it: &&Named| it.option == option && it.file == file;
                let place = written.iter().find(same).and_then(|it| it.place.clone());
                let (section, option) = (id.clone(), option.to_owned());
                named.push(Named { place, section, option, file });
            }
        }
        for named in named {
            if named.option == "swift_store_config_file" {
                self.open_references(&named);
            } else if needs == Needs::Connections {
                self.open_certificates(&named);
            }
        }
        self.check_defaults();
        self.check_profiles();
    }

    /// Looks for sections of the AWS files that can't be used, if a backend's keys are from there.
    fn check_profiles(&mut self) {
        let reads = |backend: &Backend| match backend {
            Backend::S3(options) => options.s3_store_credential_source.reads_files(),
            Backend::Swift(_) => false,
        };
        if !self.configuration.iter().any(|found| found.backends.values().any(reads)) {
            return;
        }
        // A file that can't be read is the error of each backend that needs it.
        let Ok(ambient) = Ambient::read() else { return };
        let problems = ambient.problems().iter();
        self.warnings.extend(problems.map(|problem| {
            let what = format!("{}: the section is not used", problem.problem);
            Finding::in_file(&problem.file, Some(problem.line), what)
        }));
    }

    fn open_references(&mut self, named: &Named) {
        if self.references.contains_key(&named.file) || self.wrong_files.contains(&named.file) {
            return;
        }
        let text = match fs::read_to_string(&named.file) {
            Ok(text) => text,
            Err(error) => return self.errors.push(named.wrong(error.to_string())),
        };
        match Reference::read_file(&named.file, &text) {
            Ok(found) => {
                let told = found.warnings.iter().chain(&found.remarks);
                self.warnings.extend(told.map(Finding::of_config));
                self.references.insert(named.file.clone(), found.references);
            }
            Err(errors) => {
                self.errors.extend(errors.iter().map(Finding::of_config));
                self.wrong_files.insert(named.file.clone());
            }
        }
    }

    fn open_certificates(&mut self, named: &Named) {
        let problem = match fs::read(&named.file) {
            Err(error) => error.to_string(),
            Ok(pem) => match apus_blocking::TransportConfig::new().ca_bundle(&pem) {
                Err(error) => error.message().to_owned(),
                Ok(_) => return,
            },
        };
        self.errors.push(named.wrong(problem));
    }

    /// Checks that the default reference is one of the file's.
    fn check_defaults(&mut self) {
        for (id, backend) in self.configuration.iter().flat_map(|found| &found.backends) {
            let Backend::Swift(options) = backend else { continue };
            let Some(file) = &options.swift_store_config_file else { continue };
            let Some(references) = self.references.get(file) else { continue };
            let default = &options.default_swift_reference;
            if !references.contains_key(default) {
                let names: Vec<&str> = references.keys().map(String::as_str).collect();
                self.errors.push(Finding {
                    section: id.clone(),
                    option: Some("default_swift_reference".to_owned()),
                    value: Some(default.clone()),
                    problem: format!(
                        "expected one of the references in {file}: {}",
                        names.join(", ")
                    ),
                    ..Finding::default()
                });
            }
        }
    }
}

/// A file that an option names.
#[derive(Clone, Debug)]
struct Named {
    /// The file and the line that name it, if it is known.
    place: Option<(String, usize)>,
    section: String,
    option: String,
    file: String,
}

impl Named {
    fn wrong(&self, problem: String) -> Finding {
        let (file, line) = self.place.clone().unzip();
        Finding {
            file,
            line,
            section: self.section.clone(),
            option: Some(self.option.clone()),
            value: Some(self.file.clone()),
            problem,
        }
    }
}

/// Returns all files that a configuration names.
fn named_files(config: &OsloConfig) -> Vec<Named> {
    let mut named = Vec::new();
    for section in config.groups() {
        for (option, value) in config.options(section) {
            let is_file = option == "swift_store_config_file"
                || matches!(option, "s3_store_cacert" | "swift_store_cacert");
            let file = config.substitute(section, value, &|_, _| None).unwrap_or_default();
            if is_file && !file.is_empty() {
                let (section, option) = (section.to_owned(), option.to_owned());
                let place = Some((value.file.clone(), value.line));
                named.push(Named { place, section, option, file });
            }
        }
    }
    named
}

fn ca_option(backend: &Backend) -> &'static str {
    match backend {
        Backend::S3(_) => "s3_store_cacert",
        Backend::Swift(_) => "swift_store_cacert",
    }
}

fn confs(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut confs = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        // As oslo.config's `*.conf`: hidden files, which editors leave, are not read.
        if name.ends_with(b".conf") && !name.starts_with(b".") {
            confs.push(path);
        }
    }
    confs.sort();
    Ok(confs)
}

/// A format of [`Plain`].
#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    Toml,
}

impl Format {
    fn of(file: &str) -> Option<Self> {
        match Path::new(file).extension()?.to_str()? {
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// Parses a text. An error is a line and a problem, and contains nothing of the text.
    fn read(self, text: &str) -> Result<Plain, (usize, String)> {
        match self {
            Self::Json => serde_json::from_str(text)
                .map_err(|error| (error.line(), without_values(&error.to_string()))),
            Self::Toml => toml::from_str(text).map_err(|error: toml::de::Error| {
                let at = error.span().map_or(0, |span| span.start);
                let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
                (line, without_values(error.message()))
            }),
        }
    }
}

/// Removes the value found from `invalid type: string "…", expected a map at line 1`.
fn without_values(problem: &str) -> String {
    let problem = problem.split(" at line ").next().unwrap_or(problem);
    match (problem.starts_with("invalid "), problem.find("expected ")) {
        (true, Some(at)) => problem[at..].to_owned(),
        (true, None) => "unexpected value".to_owned(),
        (false, _) => problem.to_owned(),
    }
}

const NOTHING: &str = "missing store: set --config FILE, --store URL or --from-environment, or the \
                       variable APUS_CONFIG; ~/.config/apus/apus.conf and /etc/apus/apus.conf do not \
                       exist";
const UNNAMED: &str = "missing store: set --store URL or the variable APUS_STORE, or for a backend \
                       with swift_store_multi_tenant --config FILE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_documents_are_not_repeated() {
        for (format, text, expect) in [
            (Format::Json, "{\n\"backends\": \"hunter2\"}", (2, "expected a map")),
            (Format::Json, "{\"backends\"", (1, "EOF while parsing an object")),
            (Format::Toml, "\nbackends = \"hunter2\"", (2, "expected a map")),
            (Format::Toml, "a", (1, "key with no value, expected `=`")),
        ] {
            let (line, problem) = format.read(text).unwrap_err();
            assert_eq!((line, problem.as_str()), expect);
        }
    }
}
