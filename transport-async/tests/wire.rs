//! The bytes that are sent: everything that was requested, and nothing else.

mod common;

use apus_async::{Source, TransportConfig};
use apus_core::http::Body;
use common::{Ask, Place, Server, answer, client, client_with, header, noise, ok};
use http::Method;

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::always(ok("hello"));
    let client = client(server.url());
    for _ in 0..5 {
        let reply = client.call(Ask::get("/a")).await.unwrap();
        assert_eq!(reply.body, "hello");
        client.call(Ask::put("/b", "some bytes")).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_asks_to_be_closed_is() {
    let server =
        Server::always("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    let client = client(server.url());
    for _ in 0..3 {
        client.call(Ask::get("/a")).await.unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn an_idle_connection_is_not_kept_beyond_its_age() {
    let server = Server::always(ok(""));
    let age = std::time::Duration::from_millis(40);
    let config = TransportConfig::new().idle_connection_timeout(age);
    let client = client_with(config, Place::at(server.url()));
    client.call(Ask::get("/a")).await.unwrap();
    tokio::time::sleep(age * 2).await;
    client.call(Ask::get("/a")).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_not_used() {
    let server = Server::start(|peer| {
        peer.request();
        peer.say(ok("one"));
    });
    let client = common::once(server.url());
    for _ in 0..3 {
        client.call(Ask::get("/a")).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn an_empty_body_has_a_length_where_the_method_has_a_body() {
    let server = Server::always(ok(""));
    let client = client(server.url());
    client.call(Ask::new(Method::POST, "/a?uploads")).await.unwrap();
    client.call(Ask::put("/a", "")).await.unwrap();
    client.call(Ask::get("/a")).await.unwrap();
    let lengths: Vec<_> = server
        .heads()
        .iter()
        .map(|head| header(head, "content-length").map(str::to_owned))
        .collect();
    assert_eq!(lengths, [Some("0".into()), Some("0".into()), None]);
    assert!(server.heads().iter().all(|head| header(head, "transfer-encoding").is_none()));
}

#[tokio::test]
async fn the_target_goes_out_as_it_is() {
    let server = Server::always(ok(""));
    let target = "/b/a/../c/./d//e/%2E%2E?x=%2F&y";
    client(server.url()).call(Ask::get(target)).await.unwrap();
    let head = server.heads().remove(0);
    assert_eq!(head.lines().next(), Some(format!("GET {target} HTTP/1.1").as_str()));
    assert_eq!(header(&head, "host"), Some(server.address.to_string().as_str()));
    let mut names: Vec<_> =
        head.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept-encoding", "host", "user-agent"]);
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let server = Server::always(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 4\r\n\r\nover",
    );
    let reply = client(server.url()).call(Ask::get("/a")).await.unwrap();
    assert_eq!((reply.status().as_u16(), &reply.body[..]), (307, &b"over"[..]));
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn a_body_is_not_decompressed() {
    let zipped = b"\x1f\x8b\x08\x00\x00\x00\x00\x00";
    let mut bytes =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 8\r\n\r\n".to_vec();
    bytes.extend_from_slice(zipped);
    let server = Server::always(bytes);
    let reply = client(server.url()).call(Ask::get("/a")).await.unwrap();
    assert_eq!(&reply.body[..], zipped);
    assert_eq!(reply.header(&http::header::CONTENT_ENCODING), Some("gzip"));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_to_its_end() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let server = Server::always(chunked);
    let client = client(server.url());
    for _ in 0..2 {
        assert_eq!(client.call(Ask::get("/a")).await.unwrap().body, "hello world");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn the_answer_to_head_has_no_body_whatever_its_length_says() {
    let server = Server::always("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
    let client = client(server.url());
    for _ in 0..2 {
        let reply = client.call(Ask::new(Method::HEAD, "/a")).await.unwrap();
        assert_eq!(reply.content_length(), Some(1_000_000));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_a_source_has_arrives() {
    let bytes = noise(3_000_000);
    let server = Server::start(|peer| {
        while let Some((_, body)) = peer.request() {
            peer.say(ok(body));
        }
    });
    let client = client(server.url());
    let path = std::env::temp_dir().join(format!("apus-async-{}", std::process::id()));
    std::fs::write(&path, &bytes).unwrap();
    let sources = [
        Source::bytes(bytes.clone()),
        Source::file(std::fs::File::open(&path).unwrap()),
        Source::reader(std::io::Cursor::new(bytes.clone()), bytes.len() as u64),
    ];
    std::fs::remove_file(&path).unwrap();
    for source in sources {
        let ask = Ask::put_source("/a", bytes.len() as u64, source.is_rewindable());
        let reply = client.call_from(ask, &source).await.unwrap();
        assert!(reply.body == bytes, "{source:?}");
    }
    let mut ask = Ask::put_source("/a", 0, true);
    ask.body = Body::Source { range: 1_000_000..2_500_000, rewindable: true };
    let reply = client.call_from(ask, bytes.clone()).await.unwrap();
    assert!(reply.body == bytes[1_000_000..2_500_000]);
}

#[tokio::test]
async fn an_error_document_is_read_and_the_connection_kept() {
    let server = Server::always(answer("404 Not Found", "nothing here"));
    let client = client(server.url());
    for _ in 0..2 {
        let error = client.call(Ask::get("/a")).await.unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.server_message(), Some("nothing here"));
    }
    assert_eq!(server.connections(), 1);
}

/// The runtime does not run between the two calls, and has not noticed that something came.
#[test]
fn what_came_between_two_calls_is_no_answer() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for stray in [ok("evil"), b"evil".to_vec(), b"\r\n".to_vec(), Vec::new()] {
        let (go, gone) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel());
        let (wait, said) = (std::sync::Mutex::new(go.1), std::sync::Mutex::new(gone.0));
        let sent = stray.clone();
        let server = Server::start(move |peer| {
            while peer.request().is_some() {
                peer.say(ok(if peer.number == 0 { "first" } else { "second" }));
                if peer.number > 0 {
                    continue;
                }
                wait.lock().unwrap().recv().unwrap();
                peer.say(&sent);
                if sent.is_empty() {
                    peer.finish();
                }
                said.lock().unwrap().send(()).unwrap();
            }
        });
        let (runtime, client) = (runtime(), common::once(server.url()));
        let first = runtime.block_on(client.call(Ask::get("/a"))).unwrap();
        assert_eq!(first.body, "first");
        go.0.send(()).unwrap();
        gone.1.recv().unwrap();
        let second = runtime.block_on(client.call(Ask::get("/b"))).unwrap();
        assert_eq!(second.body, "second", "{stray:?}");
    }
}
