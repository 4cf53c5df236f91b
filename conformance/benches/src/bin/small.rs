//! CPU time of one small operation over a persistent connection: `small [ROUNDS] [COUNT]`.

use std::cell::RefCell;

use apus_benches::bare::{self, Hyper};
use apus_benches::machine::{Side, pin};
use apus_benches::race::{Racer, Role, argument, load, print, race, verdict};
use apus_benches::server::{Server, serve_if_told};
use apus_core::http::Timeouts;
use apus_core::machine::Auth;
use apus_core::s3::{GetObject, PutObject};
use bytes::Bytes;
use tokio::runtime::Builder;

fn main() {
    serve_if_told();
    pin(Side::Client);
    let (rounds, count) = (argument(1, 21), argument(2, 2_000));
    let server = Server::start("http", SIZE as u64);
    println!("small: {rounds} rounds of {count} operations of 1 KiB, load {}", load());
    over_hyper(&server, rounds, count);
    over_ureq(&server, rounds, count);
}

fn get() -> GetObject {
    GetObject::new("bucket", "small")
}

fn put() -> PutObject {
    PutObject::new("bucket", "small", BODY)
}

fn over_hyper(server: &Server, rounds: usize, count: usize) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let transport = apus_async::Transport::new(apus_async::TransportConfig::new()).unwrap();
    let auth = Auth::new(bare::credentials());
    let client = apus_async::Client::with_transport(transport, bare::service(server), auth);
    let heads = (bare::head(&get(), client.service()), bare::head(&put(), client.service()));
    let connection = RefCell::new(runtime.block_on(Hyper::connect(server)));
    let bare = |head, body: Bytes| {
        let (connection, runtime) = (&connection, &runtime);
        move |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    connection.borrow_mut().ask(head, body.clone()).await;
                }
            });
        }
    };
    let mut gets = [
        Racer::ours("apus-async", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    let answer = client.call(get()).await.unwrap();
                    assert_eq!(answer.body.len(), SIZE);
                }
            });
        }),
        Racer::peer("hyper", bare(&heads.0, Bytes::new())),
    ];
    race(&mut gets, rounds, count);
    report("GET over hyper", &gets);
    let mut puts = [
        Racer::ours("apus-async", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    client.call(put()).await.unwrap();
                }
            });
        }),
        Racer::peer("hyper", bare(&heads.1, BODY)),
    ];
    race(&mut puts, rounds, count);
    report("PUT over hyper", &puts);
}

fn over_ureq(server: &Server, rounds: usize, count: usize) {
    let config = apus_blocking::TransportConfig::new();
    let transport = apus_blocking::Transport::new(config).unwrap();
    let auth = Auth::new(bare::credentials());
    let client = apus_blocking::Client::with_transport(transport, bare::service(server), auth);
    let heads = (bare::head(&get(), client.service()), bare::head(&put(), client.service()));
    let agents = [None, Some(Timeouts::default())].map(|limits| bare::ureq_agent(server, limits));
    let bare = |agent, head, body: Bytes| {
        move |n| {
            for _ in 0..n {
                // As every caller that needs the bytes.
                let mut into = vec![0; SIZE];
                bare::ureq_ask(agent, head, &body, &mut into);
            }
        }
    };
    let mut gets = [
        Racer::ours("apus-blocking", |n| {
            for _ in 0..n {
                assert_eq!(client.call(get()).unwrap().body.len(), SIZE);
            }
        }),
        Racer::peer("ureq", bare(&agents[0], &heads.0, Bytes::new())),
        Racer::peer("ureq with the same timeouts", bare(&agents[1], &heads.0, Bytes::new())),
    ];
    race(&mut gets, rounds, count);
    report("GET over ureq", &gets);
    let mut puts = [
        Racer::ours("apus-blocking", |n| {
            for _ in 0..n {
                client.call(put()).unwrap();
            }
        }),
        Racer::peer("ureq", bare(&agents[0], &heads.1, BODY)),
        Racer::peer("ureq with the same timeouts", bare(&agents[1], &heads.1, BODY)),
    ];
    race(&mut puts, rounds, count);
    report("PUT over ureq", &puts);
}

/// The budget is the larger of 1.15 × bare and bare + 3 µs; the last peer is the bare one with the
/// same work.
fn report(title: &str, racers: &[Racer<'_>]) {
    print(title, racers, 1e3, "µs");
    for bare in racers.iter().filter(|racer| racer.role() == Role::Peer) {
        let median = bare.median() / 1e3;
        let budget = (median * 1.15).max(median + 3.0);
        verdict(&format!("beside {}", bare.name()), racers[0].median() / 1e3, budget, "µs");
    }
}

const SIZE: usize = 1024;
const BODY: Bytes = Bytes::from_static(&[7; SIZE]);
