//! S3, STS, the portal and the metadata services as one script, with a clock that the test sets.
#![allow(dead_code, reason = "each test uses what it needs of it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use apus_core::credentials::{Credentials, Environment, Lookup, Provider, RenewalOptions, Source};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::Outgoing;
use apus_core::machine::{Auth, Call, Pump, Turn};
use apus_core::now::Timestamp;
use apus_core::s3::{BaseUrl, Config, EndpointConfig, GetObject, Service};
use apus_core::{Error, Now, Secret};

/// 2026-01-02T03:00:00Z
pub(crate) const START: u64 = 1_767_322_800;

/// A request as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn is_s3(&self) -> bool {
        self.url.starts_with("http://s3.example.com")
    }

    /// The access key that signed.
    pub(crate) fn signer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        value.split_once("Credential=")?.1.split('/').next()
    }
}

/// An answer: status, body, and the date it says.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) date: Option<u64>,
    pub(crate) lost: Option<ExchangeErrorKind>,
}

pub(crate) fn say(status: u16, body: impl Into<String>) -> Said {
    Said { status, body: body.into(), date: None, lost: None }
}

pub(crate) fn lost(cause: ExchangeErrorKind) -> Said {
    Said { lost: Some(cause), ..say(0, "") }
}

type Script = Box<dyn FnMut(u64, &Sent) -> Said>;

pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) sent: Vec<Sent>,
    auth: Auth,
    script: Script,
    /// Seconds that servers are ahead of us.
    pub(crate) skew: i64,
}

impl World {
    /// The script is told the server's time.
    pub(crate) fn new(
        source: Source,
        lookup: impl Lookup + 'static,
        script: impl FnMut(u64, &Sent) -> Said + 'static,
    ) -> Self {
        Self::with(source, lookup, RenewalOptions::default(), script)
    }

    /// The same, with keys renewed so.
    pub(crate) fn with(
        source: Source,
        lookup: impl Lookup + 'static,
        options: RenewalOptions,
        script: impl FnMut(u64, &Sent) -> Said + 'static,
    ) -> Self {
        let provider = Provider::new(source, lookup);
        let credentials = Credentials::renewed_from(provider, options);
        let now = Now::new(Duration::from_secs(1000), Duration::from_secs(START));
        let script = Box::new(script);
        Self { now, sent: Vec::new(), auth: Auth::new(credentials), script, skew: 0 }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    /// One request to S3.
    pub(crate) fn ask(&mut self) -> Result<(), Error> {
        self.ask_many(1).remove(0)
    }

    /// So many at once.
    pub(crate) fn ask_many(&mut self, many: usize) -> Vec<Result<(), Error>> {
        let endpoint = BaseUrl::parse("http://s3.example.com").unwrap();
        let config = Config::new(EndpointConfig::custom(endpoint, "us-east-1"));
        let service = Arc::new(Service::new(config).unwrap());
        let mut pumps: Vec<_> = (0..many)
            .map(|at| {
                let call =
                    Call::new(GetObject::new("bucket", "key"), Arc::clone(&service), at as u64);
                (Pump::new(call, vec![self.auth.clone()], Waker::noop().clone()), None)
            })
            .collect();
        for _ in 0..10_000 {
            let (mut flying, mut wait) = (Vec::new(), None);
            for (at, (pump, result)) in pumps.iter_mut().enumerate() {
                while result.is_none() {
                    match pump.turn(self.now) {
                        Turn::Launch(exchange) => flying.push((at, exchange)),
                        Turn::Park(until) => {
                            wait =
                                [wait, until.map(|until| until.until)].into_iter().flatten().min();
                            break;
                        }
                        Turn::Done(done) => *result = Some(done.map(|_| ())),
                    }
                }
            }
            if pumps.iter().all(|(_, result)| result.is_some()) {
                return pumps.into_iter().filter_map(|(_, result)| result).collect();
            }
            if let (true, Some(until)) = (flying.is_empty(), wait) {
                self.now = self.now.after(until.saturating_sub(self.now.tick));
            }
            for (at, mut exchange) in flying {
                let head = exchange.request().unwrap().clone();
                let body = match exchange.outgoing() {
                    Outgoing::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                    _ => String::new(),
                };
                let (method, url) = (head.method.to_string(), head.uri.to_string());
                let sent = Sent { method, url, headers: head.headers, body };
                let time = self.now.unix.as_secs().saturating_add_signed(self.skew);
                let said = (self.script)(time, &sent);
                self.sent.push(sent);
                let done = match said.lost {
                    Some(cause) => exchange.fail(ExchangeError::new(cause, "")),
                    None => {
                        let date = Timestamp::from_unix(said.date.unwrap_or(time) as i64);
                        let head = http::Response::builder()
                            .status(said.status)
                            .header("date", date.http_date())
                            .body(())
                            .unwrap();
                        let mut receiving = exchange.respond(head.into_parts().0);
                        if receiving.has_body() {
                            receiving.push(said.body.as_bytes()).unwrap();
                        }
                        receiving.finish(None)
                    }
                };
                pumps[at].0.complete(self.now, done);
            }
        }
        panic!("it does not end");
    }

    /// How many requests went to where the URL begins so.
    pub(crate) fn count(&self, url: &str) -> usize {
        self.sent.iter().filter(|sent| sent.url.starts_with(url)).count()
    }
}

/// Files and commands that are there, and how often a lookup says "later" first.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) files: Arc<Mutex<BTreeMap<String, String>>>,
    pub(crate) later: Arc<Mutex<usize>>,
    pub(crate) runs: Arc<Mutex<Vec<String>>>,
}

impl Disk {
    pub(crate) fn with(self, path: &str, text: &str) -> Self {
        self.files.lock().unwrap().insert(path.to_owned(), text.to_owned());
        self
    }

    pub(crate) fn read(&self, path: &str) -> String {
        self.files.lock().unwrap()[path].clone()
    }

    fn look(&mut self, name: &str) -> Poll<Result<Secret, Error>> {
        let mut later = self.later.lock().unwrap();
        if *later > 0 {
            *later -= 1;
            return Poll::Pending;
        }
        self.runs.lock().unwrap().push(name.to_owned());
        let text = self.files.lock().unwrap().get(name).map(|text| Secret::from(text.as_str()));
        Poll::Ready(text.ok_or_else(|| Error::invalid_input(format!("{name}: it is not there"))))
    }
}

impl Lookup for Disk {
    fn file(&mut self, path: &str, waker: &Waker) -> Poll<Result<Secret, Error>> {
        waker.wake_by_ref();
        self.look(path)
    }

    fn process(&mut self, command: &str, waker: &Waker) -> Poll<Result<Secret, Error>> {
        waker.wake_by_ref();
        self.look(command)
    }

    fn replace_file(&mut self, path: &str, text: &Secret) -> Result<(), Error> {
        self.files.lock().unwrap().insert(path.to_owned(), text.expose().to_owned());
        Ok(())
    }
}

/// The document of a metadata service: keys of this name that end then.
pub(crate) fn metadata(access_key: &str, ends: u64) -> String {
    let ends = Timestamp::from_unix(ends as i64).iso8601();
    format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{access_key}",
        "SecretAccessKey":"SECRET","Token":"TOKEN","Expiration":"{ends}"}}"#
    )
}

/// The answer of STS to this action, as its API reference shows it.
pub(crate) fn assumed(action: &str, access_key: &str, ends: u64) -> String {
    let ends = Timestamp::from_unix(ends as i64).iso8601();
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{access_key}</AccessKeyId>\
         <SecretAccessKey>SECRET/{access_key}</SecretAccessKey>\
         <SessionToken>TOKEN/{access_key}</SessionToken><Expiration>{ends}</Expiration>\
         </Credentials></{action}Result></{action}Response>"
    )
}

pub(crate) fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().copied())
}
