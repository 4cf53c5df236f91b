//! The servers under test, from the environment.

use std::env;
use std::time::Duration;

use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::Auth;

/// Which of the servers that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// Swift under Keystone.
    Swift,
    /// Ceph's gateway with Swift's v1 authentication.
    Ceph,
}

/// A server, and who may do what there.
pub struct Site {
    pub server: Server,
    /// The auth URLs, of http and perhaps of https.
    pub addresses: Vec<String>,
    /// What they are to trust for https.
    pub ca: Vec<u8>,
    /// How long tokens live.
    pub life: Duration,
    user: Identity,
    scope: Scope,
}

/// Who else there is under Keystone.
pub struct People {
    pub keystone: String,
    pub storage_url: String,
    pub region: String,
    pub role: String,
    pub user: String,
    pub user_id: String,
    pub password: String,
    pub project: String,
    pub project_id: String,
    pub totp_secret: String,
    pub tempurl_key: String,
    pub credential_id: String,
    pub credential: String,
    pub credential_secret: String,
    pub service_user: String,
    pub service_user_id: String,
    pub service_password: String,
    pub service_project: String,
    pub reader: String,
    pub reader_password: String,
    pub other: String,
    pub other_password: String,
    pub other_project: String,
    pub other_project_id: String,
}

impl Site {
    /// Returns the servers that the environment names, and prints a line to stderr for the others.
    pub fn all(test: &str) -> Vec<Self> {
        [("openstack", Self::swift()), ("ceph", Self::ceph())]
            .into_iter()
            .filter_map(|(script, site)| match site {
                Ok(site) => Some(site),
                Err(missing) => {
                    eprintln!(
                        "{test}: not run, {missing} is not set: conformance/live/{script} starts \
                         a server, and tells its settings"
                    );
                    None
                }
            })
            .collect()
    }

    fn swift() -> Result<Self, String> {
        let people = People::read()?;
        let life = variable("APUS_LIVE_OPENSTACK_TOKEN_TTL")?.parse().expect("a number of seconds");
        Ok(Self {
            server: Server::Swift,
            addresses: vec![people.keystone.clone()],
            ca: Vec::new(),
            life: Duration::from_secs(life),
            user: Identity::password(User::Id(people.user_id.clone()), people.password.clone()),
            scope: Scope::project(people.project_id),
        })
    }

    fn ceph() -> Result<Self, String> {
        let http = variable("APUS_LIVE_CEPH_SWIFT")?;
        let ca = variable("APUS_LIVE_S3_CA")?;
        let user = variable("APUS_LIVE_CEPH_SWIFT_USER")?;
        Ok(Self {
            server: Server::Ceph,
            addresses: vec![http, variable("APUS_LIVE_CEPH_SWIFT_HTTPS")?],
            ca: std::fs::read(&ca).unwrap_or_else(|error| panic!("{ca}: {error}")),
            life: Duration::from_secs(5),
            user: Identity::v1(user, variable("APUS_LIVE_CEPH_SWIFT_KEY")?),
            scope: Scope::Unstated,
        })
    }

    /// The auth URL.
    pub fn address(&self, https: bool) -> &str {
        let scheme = if https { "https:" } else { "http:" };
        let found = self.addresses.iter().find(|address| address.starts_with(scheme));
        found.expect("a place has an address")
    }

    /// The user of all checks.
    pub fn login(&self, https: bool) -> Login {
        Login::new(self.address(https), self.user.clone(), self.scope.clone()).unwrap()
    }

    /// The session of that user.
    pub fn session(&self, https: bool) -> Session {
        Session::new(self.login(https), self.options())
    }

    /// As a auth.
    pub fn auth(&self, https: bool) -> Auth {
        Auth::new(self.session(https))
    }

    /// Sessions that renew in the last half of a token's life: a token of Keystone's lives up to a
    /// second less than it says.
    pub fn options(&self) -> SessionOptions {
        SessionOptions {
            expire_soon_interval: (self.life / 2).min(Duration::from_secs(60)),
            ..SessionOptions::default()
        }
    }
}

impl People {
    /// Those of Keystone.
    pub fn read() -> Result<Self, String> {
        let of = |name: &str| variable(&format!("APUS_LIVE_OPENSTACK{name}"));
        Ok(Self {
            keystone: of("")?,
            storage_url: of("_STORAGE_URL")?,
            region: of("_REGION")?,
            role: of("_ROLE")?,
            user: of("_USER")?,
            user_id: of("_USER_ID")?,
            password: of("_PASSWORD")?,
            project: of("_PROJECT")?,
            project_id: of("_PROJECT_ID")?,
            totp_secret: of("_TOTP_SECRET")?,
            tempurl_key: of("_TEMPURL_KEY")?,
            credential_id: of("_APPLICATION_CREDENTIAL_ID")?,
            credential: of("_APPLICATION_CREDENTIAL")?,
            credential_secret: of("_APPLICATION_CREDENTIAL_SECRET")?,
            service_user: of("_SERVICE_USER")?,
            service_user_id: of("_SERVICE_USER_ID")?,
            service_password: of("_SERVICE_PASSWORD")?,
            service_project: of("_SERVICE_PROJECT")?,
            reader: of("_READER_USER")?,
            reader_password: of("_READER_PASSWORD")?,
            other: of("_OTHER_USER")?,
            other_password: of("_OTHER_PASSWORD")?,
            other_project: of("_OTHER_PROJECT")?,
            other_project_id: of("_OTHER_PROJECT_ID")?,
        })
    }

    /// A user by name, with a password, in a project.
    pub fn login(&self, user: &str, password: &str, project: &str) -> Login {
        let identity = Identity::password(named(user), password);
        Login::new(&self.keystone, identity, in_project(project)).unwrap()
    }
}

/// A user of the default domain.
pub fn named(user: &str) -> User {
    User::named(user, Domain::default_id())
}

/// A project of the default domain.
pub fn in_project(project: &str) -> Scope {
    Scope::project_named(project, Domain::default_id())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| name.to_owned())
}
