//! Limits of the command line, and where the configuration is if it does not say.

use std::process::Command;
use std::time::{Duration, Instant};

use apus_conformance::program::APUS;
use apus_conformance::server::{
    EmbeddedOpenStack, EmbeddedS3, FaultyS3, OpenStackModel, Options, Reply, Request, S3Model,
    Scripted,
};

use crate::program::{Program, Ran};

#[test]
fn a_limited_rate_is_kept_up_and_down() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    let image = vec![7; 3 << 20];
    for command in [&["put", "-", "--id", "x"][..], &["get", "x", "-o", "out"]] {
        let begun = Instant::now();
        program.run_with(&[&["--limit-rate", "1M"], command].concat(), &image).ends(0);
        // A burst of one second's worth is allowed.
        assert!(begun.elapsed() > Duration::from_millis(1500), "{command:?}");
    }
    program.run(&["--limit-rate", "0", "ls"]).ends(2).says("20M");
}

#[test]
fn concurrency_and_timeouts_replace_those_of_the_configuration() {
    let server = FaultyS3::start(S3Model::new().with_bucket("images")).unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\ns3_store_retries = 0\ns3_store_thread_pools = 8\n\
         s3_store_large_object_size = 1\ns3_store_large_object_chunk_size = 5\n",
        server.endpoint()
    );
    let program = Program::new().with_backend("fast", "s3", &options).with_secret("a/secret");
    program.write("image", &vec![7; 24 << 20]);
    program.run(&["--concurrency", "1", "put", "image"]).ends(0);
    assert_eq!(server.server().peak_concurrency(), 1);

    let slow = Scripted::start(|_: &Request| Reply::new(200).delay(Duration::from_secs(20)));
    let slow = slow.unwrap();
    let options = options.replace(&server.endpoint(), &slow.endpoint());
    let program = Program::new().with_backend("slow", "s3", &options).with_secret("a/secret");
    let begun = Instant::now();
    program.run(&["--read-timeout", "1", "stat", "x"]).ends(7).says("timed out");
    assert!(begun.elapsed() < Duration::from_secs(15));
    program.run(&["--connect-timeout", "0", "stat", "x"]).ends(2);
}

/// A port whose queue of connections is full answers no further one (Linux, `listen(2)`).
#[cfg(target_os = "linux")]
#[test]
fn a_connection_has_a_timeout_of_its_own() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let full = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.listen(1).unwrap()
    });
    let address = full.local_addr().unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500)))
        .collect();
    assert!(waiting.last().unwrap().is_err(), "the queue is not full");
    let program = Program::new().with_endpoint("full", &format!("http://{address}"), "images");
    // Built before the time is taken.
    std::sync::LazyLock::force(&APUS);
    let begun = Instant::now();
    let ran = program.run(&["--connect-timeout", "1", "--read-timeout", "60", "stat", "x"]).ends(7);
    ran.says("the connect timeout was exceeded").says("backend full");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn the_configuration_has_a_variable_and_a_default_path() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    let conf = program.path("glance-api.conf");
    let home = program.path("home");
    let apus = |variables: &[(&str, &str)]| -> Ran {
        let mut command = Command::new(&*APUS);
        command.env("HOME", &home).env_remove("XDG_CONFIG_HOME").env_remove("APUS_CONFIG");
        command.envs(variables.iter().copied()).arg("ls");
        program.finish(command, b"")
    };
    apus(&[("APUS_CONFIG", conf.to_str().unwrap())]).ends(0);
    apus(&[("APUS_CONFIG", "none.conf")]).ends(6).says("none.conf");
    apus(&[]).ends(2).says("~/.config/apus/apus.conf");
    std::fs::create_dir_all(home.join(".config/apus")).unwrap();
    std::fs::copy(&conf, home.join(".config/apus/apus.conf")).unwrap();
    apus(&[]).ends(0);
    apus(&[("XDG_CONFIG_HOME", "elsewhere")]).ends(2);
}

#[test]
fn the_profile_of_the_environment_has_region_endpoint_and_keys() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_secret(server.secret_key());
    let config = format!(
        "[profile ceph]\nregion = us-east-1\nendpoint_url = {}\naws_access_key_id = {}\n\
         aws_secret_access_key = {}\ns3 =\n  addressing_style = path\n",
        server.endpoint(),
        server.access_key(),
        server.secret_key()
    );
    let config = program.write("config", config.as_bytes());
    let apus = |variables: &[(&str, &str)], arguments: &[&str]| -> Ran {
        let mut command = Command::new(&*APUS);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command.env("HOME", program.path("")).env("AWS_CONFIG_FILE", &config);
        command.envs(variables.iter().copied()).args(["-s", "s3:///images", "-e"]).args(arguments);
        program.finish(command, b"bytes")
    };
    apus(&[("AWS_PROFILE", "ceph")], &["put", "-", "--id", "x"]).ends(0);
    assert_eq!(apus(&[], &["-q", "--profile", "ceph", "get", "x"]).ends(0).out, "bytes");
    apus(&[], &["--profile", "none", "ls"]).ends(6).says("none");
    let half = [("AWS_ACCESS_KEY_ID", "AK"), ("AWS_PROFILE", "ceph")];
    let half = apus(&half[..1], &["ls"]);
    assert!(half.code == 6 && half.err.contains("AWS_SECRET_ACCESS_KEY"), "{half:?}");
}

/// Runs a command to its end; returns the most memory that it has had, in KiB (`VmHWM`).
#[cfg(target_os = "linux")]
fn peak(program: &Program, arguments: &[&str], input: std::process::Stdio) -> u64 {
    let mut child = Command::new(&*APUS)
        .arg("--config")
        .arg(program.path("glance-api.conf"))
        .arg("-q")
        .args(arguments)
        .current_dir(program.path(""))
        .stdin(input)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(kib.unwrap_or(0_u64));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{arguments:?}");
            return most;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// At the defaults, also where an object goes in one request or is in segments.
#[cfg(target_os = "linux")]
#[test]
fn an_upload_takes_at_most_64_mib() {
    let server = EmbeddedS3::start(Options::new().tls(false).bucket("images")).unwrap();
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program =
        Program::new().with_s3("fast", &server, "images").with_swift("cold", &cloud, "images");
    let file = |name: &str, mib: u64| {
        let file = std::fs::File::create(program.path(name)).unwrap();
        file.set_len(mib << 20).unwrap();
    };
    file("large", 150);
    file("whole", 90);
    let idle = peak(&program, &["ls"], std::process::Stdio::null());
    for file in ["large", "whole"] {
        for backend in ["fast", "cold"] {
            for hash in ["none", "sha512"] {
                let id = format!("{file}-{hash}");
                let put = ["-b", backend, "put", file, "--id", &id, "--hash", hash];
                let most = peak(&program, &put, std::process::Stdio::null());
                assert!(most > idle && most <= 64 << 10, "{most} KiB, {idle} before, {put:?}");
            }
        }
    }
    let pipe = std::fs::File::open(program.path("large")).unwrap();
    let most = peak(&program, &["put", "-", "--id", "pipe"], pipe.into());
    assert!(most > idle && most <= 64 << 10, "{most} KiB from a file as standard input");
    let mut cat = Command::new("cat");
    let cat = cat.arg(program.path("large")).stdout(std::process::Stdio::piped()).spawn();
    let mut cat = cat.unwrap();
    let most = peak(&program, &["put", "-", "--id", "pipe2"], cat.stdout.take().unwrap().into());
    cat.wait().unwrap();
    assert!(most > idle && most <= 64 << 10, "{most} KiB from a pipe");
}
