//! Swift locations.
//!
//! | the location | is used with | and becomes |
//! | --- | --- | --- |
//! | `swift+config://ref/container/object` | the reference `ref` of its backend | itself |
//! | `swift+https://project:user:key@auth/container/object`, and a reference of a backend has this user at this address | that reference, whose key may be a newer one | `swift+config://ref/container/object` |
//! | the same, and the address is that of a backend, but the user is not | the key in it | itself: no reference replaces it |
//! | the same, at another address | the key in it, only if a backend trusts the host, or the caller all hosts | itself |
//! | `swift+https://auth/container/object` | the reference of its backend at this address | itself |
//! | `swift+https://storage/v1/AUTH_x/container/object` | the token of the requesting user; of a single-tenant backend with this `swift_store_endpoint`, the default reference | itself |
//!
//! A backend without a file of references forms a reference itself, named
//! `default_swift_reference`, as in glance_store. So a single-tenant backend writes one form of
//! location, with a file and without, which never contains a key. It stays valid when Keystone's
//! address or the password changes, and when the options move into a file.
//!
//! Addresses are compared component by component: scheme class, host, port, prefix. The version of
//! the API at the end of a prefix (`/v3`, `/v2.0`) is ignored. Users are compared with their
//! project. A location contains no domains: those of the reference are used.
//!
//! If several backends match, the one that `store` names is used; or else the one that would put
//! the object into this container; or else the one whose container prefix matches; or else the
//! location is refused.

use std::collections::BTreeMap;

use super::{Migration, Refusal};
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::location::{
    LocationError, Place, Problem, SwiftAt, SwiftCredentials, SwiftLocation, SwiftPlace,
};
use crate::store::config::{Reference, SwiftOptions};

/// The Swift backends, as far as locations are compared with them.
#[derive(Clone, Debug, Default)]
pub struct SwiftPlaces {
    backends: BTreeMap<String, Known>,
    foreign: bool,
}

/// How a Swift location is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SwiftAccess {
    /// The object.
    pub location: SwiftLocation,
    /// The id of the backend that the object is in; `None` if it is in no backend's account.
    pub backend: Option<String>,
    /// The id of the backend whose connection and settings are used: that one, another at the same
    /// address, or the one that trusts the host. `None` if all hosts are trusted and no backend
    /// matches.
    pub via: Option<String>,
    /// The credentials of its requests.
    pub right: SwiftAuthorization,
    /// What to replace the stored location by; `None` if it is up to date.
    pub migration: Option<Migration>,
}

/// The credentials of the requests on a location's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwiftAuthorization {
    /// Those of the backend's reference of this name.
    Reference(String),
    /// Those in the location, for this request alone, at the Keystone that the location names.
    Own(SwiftCredentials),
    /// The token of the requesting user, at the storage URL in the location. Before sending the
    /// token, check that its host is a known one.
    User,
}

/// One backend.
#[derive(Clone, Debug)]
struct Known {
    options: SwiftOptions,
    /// The configured storage URL.
    endpoint: Option<(BaseUrl, SwiftPlace)>,
    references: BTreeMap<String, Named>,
}

/// One reference.
#[derive(Clone, Debug)]
struct Named {
    /// The address with each version of the API, and without one.
    addresses: Vec<(BaseUrl, SwiftPlace)>,
    project_and_user: Option<(Option<String>, String)>,
}

impl SwiftPlaces {
    /// Adds a backend with [its references](SwiftOptions::references).
    ///
    /// References whose names cannot be part of a location are ignored.
    ///
    /// # Errors
    ///
    /// An address that is not a URL.
    pub fn add(
        &mut self,
        id: impl Into<String>,
        options: &SwiftOptions,
        references: &BTreeMap<String, Reference>,
    ) -> Result<(), Error> {
        let named = |(name, reference): (&String, &Reference)| {
            Ok((name.clone(), Named::of(name, reference)?))
        };
        // A template, which names no account, is not a valid URL.
        let endpoint = options.swift_store_endpoint.as_deref();
        let endpoint = endpoint.and_then(|url| BaseUrl::parse(url).ok());
        let known = Known {
            options: options.clone(),
            endpoint: endpoint.map(|url| (url.clone(), SwiftPlace::storage(&url))),
            references: references
                .iter()
                .filter(|(name, _)| !name.contains(['/', ':', '@', '?', '#']))
                .map(named)
                .collect::<Result<_, Error>>()?,
        };
        self.backends.insert(id.into(), known);
        Ok(())
    }

    /// Allows locations at addresses that are not configured, with the credentials they contain.
    #[must_use]
    pub fn with_foreign_hosts(self) -> Self {
        Self { foreign: true, ..self }
    }

    /// Returns how a location with this `store` in its metadata is used.
    ///
    /// `storage` is the storage URL of the requesting user, if known. It separates the account from
    /// the container in locations with unusual names of accounts.
    ///
    /// # Errors
    ///
    /// The reason why it is not used. Of the location, it contains only address and container.
    pub fn access(
        &self,
        url: &str,
        store: Option<&str>,
        storage: Option<&BaseUrl>,
    ) -> Result<SwiftAccess, Refusal> {
        let (location, found) =
            SwiftLocation::parse(url, &self.known(storage)).map_err(Refusal::Bad)?;
        match (location.at(), found) {
            (SwiftAt::Reference(name), _) => {
                let named = |known: &Known| known.references.contains_key(name);
                let id = self.choose(&location, store, named, || {
                    Refusal::Bad(LocationError::new(Problem::UnknownReference, AFTER_CONFIG))
                })?;
                let right = SwiftAuthorization::Reference(name.clone());
                Ok(access(url, store, None, location, id, right))
            }
            (SwiftAt::Auth(place), Some(found)) => {
                let place = place.clone();
                self.with_credentials(url, store, location, &place, found)
            }
            (SwiftAt::Auth(place), None) => {
                let at = |known: &Known| known.references.values().any(|it| it.is_at(&location));
                let id = self.choose(&location, store, at, || foreign(place))?;
                let name = self.reference(id, |it| it.is_at(&location))?;
                Ok(access(url, store, None, location, id, SwiftAuthorization::Reference(name)))
            }
            (SwiftAt::Storage(place), _) => self.in_account(url, store, &location, place),
        }
    }

    /// Handles a location that contains credentials for the Keystone at `place`.
    fn with_credentials(
        &self,
        url: &str,
        store: Option<&str>,
        location: SwiftLocation,
        place: &Place,
        found: SwiftCredentials,
    ) -> Result<SwiftAccess, Refusal> {
        let at = |known: &Known| known.references.values().any(|it| it.is_at(&location));
        let stands_in = |it: &Named| it.is_at(&location) && it.is_of(&found);
        let is_stood_in = |known: &Known| known.references.values().any(stands_in);
        if self.backends.values().any(is_stood_in) {
            let id = self.choose(&location, store, is_stood_in, || foreign(place))?;
            let name = self.reference(id, stands_in)?;
            let clean = location.clone().with_reference(name.as_str()).to_string();
            let right = SwiftAuthorization::Reference(name);
            return Ok(access(url, store, Some(clean), location, id, right));
        }
        let via = match self.choose(&location, store, at, || foreign(place)) {
            Ok(id) => Some(id),
            Err(Refusal::Foreign { .. }) if self.trusting(&location).is_some() => {
                self.trusting(&location)
            }
            Err(Refusal::Foreign { .. }) if self.foreign => None,
            Err(refusal) => return Err(refusal),
        };
        let (backend, via, migration) = (None, via.map(str::to_owned), None);
        Ok(SwiftAccess { location, backend, via, right: SwiftAuthorization::Own(found), migration })
    }

    /// Returns a backend that trusts the host of a location.
    fn trusting(&self, location: &SwiftLocation) -> Option<&str> {
        let trusts = |known: &Known| {
            let hosts = &known.options.swift_store_trusted_hosts;
            hosts.iter().any(|host| location.is_at_host(host))
        };
        self.backends.iter().find(|(_, known)| trusts(known)).map(|(id, _)| id.as_str())
    }

    /// Handles a location that is a storage URL of an account.
    fn in_account(
        &self,
        url: &str,
        store: Option<&str>,
        location: &SwiftLocation,
        place: &Place,
    ) -> Result<SwiftAccess, Refusal> {
        let will_do = |known: &Known| {
            let here = known.endpoint.as_ref().map(|(_, it)| it.is_at(location.scheme(), place));
            here.unwrap_or(known.options.swift_store_multi_tenant)
        };
        let id = self.choose(location, store, will_do, || foreign(place))?;
        let right = match self.backends.get(id).map(|known| &known.options) {
            Some(options) if !options.swift_store_multi_tenant => {
                SwiftAuthorization::Reference(options.default_swift_reference.clone())
            }
            _ => SwiftAuthorization::User,
        };
        Ok(access(url, store, None, location.clone(), id, right))
    }

    /// Returns all addresses, the longest first: the rest of a path after it is container and
    /// object.
    fn known(&self, storage: Option<&BaseUrl>) -> Vec<SwiftPlace> {
        let references = self.backends.values().flat_map(|known| known.references.values());
        let endpoints = self.backends.values().filter_map(|known| known.endpoint.clone());
        let mut known: Vec<(BaseUrl, SwiftPlace)> =
            references.flat_map(|it| it.addresses.iter().cloned()).chain(endpoints).collect();
        known.extend(storage.map(|url| (url.clone(), SwiftPlace::storage(url))));
        known.sort_by_key(|(url, _)| std::cmp::Reverse(url.path().len()));
        known.into_iter().map(|(_, place)| place).collect()
    }

    /// Returns the backend that matches, if it is unique.
    fn choose<'a>(
        &'a self,
        location: &SwiftLocation,
        store: Option<&str>,
        will_do: impl Fn(&Known) -> bool,
        nobody: impl Fn() -> Refusal,
    ) -> Result<&'a str, Refusal> {
        let mut will_do: Vec<(&str, &Known)> = self
            .backends
            .iter()
            .filter(|(_, known)| will_do(known))
            .map(|(id, known)| (id.as_str(), known))
            .collect();
        if let Some((id, _)) = will_do.iter().find(|(id, _)| store == Some(*id)) {
            return Ok(id);
        }
        for fits in [Known::names, Known::begins] {
            if will_do.len() > 1 && will_do.iter().any(|(_, known)| fits(known, location)) {
                will_do.retain(|(_, known)| fits(known, location));
            }
        }
        match will_do.as_slice() {
            [] => Err(nobody()),
            [(id, _)] => Ok(id),
            _ => Err(Refusal::Ambiguous {
                backends: will_do.iter().map(|(id, _)| (*id).to_owned()).collect(),
            }),
        }
    }

    /// Returns the reference of a backend that matches, or the default one if several match.
    fn reference(&self, id: &str, will_do: impl Fn(&Named) -> bool) -> Result<String, Refusal> {
        let ambiguous = || Refusal::Ambiguous { backends: vec![id.to_owned()] };
        let known = self.backends.get(id).ok_or_else(ambiguous)?;
        let names: Vec<&String> = known
            .references
            .iter()
            .filter(|(_, named)| will_do(named))
            .map(|(name, _)| name)
            .collect();
        match names.as_slice() {
            [name] => Ok((*name).clone()),
            _ => {
                let default = &known.options.default_swift_reference;
                let is_default = names.contains(&default);
                is_default.then(|| default.clone()).ok_or_else(ambiguous)
            }
        }
    }
}

impl Known {
    /// Returns whether the backend would put the object into this container.
    fn names(&self, location: &SwiftLocation) -> bool {
        let options = &self.options;
        let name = if options.swift_store_multi_tenant {
            options.tenant_container(location.object())
        } else {
            options.container(location.object())
        };
        location.container() == name
    }

    /// Returns whether the backend may have put the object there with another seed, or in the other
    /// tenant mode.
    fn begins(&self, location: &SwiftLocation) -> bool {
        let rest = location.container().strip_prefix(&*self.options.swift_store_container);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }
}

impl Named {
    fn of(name: &str, reference: &Reference) -> Result<Self, Error> {
        let address = reference.address()?;
        let text = address.to_string();
        let keystone = VERSIONS.iter().find_map(|version| text.strip_suffix(version));
        let keystone = keystone.unwrap_or(&text);
        let mut addresses = vec![(address.clone(), SwiftPlace::reference(name, &address))];
        // The v1 auth API has other addresses.
        if !keystone.ends_with("/v1.0") && !keystone.ends_with("/v1") {
            for version in [""].iter().chain(&VERSIONS) {
                let url = BaseUrl::parse(&format!("{keystone}{version}"))?;
                addresses.push((url.clone(), SwiftPlace::reference(name, &url)));
            }
        }
        let user = reference.project_and_user();
        Ok(Self {
            addresses,
            project_and_user: user.map(|(project, user)| (project.map(Into::into), user.into())),
        })
    }

    /// Returns whether the location has this Keystone address.
    fn is_at(&self, location: &SwiftLocation) -> bool {
        let SwiftAt::Auth(place) = location.at() else { return false };
        self.addresses.iter().any(|(_, address)| address.is_at(location.scheme(), place))
    }

    /// Returns whether the credentials have this user.
    fn is_of(&self, found: &SwiftCredentials) -> bool {
        let user = self.project_and_user.as_ref();
        user.is_some_and(|(project, user)| *project == found.tenant && *user == found.user)
    }
}

/// `clean` is the location without its credentials, if it contained any.
fn access(
    url: &str,
    store: Option<&str>,
    clean: Option<String>,
    location: SwiftLocation,
    id: &str,
    right: SwiftAuthorization,
) -> SwiftAccess {
    let changes = clean.is_some() || store != Some(id);
    let migration = changes.then(|| Migration::new(url, store, clean, id));
    let (backend, via) = (Some(id.to_owned()), Some(id.to_owned()));
    SwiftAccess { location, backend, via, right, migration }
}

fn foreign(place: &Place) -> Refusal {
    Refusal::Foreign { place: place.to_string() }
}

/// The versions of Keystone's API at the end of its address.
const VERSIONS: [&str; 2] = ["/v3", "/v2.0"];
/// The offset of the reference in a location.
const AFTER_CONFIG: usize = "swift+config://".len();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn reference(auth_address: &str, user: &str, key: &str) -> Reference {
        Reference {
            auth_address: auth_address.into(),
            user: Some(user.into()),
            key: Some(Secret::new(key)),
            ..Reference::default()
        }
    }

    /// Makes a backend with a file of two references, one that forms its own, and a multi-tenant
    /// one.
    fn places() -> SwiftPlaces {
        let file = BTreeMap::from([
            ("ref1".to_owned(), reference("https://keystone.example/v3", "service:glance", "new")),
            ("ref2".to_owned(), reference("http://old:5000/identity", "service:glance", "k")),
        ]);
        let cold = SwiftOptions {
            swift_store_container: "images".into(),
            swift_store_multiple_containers_seed: 2,
            ..SwiftOptions::default()
        };
        let own = SwiftOptions {
            swift_store_auth_address: Some("keystone2.example".into()),
            swift_store_user: Some(Secret::new("service:gl:ance")),
            swift_store_key: Some(Secret::new("own")),
            default_swift_reference: "mine".into(),
            ..SwiftOptions::default()
        };
        let many = SwiftOptions { swift_store_multi_tenant: true, ..SwiftOptions::default() };
        let own_references = own.references("own", &BTreeMap::new()).unwrap();
        let mut places = SwiftPlaces::default();
        places.add("cold", &cold, &file).unwrap();
        places.add("own", &own, &own_references).unwrap();
        places.add("many", &many, &BTreeMap::new()).unwrap();
        places
    }

    /// Returns the new (url, store), the backend, and the credentials.
    fn told(places: &SwiftPlaces, url: &str, store: Option<&str>) -> [String; 4] {
        let access = places.access(url, store, None).unwrap_or_else(|why| panic!("{url}: {why}"));
        let right = match &access.right {
            SwiftAuthorization::Reference(name) => name.clone(),
            SwiftAuthorization::Own(found) => format!("{} with {}", found.user, found.key.expose()),
            SwiftAuthorization::User => "user".to_owned(),
        };
        let backend = access.backend.clone().unwrap_or_default();
        let Some(migration) = access.migration else {
            return [url.into(), store.unwrap_or("-").into(), backend, right];
        };
        assert_eq!(migration.was.expose(), url);
        assert_eq!(migration.was_store.as_deref(), store);
        let again = places.access(&migration.url, Some(&migration.store), None).unwrap();
        assert_eq!(again.migration, None, "{url}");
        assert_eq!(again.location.container(), access.location.container());
        assert_eq!(again.location.object(), access.location.object());
        assert_eq!(again.backend.as_deref(), Some(&*migration.store));
        [migration.url, migration.store, backend, right]
    }

    #[test]
    fn credentials_go_where_a_reference_stands_for_them() {
        for (url, store, expect) in [
            // The password was changed since.
            (
                "swift+https://service:glance:old%2Fkey@keystone.example/v3/images_0e/0e0b",
                None,
                ["swift+config://ref1/images_0e/0e0b", "cold", "cold", "ref1"],
            ),
            (
                "swift://service%3Aglance:new@keystone.example:443/v3/images_0e/0e0b?x",
                Some("gone"),
                ["swift+config://ref1/images_0e/0e0b?x", "cold", "cold", "ref1"],
            ),
            // The version of the API is ignored.
            (
                "swift+https://service:glance:new@keystone.example/v2.0/images/1",
                Some("cold"),
                ["swift+config://ref1/images/1", "cold", "cold", "ref1"],
            ),
            (
                "swift+http://service:glance:k@old:5000/identity/v3/v3/1",
                None,
                ["swift+config://ref2/v3/1", "cold", "cold", "ref2"],
            ),
            // The options of a backend form a reference too; the user has colons.
            (
                "swift+https://service:gl:ance:own@keystone2.example/v3/glance/a%20b@c",
                None,
                ["swift+config://mine/glance/a%20b@c", "own", "own", "mine"],
            ),
            // Written for an application credential, which a location cannot contain.
            (
                "swift+https://keystone2.example/glance/1",
                None,
                ["swift+https://keystone2.example/glance/1", "own", "own", "mine"],
            ),
            (
                "swift+config://ref2/images/1/",
                None,
                ["swift+config://ref2/images/1/", "cold", "cold", "ref2"],
            ),
            (
                "swift+https://any.example:8080/v1/AUTH_abc/glance_1/1",
                None,
                ["swift+https://any.example:8080/v1/AUTH_abc/glance_1/1", "many", "many", "user"],
            ),
        ] {
            assert_eq!(told(&places(), url, store), expect.map(str::to_owned), "{url}");
        }
    }

    #[test]
    fn what_nobody_would_stand_in_for_stays() {
        for url in [
            "swift+https://other:glance:k@keystone.example/v3/images/1",
            "swift+https://glance:k@keystone.example/v3/images/1",
            "swift+https://service:glance:k@keystone2.example/v3/images/1",
        ] {
            let access = places().access(url, Some("x"), None).unwrap();
            assert!(matches!(access.right, SwiftAuthorization::Own(_)), "{url}");
            assert_eq!((access.backend, access.migration), (None, None), "{url}");
            assert!(access.via.is_some(), "{url}");
        }
    }

    #[test]
    fn credentials_go_to_configured_addresses_alone() {
        for (url, place) in [
            ("swift+https://service:glance:k@evil.example/v3/images/1", "evil.example/v3"),
            // Unencrypted, at another port, under another prefix.
            ("swift+http://service:glance:k@keystone.example/v3/images/1", "keystone.example/v3"),
            ("swift://service:glance:k@keystone.example:5000/v3/c/1", "keystone.example:5000/v3"),
            ("swift+http://service:glance:k@old:5000/other/v3/c/1", "old:5000/other/v3"),
        ] {
            let refusal = places().access(url, Some("cold"), None).unwrap_err();
            assert_eq!(refusal, Refusal::Foreign { place: place.into() }, "{url}");
            let allowed = places().with_foreign_hosts();
            let access = allowed.access(url, Some("cold"), None).unwrap();
            assert_eq!((access.backend, access.via, access.migration), (None, None, None));
            assert!(matches!(access.right, SwiftAuthorization::Own(_)));
            assert!(!format!("{refusal} {refusal:?}").contains("glance"));
        }
        let trusting = SwiftOptions {
            swift_store_trusted_hosts: vec!["evil.example".into()],
            ..SwiftOptions::default()
        };
        let mut places = places();
        places.add("own", &trusting, &BTreeMap::new()).unwrap();
        let access = places.access("swift://p:u:k@evil.example/v3/c/1", None, None).unwrap();
        assert_eq!((access.backend, access.via.as_deref()), (None, Some("own")));
        let refused = places.access("swift+http://p:u:k@evil.example:81/v3/c/1", None, None);
        assert!(refused.is_err(), "another port");
        let refusal = places.access("swift+config://ref3/images/1", None, None).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Bad(error) if error.problem() == Problem::UnknownReference)
        );
    }

    #[test]
    fn one_reference_in_two_files_is_told_by_store_or_container() {
        let file = BTreeMap::from([("ref1".to_owned(), reference("https://k/v3", "p:u", "k"))]);
        let options = |container: &str| SwiftOptions {
            swift_store_container: container.into(),
            ..SwiftOptions::default()
        };
        let mut places = SwiftPlaces::default();
        places.add("a", &options("images"), &file).unwrap();
        places.add("b", &options("images_cold"), &file).unwrap();
        let backend = |url, store| places.access(url, store, None).map(|access| access.backend);
        assert_eq!(backend("swift+config://ref1/images_cold/1", None), Ok(Some("b".into())));
        assert_eq!(backend("swift+config://ref1/images/1", None), Ok(Some("a".into())));
        assert_eq!(backend("swift+config://ref1/images_cold/1", Some("a")), Ok(Some("a".into())));
        let both = Refusal::Ambiguous { backends: vec!["a".into(), "b".into()] };
        assert_eq!(backend("swift+config://ref1/images_cold_3/1", None), Err(both.clone()));
        assert_eq!(backend("swift://p:u:k@k/v3/other/1", None), Err(both));
    }
}
