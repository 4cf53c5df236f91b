//! A bucket for a check, which is removed afterwards.

use std::sync::atomic::{AtomicU32, Ordering};

use apus_core::Error;
use apus_core::checksum::Policy;
use apus_core::contract::Operation;
use apus_core::machine::{Auth, DeleteManyOptions, S3DeleteMany};
use apus_core::s3::{
    AbortMultipartUpload, BaseUrl, Config, CreateBucket, DeleteBucket, EndpointConfig, HeadBucket,
    ListMultipartUploads, ListObjectVersions, ListObjectsV2, MultipartUpload, ObjectIdentifier,
    PayloadSigning, Service,
};

use super::site::Site;
use super::store::{Store, Transport};

/// The place of a check: one transport, scheme, mode and setting.
#[derive(Clone, Copy)]
pub struct Place {
    pub transport: Transport,
    pub https: bool,
    pub mode: Mode,
    pub setting: &'static Setting,
}

/// The modes of the checksum policy, the same for requests and responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    WhenRequired,
    WhenSupported,
    Never,
}

/// What is set beside the mode.
pub struct Setting {
    pub name: &'static str,
    pub policy: fn(Policy) -> Policy,
    pub payload: PayloadSigning,
}

impl Setting {
    /// Nothing but the mode.
    pub const DEFAULT: Self =
        Self { name: "default", policy: |policy| policy, payload: PayloadSigning::Auto };
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::WhenRequired, Self::WhenSupported, Self::Never];

    pub const fn name(self) -> &'static str {
        match self {
            Self::WhenRequired => "when_required",
            Self::WhenSupported => "when_supported",
            Self::Never => "never",
        }
    }

    fn policy(self) -> Policy {
        Policy {
            enable_data_integrity_protection: true,
            request: self.name().parse().unwrap(),
            response: self.name().parse().unwrap(),
            ..Policy::default()
        }
    }
}

impl Place {
    pub fn config(&self, site: &Site) -> Config {
        self.config_at(if self.https { &site.https } else { &site.http })
    }

    pub fn config_at(&self, endpoint: &str) -> Config {
        let endpoint = BaseUrl::parse(endpoint).unwrap();
        let mut config = Config::new(EndpointConfig::custom(endpoint, "us-east-1"));
        config.checksum = (self.setting.policy)(self.mode.policy());
        config.payload = self.setting.payload;
        config
    }

    pub fn service(&self, site: &Site) -> Service {
        Service::new(self.config(site)).unwrap()
    }

    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

/// A client and a bucket of its own.
pub struct Stage<'a> {
    pub site: &'a Site,
    pub place: Place,
    pub store: Store,
    pub bucket: String,
    closed: bool,
}

impl<'a> Stage<'a> {
    /// Creates the bucket; `name` is its purpose.
    pub fn open(site: &'a Site, place: Place, name: &str) -> Self {
        Self::create(site, place, name, site.first.auth(), |_| {})
    }

    /// Makes the bucket as another `auth`, or otherwise.
    pub fn create(
        site: &'a Site,
        place: Place,
        name: &str,
        auth: Auth,
        adjust: impl FnOnce(&mut CreateBucket),
    ) -> Self {
        let store = Store::new(place.transport, place.service(site), &site.ca, vec![auth]);
        // Of a name of its own: a temporary server keeps the buckets.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let bucket = format!(
            "apus-{name}-{}-{}-{}-{}-{}",
            format!("{:?}", place.transport).to_lowercase(),
            place.scheme(),
            place.mode as u8,
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let mut create = CreateBucket::new(&bucket);
        adjust(&mut create);
        store.call(create).unwrap();
        Self { site, place, store, bucket, closed: false }
    }

    /// Another client of the same place.
    pub fn client(&self, auths: Vec<Auth>) -> Store {
        Store::new(self.place.transport, self.place.service(self.site), &self.site.ca, auths)
    }

    pub fn call<O: Operation<Service = Service>>(&self, operation: O) -> Result<O::Output, Error> {
        self.store.call(operation)
    }

    /// Asserts that no multipart upload is open, empties the bucket and removes it. On a temporary
    /// server it does nothing: s3s-fs lists keys that it does not have, and keeps them for ever.
    pub fn close(mut self) {
        self.closed = true;
        if self.site.is_temporary {
            return;
        }
        let open = self.open_uploads().unwrap();
        self.sweep().unwrap();
        let gone = self.call(HeadBucket::new(&self.bucket)).unwrap_err();
        assert!(gone.is_not_found(), "{gone}");
        assert!(open.is_empty(), "left open: {open:?}");
    }

    fn sweep(&self) -> Result<(), Error> {
        let bucket = &self.bucket;
        for open in self.open_uploads()? {
            self.call(AbortMultipartUpload::new(bucket, open.key, open.upload_id))?;
        }
        let mut list = Some(ListObjectVersions::new(bucket));
        while let Some(page) = list {
            let answer = match self.call(page.clone()) {
                Err(error) if unsupported(&error) => {
                    self.sweep_objects()?;
                    break;
                }
                answer => answer?,
            };
            let versions = answer
                .versions
                .iter()
                .map(|version| (version.object.key.clone(), version.version_id.clone()));
            let markers = answer.delete_markers.iter();
            let markers = markers.map(|marker| (marker.key.clone(), marker.version_id.clone()));
            let all = versions.chain(markers).map(|(key, version_id)| ObjectIdentifier {
                version_id,
                ..ObjectIdentifier::new(key)
            });
            self.delete(all.collect())?;
            list = page.next(&answer)?;
        }
        self.call(DeleteBucket::new(bucket))
    }

    /// Where the server lists no versions.
    fn sweep_objects(&self) -> Result<(), Error> {
        loop {
            let list = self.call(ListObjectsV2::new(&self.bucket))?;
            if list.contents.is_empty() {
                return Ok(());
            }
            let all = list.contents.into_iter().map(|entry| ObjectIdentifier::new(entry.key));
            self.delete(all.collect())?;
        }
    }

    fn delete(&self, all: Vec<ObjectIdentifier>) -> Result<(), Error> {
        let options = DeleteManyOptions {
            bypass_governance_retention: Some(true),
            ..DeleteManyOptions::default()
        };
        let service = self.store.service().clone();
        let many = self.store.run(S3DeleteMany::new(&self.bucket, all, service, options, 1))?;
        assert_eq!(many.errors, [], "could not be deleted");
        Ok(())
    }

    /// The multipart uploads that are open, of a server that lists them.
    fn open_uploads(&self) -> Result<Vec<MultipartUpload>, Error> {
        match self.call(ListMultipartUploads::new(&self.bucket)) {
            Err(error) if unsupported(&error) => Ok(Vec::new()),
            listed => Ok(listed?.uploads),
        }
    }
}

fn unsupported(error: &Error) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 405 | 501))
}

impl Drop for Stage<'_> {
    /// A check that panicked leaves nothing either, as far as that can be done.
    fn drop(&mut self) {
        if !self.closed {
            let _ = self.sweep();
        }
    }
}
