//! No secret is in anything that a program may print.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use apus_conformance::server::{Ending, Fault, Operation, Plan};
use apus_core::Secret;
use apus_core::contract::Operation as _;
use apus_core::credentials::Credentials;
use apus_core::machine::{Event, Observer};
use apus_core::now::Now;
use apus_core::s3::*;
use apus_core::sign::Keys;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::client::{Kind, Origin, Setup, Target, Via, pattern};
use crate::downloads::{download, whole};
use crate::uploads::{machine, options, server};

both! {
    nothing_that_is_printed_has_a_secret,
}

const SECRET: &str = "DistinctiveSecretKey/0123456789+abcdef";
const TOKEN: &str = "DistinctiveSessionToken/9876543210+fedcba";
const CUSTOMER: &[u8; 32] = b"DistinctiveCustomerKeyOf32Bytes!";

/// Everything that was printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<String>>);

impl Printed {
    fn print(&self, what: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{what:?}\n{what:#?}").unwrap();
    }

    fn print_result<T: Debug>(&self, result: Result<T, apus_core::Error>) {
        self.print(&result);
        if let Err(error) = result {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            writeln!(self.0.lock().unwrap(), "{error} {source:?}").unwrap();
        }
    }
}

impl Observer for Printed {
    fn event(&self, _: Now, event: &Event<'_>) {
        self.print(event);
    }
}

fn nothing_that_is_printed_has_a_secret(via: Via) {
    let printed = Printed::default();
    let refused = Fault::Refuse(403, "SignatureDoesNotMatch");
    let plan = Plan::new()
        .on(Operation::UploadPart, 2, Fault::Lost(Ending::Reset))
        .on(Operation::UploadPart, 4, Fault::InternalError)
        .on(Operation::GetObject, 1, Fault::CutBody(1000, Ending::Reset))
        .on(Operation::HeadObject, 1, Fault::ClockSkewed(7200))
        .always(Operation::ListObjectsV2, refused)
        .always(Operation::CopyObject, Fault::Lost(Ending::Close));
    for tls in [false, true] {
        let server = server(tls, plan.clone());
        let mut setup = Setup::of(&server);
        let mut keys = Keys::new("DISTINCTIVE", SECRET);
        keys.session_token = Some(Secret::new(TOKEN));
        printed.print(&keys);
        setup.keys = vec![keys.clone()];
        setup.observer = Some(Arc::new(printed.clone()));
        let client = setup.client(via);
        printed.print(&client.service);

        let customer_key = Some(CustomerKey::new(CUSTOMER));
        let mut options = options();
        options.properties.encryption.customer_key.clone_from(&customer_key);
        printed.print(&options);
        for kind in [Kind::Bytes, Kind::Stream] {
            let origin = Origin::new(kind, pattern(200_000));
            let upload = machine(&origin, options.clone(), &client.service);
            printed.print(&upload);
            printed.print_result(client.run(upload, origin));
        }
        let get = GetObject { customer_key: customer_key.clone(), ..whole() };
        printed.print(&get);
        for concurrency in [1, 4] {
            let machine = download(get.clone(), concurrency, &client.service);
            printed.print(&machine);
            printed.print_result(client.run_into(machine, Target::Memory).0);
        }
        let mut head = HeadObject::new("bucket", "key");
        head.customer_key.clone_from(&customer_key);
        printed.print_result(client.call(head));
        printed.print_result(client.call(ListObjectsV2::new("bucket")));
        let mut source = CopySource::new("bucket", "key");
        source.customer_key.clone_from(&customer_key);
        printed.print_result(client.call(CopyObject::new("bucket", "copy", source)));

        let credentials = Credentials::new(keys);
        printed.print(&credentials);
        let draft = get.draft(&client.service).unwrap();
        printed.print(&draft);
        let now = apus_blocking::now();
        let mut exchange = credentials.sign(draft.clone(), now).unwrap();
        exchange.request().unwrap();
        printed.print(&exchange);
        let hour = std::time::Duration::from_secs(3600);
        printed.print(&credentials.presign(draft, hour, now).unwrap());

        // It did go out: what is looked for is what was sent.
        let requests = server.server().requests();
        assert!(requests.iter().all(|one| one.header("x-amz-security-token") == Some(TOKEN)));
        let header = "x-amz-server-side-encryption-customer-key";
        let key = STANDARD.encode(CUSTOMER);
        assert!(requests.iter().any(|one| one.header(header) == Some(&key)));
    }
    let printed = printed.0.lock().unwrap();
    assert!(printed.contains("Launched") && printed.contains("SignatureDoesNotMatch"));
    assert!(printed.contains("UploadPart") && printed.contains("DISTINCTIVE"));
    let key = STANDARD.encode(CUSTOMER);
    for secret in [SECRET, TOKEN, &key, "DistinctiveCustomer", "DistinctiveSe", "fedcba"] {
        let found = printed.find(secret).map(|at| printed.get(at.saturating_sub(200)..at));
        assert!(found.is_none(), "{secret} after {found:?}");
    }
    let bytes = format!("{:?}", &CUSTOMER[..8]);
    assert!(!printed.contains(bytes.trim_matches(['[', ']'])), "the customer's key as numbers");
}
