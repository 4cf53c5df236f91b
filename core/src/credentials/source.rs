//! Sources of keys, as data: what a profile or an environment comes to.
//!
//! ```text
//!  AssumeRole { from: AssumeRole { from: Instance } }
//!      └── last ask      └── then       └── first
//! ```

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha1::{Digest, Sha1};

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::s3;
use crate::secret::Secret;
use crate::sign::Keys;

/// Where keys come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// They are here.
    Static(Arc<Keys>),
    /// A command that the caller runs prints them.
    Process(Process),
    /// STS gives them for a token in a file: "AssumeRoleWithWebIdentity".
    WebIdentity(WebIdentity),
    /// STS gives them for other keys: "AssumeRole".
    AssumeRole(Box<AssumeRole>),
    /// IAM Identity Center gives them for the token of a login: "GetRoleCredentials".
    Sso(Sso),
    /// The container that the program runs in has an endpoint for them.
    Container(Container),
    /// The instance metadata service gives them to who runs on the instance.
    Instance(Instance),
}

/// A command that prints keys: "Sourcing credentials with an external process" of the AWS SDKs and
/// tools reference guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The command and its arguments, quoted as a shell would have it, without any other feature of
    /// one.
    pub command: String,
}

/// Where STS is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sts {
    /// Its URL.
    pub endpoint: BaseUrl,
    /// The region that requests are signed for.
    pub region: String,
}

impl Sts {
    /// That of AWS in a region; without one, the global one.
    ///
    /// # Errors
    ///
    /// The region is no name of one.
    pub fn aws(region: Option<&str>) -> Result<Self, Error> {
        let host = match region {
            Some(region) => format!("sts.{}.{}", named(region)?, s3::dns_suffix(region)),
            None => "sts.amazonaws.com".to_owned(),
        };
        let endpoint = BaseUrl::parse_as(&format!("https://{host}"), "the STS endpoint")?;
        Ok(Self { endpoint, region: region.unwrap_or("us-east-1").to_owned() })
    }

    /// Another one.
    ///
    /// # Errors
    ///
    /// It is no http or https URL.
    pub fn at(endpoint: &str, region: Option<&str>) -> Result<Self, Error> {
        let endpoint = BaseUrl::parse_as(endpoint, "the STS endpoint")?;
        Ok(Self { endpoint, region: region.unwrap_or("us-east-1").to_owned() })
    }
}

/// What "AssumeRole" is asked for.
#[derive(Clone, Debug)]
pub struct AssumeRole {
    /// The keys that ask.
    pub from: Source,
    /// The role.
    pub role_arn: String,
    /// The name that the session gets in logs; one is made where there is none.
    pub session_name: Option<String>,
    /// What the role's owner wants to be told.
    pub external_id: Option<String>,
    /// How long the keys shall live; the service says an hour by itself.
    pub duration: Option<Duration>,
    /// Whom to ask.
    pub sts: Sts,
}

/// What "AssumeRoleWithWebIdentity" is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// The role.
    pub role_arn: String,
    /// The name that the session gets in logs; one is made where there is none.
    pub session_name: Option<String>,
    /// The file that holds the token. It is read again for each renewal.
    pub token_file: String,
    /// How long the keys shall live; the service says an hour by itself.
    pub duration: Option<Duration>,
    /// Whom to ask.
    pub sts: Sts,
}

/// What IAM Identity Center is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sso {
    /// The account.
    pub account_id: String,
    /// The role in it.
    pub role_name: String,
    /// Where the login is made.
    pub start_url: String,
    /// The name of the `sso-session`; none for a profile of the older kind.
    pub session: Option<String>,
    /// Where the portal is.
    pub portal: BaseUrl,
}

impl Sso {
    /// The file that a login leaves its token in; the `~` is the home directory.
    pub fn token_file(&self) -> String {
        let name = self.session.as_ref().unwrap_or(&self.start_url);
        let hash = Sha1::digest(name.as_bytes());
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("~/.aws/sso/cache/{digits}.json")
    }

    /// The portal of AWS in a region.
    ///
    /// # Errors
    ///
    /// The region is no name of one.
    pub fn portal_of(region: &str) -> Result<BaseUrl, Error> {
        let (region, suffix) = (named(region)?, s3::dns_suffix(region));
        BaseUrl::parse_as(&format!("https://portal.sso.{region}.{suffix}"), "the SSO endpoint")
    }
}

/// The endpoint of a container: "Container credential provider" of the AWS SDKs and tools reference
/// guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub(super) url: String,
    pub(super) authorization: Authorization,
}

/// What the endpoint of a container wants in the header `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Nothing.
    None,
    /// This.
    Token(Secret),
    /// What is in this file. It is read again for each renewal.
    File(String),
}

impl Container {
    /// The endpoint at this URL: of https, or a host that can't be but near.
    ///
    /// # Errors
    ///
    /// It is no URL, or one of http at another host.
    pub fn at(url: &str, authorization: Authorization) -> Result<Self, Error> {
        let (before, query) = url.split_once('?').unwrap_or((url, ""));
        let address = BaseUrl::parse_as(before, WHERE)?;
        let secure = before.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("https:"));
        if !secure && !is_near(address.authority()) {
            return Err(Error::caller(format!(
                "{WHERE} is of http, and its host is neither a loopback address nor one of a \
                 container's: {}",
                address.authority()
            )));
        }
        if query.bytes().any(|byte| byte <= b' ' || byte >= 127 || byte == b'#') {
            return Err(Error::caller(format!("{WHERE} has a query that is none")));
        }
        Ok(Self { url: url.to_owned(), authorization })
    }

    /// The endpoint at this path of the host that containers have it at, `169.254.170.2`.
    ///
    /// # Errors
    ///
    /// It is no path.
    pub fn at_path(path: &str, authorization: Authorization) -> Result<Self, Error> {
        if !path.starts_with('/') {
            return Err(Error::caller(
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash",
            ));
        }
        Self::at(&format!("http://169.254.170.2{path}"), authorization)
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it wants in the header `Authorization`.
    pub fn authorization(&self) -> &Authorization {
        &self.authorization
    }
}

/// The instance metadata service, version 2: "Use IMDS" of the Amazon EC2 user guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where it is.
    pub endpoint: BaseUrl,
    /// Whether version 1, which has no tokens, is asked where there is no version 2.
    pub allow_v1: bool,
}

impl Instance {
    /// The service at this URL, version 2 only.
    ///
    /// # Errors
    ///
    /// It is no http or https URL.
    pub fn at(endpoint: &str) -> Result<Self, Error> {
        let endpoint = BaseUrl::parse_as(endpoint, "the instance metadata endpoint")?;
        Ok(Self { endpoint, allow_v1: false })
    }
}

impl Default for Instance {
    /// At `http://169.254.169.254`, version 2 only.
    fn default() -> Self {
        Self::at("http://169.254.169.254").expect("a literal URL")
    }
}

impl Source {
    /// What it is, in a word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Static(_) => "static",
            Self::Process(_) => "process",
            Self::WebIdentity(_) => "web-identity",
            Self::AssumeRole(_) => "assume-role",
            Self::Sso(_) => "sso",
            Self::Container(_) => "container",
            Self::Instance(_) => "instance",
        }
    }
}

impl fmt::Display for Source {
    /// `assume-role from instance`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut source = self;
        while let Self::AssumeRole(role) = source {
            source = &role.from;
            write!(f, " from {}", source.name())?;
        }
        Ok(())
    }
}

/// A region as a part of a host's name.
fn named(region: &str) -> Result<&str, Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if region.is_empty() || region.len() > 63 || !region.bytes().all(fits) {
        return Err(Error::caller(format!("{region:?} is no region")));
    }
    Ok(region)
}

/// Whether a host is this one's own, or one that containers are given their keys by.
fn is_near(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let (v4, v6) = (host.parse::<Ipv4Addr>(), host.parse::<Ipv6Addr>());
    let near = |it: Ipv6Addr| it.is_loopback() || it == EKS_V6;
    v4.is_ok_and(|it| it.is_loopback())
        || v6.is_ok_and(near)
        || host.eq_ignore_ascii_case("localhost")
        || NEAR.contains(&host)
}

/// What ECS and EKS give keys at.
const NEAR: [&str; 2] = ["169.254.170.2", "169.254.170.23"];
/// `fd00:ec2::23`
const EKS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);
const WHERE: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

#[cfg(test)]
mod tests {
    use super::*;

    /// As botocore 1.44 decides.
    #[test]
    fn a_container_is_asked_over_http_only_where_it_is_near() {
        for (url, allowed) in [
            ("https://example.com/keys", true),
            ("http://127.0.0.1:1338/x?id=1", true),
            ("http://127.8.8.8/", true),
            ("http://[::1]:80/", true),
            ("http://localhost/", true),
            ("http://169.254.170.2/v2", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://169.254.169.254/", false),
            ("http://example.com/", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://localhost.example.com/", false),
            ("http://user@127.0.0.1/", false),
            ("http://2130706433/", false),
            ("ftp://127.0.0.1/", false),
            ("http://127.0.0.1/#x", false),
            ("http://127.0.0.1/?a b", false),
        ] {
            let at = Container::at(url, Authorization::None);
            assert_eq!(at.is_ok(), allowed, "{url}: {at:?}");
        }
        assert!(Container::at_path("@example.com/", Authorization::None).is_err());
        let at = Container::at_path("/v2/credentials/1", Authorization::None).unwrap();
        assert_eq!(at.url(), "http://169.254.170.2/v2/credentials/1");
    }

    #[test]
    fn a_region_is_no_way_to_another_host() {
        assert_eq!(
            Sts::aws(Some("cn-north-1")).unwrap().endpoint.to_string(),
            "https://sts.cn-north-1.amazonaws.com.cn"
        );
        for region in ["", "a.b", "a/b", "evil.example.com/", "x@y"] {
            assert!(Sts::aws(Some(region)).is_err() && Sso::portal_of(region).is_err());
        }
    }
}
