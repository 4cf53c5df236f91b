//! The options of a Swift backend, with the names of glance_store.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::{ConfigError, ConfigErrors};
use super::option::{OptionSpec, OptionValue, options};
use super::references::Reference;
use super::section::Section;
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::LeastRate;
use crate::keystone::{self, EndpointFilter, Interface};
use crate::machine::{LargeObject, SegmentsIn, SwiftUploadOptions};
use crate::secret::Secret;
use crate::store::connection::{Connection, ProxyOptions, file};
use crate::swift::Config;

options! {
    /// The options of a Swift backend.
    SwiftOptions {
        /// Disables the verification of the certificates of Keystone and Swift.
        swift_store_auth_insecure: bool = false;
        /// A file of CA certificates to trust instead of the system's.
        swift_store_cacert: Option<String> = None;
        /// The region of the endpoint in the catalogue. Default: any region.
        swift_store_region: Option<String> = None;
        /// The storage URL, without the container, instead of the catalogue's.
        swift_store_endpoint: Option<String> = None;
        /// The interface of the endpoint in the catalogue.
        swift_store_endpoint_type: Interface = Interface::Public;
        /// The type of the service in the catalogue.
        swift_store_service_type: String = "object-store".to_owned();
        /// The container, or the prefix of the names of several containers.
        swift_store_container: String = "glance".to_owned();
        /// Objects of at least this size, in units of 1,024,000 bytes, are uploaded in segments. A
        /// stream, which can be read only once, is uploaded in segments if it is longer than a
        /// segment.
        swift_store_large_object_size: u64 = 5120, in 1..=5243, capped;
        /// The size of a segment in units of 1,024,000 bytes.
        swift_store_large_object_chunk_size: u64 = 200, in 1..=5243, capped;
        /// Whether an upload creates the container if it does not exist.
        swift_store_create_container_on_put: bool = false;
        /// Whether objects are stored in the accounts of the users that upload them.
        swift_store_multi_tenant: bool = false;
        /// How many hex digits of an image's id are part of its container's name: the number of
        /// containers is 16 to this power. 0: one container.
        swift_store_multiple_containers_seed: u64 = 0, in 0..=32;
        /// The ids of projects that may write the images in the users' accounts, in addition to the
        /// projects that the image service names for an image.
        swift_store_admin_tenants: Vec<String> = Vec::new();
        /// Other Keystones, each `host[:port]`, for locations that contain credentials. The
        /// credentials in the location are used there, for that request alone; those of this
        /// backend are never sent there.
        swift_store_trusted_hosts: Vec<String> = Vec::new();
        /// Without effect: TLS no longer has compression.
        swift_store_ssl_compression: bool = true;
        /// How many times an interrupted download is resumed. 0: never, and no token is renewed for
        /// it.
        swift_store_retry_get_count: u64 = 0, in 0..=10_000, capped;
        /// How many seconds before its expiry a token is renewed; at most half of its lifetime.
        swift_store_expire_soon_interval: u64 = 60, in 0..=86_400, capped;
        /// Whether long transfers in users' accounts use a trust, with which their token can be
        /// renewed.
        swift_store_use_trusts: bool = true;
        /// Without effect: a failed segment can always be sent again. Segments of a stream are held
        /// in memory while they are sent.
        swift_buffer_on_upload: bool = false;
        /// Without effect: nothing is buffered in files.
        swift_upload_buffer_dir: Option<String> = None;
        /// The reference that new objects are stored with, and that users trust in multi-tenant
        /// mode: a section of the file of references. Without a file, the options of this backend
        /// are the reference of this name, so that no location contains a key.
        default_swift_reference: String = "ref1".to_owned();
        /// The version of Keystone's API: only 3 is supported.
        swift_store_auth_version: String = "3".to_owned();
        /// Keystone's URL. Legacy: use a reference instead.
        swift_store_auth_address: Option<String> = None;
        /// `project:user`. Legacy: use a reference instead.
        swift_store_user: Option<Secret> = None;
        /// The password. Legacy: use a reference instead.
        swift_store_key: Option<Secret> = None;
        /// The id of an application credential.
        swift_store_application_credential_id: Option<Secret> = None;
        /// The secret of an application credential.
        swift_store_application_credential_secret: Option<Secret> = None;
        /// The name of the application credential's project. Not sent.
        swift_store_project_name: Option<String> = None;
        /// The id of the application credential's project. Not sent.
        swift_store_project_id: Option<String> = None;
        /// The file of references: a section for each, with auth_address, user and key. In
        /// multi-tenant mode, users trust the default reference.
        swift_store_config_file: Option<String> = None;
        /// How many times a request is repeated after a transient failure.
        swift_store_retries: u64 = 4, in 0..=100;
        /// The kind of an object in segments: `static`, whose manifest lists the segments, or
        /// `dynamic`, whose manifest names a prefix. Default: static if the server supports it.
        swift_store_large_object_kind: Option<LargeObject> = None;
        /// How many requests of an upload or a removal are in flight at once.
        swift_store_thread_pools: u64 = 4, in 1..=256;
        /// The time limit for establishing a connection, in seconds.
        swift_store_connect_timeout: u64 = 10, in 1..=3600;
        /// The time limit in seconds from the last byte sent to the head of the response, for a
        /// pause within its body, and for the whole of an error response.
        swift_store_read_timeout: u64 = 60, in 1..=3600;
        /// The minimum rate of an object's body, up or down, in bytes per second, averaged over the
        /// window below; 0 disables the check. Time spent waiting for the bandwidth limit, the
        /// image's source or its reader does not count.
        swift_store_minimum_rate: u64 = 1024, in 0..=1073741824;
        /// The window of the minimum rate, in seconds.
        swift_store_minimum_rate_window: u64 = 60, in 1..=3600;
        /// Whether a proxy is used, for Keystone and for Swift.
        swift_store_enable_proxy: bool = false;
        /// The proxy's host, or `https://host` if the connection to the proxy uses TLS. Required if
        /// a proxy is used.
        swift_store_proxy_host: Option<String> = None;
        /// The proxy's port.
        swift_store_proxy_port: u64 = 8080, in 1..=65535;
        /// The user name for the proxy.
        swift_store_proxy_user: Option<String> = None;
        /// The password for the proxy.
        swift_store_proxy_password: Option<Secret> = None;
        /// A file of CA certificates to verify a proxy with TLS, instead of the default ones.
        swift_store_proxy_cacert: Option<String> = None;
        /// Hosts that are reached without the proxy: `host`, `.domain` and addresses, each with or
        /// without a port, and networks.
        swift_store_proxy_bypass: Vec<String> = Vec::new();
    }
}

impl SwiftOptions {
    /// Returns the size in bytes from which an object is uploaded in segments.
    pub fn large_object_size(&self) -> u64 {
        self.swift_store_large_object_size * MEGABYTE
    }

    /// Returns the size of a segment in bytes.
    pub fn segment_size(&self) -> u64 {
        self.swift_store_large_object_chunk_size * MEGABYTE
    }

    /// Returns the container of an image in single-tenant mode: the configured one, or one of
    /// several by the first digits of the image's id.
    pub fn container(&self, image_id: &str) -> String {
        let mut digits = self.swift_store_multiple_containers_seed;
        if digits == 0 {
            return self.swift_store_container.clone();
        }
        // Dashes are included, but not counted.
        let id = image_id.to_lowercase();
        let end = id.char_indices().find_map(|(at, char)| {
            if digits == 0 {
                return Some(at);
            }
            digits -= u64::from(char != '-');
            None
        });
        format!("{}_{}", self.swift_store_container, &id[..end.unwrap_or(id.len())])
    }

    /// Returns whether a container is one of those that [`container`](Self::container) returns.
    pub fn is_of_seed(&self, name: &str) -> bool {
        let own = &*self.swift_store_container;
        let rest = name.strip_prefix(own).and_then(|rest| rest.strip_prefix('_'));
        match self.swift_store_multiple_containers_seed {
            0 => name == own,
            digits => rest.is_some_and(|rest| {
                let dashes = rest.matches('-').count();
                let counted = rest.chars().count() - dashes;
                rest.to_lowercase() == rest && counted as u64 == digits && !rest.ends_with('-')
            }),
        }
    }

    /// Returns the container of an image in multi-tenant mode, in the account of the uploading
    /// user.
    pub fn tenant_container(&self, image_id: &str) -> String {
        format!("{}_{image_id}", self.swift_store_container)
    }

    /// Returns the prefix of the locations that this backend writes; `None` if it depends on the
    /// user.
    pub fn location_prefix(&self) -> Option<String> {
        let container = &self.swift_store_container;
        if self.swift_store_multi_tenant {
            // A template, which names no account, is not a valid URL.
            let url = BaseUrl::parse(self.swift_store_endpoint.as_deref()?).ok()?;
            let scheme = if url.is_tls() { "swift+https" } else { "swift+http" };
            return Some(format!("{scheme}://{}{}/{container}_", url.authority(), url.path()));
        }
        let end = if self.swift_store_multiple_containers_seed == 0 { '/' } else { '_' };
        Some(format!("swift+config://{}/{container}{end}", self.default_swift_reference))
    }

    /// Returns the filter that selects the endpoint in a catalogue.
    pub fn endpoint(&self) -> EndpointFilter {
        EndpointFilter {
            service_type: self.swift_store_service_type.clone(),
            interfaces: vec![self.swift_store_endpoint_type],
            region: self.swift_store_region.clone(),
            endpoint_override: self.swift_store_endpoint.clone(),
            ..EndpointFilter::default()
        }
    }

    /// As [`endpoint`](Self::endpoint), for a reference: what these options leave at their defaults
    /// is that of the reference's cloud, if it is of one.
    pub fn endpoint_by(&self, reference: &Reference) -> EndpointFilter {
        let own = self.endpoint();
        let Some(cloud) = reference.cloud.as_ref().map(|cloud| cloud.endpoint.clone()) else {
            return own;
        };
        let default = Self::default().endpoint();
        let mut filter = cloud;
        if own.service_type != default.service_type {
            filter.service_type = own.service_type;
        }
        if own.interfaces != default.interfaces {
            filter.interfaces = own.interfaces;
        }
        filter.region = own.region.or(filter.region);
        filter.endpoint_override = own.endpoint_override.or(filter.endpoint_override);
        filter
    }

    /// Returns the configuration of requests.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.retry_policy.attempts =
            u32::try_from(self.swift_store_retries).unwrap_or(u32::MAX) + 1;
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        config.timeouts.connect = seconds(self.swift_store_connect_timeout);
        config.timeouts.first_byte = seconds(self.swift_store_read_timeout);
        config.timeouts.idle = seconds(self.swift_store_read_timeout);
        config.timeouts.refusal = seconds(self.swift_store_read_timeout);
        config.timeouts.rate = (self.swift_store_minimum_rate > 0).then(|| LeastRate {
            bytes: self.swift_store_minimum_rate,
            over: Duration::from_secs(self.swift_store_minimum_rate_window),
        });
        config
    }

    /// Returns the configuration of requests to Keystone.
    pub fn keystone(&self) -> keystone::Service {
        let Config { retry_policy, timeouts: limits, .. } = self.config();
        keystone::Service { retry_policy, timeouts: limits }
    }

    /// Returns the options of the upload of a stream, or of a source that can be read again.
    ///
    /// Segments are stored in the object's container, as glance_store does.
    pub fn upload(&self, is_stream: bool) -> SwiftUploadOptions {
        let default = SwiftUploadOptions::default();
        let (segment_size, threshold) = (self.segment_size(), self.large_object_size() - 1);
        SwiftUploadOptions {
            threshold: if is_stream { threshold.min(segment_size) } else { threshold },
            segment_size,
            concurrency: usize::try_from(self.swift_store_thread_pools).unwrap_or(usize::MAX),
            // One segment is sent while the next one is read.
            memory: default.memory.max(2 * segment_size),
            large_object: self.swift_store_large_object_kind,
            segments_in: SegmentsIn::Same,
            if_absent: true,
            ..default
        }
    }

    /// Returns the reference that the legacy options form, if `swift_store_auth_address` is
    /// set.
    pub fn own_reference(&self) -> Option<Reference> {
        let auth_address = self.swift_store_auth_address.clone()?;
        Some(Reference {
            auth_address,
            user: self.swift_store_user.as_ref().map(|user| user.expose().to_owned()),
            key: self.swift_store_key.clone(),
            application_credential_id: self
                .swift_store_application_credential_id
                .as_ref()
                .map(|id| id.expose().to_owned()),
            application_credential_secret: self.swift_store_application_credential_secret.clone(),
            project_name: self.swift_store_project_name.clone(),
            project_id: self.swift_store_project_id.clone(),
            ..Reference::default()
        })
    }

    /// Returns the references of this backend by name: those of its file, or else the one that the
    /// options form.
    ///
    /// `files` holds the files that were read, by path. A multi-tenant backend may have no
    /// references; trusts are then not possible.
    ///
    /// # Errors
    ///
    /// The file was not read, or does not contain the default reference.
    pub fn references(
        &self,
        section: &str,
        files: &BTreeMap<String, BTreeMap<String, Reference>>,
    ) -> Result<BTreeMap<String, Reference>, ConfigErrors> {
        let wrong = |option: &str, value: &str, problem: String| {
            ConfigErrors::from(ConfigError {
                place: None,
                section: section.to_owned(),
                option: Some(option.to_owned()),
                value: Some(value.to_owned()),
                problem,
            })
        };
        let name = &self.default_swift_reference;
        let Some(path) = &self.swift_store_config_file else {
            let own = self.own_reference();
            let own = own.filter(|own| !self.swift_store_multi_tenant || own.is_complete());
            return Ok(own.map(|own| (name.clone(), own)).into_iter().collect());
        };
        let Some(references) = files.get(path) else {
            return Err(wrong("swift_store_config_file", path, "the file was not read".to_owned()));
        };
        if !references.contains_key(name) {
            let names: Vec<&str> = references.keys().map(String::as_str).collect();
            let problem = format!("expected a section of {path}: {}", names.join(", "));
            return Err(wrong("default_swift_reference", name, problem));
        }
        Ok(references.clone())
    }

    /// Reads the options of a section. An empty `default_swift_reference` becomes the default one: no
    /// location could name the other.
    pub(super) fn read(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Self {
        let mut options = Self::of_section(section, errors);
        if options.default_swift_reference.is_empty() {
            options.default_swift_reference = Self::default().default_swift_reference;
        }
        options
    }

    /// Warns about what has another effect than it seems, or none.
    pub(super) fn warn(&self, section: &Section<'_>, warnings: &mut Vec<ConfigError>) {
        let mut warn =
            |name, problem: &str| warnings.push(section.wrong(name, is_secret(name), problem));
        if self.swift_store_large_object_chunk_size > self.swift_store_large_object_size {
            warn(
                "swift_store_large_object_chunk_size",
                "larger than swift_store_large_object_size: an object between them is one segment",
            );
        }
        let by_file = self.swift_store_config_file.is_some();
        let reference = section.written("default_swift_reference");
        if !by_file && reference.is_some_and(|written| written.text.is_empty()) {
            warn("default_swift_reference", "the name is empty: ref1 is used");
        }
        if self.own_reference().is_some_and(|own| !by_file && own.is_of_older_api()) {
            let problem = "expected the URL of the Identity API v3, or one without a version: each \
                           login fails";
            warn("swift_store_auth_address", problem);
        }
        if let Some(problem) = self.own_reference().and_then(|own| own.problem_of_user())
            && !by_file
        {
            warn("swift_store_user", problem);
        }
        if !self.swift_store_multi_tenant {
            return;
        }
        if by_file {
            let problem = "Glance refuses this option together with swift_store_multi_tenant";
            warn("swift_store_config_file", problem);
        } else if self.own_reference().is_some_and(|own| !own.is_complete()) {
            let problem = "users are given no trusts: the user, the key or a valid URL is missing";
            warn("swift_store_auth_address", problem);
        }
    }

    /// Checks the options together.
    pub(super) fn check(&self, section: &Section<'_>, errors: &mut Vec<ConfigError>) {
        let mut wrong =
            |name, problem: &str| errors.push(section.wrong(name, is_secret(name), problem));
        if self.swift_store_auth_version != "3" {
            wrong("swift_store_auth_version", "expected 3");
        }
        let by_file = self.swift_store_config_file.is_some();
        let file = section.written("swift_store_config_file");
        if file.is_some_and(|written| written.text.is_empty()) {
            wrong("swift_store_config_file", "expected the path of a file");
        }
        let by_options = self.swift_store_auth_address.is_some();
        if !self.swift_store_multi_tenant && !by_file && !by_options {
            wrong(
                "swift_store_config_file",
                "missing option, required unless swift_store_auth_address and credentials are set",
            );
        }
        if let Some(reference) = self.own_reference()
            && !by_file
            && !self.swift_store_multi_tenant
        {
            if reference.auth_address.trim().is_empty() {
                wrong("swift_store_auth_address", "missing required option");
            } else if let Err(error) = reference.address() {
                wrong("swift_store_auth_address", error.message());
            }
            if reference.identity().is_err() {
                let what = "missing option, required with swift_store_auth_address";
                wrong("swift_store_user", what);
            }
        }
        if self.swift_store_container.is_empty() || self.swift_store_container.contains('/') {
            wrong("swift_store_container", "expected a name without /");
        }
        let reference = section.written("default_swift_reference");
        if by_file && reference.is_some_and(|written| written.text.is_empty()) {
            wrong("default_swift_reference", "expected the name of a reference");
        } else if self.default_swift_reference.contains(['/', ':', '@', '?', '#']) {
            wrong("default_swift_reference", "expected a name without / : @ ? and #");
        }
        let host = self.swift_store_proxy_host.as_deref().unwrap_or_default();
        if self.swift_store_enable_proxy && host.is_empty() {
            wrong(
                "swift_store_proxy_host",
                "missing option, required where swift_store_enable_proxy is true",
            );
        } else if let Err(error) = Connection::of_swift(self) {
            wrong("swift_store_enable_proxy", error.message());
        }
    }
}

/// Returns whether the value of an option is never shown.
fn is_secret(name: &str) -> bool {
    SwiftOptions::specs().iter().any(|spec| spec.name == name && spec.is_secret)
}

/// The size in bytes of what the options call a megabyte.
const MEGABYTE: u64 = 1_024_000;

impl Connection {
    /// Makes the transport settings of a Swift backend and its Keystone.
    ///
    /// # Errors
    ///
    /// Those of [`of_s3`](Self::of_s3).
    pub fn of_swift(options: &SwiftOptions) -> Result<Self, Error> {
        let proxy = ProxyOptions {
            host: &options.swift_store_proxy_host,
            port: options.swift_store_proxy_port,
            user: &options.swift_store_proxy_user,
            password: &options.swift_store_proxy_password,
            bypass: &options.swift_store_proxy_bypass,
        };
        Ok(Self {
            ca_file: file(&options.swift_store_cacert),
            insecure: options.swift_store_auth_insecure,
            proxy: options.swift_store_enable_proxy.then(|| proxy.read()).transpose()?,
            proxy_ca_file: file(&options.swift_store_proxy_cacert),
        })
    }
}
