//! Locations in S3.

use std::fmt;

use super::error::{LocationError, Problem};
use super::name;
use super::place::Place;
use super::reading::{Reading, decide, readings, split_scheme};
use crate::base_url::BaseUrl;
use crate::secret::Secret;
use crate::sign::Keys;

/// The scheme of a location in S3. `s3` is plain HTTP, as in older versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum S3Scheme {
    /// `s3`.
    S3,
    /// `s3+http`.
    Http,
    /// `s3+https`.
    Https,
}

impl S3Scheme {
    /// Returns whether the connection is encrypted.
    pub fn is_tls(self) -> bool {
        self == Self::Https
    }

    /// Returns the scheme as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Http => "s3+http",
            Self::Https => "s3+https",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::S3, Self::Http, Self::Https].into_iter().find(|scheme| scheme.as_str() == text)
    }

    fn implied_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}

/// A bucket of a configured backend, with which locations are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct S3Place {
    tls: bool,
    /// Whether locations that say plain HTTP are in it too.
    takes_plain: bool,
    place: Place,
    bucket: String,
}

impl S3Place {
    /// Creates the place of this bucket at this endpoint.
    ///
    /// Amazon's buckets are the same over http and https, and the old store wrote `s3://` for a host
    /// without a scheme: such a location is in the place of an https endpoint of Amazon too.
    pub fn new(endpoint: &BaseUrl, bucket: impl Into<String>) -> Self {
        let place = Place::new(endpoint.host(), endpoint.port(), endpoint.path());
        let takes_plain = endpoint.is_tls() && endpoint.is_aws();
        Self { tls: endpoint.is_tls(), takes_plain, place, bucket: bucket.into() }
    }

    /// Returns the location of this key in the bucket, as it is stored after an upload.
    pub fn location(&self, key: impl Into<String>) -> S3Location {
        S3Location {
            scheme: if self.tls { S3Scheme::Https } else { S3Scheme::S3 },
            place: self.place.clone(),
            bucket: self.bucket.clone(),
            key: key.into(),
            tail: String::new(),
        }
    }

    /// Returns the prefix of every location in the bucket, without credentials:
    /// `s3+https://host/bucket/`.
    pub fn prefix(&self) -> String {
        let scheme = if self.tls { S3Scheme::Https } else { S3Scheme::S3 };
        format!("{}://{}/{}/", scheme.as_str(), self.place, self.bucket)
    }

    /// Returns whether `location` is in the bucket: scheme class, host, port, prefix and bucket are
    /// all equal.
    pub fn holds(&self, location: &S3Location) -> bool {
        self.is_at(location) && self.bucket == location.bucket
    }

    /// Returns whether `location` is at the endpoint of the bucket: scheme class, host, port and
    /// prefix are equal.
    pub fn is_at(&self, location: &S3Location) -> bool {
        self.is_server_of(location.scheme, &location.place)
            && self.place.prefix() == location.place.prefix()
    }

    /// Returns whether `location` is at the host of the bucket, whatever its scheme and port.
    pub(crate) fn has_host_of(&self, location: &S3Location) -> bool {
        self.place.host().eq_ignore_ascii_case(location.place.host())
    }

    fn is_server_of(&self, scheme: S3Scheme, place: &Place) -> bool {
        if self.tls == scheme.is_tls() {
            return self.place.is_host_of(place, scheme.implied_port());
        }
        let is_implied = |place: &Place, scheme: S3Scheme| {
            place.port().is_none_or(|port| port == scheme.implied_port())
        };
        self.takes_plain
            && self.place.host().eq_ignore_ascii_case(place.host())
            && is_implied(&self.place, S3Scheme::Https)
            && is_implied(place, scheme)
    }

    /// Returns the key, if `reading` is in the bucket.
    fn key_of<'a>(&self, scheme: S3Scheme, reading: &Reading<'a>) -> Option<&'a str> {
        if !self.is_server_of(scheme, &reading.place) {
            return None;
        }
        let key = self
            .place
            .strip_prefix(reading.path)?
            .strip_prefix(self.bucket.as_str())?
            .strip_prefix('/')?;
        (!key.is_empty()).then_some(key)
    }
}

/// The location of an object in S3. It has no field for credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct S3Location {
    scheme: S3Scheme,
    place: Place,
    bucket: String,
    key: String,
    tail: String,
}

impl S3Location {
    /// Reads a location, and the keys that an old one includes. `known` are the buckets of the
    /// configured backends, which decide between several readings.
    ///
    /// ```
    /// use apus_core::location::S3Location;
    ///
    /// let old = "s3+https://AKID:se/cr:et@objects.example:9000/images/0e0b3f0c";
    /// let (location, keys) = S3Location::parse(old, &[])?;
    /// assert_eq!(location.to_string(), "s3+https://objects.example:9000/images/0e0b3f0c");
    /// assert_eq!(keys.unwrap().access_key.as_ref(), "AKID");
    /// # Ok::<(), apus_core::location::LocationError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The problem of the text and its position. The error shows nothing of the text.
    pub fn parse(text: &str, known: &[S3Place]) -> Result<(Self, Option<Keys>), LocationError> {
        let (location, found) = Self::read(text, known)?;
        Ok((location, found.and_then(keys)))
    }

    /// As [`parse`](Self::parse), but returns the text of the credentials, which is `:` if both are
    /// empty.
    pub(crate) fn read<'a>(
        text: &'a str,
        known: &[S3Place],
    ) -> Result<(Self, Option<&'a str>), LocationError> {
        let (scheme, rest, at) = split_scheme(text)?;
        let Some(scheme) = S3Scheme::read(&scheme) else {
            return Err(LocationError::new(Problem::UnknownScheme, 0));
        };
        let readings = readings(rest, at, is_pair)?;
        let (reading, (prefix, bucket, key)) = decide(
            readings,
            at,
            |reading| {
                known.iter().find_map(|place| {
                    let key = place.key_of(scheme, reading)?;
                    Some((place.place.prefix().to_owned(), place.bucket.clone(), key))
                })
            },
            |_| true,
            by_shape,
        )?;
        let location = Self {
            scheme,
            place: Place::new(reading.place.host(), reading.place.port(), prefix),
            bucket,
            key: name::read(key),
            tail: reading.tail.to_owned(),
        };
        Ok((location, reading.credentials))
    }

    /// Returns the location with the scheme of the place that it is in, if that has TLS.
    pub(crate) fn over_tls_of(self, place: &S3Place) -> Self {
        if self.scheme.is_tls() || !place.tls {
            return self;
        }
        let place = Place::new(self.place.host(), None, self.place.prefix());
        Self { scheme: S3Scheme::Https, place, ..self }
    }

    /// Returns the scheme.
    pub fn scheme(&self) -> S3Scheme {
        self.scheme
    }

    /// Returns the server.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns whether the location is at this server, `host[:port]`. The default port is that of
    /// the scheme.
    pub(crate) fn is_at_host(&self, host: &str) -> bool {
        Place::read(host.trim(), 0)
            .is_ok_and(|place| place.is_host_of(&self.place, self.scheme.implied_port()))
    }

    /// Returns the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the text from a `?` or `#` after the key. It is kept when the location is printed,
    /// and has no meaning.
    pub fn tail(&self) -> &str {
        &self.tail
    }
}

impl fmt::Display for S3Location {
    /// Writes the location as it is stored, without credentials. There is no other form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = String::with_capacity(self.key.len());
        name::write(&mut key, &self.key);
        let (scheme, tail) = (self.scheme.as_str(), &self.tail);
        write!(f, "{scheme}://{}/{}/{key}{tail}", self.place, self.bucket)
    }
}

/// Splits the path of a reading that is in no configured backend. A path of two elements is a
/// bucket and a key. In a longer one, the endpoint may have a prefix, or the key a slash: it is
/// ambiguous.
fn by_shape<'a>(reading: &Reading<'a>) -> Result<(String, String, &'a str), LocationError> {
    let at = reading.path_at;
    let Some((bucket, key)) = reading.path.split_once('/') else {
        return Err(LocationError::new(Problem::NoKey, at + reading.path.len()));
    };
    if bucket.is_empty() {
        return Err(LocationError::new(Problem::NoBucket, at));
    }
    if let Some(slash) = key.find('/') {
        return Err(LocationError::new(Problem::Ambiguous, at + bucket.len() + 1 + slash));
    }
    Ok((String::new(), bucket.to_owned(), key))
}

/// Returns whether the text is `ACCESS:SECRET`. The secret may have any characters.
fn is_pair(text: &str) -> bool {
    text.split_once(':').is_some_and(|(access, _)| !access.contains(['/', '?', '#', '@']))
}

/// Returns the keys, and `None` if both are empty, as in `:@`.
pub(crate) fn keys(text: &str) -> Option<Keys> {
    let (access, secret) = text.split_once(':')?;
    let present = !access.is_empty() || !secret.is_empty();
    present.then(|| Keys::new(access, Secret::new(secret)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(endpoint: &str, bucket: &str) -> S3Place {
        S3Place::new(&BaseUrl::parse(endpoint).unwrap(), bucket)
    }

    /// (host and prefix, bucket, key, access key)
    fn read(text: &str, known: &[S3Place]) -> Result<[String; 4], Problem> {
        let (location, keys) = S3Location::parse(text, known).map_err(LocationError::problem)?;
        let access = keys.map_or(String::new(), |keys| keys.access_key.to_string());
        let place = location.place().to_string();
        Ok([place, location.bucket().into(), location.key().into(), access])
    }

    #[test]
    fn locations_without_credentials() {
        for (text, expect) in [
            ("s3://host/bucket/key", ["host", "bucket", "key", ""]),
            ("S3+HTTPS://Host:9000/b/k", ["Host:9000", "b", "k", ""]),
            ("s3+http://[::1]:9000/b/k", ["[::1]:9000", "b", "k", ""]),
            ("s3://host/b/k/", ["host", "b", "k", ""]),
            ("s3://host/b/a@c", ["host", "b", "a@c", ""]),
            ("s3://host/b/k%20y", ["host", "b", "k%20y", ""]),
            ("s3://host/b/k?versionId=1", ["host", "b", "k", ""]),
        ] {
            assert_eq!(read(text, &[]), Ok(expect.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn old_locations_give_up_their_credentials() {
        for (text, location, access, secret) in [
            ("s3://K:S@host/b/k", "s3://host/b/k", "K", "S"),
            ("s3://K:a/b/c@host/b/k", "s3://host/b/k", "K", "a/b/c"),
            ("s3+https://K:p@ss@host:9000/b/k", "s3+https://host:9000/b/k", "K", "p@ss"),
            ("s3://K:S:T@host/b/k", "s3://host/b/k", "K", "S:T"),
            ("s3://K:S?z@host/b/k", "s3://host/b/k", "K", "S?z"),
            ("s3://K:S#z@host/b/k", "s3://host/b/k", "K", "S#z"),
            ("s3://K:S%2F@host/b/k", "s3://host/b/k", "K", "S%2F"),
            ("s3://K:S@host/b/k@v", "s3://host/b/k@v", "K", "S"),
            ("s3://K:S@host/b/k?versionId=1", "s3://host/b/k?versionId=1", "K", "S"),
        ] {
            let (read, keys) = S3Location::parse(text, &[]).unwrap();
            let keys = keys.unwrap();
            assert_eq!(read.to_string(), location, "{text}");
            assert_eq!(keys.access_key.as_ref(), access, "{text}");
            assert_eq!(&keys.secret_key, &Secret::new(secret), "{text}");
        }
        let (location, keys) = S3Location::parse("s3://:@host/b/k", &[]).unwrap();
        assert!(keys.is_none() && location.to_string() == "s3://host/b/k");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, problem, at) in [
            ("host/b/k", Problem::NoScheme, 0),
            ("http://host/b/k", Problem::UnknownScheme, 0),
            ("s3://host/b", Problem::NoKey, 11),
            ("s3://host/b/", Problem::NoKey, 11),
            ("s3://host", Problem::NoBucket, 9),
            ("s3://host/", Problem::NoBucket, 10),
            ("s3://host//k", Problem::NoBucket, 10),
            ("s3:///b/k", Problem::NoHost, 5),
            ("s3://", Problem::NoHost, 5),
            ("s3://K@host/b/k", Problem::BadCredentials, 5),
            ("s3://K:S@https://host/b/k", Problem::TwoSchemes, 9),
            ("s3://[::1/b/k", Problem::BadHost, 5),
            ("s3://host:x/b/k", Problem::BadPort, 9),
            ("s3://host/pre/b/k", Problem::Ambiguous, 15),
            ("s3://host:1/b/c:d@other/b/k", Problem::Ambiguous, 5),
        ] {
            let error = S3Location::parse(text, &[]).unwrap_err();
            assert_eq!((error.problem(), error.at()), (problem, at), "{text}");
        }
        let long = format!("s3://host/b/{}", "k".repeat(20_000));
        assert_eq!(read(&long, &[]), Err(Problem::TooLong));
    }

    #[test]
    fn configured_backends_decide() {
        let known = [
            place("http://host", "b"),
            place("http://gateway:9000/s3/v1", "images"),
            place("https://host:8443", "b"),
        ];
        for (text, expect) in [
            ("s3://host/b/a/c", ["host", "b", "a/c", ""]),
            ("s3://host:80/b//k", ["host:80", "b", "/k", ""]),
            ("s3://HOST/b/a@c/d", ["HOST", "b", "a@c/d", ""]),
            ("s3://gateway:9000/s3/v1/images/k", ["gateway:9000/s3/v1", "images", "k", ""]),
            ("s3+https://K:S@host:8443/b/x/y", ["host:8443", "b", "x/y", "K"]),
            // Port and path, or the key id and the secret of a location at `other`?
            ("s3://host:80/b/c:d@other/b/k", ["host:80", "b", "c:d@other/b/k", ""]),
            ("s3://K:1/x@host/b/k", ["host", "b", "k", "K"]),
        ] {
            assert_eq!(read(text, &known), Ok(expect.map(str::to_owned)), "{text}");
        }
        // At Amazon, a location that says plain HTTP is in the bucket as well.
        let amazon = [place("https://s3.amazonaws.com", "b")];
        for (text, host) in [
            ("s3://K:S@s3.amazonaws.com/b/a/c", "s3.amazonaws.com"),
            ("s3+http://K:S@S3.amazonaws.com:80/b/a/c", "S3.amazonaws.com:80"),
            ("s3+https://K:S@s3.amazonaws.com:443/b/a/c", "s3.amazonaws.com:443"),
        ] {
            assert_eq!(read(text, &amazon), Ok([host, "b", "a/c", "K"].map(str::to_owned)));
        }
        for text in ["s3://K:S@s3.amazonaws.com:443/b/a/c", "s3://K:S@s3.amazonaws.com:8080/b/a/c"]
        {
            assert_eq!(read(text, &amazon), Err(Problem::Ambiguous), "{text}");
        }
        let plain = [place("http://s3.amazonaws.com", "b")];
        assert_eq!(read("s3+https://s3.amazonaws.com/b/a/c", &plain), Err(Problem::Ambiguous));
        // A bucket that only begins with the name of the configured one does not match.
        assert_eq!(read("s3://host/b2/a/c", &known), Err(Problem::Ambiguous));
        assert_eq!(read("s3+https://host/b/a/c", &known), Err(Problem::Ambiguous));
        // Two readings in one backend.
        assert_eq!(read("s3://K:S@host/b/@host/b/k", &known), Err(Problem::Ambiguous));
    }

    #[test]
    fn nothing_printed_holds_a_secret() {
        let text = "s3://AKIDSECRET:topsecret@host/b/k";
        let (location, keys) = S3Location::parse(text, &[]).unwrap();
        let shown = format!("{location} {location:?} {keys:?}");
        assert!(!shown.contains("topsecret"), "{shown}");
        let error = S3Location::parse("s3://AKID:topsecret@host/b", &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("topsecret"));
    }

    proptest! {
        #[test]
        fn every_key_comes_back(
            key in "([%235F/?#@:a-b\n]|\\PC){1,24}",
            secret in "([/:@?#%a]|\\PC){1,12}",
            prefix in "(pre/fix)?",
        ) {
            let endpoint = format!("https://objects.example:9000/{prefix}");
            let place = place(&endpoint, "images");
            let location = place.location(key.as_str());
            let text = location.to_string();
            let known = std::slice::from_ref(&place);
            prop_assert!(text.starts_with(&place.prefix()));
            prop_assert!(place.holds(&location));
            let (back, keys) = S3Location::parse(&text, known).unwrap();
            prop_assert!(keys.is_none());
            prop_assert_eq!(&back, &location);
            let old = text.replacen("://", &format!("://AKID:{secret}@"), 1);
            // A key or secret that holds a whole location of this backend is ambiguous.
            if let Ok((back, keys)) = S3Location::parse(&old, known) {
                prop_assert_eq!(&back, &location);
                prop_assert_eq!(&keys.unwrap().secret_key, &Secret::new(secret));
            } else {
                prop_assert!(old.matches("objects.example").count() > 1);
            }
        }

        #[test]
        fn no_text_panics_and_what_is_read_is_read_again(
            text in "(s3|s3\\+https)://([:@/?#%\\[\\]0-9a-c.]|\\PC){0,40}",
        ) {
            let known = [place("http://a", "b"), place("https://a:1/c", "b")];
            if let Ok((location, _)) = S3Location::parse(&text, &known) {
                let (again, keys) = S3Location::parse(&location.to_string(), &known).unwrap();
                prop_assert_eq!(again, location);
                prop_assert!(keys.is_none());
            }
        }
    }
}
