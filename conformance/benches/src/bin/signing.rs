//! CPU time to sign one request: `signing [ROUNDS] [COUNT]`.

use apus_benches::machine::{Side, pin};
use apus_benches::race::{Racer, argument, load, print, race, verdict};
use apus_benches::sample::{Sample, What};

fn main() {
    pin(Side::Client);
    let (rounds, count) = (argument(1, 21), argument(2, 20_000));
    println!("signing: {rounds} rounds of {count} requests, load {}", load());
    let sample = Sample::new();
    for (what, title) in [(What::Get, "GetObject"), (What::Put, "UploadPart, payload unsigned")] {
        let mut prepared = sample.prepare(what);
        let peers = sample.prepare(what);
        let mut racers = [
            Racer::ours("apus: operation to signed head", |n| {
                (0..n).for_each(|_| sample.whole(what));
            }),
            Racer::ours("apus: signature alone", |n| {
                (0..n).for_each(|_| sample.signature(&mut prepared));
            }),
            Racer::peer("rusty-s3 (signed URL)", |n| {
                (0..n).for_each(|_| sample.rusty_s3(what));
            }),
            Racer::peer("aws-sigv4 (head given)", |n| {
                (0..n).for_each(|_| sample.aws_sigv4(&peers));
            }),
            Racer::peer("reqsign-aws-v4 (head given)", |n| {
                (0..n).for_each(|_| sample.reqsign(&peers));
            }),
        ];
        race(&mut racers, rounds, count);
        print(title, &racers, 1e3, "µs");
        let fastest = racers[2..].iter().map(Racer::median).fold(f64::INFINITY, f64::min);
        for ours in &racers[..2] {
            let name = ours.name().trim_start_matches("apus: ");
            let title = format!("¼ of the fastest peer, {name}");
            verdict(&title, ours.median() / 1e3, fastest / 4e3, "µs");
        }
    }
}
