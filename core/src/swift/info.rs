//! The capabilities of a cluster: `/info`. "Discoverability", Object Storage API.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::swift::operation::*;
use crate::swift::temp_url::Digest;

/// Lists the capabilities of the cluster. Needs no token. A cluster that does not publish them
/// responds with 403, 404 or 405.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetInfo;

impl GetInfo {
    /// Creates a request to the cluster of the account.
    pub fn new() -> Self {
        Self
    }
}

impl Operation for GetInfo {
    facts!(GetInfo: Read -> Info);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::cluster(service, Self::NAME, Method::GET, "/info").finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Info, Error> {
        error::carried_out(reply)?;
        if reply.status() == StatusCode::NO_CONTENT {
            return Ok(Info::default());
        }
        Info::read(&reply.body)
            .map_err(|error| error::named(error.with_status(reply.status()), reply))
    }
}

/// The capabilities of a cluster, as far as it publishes them. A capability or limit that is
/// missing is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Limits of every request.
    pub swift: SwiftLimits,
    /// Static large objects.
    pub slo: Option<SloLimits>,
    /// Whether `/info` lists dynamic large objects. Swift supports them and does not list them.
    pub dlo: bool,
    /// Deletion of many objects with one request.
    pub bulk_delete: Option<BulkDeleteLimits>,
    /// Temporary URLs.
    pub temp_url: Option<TempUrlLimits>,
    /// The names of all capabilities, sorted.
    pub capabilities: Vec<String>,
}

/// Limits of every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwiftLimits {
    /// The version of Swift.
    pub version: Option<String>,
    /// The most bytes of an object that is stored with one request.
    pub max_file_size: Option<u64>,
    /// The most bytes of an object's name.
    pub max_object_name_length: Option<u64>,
    /// The most bytes of a container's name.
    pub max_container_name_length: Option<u64>,
    /// The most entries in a page of a container's listing.
    pub container_listing_limit: Option<u64>,
    /// The most entries in a page of an account's listing.
    pub account_listing_limit: Option<u64>,
    /// The most items of metadata.
    pub max_meta_count: Option<u64>,
    /// The most bytes of an item's name.
    pub max_meta_name_length: Option<u64>,
    /// The most bytes of an item's value.
    pub max_meta_value_length: Option<u64>,
    /// The most bytes of all items.
    pub max_meta_overall_size: Option<u64>,
    /// The most bytes of a header.
    pub max_header_size: Option<u64>,
    /// The names of the storage policies, the default one first.
    pub policies: Vec<String>,
}

/// Limits of static large objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SloLimits {
    /// The most segments in a manifest.
    pub max_manifest_segments: Option<u64>,
    /// The most bytes of a manifest.
    pub max_manifest_size: Option<u64>,
    /// The fewest bytes of a segment, except the last.
    pub min_segment_size: Option<u64>,
    /// Seconds between two heartbeats.
    pub yield_frequency: Option<u64>,
}

/// Limits of bulk deletes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkDeleteLimits {
    /// The most paths in a request.
    pub max_deletes_per_request: Option<u64>,
    /// The number of failures after which the server stops.
    pub max_failed_deletes: Option<u64>,
}

impl Info {
    /// Returns the best digest of temporary URLs that the server accepts. A server that supports
    /// them and lists no digests knows SHA-1 only, as Swift before 2.18 and Ceph's gateway do;
    /// where the server does not say whether it supports them, it is SHA-256. `None` if it accepts
    /// none that is known.
    pub fn temp_url_digest(&self) -> Option<Digest> {
        let accepted = match &self.temp_url {
            None => return Some(Digest::Sha256),
            Some(limits) if limits.allowed_digests.is_empty() => return Some(Digest::Sha1),
            Some(limits) => &limits.allowed_digests,
        };
        let mut known = [Digest::Sha256, Digest::Sha512, Digest::Sha1].into_iter();
        known.find(|digest| accepted.iter().any(|name| name == digest.name()))
    }
}

/// The methods and digests of temporary URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TempUrlLimits {
    /// The allowed methods.
    pub methods: Vec<String>,
    /// The accepted digests; a server that lists none accepts only `sha1`.
    pub allowed_digests: Vec<String>,
}

impl Info {
    /// Reads the document.
    ///
    /// # Errors
    ///
    /// It is not a JSON object.
    pub fn read(body: &[u8]) -> Result<Self, Error> {
        let document: Value = crate::http::json::parse(body).map_err(|error| {
            Error::invalid_response(format!("the response of /info is not valid JSON: {error}"))
        })?;
        let document = document
            .as_object()
            .ok_or_else(|| Error::invalid_response("the response of /info is not a JSON object"))?;
        let of = |name: &str| document.get(name).and_then(Value::as_object).map(Section);
        Ok(Self {
            swift: of("swift").map(|section| section.swift()).unwrap_or_default(),
            slo: of("slo").map(|section| SloLimits {
                max_manifest_segments: section.number("max_manifest_segments"),
                max_manifest_size: section.number("max_manifest_size"),
                min_segment_size: section.number("min_segment_size"),
                yield_frequency: section.number("yield_frequency"),
            }),
            dlo: document.contains_key("dlo"),
            bulk_delete: of("bulk_delete").map(|section| BulkDeleteLimits {
                max_deletes_per_request: section.number("max_deletes_per_request"),
                max_failed_deletes: section.number("max_failed_deletes"),
            }),
            temp_url: of("tempurl").map(|section| TempUrlLimits {
                methods: section.words("methods"),
                allowed_digests: section.words("allowed_digests"),
            }),
            capabilities: document.keys().cloned().collect(),
        })
    }

    /// Whether static large objects are supported.
    pub fn has_slo(&self) -> bool {
        self.slo.is_some()
    }
}

#[derive(Clone, Copy)]
struct Section<'a>(&'a Map<String, Value>);

impl Section<'_> {
    fn number(self, name: &str) -> Option<u64> {
        let value = self.0.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    fn words(self, name: &str) -> Vec<String> {
        let words = self.0.get(name).and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn swift(self) -> SwiftLimits {
        SwiftLimits {
            version: self.0.get("version").and_then(Value::as_str).map(str::to_owned),
            max_file_size: self.number("max_file_size"),
            max_object_name_length: self.number("max_object_name_length"),
            max_container_name_length: self.number("max_container_name_length"),
            container_listing_limit: self.number("container_listing_limit"),
            account_listing_limit: self.number("account_listing_limit"),
            max_meta_count: self.number("max_meta_count"),
            max_meta_name_length: self.number("max_meta_name_length"),
            max_meta_value_length: self.number("max_meta_value_length"),
            max_meta_overall_size: self.number("max_meta_overall_size"),
            max_header_size: self.number("max_header_size"),
            policies: self.policies(),
        }
    }

    fn policies(self) -> Vec<String> {
        let policies = self.0.get("policies").and_then(Value::as_array);
        let is_default = |policy: &Value| policy.get("default").is_some_and(|word| word == true);
        let mut policies: Vec<&Value> = policies.into_iter().flatten().collect();
        policies.sort_by_key(|policy| !is_default(policy));
        let names = policies.into_iter().filter_map(|policy| policy.get("name")?.as_str());
        names.map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::parsed;

    // Of Swift 2.38, shortened.
    #[test]
    fn a_cluster() {
        let body = r#"{"swift": {"version": "2.38.3", "max_file_size": 5368709122,
                "max_object_name_length": 1024, "max_container_name_length": 256,
                "container_listing_limit": 10000, "max_meta_count": 90,
                "policies": [{"name": "silver", "aliases": "silver"},
                    {"name": "gold", "default": true, "aliases": "gold"}]},
            "slo": {"max_manifest_segments": 1000, "max_manifest_size": 8388608,
                "min_segment_size": 1, "yield_frequency": 10},
            "bulk_delete": {"max_deletes_per_request": 10000, "max_failed_deletes": 1000},
            "tempurl": {"methods": ["GET", "HEAD"], "allowed_digests": ["sha1", "sha256"]},
            "s3api": {}}"#;
        let info = parsed(&GetInfo::new(), 200, "", body).unwrap();
        assert_eq!(info.swift.max_file_size, Some(5_368_709_122));
        assert_eq!(info.swift.policies, ["gold", "silver"]);
        let slo = info.slo.unwrap();
        assert_eq!((slo.max_manifest_segments, slo.min_segment_size), (Some(1000), Some(1)));
        assert_eq!(info.bulk_delete.unwrap().max_deletes_per_request, Some(10_000));
        assert_eq!(info.temp_url.unwrap().allowed_digests, ["sha1", "sha256"]);
        assert_eq!(info.capabilities, ["bulk_delete", "s3api", "slo", "swift", "tempurl"]);
    }

    #[test]
    fn what_is_missing_or_odd_is_none() {
        let info = Info::read(br#"{"swift": 3, "slo": {"max_manifest_segments": []}}"#).unwrap();
        assert_eq!(info.swift, SwiftLimits::default());
        assert_eq!(info.slo, Some(SloLimits::default()));
        assert!(info.bulk_delete.is_none() && !info.dlo);
        for body in ["", "[]", "<html>", "{"] {
            let error = parsed(&GetInfo::new(), 200, "", body).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::InvalidResponse, "{body}");
        }
        assert!(parsed(&GetInfo::new(), 403, "", "").unwrap_err().is_denied());
    }
}
