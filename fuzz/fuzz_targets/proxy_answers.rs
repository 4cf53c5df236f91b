//! Whatever a proxy answers, piece by piece, it is a tunnel, a failure, or not all there yet: the same
//! however it is cut into pieces, in one printable line of bounded length, without the password.
//!
//! An input is what the proxy answers to `CONNECT`; as [`message`] has it, it is also the answer to a
//! request that the proxy was to pass on.
#![no_main]

mod message;

use apus_core::Secret;
use apus_core::error::ExchangeError;
use apus_core::proxy::Proxy;
use libfuzzer_sys::fuzz_target;

use self::message::reply;

fuzz_target!(|bytes: &[u8]| {
    let open = Proxy::new("http://proxy:3128").unwrap();
    let known = open.clone().credentials("user", Secret::new("PassWord")).unwrap();
    for proxy in [open, known] {
        connect(&proxy, bytes);
        if let Some(failure) = reply(bytes).and_then(|reply| proxy.refusal(&reply.head)) {
            check(&failure);
        }
    }
});

fn connect(proxy: &Proxy, answer: &[u8]) {
    // Once it is known what the answer is, nothing that comes after it is looked at, but for one
    // that is a tunnel: then nothing may come.
    let mut known: Option<bool> = None;
    let ends = (0..=answer.len()).filter(|end| answer.len() <= 256 || end % 17 == 0);
    for end in ends.chain([answer.len()]) {
        match (proxy.connected(&answer[..end]), known) {
            (Ok(false), before) => assert_eq!(before, None, "it was known at {end}"),
            (Ok(true), before) => {
                assert_ne!(before, Some(false), "it was refused before {end}");
                known = Some(true);
            }
            (Err(failure), _) => {
                check(&failure);
                known = Some(false);
            }
        }
    }
}

fn check(failure: &ExchangeError) {
    let said = failure.to_string();
    assert!(!said.contains("PassWord"), "the password is told");
    assert!(!said.chars().any(char::is_control), "{said:?}");
    assert!(said.len() <= 2048, "{} bytes are told", said.len());
}
