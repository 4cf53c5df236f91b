//! The server under test, from the environment.

use std::env;

use apus_core::credentials::Credentials;
use apus_core::machine::Auth;
use apus_core::sign::Keys;

/// Where the server is, and two accounts on it.
pub struct Site {
    pub http: String,
    pub https: String,
    pub ca: Vec<u8>,
    pub first: Account,
    pub second: Account,
}

/// An account's keys.
pub struct Account {
    pub access_key: String,
    pub secret_key: String,
}

impl Site {
    /// Returns `None`, and prints a line to stderr, where the environment names no server.
    pub fn from_environment(test: &str) -> Option<Self> {
        match Self::read() {
            Ok(site) => Some(site),
            Err(missing) => {
                eprintln!(
                    "{test}: not run, {missing} is not set: conformance/live/ceph starts a server, \
                     and tells its settings"
                );
                None
            }
        }
    }

    fn read() -> Result<Self, String> {
        let ca = variable("APUS_LIVE_S3_CA")?;
        Ok(Self {
            http: variable("APUS_LIVE_S3_HTTP")?,
            https: variable("APUS_LIVE_S3_HTTPS")?,
            ca: std::fs::read(&ca).unwrap_or_else(|error| panic!("{ca}: {error}")),
            first: Account::read("")?,
            second: Account::read("_2")?,
        })
    }
}

impl Account {
    fn read(suffix: &str) -> Result<Self, String> {
        Ok(Self {
            access_key: variable(&format!("APUS_LIVE_S3_ACCESS_KEY{suffix}"))?,
            secret_key: variable(&format!("APUS_LIVE_S3_SECRET_KEY{suffix}"))?,
        })
    }

    pub fn keys(&self) -> Keys {
        Keys::new(&*self.access_key, &*self.secret_key)
    }

    pub fn auth(&self) -> Auth {
        Auth::new(Credentials::new(self.keys()))
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| name.to_owned())
}
