//! Stores in Swift, from a `glance-api.conf` and a file of references, and a cloud for them.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_conformance::server::{
    Admission, HeadOutcome, OpenStackModel, OpenStackOperation as Operation, Plan, Reply, Request,
};
use apus_conformance::sim::{Sim, Simulated};
use apus_core::keystone::{Catalogue, CatalogueService, Endpoint, Interface};
use apus_core::store::config::{Configuration, OsloConfig, Reference};
use apus_core::store::{Stores, TenantContext};
use bytes::Bytes;

/// Bytes of what the options call a megabyte.
pub(crate) const MB: usize = 1_024_000;

/// Who the backends are to Keystone: `ref3` is an application credential.
pub(crate) const REFERENCES: &str = "\
[ref1]
auth_address = http://keystone.test:5000/v3
user = demo:demo
key = demo-secret
[ref2]
auth_address = http://keystone.test:5000
user = alt:alt
key = alt-secret
[trustee]
auth_address = http://keystone.test:5000/v3
user = service:glance
key = glance-secret
[ref3]
auth_address = http://keystone.test:5000/v3
application_credential_id = CREDENTIAL
application_credential_secret = appcred-secret
";

/// A store for one tenant, in segments of a megabyte, with these options more.
pub(crate) fn single(more: &str) -> Stores {
    stores(&format!(
        "swift_store_container = images\nswift_store_large_object_size = 1\n\
         swift_store_large_object_chunk_size = 1\n{more}"
    ))
}

/// A store for several tenants, which the service user may stand for.
pub(crate) fn tenants(more: &str) -> Stores {
    single(&format!(
        "swift_store_multi_tenant = true\nswift_store_create_container_on_put = true\n\
         default_swift_reference = trustee\n{more}"
    ))
}

fn stores(options: &str) -> Stores {
    let text = format!(
        "[DEFAULT]\nenabled_backends = cold:swift\n[glance_store]\ndefault_backend = cold\n\
         [cold]\nswift_store_config_file = /swift.conf\n{options}"
    );
    let config = OsloConfig::parse([("glance-api.conf", text.as_str())]).unwrap();
    let credential = OpenStackModel::new().application_credential().id.clone();
    let file = REFERENCES.replace("CREDENTIAL", &credential);
    let references = Reference::read_all("/swift.conf", &file).unwrap();
    let files = BTreeMap::from([("/swift.conf".to_owned(), references)]);
    Stores::new(&Configuration::of_oslo(&config).unwrap(), &files).unwrap()
}

/// A cloud in which both `demo` and `alt` have the container.
pub(crate) fn cloud(plan: Plan<Operation>) -> OpenStackModel {
    let cloud = OpenStackModel::new().with_token_life(Duration::from_secs(3600));
    cloud.with_container("demo", "images").with_container("alt", "images").with_plan(plan)
}

pub(crate) fn sim(plan: Plan<Operation>, source: Bytes) -> Sim<Watched> {
    Sim::new(Watched { cloud: cloud(plan), asked: Vec::new() }, source, 1)
}

/// A cloud that records the requests to Swift and their tokens.
pub(crate) struct Watched {
    pub(crate) cloud: OpenStackModel,
    /// Method, target, token.
    pub(crate) asked: Vec<(String, String, String)>,
}

impl Simulated for Watched {
    type Admitted = Admission;

    fn set_now(&mut self, unix: Duration) {
        self.cloud.set_now(unix);
    }

    fn head(&mut self, head: &Request) -> Result<Admission, Box<Reply>> {
        if head.target.starts_with("/v1/") {
            let token = head.header("x-auth-token").unwrap_or_default().to_owned();
            self.asked.push((head.method.clone(), head.target.clone(), token));
        }
        match self.cloud.head(head) {
            HeadOutcome::Answered(reply) => Err(Box::new(reply)),
            HeadOutcome::Admitted(admission) => Ok(admission),
        }
    }

    fn body(&mut self, admitted: Admission, request: &Request) -> Reply {
        self.cloud.body(admitted, request)
    }
}

/// Logs a user in, and says for whom the image service then makes its requests.
pub(crate) fn user(sim: &mut Sim<Watched>, name: &str) -> TenantContext {
    let cloud = &mut sim.model.cloud;
    let unix = sim.now.unix;
    cloud.set_now(unix);
    let (id, project) = (cloud.user(name).id.clone(), cloud.user(name).project.clone());
    let login = serde_json::json!({"auth": {"identity": {"methods": ["password"], "password":
        {"user": {"id": id, "password": format!("{name}-secret")}}}}});
    let request = Request::new("POST", "/v3/auth/tokens").with_header("host", "keystone.test:5000");
    let request = request.with_header("content-type", "application/json");
    assert_eq!(cloud.handle(&request.with_body(login.to_string())).status, 201);
    let token = cloud.logins().last().unwrap().outcome.clone().unwrap();
    let public = (Interface::Public, "RegionOne", cloud.storage_url_of(name));
    TenantContext {
        token: token.into(),
        user_id: Some(id),
        project_id: Some(cloud.project_id(&project).to_owned()),
        roles: vec!["member".into(), "reader".into(), "swiftoperator".into()],
        catalogue: catalogue("object-store", &[public]),
    }
}

/// A catalogue with one service.
pub(crate) fn catalogue(kind: &str, endpoints: &[(Interface, &str, String)]) -> Catalogue {
    let endpoint = |(interface, region, url): &(Interface, &str, String)| Endpoint {
        interface: *interface,
        region: Some((*region).to_owned()),
        url: url.clone(),
    };
    let service = CatalogueService {
        service_type: kind.to_owned(),
        name: None,
        endpoints: endpoints.iter().map(endpoint).collect(),
    };
    Catalogue { services: vec![service] }
}
