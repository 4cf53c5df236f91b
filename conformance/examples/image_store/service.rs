//! An image service: its `glance-api.conf`, and images in each of its backends.
//!
//! ```text
//!  glance-api.conf ──▶ Stores ─┬─ fast ── proxy with a password ── S3, which admits the proxy alone
//!  and swift.conf              └─ cold ── Keystone, Swift
//! ```

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use apus_blocking::{Sink, Source, Stores};
use apus_conformance::server::{
    EmbeddedOpenStack, EmbeddedS3, OpenStackModel, Options, ScriptedProxy,
};
use apus_core::Now;
use apus_core::machine::{Event, Observer};
use apus_core::store::config::{Configuration, OsloConfig};
use apus_core::store::{Add, AddResult, Get, StoreErrorKind, StoredImage};
use md5::{Digest as _, Md5};
use sha2::Sha512;
use tempfile::TempDir;

use crate::bar::Bar;
use crate::image::{self, Image};

/// The backend in S3 and that in Swift.
pub(super) const FAST: &str = "fast";
pub(super) const COLD: &str = "cold";
const PROXY_USER: &str = "glance";
/// A password with characters that a URL has to encode.
const PROXY_PASSWORD: &str = "p@ss:w/rd%$1";

/// Stores, reads and removes an image in each backend. Returns how many rows failed, and of how
/// many.
pub(super) fn run(service: &Service, image: &Image) -> Result<(usize, usize), Box<dyn Error>> {
    service.show()?;
    let stores = service.open()?;
    let rows = [FAST, COLD].map(|backend| work(service, &stores, backend, image));
    print_table(&rows);
    Ok((rows.iter().filter(|row| row.verdict.is_err()).count(), rows.len()))
}

/// The servers, and the configuration files that name them.
pub(super) struct Service {
    directory: TempDir,
    pub(super) s3: EmbeddedS3,
    pub(super) cloud: EmbeddedOpenStack,
    proxy: ScriptedProxy,
}

impl Service {
    pub(super) fn start() -> Result<Self, Box<dyn Error>> {
        let mut options = Options::new();
        if cfg!(target_os = "linux") {
            // On other systems, another loopback address has to be configured first.
            options = options.only_from(ScriptedProxy::SOURCE);
        }
        let this = Self {
            directory: tempfile::Builder::new().prefix("apus-image-service-").tempdir()?,
            s3: EmbeddedS3::start(options)?,
            cloud: EmbeddedOpenStack::start(OpenStackModel::new())?,
            proxy: ScriptedProxy::start(Some((PROXY_USER, PROXY_PASSWORD)), false)?,
        };
        this.go_by("demo")?;
        fs::write(this.path("glance-api.conf"), this.options())?;
        Ok(this)
    }

    /// Writes the user of the Swift backend into `swift.conf`.
    pub(super) fn go_by(&self, user: &str) -> Result<(), Box<dyn Error>> {
        let user = self.cloud.model().user(user).clone();
        let text = format!(
            "[ref1]\nauth_address = {}\nuser = {}:{}\nkey = {}\n\
             user_domain_id = default\nproject_domain_id = default\n",
            self.cloud.auth_url(),
            user.project,
            user.name,
            user.password,
        );
        Ok(fs::write(self.path("swift.conf"), text)?)
    }

    /// Returns the backends of the present files.
    pub(super) fn open(&self) -> Result<Stores, Box<dyn Error>> {
        let path = self.path("glance-api.conf");
        let text = fs::read_to_string(&path)?;
        let oslo = OsloConfig::parse([(&*path.to_string_lossy(), &*text)]).map_err(|errors| {
            errors.iter().map(|error| format!("{error}\n")).collect::<String>()
        })?;
        let configuration = Configuration::of_oslo(&oslo)?;
        if let Some(warning) = configuration.warnings.first() {
            return Err(warning.to_string().into());
        }
        Ok(Stores::from_config(&configuration)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn options(&self) -> String {
        let proxy = self.proxy.url();
        let (host, port) = proxy.rsplit_once(':').unwrap_or((&proxy, "80"));
        format!(
            "[DEFAULT]\n\
             enabled_backends = {FAST}:s3, {COLD}:swift\n\
             [glance_store]\n\
             default_backend = {FAST}\n\
             [{FAST}]\n\
             s3_store_host = {}\n\
             s3_store_access_key = {}\n\
             s3_store_secret_key = {}\n\
             s3_store_bucket = images\n\
             s3_store_create_bucket_on_put = true\n\
             s3_store_bucket_url_format = path\n\
             s3_store_large_object_size = 8\n\
             s3_store_large_object_chunk_size = 5\n\
             s3_store_enable_proxy = true\n\
             s3_store_proxy_host = {host}\n\
             s3_store_proxy_port = {port}\n\
             s3_store_proxy_user = {PROXY_USER}\n\
             s3_store_proxy_password = {}\n\
             [{COLD}]\n\
             swift_store_config_file = {}\n\
             default_swift_reference = ref1\n\
             swift_store_container = images\n\
             swift_store_create_container_on_put = true\n\
             swift_store_large_object_size = 8\n\
             swift_store_large_object_chunk_size = 4\n",
            self.s3.endpoint(),
            self.s3.access_key(),
            self.s3.secret_key(),
            PROXY_PASSWORD.replace('$', "$$"),
            self.path("swift.conf").display(),
        )
    }

    /// Prints the configuration without its secrets.
    fn show(&self) -> Result<(), Box<dyn Error>> {
        for name in ["glance-api.conf", "swift.conf"] {
            println!("{}", self.path(name).display());
            for line in fs::read_to_string(self.path(name))?.lines() {
                match line.split_once(" = ") {
                    Some((option, _)) if is_secret(option) => println!("    {option} = ***"),
                    _ => println!("    {line}"),
                }
            }
        }
        println!();
        Ok(())
    }
}

/// Stores an image under this id.
pub(super) fn add(
    stores: &Stores,
    backend: &str,
    id: &str,
    image: &Image,
) -> Result<AddResult, Box<dyn Error>> {
    let add = Add::new(id).with_size(image.size);
    Ok(stores.add(Some(backend), add, Source::file(File::open(&image.path)?))?)
}

/// The row that an image service stores for an image.
pub(super) fn row(added: &AddResult) -> StoredImage {
    StoredImage::new(&*added.url, added.metadata.get("store").map(String::as_str))
}

/// Runs one backend, from the upload to the deletion.
fn work(service: &Service, stores: &Stores, backend: &'static str, image: &Image) -> Row {
    let watch = Arc::new(Watch { bar: Bar::new(backend, image.size), requests: 0.into() });
    let stores = stores.clone().with_observer(watch.clone());
    let before = service.proxy.log().len();
    let transfers = transfer(&stores, backend, image, &watch);
    watch.bar.clear();
    let requests = watch.requests.load(Ordering::Relaxed);
    let passed = service.proxy.log().split_off(before);
    let proxied = passed
        .iter()
        .filter(|passed| passed.user.as_deref() == Some(PROXY_USER) && passed.status == 200)
        .filter(|passed| passed.target.starts_with(&service.s3.endpoint()))
        .count() as u64;
    let expected = if backend == FAST { requests } else { 0 };
    let (up, down) = transfers.as_ref().copied().unwrap_or_default();
    let verdict = match transfers {
        Err(error) => Err(error.to_string()),
        Ok(_) if proxied != expected || passed.len() as u64 != expected => {
            Err(format!("{expected} requests should have passed the proxy"))
        }
        Ok(_) => Ok("same bytes, MD5 and SHA-512; not replaced; deleted"),
    };
    let prefix = stores.core().backend(backend).and_then(|backend| backend.prefix());
    Row { backend, prefix: prefix.unwrap_or_default(), requests, proxied, up, down, verdict }
}

/// Runs every verb. Returns the rates up and down in MiB per second.
fn transfer(
    stores: &Stores,
    backend: &str,
    image: &Image,
    watch: &Watch,
) -> Result<(f64, f64), Box<dyn Error>> {
    watch.bar.begin("up");
    let began = Instant::now();
    let added = add(stores, backend, IMAGE_ID, image)?;
    let up = image.rate(began);
    let whole = fs::read(&image.path)?;
    let digests = (hex(&Md5::digest(&whole)), hex(&Sha512::digest(&whole)));
    if added.size != image.size || (&added.md5, &added.multihash) != (&digests.0, &digests.1) {
        return Err("other digests were written down than the file has".into());
    }
    let again = Add::new(IMAGE_ID);
    match stores.add(Some(backend), again, Source::bytes("another image")) {
        Err(error) if error.kind() == StoreErrorKind::Duplicate => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Err("the image was replaced by another one".into()),
    }

    let row = row(&added);
    watch.bar.begin("down");
    let began = Instant::now();
    let copy = image::copy()?;
    let got = stores.get(&row, &Get::default(), Sink::file(copy.try_clone()?))?;
    let down = image.rate(began);
    if got.outcome.bytes != image.size || !image.is_same(copy)? {
        return Err("what came back is not what was stored".into());
    }
    if got.migration.is_some() {
        return Err("a row that was just written is to be replaced".into());
    }
    if stores.size(&row)?.outcome != image.size || !stores.exists(&row)?.outcome {
        return Err("the image is not there, or has another size".into());
    }
    stores.delete(&row)?;
    if stores.exists(&row)?.outcome {
        return Err("the image is still there after its deletion".into());
    }
    Ok((up, down))
}

/// Counts requests, and draws a bar on a terminal.
struct Watch {
    bar: Bar,
    requests: AtomicU64,
}

impl Observer for Watch {
    fn event(&self, _: Now, event: &Event<'_>) {
        match event {
            Event::Launched { .. } => _ = self.requests.fetch_add(1, Ordering::Relaxed),
            Event::Sent { bytes } | Event::Received { bytes } => self.bar.moved(*bytes),
            _ => {}
        }
    }
}

struct Row {
    backend: &'static str,
    prefix: String,
    requests: u64,
    proxied: u64,
    up: f64,
    down: f64,
    verdict: Result<&'static str, String>,
}

fn print_table(rows: &[Row]) {
    println!(
        "{:<8} {:<40} {:>8} {:>13} {:>9} {:>10}  verdict",
        "backend", "locations begin with", "requests", "through proxy", "up MiB/s", "down MiB/s"
    );
    for row in rows {
        let verdict = match &row.verdict {
            Ok(verdict) => (*verdict).to_owned(),
            Err(error) => format!("FAILED: {error}"),
        };
        let (requests, proxied) = (row.requests, row.proxied);
        println!(
            "{:<8} {:<40} {requests:>8} {proxied:>13} {:>9.0} {:>10.0}  {verdict}",
            row.backend, row.prefix, row.up, row.down
        );
    }
}

fn is_secret(option: &str) -> bool {
    option == "key" || option.ends_with("_key") || option.ends_with("_password")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const IMAGE_ID: &str = "6b1c4e0a-3c66-4d3c-8b0c-1f0f6a0a7d11";
