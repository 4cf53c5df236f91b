//! Requests about many objects at once: they are never refused as a whole.

use serde_json::{Value, json};

use super::raw::{Answer, exchange};
use super::stage::Stage;

fn set(test: &str) -> Stage {
    let stage = Stage::set(test);
    stage.put("/s1", "hello").is(201);
    stage.put("/s2", "world").is(201);
    stage
}

fn manifest(stage: &Stage) -> Value {
    let path = |name: &str| format!("/{}/{name}", stage.container);
    json!([{"path": path("s1")}, {"path": path("s2")}])
}

fn bulk(stage: &Stage, token: &str, names: &str) -> Answer {
    let headers =
        [("X-Auth-Token", token), ("Content-Type", "text/plain"), ("Accept", "application/json")];
    exchange("POST", &stage.account("?bulk-delete"), &headers, Some(names.as_bytes()))
}

#[test]
fn many_are_deleted_by_name() {
    let stage = set("bulk");
    let container = &stage.container;
    let names = format!("{container}/s1\n{container}/none\n/{container}/s%32\n");
    let done = bulk(&stage, stage.token(), &names).is(200).json();
    assert_eq!(
        done,
        json!({
            "Response Status": "200 OK", "Response Body": "", "Number Deleted": 2,
            "Number Not Found": 1, "Errors": [],
        })
    );
    assert_eq!(stage.get("").is(204).text(), "");
    stage.put("/s1", "hello").is(201);
    let done = bulk(&stage, stage.token(), container).is(200).json();
    assert_eq!(done["Response Status"], "400 Bad Request");
    assert_eq!(done["Errors"], json!([[container, "409 Conflict"]]));
    let done = bulk(&stage, stage.token(), "").is(200).json();
    assert_eq!(done["Response Status"], "400 Bad Request");
    assert_eq!(done["Response Body"], "Invalid bulk delete.");
    let headers = [("X-Auth-Token", stage.token()), ("Content-Type", "text/plain")];
    let names = format!("{container}/none");
    let url = stage.account("?bulk-delete");
    let text = exchange("POST", &url, &headers, Some(names.as_bytes())).is(200).text();
    let expected = "Number Deleted: 0\nNumber Not Found: 1\nResponse Body: \nResponse Status: 200 \
                    OK\nErrors:\n";
    assert_eq!(text, expected);
}

#[test]
fn a_manifest_goes_with_its_segments() {
    let stage = set("slo-delete");
    let body = manifest(&stage).to_string();
    let json = [("Accept", "application/json")];
    let delete = |path: &str| {
        let path = format!("/{path}?multipart-manifest=delete");
        stage.call("DELETE", &path, &json, "").is(200).json()
    };
    stage.call("PUT", "/slo?multipart-manifest=put", &[], &body).is(201);
    let done = delete("slo");
    assert_eq!((&done["Response Status"], &done["Number Deleted"]), (&json!("200 OK"), &json!(3)));
    stage.get("").is(204);
    assert_eq!(delete("slo")["Number Not Found"], 1);

    stage.put("/plain", "x").is(201);
    let done = delete("plain");
    assert_eq!(done["Response Status"], "400 Bad Request");
    let name = format!("/{}/plain", stage.container);
    assert_eq!(done["Errors"], json!([[name, "Not an SLO manifest"]]));

    stage.put("/s1", "hello").is(201);
    stage.put("/s2", "world").is(201);
    stage.call("PUT", "/slo?multipart-manifest=put", &[], &body).is(201);
    stage.call("DELETE", "/slo?multipart-manifest=delete&async=on", &[], "").is(204);
    stage.call("DELETE", "/slo?multipart-manifest=delete&async=on", &[], "").is(404);
}

/// An invalid token is reported for each object, and not by the status.
#[test]
fn a_dead_token_is_no_401_here() {
    let stage = set("dead-token");
    let body = manifest(&stage).to_string();
    let container = &stage.container;
    let (s1, s2) = (format!("/{container}/s1"), format!("/{container}/s2"));
    let dead = "401 Unauthorized";
    stage.call("PUT", "/slo?multipart-manifest=put", &[], &body).is(201);

    let put = |query: &str, accept: &str| {
        let path = format!("/slo?multipart-manifest=put{query}");
        stage.call_as("nonesuch", "PUT", &path, &[("Accept", accept)], &body)
    };
    let answer = put("", "*/*").is(400);
    let text = answer.text();
    assert!(text.starts_with("Errors:\n"), "{text}");
    assert!([&s1, &s2].into_iter().all(|path| text.contains(&format!("{path}, {dead}\n"))));
    assert_eq!(answer.header("www-authenticate"), None);
    let errors = put("", "application/json").is(400).json();
    assert_eq!(sorted(&errors), [json!([s1, dead]), json!([s2, dead])]);
    let text = put("&heartbeat=on", "application/json").is(202).text();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["Response Status"], "400 Bad Request");
    assert_eq!(sorted(&document), [json!([s1, dead]), json!([s2, dead])]);

    let json = [("Accept", "application/json")];
    let path = "/slo?multipart-manifest=delete";
    let done = stage.call_as("nonesuch", "DELETE", path, &json, "").is(200).json();
    assert_eq!(done["Response Status"], "400 Bad Request");
    assert_eq!(done["Errors"], json!([[format!("/{container}/slo"), dead]]));

    let names = format!("{container}/s1\n{container}/s2");
    let done = bulk(&stage, "nonesuch", &names).is(200).json();
    assert_eq!(done["Response Status"], "400 Bad Request");
    assert_eq!(sorted(&done), [json!([&s1[1..], dead]), json!([&s2[1..], dead])]);

    // Nor is one that may not write.
    let reader = stage.login(&stage.password("reader", "demo"));
    let path = "/slo?multipart-manifest=put";
    stage.call_as(&reader, "PUT", path, &[], &body).is(403);
    let path = format!("{path}&heartbeat=on");
    let text = stage.call_as(&reader, "PUT", &path, &[], &body).is(202).text();
    assert!(text.contains("Response Status: 403 Forbidden\n"), "{text}");
    let done = bulk(&stage, &reader, &names).is(200).json();
    assert_eq!(done["Errors"][0][1], "403 Forbidden");
}

/// Returns the errors, which are reported in any order.
fn sorted(document: &Value) -> Vec<Value> {
    let mut errors = document["Errors"].as_array().unwrap().clone();
    errors.sort_by_key(Value::to_string);
    errors
}
