//! The server under test, from the environment.

#![allow(dead_code, reason = "a suite takes of it what it needs")]

use std::env;

use apus_core::credentials::Credentials;
use apus_core::machine::Auth;
use apus_core::sign::Keys;

/// Where the server is, and the accounts on it.
pub struct Site {
    pub http: String,
    pub https: String,
    pub ca: Vec<u8>,
    pub first: Account,
    second: Option<Account>,
    /// What GetBucketLocation responds with to a bucket that was created without a constraint.
    pub location: &'static str,
    /// Whether the server removes everything when it ends.
    pub is_temporary: bool,
}

/// An account's keys.
pub struct Account {
    pub access_key: String,
    pub secret_key: String,
}

impl Site {
    /// Ceph's gateway, with two accounts. Returns `None`, and prints a line to stderr, where the
    /// environment names none.
    pub fn ceph(test: &str) -> Option<Self> {
        let read = || {
            let second = Some(Account::read("S3", "_2")?);
            Ok(Self { second, location: "default", ..Self::read("S3")? })
        };
        Self::or_not_run(read(), test, "ceph")
    }

    /// A server of `conformance/live`, with one account.
    pub fn named(server: &str) -> Option<Self> {
        Self::or_not_run(Self::read(&server.to_uppercase()), server, server)
    }

    /// A server in this process, at these addresses; it removes everything when it ends.
    pub fn at(http: String, https: String, ca: &str, first: Account) -> Self {
        let ca = ca.into();
        Self { http, https, ca, first, second: None, location: "", is_temporary: true }
    }

    /// The second account, of a server that has one.
    pub fn second(&self) -> &Account {
        self.second.as_ref().expect("the server has two accounts")
    }

    pub fn accounts(&self) -> usize {
        1 + usize::from(self.second.is_some())
    }

    fn read(server: &str) -> Result<Self, String> {
        let ca = variable(&format!("APUS_LIVE_{server}_CA"))?;
        let ca = std::fs::read(&ca).unwrap_or_else(|error| panic!("{ca}: {error}"));
        let http = variable(&format!("APUS_LIVE_{server}_HTTP"))?;
        let https = variable(&format!("APUS_LIVE_{server}_HTTPS"))?;
        let first = Account::read(server, "")?;
        Ok(Self { http, https, ca, first, second: None, location: "", is_temporary: false })
    }

    fn or_not_run(read: Result<Self, String>, test: &str, script: &str) -> Option<Self> {
        read.inspect_err(|missing| {
            eprintln!(
                "{test}: not run, {missing} is not set: conformance/live/{script} starts a server, \
                 and tells its settings"
            );
        })
        .ok()
    }
}

impl Account {
    fn read(server: &str, suffix: &str) -> Result<Self, String> {
        Ok(Self {
            access_key: variable(&format!("APUS_LIVE_{server}_ACCESS_KEY{suffix}"))?,
            secret_key: variable(&format!("APUS_LIVE_{server}_SECRET_KEY{suffix}"))?,
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
