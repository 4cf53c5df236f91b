//! The events that an observer gets.

mod support;

use std::sync::mpsc;

use apus_blocking::{Sink, TransportConfig};
use apus_core::machine::{Call, Event};
use support::server::{Server, Then};
use support::{Ask, Plain, client_with, told};

#[test]
fn progress_adds_up() {
    let server = Server::start(|seen, peer| {
        peer.answer("200 OK", &[], &seen.body);
        Then::Keep
    });
    let (sender, told_bytes) = mpsc::channel();
    let observer = told(move |event| match event {
        Event::Sent { bytes } => sender.send((*bytes, 0)).unwrap(),
        Event::Received { bytes } => sender.send((0, *bytes)).unwrap(),
        _ => {}
    });
    let service = Plain::new(server.base());
    let client = client_with(TransportConfig::new(), service).with_observer(observer);
    let ask = Ask::put("/", vec![1; 1_000_000]).streamed();
    let call = Call::new(ask, client.service().clone(), 1);
    client.run(call).write_to(Sink::discard()).send().unwrap();
    drop(client);
    let told: Vec<_> = told_bytes.iter().collect();
    let (sent, received) = told.iter().fold((0, 0), |sum, new| (sum.0 + new.0, sum.1 + new.1));
    assert_eq!((sent, received), (1_000_000, 1_000_000));
    // Only the last event of each direction may be short.
    assert!(told.iter().filter(|(sent, received)| sent + received < 64 << 10).count() <= 2);
}
