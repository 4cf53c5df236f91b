//! Images in Swift, in the accounts of the users that store them.

use std::time::Duration;

use apus_conformance::server::{Fault, OpenStackOperation as Operation, Plan};
use apus_core::keystone::Interface;
use apus_core::machine::UploadSource;
use apus_core::store::{Acls, Get, StoreErrorKind, StoredImage};

use crate::cloud::{MB, catalogue, sim, tenants, user};
use crate::shop::{ID, add, asterisks, image, run};

fn seekable(length: usize) -> UploadSource {
    UploadSource::Seekable(length as u64)
}

fn container() -> String {
    format!("images_{ID}")
}

#[test]
fn an_image_goes_into_a_container_of_its_own_in_the_account_of_the_user() {
    // The seed of container names is for one tenant.
    for more in ["", "swift_store_multiple_containers_seed = 2\n"] {
        let mut sim = sim(Plan::new(), asterisks(5120));
        let demo = user(&mut sim, "demo");
        let token = demo.token.expose().to_owned();
        let stores = tenants(more).for_tenant(demo);
        let added = add(&mut sim, &stores, None, &image(seekable(5120))).unwrap();
        let account = sim.model.cloud.account_of("demo");
        let expected = format!("swift+http://swift.test:8080/v1/{account}/{}/{ID}", container());
        assert_eq!(added.url, expected);
        assert_eq!(sim.model.cloud.names_of("demo", &container()), [ID]);
        let row = StoredImage::new(added.url, Some("cold"));
        let get = stores.get(&row, &Get::default(), 1).unwrap();
        assert!(get.migration.is_none());
        assert_eq!(run(&mut sim, get.outcome).unwrap().bytes, 5120);
        let size = stores.size(&row, 1).unwrap().outcome;
        assert_eq!(run(&mut sim, size).unwrap(), 5120);
        let delete = stores.delete(&row, 1).unwrap().outcome;
        run(&mut sim, delete).unwrap();
        assert!(sim.model.cloud.container_of("demo", &container()).is_none());
        // All with the token of the user, and without a trust.
        assert!(sim.model.asked.iter().all(|(_, _, by)| *by == token), "{:?}", sim.model.asked);
        assert_eq!(sim.model.cloud.logins().len(), 1);
        assert!(sim.model.cloud.trusts().is_empty());
    }
}

#[test]
fn without_a_user_there_is_no_account() {
    let error = tenants("").add(None, &image(seekable(5120)).0, seekable(5120), 1).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::BadStoreConfiguration, "{error}");
}

#[test]
fn a_location_says_whose_account_it_is_and_tokens_go_to_the_users_server_alone() {
    let mut sim = sim(Plan::new(), asterisks(5120));
    let demo = user(&mut sim, "demo");
    let stores = tenants("").for_tenant(demo);
    // Another account of the same server, which admits no other users.
    let account = sim.model.cloud.account_of("alt");
    let url = format!("swift+http://swift.test:8080/v1/{account}/images_1/1");
    let size = stores.size(&StoredImage::new(url, Some("cold")), 1).unwrap().outcome;
    assert_eq!(run(&mut sim, size).unwrap_err().kind(), StoreErrorKind::Forbidden);
    let (_, target, _) = sim.model.asked.pop().unwrap();
    assert!(target.starts_with(&format!("/v1/{account}/images_1/1")), "{target}");
    for server in ["evil.test:8080", "swift.test:8081"] {
        let url = format!("swift+http://{server}/v1/{account}/images_1/1");
        let error = stores.size(&StoredImage::new(url, Some("cold")), 1).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::BadStoreUri, "{error}");
    }
}

#[test]
fn the_users_storage_url_is_chosen_by_type_interface_and_region() {
    let mut sim = sim(Plan::new(), asterisks(5120));
    let demo = user(&mut sim, "demo");
    let placed = |more: &str, kind: &str, endpoints: &[(Interface, &str, &str)]| {
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|(interface, region, host)| {
                (*interface, *region, format!("https://{host}/v1/AUTH_x"))
            })
            .collect();
        let mut demo = demo.clone();
        demo.catalogue = catalogue(kind, &endpoints);
        let stores = tenants(more).for_tenant(demo);
        let url = format!("swift+https://there/v1/AUTH_x/{}/{ID}", container());
        // It is only at the chosen server that the user's token is used.
        stores.size(&StoredImage::new(url, Some("cold")), 1).map(drop).map_err(|error| error.kind())
    };
    let wrong = Err(StoreErrorKind::BadStoreUri);
    let both = [
        (Interface::Public, "RegionOne", "there"),
        (Interface::Internal, "RegionOne", "inside"),
        (Interface::Public, "WestCarolina", "west"),
    ];
    assert_eq!(placed("", "object-store", &both), Ok(()));
    assert_eq!(placed("swift_store_endpoint_type = internalURL\n", "object-store", &both), wrong);
    assert_eq!(placed("swift_store_region = WestCarolina\n", "object-store", &both), wrong);
    let west = [(Interface::Public, "WestCarolina", "there")];
    assert_eq!(placed("swift_store_region = WestCarolina\n", "object-store", &west), Ok(()));
    let inside = [(Interface::Internal, "RegionOne", "there")];
    let internal = "swift_store_endpoint_type = internalURL\n";
    assert_eq!(placed(internal, "object-store", &inside), Ok(()));
    assert_eq!(placed("swift_store_service_type = toy-store\n", "toy-store", &west), Ok(()));
    let error = placed("swift_store_region = Nowhere\n", "object-store", &both);
    assert_eq!(error, Err(StoreErrorKind::BadStoreConfiguration));
}

#[test]
fn a_long_transfer_is_done_under_a_trust_that_is_gone_afterwards() {
    let mut sim = sim(Plan::new(), asterisks(20 * MB));
    sim.model.cloud.set_token_life(Duration::from_secs(30));
    sim.rate = Some(MB as u64 / 20);
    let demo = user(&mut sim, "demo");
    let stores = tenants("swift_store_expire_soon_interval = 10\n").for_tenant(demo);
    let added = add(&mut sim, &stores, None, &image(seekable(20 * MB))).unwrap();
    assert_eq!(added.size, 20 * MB as u64);
    let cloud = &sim.model.cloud;
    assert!(cloud.content_of("demo", &container(), ID).unwrap() == sim.source);
    assert_eq!((cloud.live_trusts().len(), cloud.trusts().len()), (0, 1));
    let trust = cloud.trusts()[0];
    assert_eq!(trust.trustor_user_id, cloud.user("demo").id);
    assert_eq!(trust.trustee_user_id, cloud.user("glance").id);
    assert!(trust.impersonation && trust.expires_at.is_some());
    // The user's own token was over long before.
    let by_trust = cloud.logins().iter().filter(|login| login.trust.is_some());
    assert!(by_trust.count() > 2);
}

#[test]
fn where_no_trust_is_had_or_wanted_the_users_token_does() {
    let refused = Plan::new().always(Operation::CreateTrust, Fault::Refuse(403, ""));
    for (more, plan) in [
        ("", refused),
        ("swift_store_use_trusts = false\n", Plan::new()),
        // Keystone gives an application credential no token by a trust.
        ("default_swift_reference = ref3\n", Plan::new()),
    ] {
        let mut sim = sim(plan, asterisks(3 * MB));
        let demo = user(&mut sim, "demo");
        let token = demo.token.expose().to_owned();
        let stores = tenants(more).for_tenant(demo);
        add(&mut sim, &stores, None, &image(seekable(3 * MB))).unwrap();
        assert!(sim.model.asked.iter().all(|(_, _, by)| *by == token), "{more}");
        assert!(sim.model.cloud.trusts().is_empty(), "{more}");
    }
}

#[test]
fn who_may_read_and_write_is_said_of_the_container() {
    let mut sim = sim(Plan::new(), asterisks(5120));
    let demo = user(&mut sim, "demo");
    let stores = tenants("swift_store_admin_tenants = admins, service\n").for_tenant(demo);
    let added = add(&mut sim, &stores, None, &image(seekable(5120))).unwrap();
    let row = StoredImage::new(added.url, Some("cold"));
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    for (acls, read, write) in [
        (Acls { public: true, ..Acls::default() }, Some("*:*"), "admins:*,service:*"),
        (
            Acls { read: texts(&["matt", "mark"]), ..Acls::default() },
            Some("matt:*,mark:*"),
            "admins:*,service:*",
        ),
        (
            Acls { write: texts(&["frank", "jim"]), ..Acls::default() },
            None,
            "frank:*,jim:*,admins:*,service:*",
        ),
    ] {
        let job = stores.set_acls(&row, &acls, 1).unwrap().outcome;
        run(&mut sim, job).unwrap();
        let container = sim.model.cloud.container_of("demo", &container()).unwrap();
        let header = |name| container.header(name).filter(|value| !value.is_empty());
        assert_eq!((header("x-container-read"), header("x-container-write")), (read, Some(write)));
    }
}

#[test]
fn a_location_of_one_tenant_is_used_with_its_own_credentials() {
    let mut sim = sim(Plan::new(), asterisks(5120));
    let one = crate::cloud::single("");
    add(&mut sim, &one, None, &image(seekable(5120))).unwrap();
    let context = user(&mut sim, "alt");
    let stores = tenants("").for_tenant(context);
    let old = format!("swift+http://demo:demo:demo-secret@keystone.test:5000/v3/images/{ID}");
    let size = stores.size(&StoredImage::new(old, None), 1).unwrap().outcome;
    assert_eq!(run(&mut sim, size).unwrap(), 5120);
    let by_reference = format!("swift+config://ref1/images/{ID}");
    let size = stores.size(&StoredImage::new(by_reference, None), 1).unwrap().outcome;
    assert_eq!(run(&mut sim, size).unwrap(), 5120);
}
