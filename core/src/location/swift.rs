//! Locations in Swift.

use std::fmt;

use super::error::{LocationError, Problem};
use super::name;
use super::place::Place;
use super::reading::{Reading, decide, readings, split_scheme};
use crate::base_url::BaseUrl;
use crate::escape;
use crate::secret::Secret;

/// The scheme of a location in Swift. `swift` is TLS, as in older versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SwiftScheme {
    /// `swift`.
    Swift,
    /// `swift+http`.
    Http,
    /// `swift+https`.
    Https,
    /// `swift+config`: the host is the name of a configured reference.
    Config,
}

impl SwiftScheme {
    /// Returns whether the connection is encrypted: for `swift+config`, the reference decides
    /// instead.
    pub fn is_tls(self) -> bool {
        self != Self::Http
    }

    /// Returns the scheme as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Swift => "swift",
            Self::Http => "swift+http",
            Self::Https => "swift+https",
            Self::Config => "swift+config",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Swift, Self::Http, Self::Https, Self::Config]
            .into_iter()
            .find(|scheme| scheme.as_str() == text)
    }

    fn implied_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}

/// The place of a configured backend: the auth address of a reference, or a storage URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SwiftPlace {
    tls: bool,
    place: Place,
    /// The reference whose address it is; `None` for a storage URL.
    reference: Option<String>,
}

impl SwiftPlace {
    /// Creates the place at which the reference of this name authenticates.
    pub fn reference(name: impl Into<String>, auth_address: &BaseUrl) -> Self {
        Self { reference: Some(name.into()), ..Self::storage(auth_address) }
    }

    /// Creates the place of a storage URL, which includes the account.
    pub fn storage(url: &BaseUrl) -> Self {
        let place = Place::new(url.host(), url.port(), url.path());
        Self { tls: url.is_tls(), place, reference: None }
    }

    /// Returns the name of the reference.
    pub fn name(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// Returns whether a location is on the server of this place: scheme class, host and port are
    /// equal.
    pub fn is_server_of(&self, scheme: SwiftScheme, place: &Place) -> bool {
        scheme != SwiftScheme::Config
            && self.tls == scheme.is_tls()
            && self.place.is_host_of(place, scheme.implied_port())
    }

    /// Returns whether a location is at this place: scheme class, host, port and prefix are equal.
    pub fn is_at(&self, scheme: SwiftScheme, place: &Place) -> bool {
        self.is_server_of(scheme, place) && self.place.prefix() == place.prefix()
    }

    /// Returns container and object, if `reading` is at this place.
    fn object_of<'a>(
        &self,
        scheme: SwiftScheme,
        reading: &Reading<'a>,
    ) -> Option<(&'a str, &'a str)> {
        if self.tls != scheme.is_tls()
            || !self.place.is_host_of(&reading.place, scheme.implied_port())
        {
            return None;
        }
        let (container, object) = self.place.strip_prefix(reading.path)?.split_once('/')?;
        (!container.is_empty() && !object.is_empty()).then_some((container, object))
    }
}

/// The place of a location's container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SwiftAt {
    /// The reference of this name, which has the address and the credentials.
    Reference(String),
    /// The address of Keystone. The account is that of the reference with this address, or of the
    /// credentials in an old location.
    Auth(Place),
    /// The storage URL of an account, which a store for several tenants writes.
    Storage(Place),
}

/// The credentials in an old location, before its `@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwiftCredentials {
    /// The project, if one is written before the user.
    pub tenant: Option<String>,
    /// The user.
    pub user: String,
    /// The password.
    pub key: Secret,
}

/// The location of an object in Swift. It has no field for credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SwiftLocation {
    scheme: SwiftScheme,
    at: SwiftAt,
    container: String,
    object: String,
    tail: String,
}

impl SwiftLocation {
    /// Creates the location of an object with this reference, as a store for one tenant writes it.
    pub fn of_reference(
        reference: impl Into<String>,
        container: impl Into<String>,
        object: impl Into<String>,
    ) -> Self {
        Self {
            scheme: SwiftScheme::Config,
            at: SwiftAt::Reference(reference.into()),
            container: container.into(),
            object: object.into(),
            tail: String::new(),
        }
    }

    /// Creates the location of an object with this storage URL, as a store for several tenants
    /// writes it.
    pub fn of_storage_url(
        url: &BaseUrl,
        container: impl Into<String>,
        object: impl Into<String>,
    ) -> Self {
        Self {
            scheme: if url.is_tls() { SwiftScheme::Https } else { SwiftScheme::Http },
            at: SwiftAt::Storage(Place::new(url.host(), url.port(), url.path())),
            container: container.into(),
            object: object.into(),
            tail: String::new(),
        }
    }

    /// Reads a location, and the credentials that an old one includes. `known` are the addresses
    /// and storage URLs of the configured backends, which decide between several readings. Without
    /// them, the path up to the version (`/v3`; for `/v1`, with the account after it) belongs to
    /// the address, and a user cannot have a `/`.
    ///
    /// ```
    /// use apus_core::location::SwiftLocation;
    ///
    /// let old = "swift+https://service:glance:pa%3Ass@keystone.example/v3/glance/0e0b3f0c";
    /// let (location, credentials) = SwiftLocation::parse(old, &[])?;
    /// assert_eq!(location.container(), "glance");
    /// let credentials = credentials.unwrap();
    /// assert_eq!((credentials.tenant.as_deref(), &*credentials.user), (Some("service"), "glance"));
    /// assert_eq!(credentials.key.expose(), "pa:ss");
    /// # Ok::<(), apus_core::location::LocationError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The problem of the text and its position. The error shows nothing of the text.
    pub fn parse(
        text: &str,
        known: &[SwiftPlace],
    ) -> Result<(Self, Option<SwiftCredentials>), LocationError> {
        let (scheme, rest, at) = split_scheme(text)?;
        let Some(scheme) = SwiftScheme::read(&scheme) else {
            return Err(LocationError::new(Problem::UnknownScheme, 0));
        };
        if scheme == SwiftScheme::Config {
            return Self::parse_reference(rest, at).map(|location| (location, None));
        }
        let readings = readings(rest, at, is_pair)?;
        let (reading, found) = decide(
            readings,
            at,
            |reading| {
                known.iter().find_map(|place| {
                    let (container, object) = place.object_of(scheme, reading)?;
                    let is_auth = place.reference.is_some();
                    Some((place.place.prefix().to_owned(), container, object, is_auth))
                })
            },
            |reading| reading.credentials.is_none_or(|text| !user(text).contains('/')),
            by_shape,
        )?;
        let (prefix, container, object, is_auth) = found;
        let place = Place::new(reading.place.host(), reading.place.port(), prefix);
        let credentials = match reading.credentials {
            Some(text) => credentials(text, at)?,
            None => None,
        };
        let location = Self {
            scheme,
            at: if is_auth || credentials.is_some() {
                SwiftAt::Auth(place)
            } else {
                SwiftAt::Storage(place)
            },
            container: container.to_owned(),
            object: name::read(object),
            tail: reading.tail.to_owned(),
        };
        Ok((location, credentials))
    }

    /// Reads `swift+config://reference/container/object`. A container has no slash, so the rest is
    /// the object.
    fn parse_reference(rest: &str, at: usize) -> Result<Self, LocationError> {
        let wrong = |problem, from| Err(LocationError::new(problem, at + from));
        let (path, tail) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let path = path.trim_end_matches('/');
        let (reference, path) = path.split_once('/').unwrap_or((path, ""));
        if reference.is_empty() {
            return wrong(Problem::NoHost, 0);
        }
        if reference.contains([':', '@']) {
            return wrong(Problem::BadHost, 0);
        }
        let from = reference.len() + 1;
        let (container, object) = path.split_once('/').unwrap_or((path, ""));
        if container.is_empty() {
            return wrong(Problem::NoBucket, from);
        }
        if object.is_empty() {
            return wrong(Problem::NoKey, from + container.len());
        }
        Ok(Self {
            scheme: SwiftScheme::Config,
            at: SwiftAt::Reference(reference.to_owned()),
            container: container.to_owned(),
            object: name::read(object),
            tail: tail.to_owned(),
        })
    }

    /// Returns the scheme.
    pub fn scheme(&self) -> SwiftScheme {
        self.scheme
    }

    /// Returns the place of the container.
    pub fn at(&self) -> &SwiftAt {
        &self.at
    }

    /// Returns whether the location is at this server, written as `host[:port]`. The default port
    /// is that of the scheme.
    pub(crate) fn is_at_host(&self, host: &str) -> bool {
        let (SwiftAt::Auth(place) | SwiftAt::Storage(place)) = &self.at else { return false };
        Place::read(host.trim(), 0)
            .is_ok_and(|host| host.is_host_of(place, self.scheme.implied_port()))
    }

    /// Returns the container.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// Returns the object.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Returns the text from a `?` or `#` after the object. It is kept when the location is
    /// printed, and has no meaning.
    pub fn tail(&self) -> &str {
        &self.tail
    }

    /// Returns the URL of Keystone, or of the account; `None` for a reference.
    pub fn url(&self) -> Option<String> {
        let scheme = if self.scheme.is_tls() { "https" } else { "http" };
        match &self.at {
            SwiftAt::Reference(_) => None,
            SwiftAt::Auth(place) | SwiftAt::Storage(place) => Some(format!("{scheme}://{place}")),
        }
    }

    /// Replaces the place by a configured reference, as for an old location with credentials.
    #[must_use]
    pub fn with_reference(self, reference: impl Into<String>) -> Self {
        Self { scheme: SwiftScheme::Config, at: SwiftAt::Reference(reference.into()), ..self }
    }
}

impl fmt::Display for SwiftLocation {
    /// Writes the location as it is stored, without credentials. There is no other form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        match &self.at {
            SwiftAt::Reference(name) => f.write_str(name)?,
            SwiftAt::Auth(place) | SwiftAt::Storage(place) => write!(f, "{place}")?,
        }
        let mut object = String::with_capacity(self.object.len());
        name::write(&mut object, &self.object);
        write!(f, "/{}/{object}{}", self.container, self.tail)
    }
}

/// Prefix, container, object; whether the address is Keystone's.
type Found<'a> = (String, &'a str, &'a str, bool);

/// Splits the path of a reading that is in no configured backend. The path up to its version
/// belongs to the address, and so does the account after the version. The rest is container and
/// object; without a version, an object with a slash is ambiguous.
fn by_shape<'a>(reading: &Reading<'a>) -> Result<Found<'a>, LocationError> {
    let path = reading.path;
    let wrong = |problem, from| Err(LocationError::new(problem, reading.path_at + from));
    let address = address_end(path);
    let start = if address == 0 { 0 } else { address + 1 };
    let rest = path.get(start..).unwrap_or_default();
    let (container, object) = rest.split_once('/').unwrap_or((rest, ""));
    if container.is_empty() {
        return wrong(Problem::NoBucket, start);
    }
    if object.is_empty() {
        return wrong(Problem::NoKey, start + container.len());
    }
    if address == 0
        && let Some(slash) = object.find('/')
    {
        return wrong(Problem::Ambiguous, start + container.len() + 1 + slash);
    }
    let prefix = path.get(..address).unwrap_or_default();
    Ok((prefix.to_owned(), container, object, false))
}

/// Returns the end of the part of a path that belongs to the address: after the first element that
/// is a version, and after an account that follows it. Returns 0 if there is no version, or if an
/// element before it has characters that a URL escapes.
fn address_end(path: &str) -> usize {
    let mut end = 0;
    let mut elements = path.split('/');
    while let Some(element) = elements.next() {
        if !is_plain(element) {
            return 0;
        }
        end += element.len();
        if is_version(element) {
            let account = elements.next().filter(|next| is_account(next));
            return account.map_or(end, |account| end + 1 + account.len());
        }
        end += 1;
    }
    0
}

/// Returns whether an element of a URL's path is not empty and needs no escapes.
fn is_plain(element: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !element.is_empty() && element.bytes().all(plain)
}

/// Returns whether an element is an account: `AUTH_` and a project, as Swift and Ceph's gateway
/// name accounts. Other resellers have another word before the underscore.
fn is_account(element: &str) -> bool {
    let prefix = element.split_once('_').map_or("", |(prefix, _)| prefix);
    !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Returns whether an element is `v1`, `v1.0`, `v2`, `v2.0` or `v3`.
fn is_version(element: &str) -> bool {
    matches!(element, "v1" | "v1.0" | "v2" | "v2.0" | "v3")
}

/// Returns whether the text is `[TENANT:]USER:KEY`. All are percent-encoded, except for a `/` that
/// old versions left as it is.
fn is_pair(text: &str) -> bool {
    text.contains(':') && !user(text).contains(['?', '#', '@'])
}

/// Returns the text before the first colon: the user, with the tenant if the colon between them is
/// encoded.
fn user(credentials: &str) -> &str {
    credentials.split(':').next().unwrap_or_default()
}

/// Reads the credentials. User and key are split before they are decoded, so that a `%3A` in the
/// key is part of it. In the user it separates the tenant, as the old writer escaped both together.
fn credentials(text: &str, at: usize) -> Result<Option<SwiftCredentials>, LocationError> {
    let bad = LocationError::new(Problem::BadCredentials, at);
    let Some((user, key)) = text.rsplit_once(':') else { return Err(bad) };
    if user.is_empty() && key.is_empty() {
        return Ok(None);
    }
    let user = escape::decode(user).ok_or(bad)?;
    let key = Secret::new(escape::decode(key).ok_or(bad)?);
    let (tenant, user) = match user.split_once(':') {
        Some((tenant, user)) => (Some(tenant.to_owned()), user.to_owned()),
        None => (None, user.into_owned()),
    };
    Ok(Some(SwiftCredentials { tenant, user, key }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> BaseUrl {
        BaseUrl::parse(text).unwrap()
    }

    /// (printed, URL, container, object, tenant, user)
    fn read(text: &str, known: &[SwiftPlace]) -> Result<[String; 6], Problem> {
        let (location, found) =
            SwiftLocation::parse(text, known).map_err(LocationError::problem)?;
        let (tenant, user) = found
            .map_or_else(Default::default, |found| (found.tenant.unwrap_or_default(), found.user));
        let at = location.url().unwrap_or_default();
        let (container, object) = (location.container().to_owned(), location.object().to_owned());
        Ok([location.to_string(), at, container, object, tenant, user])
    }

    #[test]
    fn what_the_old_store_wrote() {
        for (text, expect) in [
            (
                "swift://example.com/images/1",
                ["swift://example.com/images/1", "https://example.com", "images", "1", "", ""],
            ),
            (
                "swift+http://user:pass@authurl.com/images/1",
                [
                    "swift+http://authurl.com/images/1",
                    "http://authurl.com",
                    "images",
                    "1",
                    "",
                    "user",
                ],
            ),
            (
                "swift+https://tenant%3Auser:pa%2Fss@[::1]:5000/identity/v3/glance/1",
                [
                    "swift+https://[::1]:5000/identity/v3/glance/1",
                    "https://[::1]:5000/identity/v3",
                    "glance",
                    "1",
                    "tenant",
                    "user",
                ],
            ),
            (
                "swift+https://tenant:us:er:pass@v1.authurl.com/v1/images/1",
                [
                    "swift+https://v1.authurl.com/v1/images/1",
                    "https://v1.authurl.com/v1",
                    "images",
                    "1",
                    "tenant",
                    "us:er",
                ],
            ),
            (
                "swift+https://host:8080/v1/AUTH_abc/glance_1/1",
                [
                    "swift+https://host:8080/v1/AUTH_abc/glance_1/1",
                    "https://host:8080/v1/AUTH_abc",
                    "glance_1",
                    "1",
                    "",
                    "",
                ],
            ),
            (
                "swift+config://ref1/glance/a/b@c",
                ["swift+config://ref1/glance/a/b@c", "", "glance", "a/b@c", "", ""],
            ),
        ] {
            assert_eq!(read(text, &[]), Ok(expect.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn a_key_keeps_its_colons_and_slashes() {
        for (text, key) in [
            ("swift://t:u:p%3Aw@host/v3/c/o", "p:w"),
            ("swift://t:u:p%2Fw@host/v3/c/o", "p/w"),
            ("swift://t:u:p/w@host/v3/c/o", "p/w"),
            ("swift://t:u:p%40w@host/v3/c/o", "p@w"),
            ("swift://t:u:p@w@host/v3/c/o", "p@w"),
            ("swift://t:u:p?w#@host/v3/c/o", "p?w#"),
        ] {
            let (location, found) = SwiftLocation::parse(text, &[]).unwrap();
            assert_eq!(location.to_string(), "swift://host/v3/c/o", "{text}");
            assert!(matches!(location.at(), SwiftAt::Auth(_)));
            let found = found.unwrap();
            assert_eq!((found.tenant.as_deref(), &*found.user), (Some("t"), "u"), "{text}");
            assert_eq!(found.key.expose(), key, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, problem) in [
            ("swift:host/c/o", Problem::NoScheme),
            ("s3://host/c/o", Problem::UnknownScheme),
            ("swift://user@host/c/o", Problem::BadCredentials),
            ("swift://host/c", Problem::NoKey),
            ("swift://host/", Problem::NoBucket),
            ("swift://host/v3/c", Problem::NoKey),
            ("swift://host/v1/AUTH_a", Problem::NoBucket),
            ("swift:///c/o", Problem::NoHost),
            ("swift://u:k@https://host/c/o", Problem::TwoSchemes),
            ("swift://host/a/b/c", Problem::Ambiguous),
            ("swift://host//v3/c/o", Problem::NoBucket),
            ("swift://host/x@y/v3/c/o", Problem::Ambiguous),
            ("swift://u:%FF@host/c/o", Problem::BadCredentials),
            ("swift+config://", Problem::NoHost),
            ("swift+config://ref", Problem::NoBucket),
            ("swift+config://ref//o", Problem::NoBucket),
            ("swift+config://ref/c", Problem::NoKey),
            ("swift+config://u:k@ref/c/o", Problem::BadHost),
        ] {
            assert_eq!(read(text, &[]), Err(problem), "{text}");
        }
    }

    #[test]
    fn configured_addresses_decide() {
        let known = [
            SwiftPlace::reference("ref1", &url("https://keystone.example/gate/way")),
            SwiftPlace::storage(&url("http://swift.example:8080/v1/tenant")),
        ];
        let (location, found) =
            SwiftLocation::parse("swift://t:u:a/b@keystone.example/gate/way/c/o/p", &known)
                .unwrap();
        assert_eq!((location.container(), location.object()), ("c", "o/p"));
        assert!(found.is_some());
        let reference = known[0].name().unwrap();
        assert_eq!(location.with_reference(reference).to_string(), "swift+config://ref1/c/o/p");
        let text = "swift+http://swift.example:8080/v1/tenant/c/o";
        let (location, _) = SwiftLocation::parse(text, &known).unwrap();
        assert_eq!(location.url().unwrap(), "http://swift.example:8080/v1/tenant");
        assert!(matches!(location.at(), SwiftAt::Storage(_)));
    }

    proptest! {
        #[test]
        fn every_object_comes_back(
            object in "([%235F/?#@:a-b\n]|\\PC){1,24}",
            key in "([/:@?#%a]|\\PC){0,12}",
        ) {
            let storage = url("https://swift.example/v1/AUTH_abc");
            for location in [
                SwiftLocation::of_reference("ref1", "images", object.as_str()),
                SwiftLocation::of_storage_url(&storage, "images", object.as_str()),
            ] {
                let known = [SwiftPlace::storage(&storage)];
                let (back, found) = SwiftLocation::parse(&location.to_string(), &known).unwrap();
                prop_assert!(found.is_none());
                prop_assert_eq!(&back, &location);
            }
            // As the old store wrote it: all characters but the slash are escaped.
            let written = escape::path(&key);
            let text = format!("swift+https://service%3Aglance:{written}@auth.example/v3/images/1");
            let known = [SwiftPlace::reference("r", &url("https://auth.example/v3"))];
            let (location, found) = SwiftLocation::parse(&text, &known).unwrap();
            prop_assert_eq!(location.to_string(), "swift+https://auth.example/v3/images/1");
            let key = Secret::new(key);
            prop_assert_eq!(found.unwrap().key, key);
        }

        #[test]
        fn no_text_panics_and_what_is_read_is_read_again(
            text in "(swift|swift\\+http|swift\\+config)://([:@/?#%\\[\\]0-9a-cv.]|\\PC){0,40}",
        ) {
            let known = [SwiftPlace::reference("r", &url("http://a/v3"))];
            if let Ok((location, _)) = SwiftLocation::parse(&text, &known) {
                let (again, found) = SwiftLocation::parse(&location.to_string(), &known).unwrap();
                prop_assert_eq!(again.to_string(), location.to_string());
                prop_assert!(found.is_none());
            }
        }
    }
}
