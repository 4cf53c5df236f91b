//! How fast the CRCs are: `checksums [ROUNDS]`.

use std::hint::black_box;

use apus_benches::race::{Racer, argument, load, race};
use apus_core::checksum::{Algorithm, Hasher};
use crc_fast::CrcAlgorithm;

fn main() {
    let rounds = argument(1, 11);
    println!("checksums: {rounds} rounds, load {}; GB/s, best and median", load());
    for (size, times, title) in [(1 << 20, 64, "1 MiB"), (64 << 20, 1, "64 MiB")] {
        let bytes: Vec<u8> = (0..size).map(|at: usize| (at * 31 + at / 251) as u8).collect();
        println!("\n{title}");
        for (algorithm, theirs) in [
            (Algorithm::Crc32, CrcAlgorithm::Crc32IsoHdlc),
            (Algorithm::Crc32c, CrcAlgorithm::Crc32Iscsi),
            (Algorithm::Crc64Nvme, CrcAlgorithm::Crc64Nvme),
        ] {
            let bytes = bytes.as_slice();
            let mut racers = vec![
                Racer::ours(format!("{algorithm}: apus"), move |n| {
                    for _ in 0..n {
                        let mut hasher = Hasher::new(algorithm).unwrap();
                        hasher.update(black_box(bytes));
                        black_box(hasher.finish());
                    }
                }),
                Racer::peer(format!("{algorithm}: crc-fast"), move |n| {
                    for _ in 0..n {
                        black_box(crc_fast::checksum(theirs, black_box(bytes)));
                    }
                }),
            ];
            if algorithm == Algorithm::Crc32 {
                racers.push(Racer::peer(format!("{algorithm}: crc32fast"), move |n| {
                    for _ in 0..n {
                        black_box(crc32fast::hash(black_box(bytes)));
                    }
                }));
            }
            race(&mut racers, rounds, times);
            for racer in &racers {
                let speed = |nanos: f64| size as f64 / nanos;
                let (best, median) = (speed(racer.best()), speed(racer.median()));
                println!("  {:<40} {best:>8.2} {median:>8.2}", racer.name());
            }
        }
    }
}
