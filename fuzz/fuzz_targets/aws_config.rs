//! Any config and credentials files and any environment are a source of keys or an error of one line,
//! and the way to the keys has an end.
//!
//! An input is a config file, a credentials file and lines of `NAME=value`, with a NUL between.
#![no_main]

use apus_core::Error;
use apus_core::credentials::{AwsConfig, CredentialSource, Environment, Resolver, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.split('\0');
    let mut part = || parts.next().unwrap_or_default();
    let (config, credentials, environment) = (part(), part(), part());
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let environment = Environment::new(variables);
    let config = match AwsConfig::read(("config", config), ("credentials", credentials)) {
        Ok(config) => config,
        Err(error) => {
            assert!(error.line > 0 && !error.problem.is_empty());
            return;
        }
    };
    let resolver = Resolver::new(&config, &environment);
    for name in config.profiles() {
        check(resolver.profile(name));
        let _ = resolver.settings(Some(name));
    }
    for source in CredentialSource::ALL {
        check(resolver.named(source, Some("a")));
    }
    let _ = resolver.settings(None);
});

fn check(source: Result<Source, Error>) {
    match source {
        Ok(source) => {
            assert!(source.to_string().split(" from ").count() <= 34);
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
}
