//! Which proxy is used for which host, and what is sent to it.

use apus_core::error::ExchangeErrorKind;
use apus_core::proxy::{Proxies, Proxy};
use apus_core::{Kind, Secret};
use http::Uri;

fn proxy() -> Proxy {
    Proxy::new("http://proxy.example:3128").unwrap()
}

fn bypasses(list: &[&str], uri: &str) -> bool {
    proxy().bypass(list).unwrap().is_bypassed(&uri.parse::<Uri>().unwrap())
}

#[test]
fn a_url_says_where_a_proxy_is() {
    for (url, tls, host, port) in [
        ("http://proxy.example:3128", false, "proxy.example", 3128),
        ("HTTPS://Proxy.Example/", true, "proxy.example", 443),
        ("http://[::1]:8080", false, "::1", 8080),
        ("http://10.1.2.3", false, "10.1.2.3", 80),
    ] {
        let proxy = Proxy::new(url).unwrap();
        assert_eq!((proxy.is_tls(), proxy.host(), proxy.port()), (tls, host, port), "{url}");
    }
    assert_eq!(Proxy::at("::1", 8080).unwrap().to_string(), "http://[::1]:8080");
    assert_eq!(Proxy::at("[::1]", 8080).unwrap().to_string(), "http://[::1]:8080");
    assert_eq!(Proxy::at("proxy", 1).unwrap().to_string(), "http://proxy:1");
}

#[test]
fn what_is_no_proxy_is_refused_without_being_repeated() {
    for url in [
        "",
        "proxy:3128",
        "socks5://proxy:1080",
        "http://",
        "http://not a host:1",
        "http://proxy:0",
        "http://proxy:65536",
        "http://proxy:3128/path",
        "http://proxy:3128?query",
        "http://user:hunter2@proxy:3128",
    ] {
        let error = Proxy::new(url).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{url}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for (host, port) in [("", 1), ("not a host", 1), ("proxy", 0), ("a:1", 2), ("a/b", 1)] {
        assert_eq!(Proxy::at(host, port).unwrap_err().kind(), Kind::InvalidInput, "{host}:{port}");
    }
}

/// RFC 7617, sections 2 and 2.1, has the first two.
#[test]
fn credentials_are_sent_in_utf_8() {
    for (user, password, value) in [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123£", "Basic dGVzdDoxMjPCow=="),
        ("lab@user", "p@ss:w/rd%", "Basic bGFiQHVzZXI6cEBzczp3L3JkJQ=="),
        ("", "", "Basic Og=="),
    ] {
        let proxy = proxy().credentials(user, Secret::new(password)).unwrap();
        let header = proxy.authorization().unwrap();
        assert_eq!(header, value);
        assert!(header.is_sensitive());
        let connect = proxy.connect("s3.example", 443, "apus/1");
        let expected = format!(
            "CONNECT s3.example:443 HTTP/1.1\r\nhost: s3.example:443\r\nuser-agent: apus/1\r\n\
             proxy-authorization: {value}\r\n\r\n"
        );
        assert_eq!(connect.expose(), expected);
        let shown = format!("{proxy:?} {proxy} {:?}", Proxies::from(proxy.clone()));
        assert!(!shown.contains(value.trim_start_matches("Basic ")), "{shown}");
    }
    assert_eq!(proxy().authorization(), None);
    let six = proxy().connect("::1", 8443, "");
    assert_eq!(six.expose(), "CONNECT [::1]:8443 HTTP/1.1\r\nhost: [::1]:8443\r\n\r\n");
}

#[test]
fn credentials_that_basic_authentication_cannot_carry_are_refused() {
    for (user, password, word) in
        [("a:b", "hunter2", "colon"), ("a\nb", "hunter2", "control"), ("a", "hunter2\r", "control")]
    {
        let error = proxy().credentials(user, Secret::new(password)).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput);
        assert!(error.to_string().contains(word), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// As curl(1) has it under `--noproxy` and `NO_PROXY`.
#[test]
fn hosts_on_the_list_are_bypassed() {
    for (list, bypassed, proxied) in [
        (
            "example.org",
            &["http://example.org", "https://s3.EXAMPLE.org:8443/", "http://example.org./"][..],
            &["http://anexample.org", "http://example.org.evil", "http://org"][..],
        ),
        (".Example.org", &["http://example.org", "http://a.b.example.org"], &["http://xample.org"]),
        ("*.example.org", &["http://a.example.org"], &["http://example.org"]),
        ("*", &["http://anything", "https://[::1]:1/"], &[]),
        ("10.1.2.3", &["http://10.1.2.3:80"], &["http://10.1.2.30", "http://a.10.1.2.3.x"]),
        (
            "10.1.0.0/16",
            &["http://10.1.0.0", "https://10.1.255.255"],
            &["http://10.2.0.0", "http://[::a01:1]", "http://name"],
        ),
        ("10.1.2.3/16", &["http://10.1.9.9"], &["http://10.2.2.3"]),
        ("0.0.0.0/0", &["http://8.8.8.8"], &["http://[::1]"]),
        ("192.168.1.1/32", &["http://192.168.1.1"], &["http://192.168.1.0"]),
        ("::1", &["http://[::1]:8080"], &["http://[::2]", "http://127.0.0.1"]),
        ("[::1]", &["http://[::1]"], &["http://[::2]"]),
        ("fd00::/8", &["http://[fdff::1]"], &["http://[fe00::1]"]),
        ("::/0", &["http://[2001:db8::1]"], &["http://10.0.0.1"]),
        (
            "example.org:8080",
            &["http://s3.example.org:8080"],
            &["http://example.org", "https://example.org:443"],
        ),
        ("example.org:443", &["https://example.org"], &["http://example.org"]),
        ("10.1.2.3:9000, [::1]:9000", &["http://[::1]:9000"], &["http://[::1]", "http://10.1.2.3"]),
        ("a, b.c\td", &["http://a", "http://x.b.c", "http://d"], &["http://c"]),
        ("", &[], &["http://a"]),
    ] {
        for uri in bypassed {
            assert!(bypasses(&[list], uri), "{list:?} {uri}");
        }
        for uri in proxied {
            assert!(!bypasses(&[list], uri), "{list:?} {uri}");
        }
    }
    assert!(bypasses(&["a", "b,c"], "http://c"));
}

#[test]
fn what_is_on_the_list_and_no_host_is_named() {
    for entry in [
        "10.0.0.0/33",
        "fd00::/129",
        "10.0.0.0/x",
        "name/8",
        "host:0",
        "host:65536",
        "host:",
        "[::1",
        "::1:x",
        "10.0.0.0/8:80",
        "http://host",
        "a..b",
        ".",
        "*x",
        "büro",
    ] {
        let error = proxy().bypass([entry]).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{entry}");
        assert!(error.to_string().contains(entry), "{error}");
    }
}

#[test]
fn the_guide_for_operators_is_right_about_the_bypass_list() {
    // `host` and `.domain` mean the same, with the hosts below them.
    for entry in ["example.com", ".example.com", "example.com:8080", ".example.com:8080"] {
        assert!(bypasses(&[entry], "http://example.com:8080"), "{entry}");
        assert!(bypasses(&[entry], "http://a.example.com:8080"), "{entry}");
        assert_eq!(bypasses(&[entry], "http://example.com:81"), !entry.contains(':'), "{entry}");
    }
    assert!(bypasses(&["*.example.com"], "http://a.example.com"));
    assert!(!bypasses(&["*.example.com"], "http://example.com"));
    assert!(bypasses(&["[fd00::1]:80"], "http://[fd00::1]"));
    assert!(!bypasses(&["[fd00::1]:81"], "http://[fd00::1]"));
    assert!(bypasses(&["*"], "http://example.com"));
    proxy().bypass(["10.0.0.0/8:80"]).unwrap_err();
    proxy().credentials("a:b", "c".into()).unwrap_err();
    proxy().credentials("p@ss:w/rd%".split(':').next().unwrap(), "p@ss:w/rd%".into()).unwrap();
}

#[test]
fn an_answer_to_connect_is_read_in_pieces() {
    let answer = b"HTTP/1.1 100 Continue\r\nVia: x\r\n\r\nHTTP/1.0 200 Yes\r\nVia: x\r\n\r\n";
    for end in 0..answer.len() {
        assert_eq!(proxy().connected(&answer[..end]), Ok(false), "{end}");
    }
    assert_eq!(proxy().connected(answer), Ok(true));
    assert_eq!(proxy().connected(b"HTTP/1.1 204 \r\n\r\n"), Ok(true));
    for (answer, lasting, word) in [
        (&b"HTTP/1.1 407 Who?\r\n\r\n"[..], true, "none are set (407"),
        (
            b"HTTP/1.1 403 No\r\nx-squid-error: ERR_X 0\r\n\r\n<html>",
            true,
            "(403 Forbidden, ERR_X 0)",
        ),
        (b"HTTP/1.1 405 No\r\n\r\n", true, "405"),
        (b"HTTP/1.1 503 No\r\n\r\n", false, "503"),
        (b"HTTP/1.1 302 There\r\nlocation: http://x\r\n\r\n", true, "302"),
        (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03", false, "bytes after its response"),
        (b"HTTP/2 200\r\n\r\n", false, "not HTTP/1.1"),
        (b"HTTP/1.1 20\r\n\r\n", false, "not HTTP/1.1"),
        (b"SSH-2.0", false, "not HTTP/1.1"),
        (b"\xff\xfe", false, "not HTTP/1.1"),
        (&[&b"HTTP/1.1 200 OK\r\nx: "[..], &[b'x'; 20_000]].concat(), false, "too long"),
    ] {
        let failure = proxy().connected(answer).unwrap_err();
        assert_eq!(
            (failure.kind(), failure.is_lasting()),
            (ExchangeErrorKind::Proxy, lasting),
            "{failure}"
        );
        let text = failure.to_string();
        assert!(text.contains(word) && text.contains("http://proxy.example:3128"), "{text}");
    }
}

#[test]
fn refusals_of_forwarded_requests_are_told_from_the_endpoints() {
    let refusal = |status: u16, squid: bool, via: &[&str]| {
        let mut answer = http::Response::builder().status(status);
        if squid {
            answer = answer.header("X-Squid-Error", "ERR_ACCESS_DENIED 0");
        }
        let answer = via.iter().fold(answer, |answer, via| answer.header("Via", *via));
        proxy().refusal(&answer.body(()).unwrap().into_parts().0)
    };
    assert!(refusal(407, false, &[]).unwrap().is_lasting());
    // As squid 5.7 answers for itself.
    let own = refusal(403, true, &["1.1 proxy (squid/5.7)"]);
    assert!(own.unwrap().to_string().contains("ERR_ACCESS_DENIED"));
    assert!(refusal(403, true, &[]).is_some());
    for (status, squid) in [(200, false), (403, false), (404, false), (503, false), (503, true)] {
        assert_eq!(refusal(status, squid, &["1.1 proxy"]), None, "{status} {squid}");
    }
    // As it passes on what a squid at the endpoint refused.
    assert_eq!(refusal(403, true, &["1.1 far (squid/5.7), 1.1 proxy (squid/5.7)"]), None);
    assert_eq!(refusal(403, true, &["1.1 far", "1.1 proxy"]), None);
}

fn from(variables: &[(&str, &str)]) -> Result<Proxies, apus_core::Error> {
    Proxies::from_variables(|name| {
        let found = variables.iter().find(|(have, _)| *have == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn named(variables: &[(&str, &str)], uri: &str) -> Option<String> {
    let proxies = from(variables).unwrap();
    proxies.proxy_for(&uri.parse().unwrap()).map(ToString::to_string)
}

#[test]
fn variables_name_proxies_by_scheme() {
    let (http, https) = ("http://host/", "https://host/");
    assert_eq!(named(&[], http), None);
    let both = [("http_proxy", "one:1"), ("HTTPS_PROXY", "https://two:2"), ("NO_PROXY", "no")];
    assert_eq!(named(&both, http).as_deref(), Some("http://one:1"));
    assert_eq!(named(&both, https).as_deref(), Some("https://two:2"));
    assert_eq!(named(&both, "https://a.no/"), None);
    // Lower case before upper case, its own before that for all.
    let many =
        [("https_proxy", "http://a"), ("HTTPS_PROXY", "http://b"), ("ALL_PROXY", "http://c")];
    assert_eq!(named(&many, https).as_deref(), Some("http://a"));
    assert_eq!(named(&many, http).as_deref(), Some("http://c"));
    assert_eq!(
        named(&[("https_proxy", ""), ("HTTPS_PROXY", "http://b")], https).as_deref(),
        Some("http://b")
    );
    // A client's `Proxy` header becomes this one in a CGI program.
    let cgi = [("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")];
    assert_eq!(named(&cgi, http), None);
    assert_eq!(named(&cgi[..1], http).as_deref(), Some("http://evil"));
}

#[test]
fn variables_hold_credentials_in_escapes() {
    let proxies =
        from(&[("https_proxy", "http://lab%40user:p%40ss%3Aw%2Frd%25@proxy:3128")]).unwrap();
    let proxy = proxies.proxy_for(&Uri::from_static("https://host/")).unwrap();
    assert_eq!(proxy.to_string(), "http://proxy:3128");
    assert_eq!(proxy.authorization().unwrap(), "Basic bGFiQHVzZXI6cEBzczp3L3JkJQ==");
    for (name, value) in [
        ("https_proxy", "socks5://user:hunter2@proxy"),
        ("http_proxy", "http://user:hunter2%ff@proxy"),
        ("all_proxy", "http://user%3a:hunter2@proxy"),
    ] {
        let error = from(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("hunter2"), "{error}");
    }
    let error = from(&[("http_proxy", "proxy"), ("no_proxy", "10.0.0.0/99")]).unwrap_err();
    assert!(error.to_string().contains("no_proxy"), "{error}");
}
