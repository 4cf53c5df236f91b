//! Any answer of Keystone or of v1 authentication is a token or an error, a token leads to an
//! endpoint or an error, and a token that is stored is read back as it was.
//!
//! An input is a byte that picks what was asked, and an answer as [`message`] has it.
#![no_main]

mod message;

use std::time::Duration;

use apus_core::Now;
use apus_core::contract::Operation;
use apus_core::error::Kind;
use apus_core::http::Reply;
use apus_core::keystone::*;
use libfuzzer_sys::fuzz_target;

use self::message::reply;

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, message)) = bytes.split_first() else { return };
    let Some(reply) = reply(message) else { return };
    let user = || User::Id("u".to_owned());
    let password = || Identity::password(user(), "hunter2");
    match pick.wrapping_sub(b'A') % 10 {
        0 => login("http://k/v3", password(), &reply),
        1 => login("http://k/identity", password(), &reply),
        2 => login("http://k", Identity::V2Password { user: user(), password: "p".into() }, &reply),
        3 => login("http://s/auth/v1.0", Identity::v1("a:u", "k"), &reply),
        4 => check(&ValidateToken::default(), &reply),
        5 => check(&RevokeToken::default(), &reply),
        6 => check(&CreateTrust::default(), &reply),
        7 => check(&ShowTrust::default(), &reply),
        8 => check(&ListTrusts::default(), &reply),
        _ => check(&DeleteTrust::default(), &reply),
    }
});

fn login(url: &str, identity: Identity, reply: &Reply) {
    let v3 = matches!(identity, Identity::Password { .. });
    let mut login = Login::new(url, identity, Scope::Unstated).expect("a login");
    let now = Now::new(Duration::from_secs(9), Duration::from_secs(1_767_322_800));
    login.renew(now).expect("something to ask");
    match login.answered(reply) {
        Ok(Sourced::Token(token)) => has(v3, &token, now),
        Ok(Sourced::Ask(draft)) => {
            // Whatever a document says, a password goes to no other host.
            assert_eq!(draft.head.uri.authority().map(|it| it.as_str()), Some("k"));
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n') && !line.contains("hunter2"), "{line}");
        }
    }
}

fn has(v3: bool, token: &Token, now: Now) {
    assert!(!v3 || token.facts().expires_at.is_some(), "a token of v3 ends");
    let filters = [
        EndpointFilter::default(),
        EndpointFilter { interfaces: Vec::new(), ..EndpointFilter::default() },
        EndpointFilter::at("http://s/v1/AUTH_%(project_id)s"),
    ];
    for filter in filters {
        if let Ok(address) = filter.resolve(token.facts()) {
            assert!(address.join("/c/../o?a=b").is_ok_and(|uri| uri.path().ends_with("/c/../o")));
        }
    }
    let Ok(session) = Session::fixed(token.clone()) else { return };
    let cached = session.export(now).expect("it has a token");
    let again = CachedToken::from_secret(&cached.to_secret()).expect("its own text");
    assert_eq!(again, cached);
}

fn check<O: Operation<Service = Service>>(operation: &O, reply: &Reply) {
    if let Err(error) = operation.parse(&Service::default(), reply) {
        assert!(!error.to_string().contains('\n'));
        assert!(matches!(error.kind(), Kind::Refused | Kind::InvalidResponse), "{error}");
    }
}
