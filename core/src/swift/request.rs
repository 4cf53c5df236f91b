//! Parts of requests that Swift's operations share beyond [`crate::request`]: URLs and names.

use bytes::Bytes;
use http::header::{ETAG, HeaderName};
use http::{Method, Uri};

use crate::checksum::Algorithm;
use crate::error::Error;
use crate::escape;
use crate::http::{Body, BodyChecksum, Draft, ETag, Encoding, Incoming, Sealing, UrlRoot};
pub(super) use crate::request::Members;
use crate::request::RequestTarget;
use crate::secret::Secret;
use crate::swift::{report::refuses_token, service::Service};

/// How the server checks the bytes that it stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyCheck {
    /// The MD5 is computed and sent as `ETag`, so that the server refuses other bytes. This
    /// requires a body in memory, or from a source that can be read twice, or short enough to be
    /// held in memory; any other is stored unchecked.
    #[default]
    Auto,
    /// This MD5 of the bytes is sent.
    Given(ETag),
    /// No MD5 is sent.
    Never,
}

/// A request to Swift.
pub(super) type Request<'a> = crate::request::Request<'a, Service>;

impl RequestTarget for Service {
    type Plan = ();
}

impl<'a> Request<'a> {
    /// Starts a request on the account.
    pub(super) fn account(service: &'a Service, operation: &'static str, method: Method) -> Self {
        Self::at(service, operation, method, UrlRoot::Storage, String::new())
    }

    /// Starts a request on a container.
    pub(super) fn container(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        container: &str,
    ) -> Result<Self, Error> {
        check_container(container)?;
        let path = format!("/{}", escape::query(container));
        Ok(Self::at(service, operation, method, UrlRoot::Storage, path))
    }

    /// Starts a request on an object. Its name is not normalized: Swift stores `..`, `//` and `%2F`
    /// as sent.
    pub(super) fn object(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        container: &str,
        object: &str,
    ) -> Result<Self, Error> {
        check_container(container)?;
        check_object(object)?;
        let mut path = String::with_capacity(container.len() + object.len() + 64);
        path.push('/');
        escape::query_into(&mut path, container);
        path.push('/');
        escape::path_into(&mut path, object);
        Ok(Self::at(service, operation, method, UrlRoot::Storage, path))
    }

    /// Starts a request on the cluster.
    pub(super) fn cluster(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        path: &str,
    ) -> Self {
        Self::at(service, operation, method, UrlRoot::StorageHost, path.to_owned())
    }

    fn at(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        place: UrlRoot,
        path: String,
    ) -> Self {
        let mut draft = Draft::new(operation, method, Uri::default());
        draft.timeouts = service.config().timeouts;
        draft.expectation = service.expectation().clone();
        draft.retry_policy = Some(service.config().retry_policy.clone());
        draft.incoming = Incoming::Collect { limit: service.config().collect_limit };
        draft.larger = Some("raise `Config::collect_limit`");
        draft.sealing = Sealing::Token(place);
        let path = if path.is_empty() { "/".to_owned() } else { path };
        Self::to(service, draft, (), None, path)
    }

    /// Selects a segment of a large object by its number. The response is that of a range.
    pub(super) fn one_part(&mut self, number: Option<u32>) -> &mut Self {
        self.draft().takes_part = number.is_some();
        self.query_number("part-number", number)
    }

    /// Collects an object in memory, up to this limit or that of the configuration.
    pub(super) fn collect(&mut self, limit: Option<usize>) -> &mut Self {
        self.draft().larger = Some(LARGER);
        if let Some(limit) = limit {
            self.draft().incoming = Incoming::Collect { limit };
        }
        self
    }

    /// Requests JSON, by both means that servers support.
    pub(super) fn json(&mut self) -> &mut Self {
        self.query("format", Some("json")).accept_json()
    }

    /// Requests JSON by the `Accept` header.
    fn accept_json(&mut self) -> &mut Self {
        self.header("accept", Some("application/json"))
    }

    /// Requests a report in JSON. The body of the response, and not its status, then has the
    /// outcome, including a refusal of the token.
    pub(super) fn report(&mut self) -> &mut Self {
        self.draft().tells_refusal = Some(refuses_token);
        self.accept_json()
    }

    /// Sets the bytes of an object, with their MD5 as `check` says.
    pub(super) fn object_body(&mut self, body: &Body, check: &BodyCheck) -> &mut Self {
        self.draft().body = body.clone();
        match check {
            BodyCheck::Never => {}
            BodyCheck::Given(etag) => self.set(ETAG, etag.opaque()),
            BodyCheck::Auto if self.goes_twice(body) => {
                let stamp =
                    BodyChecksum { algorithm: Algorithm::Md5, name: ETAG, encoding: Encoding::Hex };
                self.draft().add_checksum(stamp);
            }
            BodyCheck::Auto => {}
        }
        self
    }

    /// Whether the bytes can be hashed before they are sent.
    fn goes_twice(&self, body: &Body) -> bool {
        !matches!(body, Body::Source { rewindable: false, .. })
            || body.len() <= self.service.config().max_buffered_body
    }

    /// Sets a document in memory as the body.
    pub(super) fn document(&mut self, bytes: impl Into<Bytes>) -> &mut Self {
        self.draft().body = Body::Bytes(bytes.into());
        self
    }

    /// Sets an ETag without its quotes, which not every release of Swift removes.
    pub(super) fn etag(&mut self, etag: Option<&ETag>) -> &mut Self {
        if let Some(etag) = etag {
            self.set(ETAG, etag.opaque());
        }
        self
    }

    /// Sets the keys of temporary URLs, which are metadata for the server, and secret.
    pub(super) fn temp_url_keys(
        &mut self,
        names: [&'static str; 2],
        keys: &[Option<Secret>; 2],
    ) -> &mut Self {
        for (name, key) in names.into_iter().zip(keys) {
            self.header_secret(name, key.as_ref().map(Secret::expose));
        }
        self
    }

    /// Removes items of metadata: one header for each, whose value is ignored.
    pub(super) fn remove(&mut self, prefix: &str, names: &[String]) -> &mut Self {
        for name in names {
            match HeaderName::try_from(format!("{prefix}{name}")) {
                Ok(header) if !name.is_empty() => self.set(header, "x"),
                _ => self.fail(Error::invalid_input(format!(
                    "invalid metadata name `{}`",
                    name.escape_debug()
                ))),
            }
        }
        self
    }

    /// Returns the draft and leaves an empty one.
    ///
    /// # Errors
    ///
    /// The first member that was not valid.
    pub(super) fn finish(&mut self) -> Result<Box<Draft>, Error> {
        let storage = self.service.storage();
        let mut draft = self.take_draft()?;
        if let Some(storage) = storage {
            draft.head.uri = match draft.sealing {
                Sealing::Token(UrlRoot::StorageHost) => {
                    storage.unversioned().join(draft.target())?
                }
                _ => storage.join(draft.target())?,
            };
        }
        Ok(draft)
    }
}

/// The hint for an object that is longer than what a call collects.
const LARGER: &str = "use `SwiftDownload`, which has no size limit, or raise \
                      `GetObject::collect_limit` or `Config::collect_limit`";

/// Refuses a name that Swift does not accept for a container. "Containers", Object Storage API.
pub(super) fn check_container(name: &str) -> Result<(), Error> {
    if name.contains('/') {
        return Err(Error::invalid_input(format!("container name {name:?} contains a slash")));
    }
    if matches!(name, "." | "..") {
        return Err(Error::invalid_input(format!("invalid container name `{name}`")));
    }
    check_name("container", name, LONGEST_CONTAINER)
}

/// Refuses a name that Swift does not accept for an object. "Objects", Object Storage API.
pub(super) fn check_object(name: &str) -> Result<(), Error> {
    check_name("object", name, LONGEST_OBJECT)
}

fn check_name(what: &str, name: &str, longest: usize) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::invalid_input(format!("the {what} name is empty")));
    }
    if name.len() > longest {
        let have = name.len();
        let what = format!("the {what} name has {have} bytes, but Swift accepts at most {longest}");
        return Err(Error::invalid_input(what));
    }
    if let Some(at) = name.bytes().position(|byte| byte == 0) {
        return Err(Error::invalid_input(format!("the {what} name contains a NUL at byte {at}")));
    }
    Ok(())
}

/// In bytes of UTF-8.
const LONGEST_CONTAINER: usize = 256;
/// In bytes of UTF-8.
const LONGEST_OBJECT: usize = 1024;

#[cfg(test)]
mod tests {
    use crate::contract::Operation as _;
    use crate::http::{Sealing, UrlRoot};
    use crate::swift::{
        Config, DeleteObject, GetInfo, HeadObject, Service,
        testing::{refused, sent, service},
    };

    // Names that Swift 2.38 stored as they were sent.
    #[test]
    fn names_go_as_they_are() {
        for (object, target) in [
            ("..", "/c/.."),
            ("x/../y", "/c/x/../y"),
            ("./dot", "/c/./dot"),
            ("dir//x", "/c/dir//x"),
            ("/lead", "/c//lead"),
            ("a+b", "/c/a%2Bb"),
            ("new\nline", "/c/new%0Aline"),
            ("trailing ", "/c/trailing%20"),
            ("a%2Fb", "/c/a%252Fb"),
            ("é?#", "/c/%C3%A9%3F%23"),
        ] {
            let line = sent(&DeleteObject::new("c", object)).unwrap();
            assert_eq!(line, format!("DELETE {target}"), "{object}");
        }
        assert_eq!(sent(&HeadObject::new("ü c", "o")).unwrap(), "HEAD /%C3%BC%20c/o");
    }

    #[test]
    fn names_that_swift_refuses() {
        for (container, object, why) in [
            ("", "o", "the container name is empty"),
            ("a/b", "o", "container name \"a/b\" contains a slash"),
            ("..", "o", "invalid container name `..`"),
            ("a\0", "o", "the container name contains a NUL at byte 1"),
            ("c", "", "the object name is empty"),
            ("c", "\0", "the object name contains a NUL at byte 0"),
        ] {
            assert_eq!(refused(&DeleteObject::new(container, object)), why);
        }
        let long = "é".repeat(513);
        assert_eq!(
            refused(&DeleteObject::new("c", &long)),
            "the object name has 1026 bytes, but Swift accepts at most 1024"
        );
        assert!(sent(&DeleteObject::new("c", "é".repeat(512))).is_ok());
        assert_eq!(
            refused(&DeleteObject::new("x".repeat(257), "o")),
            "the container name has 257 bytes, but Swift accepts at most 256"
        );
    }

    #[test]
    fn what_a_path_is_relative_to() {
        let object = HeadObject::new("c", "o");
        let draft = object.draft(&service()).unwrap();
        assert_eq!(draft.sealing, Sealing::Token(UrlRoot::Storage));
        let draft = GetInfo::new().draft(&service()).unwrap();
        assert_eq!(draft.sealing, Sealing::Token(UrlRoot::StorageHost));
        assert_eq!(draft.head.uri, "/info");

        let known = Service::new(Config::at("http://127.0.0.1:8080/v1/AUTH_a/")).unwrap();
        let draft = object.draft(&known).unwrap();
        assert_eq!(draft.head.uri, "http://127.0.0.1:8080/v1/AUTH_a/c/o");
        let draft = crate::swift::HeadAccount::new().draft(&known).unwrap();
        assert_eq!(draft.head.uri, "http://127.0.0.1:8080/v1/AUTH_a");
        let draft = GetInfo::new().draft(&known).unwrap();
        assert_eq!(draft.head.uri, "http://127.0.0.1:8080/info");
        let ceph = Service::new(Config::at("http://127.0.0.1:7480/swift/v1")).unwrap();
        let draft = GetInfo::new().draft(&ceph).unwrap();
        assert_eq!(draft.head.uri, "http://127.0.0.1:7480/swift/info");
    }
}
