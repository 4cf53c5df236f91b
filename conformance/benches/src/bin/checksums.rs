//! The rate of the CRCs: `checksums [ROUNDS]`.

use std::hint::black_box;

use apus_benches::race::{Racer, argument, load, race};
use apus_core::checksum::{Algorithm, Hasher};
use crc_fast::CrcAlgorithm;

fn main() {
    let rounds = argument(1, 11);
    println!("checksums: {rounds} rounds, load {}; GB/s, best and median", load());
    for (size, times, title) in
        [(1 << 20, 64, "1 MiB"), (64 << 20, 1, "64 MiB"), (1 << 30, 1, "1 GiB")]
    {
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
            report(&racers, size);
        }
        let mut memory = memory(&bytes);
        race(&mut memory, rounds, times);
        report(&memory, size);
    }
}

/// The time to read the bytes, as a reference.
fn memory(bytes: &[u8]) -> [Racer<'_>; 2] {
    let mut copy = vec![0; COPIED];
    [
        Racer::peer("added up as words", move |n| {
            for _ in 0..n {
                let (words, _) = black_box(bytes).as_chunks::<8>();
                black_box(
                    words
                        .iter()
                        .fold(0, |sum: u64, word| sum.wrapping_add(u64::from_le_bytes(*word))),
                );
            }
        }),
        Racer::peer("copied, 256 KiB at a time", move |n| {
            for _ in 0..n {
                for piece in black_box(bytes).chunks(COPIED) {
                    copy[..piece.len()].copy_from_slice(piece);
                    black_box(&copy);
                }
            }
        }),
    ]
}

fn report(racers: &[Racer<'_>], size: usize) {
    for racer in racers {
        let speed = |nanos: f64| size as f64 / nanos;
        let (best, median) = (speed(racer.best()), speed(racer.median()));
        println!("  {:<40} {best:>8.2} {median:>8.2}", racer.name());
    }
}

const COPIED: usize = 256 << 10;
