//! Temporary URLs. The signatures are made here by hand, as the manual describes them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::raw::exchange;
use super::stage::Stage;

#[test]
fn a_signature_stands_for_a_token() {
    let stage = Stage::set("tempurl");
    stage.put("/s1", "hello").is(201);
    stage.put("/s2", "world").is(201);
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
    let (_, path) = stage.var("_STORAGE_URL").split_once("/v1/").unwrap();
    let path = format!("/v1/{path}/{}", stage.container);
    let key = stage.var("_TEMPURL_KEY");
    let text = |method: &str, at: u64, name: &str| format!("{method}\n{at}\n{path}{name}");
    let sha256 = |text: String| hex(&hmac::<Sha256>(key, &text, 64));
    let url = |name: &str, signature: &str, at: u64, more: &str| {
        let query = format!("?temp_url_sig={signature}&temp_url_expires={at}{more}");
        stage.url(&format!("{name}{query}"))
    };
    let ask = |method: &str, url: &str| {
        exchange(method, url, &[], (method == "PUT").then_some(b"x".as_slice()))
    };

    let signature = sha256(text("GET", at, "/s1"));
    let good = url("/s1", &signature, at, "");
    let got = ask("GET", &good).is(200);
    assert_eq!(got.text(), "hello");
    let disposition = "attachment; filename=\"s1\"; filename*=UTF-8''s1";
    assert_eq!(got.header("content-disposition"), Some(disposition));
    assert!(got.header("expires").is_some());
    ask("HEAD", &good).is(200);
    let refused = ask("PUT", &good).is(401);
    assert_eq!(refused.text(), "401 Unauthorized: Temp URL invalid\n");
    let named = ask("GET", &url("/s1", &signature, at, "&filename=a%20b")).is(200);
    let disposition = "attachment; filename=\"a b\"; filename*=UTF-8''a%20b";
    assert_eq!(named.header("content-disposition"), Some(disposition));
    let inline = ask("GET", &url("/s1", &signature, at, "&inline")).is(200);
    assert_eq!(inline.header("content-disposition"), Some("inline"));

    ask("GET", &url("/s2", &signature, at, "")).is(401);
    ask("GET", &url("/s1", "nonsense", at, "")).is(401);
    ask("GET", &url("/s1", &sha256(text("GET", 1000, "/s1")), 1000, "")).is(401);

    let sha1 = hex(&hmac::<Sha1>(key, &text("GET", at, "/s1"), 64));
    ask("GET", &url("/s1", &sha1, at, "")).is(200);
    let sha512 = hmac::<Sha512>(key, &text("GET", at, "/s1"), 128);
    ask("GET", &url("/s1", &hex(&sha512), at, "")).is(200);
    let prefixed = format!("sha512:{}", URL_SAFE_NO_PAD.encode(&sha512));
    ask("GET", &url("/s1", &prefixed, at, "")).is(200);

    let prefix = sha256(format!("GET\n{at}\nprefix:{path}/s"));
    for name in ["/s1", "/s2"] {
        ask("GET", &url(name, &prefix, at, "&temp_url_prefix=s")).is(200);
    }
    for (range, status) in [("127.0.0.1", 200), ("127.0.0.0/8", 200), ("10.0.0.0/8", 401)] {
        let signature = sha256(format!("ip={range}\n{}", text("GET", at, "/s1")));
        let range = format!("&temp_url_ip_range={}", range.replace('/', "%2F"));
        ask("GET", &url("/s1", &signature, at, &range)).is(status);
    }
    let put = url("/new", &sha256(text("PUT", at, "/new")), at, "");
    ask("PUT", &put).is(201);
    let pointer = [("X-Object-Manifest", "c/s")];
    exchange("PUT", &put, &pointer, Some(b"x")).is(400);
}

/// RFC 2104.
fn hmac<D: Digest>(key: &str, text: &str, block: usize) -> Vec<u8> {
    let mut key = key.as_bytes().to_vec();
    key.resize(block, 0);
    let with = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<_>>();
    let inner = D::new().chain_update(with(0x36)).chain_update(text).finalize();
    D::new().chain_update(with(0x5c)).chain_update(inner).finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
