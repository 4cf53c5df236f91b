//! The operation of a request, and its target.

use super::super::message::{Request, decode};

/// The operations of Keystone and Swift that an [`OpenStackModel`](super::OpenStackModel) supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names are those of the API references
pub enum OpenStackOperation {
    ListVersions,
    /// `POST /v3/auth/tokens`.
    Authenticate,
    /// `POST /v2.0/tokens`.
    AuthenticateV2,
    /// `GET /auth/v1.0`.
    AuthenticateV1,
    ValidateToken,
    RevokeToken,
    CreateTrust,
    ShowTrust,
    ListTrusts,
    DeleteTrust,
    GetInfo,
    HeadAccount,
    GetAccount,
    PutAccount,
    PostAccount,
    BulkDelete,
    PutContainer,
    HeadContainer,
    GetContainer,
    PostContainer,
    DeleteContainer,
    PutObject,
    /// PUT with `X-Object-Manifest`.
    PutDlo,
    /// PUT with `multipart-manifest=put`.
    PutSlo,
    /// COPY, or PUT with `X-Copy-From`.
    CopyObject,
    GetObject,
    HeadObject,
    /// GET with `multipart-manifest=get`.
    GetManifest,
    PostObject,
    DeleteObject,
    /// DELETE with `multipart-manifest=delete`.
    DeleteSlo,
    /// Anything else.
    Other,
}

/// A parsed request.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) operation: OpenStackOperation,
    pub(super) place: Place,
    query: Vec<(String, String)>,
    /// Whether its `Range` header is ignored.
    pub(super) rangeless: bool,
}

/// The target of a request.
pub(super) enum Place {
    /// A path of Keystone, or of v1 authentication.
    Identity(Vec<String>),
    /// Below `/v1`; what is missing is empty.
    Storage(Target),
    /// `/info` and `/healthcheck`.
    Front(String),
    /// An unknown path: the response's status and text.
    Nowhere(u16, &'static str),
}

/// An account, a container or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) account: String,
    pub(super) container: String,
    pub(super) object: String,
}

impl<'a> Call<'a> {
    pub(super) fn parse(request: &'a Request) -> Self {
        let query = request
            .query()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name, true)?, decode(value, true)?))
            })
            .collect();
        let operation = OpenStackOperation::Other;
        let place = Place::of(request.path());
        let mut call = Self { request, operation, place, query, rangeless: false };
        call.operation = call.recognise();
        call
    }

    /// Returns the value of a query parameter; empty where it has no value.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    /// Whether Swift reads a query parameter as true.
    pub(super) fn flag(&self, name: &str) -> bool {
        let value = self.query(name).unwrap_or_default().to_ascii_lowercase();
        matches!(value.as_str(), "true" | "1" | "yes" | "on" | "t" | "y")
    }

    /// Returns the target, if it is in Swift.
    pub(super) fn target(&self) -> Option<&Target> {
        match &self.place {
            Place::Storage(target) => Some(target),
            _ => None,
        }
    }

    /// Whether the request asks for JSON.
    pub(super) fn wants_json(&self) -> bool {
        match self.query("format") {
            Some(format) => format == "json",
            None => self.header("accept").is_some_and(|types| types.contains("application/json")),
        }
    }

    fn recognise(&self) -> OpenStackOperation {
        let method = self.request.method.as_str();
        match &self.place {
            Place::Identity(path) => identity(method, path),
            Place::Front(path) if path == "/info" => OpenStackOperation::GetInfo,
            Place::Storage(target) => self.storage(method, target),
            _ => OpenStackOperation::Other,
        }
    }

    fn storage(&self, method: &str, target: &Target) -> OpenStackOperation {
        use OpenStackOperation as Is;
        let manifest = self.query("multipart-manifest");
        if target.container.is_empty() {
            return match method {
                "POST" | "DELETE" if self.query("bulk-delete").is_some() => Is::BulkDelete,
                "HEAD" => Is::HeadAccount,
                "GET" => Is::GetAccount,
                "PUT" => Is::PutAccount,
                "POST" => Is::PostAccount,
                _ => Is::Other,
            };
        }
        if target.object.is_empty() {
            return match method {
                "PUT" => Is::PutContainer,
                "HEAD" => Is::HeadContainer,
                "GET" => Is::GetContainer,
                "POST" => Is::PostContainer,
                "DELETE" => Is::DeleteContainer,
                _ => Is::Other,
            };
        }
        match method {
            "COPY" => Is::CopyObject,
            "PUT" if self.header("x-copy-from").is_some() => Is::CopyObject,
            "PUT" if manifest == Some("put") => Is::PutSlo,
            "PUT" if self.header("x-object-manifest").is_some() => Is::PutDlo,
            "PUT" => Is::PutObject,
            "HEAD" => Is::HeadObject,
            "GET" if manifest == Some("get") => Is::GetManifest,
            "GET" => Is::GetObject,
            "POST" => Is::PostObject,
            "DELETE" if manifest == Some("delete") => Is::DeleteSlo,
            "DELETE" => Is::DeleteObject,
            _ => Is::Other,
        }
    }
}

impl Place {
    fn of(path: &str) -> Self {
        let Some(decoded) = decode(path, false).filter(|path| !path.contains('\0')) else {
            return Self::Nowhere(412, "Invalid UTF8 or contains NULL");
        };
        let words: Vec<String> = decoded.split('/').skip(1).map(str::to_owned).collect();
        match words.first().map_or("", String::as_str) {
            "" if words.len() == 1 => Self::Identity(words),
            "v3" | "v2.0" | "auth" => Self::Identity(words),
            "info" | "healthcheck" if words.len() == 1 => Self::Front(decoded),
            "v1" if words.get(1).is_none_or(String::is_empty) => Self::Nowhere(412, "Bad URL"),
            "v1" => {
                let mut rest = decoded.splitn(5, '/').skip(2).map(str::to_owned);
                let mut next = || rest.next().unwrap_or_default();
                Self::Storage(Target { account: next(), container: next(), object: next() })
            }
            _ => Self::Nowhere(404, ""),
        }
    }
}

impl Target {
    /// Returns another object of the same account.
    pub(super) fn sibling(&self, container: &str, object: &str) -> Self {
        Self {
            account: self.account.clone(),
            container: container.to_owned(),
            object: object.to_owned(),
        }
    }
}

fn identity(method: &str, path: &[String]) -> OpenStackOperation {
    use OpenStackOperation as Is;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (method, &path[..]) {
        ("GET" | "HEAD", ["" | "v3"] | ["v3", ""]) => Is::ListVersions,
        ("POST", ["v3", "auth", "tokens"]) => Is::Authenticate,
        ("GET" | "HEAD", ["v3", "auth", "tokens"]) => Is::ValidateToken,
        ("DELETE", ["v3", "auth", "tokens"]) => Is::RevokeToken,
        ("POST", ["v3", "OS-TRUST", "trusts"]) => Is::CreateTrust,
        ("GET" | "HEAD", ["v3", "OS-TRUST", "trusts"]) => Is::ListTrusts,
        ("GET" | "HEAD", ["v3", "OS-TRUST", "trusts", _]) => Is::ShowTrust,
        ("DELETE", ["v3", "OS-TRUST", "trusts", _]) => Is::DeleteTrust,
        ("POST", ["v2.0", "tokens"]) => Is::AuthenticateV2,
        ("GET", ["auth", "v1.0"]) => Is::AuthenticateV1,
        _ => Is::Other,
    }
}
