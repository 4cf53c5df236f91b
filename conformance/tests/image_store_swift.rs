//! The image service's verbs on the embedded Swift and Keystone, over the blocking transport: for one
//! tenant, and for several whose tokens don't live as long as an upload takes.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_blocking::{Client, Sink, Stores, Transport, TransportConfig};
use apus_conformance::server::{
    EmbeddedOpenStack, Ending, Fault, OpenStackModel, OpenStackOperation as Operation, Plan,
};
use apus_core::keystone::{
    Catalogue, CatalogueService, Domain, Endpoint, Identity, Interface, Login, Scope, Session,
    SessionOptions, User,
};
use apus_core::machine::{Auth, RateLimits};
use apus_core::secret::Secret;
use apus_core::store::config::{Configuration, OsloConfig, Reference};
use apus_core::store::{self, Acls, Add, Get, StoreErrorKind, StoredImage, TenantContext};
use apus_core::swift::{Config, HeadAccount, Service};

const ID: &str = "0e0b3f0c-9c2e-4f0b-8c6c-1f2a3b4c5d6e";

fn stores(cloud: &EmbeddedOpenStack, options: &str) -> Stores {
    let text = format!(
        "[DEFAULT]\nenabled_backends = cold:swift\n[glance_store]\ndefault_backend = cold\n[cold]\n\
         swift_store_config_file = refs\nswift_store_create_container_on_put = true\n\
         swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n\
         swift_store_retry_get_count = 3\n{options}"
    );
    let references = format!(
        "[ref1]\nauth_address = {}\nuser = service:glance\nkey = {}\n",
        cloud.auth_url(),
        cloud.model().user("glance").password
    );
    let config = OsloConfig::parse([("glance-api.conf", &*text)]).unwrap();
    let configuration = Configuration::of_oslo(&config).unwrap();
    let references = Reference::read_all("refs", &references).unwrap();
    let files = BTreeMap::from([("refs".to_owned(), references)]);
    Stores::new(store::Stores::new(&configuration, &files).unwrap()).unwrap()
}

/// A download that breaks off twice.
fn cutting() -> Plan<Operation> {
    let cut = |plan: Plan<Operation>, nth| {
        plan.on(Operation::GetObject, nth, Fault::CutBody(300_000, Ending::Reset))
    };
    [1, 2].into_iter().fold(Plan::new(), cut)
}

fn image(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// Adds, reads and measures an image, and says where it is.
fn store_and_read(stores: &Stores, bytes: &[u8]) -> StoredImage {
    let add = || Add::new(ID).with_size(bytes.len() as u64);
    let added = stores.add(None, add(), bytes.to_vec()).unwrap();
    assert_eq!(added.size, bytes.len() as u64);
    assert!(!added.url.contains("secret"), "{}", added.url);
    let row = StoredImage::new(added.url, added.metadata.get("store").map(String::as_str));
    let again = stores.add(None, add(), bytes.to_vec()).unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Duplicate, "{again}");
    let sink = Sink::memory();
    let got = stores.get(&row, &Get::default(), &sink).unwrap();
    assert_eq!((got.outcome.bytes, got.migration), (bytes.len() as u64, None));
    assert!(sink.take() == bytes, "other bytes came back");
    assert_eq!(stores.size(&row).unwrap().outcome, bytes.len() as u64);
    assert!(stores.exists(&row).unwrap().outcome);
    row
}

#[test]
fn images_of_one_tenant() {
    let cloud = EmbeddedOpenStack::start(OpenStackModel::new().with_plan(cutting())).unwrap();
    for kind in ["", "swift_store_large_object_kind = dynamic\n"] {
        let stores = stores(&cloud, &format!("swift_store_multiple_containers_seed = 2\n{kind}"));
        let logins = cloud.model().logins().len();
        let row = store_and_read(&stores, &image(3_500_000));
        assert_eq!(row.url.expose(), &format!("swift+config://ref1/glance_0e/{ID}"));
        assert_eq!(cloud.model().logins().len(), logins + 1);
        assert!(cloud.model().names_of("glance", "glance_0e").len() > 3);
        // What an older version had written leads to the same place, and is written anew.
        let old = {
            let model = cloud.model();
            let address = cloud.auth_url();
            let address = address.trim_start_matches("http://");
            let password = &model.user("glance").password;
            format!("swift+http://service:glance:{password}@{address}/glance_0e/{ID}")
        };
        let access = stores.delete(&StoredImage::new(old, None)).unwrap();
        let migration = access.migration.unwrap();
        assert_eq!((&*migration.url, &*migration.store), (row.url.expose(), "cold"));
        assert_eq!(cloud.model().names_of("glance", "glance_0e"), Vec::<&str>::new());
        assert!(!stores.exists(&row).unwrap().outcome);
        assert_eq!(stores.delete(&row).unwrap_err().kind(), StoreErrorKind::NotFound);
    }
}

#[test]
fn images_of_several_tenants_outlive_their_tokens() {
    let model = OpenStackModel::new().with_token_life(Duration::from_secs(2)).with_plan(cutting());
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let options = "swift_store_multi_tenant = true\nswift_store_expire_soon_interval = 1\n";
    let stores = stores(&cloud, options);
    let bytes = image(3_500_000);
    let traffic = || RateLimits::default().bytes_per_second(1_200_000);
    let asked = || stores.for_tenant(context(&cloud)).with_rate_limits(traffic());
    let add = Add::new(ID);
    let added = asked().add(None, add, bytes.clone()).unwrap();
    let container = format!("glance_{ID}");
    let storage = cloud.storage_url_of("demo");
    assert_eq!(added.url, format!("swift+{storage}/{container}/{ID}"));
    let row = StoredImage::new(added.url, Some("cold"));
    let sink = Sink::memory();
    let got = asked().get(&row, &Get::default(), &sink).unwrap();
    assert_eq!(got.outcome.bytes, bytes.len() as u64);
    assert!(sink.take() == bytes, "other bytes came back");
    // One trust for each transfer, and none is left.
    assert_eq!(cloud.model().trusts().len(), 2);
    assert!(cloud.model().live_trusts().is_empty());
    let acls = Acls { read: vec!["p1".into(), "p2".into()], ..Acls::default() };
    asked().set_acls(&row, &acls).unwrap();
    {
        let model = cloud.model();
        let there = model.container_of("demo", &container).unwrap();
        assert_eq!(there.header("x-container-read"), Some("p1:*,p2:*"));
    }
    asked().delete(&row).unwrap();
    assert!(cloud.model().container_of("demo", &container).is_none());
    assert!(!asked().exists(&row).unwrap().outcome);
}

/// A request that a user makes to the image service, with a new token.
fn context(cloud: &EmbeddedOpenStack) -> TenantContext {
    let (user, password) = {
        let model = cloud.model();
        let user = model.user("demo");
        (User::named("demo", Domain::default_id()), user.password.clone())
    };
    let scope = Scope::project_named("demo", Domain::default_id());
    let login = Login::new(&cloud.auth_url(), Identity::password(user, password), scope).unwrap();
    let auth = Auth::new(Session::new(login, SessionOptions::default()));
    let transport = Transport::new(TransportConfig::new()).unwrap();
    let client = Client::with_transport(transport, Service::new(Config::default()).unwrap(), auth);
    client.call(HeadAccount::default()).unwrap();
    let model = cloud.model();
    let id = model.user("demo").id.clone();
    let live = model.live_tokens().into_iter();
    let token = live.filter(|token| token.user_id == id && token.trust.is_none());
    let token = token.max_by_key(|token| token.expires_at).unwrap();
    let endpoint =
        Endpoint { interface: Interface::Public, region: None, url: model.storage_url_of("demo") };
    let service = CatalogueService {
        service_type: "object-store".into(),
        name: None,
        endpoints: vec![endpoint],
    };
    TenantContext {
        token: Secret::new(token.id.as_str()),
        user_id: Some(id),
        project_id: token.project_id.clone(),
        roles: Vec::new(),
        catalogue: Catalogue { services: vec![service] },
    }
}
