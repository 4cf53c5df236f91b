//! One cloud: identity, scope, endpoint and TLS.

use std::time::Duration;

use super::error::CloudsError;
use super::settings::{Settings, flag_of};
use super::yaml::Node;
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::keystone::{
    Domain, EndpointFilter, Identity, Interface, Login, Project, Scope, SecondFactor, Session,
    SessionOptions, User,
};
use crate::secret::Secret;

/// A cloud in one region.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cloud {
    /// The cloud's name.
    pub name: String,
    /// How to authenticate there.
    pub auth: CloudAuth,
    /// Selects the endpoint of the object store in the cloud's catalogue, or overrides it.
    pub endpoint: EndpointFilter,
    /// Which certificates to trust, and which one to present.
    pub tls: CloudTls,
    /// The timeout of a request (`api_timeout`).
    pub timeout: Option<Duration>,
    /// Messages about settings that look like mistakes and are not errors.
    pub warnings: Vec<String>,
}

/// How to authenticate at a cloud.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CloudAuth {
    /// With a token that is requested.
    Login {
        /// The URL of Keystone, or of Swift's v1 authentication.
        auth_url: String,
        /// The identity.
        identity: Identity,
        /// The scope of the token.
        scope: Scope,
    },
    /// With this token (`admin_token`), at the endpoint that the cloud names.
    Token(Secret),
    /// Without authentication (`none`).
    None,
}

/// TLS settings for a cloud's servers. Paths are as written: the caller replaces a leading `~` by
/// the home directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudTls {
    /// Disables certificate verification.
    pub insecure: bool,
    /// A file of certificates to trust instead of the system's.
    pub cacert: Option<String>,
    /// A file with the client's certificate.
    pub cert: Option<String>,
    /// A file with its key; `None` where the certificate's file holds it.
    pub key: Option<String>,
}

impl Cloud {
    /// Creates a session for the object store of this cloud.
    ///
    /// # Errors
    ///
    /// A URL is not valid; the token can't be sent in a header; the cloud is used without
    /// authentication.
    pub fn session(&self, options: SessionOptions) -> Result<Session, Error> {
        let session = match &self.auth {
            CloudAuth::Login { .. } => Session::new(self.login()?, options),
            CloudAuth::Token(token) => {
                let endpoint = self.endpoint.endpoint_override.clone().unwrap_or_default();
                Session::fixed_at(endpoint, token.clone())?
            }
            CloudAuth::None => return Err(self.no_token()),
        };
        Ok(session.with_endpoint(self.endpoint.clone()))
    }

    /// Creates the source of this cloud's tokens.
    ///
    /// # Errors
    ///
    /// The auth URL is not valid; the cloud has a token of its own, or none.
    pub fn login(&self) -> Result<Login, Error> {
        match &self.auth {
            CloudAuth::Login { auth_url, identity, scope } => {
                Login::new(auth_url, identity.clone(), scope.clone())
            }
            _ => Err(self.no_token()),
        }
    }

    fn no_token(&self) -> Error {
        Error::invalid_input(format!(
            "cloud {:?}: its auth_type obtains no token from Keystone",
            self.name
        ))
    }

    pub(super) fn of(mut settings: Settings) -> Result<Self, CloudsError> {
        let auth = Reader(&settings).auth()?;
        let endpoint = Reader(&settings).endpoint(&auth)?;
        let tls = Reader(&settings).tls()?;
        let timeout = Reader(&settings).timeout()?;
        let mut warnings = std::mem::take(&mut settings.warnings);
        for key in settings.names_in_auth().filter(|key| !KNOWN.contains(key)) {
            let problem = format!("unknown key: expected one of {}", KNOWN.join(", "));
            warnings.push(settings.wrong(&format!("auth.{key}"), problem).to_string());
        }
        if tls.insecure && tls.cacert.is_some() {
            warnings.push(
                settings
                    .wrong("cacert", "ignored, because certificate verification is disabled")
                    .to_string(),
            );
        }
        if tls.key.is_some() && tls.cert.is_none() {
            warnings.push(settings.wrong("key", "ignored, because cert is not set").to_string());
        }
        Ok(Self { name: settings.cloud, auth, endpoint, tls, timeout, warnings })
    }
}

struct Reader<'a>(&'a Settings);

impl Reader<'_> {
    fn auth(&self) -> Result<CloudAuth, CloudsError> {
        let settings = self.0;
        let kind = match settings.outer_node("auth_type").or(settings.outer_node("auth_plugin")) {
            None => "password",
            Some(Node::Null) => "none",
            Some(Node::Text(kind)) => kind.expose(),
            Some(_) => return Err(settings.wrong("auth_type", "expected a text")),
        };
        let identity = match kind {
            "none" | "None" | "" => return Ok(CloudAuth::None),
            "admin_token" | "token_endpoint" => {
                return Ok(CloudAuth::Token(self.required("token", kind)?.clone()));
            }
            "password" if self.is_v2()? => self.v2_password(kind)?,
            "password" | "v3password" => self.password(kind, None)?,
            "v2password" => self.v2_password(kind)?,
            "token" | "v3token" => Identity::Token(self.required("token", kind)?.clone()),
            "v3applicationcredential" => self.application_credential(kind)?,
            "v3totp" => self.totp(kind)?,
            "v3multifactor" => self.multifactor(kind)?,
            "v1password" => self.v1(kind)?,
            _ => {
                let problem = format!("unknown auth_type {kind:?}: expected one of {KINDS}");
                return Err(settings.wrong("auth_type", problem));
            }
        };
        let scope = self.scope(kind, &identity)?;
        let auth_url = self.required("auth_url", kind)?.expose();
        let auth_url = settings.expand("auth.auth_url", auth_url)?;
        let login = Login::new(&auth_url, identity.clone(), scope.clone());
        login.map_err(|error| settings.wrong("auth.auth_url", error.message()))?;
        Ok(CloudAuth::Login { auth_url, identity, scope })
    }

    fn required(&self, key: &str, kind: &str) -> Result<&Secret, CloudsError> {
        let settings = self.0;
        if let Some(text) = settings.text(key)? {
            return Ok(text);
        }
        // The most frequent reason: `auth_type` is missing.
        let instead = [
            ("token", "token"),
            ("application_credential_id", "v3applicationcredential"),
            ("application_credential_name", "v3applicationcredential"),
        ];
        for (other, its) in instead {
            if kind == "password" && key != "auth_url" && settings.text(other)?.is_some() {
                let problem = format!(
                    "missing option, required for auth_type {kind}: {} belongs to {} {its}",
                    settings.name_of(&format!("auth.{other}")),
                    settings.name_of("auth_type")
                );
                return Err(settings.wrong(&format!("auth.{key}"), problem));
            }
        }
        if let Some(error) = settings.no_profile.as_ref().filter(|_| key == "auth_url") {
            return Err(error.clone());
        }
        let problem = format!("missing option, required for auth_type {kind}");
        Err(settings.wrong(&format!("auth.{key}"), problem))
    }

    fn password(&self, kind: &str, passcode: Option<Secret>) -> Result<Identity, CloudsError> {
        let second_factor = passcode.map(SecondFactor::Passcode);
        let password = self.required("password", kind)?.clone();
        Ok(Identity::Password { user: self.user(kind)?, password, second_factor })
    }

    fn v2_password(&self, kind: &str) -> Result<Identity, CloudsError> {
        let user = match self.0.plain("user_id")? {
            Some(id) => User::Id(id.to_owned()),
            None => User::named(self.username(kind)?, Domain::default_id()),
        };
        let password = self.required("password", kind)?.clone();
        Ok(Identity::V2Password { user, password })
    }

    fn application_credential(&self, kind: &str) -> Result<Identity, CloudsError> {
        let secret = self.required("application_credential_secret", kind)?.clone();
        let settings = self.0;
        if let Some(id) = settings.plain("application_credential_id")? {
            return Ok(Identity::ApplicationCredential { id: id.to_owned(), secret });
        }
        let Some(name) = settings.plain("application_credential_name")? else {
            let problem =
                "missing option, required unless application_credential_name and its user are set";
            return Err(settings.wrong("auth.application_credential_id", problem));
        };
        let (name, user) = (name.to_owned(), self.user(kind)?);
        Ok(Identity::NamedApplicationCredential { name, user, secret })
    }

    fn multifactor(&self, kind: &str) -> Result<Identity, CloudsError> {
        let methods = self.0.list("auth_methods")?.unwrap_or_default();
        let is_known = |method: &String| matches!(method.as_str(), "v3password" | "v3totp");
        let has = |method: &str| methods.iter().any(|known| known == method);
        if methods.is_empty() || !methods.iter().all(is_known) {
            let problem = "expected v3password, v3totp or both";
            return Err(self.0.wrong("auth.auth_methods", problem));
        }
        match (has("v3password"), has("v3totp")) {
            (true, true) => self.password(kind, Some(self.required("passcode", kind)?.clone())),
            (true, false) => self.password(kind, None),
            (false, _) => self.totp(kind),
        }
    }

    fn totp(&self, kind: &str) -> Result<Identity, CloudsError> {
        let passcode = self.required("passcode", kind)?.clone();
        Ok(Identity::Totp { user: self.user(kind)?, passcode })
    }

    fn v1(&self, kind: &str) -> Result<Identity, CloudsError> {
        let (user, key) = (self.username(kind)?, self.required("password", kind)?.clone());
        Ok(Identity::V1 { user, key })
    }

    fn username(&self, kind: &str) -> Result<String, CloudsError> {
        if let Some(name) = self.0.plain("username")?.or(self.0.plain("user_name")?) {
            return Ok(name.to_owned());
        }
        Ok(self.required("username", kind)?.expose().to_owned())
    }

    fn user(&self, kind: &str) -> Result<User, CloudsError> {
        let settings = self.0;
        if let Some(id) = settings.plain("user_id")? {
            return Ok(User::Id(id.to_owned()));
        }
        let name = self.username(kind)?;
        match self.domain_of("user_domain", kind)? {
            Some(domain) => Ok(User::Name { name, domain }),
            None => Err(settings.wrong(
                "auth.user_domain_name",
                format!(
                    "missing option, required with {} unless {} is set: a user name is unique \
                     within its domain only",
                    settings.name_of("auth.username"),
                    settings.name_of("auth.user_domain_id")
                ),
            )),
        }
    }

    /// Returns its own domain or that given for both user and project, or else the default one. As in
    /// openstacksdk, an id of these two has precedence over a name of them.
    fn domain_of(&self, whose: &str, kind: &str) -> Result<Option<Domain>, CloudsError> {
        let mut given = vec![whose];
        if self.is_for_project()? {
            given.push("domain");
        }
        let mut default = Vec::new();
        if matches!(kind, "password" | "token") {
            default.push("default_domain");
        }
        for prefixes in [given, default] {
            for prefix in &prefixes {
                if let Some(id) = self.0.plain(&format!("{prefix}_id"))? {
                    return Ok(Some(Domain::Id(id.to_owned())));
                }
            }
            for prefix in &prefixes {
                if let Some(name) = self.0.plain(&format!("{prefix}_name"))? {
                    return Ok(Some(Domain::Name(name.to_owned())));
                }
            }
        }
        Ok(None)
    }

    fn is_for_project(&self) -> Result<bool, CloudsError> {
        Ok(self.0.text("project_id")?.or(self.0.text("project_name")?).is_some())
    }

    fn scope(&self, kind: &str, identity: &Identity) -> Result<Scope, CloudsError> {
        let settings = self.0;
        let mut scopes: Vec<(&str, Scope)> = Vec::new();
        let is_v2 = matches!(identity, Identity::V2Password { .. });
        if let Some(id) = settings.plain("project_id")? {
            scopes.push(("project_id", Scope::project(id)));
        } else if let Some(name) = settings.plain("project_name")? {
            let domain = match self.domain_of("project_domain", kind)? {
                _ if is_v2 => Domain::default_id(),
                Some(domain) => domain,
                // An identity without scopes is refused below for that reason.
                None if !takes_scope(identity) => Domain::default_id(),
                None => {
                    return Err(settings.wrong(
                        "auth.project_domain_name",
                        format!(
                            "missing option, required with {} unless {} is set: a project name is \
                             unique within its domain only",
                            settings.name_of("auth.project_name"),
                            settings.name_of("auth.project_domain_id")
                        ),
                    ));
                }
            };
            scopes.push(("project_name", Scope::Project(Project::named(name, domain))));
        } else if let Some(id) = settings.plain("domain_id")? {
            scopes.push(("domain_id", Scope::Domain(Domain::Id(id.to_owned()))));
        } else if let Some(name) = settings.plain("domain_name")? {
            scopes.push(("domain_name", Scope::Domain(Domain::Name(name.to_owned()))));
        }
        if let Some(id) = settings.plain("trust_id")? {
            scopes.push(("trust_id", Scope::trust(id)));
        }
        match settings.plain("system_scope")? {
            None => {}
            Some("all") => scopes.push(("system_scope", Scope::System)),
            Some(_) => return Err(settings.wrong("auth.system_scope", "expected all")),
        }
        let mut scopes = scopes.into_iter();
        let Some((key, scope)) = scopes.next() else { return Ok(Scope::Unstated) };
        if let Some((other, _)) = scopes.next() {
            let other = settings.name_of(&format!("auth.{other}"));
            let problem = format!("can't be combined with {other}: a token has one scope");
            return Err(settings.wrong(&format!("auth.{key}"), problem));
        }
        if !takes_scope(identity) {
            let problem = format!("auth_type {kind} does not support a scope: remove this option");
            return Err(settings.wrong(&format!("auth.{key}"), problem));
        }
        Ok(scope)
    }

    /// Whether the auth URL is of the Identity API v2.0; an error if domains are named as well.
    fn is_v2(&self) -> Result<bool, CloudsError> {
        let Some(url) = self.0.plain("auth_url")? else { return Ok(false) };
        let is_v2 =
            BaseUrl::parse_as(url, "auth_url").is_ok_and(|url| url.path().ends_with("/v2.0"));
        if !is_v2 {
            return Ok(false);
        }
        for key in ["user_domain", "project_domain", "domain"] {
            for key in [format!("{key}_id"), format!("{key}_name")] {
                if self.0.text(&key)?.is_some() {
                    let problem = format!(
                        "{} selects the Identity API v2.0, which has no domains",
                        self.0.name_of("auth.auth_url")
                    );
                    return Err(self.0.wrong(&format!("auth.{key}"), problem));
                }
            }
        }
        Ok(true)
    }

    fn endpoint(&self, auth: &CloudAuth) -> Result<EndpointFilter, CloudsError> {
        let settings = self.0;
        let of_service = |key: &str| settings.expanded(&format!("object_store_{key}"));
        let mut endpoint_override = of_service("endpoint_override")?.or(of_service("endpoint")?);
        if endpoint_override.is_none() && settings.of_variables {
            // A variable of swiftclient's. Without it, requests go to another account.
            endpoint_override = settings.outer("storage_url")?.map(|url| url.expose().to_owned());
        }
        if matches!(auth, CloudAuth::Token(_) | CloudAuth::None) && endpoint_override.is_none() {
            let endpoint = settings.plain("endpoint")?.or(settings.plain("url")?);
            endpoint_override = endpoint.map(str::to_owned);
            if endpoint_override.is_none() {
                return Err(
                    settings.wrong("auth.endpoint", "missing option, required for this auth_type")
                );
            }
        }
        let region = of_service("region_name")?.unwrap_or_else(|| settings.region.clone());
        let service_type = of_service("service_type")?;
        Ok(EndpointFilter {
            service_type: service_type.unwrap_or_else(|| "object-store".to_owned()),
            interfaces: self.interfaces()?,
            region: Some(region).filter(|region| !region.is_empty()),
            endpoint_override,
            ..EndpointFilter::default()
        })
    }

    fn interfaces(&self) -> Result<Vec<Interface>, CloudsError> {
        let settings = self.0;
        for key in ["object_store_endpoint_type", "object_store_interface", "endpoint_type"] {
            if let Some(interfaces) = self.interfaces_of(key)? {
                return Ok(interfaces);
            }
        }
        match settings.outer_node("interface") {
            Some(Node::Null) => Ok(Vec::new()),
            _ => Ok(self.interfaces_of("interface")?.unwrap_or(vec![Interface::Public])),
        }
    }

    fn interfaces_of(&self, key: &str) -> Result<Option<Vec<Interface>>, CloudsError> {
        let Some(words) = self.0.list(key)? else { return Ok(None) };
        let interface = |word: &String| {
            let known = Interface::parse(word);
            known.ok_or_else(|| {
                let problem =
                    format!("unknown interface {word:?}: expected public, internal or admin");
                self.0.wrong(key, problem)
            })
        };
        words.iter().map(interface).collect::<Result<_, _>>().map(Some)
    }

    fn tls(&self) -> Result<CloudTls, CloudsError> {
        let settings = self.0;
        let mut tls = CloudTls {
            insecure: settings.flag("insecure")?.unwrap_or(false),
            cacert: settings.expanded("cacert")?,
            cert: settings.expanded("cert")?,
            key: settings.expanded("key")?,
        };
        // `verify` may be a file of certificates instead of a truth value.
        if let Some(verify) = settings.expanded("verify")? {
            match flag_of(&verify) {
                Some(checks) => tls.insecure |= !checks,
                None => tls.cacert = tls.cacert.or(Some(verify)),
            }
        }
        Ok(tls)
    }

    fn timeout(&self) -> Result<Option<Duration>, CloudsError> {
        let Some(text) = self.0.outer("api_timeout")? else { return Ok(None) };
        let seconds: Option<f64> = text.expose().parse().ok();
        let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let timeout = timeout.filter(|timeout| !timeout.is_zero());
        timeout.map(Some).ok_or_else(|| {
            self.0.wrong("api_timeout", "expected a number of seconds greater than 0")
        })
    }
}

fn takes_scope(identity: &Identity) -> bool {
    !identity.is_application_credential() && !matches!(identity, Identity::V1 { .. })
}

const KINDS: &str = "password, v3password, v2password, token, v3token, v3applicationcredential, \
                     v3totp, v3multifactor, v1password, admin_token, none";

/// The known keys of `auth`.
const KNOWN: &[&str] = &[
    "auth_url",
    "username",
    "user_name",
    "user_id",
    "password",
    "passcode",
    "auth_methods",
    "user_domain_id",
    "user_domain_name",
    "project_id",
    "project_name",
    "tenant_id",
    "tenant_name",
    "project_domain_id",
    "project_domain_name",
    "domain_id",
    "domain_name",
    "default_domain_id",
    "default_domain_name",
    "trust_id",
    "system_scope",
    "token",
    "auth_token",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "endpoint",
    "url",
];
