//! The proxies under test, and their logs.

use std::env;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use apus_conformance::server::{Passed, ScriptedProxy};
use apus_core::Secret;
use apus_core::proxy::Proxy;

use crate::store::Transport;

pub const TRANSPORTS: [Transport; 2] = [Transport::Blocking, Transport::Async];

/// A proxy that requires a user and a password.
pub struct Site {
    pub name: &'static str,
    url: String,
    /// Where it speaks TLS itself, and who signed that.
    tls_url: String,
    ca: String,
    pub user: String,
    password: String,
    /// Where its connections to servers come from.
    pub source: IpAddr,
    log: Log,
}

enum Log {
    Scripted(Box<[ScriptedProxy; 2]>),
    File(String),
}

/// Runs a test with each proxy, over TCP and over TLS to it, and with each transport.
pub fn through_each(test: &str, run: impl Fn(&Site, Proxy, Transport)) {
    for site in Site::all(test) {
        for transport in TRANSPORTS {
            for proxy in [site.proxy(), site.tls_proxy()] {
                eprintln!("{test}: {} at {proxy}, {transport:?}", site.name);
                run(&site, proxy, transport);
            }
        }
    }
}

impl Site {
    /// Returns the proxy in this process, and squid if the environment names it.
    pub fn all(test: &str) -> Vec<Self> {
        let mut sites = vec![Self::scripted()];
        match Self::squid() {
            Ok(site) => sites.push(site),
            Err(missing) => eprintln!(
                "{test}: not run with squid, {missing} is not set: conformance/live/proxy starts \
                 it, and tells its settings"
            ),
        }
        sites
    }

    /// Squid alone.
    pub fn squid() -> Result<Self, String> {
        let ca = variable("APUS_LIVE_PROXY_CA")?;
        Ok(Self {
            name: "squid",
            url: variable("APUS_LIVE_PROXY")?,
            tls_url: variable("APUS_LIVE_PROXY_TLS")?,
            ca: std::fs::read_to_string(&ca).unwrap_or_else(|error| panic!("{ca}: {error}")),
            user: variable("APUS_LIVE_PROXY_USER")?,
            password: variable("APUS_LIVE_PROXY_PASSWORD")?,
            source: variable("APUS_LIVE_PROXY_SOURCE")?.parse().unwrap(),
            log: Log::File(variable("APUS_LIVE_PROXY_LOG")?),
        })
    }

    fn scripted() -> Self {
        let (user, password) = ("apus@läb", "p@ss:w/rd%?#ü ");
        let start = |tls| ScriptedProxy::start(Some((user, password)), tls).unwrap();
        let proxies = [start(false), start(true)];
        Self {
            name: "scripted",
            url: proxies[0].url(),
            tls_url: proxies[1].url(),
            ca: proxies[1].ca_pem().unwrap().to_owned(),
            user: user.into(),
            password: password.into(),
            source: ScriptedProxy::SOURCE,
            log: Log::Scripted(Box::new(proxies)),
        }
    }

    /// Over TCP, with the right password.
    pub fn proxy(&self) -> Proxy {
        self.with_password(Proxy::new(&self.url).unwrap(), &self.password)
    }

    /// Over TLS, with the right password.
    pub fn tls_proxy(&self) -> Proxy {
        let proxy = Proxy::new(&self.tls_url).unwrap().ca_bundle(self.ca.clone());
        self.with_password(proxy, &self.password)
    }

    /// Over TLS, with a certificate of an unknown CA.
    pub fn untrusted_proxy(&self) -> Proxy {
        self.with_password(Proxy::new(&self.tls_url).unwrap(), &self.password)
    }

    /// The same with another password.
    pub fn with_password(&self, proxy: Proxy, password: &str) -> Proxy {
        proxy.credentials(&self.user, Secret::new(password)).unwrap()
    }

    /// What was logged with `part` in its target, once there are `least` of it: squid writes a
    /// tunnel down when it ends.
    pub fn log_of(&self, part: &str, least: usize) -> Vec<Passed> {
        let begun = Instant::now();
        loop {
            let mut log = self.whole_log();
            log.retain(|line| line.target.contains(part));
            if log.len() >= least || begun.elapsed() > Duration::from_secs(20) {
                return log;
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn whole_log(&self) -> Vec<Passed> {
        match &self.log {
            Log::Scripted(proxies) => proxies.iter().flat_map(ScriptedProxy::log).collect(),
            Log::File(path) => {
                let text = std::fs::read_to_string(path).unwrap();
                // A line that is being written is not there yet.
                text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(read).collect()
            }
        }
    }
}

/// A line of `conformance/live/proxy`: user, method, target, status, `Authorization`, server.
fn read(line: &str) -> Passed {
    let said = |text: &str| (text != "-").then(|| text.to_owned());
    let mut words = line.trim_end().splitn(5, ' ');
    let mut next = || words.next().unwrap_or_default();
    let (user, method, target, status) = (said(next()), next().into(), next().into(), next());
    let status = status.parse().unwrap_or(0);
    let authorization = next().rsplit_once(' ').and_then(|(value, _)| said(value));
    Passed { user, method, target, status, authorization }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| name.to_owned())
}
