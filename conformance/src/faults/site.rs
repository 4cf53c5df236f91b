//! The servers of transfers: those of this crate, one for each transfer, or real ones.

use std::env;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use apus_core::credentials::Credentials;
use apus_core::keystone::{
    Domain, EndpointFilter, Identity, Login, Scope, Session, SessionOptions, User,
};
use apus_core::machine::Auth;
use apus_core::retry::{Budget, RetryPolicy};
use apus_core::s3::BaseUrl;
use apus_core::sign::Keys;

use super::limits;
use crate::server::{
    EmbeddedOpenStack, EmbeddedS3, FaultyS3, Manners, OpenStackModel, Options, S3Model,
};

/// An S3 server.
pub(super) struct S3Site {
    pub(super) upstream: SocketAddr,
    pub(super) ca: Vec<u8>,
    pub(super) tls: bool,
    keys: Keys,
    pub(super) bucket: String,
    /// The least size of a part except the last, in bytes.
    pub(super) smallest_part: u64,
    /// Whether it honours `If-None-Match`.
    pub(super) conditional: bool,
    server: Running,
}

impl S3Site {
    /// Starts the model of S3, for this transfer alone.
    pub(super) fn model(tls: bool) -> io::Result<Self> {
        let manners = Manners::aws().with_min_part_size(1 << 10);
        let model = S3Model::new().with_manners(manners).with_bucket(BUCKET);
        let server = if tls { FaultyS3::start_tls(model) } else { FaultyS3::start(model) }?;
        Ok(Self {
            upstream: server.address(),
            ca: server.ca_pem().unwrap_or_default().into(),
            tls,
            keys: Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            bucket: BUCKET.into(),
            smallest_part: 1 << 10,
            conditional: true,
            server: Running::Model(server),
        })
    }

    /// Starts s3s-fs, for this transfer alone. It verifies signatures and checksums.
    pub(super) fn embedded(tls: bool) -> io::Result<Self> {
        let server = EmbeddedS3::start(Options::new().tls(tls).bucket(BUCKET))?;
        Ok(Self {
            upstream: server.address(),
            ca: server.ca_pem().unwrap_or_default().into(),
            tls,
            keys: Keys::new(server.access_key(), server.secret_key()),
            bucket: BUCKET.into(),
            smallest_part: 5 << 20,
            conditional: false,
            server: Running::Embedded(server),
        })
    }

    /// Returns the server that `conformance/live/ceph env` names.
    pub(super) fn live(tls: bool, bucket: &str) -> Option<Self> {
        let variable = |name: &str| env::var(format!("APUS_LIVE_S3_{name}")).ok();
        let url = variable(if tls { "HTTPS" } else { "HTTP" })?;
        Some(Self {
            upstream: address(&url)?,
            ca: std::fs::read(variable("CA")?).ok()?,
            tls,
            keys: Keys::new(variable("ACCESS_KEY")?, variable("SECRET_KEY")?),
            bucket: bucket.into(),
            smallest_part: 5 << 20,
            conditional: true,
            server: Running::Elsewhere,
        })
    }

    pub(super) fn auth(&self) -> Auth {
        Auth::new(Credentials::new(self.keys.clone()))
    }

    /// Waits until every request of the closed connections has been handled.
    pub(super) fn settle(&self) {
        match &self.server {
            Running::Model(server) => server.server().settle(),
            Running::Embedded(_) => sleep(QUIET),
            Running::Elsewhere => {}
        }
    }

    /// Returns the URL of the server with this address.
    pub(super) fn url(&self, by: SocketAddr) -> String {
        match self.server {
            // s3s-fs reads a host name with another port as the name of a bucket.
            Running::Embedded(_) if self.tls => format!("https://{by}"),
            _ => url(self.tls, by),
        }
    }
}

/// The running server.
enum Running {
    Model(FaultyS3),
    Embedded(#[expect(dead_code, reason = "it runs as long as it is there")] EmbeddedS3),
    Elsewhere,
}

/// A Keystone and a Swift.
pub(super) struct SwiftSite {
    pub(super) identity: SocketAddr,
    pub(super) storage: SocketAddr,
    pub(super) ca: Vec<u8>,
    pub(super) tls: bool,
    identity_path: String,
    storage_path: String,
    user: String,
    password: String,
    project: String,
    pub(super) container: String,
    server: Option<EmbeddedOpenStack>,
}

impl SwiftSite {
    /// Starts the models of both, for this transfer alone.
    pub(super) fn model(tls: bool) -> io::Result<Self> {
        let model = OpenStackModel::new().with_container("demo", BUCKET);
        let start = if tls { EmbeddedOpenStack::start_tls } else { EmbeddedOpenStack::start };
        let server = start(model)?;
        let storage = server.storage_url_of("demo");
        Ok(Self {
            identity: server.identity().address(),
            storage: server.storage().address(),
            ca: server.ca_pem().unwrap_or_default().into(),
            tls,
            identity_path: "/v3".into(),
            storage_path: path(&storage),
            user: "demo".into(),
            password: "demo-secret".into(),
            project: "demo".into(),
            container: BUCKET.into(),
            server: Some(server),
        })
    }

    /// Returns the servers that `conformance/live/openstack env` names.
    pub(super) fn live(container: &str) -> Option<Self> {
        let variable = |name: &str| env::var(format!("APUS_LIVE_OPENSTACK{name}")).ok();
        let (identity, storage) = (variable("")?, variable("_STORAGE_URL")?);
        Some(Self {
            identity: address(&identity)?,
            storage: address(&storage)?,
            ca: Vec::new(),
            tls: false,
            identity_path: path(&identity),
            storage_path: path(&storage),
            user: variable("_USER")?,
            password: variable("_PASSWORD")?,
            project: variable("_PROJECT")?,
            container: container.into(),
            server: None,
        })
    }

    /// Returns a session that uses these addresses.
    pub(super) fn auth(&self, identity: SocketAddr, storage: SocketAddr) -> Auth {
        let user = User::named(self.user.clone(), Domain::default_id());
        let who = Identity::password(user, self.password.clone());
        let scope = Scope::project_named(self.project.clone(), Domain::default_id());
        let auth_url = format!("{}{}", url(self.tls, identity), self.identity_path);
        let login = Login::new(&auth_url, who, scope).expect("the URL is one of ours");
        let retry_policy = RetryPolicy {
            attempts: 8,
            base: limits::PAUSE,
            longest: limits::LONGEST_PAUSE,
            budget: Arc::new(Budget::unlimited()),
            ..RetryPolicy::default()
        };
        let options =
            SessionOptions { retry_policy: Some(retry_policy), ..SessionOptions::default() };
        let session = Session::new(login.with_timeouts(limits::of_request()), options);
        let storage = format!("{}{}", url(self.tls, storage), self.storage_path);
        Auth::new(session.with_endpoint(EndpointFilter::at(storage)))
    }

    /// Waits until every request of the closed connections has been handled.
    pub(super) fn settle(&self) {
        if let Some(server) = &self.server {
            server.storage().settle();
        }
    }
}

fn url(tls: bool, by: SocketAddr) -> String {
    if tls { format!("https://localhost:{}", by.port()) } else { format!("http://{by}") }
}

fn path(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or(String::new(), |at| rest[at..].trim_end_matches('/').to_owned())
}

fn address(url: &str) -> Option<SocketAddr> {
    let url = BaseUrl::parse(url).ok()?;
    (url.host(), url.port_or_default()).to_socket_addrs().ok()?.find(SocketAddr::is_ipv4)
}

/// The bucket of servers that serve one transfer.
const BUCKET: &str = "images";

/// s3s-fs does not report when it has finished a closed connection.
const QUIET: Duration = Duration::from_millis(100);
