//! Any text is a configuration or a list of what is wrong with it, and no value of it is shown.
#![no_main]

use apus_core::store::config::{Configuration, OsloConfig, Reference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Reference::read_all("references", text);
    match OsloConfig::parse([("a", text)]) {
        Err(errors) => assert!(!errors.is_empty()),
        Ok(config) => {
            for group in config.groups() {
                for (name, value) in config.options(group) {
                    assert!(value.line > 0);
                    let put_in = config.value(group, name, &|_, _| None);
                    assert!(
                        put_in.is_err()
                            || value.text.contains('$')
                            || put_in == Ok(Some(value.text.clone()))
                    );
                }
            }
            let _ = Configuration::of_oslo(&config);
        }
    }
});
