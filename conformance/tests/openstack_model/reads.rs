//! Ranges and conditions.

use super::stage::Stage;

#[test]
fn a_range_is_given_or_is_beyond() {
    let stage = Stage::set("ranges");
    stage.call("PUT", "/x", &[("Content-Type", "text/plain")], "hello world").is(201);
    stage.put("/empty", "").is(201);
    let get = |path: &str, range: &str| {
        let answer = stage.call("GET", path, &[("Range", range)], "");
        let told = answer.header("content-range").map(str::to_owned);
        (answer.status, answer.text(), told)
    };
    let part = |text: &str, told: &str| (206, text.to_owned(), Some(told.to_owned()));
    assert_eq!(get("/x", "bytes=1-2"), part("el", "bytes 1-2/11"));
    assert_eq!(get("/x", "bytes=6-"), part("world", "bytes 6-10/11"));
    assert_eq!(get("/x", "bytes=-3"), part("rld", "bytes 8-10/11"));
    assert_eq!(get("/x", "bytes=9-99"), part("ld", "bytes 9-10/11"));
    assert_eq!(get("/x", "bytes=-99"), part("hello world", "bytes 0-10/11"));
    let (status, text, told) = get("/x", "bytes=11-");
    assert_eq!((status, told.as_deref()), (416, Some("bytes */11")));
    assert!(text.contains("The Range requested is not available."));
    for nonsense in ["nonsense", "bytes=", "bytes=5-1", "lines=1-2"] {
        assert_eq!(get("/x", nonsense), (200, "hello world".to_owned(), None), "{nonsense}");
    }
    assert_eq!(get("/empty", "bytes=0-").0, 416);
    assert_eq!(get("/empty", "bytes=-5").0, 200);

    let answer = stage.call("GET", "/x", &[("Range", "bytes=0-0,6-7")], "").is(206);
    let kind = answer.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges;boundary=").unwrap();
    let part = |range: &str, text: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/11\r\n\r\n{text}\r\n"
        )
    };
    let expected = format!("{}{}--{boundary}--", part("0-0", "h"), part("6-7", "wo"));
    assert_eq!(answer.text(), expected);
    let head = stage.call("HEAD", "/x", &[("Range", "bytes=1-2")], "");
    assert_eq!((head.status, head.header("content-length")), (200, Some("11")), "HEAD has none");
}

#[test]
fn conditions_come_before_ranges() {
    let stage = Stage::set("conditions");
    stage.put("/x", "hello").is(201);
    let get = |name: &str, value: &str| stage.call("GET", "/x", &[(name, value)], "").status;
    let quoted = format!("\"{HELLO}\"");
    for tag in [HELLO, &quoted] {
        assert_eq!(get("If-Match", tag), 200);
        assert_eq!(get("If-None-Match", tag), 304);
    }
    assert_eq!(get("If-Match", "nonsense"), 412);
    assert_eq!(get("If-None-Match", "nonsense"), 200);
    assert_eq!(get("If-Modified-Since", "Wed, 01 Jan 2031 00:00:00 GMT"), 304);
    assert_eq!(get("If-Modified-Since", "Wed, 01 Jan 2020 00:00:00 GMT"), 200);
    assert_eq!(get("If-Unmodified-Since", "Wed, 01 Jan 2020 00:00:00 GMT"), 412);

    let ranged = |name: &str, value: &str| {
        let answer = stage.call("GET", "/x", &[(name, value), ("Range", "bytes=1-2")], "");
        (answer.status, answer.text())
    };
    assert_eq!(ranged("If-Match", HELLO), (206, "el".to_owned()));
    assert_eq!(ranged("If-Match", "nonsense"), (412, String::new()));
    assert_eq!(ranged("If-Range", "\"nonsense\""), (206, "el".to_owned()), "it is not looked at");
}

const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
