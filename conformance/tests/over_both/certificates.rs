//! Which certificates of servers are trusted.

use apus_conformance::server::{Identity, Reply, Request, Scripted};
use apus_core::error::ExchangeErrorKind;
use apus_core::s3::GetObject;

use crate::client::{Setup, Via};

both! {
    a_certificate_in_the_bundle_is_the_servers_own,
}

fn server(identity: Identity) -> Scripted {
    Scripted::start_with(|_: &Request| Reply::new(200).body("bytes"), identity).unwrap()
}

/// `openssl req -x509` makes certificates with `CA:TRUE`, and curl takes one that is in its bundle.
fn a_certificate_in_the_bundle_is_the_servers_own(via: Via) {
    let call = |server: &Scripted, ca: Option<&str>| {
        let mut setup = Setup::of(server);
        setup.config.retry_policy.attempts = 1;
        if let Some(ca) = ca {
            setup.ca = Some(ca.to_owned());
        }
        setup.client(via).call(GetObject::new("bucket", "key"))
    };
    let good = server(Identity::of_an_authority("localhost", false));
    assert_eq!(call(&good, None).unwrap().body, "bytes");
    // Among others too.
    let other = Identity::of_an_authority("localhost", false);
    let both = format!("{}{}", other.ca_pem(), good.ca_pem().unwrap());
    assert_eq!(call(&good, Some(&both)).unwrap().body, "bytes");

    // Neither of another name, nor over, nor of another key.
    let elsewhere = server(Identity::of_an_authority("elsewhere.test", false));
    let over = server(Identity::of_an_authority("localhost", true));
    for (server, ca, why) in [
        (&elsewhere, None, "not valid for name"),
        (&over, None, "expired"),
        (&good, Some(other.ca_pem()), "CA:FALSE"),
    ] {
        let error = call(server, ca).unwrap_err();
        assert_eq!(error.exchange_error().unwrap().kind(), ExchangeErrorKind::Tls, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(server.requests().iter().all(|request| request.complete));
    }
    assert_eq!((elsewhere.requests().len(), over.requests().len()), (0, 0));
}
