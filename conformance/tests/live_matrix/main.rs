//! All operations and machines against S3 servers that others test with: moto, s3rver and s3s-fs.
//!
//! ```text
//! conformance/live/moto install && conformance/live/moto up
//! eval "$(conformance/live/moto env)"
//! cargo test -p apus-conformance --test live_matrix
//! ```
//!
//! The checks are those of `live_s3`. The result of each on a server is a row of its matrix,
//! `conformance/live/*.matrix`; every difference fails, a success that was not expected too. Without
//! the settings of a server its test prints that it was not run, and passes. s3s-fs runs in this
//! process, and always.

#![expect(clippy::print_stderr, reason = "what was not run, and new rows, are for people")]
#![expect(unreachable_pub, reason = "the modules are this test's alone")]

#[allow(dead_code, reason = "how Ceph is tested")]
#[path = "../live/mod.rs"]
mod live;
mod matrix;
mod run;

use apus_conformance::server::{EmbeddedS3, Options};

use self::live::site::{Account, Site};
use self::matrix::Matrix;

#[test]
fn moto() {
    if let Some(site) = Site::named("moto") {
        run::compare(&site, "moto");
    }
}

#[test]
fn s3rver() {
    if let Some(site) = Site::named("s3rver") {
        run::compare(&site, "s3rver");
    }
}

#[test]
fn s3s_fs() {
    let plain = EmbeddedS3::start(Options::new()).unwrap();
    let tls = EmbeddedS3::start(Options::new().tls(true)).unwrap();
    let account = Account {
        access_key: plain.access_key().to_owned(),
        secret_key: plain.secret_key().to_owned(),
    };
    let ca = tls.ca_pem().unwrap();
    let site = Site::at(plain.endpoint(), tls.endpoint(), ca, account);
    run::compare(&site, "s3s-fs");
}

/// Also where no server runs.
#[test]
fn every_matrix_can_be_read() {
    for server in ["moto", "s3rver", "s3s-fs"] {
        let matrix = Matrix::of(server);
        let cases = run::suites().flat_map(|suite| suite.cases);
        let cases = cases.filter(|case| case.accounts == 1).map(|case| case.name);
        matrix.has_rows_of(&cases.collect::<Vec<_>>());
    }
}
