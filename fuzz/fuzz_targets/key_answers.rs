//! Any answers of STS, the SSO portal and the metadata services, and anything that a process prints,
//! are keys or an error, without more questions than there are steps.
//!
//! An input is a byte that picks the source, and an answer as [`message`] has it, which every question
//! gets.
#![no_main]

mod message;

use std::task::{Poll, Waker};
use std::time::Duration;

use apus_core::credentials::{
    AwsConfig, Environment, KeySource, KeyStep, Lookup, Provider, Resolver, Source,
};
use apus_core::{Error, Now, Secret};
use libfuzzer_sys::fuzz_target;

use self::message::reply;

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, message)) = bytes.split_first() else { return };
    let Some(reply) = reply(message) else { return };
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let mut provider = Provider::new(source(pick.wrapping_sub(b'A') % 8), Said(text));
    let now = Now::new(Duration::from_secs(9), Duration::from_secs(1_767_322_800));
    let mut step = provider.renew(now, Waker::noop());
    for _ in 0..8 {
        match step {
            Ok(KeyStep::Ask(_)) => step = provider.answered(now, &reply),
            Ok(KeyStep::Keys(keys)) => {
                assert!(!keys.keys.access_key.is_empty());
                return;
            }
            Ok(KeyStep::Pending) => panic!("nothing takes its time"),
            Err(error) => return assert!(!error.to_string().contains('\n')),
        }
    }
    panic!("it asks for ever");
});

/// What is looked up says the same as every answer.
struct Said(String);

impl Lookup for Said {
    fn file(&mut self, _: &str, _: &Waker) -> Poll<Result<Secret, Error>> {
        Poll::Ready(Ok(Secret::from(self.0.as_str())))
    }

    fn process(&mut self, _: &str, _: &Waker) -> Poll<Result<Secret, Error>> {
        Poll::Ready(Ok(Secret::from(self.0.as_str())))
    }
}

fn source(pick: u8) -> Source {
    let config = AwsConfig::parse(("config", CONFIG), ("", "")).expect("it is well-formed");
    let environment = Environment::new([
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"),
        ("AWS_EC2_METADATA_V1_DISABLED", if pick == 7 { "false" } else { "true" }),
    ]);
    let resolver = Resolver::new(&config, &environment);
    let source = match pick {
        0 => resolver.profile("role"),
        1 => resolver.profile("far"),
        2 => resolver.profile("web"),
        3 => resolver.profile("sso"),
        4 => resolver.profile("process"),
        5 => resolver.container(),
        _ => resolver.instance(),
    };
    source.expect("it is configured")
}

const CONFIG: &str = "
[profile base]
aws_access_key_id = A
aws_secret_access_key = S
[profile role]
role_arn = r
source_profile = base
[profile far]
role_arn = f
source_profile = role
[profile web]
role_arn = w
web_identity_token_file = t
[profile sso]
sso_start_url = https://s.example
sso_region = eu-west-1
sso_account_id = 1
sso_role_name = n
[profile process]
credential_process = p
";
