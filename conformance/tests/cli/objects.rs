//! Objects of several backends: how they are addressed, listed, counted and read.

use apus_conformance::server::{
    EmbeddedOpenStack, EmbeddedS3, FaultyS3, OpenStackModel, Options, S3Model,
};
use serde_json::Value;

use crate::program::Program;

fn names(listed: &[Value]) -> Vec<&str> {
    listed.iter().map(|one| one["name"].as_str().unwrap_or("?")).collect()
}

#[test]
fn an_object_is_addressed_by_its_backend() {
    let model = S3Model::new()
        .with_bucket("images")
        .with_bucket("logs")
        .with_object("images", "a", "in images")
        .with_object("logs", "a", "in logs")
        .with_object("logs", "x://y", "odd");
    let server = FaultyS3::start(model).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images").with_endpoint(
        "cold",
        &server.endpoint(),
        "logs",
    );
    assert_eq!(program.run(&["cat", "a"]).ends(0).out, "in images");
    assert_eq!(program.run(&["cat", "cold:a"]).ends(0).out, "in logs");
    assert_eq!(program.run(&["cat", "a", "cold:a"]).ends(0).out, "in imagesin logs");
    assert_eq!(program.run(&["--bucket", "logs", "cat", "a"]).ends(0).out, "in logs");
    let two = program.run(&["--bucket", "logs", "cat", "cold:a"]);
    two.ends(2).says("--backend cold");
    assert_eq!(program.run(&["-b", "cold", "--bucket", "images", "cat", "a"]).out, "in images");
    // Names with `://`.
    for name in ["x://y", "cold:x://y"] {
        let arguments = [&["-b", "cold"][..], &["-q", "get", name]].concat();
        assert_eq!(program.run(&arguments).ends(0).out, "odd");
        program.run(&["-b", "cold", "stat", name]).ends(0).prints("size:");
    }
    program.run(&["-b", "cold", "ls", "x:"]).ends(0).prints("x://y");
    // What may be a URL with credentials is neither sent nor printed.
    let before = server.model().requests();
    let ran = program.run(&["stat", "s33://AK:hunter2@host/b/k"]).ends(2);
    assert!(!ran.err.contains("hunter2") && ran.err.contains("BACKEND:NAME"), "{ran:?}");
    assert_eq!(server.model().requests(), before);
    program.run(&["rm", "fast:cold://u@v"]).ends(3).says("backend fast").says("key cold://u@v");
    program.run(&["-b", "cold", "rm", "cold:x://y"]).ends(0).prints("removed cold:x://y");
    assert_eq!(server.model().keys("logs"), ["a"]);
}

/// The backends `fast` and `cold` in S3, with the buckets `images` and `copies`, and `swift`.
fn three_backends() -> (FaultyS3, EmbeddedOpenStack, Program) {
    let model = S3Model::new().with_bucket("images").with_bucket("copies");
    let server = FaultyS3::start(model).unwrap();
    let cloud = EmbeddedOpenStack::start(OpenStackModel::new().with_container("glance", "images"));
    let cloud = cloud.unwrap();
    let program = Program::new()
        .with_endpoint("fast", &server.endpoint(), "images")
        .with_endpoint("cold", &server.endpoint(), "copies")
        .with_swift("swift", &cloud, "images");
    (server, cloud, program)
}

/// A scheme that no location has: the whole is a name.
#[test]
fn names_with_a_scheme_work_in_every_command() {
    let (server, _cloud, program) = three_backends();
    let key = program.write("key", b"the key\n");
    let key = key.to_str().unwrap();
    std::fs::create_dir(program.path("dir")).unwrap();
    program.write("dir/file", b"1");
    for backend in ["fast", "swift"] {
        let name = "x://y";
        let run = |arguments: &[&str]| program.run(&[&["-b", backend], arguments].concat());
        let put = ["-q", "-b", backend, "put", "-", "--id", name];
        program.run_with(&put, b"odd").ends(0);
        assert_eq!(run(&["cat", name]).ends(0).out, "odd", "{backend}");
        run(&["get", name, "-o", "out"]).ends(0);
        run(&["ls", name]).ends(0).prints(name);
        run(&["du", name]).ends(0).prints("3");
        run(&["stat", name]).ends(0).prints("size:");
        let sign = match backend {
            "fast" => run(&["presign", name]).ends(0),
            _ => run(&["tempurl", name, "--key-file", key]).ends(0),
        };
        assert!(sign.out.contains("images/x%3A//y?"), "{sign:?}");
        run(&["copy", name, "--to", "cold"]).ends(0);
        run(&["copy", name, "--to", "cold", "--id", "u://v"]).ends(0);
        assert_eq!(server.model().keys("copies"), ["u://v", name]);
        program.run(&["rm", "cold:u://v", "cold:x://y"]).ends(0);
        // By its whole location too, as `put` prints it.
        let url = program.json(&["-b", backend, "stat", name])[0]["url"].clone();
        assert_eq!(run(&["cat", url.as_str().unwrap()]).ends(0).out, "odd", "{url}");
        let prefix = format!("{backend}:x://");
        run(&["sync", "dir", &prefix]).ends(0);
        let back = format!("back-{backend}");
        run(&["sync", &prefix, &back]).ends(0).prints("downloaded y");
        run(&["put", "-R", "dir", "--id", "x://d/"]).ends(0);
        run(&["get", "-R", "x://d/", "-o", &back]).ends(0);
        run(&["stat", "-R", "x://"]).ends(0);
        run(&["rm", "-n", name]).ends(0).prints("would remove");
        program.run_with(&["-b", backend, "rm", "-"], b"x://y\n").ends(0);
        match backend {
            "fast" => run(&["uploads", "ls", "x://"]).ends(0),
            _ => run(&["orphans", "x://"]).ends(0),
        };
        run(&["rm", "-R", "x://"]).ends(0).prints("removed");
        assert!(program.json(&["-b", backend, "ls"]).is_empty());
    }
}

/// Names that a URL, a shell or a pattern reads in another way.
#[test]
fn odd_names_are_those_of_one_object_in_every_command() {
    let (server, cloud, program) = three_backends();
    for name in [
        "a%2Fb",
        "100%",
        "%zz",
        "a+b c",
        " a  b ",
        "new\nline",
        "cr\r",
        "tab\t",
        "\u{1}",
        "ü/日本 😀",
        "a//b",
        "/a",
        "a/",
        "..",
        "a/../b",
        "./a",
        "?q#h",
        "a&b=c",
        "*[x]~",
        "q'\"\\",
        "a:b",
        ":x",
        "fast:x",
    ] {
        for backend in ["fast", "swift"] {
            let run =
                |arguments: &[&str]| program.run(&[&["-q", "-b", backend], arguments].concat());
            program.run_with(&["-q", "-b", backend, "put", "-", "--id", name], b"odd").ends(0);
            let full = format!("{backend}:{name}");
            assert_eq!(run(&["cat", &full]).ends(0).out, "odd", "{full:?}");
            run(&["get", &full, "-o", "out"]).ends(0);
            let listed = program.json(&["ls", &full]);
            assert_eq!(names(&listed), [name], "{backend}");
            assert_eq!(program.json(&["du", &full])[0]["objects"], 1, "{full:?}");
            let told = &program.json(&["stat", &full])[0];
            assert_eq!(told["size"], 3);
            assert_eq!(run(&["cat", told["url"].as_str().unwrap()]).ends(0).out, "odd", "{told}");
            if backend == "fast" {
                let url = run(&["presign", &full]).ends(0).out;
                assert_eq!(fetched(url.trim_end()), "odd", "{url}");
            }
            run(&["copy", &full, "--to", "cold"]).ends(0);
            assert_eq!(server.model().object("copies", name).unwrap().body, "odd", "{full:?}");
            program.run(&["-q", "rm", &format!("cold:{name}")]).ends(0);
            let input = format!("{full}\0");
            program.run_with(&["rm", "-0", "-"], input.as_bytes()).ends(0);
            run(&["stat", &full]).ends(3);
            assert!(server.model().keys("images").is_empty());
            assert!(cloud.model().names_of("glance", "images").is_empty());
        }
    }
}

/// Requests an http URL as it is written, dots included, and returns the body.
fn fetched(url: &str) -> String {
    use std::io::{Read, Write};
    let (host, target) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!("GET /{target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn lists_and_sums_are_those_of_the_bucket() {
    let mut model = S3Model::new().with_bucket("images").with_bucket("other");
    for at in 0..2500 {
        let key = format!("logs/{}/{at:04}", at % 3);
        model = model.with_object("images", &key, vec![0; 10]);
    }
    let model = model.with_object("images", "top", vec![0; 2048]);
    let server = FaultyS3::start(model).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    assert_eq!(program.json(&["ls"]).len(), 2501);
    let listed = program.json(&["ls", "--delimiter", "/"]);
    assert_eq!((listed.len(), &listed[0]["prefix"]), (2, &"logs/".into()));
    assert_eq!(listed[1]["name"], "top");
    let listed = program.json(&["ls", "fast:logs/", "--delimiter", "/"]);
    let prefixes: Vec<&str> = listed.iter().map(|one| one["prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes, ["logs/0/", "logs/1/", "logs/2/"]);
    program.run(&["ls", "top", "-H"]).ends(0).prints("2.00 KiB");
    let sum = &program.json(&["du"])[0];
    assert_eq!((&sum["bytes"], &sum["objects"]), (&(25_000 + 2048).into(), &2501.into()));
    let sums = program.json(&["du", "logs/", "--delimiter", "/"]);
    let counted: Vec<u64> = sums.iter().map(|one| one["objects"].as_u64().unwrap()).collect();
    assert_eq!(counted, [834, 833, 833, 2500]);
    let buckets = program.json(&["ls", "--buckets"]);
    let buckets: Vec<&str> = buckets.iter().map(|one| one["bucket"].as_str().unwrap()).collect();
    assert_eq!(buckets, ["images", "other"]);
    let backends = program.json(&["ls", "--backends"]);
    assert_eq!((&backends[0]["backend"], &backends[0]["default"]), (&"fast".into(), &true.into()));
}

#[test]
fn buckets_are_created_and_removed() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    program.run(&["mb", "logs"]).ends(0).prints("created logs");
    program.run(&["mb", "logs"]).ends(4);
    program.run_with(&["--bucket", "logs", "put", "-", "--id", "x"], b"12345").ends(0);
    program.run(&["--bucket", "logs", "rm", "x"]).ends(0);
    program.run(&["rb", "logs"]).ends(0).prints("removed logs");
    program.run(&["rb", "logs"]).ends(3);

    let model = S3Model::new().with_bucket("full").with_object("full", "a", "1");
    let server = FaultyS3::start(model).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "full");
    program.run(&["rb", "full"]).ends(1).says("rm --recursive --all");
    assert!(server.model().has_bucket("full"));

    let cloud = EmbeddedOpenStack::start(OpenStackModel::new()).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    program.run(&["mb"]).ends(0).prints("created images");
    program.run(&["mb"]).ends(4).says("exists already");
    cloud.model().put_foreign("glance", "images", "a", vec![1].into());
    program.run(&["rb", "images"]).ends(1).says("rm --recursive --all");
    program.run(&["rm", "a"]).ends(0);
    program.run(&["rb", "images"]).ends(0);
    assert!(cloud.model().container_of("glance", "images").is_none());
}

#[test]
fn segments_of_a_stream_are_hidden_unless_requested() {
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    // The names that an upload of a stream of unknown length gives its segments.
    let stream = "id/00000000deadbeef/stream/204800000/00000001";
    for name in ["id", stream, "id-00001", "other"] {
        cloud.model().put_foreign("glance", "images", name, vec![1].into());
    }
    assert_eq!(names(&program.json(&["ls"])), ["id", "other"]);
    assert_eq!(names(&program.json(&["ls", "--segments"])), ["id", "id-00001", stream, "other"]);
    let containers = program.json(&["ls", "--buckets"]);
    assert_eq!(
        (&containers[0]["bucket"], &containers[0]["objects"]),
        (&"images".into(), &4.into())
    );
}

/// Names with a line's end go from one command to another.
#[test]
fn names_that_end_with_nul_are_input_of_other_commands() {
    let (server, cloud, program) = three_backends();
    let odd = ["a\nb", "fast:x", "swift:z", "x y"];
    for backend in ["fast", "swift"] {
        for name in odd {
            program.run_with(&["-q", "-b", backend, "put", "-", "--id", name], b"1").ends(0);
        }
    }
    let listed = program.run(&["-b", "swift", "ls", "-0"]).ends(0).out;
    let expected: String = odd.iter().map(|name| format!("swift:{name}\0")).collect();
    assert_eq!(listed, expected);
    assert_eq!(
        program
            .run_with(&["stat", "-0", "-"], listed.as_bytes())
            .ends(0)
            .out
            .matches("size:")
            .count(),
        4
    );
    // Of the other backend, although the default one is `fast`.
    program.run_with(&["rm", "-0", "-"], listed.as_bytes()).ends(0).prints("removed 4");
    assert!(cloud.model().names_of("glance", "images").is_empty());
    assert_eq!(server.model().keys("images").len(), 4);
    program.run(&["--json", "ls", "-0"]).ends(2);
    program.run(&["ls", "-0", "-H"]).ends(2);
    assert_eq!(program.run(&["ls", "--null", "nothing"]).ends(0).out, "");
}
