//! The head of a request as it is sent (RFC 9112, sections 3 and 5).

use http::header::{HOST, HeaderName, USER_AGENT};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{Uri, request};

/// Returns the request line, the header fields, and the fields that HTTP requires besides those
/// that were signed.
pub(crate) fn write(head: &request::Parts, user_agent: &str, expects: bool) -> Vec<u8> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let headers = &head.headers;
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let room = 64 + target.len() + fields.sum::<usize>() + user_agent.len() + 128;
    let mut out = Vec::with_capacity(room);
    for part in [head.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    if !headers.contains_key(HOST) {
        field(&mut out, &HOST, host(&head.uri).as_bytes());
    }
    for (name, value) in headers {
        field(&mut out, name, value.as_bytes());
    }
    if !headers.contains_key(USER_AGENT) && !user_agent.is_empty() {
        field(&mut out, &USER_AGENT, user_agent.as_bytes());
    }
    if expects {
        out.extend_from_slice(b"expect: 100-continue\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Returns the URI that ureq is given: scheme, host and port only.
pub(crate) fn place(uri: &Uri) -> Option<Uri> {
    let authority = uri.authority()?;
    let user = authority.as_str().bytes().rposition(|byte| byte == b'@');
    let authority = match user {
        // A user in the URI is not sent.
        Some(at) => authority.as_str().get(at + 1..)?.parse::<Authority>().ok()?,
        None => authority.clone(),
    };
    let mut place = Parts::default();
    place.scheme = Some(uri.scheme()?.clone());
    place.authority = Some(authority);
    place.path_and_query = Some(PathAndQuery::from_static("/"));
    Uri::from_parts(place).ok()
}

/// Returns the host, and the port unless it is the scheme's default.
fn host(uri: &Uri) -> String {
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) if port != default => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(uri: &str) -> request::Parts {
        Request::put(uri).header("x-a", "1").body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_head_with_what_it_lacked() {
        let text = String::from_utf8(write(&head("http://u:p@h:8080/a?b=c"), "me", true)).unwrap();
        assert_eq!(
            text,
            "PUT /a?b=c HTTP/1.1\r\nhost: h:8080\r\nx-a: 1\r\nuser-agent: me\r\n\
             expect: 100-continue\r\n\r\n"
        );
        for (uri, host) in
            [("https://h:443/", "h"), ("http://[::1]:80", "[::1]"), ("https://h:80/", "h:80")]
        {
            let text = String::from_utf8(write(&head(uri), "", false)).unwrap();
            assert_eq!(text, format!("PUT / HTTP/1.1\r\nhost: {host}\r\nx-a: 1\r\n\r\n"));
        }
    }

    #[test]
    fn what_the_head_says_itself_is_not_said_twice() {
        let mut head = head("http://h/");
        head.headers.insert(HOST, "other".parse().unwrap());
        head.headers.insert(USER_AGENT, "they".parse().unwrap());
        let text = String::from_utf8(write(&head, "me", false)).unwrap();
        assert_eq!(text, "PUT / HTTP/1.1\r\nx-a: 1\r\nhost: other\r\nuser-agent: they\r\n\r\n");
    }

    #[test]
    fn the_place_of_a_request() {
        let uri: Uri = "https://user:pw@h:1/path?X-Amz-Signature=1".parse().unwrap();
        assert_eq!(place(&uri).unwrap(), "https://h:1/");
        assert_eq!(place(&"/path".parse().unwrap()), None);
    }
}
