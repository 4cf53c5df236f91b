//! Stores from a `glance-api.conf`, and a server that records the keys of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_conformance::server::{Manners, Plan, Reply, Request, S3Model};
use apus_conformance::sim::{Sim, Simulated};
use apus_core::checksum::Algorithm;
use apus_core::machine::UploadSource;
use apus_core::store::config::{Configuration, OsloConfig};
use apus_core::store::{Add, AddResult, Job, StoreError, Stores};
use bytes::Bytes;

pub(crate) const ID: &str = "fdae39a1-bac5-4238-aba4-69bcc726e848";
pub(crate) const MIB: usize = 1 << 20;

/// Two backends of one server, which decides by itself what is there already.
pub(crate) const TWO: &str = "\
[DEFAULT]
enabled_backends = fast:s3, cold:s3
[glance_store]
default_backend = fast
[backend_defaults]
s3_store_host = http://s3.test:9000
s3_store_large_object_size = 6
s3_store_large_object_chunk_size = 5
s3_store_provider = aws
s3_store_bucket_url_format = path
[fast]
s3_store_access_key = AKIDFAST
s3_store_secret_key = fast-secret
s3_store_bucket = images
[cold]
s3_store_access_key = AKIDCOLD
s3_store_secret_key = cold-secret
s3_store_bucket = archive
";

/// One store of a server that nothing is known of.
pub(crate) const ONE: &str = "\
[glance_store]
stores = s3
default_store = s3
s3_store_host = http://s3.test:9000
s3_store_access_key = AKIDONE
s3_store_secret_key = one-secret
s3_store_bucket = images
";

pub(crate) fn stores(text: &str) -> Stores {
    let config = OsloConfig::parse([("glance-api.conf", text)]).unwrap();
    Stores::new(&Configuration::of_oslo(&config).unwrap(), &BTreeMap::new()).unwrap()
}

/// A server with S3's manners and both buckets.
pub(crate) fn server(plan: Plan) -> Watched {
    let model = S3Model::new().with_manners(Manners::aws());
    let model = model.with_bucket("images").with_bucket("archive").with_plan(plan);
    Watched { model, keys: Vec::new(), seen: Vec::new() }
}

/// A server that records each request and the keys that signed it.
pub(crate) struct Watched {
    pub(crate) model: S3Model,
    pub(crate) keys: Vec<String>,
    pub(crate) seen: Vec<String>,
}

impl Simulated for Watched {
    type Admitted = ();

    fn set_now(&mut self, unix: Duration) {
        self.model.set_now(unix.as_secs());
    }

    fn head(&mut self, head: &Request) -> Result<(), Box<Reply>> {
        let signed = head.header("authorization").unwrap_or_default();
        let key = signed.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next());
        self.keys.push(key.unwrap_or("nobody").to_owned());
        self.seen.push(format!("{} {}", head.method, head.target));
        Ok(())
    }

    fn body(&mut self, (): (), request: &Request) -> Reply {
        self.model.handle(request)
    }
}

/// Runs a job; returns its result in the image service's terms.
pub(crate) fn run<S: Simulated, T: 'static>(
    sim: &mut Sim<S>,
    job: Job<T>,
) -> Result<T, StoreError> {
    let verb = job.verb;
    sim.run(job.machine, job.auths).map_err(|error| verb.error(error))
}

/// Stores the simulator's source, whose digests are those of a transport.
pub(crate) fn add<S: Simulated>(
    sim: &mut Sim<S>,
    stores: &Stores,
    backend: Option<&str>,
    (image, source): &(Add, UploadSource),
) -> Result<AddResult, StoreError> {
    let job = stores.add(backend, image, *source, 1)?;
    let mut hashers = job.hashers.clone();
    hashers.update(&sim.source);
    let placed = run(sim, job)?;
    Ok(placed.with_digests(&hashers.finish()).unwrap())
}

/// An image with a SHA-256, and its source.
pub(crate) fn image(source: UploadSource) -> (Add, UploadSource) {
    (Add::new(ID).with_hash(Algorithm::Sha256), source)
}

pub(crate) fn asterisks(length: usize) -> Bytes {
    Bytes::from(vec![b'*'; length])
}
