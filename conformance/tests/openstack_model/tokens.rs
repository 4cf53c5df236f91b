//! Logins and tokens.

use serde_json::{Value, json};

use super::stage::Stage;

#[test]
fn versions_are_300_at_the_root_and_200_at_the_version() {
    let stage = Stage::set("versions");
    let url = stage.var("").to_owned();
    let root = super::raw::exchange("GET", url.trim_end_matches("v3"), &[], None).is(300);
    let version = &root.json()["versions"]["values"][0];
    let link = format!("{url}/");
    assert_eq!(version["links"][0]["href"], *link);
    assert_eq!(root.header("location"), Some(&*link));
    for path in ["", "/"] {
        let answer = stage.ask_bare("GET", path, &[]).is(200).json();
        assert_eq!(answer["version"]["links"][0]["href"], *link);
        assert_eq!(answer["version"]["status"], "stable");
    }
    stage.ask_bare("GET", "/nonesuch", &[]).is(404);
}

#[test]
fn a_password_gives_a_token_with_roles_and_a_catalogue() {
    let stage = Stage::set("password");
    let answer = stage.authenticate(&stage.password("demo", "demo")).is(201);
    assert!(answer.header("x-openstack-request-id").unwrap().starts_with("req-"));
    assert_eq!(answer.header("vary"), Some("X-Auth-Token"));
    assert_eq!(answer.header("x-subject-token").unwrap().len(), 183);
    let token = &answer.json()["token"];
    assert_eq!(token["methods"], json!(["password"]));
    assert_eq!(token["user"]["id"], *stage.var("_USER_ID"));
    assert_eq!(token["user"]["domain"], json!({"id": "default", "name": "Default"}));
    assert_eq!(token["project"]["id"], *stage.var("_PROJECT_ID"));
    assert_eq!(token["is_domain"], false);
    let role = stage.var("_ROLE");
    let roles = token["roles"].as_array().unwrap();
    assert!(roles.iter().any(|known| known["name"] == *role && known["id"].is_string()));
    for instant in ["issued_at", "expires_at"] {
        assert!(token[instant].as_str().unwrap().ends_with(".000000Z"), "{token}");
    }

    let services = token["catalog"].as_array().unwrap();
    let storage = services.iter().find(|service| service["type"] == "object-store").unwrap();
    let endpoints = storage["endpoints"].as_array().unwrap();
    let account = stage.var("_STORAGE_URL");
    let (base, _) = account.rsplit_once('/').unwrap();
    for (interface, url) in [("public", account), ("internal", account), ("admin", base)] {
        let endpoint = endpoints.iter().find(|known| known["interface"] == interface).unwrap();
        assert_eq!(endpoint["url"], *url);
        assert_eq!(endpoint["region"], *stage.var("_REGION"));
        assert_eq!(endpoint["region_id"], endpoint["region"]);
    }
    let identity = services.iter().find(|service| service["type"] == "identity").unwrap();
    assert_eq!(identity["endpoints"].as_array().unwrap().len(), 3);

    let bare = stage.ask("POST", "/auth/tokens?nocatalog", &[], &stage.password("demo", "demo"));
    let bare = bare.is(201).json();
    assert_eq!(bare["token"]["catalog"], Value::Null);
    assert_eq!(bare["token"]["roles"], token["roles"]);
}

#[test]
fn no_scope_is_the_default_project_and_unscoped_is_none() {
    let stage = Stage::set("scopes");
    let token = stage.authenticate(&stage.password_for("demo", Value::Null)).is(201).json();
    assert_eq!(token["token"]["project"]["id"], *stage.var("_PROJECT_ID"));
    assert!(token["token"]["catalog"].is_array());

    let by_id = json!({"project": {"id": stage.var("_PROJECT_ID")}});
    stage.authenticate(&stage.password_for("demo", by_id)).is(201);

    let unscoped = stage.authenticate(&stage.password_for("demo", json!("unscoped"))).is(201);
    for member in ["project", "roles", "catalog"] {
        assert_eq!(unscoped.json()["token"][member], Value::Null);
    }
    let token = unscoped.header("x-subject-token").unwrap();
    stage.call_as(token, "GET", "", &[], "").is(403);
}

#[test]
fn all_that_is_wrong_about_who_one_is_has_the_same_answer() {
    let stage = Stage::set("wrong");
    let mut wrong = stage.password("demo", "demo");
    wrong["auth"]["identity"]["password"]["user"]["password"] = json!("wrong");
    let mut nobody = stage.password("demo", "demo");
    nobody["auth"]["identity"]["password"]["user"]["name"] = json!("nobody");
    let trust = json!({"OS-TRUST:trust": {"id": "0123456789abcdef0123456789abcdef"}});
    let refused = [
        wrong,
        nobody,
        stage.password("demo", "nonesuch"),
        stage.password("demo", "alt"),
        stage.password_for("demo", json!({"domain": {"id": "default"}})),
        stage.password_for("demo", json!({"system": {"all": true}})),
        stage.password_for("glance", trust),
    ];
    for document in refused {
        let answer = stage.authenticate(&document).is(401);
        let challenge = format!("Keystone uri=\"{}\"", stage.var(""));
        assert_eq!(answer.header("www-authenticate"), Some(&*challenge));
        let message = "The request you have made requires authentication.";
        let error = json!({"code": 401, "message": message, "title": "Unauthorized"});
        assert_eq!(answer.json(), json!({"error": error}));
    }
}

#[test]
fn a_document_that_is_none_is_400() {
    let stage = Stage::set("malformed");
    let mut nowhere = stage.password("demo", "demo");
    nowhere["auth"]["identity"]["password"]["user"]["domain"] = Value::Null;
    let no_trust = stage.password_for("glance", json!({"OS-TRUST:trust": {"id": ""}}));
    for (document, says) in [
        (json!({}), "Expecting to find auth in request body."),
        (no_trust, "Expecting to find trust_id in trust."),
    ] {
        let error = stage.authenticate(&document).is(400).json();
        assert!(error["error"]["message"].as_str().unwrap().starts_with(says), "{error}");
        assert_eq!(error["error"]["title"], "Bad Request");
    }
    let headers = [("Content-Type", "application/json")];
    let url = stage.keystone("/auth/tokens");
    super::raw::exchange("POST", &url, &headers, Some(b"x")).is(400);

    let unknown = json!({"auth": {"identity": {"methods": ["nonesuch"], "nonesuch": {}}}});
    let error = stage.authenticate(&unknown).is(401).json();
    let message = "Attempted to authenticate with an unsupported method.";
    assert_eq!(error["error"]["message"], message);
    assert!(error["error"]["identity"]["methods"].is_array());
    let mut second = stage.password("demo", "demo");
    second["auth"]["identity"]["methods"] = json!(["password", "totp"]);
    second["auth"]["identity"]["totp"] = json!({"user": {"passcode": "000000"}});
    assert!(stage.authenticate(&second).status >= 400);
}

#[test]
fn an_application_credential_brings_its_scope_and_takes_none() {
    let stage = Stage::set("credential");
    let login = |credential: Value, scope: Value| {
        let identity =
            json!({"methods": ["application_credential"], "application_credential": credential});
        let mut auth = json!({"identity": identity});
        if !scope.is_null() {
            auth["scope"] = scope;
        }
        stage.authenticate(&json!({"auth": auth}))
    };
    let secret = stage.var("_APPLICATION_CREDENTIAL_SECRET");
    let good = json!({"id": stage.var("_APPLICATION_CREDENTIAL_ID"), "secret": secret});
    let (name, _) = stage.credentials("demo");
    let user = json!({"name": name, "domain": {"name": "Default"}});
    let named =
        json!({"name": stage.var("_APPLICATION_CREDENTIAL"), "user": user, "secret": secret});
    for credential in [good.clone(), named] {
        let answer = login(credential, Value::Null).is(201);
        let token = &answer.json()["token"];
        assert_eq!(token["methods"], json!(["application_credential"]));
        assert_eq!(token["project"]["id"], *stage.var("_PROJECT_ID"));
        assert_eq!(token["application_credential"]["restricted"], true);
        let token = answer.header("x-subject-token").unwrap();
        stage.call_as(token, "GET", "", &[], "").is(204);
        let refused = stage.create_trust(token, json!({})).is(403).json();
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.ends_with("Delegated tokens cannot manage trusts.."), "{message}");
    }
    for scope in [
        json!({"project": {"id": stage.var("_PROJECT_ID")}}),
        json!({"OS-TRUST:trust": {"id": "0123456789abcdef0123456789abcdef"}}),
    ] {
        let error = login(good.clone(), scope).is(401).json();
        let message = "Error authenticating with application credential: Application credentials \
                       cannot request a scope.";
        assert_eq!(error["error"]["message"], message);
    }
    let wrong = json!({"id": stage.var("_APPLICATION_CREDENTIAL_ID"), "secret": "wrong"});
    login(wrong, Value::Null).is(401);
}

#[test]
fn a_token_made_from_a_token_lives_no_longer() {
    let stage = Stage::set("rescoped");
    let first = stage.authenticate(&stage.password_for("demo", json!("unscoped"))).is(201);
    let id = first.header("x-subject-token").unwrap();
    let again = |id: &str| {
        let scope = json!({"project": {"id": stage.var("_PROJECT_ID")}});
        let identity = json!({"methods": ["token"], "token": {"id": id}});
        stage.authenticate(&json!({"auth": {"identity": identity, "scope": scope}}))
    };
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let second = again(id).is(201).json();
    assert_eq!(second["token"]["expires_at"], first.json()["token"]["expires_at"]);
    assert_ne!(second["token"]["issued_at"], first.json()["token"]["issued_at"]);
    // In any order.
    let mut methods: Vec<_> = second["token"]["methods"].as_array().unwrap().to_vec();
    methods.sort_by_key(ToString::to_string);
    assert_eq!(methods, ["password", "token"]);

    // A token that is no token, or no longer, is not found: this is no 401.
    let error = again("nonesuch").is(404).json();
    assert_eq!(error["error"]["message"], "Could not recognize Fernet token");
    let headers = [("X-Auth-Token", id), ("X-Subject-Token", id)];
    stage.ask_bare("DELETE", "/auth/tokens", &headers).is(204);
    let error = again(id).is(404).json();
    assert_eq!(error["error"]["message"], "Failed to validate token");
}

#[test]
fn tokens_are_shown_to_whose_they_are_and_can_be_revoked() {
    let stage = Stage::set("validate");
    let own = stage.login(&stage.password("demo", "demo"));
    let other = stage.login(&stage.password("glance", stage.var("_SERVICE_PROJECT")));
    let ask = |method: &str, token: &str, subject: &str| {
        let headers = [("X-Auth-Token", token), ("X-Subject-Token", subject)];
        stage.ask_bare(method, "/auth/tokens", &headers)
    };
    let shown = ask("GET", &own, &own).is(200);
    assert_eq!(shown.header("x-subject-token"), Some(&*own));
    assert_eq!(shown.json()["token"]["user"]["id"], *stage.var("_USER_ID"));
    ask("HEAD", &own, &own).is(200);
    ask("GET", "nonesuch", &own).is(401);
    ask("GET", &own, "nonesuch").is(404);
    ask("GET", &own, &other).is(403);
    ask("DELETE", &own, &other).is(403);
    stage.ask_bare("GET", "/auth/tokens", &[("X-Auth-Token", &own)]).is(403);

    stage.call_as(&own, "GET", "", &[], "").is(204);
    ask("DELETE", &own, &own).is(204);
    std::thread::sleep(std::time::Duration::from_millis(300));
    stage.call_as(&own, "GET", "", &[], "").is(401);
    let error = ask("GET", stage.token(), &own).is(404).json();
    assert_eq!(error["error"]["message"], "Failed to validate token");
}
