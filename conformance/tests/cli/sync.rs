//! Directories and prefixes: `sync` both ways, and `put` and `get` of a directory.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use apus_conformance::server::{
    EmbeddedOpenStack, Fault, FaultyS3, OpenStackModel, Operation, Plan, S3Model,
};

use crate::program::Program;

fn write(program: &Program, path: &str, bytes: impl AsRef<[u8]>) {
    let path = program.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Makes a file older than its object, also if it is uploaded within a second.
fn age(program: &Program, path: &str) {
    let file = fs::File::options().write(true).open(program.path(path)).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
}

fn server() -> (FaultyS3, Program) {
    let model = S3Model::new().with_bucket("images").with_object("images", "top", "1");
    let server = FaultyS3::start(model).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    for (path, bytes) in [("a-b", "1"), ("a.txt", "22"), ("a/b/c", "333"), ("a/ü x", "4444")] {
        write(&program, &format!("dir/{path}"), bytes);
        age(&program, &format!("dir/{path}"));
    }
    (server, program)
}

fn files(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let path = path.strip_prefix(directory).unwrap();
                all.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn a_directory_goes_up_and_down_and_only_changes_are_sent_again() {
    let (server, program) = server();
    let all = ["b/a-b", "b/a.txt", "b/a/b/c", "b/a/ü x", "top"];
    let dry = program.run(&["sync", "dir", "fast:b/", "-n"]).ends(0);
    dry.prints("would upload b/a/b/c").says("4 (10 B) would be uploaded");
    assert_eq!(server.model().keys("images"), ["top"]);
    program.run(&["sync", "dir", "fast:b/"]).ends(0).says("4 (10 B) uploaded");
    assert_eq!(server.model().keys("images"), all);
    let text = server.model().object("images", "b/a.txt").unwrap().clone();
    assert_eq!(text.body, "22");

    let puts = server.model().count(Operation::PutObject);
    // The prefix is a directory, also without its slash.
    program.run(&["sync", "dir", "fast:b"]).ends(0).says("4 equal");
    assert_eq!(server.model().count(Operation::PutObject), puts);
    // Other bytes of the same length, with an older time.
    write(&program, "dir/a.txt", "23");
    let file = fs::File::options().write(true).open(program.path("dir/a.txt")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1000)).unwrap();
    program.run(&["sync", "--mtime", "dir", "fast:b/"]).ends(0).says("0 (0 B) uploaded");
    program.run(&["sync", "--size-only", "dir", "fast:b/"]).ends(0).says("0 (0 B) uploaded");
    program.run(&["sync", "dir", "fast:b/"]).ends(0).prints("uploaded b/a.txt").says("3 equal");

    program.run(&["sync", "fast:b/", "copy"]).ends(0).says("4 (10 B) downloaded");
    assert_eq!(files(&program.path("copy")), ["a-b", "a.txt", "a/b/c", "a/ü x"]);
    assert_eq!(fs::read(program.path("copy/a.txt")).unwrap(), b"23");
    let gets = server.model().count(Operation::GetObject);
    for more in [&[][..], &["--mtime"], &["--size-only"]] {
        let arguments = [&["sync", "fast:b/", "copy"], more].concat();
        program.run(&arguments).ends(0).says("4 equal");
    }
    assert_eq!(server.model().count(Operation::GetObject), gets);
    write(&program, "copy/a/b/c", "xxx");
    program.run(&["sync", "fast:b/", "copy"]).ends(0).prints("downloaded a/b/c");
    assert_eq!(fs::read(program.path("copy/a/b/c")).unwrap(), b"333");
    // Both or none are directories.
    program.run(&["sync", "dir", "copy"]).ends(2).says("BACKEND:PREFIX");
    program.run(&["sync", "fast:b/", "fast:c/"]).ends(2).says("./NAME");
    program.run(&["sync", "none", "fast:b/"]).ends(1).says("none");
}

#[test]
fn what_is_only_at_the_target_is_removed_on_request() {
    let (server, program) = server();
    program.run(&["sync", "dir", "fast:b/"]).ends(0);
    for key in ["b/a/0", "b/zz", "b/a/b/d.tmp"] {
        program.run_with(&["put", "-", "--id", key], b"old").ends(0);
    }
    program.run(&["sync", "dir", "fast:b/"]).ends(0);
    assert_eq!(server.model().keys("images").len(), 8);
    let delete = ["sync", "dir", "fast:b/", "--delete", "--exclude", "*.tmp"];
    let dry = program.run(&[&delete[..], &["--dry-run"]].concat()).ends(0);
    dry.prints("would remove b/a/0").prints("would remove b/zz");
    assert_eq!(server.model().keys("images").len(), 8);
    program.run(&delete).ends(0).prints("removed b/a/0").says("2 removed");
    assert_eq!(
        server.model().keys("images"),
        ["b/a-b", "b/a.txt", "b/a/b/c", "b/a/b/d.tmp", "b/a/ü x", "top"]
    );
    // The whole bucket, an empty directory, and one that can't be uploaded whole.
    program.run(&["sync", "dir", "fast:", "--delete"]).ends(2).says("--all");
    fs::create_dir(program.path("empty")).unwrap();
    program.run(&["sync", "empty", "fast:b/", "--delete"]).ends(2).says("has no file");
    write(&program, "dir/new", "1");
    let refuse = Plan::new().always(Operation::PutObject, Fault::Refuse(403, "AccessDenied"));
    server.model().set_plan(refuse);
    program.run(&["sync", "dir", "fast:b/", "--delete"]).ends(9).says("nothing was removed");
    server.model().set_plan(Plan::new());
    assert_eq!(server.model().keys("images").len(), 6);

    program.run(&["sync", "fast:b/", "copy"]).ends(0);
    for path in ["copy/a/0", "copy/zz", "copy/a-a/x", "copy/keep.bak"] {
        write(&program, path, "old");
    }
    let delete = ["sync", "fast:b/", "copy", "--delete", "--exclude", "*.bak"];
    program.run(&[&delete[..], &["-n"]].concat()).ends(0).prints("would remove a-a/x");
    assert_eq!(files(&program.path("copy")).len(), 9);
    program.run(&delete).ends(0).prints("removed a/0").says("3 removed");
    let left = files(&program.path("copy"));
    assert_eq!(left, ["a-b", "a.txt", "a/b/c", "a/b/d.tmp", "a/ü x", "keep.bak"]);
    program.run(&["sync", "fast:typo/", "copy", "--delete"]).ends(2).says("no object");
    assert_eq!(files(&program.path("copy")), left);
}

#[test]
fn keys_that_would_leave_the_directory_are_listed_and_skipped() {
    let model = S3Model::new()
        .with_bucket("images")
        .with_object("images", "b/../../evil", "1")
        .with_object("images", "b//root", "2")
        .with_object("images", "b/good", "3")
        .with_object("images", "b/marker/", "")
        .with_object("images", "b/Good", "4");
    let server = FaultyS3::start(model).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let ran = program.run(&["get", "-R", "b/", "-o", "in/side"]).ends(9);
    ran.says("skipped b/../../evil: ").says("skipped b//root: ").says("3 names were skipped");
    assert_eq!(files(&program.path("in")).len(), 1);
    assert!(!program.path("evil").exists() && !program.path("in/evil").exists());
    // A link below the target is not followed.
    #[cfg(unix)]
    {
        fs::create_dir_all(program.path("target")).unwrap();
        fs::create_dir_all(program.path("outside")).unwrap();
        std::os::unix::fs::symlink(program.path("outside"), program.path("target/sub")).unwrap();
        server.model().handle(
            &apus_conformance::server::Request::new("PUT", "/images/c/sub/x").with_body("1"),
        );
        let ran = program.run(&["get", "-R", "c/", "-o", "target"]).ends(9);
        ran.says("symbolic link");
        assert!(files(&program.path("outside")).is_empty());
    }
}

#[test]
fn a_directory_is_stored_with_properties() {
    let (server, program) = server();
    let put = ["put", "-r", "dir", "--id", "p", "--exclude", "*", "--include", "a/*"];
    program.run(&put).ends(0).prints("uploaded p/a/b/c").says("2 (7 B) uploaded");
    assert_eq!(server.model().keys("images"), ["p/a/b/c", "p/a/ü x", "top"]);
    // Nothing is replaced without --replace.
    program.run(&put).ends(9).says("p/a/b/c: ").says("2 failed");
    let more = ["--replace", "--content-type", "text/x-own", "--metadata", "colour=red"];
    program.run(&[&put[..], &more].concat()).ends(0);
    let sent = server.server().requests();
    let last = sent.iter().rfind(|one| one.method == "PUT").unwrap();
    assert_eq!(last.header("content-type"), Some("text/x-own"));
    assert_eq!(last.header("x-amz-meta-colour"), Some("red"));
    program.run(&["put", "dir/a.txt", "--id", "top"]).ends(4);
    program.run(&["put", "dir/a.txt", "--id", "top", "--replace"]).ends(0);
    assert_eq!(server.model().object("images", "top").unwrap().body, "22");
    let sent = server.server().requests();
    let last = sent.iter().rfind(|one| one.method == "PUT").unwrap();
    assert_eq!(last.header("content-type"), Some("text/plain"));
    program.run(&["put", "dir"]).ends(2).says("is a directory");
    program.run(&["get", "-R", "p/"]).ends(2);
    program.run(&["put", "x", "--metadata", "none"]).ends(2);

    let class = ["--storage-class", "STANDARD_IA"];
    program.run(&[&["put", "dir/a.txt", "--id", "cool"], &class[..]].concat()).ends(0);
    program.run(&[&["sync", "dir", "fast:cool/"], &class[..]].concat()).ends(0);
    let sent = server.server().requests();
    let sent = sent.iter().filter(|one| one.method == "PUT" && one.target.contains("cool"));
    let classes: Vec<_> = sent.map(|one| one.header("x-amz-storage-class")).collect();
    assert_eq!(classes, [Some("STANDARD_IA"); 5]);
    // Files have no such properties, and Swift has no storage classes.
    program.run(&[&["sync", "fast:cool/", "down"], &class[..]].concat()).ends(2);
    program.run(&["sync", "fast:cool/", "down", "--content-type", "x/y"]).ends(2);
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let swift = Program::new().with_swift("cold", &cloud, "images");
    write(&swift, "dir/a", "1");
    for command in [&["put", "dir/a"][..], &["put", "-R", "dir"], &["sync", "dir", "cold:"]] {
        swift.run(&[command, &class].concat()).ends(2).says("storage policy");
    }
    assert!(cloud.model().names_of("glance", "images").is_empty());
}

/// Times of objects have whole seconds.
#[test]
fn a_file_that_is_changed_in_the_second_of_its_upload_is_sent_again() {
    let (server, program) = server();
    program.run(&["sync", "dir", "fast:b/"]).ends(0);
    program.run(&["sync", "--mtime", "dir", "fast:b/"]).ends(0).says("0 (0 B) uploaded");
    let listed = program.json(&["stat", "b/a.txt"]);
    let modified = listed[0]["modified"].as_str().unwrap().to_owned();
    let second: u64 = {
        let timestamp = apus_core::now::Timestamp::parse_iso8601(&modified).unwrap();
        timestamp.unix().try_into().unwrap()
    };
    write(&program, "dir/a.txt", "23");
    let file = fs::File::options().write(true).open(program.path("dir/a.txt")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    program.run(&["sync", "--mtime", "dir", "fast:b/"]).ends(0).says("0 (0 B) uploaded");
    file.set_modified(UNIX_EPOCH + Duration::from_millis(second * 1000 + 1)).unwrap();
    program.run(&["sync", "--mtime", "dir", "fast:b/"]).ends(0).prints("uploaded b/a.txt");
    assert_eq!(server.model().object("images", "b/a.txt").unwrap().body, "23");
}

#[test]
fn a_prefix_is_read_with_its_filters() {
    let (_server, program) = server();
    program.run(&["sync", "dir", "fast:b/"]).ends(0);
    let get = ["get", "-R", "fast:b/", "-o", "some", "--exclude", "a*", "--include", "a/b/*"];
    program.run(&get).ends(0).prints("downloaded a/b/c");
    assert_eq!(files(&program.path("some")), ["a/b/c"]);
    program.run(&["sync", "fast:b/", "all", "--exclude", "a/*"]).ends(0);
    assert_eq!(files(&program.path("all")), ["a-b", "a.txt"]);
}

#[cfg(unix)]
#[test]
fn links_and_names_that_are_no_text_are_skipped_and_remove_nothing() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let (server, program) = server();
    program.run(&["sync", "dir", "fast:b/"]).ends(0);
    fs::rename(program.path("dir/a"), program.path("real")).unwrap();
    std::os::unix::fs::symlink(program.path("real"), program.path("dir/a")).unwrap();
    fs::write(program.path("dir").join(OsStr::from_bytes(b"\xff")), "x").unwrap();
    let ran = program.run(&["sync", "dir", "fast:b/", "--delete"]).ends(9);
    ran.says("skipped a: it is a symbolic link").says("not UTF-8").says("nothing was removed");
    assert_eq!(server.model().keys("images").len(), 5);
}

#[test]
fn a_large_file_is_sent_in_parts_and_known_again() {
    let (server, program) = server();
    write(&program, "large/disk", vec![7; 20 << 20]);
    program.run(&["sync", "large", "fast:l/"]).ends(0);
    assert_eq!(server.model().count(Operation::UploadPart), 3);
    let file = fs::File::options().write(true).open(program.path("large/disk")).unwrap();
    // A newer file is read, and found to be equal by the ETag of its parts.
    file.set_modified(std::time::SystemTime::now() + Duration::from_secs(100)).unwrap();
    program.run(&["sync", "large", "fast:l/"]).ends(0).says("1 equal");
    program.run(&["sync", "fast:l/", "back"]).ends(0);
    assert!(fs::read(program.path("back/disk")).unwrap() == vec![7; 20 << 20]);
}

#[test]
fn a_directory_goes_to_swift_and_back() {
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    let conf = program.path("glance-api.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let small = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n";
    for kind in ["static", "dynamic"] {
        let kind = format!("swift_store_large_object_kind = {kind}\n");
        fs::write(&conf, format!("{text}{small}{kind}")).unwrap();
        let prefix = format!("cold:{}/", kind.len());
        write(&program, "dir/small", "1");
        write(&program, "dir/sub/large", vec![7; 2_500_000]);
        age(&program, "dir/sub/large");
        program.run(&["sync", "dir", &prefix]).ends(0).says("2 (2.38 MiB) uploaded");
        program.run(&["sync", "dir", &prefix]).ends(0).says("2 equal");
        let back = format!("back{}", kind.len());
        program.run(&["sync", &prefix, &back]).ends(0).says("2 (2.38 MiB) downloaded");
        assert!(fs::read(program.path(&back).join("sub/large")).unwrap() == vec![7; 2_500_000]);
        fs::remove_file(program.path("dir/sub/large")).unwrap();
        program.run(&["sync", "dir", &prefix, "--delete"]).ends(0).says("1 removed");
    }
    assert_eq!(cloud.model().names_of("glance", "images").len(), 2);
}
