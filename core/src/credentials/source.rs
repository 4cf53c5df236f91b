//! Sources of keys, as data: what a profile or an environment configures.
//!
//! ```text
//!  AssumeRole { from: AssumeRole { from: Instance } }
//!      └── third          └── second     └── first request
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

/// A source of keys.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// Fixed keys.
    Static(Arc<Keys>),
    /// A command that prints keys. The caller runs it.
    Process(Process),
    /// STS, with a token in a file: "AssumeRoleWithWebIdentity".
    WebIdentity(WebIdentity),
    /// STS, with other keys: "AssumeRole".
    AssumeRole(Box<AssumeRole>),
    /// IAM Identity Center, with the token of a login: "GetRoleCredentials".
    Sso(Sso),
    /// An endpoint of the container that the program runs in.
    Container(Container),
    /// The metadata service of the instance that the program runs on.
    Instance(Instance),
}

/// A command that prints keys: "Sourcing credentials with an external process" of the AWS SDKs and
/// tools reference guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The command and its arguments, quoted as for a shell. No other feature of a shell is
    /// supported.
    pub command: String,
}

/// The endpoint of STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sts {
    /// Its URL.
    pub endpoint: BaseUrl,
    /// The region that requests are signed for.
    pub region: String,
}

impl Sts {
    /// Returns the endpoint of AWS in a region, and without one the global endpoint.
    ///
    /// # Errors
    ///
    /// The region is not a valid name.
    pub fn aws(region: Option<&str>) -> Result<Self, Error> {
        let host = match region {
            Some(region) => format!("sts.{}.{}", named(region)?, s3::dns_suffix(region)),
            None => "sts.amazonaws.com".to_owned(),
        };
        let endpoint = BaseUrl::parse_as(&format!("https://{host}"), "the STS endpoint")?;
        Ok(Self { endpoint, region: region.unwrap_or("us-east-1").to_owned() })
    }

    /// Returns the endpoint at this URL. The default region is `us-east-1`.
    ///
    /// # Errors
    ///
    /// The URL is not a valid http or https URL.
    pub fn at(endpoint: &str, region: Option<&str>) -> Result<Self, Error> {
        let endpoint = BaseUrl::parse_as(endpoint, "the STS endpoint")?;
        Ok(Self { endpoint, region: region.unwrap_or("us-east-1").to_owned() })
    }
}

/// The parameters of "AssumeRole".
#[derive(Clone, Debug)]
pub struct AssumeRole {
    /// The source of the keys that sign the request.
    pub from: Source,
    /// The ARN of the role.
    pub role_arn: String,
    /// The session's name in logs. By default it is made of the time.
    pub session_name: Option<String>,
    /// The external id that the role's owner requires.
    pub external_id: Option<String>,
    /// How long the keys are valid. The default of the service is one hour.
    pub duration: Option<Duration>,
    /// The endpoint of the request.
    pub sts: Sts,
}

/// The parameters of "AssumeRoleWithWebIdentity".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// The ARN of the role.
    pub role_arn: String,
    /// The session's name in logs. By default it is made of the time.
    pub session_name: Option<String>,
    /// The file that holds the token. It is read again for each renewal.
    pub token_file: String,
    /// How long the keys are valid. The default of the service is one hour.
    pub duration: Option<Duration>,
    /// The endpoint of the request.
    pub sts: Sts,
}

/// The parameters of "GetRoleCredentials" of IAM Identity Center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sso {
    /// The account.
    pub account_id: String,
    /// The role in the account.
    pub role_name: String,
    /// The URL of the login.
    pub start_url: String,
    /// The name of the `sso-session`; `None` for a profile of the older kind.
    pub session: Option<String>,
    /// The URL of the portal.
    pub portal: BaseUrl,
    /// The URL of the OIDC service, which renews the token of the login; `None` where the token is
    /// not renewed.
    pub oidc: Option<BaseUrl>,
}

impl Sso {
    /// Returns the path of the file that holds the token of a login. The `~` is the home directory.
    pub fn token_file(&self) -> String {
        let name = self.session.as_ref().unwrap_or(&self.start_url);
        let hash = Sha1::digest(name.as_bytes());
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("~/.aws/sso/cache/{digits}.json")
    }

    /// Returns the portal of AWS in a region.
    ///
    /// # Errors
    ///
    /// The region is not a valid name.
    pub fn portal_of(region: &str) -> Result<BaseUrl, Error> {
        let (region, suffix) = (named(region)?, s3::dns_suffix(region));
        BaseUrl::parse_as(&format!("https://portal.sso.{region}.{suffix}"), "the SSO endpoint")
    }

    /// Returns the OIDC service of AWS in a region.
    ///
    /// # Errors
    ///
    /// The region is not a valid name.
    pub fn oidc_of(region: &str) -> Result<BaseUrl, Error> {
        let (region, suffix) = (named(region)?, s3::dns_suffix(region));
        BaseUrl::parse_as(&format!("https://oidc.{region}.{suffix}"), "the SSO OIDC endpoint")
    }
}

/// The endpoint of a container: "Container credential provider" of the AWS SDKs and tools reference
/// guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub(super) url: String,
    pub(super) authorization: Authorization,
}

/// The value of the header `Authorization` for the endpoint of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// No header.
    None,
    /// This value.
    Token(Secret),
    /// The text of this file. It is read again for each renewal.
    File(String),
}

impl Container {
    /// Creates the endpoint at this URL. Plain http is accepted only for loopback hosts and for the
    /// addresses that ECS and EKS use.
    ///
    /// # Errors
    ///
    /// The URL is invalid, or has plain http and another host.
    pub fn at(url: &str, authorization: Authorization) -> Result<Self, Error> {
        let (before, query) = url.split_once('?').unwrap_or((url, ""));
        let address = BaseUrl::parse_as(before, WHERE)?;
        let secure = before.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("https:"));
        if !secure && !is_near(address.authority()) {
            return Err(Error::invalid_input(format!(
                "{WHERE} uses http, but its host is neither a loopback address nor one of ECS or \
                 EKS: {}",
                address.authority()
            )));
        }
        if query.bytes().any(|byte| byte <= b' ' || byte >= 127 || byte == b'#') {
            return Err(Error::invalid_input(format!("{WHERE} has an invalid query")));
        }
        Ok(Self { url: url.to_owned(), authorization })
    }

    /// Creates the endpoint at this path of `169.254.170.2`, the address that ECS uses.
    ///
    /// # Errors
    ///
    /// The path does not begin with a slash, or the URL is invalid.
    pub fn at_path(path: &str, authorization: Authorization) -> Result<Self, Error> {
        if !path.starts_with('/') {
            return Err(Error::invalid_input(
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash",
            ));
        }
        Self::at(&format!("http://169.254.170.2{path}"), authorization)
    }

    /// Returns the URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the value of the header `Authorization`.
    pub fn authorization(&self) -> &Authorization {
        &self.authorization
    }
}

/// The instance metadata service, version 2: "Use IMDS" of the Amazon EC2 user guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The URL of the service.
    pub endpoint: BaseUrl,
    /// Whether version 1, which has no tokens, is used if there is no version 2.
    pub allow_v1: bool,
}

impl Instance {
    /// Creates the service at this URL, version 2 only.
    ///
    /// # Errors
    ///
    /// The URL is not a valid http or https URL.
    pub fn at(endpoint: &str) -> Result<Self, Error> {
        let endpoint = BaseUrl::parse_as(endpoint, "the instance metadata endpoint")?;
        Ok(Self { endpoint, allow_v1: false })
    }
}

impl Default for Instance {
    /// The service at `http://169.254.169.254`, version 2 only.
    fn default() -> Self {
        Self::at("http://169.254.169.254").expect("a literal URL")
    }
}

impl Source {
    /// Returns the name of the kind of source.
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
    /// Writes, for example, `assume-role from instance`.
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

/// Checks that a region can be a label of a host name.
fn named(region: &str) -> Result<&str, Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if region.is_empty() || region.len() > 63 || !region.bytes().all(fits) {
        return Err(Error::invalid_input(format!("{region:?} is not a valid region")));
    }
    Ok(region)
}

/// Returns whether the host is a loopback host, or an address at which ECS and EKS return keys.
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

/// The IPv4 addresses at which ECS and EKS return keys.
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
