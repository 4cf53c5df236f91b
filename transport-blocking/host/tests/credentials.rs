//! The renewed token of a login replaces the cached one.
#![cfg(feature = "credentials")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use apus_core::Secret;
use apus_core::credentials::Lookup as _;
use apus_host::credentials::System;

#[test]
fn a_cached_token_is_replaced_as_a_whole_and_keeps_its_mode() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token.json");
    fs::write(&path, "an older token, which is longer").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let named = path.to_str().unwrap();
    System::default().replace_file(named, &Secret::from("new")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let missing = directory.path().join("none/token.json");
    let error = System::default()
        .replace_file(missing.to_str().unwrap(), &Secret::from("new"))
        .unwrap_err();
    assert!(error.to_string().contains("token.json") && !error.to_string().contains("new"));
}
