//! Which certificates are trusted where no option names them.

use std::process::Command;

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedS3, Options};

use crate::program::{Program, Ran};

#[test]
fn the_systems_certificates_are_trusted_or_those_of_ssl_cert_file() {
    let server = EmbeddedS3::start(Options::new().tls(true).bucket("images")).unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = {}\ns3_store_secret_key = {}\n\
         s3_store_bucket = images\ns3_store_retries = 1\n",
        server.endpoint(),
        server.access_key(),
        server.secret_key()
    );
    let program = Program::new().with_secret(server.secret_key()).with_backend("s", "s3", &options);
    let ca = program.write("ca.pem", server.ca_pem().unwrap().as_bytes());
    let list = |file: Option<&str>, arguments: &[&str]| -> Ran {
        let mut command = Command::new(&*APUS);
        command.env_remove("SSL_CERT_DIR").env_remove("SSL_CERT_FILE");
        command.envs(file.map(|file| ("SSL_CERT_FILE", file)));
        command.arg("--config").arg(program.path("glance-api.conf")).args(arguments);
        program.finish(command, b"")
    };
    let ca = ca.to_str().unwrap();
    list(Some(ca), &["ls"]).ends(0);
    list(Some(ca), &["doctor"]).ends(0).prints("trusted by the default CA certificates");
    let refused = list(None, &["ls"]);
    assert!(refused.code != 0 && refused.err.contains("UnknownIssuer"), "{refused:?}");
    let missing = list(Some("missing.pem"), &["ls"]);
    assert!(missing.code != 0 && missing.err.contains("missing.pem"), "{missing:?}");

    // An option takes the place of them all.
    let program = Program::new().with_s3("s", &server, "images");
    let mut command = Command::new(&*APUS);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    command.arg("--config").arg(program.path("glance-api.conf")).arg("ls");
    program.finish(command, b"").ends(0);
}
