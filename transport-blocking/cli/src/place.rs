//! Where an object is: what an error of a server names, and the option that helps.

use std::fmt;

use apus_core::Error;
use apus_core::error::{ExchangeErrorKind, Kind};
use apus_core::location::{S3Location, SwiftLocation};
use apus_core::store::{StoreBackend, StoredImage};
use serde_json::{Map, Value, json};

use crate::open::Open;
use crate::output::{Printable, redacted};

/// A backend, and what of it a command is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Its id.
    backend: Option<String>,
    /// The URL of S3, or of Keystone.
    server: String,
    is_swift: bool,
    /// The bucket or container.
    container: Option<String>,
    key: Option<String>,
    /// Whether requests go through a proxy.
    has_proxy: bool,
}

impl Place {
    /// Returns the place of a backend: its bucket, or its container.
    pub(crate) fn of_backend(backend: &StoreBackend) -> Self {
        let has_proxy = backend.connection().proxy.is_some();
        let backend_id = Some(backend.id().to_owned());
        match backend {
            StoreBackend::S3(store) => {
                let server = store.options().endpoint().map(|url| url.to_string());
                let server = server.unwrap_or_default();
                let container = Some(store.bucket().to_owned());
                Self { backend: backend_id, server, container, has_proxy, ..Self::default() }
            }
            StoreBackend::Swift(store) => {
                let options = store.options();
                let is_one = options.swift_store_multiple_containers_seed == 0
                    && !options.swift_store_multi_tenant;
                Self {
                    backend: backend_id,
                    server: store.auth_address().unwrap_or_default().to_owned(),
                    is_swift: true,
                    container: is_one.then(|| options.swift_store_container.clone()),
                    key: None,
                    has_proxy,
                }
            }
            _ => Self { backend: backend_id, has_proxy, ..Self::default() },
        }
    }

    /// Returns the place of another bucket or container.
    pub(crate) fn in_container(self, name: &str) -> Self {
        Self { container: Some(name.to_owned()), ..self }
    }

    /// Returns the place of an object that is about to be stored in a backend.
    pub(crate) fn of_new(backend: &StoreBackend, key: &str) -> Self {
        let container = match backend {
            StoreBackend::Swift(store) if store.options().swift_store_multi_tenant => {
                Some(store.options().tenant_container(key))
            }
            StoreBackend::Swift(store) => Some(store.options().container(key)),
            _ => Self::of_backend(backend).container,
        };
        Self { container, key: Some(key.to_owned()), ..Self::of_backend(backend) }
    }

    /// Returns the place of a stored object.
    pub(crate) fn of_stored(open: &Open, stored: &StoredImage) -> Self {
        let url = stored.url.expose();
        let Ok(access) = open.stores.core().access(stored) else {
            return Self { key: Some(redacted(url)), ..Self::default() };
        };
        let address = access.outcome;
        let backend = address.backend.as_deref().and_then(|id| open.named(id).ok());
        let mut place = backend.map(Self::of_backend).unwrap_or_default();
        if let Ok((location, _)) = SwiftLocation::parse(&address.url, &[]) {
            place.container = Some(location.container().to_owned());
            place.key = Some(location.object().to_owned());
            return place;
        }
        let known = match backend {
            Some(StoreBackend::S3(store)) => store.options().place().ok(),
            _ => None,
        };
        match S3Location::parse(&address.url, known.as_slice()) {
            Ok((location, _)) => {
                place.container = Some(location.bucket().to_owned());
                place.key = Some(location.key().to_owned());
                if place.server.is_empty() {
                    place.server = location.place().to_string();
                }
            }
            Err(_) => place.key = Some(address.url),
        }
        place
    }

    /// Returns the name of the object.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Adds the members of an error's JSON document.
    pub(crate) fn add_to(&self, error: &mut Map<String, Value>) {
        let (container, key) = match self.is_swift {
            true => ("container", "object"),
            false => ("bucket", "key"),
        };
        let members = [
            ("backend", &self.backend),
            ("server", &Some(self.server.clone()).filter(|it| !it.is_empty())),
            (container, &self.container),
            (key, &self.key),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                error.insert(name.to_owned(), json!(value));
            }
        }
    }

    /// Returns the option that helps, where an error of this place shows it.
    pub(crate) fn advice(&self, error: &Error) -> Option<String> {
        let prefix = if self.is_swift { "swift_store" } else { "s3_store" };
        let address = if self.is_swift { "swift_store_auth_address" } else { "s3_store_host" };
        let is_tls = self.server.starts_with("https://");
        let status = error.status().map(|status| status.as_u16());
        let is_login = matches!(error.operation(), Some("Authenticate" | "DiscoverVersions"));
        if status == Some(405) && self.is_swift && is_login {
            return Some(format!(
                "a server that has Swift's v1 authentication only refuses Keystone's: with --store \
                 and --from-environment, set OS_AUTH_TYPE=v1password (no option of a \
                 configuration file selects it); otherwise set {address} to Keystone's URL"
            ));
        }
        // A web server that expects TLS refuses in HTML.
        let is_in_html = error.kind() == Kind::Refused && error.code().is_none();
        if status == Some(400) && !is_tls && is_in_html {
            return Some(format!("if the port expects TLS, write https:// in {address}"));
        }
        let failure = error.exchange_error()?;
        let detail = failure.detail();
        let own_proxy = self.has_proxy.then_some(failure);
        match failure.kind() {
            ExchangeErrorKind::Proxy => match failure.status().map(|it| it.as_u16()) {
                Some(407) => Some(format!("set {prefix}_proxy_user and {prefix}_proxy_password")),
                Some(413) => Some(self.smaller()),
                _ => None,
            },
            ExchangeErrorKind::Tls if untrusted(detail) => {
                Some(format!("to trust its CA, set {prefix}_cacert to a file of its certificate"))
            }
            ExchangeErrorKind::Tls if no_tls(detail) => Some(format!(
                "the port does not seem to use TLS: if it is intended, write http:// in {address}"
            )),
            ExchangeErrorKind::Closed | ExchangeErrorKind::Cut
                if own_proxy.is_some() && !is_tls && sends_object(error) =>
            {
                Some(self.smaller())
            }
            ExchangeErrorKind::Closed | ExchangeErrorKind::Protocol if !is_tls => {
                Some(format!("if the port expects TLS, write https:// in {address}"))
            }
            ExchangeErrorKind::Resolve | ExchangeErrorKind::Connect => {
                Some(format!("check {address}")).filter(|_| !self.server.is_empty())
            }
            _ => None,
        }
    }

    /// For a proxy that limits the length of requests.
    fn smaller(&self) -> String {
        let (size, chunk) = match self.is_swift {
            true => ("swift_store_large_object_size", "swift_store_large_object_chunk_size"),
            false => ("s3_store_large_object_size", "s3_store_large_object_chunk_size"),
        };
        format!(
            "if the proxy limits the length of a request, set {size} and {chunk} below its limit"
        )
    }
}

impl fmt::Display for Place {
    /// Writes `backend fast at https://host, bucket images, key a1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (container, key) = match self.is_swift {
            true => ("container", "object"),
            false => ("bucket", "key"),
        };
        let mut parts = Vec::new();
        match (&self.backend, self.server.is_empty()) {
            (Some(id), false) => parts.push(format!("backend {id} at {}", self.server)),
            (Some(id), true) => parts.push(format!("backend {id}")),
            (None, false) => parts.push(self.server.clone()),
            (None, true) => {}
        }
        parts.extend(self.container.as_ref().map(|name| format!("{container} {name}")));
        parts.extend(self.key.as_ref().map(|name| match parts.is_empty() {
            true => name.clone(),
            false => format!("{key} {name}"),
        }));
        write!(f, "{}", Printable(&parts.join(", ")))
    }
}

/// Whether a certificate is not trusted.
fn untrusted(detail: &str) -> bool {
    detail.contains("UnknownIssuer") || detail.contains("CaUsedAsEndEntity")
}

/// Whether the server sent what is no TLS.
fn no_tls(detail: &str) -> bool {
    ["InvalidContentType", "corrupt message", "InvalidMessage"]
        .iter()
        .any(|word| detail.contains(word))
}

fn sends_object(error: &Error) -> bool {
    matches!(error.operation(), Some("PutObject" | "UploadPart"))
        || error.exchange_error().is_some_and(|it| it.kind() == ExchangeErrorKind::Unsent)
}
