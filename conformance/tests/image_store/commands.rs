//! The commands of a day's work, in a bucket on S3 and in a container in Swift: on embedded servers, and
//! on real ones.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use apus_core::checksum::{Algorithm, Hashers};
use serde_json::Value;

use crate::command_line::{attempt, command, run};
use crate::site::Site;
use crate::stores::pattern;

#[test]
fn embedded_s3() {
    days_work(&Site::embedded(), "fast");
}

#[test]
fn embedded_swift() {
    days_work(&Site::embedded(), "cold");
}

#[test]
fn live_s3() {
    Site::live().iter().for_each(|site| days_work(site, "fast"));
}

#[test]
fn live_swift() {
    Site::live().iter().for_each(|site| days_work(site, "cold"));
}

/// A backend, and a bucket or container of the test alone.
struct Day<'a> {
    site: &'a Site,
    backend: &'a str,
    bucket: String,
}

impl Day<'_> {
    fn with<'b>(&'b self, arguments: &[&'b str]) -> Vec<&'b str> {
        [&["-b", self.backend, "--bucket", &self.bucket], arguments].concat()
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> (String, String) {
        run(self.site, &self.with(arguments))
    }

    /// Returns standard error of a run that has to end with this code.
    #[track_caller]
    fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let (out, error, ended) = attempt(self.site, &self.with(arguments));
        assert_eq!(ended, code, "{arguments:?}: {out}{error}");
        error
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let (out, _) = self.run(&[&["--json"], arguments].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// SIGKILL to a run as soon as something is so.
    fn kill(&self, arguments: &[&str], is: impl Fn() -> bool) {
        let mut child = command(self.site, &self.with(arguments));
        child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let begun = Instant::now();
        while !is() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{arguments:?}: it never was so");
            assert!(child.try_wait().unwrap().is_none(), "{arguments:?} ended before");
            thread::sleep(Duration::from_millis(50));
        }
        // The state of an upload is written five times in a second.
        thread::sleep(Duration::from_millis(500));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn days_work(site: &Site, backend: &str) {
    let day = Day { site, backend, bucket: format!("{}-{backend}-day", site.name) };
    // s3s-fs does not list uploads, and removes a bucket that has objects.
    let is_s3s = backend != "cold" && !site.is_live();
    day.run(&["mb", &day.bucket]);
    // Ceph creates an own bucket again, as S3 does in us-east-1.
    if backend == "cold" || !site.is_live() {
        day.ends(4, &["mb", &day.bucket]);
    }
    assert!(day.json(&["ls", "--buckets"]).iter().any(|one| one["bucket"] == *day.bucket));
    trees(&day);
    expectations(&day);
    resumed(&day);
    if !is_s3s {
        leftovers(&day);
    }
    fs::write(site.file("last"), "1").unwrap();
    day.run(&["put", path(&site.file("last")), "--id", "last"]);
    if !is_s3s {
        assert!(day.ends(1, &["rb", &day.bucket]).contains("rm --recursive --all"));
    }
    day.ends(2, &["rm", "-R", ""]);
    day.run(&["rm", "-R", "--all"]);
    assert!(day.json(&["ls", "--segments"]).is_empty());
    day.run(&["rb", &day.bucket]);
    day.ends(3, &["ls"]);
}

/// `put -R`, `sync`, `ls`, `du`, `cat`, `stat -R`, `rm`.
fn trees(day: &Day<'_>) {
    let directory = day.site.file("tree");
    fs::create_dir_all(directory.join("a/b")).unwrap();
    for (name, text) in [("one", "1"), ("a/two", "22"), ("a/b/ü x", "333"), ("a/b/odd?&+%", "4444")]
    {
        fs::write(directory.join(name), text).unwrap();
        // Older than its object by more than the second that times of objects have.
        let file = fs::File::options().write(true).open(directory.join(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    }
    let prefix = format!("{}:tree/", day.backend);
    day.run(&["put", "-R", path(&directory), "--id", "tree/"]);
    let sync = day.run(&["sync", path(&directory), &prefix]);
    assert!(sync.1.contains("4 equal"), "{sync:?}");
    fs::write(directory.join("one"), "I").unwrap();
    let sync = day.run(&["sync", path(&directory), &prefix]);
    assert!(sync.0.contains("uploaded tree/one") && sync.1.contains("3 equal"), "{sync:?}");
    let back = day.site.file("tree-back");
    day.run(&["sync", &prefix, path(&back)]);
    assert_eq!(fs::read(back.join("a/b/odd?&+%")).unwrap(), b"4444");
    fs::write(back.join("more"), "5").unwrap();
    let dry = day.run(&["sync", &prefix, path(&back), "--delete", "-n"]);
    assert!(dry.0.contains("would remove more") && back.join("more").exists(), "{dry:?}");
    day.run(&["sync", &prefix, path(&back), "--delete"]);
    assert!(!back.join("more").exists());

    let listed = day.json(&["ls", "tree/", "--delimiter", "/"]);
    assert_eq!((listed.len(), &listed[0]["prefix"]), (2, &"tree/a/".into()), "{listed:?}");
    let sum = &day.json(&["du", "tree/"])[0];
    assert_eq!((&sum["bytes"], &sum["objects"]), (&10.into(), &4.into()));
    assert_eq!(day.run(&["cat", "tree/one", "tree/a/two"]).0, "I22");
    assert_eq!(day.json(&["stat", "-R", "tree/a/"]).len(), 3);
    let dry = day.run(&["rm", "-R", "tree/a/", "-n"]);
    assert!(dry.0.contains("3 objects would be removed"), "{dry:?}");
    assert_eq!(day.json(&["ls", "tree/"]).len(), 4);
    day.run(&["rm", "-R", "tree/a/b/"]);
    day.run(&["rm", "tree/a/two"]);
    let left = day.json(&["ls", "tree/"]);
    assert_eq!((left.len(), &left[0]["name"]), (1, &"tree/one".into()));
    day.ends(9, &["rm", "tree/one", "tree/none"]);
}

/// `get --expect` and `--size`, of an object in parts.
fn expectations(day: &Day<'_>) {
    let (image, back) = (day.site.file("expected"), day.site.file("expected-back"));
    let bytes = pattern(7_000_001);
    fs::write(&image, &bytes).unwrap();
    day.run(&["put", path(&image), "--id", "expected"]);
    let mut hashers = Hashers::new([Algorithm::Sha512]).unwrap();
    hashers.update(&bytes);
    let hex = hashers.finish().value(Algorithm::Sha512).unwrap().hex();
    let expect = format!("sha512:{hex}");
    day.run(&["get", "expected", "-o", path(&back), "--expect", &expect, "--size", "7000001"]);
    assert!(fs::read(&back).unwrap() == bytes);
    fs::write(&back, "old").unwrap();
    let other = format!("sha512:{}", "0".repeat(128));
    day.ends(8, &["get", "expected", "-o", path(&back), "--expect", &other]);
    day.ends(8, &["get", "expected", "-o", path(&back), "--size", "7"]);
    assert_eq!(fs::read(&back).unwrap(), b"old");
    day.run(&["rm", "expected"]);
}

/// `put --resume` and `get --resume` after SIGKILL.
fn resumed(day: &Day<'_>) {
    let image = day.site.file("resumed");
    let bytes = pattern(24_000_001);
    fs::write(&image, &bytes).unwrap();
    let state = day.site.file("state/apus");
    let has_state = || {
        let mut all = fs::read_dir(&state).into_iter().flatten().flatten();
        all.any(|entry| entry.path().extension().is_some_and(|it| it == "json"))
    };
    let put = ["put", path(&image), "--id", "resumed", "--resume"];
    day.kill(&[&["--limit-rate", "6M", "--concurrency", "1"], &put[..]].concat(), has_state);
    let again = day.run(&put);
    assert!(again.1.contains("continuing: "), "{again:?}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);

    let (back, part) = (day.site.file("back"), day.site.file(".back.apus-part"));
    let get = ["get", "resumed", "-o", path(&back), "--resume"];
    let has_bytes = || fs::metadata(&part).is_ok_and(|part| part.len() > 6_000_000);
    day.kill(&[&["--limit-rate", "6M"], &get[..]].concat(), has_bytes);
    let again = day.run(&get);
    assert!(again.1.contains("continuing after "), "{again:?}");
    assert!(fs::read(&back).unwrap() == bytes && !part.exists());
    day.run(&["rm", "resumed"]);
}

/// `uploads` in S3, `orphans` in Swift: what a killed `put` leaves.
fn leftovers(day: &Day<'_>) {
    let image = path(&day.site.file("resumed")).to_owned();
    let is_s3 = day.backend == "fast";
    let began = || match is_s3 {
        true => !day.json(&["uploads", "ls", "killed"]).is_empty(),
        false => !day.json(&["ls", "killed", "--segments"]).is_empty(),
    };
    let put = ["--limit-rate", "6M", "--concurrency", "1", "put", &image, "--id", "killed"];
    day.kill(&put, began);
    let all = match is_s3 {
        true => ["uploads", "abort", "--older-than", "0"].as_slice(),
        false => &["orphans", "--older-than", "0"],
    };
    let dry = day.run(all);
    assert!(dry.0.contains("killed") && dry.1.contains("--yes"), "{dry:?}");
    assert!(began(), "a dry run removes nothing");
    day.run(&[all, &["--yes"]].concat());
    assert!(!began(), "it is removed");
    if is_s3 {
        day.run(&["uploads", "expire", "--days", "7"]);
        let again = day.run(&["uploads", "expire", "--days", "7"]);
        assert!(again.0.contains("already"), "{again:?}");
    }
}
