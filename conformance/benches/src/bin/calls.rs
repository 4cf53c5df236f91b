//! Instructions and allocations of one small operation, counted by callgrind: `calls [COUNT] [FUNCTIONS]`.
//!
//! Each client runs under valgrind, beside a server that does not. The functions that hash are left out:
//! see [`is_hash`](apus_benches::profile::is_hash). With FUNCTIONS, so many functions with the largest
//! differences to the bare client are listed.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::process::{Command, Stdio};

use apus_benches::bare::{self, Hyper};
use apus_benches::profile::{Profile, is_hash};
use apus_benches::race::argument;
use apus_benches::server::{Server, serve_if_told};
use apus_core::http::Timeouts;
use apus_core::machine::Auth;
use apus_core::s3::{GetObject, PutObject};
use bytes::Bytes;
use tokio::runtime::Builder;

fn main() {
    serve_if_told();
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, one, client, operation, count] = &arguments[..]
        && one == ONE
    {
        return perform(client, operation == "PUT", count.parse().unwrap());
    }
    let (count, functions) = (argument(1, 500), argument(2, 0));
    println!("instructions and allocations a call, without hashing, {count} calls of 1 KiB");
    for (ours, bare) in [("apus-async", "hyper"), ("apus-blocking", "ureq")] {
        for operation in ["GET", "PUT"] {
            let [ours, bare] =
                [ours, bare].map(|client| (client, profile(client, operation, count)));
            print(operation, &ours, &bare, count as u64, functions);
        }
    }
}

fn print(
    operation: &str,
    (ours, mine): &(&str, Profile),
    (bare, theirs): &(&str, Profile),
    count: u64,
    functions: usize,
) {
    let of = |profile: &Profile| (profile.instructions() / count, profile.allocations / count);
    let ((have, allocated), (floor, least)) = (of(mine), of(theirs));
    println!(
        "  {operation} {ours:<14} {have:>6}, {allocated:>3}; {bare:<6} {floor:>6}, {least:>3}: {:.2}",
        have as f64 / floor as f64
    );
    let names: BTreeSet<&String> = mine.functions.keys().chain(theirs.functions.keys()).collect();
    let cost = |profile: &Profile, name: &String| profile.functions.get(name).copied().unwrap_or(0);
    let mut more: Vec<_> = names
        .into_iter()
        .filter(|name| !is_hash(name))
        .map(|name| (cost(mine, name) as i64 - cost(theirs, name) as i64, name))
        .collect();
    more.sort_by_key(|(more, _)| -more.abs());
    for (more, name) in more.into_iter().take(functions) {
        let name: String = name.chars().take(110).collect();
        println!("    {:>+6} {name}", more / count as i64);
    }
}

/// Runs this program under callgrind.
fn profile(client: &str, operation: &str, count: usize) -> Profile {
    let path = std::env::temp_dir().join(format!("calls.{}", std::process::id()));
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*calls::measured*"])
        .arg(format!("--callgrind-out-file={}", path.display()))
        .arg(std::env::current_exe().unwrap())
        .args([ONE, client, operation, &count.to_string()])
        .stderr(Stdio::piped())
        .output()
        .expect("valgrind must be installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let profile = Profile::parse(&std::fs::read_to_string(&path).unwrap());
    std::fs::remove_file(path).unwrap();
    profile
}

/// Performs the operation so many times, after some that are not counted.
fn perform(client: &str, puts: bool, count: usize) {
    let server = Server::start("http", SIZE as u64);
    match client {
        "apus-async" => {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let transport = apus_async::Transport::new(apus_async::TransportConfig::new()).unwrap();
            let auth = Auth::new(bare::credentials());
            let client =
                apus_async::Client::with_transport(transport, bare::service(&server), auth);
            twice(count, |n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        if puts {
                            client.call(put()).await.unwrap();
                        } else {
                            assert_eq!(client.call(get()).await.unwrap().body.len(), SIZE);
                        }
                    }
                });
            });
        }
        "hyper" => {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let (head, body) = head(&server, puts);
            let mut connection = runtime.block_on(Hyper::connect(&server));
            twice(count, |n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        connection.ask(&head, body.clone()).await;
                    }
                });
            });
        }
        "apus-blocking" => {
            let config = apus_blocking::TransportConfig::new();
            let transport = apus_blocking::Transport::new(config).unwrap();
            let auth = Auth::new(bare::credentials());
            let service = bare::service(&server);
            let client = apus_blocking::Client::with_transport(transport, service, auth);
            twice(count, |n| {
                for _ in 0..n {
                    if puts {
                        client.call(put()).unwrap();
                    } else {
                        assert_eq!(client.call(get()).unwrap().body.len(), SIZE);
                    }
                }
            });
        }
        _ => {
            let (head, body) = head(&server, puts);
            let agent = bare::ureq_agent(&server, Some(Timeouts::default()));
            twice(count, |n| {
                for _ in 0..n {
                    let mut into = vec![0; SIZE];
                    bare::ureq_ask(&agent, &head, &body, &mut into);
                }
            });
        }
    }
}

fn twice(count: usize, mut calls: impl FnMut(usize)) {
    calls(WARM);
    measured(&mut calls, count);
}

/// Callgrind counts in here.
#[inline(never)]
fn measured(calls: &mut dyn FnMut(usize), count: usize) {
    calls(black_box(count));
}

fn head(server: &Server, puts: bool) -> (http::request::Parts, Bytes) {
    let service = bare::service(server);
    if puts {
        (bare::head(&put(), &service), BODY)
    } else {
        (bare::head(&get(), &service), Bytes::new())
    }
}

fn get() -> GetObject {
    GetObject::new("bucket", "small")
}

fn put() -> PutObject {
    PutObject::new("bucket", "small", BODY)
}

const ONE: &str = "--one";
const SIZE: usize = 1024;
const WARM: usize = 20;
const BODY: Bytes = Bytes::from_static(&[7; SIZE]);
