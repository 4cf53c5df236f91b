//! Heap allocations to sign one request. A separate program, because counting slows down other
//! measurements.

use std::alloc::System;

use apus_benches::sample::{Sample, What};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let sample = Sample::new();
    println!("allocations of one request, growing ones included (budget of an operation: 8)");
    for (what, title) in [(What::Get, "GetObject"), (What::Put, "UploadPart, payload unsigned")] {
        let mut prepared = sample.prepare(what);
        let peers = sample.prepare(what);
        println!("\n{title}");
        count("apus: operation to signed head", || sample.whole(what));
        count("apus: signature alone", || sample.signature(&mut prepared));
        count("rusty-s3 (signed URL)", || sample.rusty_s3(what));
        count("aws-sigv4 (head given)", || sample.aws_sigv4(&peers));
        count("reqsign-aws-v4 (head given)", || sample.reqsign(&peers));
    }
}

fn count(name: &str, mut work: impl FnMut()) {
    // Afterwards the caches are filled.
    work();
    let region = Region::new(ALLOCATOR);
    for _ in 0..TIMES {
        work();
    }
    let stats = region.change();
    let calls = (stats.allocations + stats.reallocations) as f64 / TIMES as f64;
    let bytes = stats.bytes_allocated as f64 / TIMES as f64;
    println!("  {name:<40} {calls:>6.1} allocations {bytes:>8.0} bytes");
}

const TIMES: usize = 1_000;
