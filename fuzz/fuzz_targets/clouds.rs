//! Any text is clouds or an error of one line, in bounded room, and a password is seen in neither.
//!
//! An input is `clouds.yaml`, `clouds-public.yaml` and lines `NAME=VALUE` of the environment, with a
//! byte 0 between them. Each cloud gets a password from a `secure.yaml`.
#![no_main]

use apus_core::keystone::SessionOptions;
use apus_core::keystone::clouds::Clouds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\0');
    let mut part = || parts.next().unwrap_or_default();
    let (clouds, public, variables) = (part(), part(), part());
    let variables = || variables.lines().filter_map(|line| line.split_once('='));
    let public = Some(("clouds-public.yaml", public));
    let clouds = Some(("clouds.yaml", clouds));
    let read = |secure: &str| {
        Clouds::parse(clouds, Some(("secure.yaml", secure)), public)?.with_environment(variables())
    };
    let first = match read("") {
        Ok(clouds) => clouds,
        Err(error) => return check(text, &error.to_string()),
    };
    // Beside `auth` too, where texts may refer to others.
    let mut secure = "clouds:\n".to_owned();
    for name in first.names() {
        secure +=
            &format!("  {name:?}: {{ password: {SECRET}, auth: {{ password: {SECRET} }} }}\n");
    }
    let clouds = match read(&secure) {
        Ok(clouds) => clouds,
        Err(error) => return check(text, &error.to_string()),
    };
    check(text, &format!("{clouds:?}"));
    for name in clouds.names().map(Some).chain([None]) {
        for found in [clouds.cloud(name), clouds.cloud_in(name, "one")] {
            match found {
                Ok(cloud) => {
                    check(text, &format!("{cloud:?}"));
                    if let Err(error) = cloud.session(SessionOptions::default()) {
                        check(text, &error.to_string());
                    }
                }
                Err(error) => check(text, &error.to_string()),
            }
        }
    }
});

fn check(text: &str, shown: &str) {
    assert!(!shown.contains('\n'), "{shown}");
    assert!(!shown.contains(SECRET) || text.contains(SECRET), "{shown}");
}

const SECRET: &str = "hunter2";
