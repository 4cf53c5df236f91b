//! The clouds of a user: `clouds.yaml` and related files, and `OS_*` variables.
//!
//! Nothing is read unless [`Search::read`] is called, and no variable unless
//! [`Search::with_environment`] was called.
//!
//! ```no_run
//! use apus_core::keystone::SessionOptions;
//! use apus_core::machine::Auth;
//!
//! # fn main() -> Result<(), apus_core::Error> {
//! # use apus_host::openstack;
//! let clouds = openstack::Search::default_paths().with_environment().read()?;
//! let cloud = clouds.cloud(None)?;
//! let auth = Auth::new(cloud.session(SessionOptions::default())?);
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use apus_core::keystone::clouds::{Clouds, CloudsFile, directories};
use apus_core::{Error, Secret};

use crate::read::{self, unreadable};

pub use crate::files::home;

/// Where to find clouds.
#[derive(Clone, Debug)]
pub struct Search {
    directories: Vec<PathBuf>,
    file: Option<PathBuf>,
    variables: Option<BTreeMap<String, Secret>>,
}

impl Search {
    /// Searches where openstacksdk does: the current directory, `~/.config/openstack`,
    /// `/etc/openstack`. Of the environment, only `HOME` and `XDG_CONFIG_HOME` are used.
    pub fn default_paths() -> Self {
        let home = std::env::home_dir().and_then(|home| home.into_os_string().into_string().ok());
        let config_home = std::env::var("XDG_CONFIG_HOME").ok();
        Self::within(directories(home.as_deref(), config_home.as_deref()))
    }

    /// Searches these directories, in order, for each of the files separately.
    pub fn within<P: Into<PathBuf>>(directories: impl IntoIterator<Item = P>) -> Self {
        let directories = directories.into_iter().map(Into::into).collect();
        Self { directories, file: None, variables: None }
    }

    /// Uses this `clouds.yaml`, which must exist, instead of one in the directories.
    #[must_use]
    pub fn with_file(self, path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..self }
    }

    /// Uses this process's `OS_*` variables: a cloud of their own, `OS_CLOUD`, and the files that
    /// `OS_CLIENT_CONFIG_FILE` and `OS_CLIENT_SECURE_FILE` name, which must exist.
    #[must_use]
    pub fn with_environment(self) -> Self {
        self.with_variables(read::variables())
    }

    /// Uses these variables instead of the process's, for example those of an `openrc` file.
    #[must_use]
    pub fn with_variables(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter(|(name, _)| name.starts_with("OS_"));
        let variables = ours.map(|(name, value)| (name, value.into())).collect();
        Self { variables: Some(variables), ..self }
    }

    /// Reads the files that exist. A file without read permission counts as absent, unless it was
    /// named.
    ///
    /// # Errors
    ///
    /// A named file does not exist; a file can't be read, or is invalid.
    pub fn read(&self) -> Result<Clouds, Error> {
        let [clouds, secure, public] = CloudsFile::ALL.map(|file| self.find(file));
        let (clouds, secure, public) = (clouds?, secure?, public?);
        let clouds = Clouds::parse(named(&clouds), named(&secure), named(&public))?;
        Ok(match &self.variables {
            None => clouds,
            Some(all) => {
                clouds.with_environment(all.iter().map(|(name, it)| (name, it.expose())))?
            }
        })
    }

    fn find(&self, file: CloudsFile) -> Result<Option<(String, Secret)>, Error> {
        let variable = file.variable().and_then(|name| self.variables.as_ref()?.get(name));
        let by_variable = variable.filter(|path| !path.is_empty()).map(|path| home(path.expose()));
        let by_hand = self.file.clone().filter(|_| file == CloudsFile::Clouds);
        if let Some(path) = by_hand.or(by_variable) {
            let text = read::file(&path).map_err(|error| unreadable(&path, &error))?;
            return Ok(Some((path.display().to_string(), text)));
        }
        for directory in &self.directories {
            for name in file.names() {
                let path = directory.join(name);
                match read::file(&path) {
                    Ok(text) => return Ok(Some((path.display().to_string(), text))),
                    Err(error) if is_absent(&error) => {}
                    Err(error) => return Err(unreadable(&path, &error)),
                }
            }
        }
        Ok(None)
    }
}

fn named(file: &Option<(String, Secret)>) -> Option<(&str, &str)> {
    file.as_ref().map(|(name, text)| (name.as_str(), text.expose()))
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotADirectory | NotFound | PermissionDenied)
}
