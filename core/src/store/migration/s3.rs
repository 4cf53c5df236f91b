//! S3 locations.
//!
//! Backends are compared component by component (scheme class, host, port, prefix, bucket), never as
//! text. Key and query are not changed.
//!
//! | the location is | backend | credentials |
//! | --- | --- | --- |
//! | in the bucket of one backend | that one, and `store` becomes its id | its own, or else the backend's |
//! | `s3://` in the bucket of a backend that reaches Amazon over https | that one, and the scheme becomes `s3+https` | the same |
//! | in the bucket of several | the one that `store` names, or else the one with its access key; without a key it is refused | its own, or else the backend's |
//! | at a configured server, in another bucket, without credentials | the one that `store` names; without that it is refused | the backend's |
//! | the same, with the keys of a backend there | that one; of several the one that `store` names | these |
//! | the same, with other keys, whatever `store` names | none | its own |
//! | at another server | none | its own, only if a backend trusts the host, or the caller all hosts |
//!
//! A clean location in a backend's bucket stays with the backend that `store` names, if that one is
//! at the same server.
//!
//! Configured credentials are never sent to a host that only a location names. Credentials are
//! removed from a location only if those of a backend replace them: in the backend's own bucket, or
//! anywhere at its server if they are the backend's own.

use std::collections::BTreeMap;
use std::fmt;

use super::{Migration, Refusal};
use crate::error::Error;
use crate::location::{self, S3Location, S3Place};
use crate::sign::Keys;
use crate::store::config::{Backend, Configuration};

/// The S3 backends, as far as locations are compared with them.
#[derive(Clone, Debug, Default)]
pub struct S3Places {
    places: BTreeMap<String, Known>,
    foreign: bool,
}

/// One backend.
#[derive(Clone, Debug)]
struct Known {
    place: S3Place,
    keys: Option<Keys>,
    /// `host[:port]` of other servers that locations may name.
    trusted: Vec<String>,
}

/// How an S3 location is used.
#[derive(Clone)]
#[non_exhaustive]
pub struct S3Access {
    /// The object.
    pub location: S3Location,
    /// The id of the backend that the object is in; `None` if it is in no backend's bucket, and no
    /// backend's keys are known to replace its own.
    pub backend: Option<String>,
    /// The id of the backend whose connection is used: that one, another at the same server, or the
    /// one that trusts the host. `None` if all hosts are trusted and no backend matches.
    pub via: Option<String>,
    /// The credentials in the location, for this request alone. `None`: those of the backend.
    pub credentials: Option<Keys>,
    /// What to replace the stored location by; `None` if it is up to date.
    pub migration: Option<Migration>,
}

impl S3Places {
    /// Collects the S3 backends of a checked configuration.
    ///
    /// # Errors
    ///
    /// A backend without server or bucket.
    pub fn of(configuration: &Configuration) -> Result<Self, Error> {
        let mut this = Self::default();
        for (id, backend) in &configuration.backends {
            if let Backend::S3(options) = backend {
                let known = Known {
                    place: options.place()?,
                    keys: options.keys(),
                    trusted: options.s3_store_trusted_hosts.clone(),
                };
                this.places.insert(id.clone(), known);
            }
        }
        Ok(this)
    }

    /// Allows locations at servers that are not configured, with the credentials they contain.
    #[must_use]
    pub fn with_foreign_hosts(self) -> Self {
        Self { foreign: true, ..self }
    }

    /// Returns how a location with this `store` in its metadata is used.
    ///
    /// # Errors
    ///
    /// The reason why it is not used. Of the location, it contains only host and bucket.
    pub fn access(&self, url: &str, store: Option<&str>) -> Result<S3Access, Refusal> {
        let known: Vec<S3Place> = self.places.values().map(|known| known.place.clone()).collect();
        let (object, found) = S3Location::read(url, &known).map_err(Refusal::Bad)?;
        let written = object.scheme();
        let credentials = found.and_then(location::keys);
        let (backend, via) = self.backend(&object, credentials.as_ref(), store)?;
        let object = match backend.and_then(|id| self.places.get(id)) {
            Some(known) => object.over_tls_of(&known.place),
            None => object,
        };
        let changes = found.is_some() || store != backend || object.scheme() != written;
        let migration = backend.filter(|_| changes).map(|id| {
            let is_new = found.is_some() || object.scheme() != written;
            let clean = is_new.then(|| object.to_string());
            let migration = Migration::new(url, store, clean, id);
            Migration { credentials_found: found.is_some(), ..migration }
        });
        let (backend, via) = (backend.map(str::to_owned), via.map(str::to_owned));
        Ok(S3Access { location: object, backend, via, credentials, migration })
    }

    /// Returns the backend that the object is in, if any, and the one whose connection is used.
    fn backend<'a>(
        &'a self,
        location: &S3Location,
        credentials: Option<&Keys>,
        store: Option<&str>,
    ) -> Result<(Option<&'a str>, Option<&'a str>), Refusal> {
        let all = self.places.iter().map(|(id, known)| (id.as_str(), known));
        let here: Vec<_> = all.clone().filter(|(_, known)| known.place.is_at(location)).collect();
        let named = here.iter().find(|(id, _)| store == Some(*id)).copied();
        // Credentials are not dropped for a `store` alone, which says nothing about the bucket.
        if let Some((id, known)) = named
            && (credentials.is_none() || known.place.holds(location))
        {
            return Ok((Some(id), Some(id)));
        }
        let mut holding = here.clone();
        holding.retain(|(_, known)| known.place.holds(location));
        if let (Some(keys), true) = (credentials, holding.len() > 1) {
            holding.retain(|(_, known)| known.has_access_key(keys));
        }
        let trusts = |known: &Known| known.trusted.iter().any(|host| location.is_at_host(host));
        let trusting = all.clone().find(|(_, known)| trusts(known));
        let leading = named.or(here.first().copied()).or(trusting).map(|(id, _)| id);
        match (holding.as_slice(), credentials, leading) {
            ([(id, _)], ..) => Ok((Some(id), Some(id))),
            ([_, _, ..], ..) => Err(Refusal::Ambiguous {
                backends: holding.iter().map(|(id, _)| (*id).to_owned()).collect(),
            }),
            ([], Some(keys), Some(via)) => match replacing(&here, named, keys) {
                Some(id) => Ok((Some(id), Some(id))),
                None => Ok((None, Some(via))),
            },
            ([], Some(_), None) if self.foreign => Ok((None, None)),
            ([], None, _) if !here.is_empty() => {
                Err(Refusal::NoBackend { bucket: location.bucket().to_owned() })
            }
            ([], ..) => {
                let place = location.place().to_string();
                let mut same = all.filter(|(_, known)| known.place.has_host_of(location));
                Err(match same.next() {
                    Some((id, known)) => {
                        let prefix = known.place.prefix();
                        Refusal::Elsewhere { place, backend: id.to_owned(), prefix }
                    }
                    None => Refusal::Foreign { place },
                })
            }
        }
    }
}

impl Known {
    fn has_access_key(&self, keys: &Keys) -> bool {
        self.keys.as_ref().is_some_and(|own| own.access_key == keys.access_key)
    }

    /// Returns whether its requests are signed with these keys.
    fn has_keys(&self, keys: &Keys) -> bool {
        self.keys.as_ref().is_some_and(|own| {
            own.access_key == keys.access_key
                && own.secret_key == keys.secret_key
                && own.session_token.is_none()
        })
    }
}

/// Returns the backend at a server that has these keys: the named one, or else the only one.
fn replacing<'a>(
    here: &[(&'a str, &Known)],
    named: Option<(&'a str, &Known)>,
    keys: &Keys,
) -> Option<&'a str> {
    let mut having = here.iter().filter(|(_, known)| known.has_keys(keys));
    match named {
        Some((id, known)) if known.has_keys(keys) => Some(id),
        _ => having.next().filter(|_| having.next().is_none()).map(|(id, _)| *id),
    }
}

impl fmt::Debug for S3Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Access")
            .field("location", &self.location)
            .field("backend", &self.backend)
            .field("via", &self.via)
            .field("has_credentials", &self.credentials.is_some())
            .field("migration", &self.migration)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base_url::BaseUrl;
    use crate::location::Problem;

    fn places(backends: &[(&str, &str, &str, &str)]) -> S3Places {
        let place = |(id, url, bucket, key): &(&str, &str, &str, &str)| {
            let place = S3Place::new(&BaseUrl::parse(url).unwrap(), *bucket);
            let keys = Some(Keys::new(*key, "S/e2"));
            ((*id).to_owned(), Known { place, keys, trusted: Vec::new() })
        };
        S3Places { places: backends.iter().map(place).collect(), foreign: false }
    }

    fn two() -> S3Places {
        places(&[
            ("fast", "https://h:9000/gw", "images", "FAST"),
            ("cold", "http://h", "images", "COLD"),
            ("cold2", "http://h", "images2", "COLD"),
        ])
    }

    /// Returns the new (url, store), and the access key in the location.
    fn migrated(places: &S3Places, url: &str, store: Option<&str>) -> (String, String, String) {
        let access = places.access(url, store).unwrap();
        let key = access.credentials.map_or("-".to_owned(), |keys| keys.access_key.to_string());
        let Some(migration) = access.migration else {
            return (url.to_owned(), store.unwrap_or("-").to_owned(), key);
        };
        assert_eq!(migration.was.expose(), url);
        assert!(!format!("{migration:?}").contains("S/e"));
        // A second migration changes nothing.
        let again = places.access(&migration.url, Some(&migration.store)).unwrap();
        assert_eq!((again.migration, again.credentials.is_some()), (None, false));
        (migration.url, migration.store, key)
    }

    #[test]
    fn credentials_go_and_the_backend_is_named() {
        for (url, store, expect) in [
            (
                "s3+https://K:S/e@h:9000/gw/images/k",
                None,
                ("s3+https://h:9000/gw/images/k", "fast", "K"),
            ),
            ("s3://K:S/e@h/images/k?v=1", Some("cold"), ("s3://h/images/k?v=1", "cold", "K")),
            (
                "s3+http://K:S/e@h:80/images2/a@c",
                None,
                ("s3+http://h:80/images2/a@c", "cold2", "K"),
            ),
            ("s3://:@h/images/k", None, ("s3://h/images/k", "cold", "-")),
            ("s3://h/images/a@c", None, ("s3://h/images/a@c", "cold", "-")),
            ("s3://h/images/k/", None, ("s3://h/images/k/", "cold", "-")),
            // A name that is of no backend is replaced.
            ("s3://h/images/k", Some("gone"), ("s3://h/images/k", "cold", "-")),
            // The bucket of another one, under the name of its own.
            ("s3://h/images2/k", Some("cold"), ("s3://h/images2/k", "cold", "-")),
            // Whose bucket merely begins like a backend's: its own credentials stay.
            ("s3://K:S/e@h/images22/k", None, ("s3://K:S/e@h/images22/k", "-", "K")),
        ] {
            let (url_now, store_now, key) = migrated(&two(), url, store);
            assert_eq!((&*url_now, &*store_now, &*key), expect, "{url}");
        }
    }

    #[test]
    fn the_keys_of_a_backend_are_dropped_in_another_bucket_of_its_server() {
        let known = places(&[("a", "http://h", "b", "KA"), ("b", "http://h", "b2", "KB")]);
        for store in [None, Some("a"), Some("b"), Some("gone")] {
            let (url, store_now, _) = migrated(&known, "s3://KB:S/e2@h/mine/k", store);
            assert_eq!((&*url, &*store_now), ("s3://h/mine/k", "b"), "{store:?}");
            // Others stay, whatever `store` names.
            let own = "s3://KB:other@h/mine/k";
            let access = known.access(own, store).unwrap();
            assert!(access.migration.is_none() && access.credentials.is_some(), "{store:?}");
            let via = if store == Some("b") { "b" } else { "a" };
            assert_eq!((access.backend, access.via.as_deref()), (None, Some(via)));
        }
        // Temporary keys, which a location can't hold, are other ones.
        let mut temporary = known;
        let keys = temporary.places.get_mut("b").unwrap().keys.as_mut().unwrap();
        keys.session_token = Some("token".into());
        let access = temporary.access("s3://KB:S/e2@h/mine/k", Some("b")).unwrap();
        assert!(access.migration.is_none());
    }

    #[test]
    fn at_amazon_locations_of_both_schemes_are_migrated_to_https() {
        let known = places(&[("aws", "https://s3.amazonaws.com", "images", "K")]);
        for (url, store, expect) in [
            ("s3://K:S/e@s3.amazonaws.com/images/k", None, "s3+https://s3.amazonaws.com/images/k"),
            (
                "s3://K:S/e@s3.amazonaws.com:80/images/k?v=1",
                Some("aws"),
                "s3+https://s3.amazonaws.com/images/k?v=1",
            ),
            (
                "s3+http://s3.amazonaws.com/images/k",
                Some("aws"),
                "s3+https://s3.amazonaws.com/images/k",
            ),
            (
                "s3+https://K:S/e@s3.amazonaws.com/images/k",
                None,
                "s3+https://s3.amazonaws.com/images/k",
            ),
        ] {
            let access = known.access(url, store).unwrap();
            assert_eq!(access.location.to_string(), expect, "{url}");
            let has_credentials = url.contains('@');
            assert_eq!(access.migration.as_ref().unwrap().credentials_found, has_credentials);
            assert_eq!(migrated(&known, url, store).0, expect, "{url}");
        }
        // Another port, or a host that is not Amazon's: the message says where the backend is.
        let other = places(&[("b", "https://h:9000", "images", "K")]);
        for (known, url) in [
            (&known, "s3://K:S@s3.amazonaws.com:8080/images/k"),
            (&other, "s3://K:S@h:9000/images/k"),
        ] {
            let refusal = known.access(url, None).unwrap_err();
            assert!(matches!(&refusal, Refusal::Elsewhere { .. }), "{refusal}");
            assert!(refusal.to_string().contains("s3+https://"), "{refusal}");
        }
    }

    #[test]
    fn configured_credentials_do_not_travel() {
        let foreign = |places: &S3Places, url, store| places.access(url, store).unwrap_err();
        let known = two();
        for (url, store) in [
            ("s3+https://evil:9000/gw/images/k", Some("fast")),
            ("s3+https://K:S@evil:9000/gw/images/k", Some("fast")),
        ] {
            // At an unknown host, a prefix of the endpoint and a bucket cannot be distinguished.
            let refusal = foreign(&known, url, store);
            assert!(
                matches!(refusal, Refusal::Bad(error) if error.problem() == Problem::Ambiguous)
            );
        }
        let refusal = foreign(&known, "s3://K:S@evil/images/k", Some("cold"));
        assert_eq!(refusal, Refusal::Foreign { place: "evil".into() });
        let allowed = known.clone().with_foreign_hosts();
        let access = allowed.access("s3://K:S@evil/images/k", Some("cold")).unwrap();
        assert_eq!((access.backend, access.migration), (None, None));
        assert_eq!(&*access.credentials.unwrap().access_key, "K");
        // A trusted host is reached with the connection of the backend that trusts it.
        let mut trusting = known.clone();
        let cold = trusting.places.get_mut("cold").unwrap();
        cold.trusted = vec!["other".into(), "Evil".into()];
        let access = trusting.access("s3://K:S@evil/images/k", Some("fast")).unwrap();
        assert_eq!((access.backend, access.via.as_deref()), (None, Some("cold")));
        for url in ["s3://K:S@evil:81/images/k", "s3+https://K:S@evil.example/images/k"] {
            assert!(matches!(trusting.access(url, None), Err(Refusal::Foreign { .. })), "{url}");
        }
        // Without credentials of its own it is refused nevertheless.
        let refusal = foreign(&allowed, "s3://evil/images/k", Some("cold"));
        assert_eq!(refusal, Refusal::Foreign { place: "evil".into() });
    }

    #[test]
    fn one_bucket_of_two_backends_is_told_by_the_key() {
        let known = places(&[("a", "http://h", "b", "KA"), ("b", "http://h", "b", "KB")]);
        let access = known.access("s3://KB:S@h/b/k", None).unwrap();
        assert_eq!(access.backend.as_deref(), Some("b"));
        let refusal = known.access("s3://h/b/k", None).unwrap_err();
        assert_eq!(refusal, Refusal::Ambiguous { backends: vec!["a".into(), "b".into()] });
        assert_eq!(known.access("s3://h/b/k", Some("a")).unwrap().backend.as_deref(), Some("a"));
        let refusal = known.access("s3://h/c/k", None).unwrap_err();
        assert_eq!(refusal, Refusal::NoBackend { bucket: "c".into() });
    }
}
