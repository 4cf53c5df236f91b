//! The memory that a large transfer takes: `memory [GIB]`.
//!
//! A sparse file of so many GiB, 16 by default, is sent to a server that discards it, and as many
//! bytes are received and discarded, in parts of 8 MiB, four at a time, each in a process of its own.
//! Its growth is the greatest memory in use (`VmHWM` of Linux) less that before the transfer.

use std::fs::File;
use std::process::Command;

use apus_benches::bare;
use apus_benches::race::argument;
use apus_benches::server::{Server, serve_if_told};
use apus_benches::transfer::{CONCURRENCY, PART, download, upload};
use apus_core::checksum::Algorithm;
use apus_core::machine::Auth;
use apus_core::s3::ChecksumOptions;
use tokio::runtime::Builder;

fn main() {
    serve_if_told();
    grow_if_told();
    let gibibytes: u64 = argument(1, 16);
    let bound = (CONCURRENCY as u64 * PART >> 20) + 16;
    println!("memory: {gibibytes} GiB, {CONCURRENCY} parts of 8 MiB at once, MiB of {bound}");
    for kind in KINDS {
        let this = std::env::current_exe().unwrap();
        let done = Command::new(this).args([GROWN, kind, &gibibytes.to_string()]).status();
        assert!(done.unwrap().success());
    }
}

fn grow_if_told() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, kind, gibibytes] = &arguments[..] else { return };
    if first != GROWN {
        return;
    }
    let length = gibibytes.parse::<u64>().unwrap() << 30;
    let up = kind.ends_with("up");
    let server = Server::start("http", if up { 1024 } else { length });
    let path = std::env::temp_dir().join(format!("sparse.{}", std::process::id()));
    let file = File::create_new(&path).unwrap();
    file.set_len(length).unwrap();
    drop(file);
    let auth = Auth::new(bare::credentials());
    let service = bare::service(&server);
    let before = memory("VmRSS:");
    if kind.starts_with("apus-async") {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let transport = apus_async::Transport::new(apus_async::TransportConfig::new()).unwrap();
        let client = apus_async::Client::with_transport(transport, service, auth);
        runtime.block_on(async {
            if up {
                let run = client.run(upload(
                    length,
                    ChecksumOptions::algorithm(Algorithm::Crc64Nvme),
                    client.service(),
                ));
                run.body(File::open(&path).unwrap()).send().await.unwrap();
            } else {
                let run = client.run(download(client.service()));
                let done = run.write_to(apus_async::Sink::discard()).send().await.unwrap();
                assert_eq!(done.bytes, length);
            }
        });
    } else {
        let config = apus_blocking::TransportConfig::new();
        let transport = apus_blocking::Transport::new(config).unwrap();
        let client = apus_blocking::Client::with_transport(transport, service, auth);
        if up {
            let run = client.run(upload(
                length,
                ChecksumOptions::algorithm(Algorithm::Crc64Nvme),
                client.service(),
            ));
            run.body(File::open(&path).unwrap()).send().unwrap();
        } else {
            let run = client.run(download(client.service()));
            let done = run.write_to(apus_blocking::Sink::discard()).send().unwrap();
            assert_eq!(done.bytes, length);
        }
    }
    println!("  {kind:<20} {:>8.1}", (memory("VmHWM:") - before) as f64 / 1024.0);
    std::fs::remove_file(path).unwrap();
    drop(server);
    std::process::exit(0);
}

/// Returns a line of the status of this process, in KiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

const KINDS: [&str; 4] =
    ["apus-async, up", "apus-async, down", "apus-blocking, up", "apus-blocking, down"];
const GROWN: &str = "--grown";
