//! `--from-environment` with `OS_*` and `clouds.yaml`: the account that an object is stored in.

use std::process::Command;

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedOpenStack, OpenStackModel};

use crate::program::{Program, Ran};

/// `demo` has rights in `demo`, its default project, and in `alt`.
fn cloud() -> EmbeddedOpenStack {
    let model = OpenStackModel::new()
        .with_user("demo", "alt")
        .with_user("a:b", "c:d")
        .with_container("demo", "images")
        .with_container("alt", "images")
        .with_container("a:b", "images");
    EmbeddedOpenStack::start(model).unwrap()
}

fn store(cloud: &EmbeddedOpenStack) -> String {
    format!("{}/images", cloud.auth_url().replace("http://", "swift+http://"))
}

/// Runs with these variables and no other `OS_*`.
fn run(program: &Program, store: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = Command::new(&*APUS);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OS_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", program.path("")).env_remove("XDG_CONFIG_HOME");
    command.envs(variables.iter().copied()).args(["-s", store, "-e"]).args(arguments);
    program.finish(command, b"bytes")
}

const DOMAINS: [(&str, &str); 2] =
    [("OS_USER_DOMAIN_ID", "default"), ("OS_PROJECT_DOMAIN_ID", "default")];
const PASSWORD: (&str, &str) = ("OS_PASSWORD", "demo-secret");

/// Where an upload went: the user whose account has the object.
fn stored_for(cloud: &EmbeddedOpenStack, variables: &[(&str, &str)], more: &str) -> Vec<String> {
    let program = Program::new().with_secret("demo-secret").with_secret("a:b-secret");
    program.write("clouds.yaml", more.as_bytes());
    let variables = [&DOMAINS, variables].concat();
    run(&program, &store(cloud), &variables, &["put", "-", "--id", "x"]).ends(0);
    let stored = ["demo", "alt", "a:b", "glance"]
        .into_iter()
        .filter(|user| cloud.model().object_of(user, "images", "x").is_some());
    let stored = stored.map(str::to_owned).collect();
    run(&program, &store(cloud), &variables, &["rm", "x"]).ends(0);
    stored
}

#[test]
fn an_object_is_stored_in_the_project_that_the_variables_name() {
    let cloud = cloud();
    let (alt, demo) = {
        let model = cloud.model();
        (model.project_id("alt").to_owned(), model.user("demo").id.clone())
    };
    let user = ("OS_USERNAME", "demo");
    for project in ["OS_PROJECT_ID", "OS_TENANT_ID"] {
        assert_eq!(
            stored_for(&cloud, &[user, PASSWORD, (project, &alt)], ""),
            ["alt"],
            "{project}"
        );
    }
    for project in ["OS_PROJECT_NAME", "OS_TENANT_NAME"] {
        assert_eq!(stored_for(&cloud, &[user, PASSWORD, (project, "alt")], ""), ["alt"]);
    }
    let by_id = [("OS_USER_ID", &*demo), PASSWORD, ("OS_PROJECT_NAME", "alt")];
    assert_eq!(stored_for(&cloud, &by_id, ""), ["alt"]);
    // The default project of the user.
    assert_eq!(stored_for(&cloud, &[user, PASSWORD], ""), ["demo"]);
    let colons =
        [("OS_USERNAME", "a:b"), ("OS_PASSWORD", "a:b-secret"), ("OS_PROJECT_NAME", "c:d")];
    assert_eq!(stored_for(&cloud, &colons, ""), ["a:b"]);
}

#[test]
fn a_token_and_an_application_credential_are_used_with_their_auth_type() {
    let cloud = cloud();
    let alt = cloud.model().project_id("alt").to_owned();
    stored_for(&cloud, &[("OS_USERNAME", "demo"), PASSWORD], "");
    let token = cloud.model().live_tokens()[0].id.clone();
    let by_token = [("OS_AUTH_TYPE", "token"), ("OS_TOKEN", &*token), ("OS_PROJECT_ID", &*alt)];
    assert_eq!(stored_for(&cloud, &by_token, ""), ["alt"]);
    let credential = cloud.model().application_credential().clone();
    let by_credential = [
        ("OS_AUTH_TYPE", "v3applicationcredential"),
        ("OS_APPLICATION_CREDENTIAL_ID", &*credential.id),
        ("OS_APPLICATION_CREDENTIAL_SECRET", &*credential.secret),
    ];
    assert_eq!(stored_for(&cloud, &by_credential, ""), ["demo"]);
    // As openstacksdk, which takes the password's type where none is named.
    let program = Program::new();
    run(&program, &store(&cloud), &by_credential[1..], &["ls"]).ends(6).says("OS_AUTH_TYPE");
}

#[test]
fn os_cloud_selects_a_cloud_of_the_file_before_the_other_variables() {
    let cloud = cloud();
    let file = format!(
        "clouds:\n  there:\n    auth: {{auth_url: '{}', username: demo, password: demo-secret, \
         user_domain_id: default, project_domain_id: default, project_name: alt}}\n  other: {{}}\n",
        cloud.auth_url()
    );
    let colons =
        [("OS_USERNAME", "a:b"), ("OS_PASSWORD", "a:b-secret"), ("OS_PROJECT_NAME", "c:d")];
    let selected = [&colons[..], &[("OS_CLOUD", "there")]].concat();
    assert_eq!(stored_for(&cloud, &selected, &file), ["alt"]);
    assert_eq!(stored_for(&cloud, &colons, &file), ["a:b"]);
    let program = Program::new().with_secret("demo-secret");
    program.write("clouds.yaml", file.as_bytes());
    let run = |store: &str, cloud: &str| run(&program, store, &[("OS_CLOUD", cloud)], &["ls"]);
    run(&store(&cloud), "nowhere").ends(6).says("nowhere");
    run("swift:///images", "there").ends(0);
    // Credentials are for the Keystone of their cloud alone.
    run("swift+http://127.0.0.1:9/v3/images", "there").ends(2).says("127.0.0.1:9");
}

#[test]
fn interface_region_trust_and_endpoint_of_the_environment_are_used() {
    let cloud = cloud();
    let program = Program::new().with_secret("demo-secret");
    let user = [("OS_USERNAME", "demo"), PASSWORD];
    let run = |more: (&str, &str), arguments: &[&str]| {
        let variables = [&DOMAINS[..], &user, &[more]].concat();
        run(&program, &store(&cloud), &variables, arguments)
    };
    run(("OS_INTERFACE", "internal"), &["ls"]).ends(0);
    run(("OS_INTERFACE", "nearest"), &["ls"]).ends(6).says("OS_INTERFACE");
    // The admin URL is that of no account.
    run(("OS_ENDPOINT_TYPE", "adminURL"), &["ls"]).ends(5);
    let ran = run(("OS_REGION_NAME", "nowhere"), &["ls"]).says("nowhere");
    assert_ne!(ran.code, 0);
    run(("OS_REGION_NAME", "nowhere"), &["-O", "swift_store_region=RegionOne", "ls"]).ends(0);
    let ran = run(("OS_TRUST_ID", "0123"), &["ls"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert_eq!(cloud.model().logins().last().unwrap().trust.as_deref(), Some("0123"));
    let other = cloud.model().storage_url_of("alt");
    let elsewhere = run(("OS_STORAGE_URL", &other), &["put", "-", "--id", "y"]);
    assert!(elsewhere.code != 0 || cloud.model().object_of("alt", "images", "y").is_some());
    assert!(cloud.model().object_of("demo", "images", "y").is_none());
    // A name without its domain is not sent, and the error names the variables.
    let bare = [("OS_USERNAME", "demo"), PASSWORD];
    let ran = super::environment::run(&program, &store(&cloud), &bare, &["ls"]).ends(6);
    ran.says("OS_USER_DOMAIN_NAME").says("OS_USER_DOMAIN_ID");
}

/// "Authentication (v1)" of Swift's documentation, which TempAuth and Ceph's gateway have: its
/// variables are those of swiftclient.
#[test]
fn the_first_authentication_of_swift_is_used_by_its_variables() {
    let model = OpenStackModel::new().with_legacy_authentication().with_user("demo", "demo");
    let model = model.with_container("demo", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let url = format!("{}/auth/v1.0", cloud.auth_url().trim_end_matches("/v3"));
    let theirs = [("ST_AUTH", &*url), ("ST_USER", "demo:demo"), ("ST_KEY", "demo-secret")];
    let ours = [
        ("OS_AUTH_TYPE", "v1password"),
        ("OS_AUTH_URL", &*url),
        ("OS_USERNAME", "demo:demo"),
        ("OS_PASSWORD", "demo-secret"),
    ];
    let program = Program::new().with_secret("demo-secret");
    for (id, variables) in [("st", &theirs[..]), ("os", &ours)] {
        run(&program, "swift:///images", variables, &["put", "-", "--id", id]).ends(0);
        assert!(cloud.model().object_of("demo", "images", id).is_some());
    }
    let wrong = [theirs[0], theirs[1], ("ST_KEY", "other")];
    run(&program, "swift:///images", &wrong, &["ls"]).ends(5);
}
