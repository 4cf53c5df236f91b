//! Servers, and the configuration of an image service that uses them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use apus_conformance::server::{EmbeddedOpenStack, EmbeddedS3, OpenStackModel, Options};
use tempfile::TempDir;

/// Where an image service works.
pub(crate) struct Site {
    /// The `glance-api.conf` and the files that it names.
    directory: TempDir,
    /// Keeps buckets and containers of several tests apart.
    pub(crate) name: String,
    pub(crate) s3: S3,
    variables: BTreeMap<String, String>,
    proxy: Option<Proxy>,
    servers: Option<(EmbeddedS3, EmbeddedOpenStack)>,
}

/// A server of S3.
pub(crate) struct S3 {
    pub(crate) url: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    ca: Option<String>,
}

/// The squid before all servers.
struct Proxy {
    host: String,
    port: String,
    user: String,
    password: String,
}

impl Site {
    /// Servers within this process.
    pub(crate) fn embedded() -> Self {
        let s3 = EmbeddedS3::start(Options::new()).unwrap();
        let openstack = EmbeddedOpenStack::start(OpenStackModel::new()).unwrap();
        let keys = S3 {
            url: s3.endpoint(),
            access_key: s3.access_key().to_owned(),
            secret_key: s3.secret_key().to_owned(),
            ca: None,
        };
        let variables = openstack.environment();
        Self::new(keys, variables, None, Some((s3, openstack)))
    }

    /// The real ones that the environment names; none where one of both is missing. Ceph is used over
    /// https.
    pub(crate) fn live() -> Option<Self> {
        let variables: BTreeMap<_, _> =
            env::vars().filter(|(name, _)| name.starts_with("APUS_LIVE_")).collect();
        let found = |name: &str| variables.get(name).cloned();
        let (Some(url), Some(_)) = (found("APUS_LIVE_S3_HTTPS"), found("APUS_LIVE_OPENSTACK"))
        else {
            eprintln!("not run: there are no settings of Ceph RGW and of Keystone and Swift");
            return None;
        };
        let s3 = S3 {
            url,
            access_key: found("APUS_LIVE_S3_ACCESS_KEY").unwrap(),
            secret_key: found("APUS_LIVE_S3_SECRET_KEY").unwrap(),
            ca: found("APUS_LIVE_S3_CA"),
        };
        let proxy = found("APUS_LIVE_PROXY").map(|url| {
            let (host, port) = url.trim_start_matches("http://").rsplit_once(':').unwrap();
            Proxy {
                host: host.to_owned(),
                port: port.to_owned(),
                user: found("APUS_LIVE_PROXY_USER").unwrap(),
                password: found("APUS_LIVE_PROXY_PASSWORD").unwrap(),
            }
        });
        if proxy.is_none() {
            eprintln!("not run: there are no settings of squid, so nothing goes through it");
        }
        Some(Self::new(s3, variables, proxy, None))
    }

    fn new(
        s3: S3,
        variables: BTreeMap<String, String>,
        proxy: Option<Proxy>,
        servers: Option<(EmbeddedS3, EmbeddedOpenStack)>,
    ) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("images-{}-{number}", std::process::id());
        let directory = tempfile::tempdir().unwrap();
        let site = Self { directory, name, s3, variables, proxy, servers };
        fs::write(site.references(), site.references_text()).unwrap();
        fs::write(site.configuration(), site.text()).unwrap();
        site
    }

    /// The `glance-api.conf`.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory.path().join("glance-api.conf")
    }

    /// A file that tests may use.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The backends in which one service stores all images.
    pub(crate) fn backends(&self) -> Vec<&'static str> {
        let mut ids = vec!["fast", "cold"];
        if self.proxy.is_some() {
            ids.extend(["fast_through_squid", "cold_through_squid"]);
        }
        ids
    }

    /// Whether the servers are real ones.
    pub(crate) fn is_live(&self) -> bool {
        self.servers.is_none()
    }

    /// What the environment says of OpenStack.
    pub(crate) fn openstack(&self, name: &str) -> &str {
        let name = format!("APUS_LIVE_OPENSTACK{name}");
        self.variables.get(&name).unwrap_or_else(|| panic!("{name} is missing"))
    }

    /// What no output may hold.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![
            self.s3.secret_key.clone(),
            self.openstack("_PASSWORD").to_owned(),
            self.openstack("_SERVICE_PASSWORD").to_owned(),
        ];
        secrets.extend(self.proxy.as_ref().map(|proxy| proxy.password.clone()));
        secrets
    }

    fn references(&self) -> PathBuf {
        self.file("swift.conf")
    }

    fn references_text(&self) -> String {
        let reference = |name: &str, of: &str| {
            let user = self.openstack(&format!("{of}_USER"));
            let project = self.openstack(&format!("{of}_PROJECT"));
            let password = self.openstack(&format!("{of}_PASSWORD"));
            let address = self.openstack("");
            format!(
                "[{name}]\nauth_address = {address}\nuser = {project}:{user}\nkey = '{password}'\n\
                 user_domain_id = default\nproject_domain_id = default\n"
            )
        };
        format!("{}\n{}", reference("ref1", ""), reference("trustee", "_SERVICE"))
    }

    fn text(&self) -> String {
        let mut enabled = "fast:s3, cold:swift, users:swift, disk:file".to_owned();
        let (s3, swift) = (self.s3_options(&self.name), self.swift_options(&self.name));
        let mut text = format!(
            "[fast]\n{s3}[cold]\n{swift}[users]\n{swift}swift_store_multi_tenant = true\n\
             default_swift_reference = trustee\n[disk]\nfilesystem_store_datadir = /nowhere\n"
        );
        if let Some(Proxy { host, port, user, password }) = &self.proxy {
            enabled += ", fast_through_squid:s3, cold_through_squid:swift";
            // Of their own, so that a location says which backend is meant.
            let other = format!("{}-squid", self.name);
            for (id, kind, options) in [
                ("fast_through_squid", "s3", self.s3_options(&other)),
                ("cold_through_squid", "swift", self.swift_options(&other)),
            ] {
                let password = password.replace('$', "$$");
                text += &format!(
                    "[{id}]\n{options}{kind}_store_enable_proxy = true\n\
                     {kind}_store_proxy_host = {host}\n{kind}_store_proxy_port = {port}\n\
                     {kind}_store_proxy_user = {user}\n{kind}_store_proxy_password = '{password}'\n"
                );
            }
        }
        format!(
            "# An image service with several stores.\n[DEFAULT]\nenabled_backends = {enabled}\n\
             [glance_store]\ndefault_backend = fast\n{text}"
        )
    }

    fn s3_options(&self, bucket: &str) -> String {
        let S3 { url, access_key, secret_key, ca } = &self.s3;
        let secret_key = secret_key.replace('$', "$$");
        let ca = ca.as_ref().map(|ca| format!("s3_store_cacert = {ca}\n")).unwrap_or_default();
        format!(
            "s3_store_host = {url}\ns3_store_access_key = {access_key}\n\
             s3_store_secret_key = {secret_key}\ns3_store_bucket = {bucket}\n\
             s3_store_create_bucket_on_put = true\ns3_store_bucket_url_format = path\n\
             s3_store_large_object_size = 6\ns3_store_large_object_chunk_size = 5\n\
             s3_store_thread_pools = 3\n{ca}"
        )
    }

    fn swift_options(&self, container: &str) -> String {
        format!(
            "swift_store_config_file = {}\nswift_store_container = {container}\n\
             swift_store_create_container_on_put = true\nswift_store_large_object_size = 3\n\
             swift_store_large_object_chunk_size = 2\nswift_store_region = {}\n\
             swift_store_retry_get_count = 2\n",
            self.references().display(),
            self.openstack("_REGION"),
        )
    }
}
