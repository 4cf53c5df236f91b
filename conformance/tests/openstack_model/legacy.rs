//! Legacy authentication, which only the embedded servers have.

use std::time::Duration;

use apus_conformance::server::{EmbeddedOpenStack, OpenStackModel};
use serde_json::json;

use super::raw::exchange;

#[test]
fn v1_answers_in_headers() {
    let model = OpenStackModel::new()
        .with_legacy_authentication()
        .with_token_life(Duration::from_secs(120));
    let server = EmbeddedOpenStack::start(model).unwrap();
    let url = server.auth_url().replace("/v3", "/auth/v1.0");
    let key = server.model().user("demo").password.clone();
    let headers = [("X-Auth-User", "demo:demo"), ("X-Auth-Key", &*key)];
    let answer = exchange("GET", &url, &headers, None).is(200);
    let storage = answer.header("x-storage-url").unwrap();
    assert_eq!(storage, server.storage_url_of("demo"));
    assert_eq!(answer.header("x-auth-token"), answer.header("x-storage-token"));
    assert_eq!(answer.header("x-auth-token-expires"), Some("120"));
    let token = answer.header("x-auth-token").unwrap();
    exchange("HEAD", storage, &[("X-Auth-Token", token)], None).is(204);
    let wrong = [("X-Auth-User", "demo:demo"), ("X-Auth-Key", "wrong")];
    exchange("GET", &url, &wrong, None).is(401);
}

#[test]
fn v2_answers_with_publicurl() {
    let model = OpenStackModel::new().with_legacy_authentication();
    let server = EmbeddedOpenStack::start(model).unwrap();
    let url = server.auth_url().replace("/v3", "/v2.0/tokens");
    let ask = |password: &str| {
        let credentials = json!({"username": "demo", "password": password});
        let auth = json!({"tenantName": "demo", "passwordCredentials": credentials});
        let body = json!({"auth": auth}).to_string();
        exchange("POST", &url, &[("Content-Type", "application/json")], Some(body.as_bytes()))
    };
    let password = server.model().user("demo").password.clone();
    let access = ask(&password).is(200).json();
    let endpoint = &access["access"]["serviceCatalog"][0]["endpoints"][0];
    assert_eq!(endpoint["publicURL"], *server.storage_url_of("demo"));
    let token = access["access"]["token"]["id"].as_str().unwrap();
    exchange("HEAD", &server.storage_url_of("demo"), &[("X-Auth-Token", token)], None).is(204);
    ask("wrong").is(401);
}

#[test]
fn a_keystone_of_today_has_neither() {
    let server = EmbeddedOpenStack::start(OpenStackModel::new()).unwrap();
    let v2 = server.auth_url().replace("/v3", "/v2.0/tokens");
    exchange("POST", &v2, &[], Some(b"{}")).is(404);
}
