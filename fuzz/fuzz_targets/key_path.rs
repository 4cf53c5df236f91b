//! Keys, a line each: an accepted one is its path, stays below the directory, and shares no file.
#![no_main]

use std::path::{Component, Path};

use apus_core::key_path::KeyPaths;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (options, text) = input.split_at_checked(1).unwrap_or(("", input));
    let mut paths =
        KeyPaths::new("p/").windows(options == "w").exact_names(options == "e").memory(1 << 14);
    let mut accepted = Vec::new();
    for line in text.split('\n') {
        let key = format!("p/{line}");
        match paths.path(&key) {
            Err(error) => assert!(!error.to_string().contains(char::is_control)),
            Ok(path) => {
                assert_eq!(path.as_str(), line);
                let below = Path::new("/t").join(&path);
                let below = below.strip_prefix("/t").unwrap().components();
                assert!(below.eq(path.components().map(|name| Component::Normal(name.as_ref()))));
                assert_eq!(paths.path(&key), Ok(path));
                accepted.push(line);
            }
        }
    }
    accepted.sort_unstable();
    accepted.dedup();
    for (at, one) in accepted.iter().enumerate() {
        for other in &accepted[at + 1..] {
            assert!(
                !other.strip_prefix(one).is_some_and(|rest| rest.starts_with('/')),
                "{one} {other}"
            );
            assert!(options == "e" || one.to_ascii_lowercase() != other.to_ascii_lowercase());
        }
    }
});
