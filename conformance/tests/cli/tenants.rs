//! Backends that store objects in the accounts of their users.

use std::process::Command;

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedOpenStack, OpenStackModel};

use crate::program::{Program, Ran};

fn stage() -> (EmbeddedOpenStack, Program) {
    let model = OpenStackModel::new().with_user("demo", "demo");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let (project, key) = {
        let model = cloud.model();
        let service = model.user("glance");
        (service.project.clone(), service.password.clone())
    };
    let options = format!(
        "swift_store_multi_tenant = true\nswift_store_auth_address = {}\n\
         swift_store_user = {project}:glance\nswift_store_key = {key}\n\
         swift_store_container = glance\nswift_store_create_container_on_put = true\n\
         swift_store_retries = 1\nswift_store_retry_get_count = 2\n",
        cloud.auth_url()
    );
    let program = Program::new().with_backend("tenants", "swift", &options);
    (cloud, program.with_secret(&key).with_secret("demo-secret"))
}

/// Runs as the user of these variables.
fn run(program: &Program, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = Command::new(&*APUS);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OS_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", program.path("")).env_remove("XDG_CONFIG_HOME");
    command.envs(variables.iter().copied());
    command.arg("--config").arg(program.path("glance-api.conf")).args(arguments);
    program.finish(command, b"the bytes")
}

fn demo(cloud: &EmbeddedOpenStack) -> Vec<(&'static str, String)> {
    vec![
        ("OS_AUTH_URL", cloud.auth_url()),
        ("OS_USERNAME", "demo".into()),
        ("OS_PASSWORD", "demo-secret".into()),
        ("OS_PROJECT_NAME", "demo".into()),
        ("OS_USER_DOMAIN_ID", "default".into()),
        ("OS_PROJECT_DOMAIN_ID", "default".into()),
    ]
}

#[test]
fn without_a_user_nothing_is_done_in_the_account_of_the_service() {
    let (cloud, program) = stage();
    for command in [
        &["ls"][..],
        &["stat", "x"],
        &["get", "x"],
        &["rm", "x"],
        &["put", "-", "--id", "x"],
        &["tempurl", "x"],
    ] {
        let ran = program.run(command).ends(2);
        ran.says("swift_store_multi_tenant").says("--token-file").says("--from-environment");
    }
    assert!(cloud.model().logins().is_empty());
}

#[test]
fn a_user_who_logs_in_has_objects_in_the_own_account() {
    let (cloud, program) = stage();
    let variables = demo(&cloud);
    let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let run = |arguments: &[&str]| run(&program, &variables, &[&["-e"], arguments].concat());
    let storage = cloud.model().storage_url_of("demo").replace("http://", "swift+http://");
    run(&["put", "-", "--id", "x"]).ends(0).prints(&format!("{storage}/glance_x/x"));
    assert_eq!(cloud.model().content_of("demo", "glance_x", "x").unwrap(), &b"the bytes"[..]);
    assert_eq!(run(&["-q", "get", "x"]).ends(0).out, "the bytes");
    run(&["stat", "x"]).ends(0).prints("9");
    run(&["get", &format!("{storage}/glance_x/x"), "-o", "copy"]).ends(0);
    run(&["ls"]).ends(0).prints("  x");
    run(&["rm", "x"]).ends(0);
    run(&["stat", "x"]).ends(3);
    // A download of several requests may outlast the token: it is made by a trust, which is gone.
    let logins = cloud.model().logins().to_vec();
    assert!(logins.iter().any(|login| login.trust.is_some()), "{logins:?}");
}

#[test]
fn a_token_names_the_user_too() {
    let (cloud, program) = stage();
    let issued = || {
        let variables = demo(&cloud);
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
        run(&program, &variables, &["-e", "put", "-", "--id", "first"]).ends(0);
        let model = cloud.model();
        let id = model.user("demo").id.clone();
        let own = model.live_tokens().into_iter();
        let own = own.filter(|token| token.user_id == id && token.trust.is_none());
        own.max_by_key(|token| token.expires_at).unwrap().id.clone()
    };
    let token = issued();
    let program = program.with_secret(&token);
    program.write("token", format!("{token}\n").as_bytes());
    let by_file = ["--token-file", "token"];
    program.run(&[&by_file[..], &["stat", "first"]].concat()).ends(0).prints("glance_first");
    run(&program, &[("OS_TOKEN", &token)], &["-e", "stat", "first"]).ends(0);
    program.write("token", b"0123");
    program.run(&[&by_file[..], &["stat", "first"]].concat()).ends(5).says("backend tenants");
    program.write("token", b"\n");
    program.run(&[&by_file[..], &["stat", "first"]].concat()).ends(2).says("empty");
    // One store by its URL.
    program.write("token", token.as_bytes());
    let store = format!("{}/glance_first", cloud.auth_url().replace("http://", "swift+http://"));
    let mut command = Command::new(&*APUS);
    command.args(["-s", &store, "--token-file", "token", "-q", "get", "first"]);
    command.env("OS_PROJECT_NAME", "demo").env("OS_PROJECT_DOMAIN_ID", "default");
    command.env("HOME", program.path(""));
    assert_eq!(program.finish(command, b"").ends(0).out, "the bytes");
}

#[test]
fn an_upload_into_the_account_of_a_user_goes_on_after_its_segments() {
    let (cloud, program) = stage();
    let conf = std::fs::read_to_string(program.path("glance-api.conf")).unwrap();
    let small = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n\
                 swift_store_thread_pools = 1\n";
    program.write("glance-api.conf", format!("{conf}{small}").as_bytes());
    let image: Vec<u8> = (0..6_500_000_u32).map(|at| (at % 251) as u8).collect();
    program.write("image", &image);
    let mut variables = demo(&cloud);
    variables.push(("XDG_STATE_HOME", program.path("state").display().to_string()));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut command = Command::new(&*APUS);
    command.env("HOME", program.path("")).envs(variables.iter().copied());
    command.arg("--config").arg(program.path("glance-api.conf"));
    command.args(["-e", "--limit-rate", "1M", "put", "image", "--resume"]);
    command.current_dir(program.path("")).stdout(std::process::Stdio::null());
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let segments = || cloud.model().names_of("demo", "glance_image").len();
    let begun = std::time::Instant::now();
    while segments() < 2 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "no segment");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::thread::sleep(std::time::Duration::from_millis(600));
    child.kill().unwrap();
    child.wait().unwrap();
    let storage = cloud.model().storage_url_of("demo").replace("http://", "swift+http://");
    let ran = run(&program, &variables, &["-e", "put", "image", "--resume"]).ends(0);
    ran.says("continuing: ").prints(&format!("{storage}/glance_image/image"));
    let got = run(&program, &variables, &["-e", "get", "image", "-o", "copy"]);
    got.ends(0);
    assert_eq!(std::fs::read(program.path("copy")).unwrap(), image);

    let mut command = Command::new(&*APUS);
    command.env("HOME", program.path("")).envs(variables.iter().copied());
    command.arg("--config").arg(program.path("glance-api.conf"));
    command.args(["-e", "--limit-rate", "1M", "get", "image", "-o", "again", "--resume"]);
    command.current_dir(program.path("")).stdout(std::process::Stdio::null());
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let part = program.path(".again.apus-part");
    let begun = std::time::Instant::now();
    while std::fs::metadata(&part).map_or(0, |part| part.len()) < 1_000_000 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "no bytes");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let got = run(&program, &variables, &["-e", "get", "image", "-o", "again", "--resume"]);
    got.ends(0).says("continuing after");
    assert_eq!(std::fs::read(program.path("again")).unwrap(), image);
}
