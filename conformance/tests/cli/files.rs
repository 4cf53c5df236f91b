//! The files that the program writes: `get -o` and `locations migrate --write`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apus_conformance::program::APUS;
use apus_conformance::server::{
    EmbeddedS3, Ending, Fault, FaultyS3, Operation, Options, Plan, S3Model,
};

use crate::program::{Program, Ran};

const LENGTH: usize = 300_000;

/// A store with one image in it, and a program that knows it.
fn stage() -> (EmbeddedS3, Program, Vec<u8>) {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    let image: Vec<u8> = (0..LENGTH).map(|at| (at % 251) as u8).collect();
    program.run_with(&["-q", "put", "-", "--id", "x"], &image).ends(0);
    (server, program, image)
}

/// The same, where the server does what a plan says.
fn faulty(length: usize, plan: Plan) -> (FaultyS3, Program) {
    let server = FaultyS3::start(S3Model::new().with_bucket("images")).unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\ns3_store_retries = 0\n",
        server.endpoint()
    );
    let program = Program::new().with_backend("fast", "s3", &options).with_secret("a/secret");
    program.run_with(&["-q", "put", "-", "--id", "x"], &vec![7; length]).ends(0);
    server.model().set_plan(plan);
    (server, program)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A folder of its own in the program's, with these files.
fn folder(program: &Program, files: &[(&str, &str)]) -> std::path::PathBuf {
    let folder = program.path("out");
    fs::create_dir(&folder).unwrap();
    for (name, content) in files {
        fs::write(folder.join(name), content).unwrap();
    }
    folder
}

fn start(program: &Program, arguments: &[&str]) -> Child {
    Command::new(&*APUS)
        .arg("--config")
        .arg(program.path("glance-api.conf"))
        .args(arguments)
        .current_dir(program.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn two_at_once_leave_a_whole_file() {
    let (_server, program, image) = stage();
    let folder = folder(&program, &[]);
    let mut runs: Vec<Child> =
        (0..4).map(|_| start(&program, &["get", "x", "-o", "out/image"])).collect();
    for run in &mut runs {
        assert!(run.wait().unwrap().success());
    }
    assert!(fs::read(folder.join("image")).unwrap() == image);
    assert_eq!(names(&folder), ["image"]);
}

#[test]
fn a_fifo_is_written_through() {
    let (_server, program, image) = stage();
    let folder = folder(&program, &[]);
    let path = folder.join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let reader = thread::spawn({
        let path = path.clone();
        move || {
            let mut read = Vec::new();
            File::open(path).unwrap().read_to_end(&mut read).unwrap();
            read
        }
    });
    program.run(&["get", "x", "-o", "out/fifo"]).ends(0);
    assert!(reader.join().unwrap() == image);
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    assert_eq!(names(&folder), ["fifo"]);
}

#[test]
fn devices_stay_devices_for_the_superuser_too() {
    let (_server, program, image) = stage();
    let before = fs::metadata("/dev/null").unwrap();
    program.run(&["get", "x", "-o", "/dev/null"]).ends(0);
    let after = fs::metadata("/dev/null").unwrap();
    assert!(after.file_type().is_char_device());
    assert_eq!((before.ino(), before.rdev()), (after.ino(), after.rdev()));
    let ran = program.run(&["-q", "get", "x", "--range", "97-101", "-o", "/dev/stdout"]).ends(0);
    assert_eq!(ran.out.as_bytes(), &image[97..102]);
    if cfg!(target_os = "linux") {
        program.run(&["get", "x", "-o", "/dev/full"]).ends(11).says("No space left on device");
    }
}

#[test]
fn standard_output_that_is_a_file_is_appended_to() {
    let (_server, program, image) = stage();
    let log = program.write("log", b"before");
    let out = File::options().append(true).open(&log).unwrap();
    let mut command = Command::new(&*APUS);
    command.arg("--config").arg(program.path("glance-api.conf"));
    command.args(["-q", "get", "x", "--range", "97-101", "-o", "/dev/stdout"]).stdout(out);
    assert!(command.status().unwrap().success());
    assert_eq!(fs::read(&log).unwrap(), [b"before", &image[97..102]].concat());
}

#[test]
fn links_stay_and_what_they_name_is_replaced() {
    let (_server, program, image) = stage();
    let folder = folder(&program, &[("real", "old")]);
    symlink("real", folder.join("link")).unwrap();
    symlink("to be", folder.join("dangling")).unwrap();
    for (link, real) in [("link", "real"), ("dangling", "to be")] {
        program.run(&["get", "x", "-o", &format!("out/{link}")]).ends(0);
        assert!(fs::symlink_metadata(folder.join(link)).unwrap().is_symlink());
        assert!(fs::read(folder.join(real)).unwrap() == image);
    }
    assert_eq!(names(&folder), ["dangling", "link", "real", "to be"]);
}

#[test]
fn owner_mode_and_a_file_of_the_user_stay() {
    let (_server, program, image) = stage();
    let folder = folder(&program, &[("image", "old"), ("image.part", "theirs")]);
    let path = folder.join("image");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    program.run(&["get", "x", "-o", "out/image"]).ends(0);
    assert!(fs::read(&path).unwrap() == image);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_to_string(folder.join("image.part")).unwrap(), "theirs");
    assert_eq!(names(&folder), ["image", "image.part"]);
}

#[test]
fn other_names_of_the_file_are_told_of() {
    let (_server, program, _) = stage();
    let folder = folder(&program, &[("one", "old")]);
    fs::hard_link(folder.join("one"), folder.join("other")).unwrap();
    program.run(&["get", "x", "-o", "out/one"]).ends(0).says("hard links: 1");
    assert_eq!(fs::read_to_string(folder.join("other")).unwrap(), "old");
}

#[test]
fn what_is_not_there_creates_nothing() {
    let (_server, program, _) = stage();
    let folder = folder(&program, &[("old", "old")]);
    program.run(&["get", "nothing", "-o", "out/new"]).ends(3);
    program.run(&["get", "nothing", "-o", "out/old"]).ends(3);
    assert_eq!(names(&folder), ["old"]);
    assert_eq!(fs::read_to_string(folder.join("old")).unwrap(), "old");
    program.run(&["get", "x", "-o", "none/new"]).ends(1).says("none");
    program.run(&["get", "x", "-o", "out"]).ends(1).says("directory");
}

#[test]
fn what_fails_midway_leaves_the_old_file() {
    let plan = Plan::new()
        .on(Operation::GetObject, 1, Fault::CutBody(LENGTH / 2, Ending::Close))
        .from(Operation::GetObject, 2, Fault::Refuse(403, "AccessDenied"));
    let (_server, program) = faulty(LENGTH, plan);
    let folder = folder(&program, &[("image", "old"), ("image.part", "theirs")]);
    let ran = program.run(&["get", "x", "-o", "out/image"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert_eq!(names(&folder), ["image", "image.part"]);
    assert_eq!(fs::read_to_string(folder.join("image")).unwrap(), "old");
}

#[test]
fn a_disk_without_room_leaves_the_old_file() {
    let (_server, program, _) = stage();
    let folder = folder(&program, &[("image", "old")]);
    // A limit of 64 blocks simulates a full disk.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"]).arg(&*APUS);
    command.arg("--config").arg(program.path("glance-api.conf"));
    command.args(["get", "x", "-o", "out/image"]);
    program.finish(command, b"").ends(1).says("File too large");
    assert_eq!(names(&folder), ["image"]);
    assert_eq!(fs::read_to_string(folder.join("image")).unwrap(), "old");
}

/// A slow download to `out/image` that has begun to write.
fn begun(length: usize) -> (FaultyS3, Program, std::path::PathBuf, Child) {
    let slow = Fault::Trickle(10_000, Duration::from_millis(50));
    let (server, program) = faulty(length, Plan::new().always(Operation::GetObject, slow));
    let folder = folder(&program, &[("image", "old"), ("image.part", "theirs")]);
    let run = start(&program, &["get", "x", "-o", "out/image"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while names(&folder).len() < 3 {
        assert!(Instant::now() < deadline, "nothing was begun");
        thread::sleep(Duration::from_millis(5));
    }
    (server, program, folder, run)
}

#[test]
fn an_interrupted_one_leaves_the_old_file() {
    // Under nohup, as these tests may be run, the program ignores SIGHUP.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let is_nohup =
        ignored.is_some_and(|mask| mask.trim().ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']));
    for signal in ["-INT", "-TERM", "-HUP"].into_iter().filter(|it| !(is_nohup && *it == "-HUP")) {
        let (_server, _program, folder, run) = begun(8_000_000);
        let sent = Command::new("kill").args([signal, &run.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}: {output:?}");
        assert_eq!(names(&folder), ["image", "image.part"], "{signal}");
        assert_eq!(fs::read_to_string(folder.join("image")).unwrap(), "old");
    }
}

#[test]
fn a_directory_that_comes_in_its_place_meanwhile_stays() {
    let (_server, _program, folder, run) = begun(400_000);
    fs::remove_file(folder.join("image")).unwrap();
    fs::create_dir(folder.join("image")).unwrap();
    fs::write(folder.join("image/in"), "theirs").unwrap();
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("out/image: can't be replaced: Is a directory"), "{said}");
    assert_eq!(names(&folder), ["image", "image.part"]);
    assert_eq!(fs::read_to_string(folder.join("image/in")).unwrap(), "theirs");
}

#[test]
fn links_in_a_circle_are_said() {
    let (_server, program, _) = stage();
    let folder = folder(&program, &[]);
    symlink("two", folder.join("one")).unwrap();
    symlink("one", folder.join("two")).unwrap();
    program.run(&["get", "x", "-o", "out/one"]).ends(1).says("out/one").says("symbolic links");
    program.run(&["put", "out/one", "--id", "y"]).ends(1).says("out/one").says("symbolic links");
    assert_eq!(names(&folder), ["one", "two"]);
}

/// Runs the program below a shell that has mounted something in `out`; `None` where that may not be
/// done.
fn mounted(program: &Program, mount: &str, arguments: &str) -> Option<Ran> {
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&*APUS);
        command.arg(program.path("glance-api.conf"));
        command
    };
    let mut test = shell(mount);
    if !test.current_dir(program.path("")).output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let script = format!(
        "{mount} && {{ \"$1\" --config \"$2\" {arguments}; code=$?; ls -a out; exit $code; }}"
    );
    Some(program.finish(shell(&script), b""))
}

#[test]
fn a_place_where_something_is_mounted_is_said() {
    let (_server, program, _) = stage();
    let folder = folder(&program, &[("image", "old"), ("other", "other")]);
    let mount = "mount --bind out/other out/image";
    if let Some(ran) = mounted(&program, mount, "get x -o out/image") {
        ran.ends(1).says("is a mount point").says("write to another file");
        assert_eq!(names(&folder), ["image", "other"]);
        assert_eq!(fs::read_to_string(folder.join("other")).unwrap(), "other");
    }
    // A disk of 64 KiB.
    let mount = "mount -t tmpfs -o size=64k none out && echo old > out/image";
    if let Some(ran) = mounted(&program, mount, "get x -o out/image") {
        let ran = ran.ends(11).says("apus: out/image: No space left on device").prints("image");
        assert!(!ran.out.contains(".part"), "{ran:?}");
        let rows = "{\"id\": 1, \"url\": \"http://elsewhere/\"}\n".repeat(10_000);
        program.write("rows", rows.as_bytes());
        let write = "locations migrate rows --all --write out/rows";
        let ran = mounted(&program, mount, write).unwrap();
        let ran = ran.ends(11).says("out/rows").says("No space left on device");
        assert!(!ran.out.contains("rows") && !ran.out.contains(".part"), "{ran:?}");
    }
    // What is kept for another run is named.
    if let Some(ran) = mounted(&program, mount, "get x --resume -o out/image") {
        let ran = ran.ends(11).says("No space left on device").says("out/.image.apus-part");
        assert!(ran.out.contains(".image.apus-resume"), "{ran:?}");
    }
    // A synchronisation ends with the first file that has no place; those before it are whole.
    for at in 0..30 {
        let name = format!("d/{at:02}");
        program.run_with(&["-q", "put", "-", "--id", &name], &[7; 6000]).ends(0);
    }
    let list = "sync fast:d/ out; code=$?; wc -c out/[0-9]* | grep -v total; (exit $code)";
    if let Some(ran) = mounted(&program, mount, list) {
        let ran = ran.ends(11).says("No space left on device").says("run the command again");
        assert!(!ran.out.contains(".part"), "{ran:?}");
        let sizes = ran.out.lines().filter(|line| line.contains(" out/"));
        let sizes: Vec<&str> = sizes.filter(|line| !line.contains("downloaded")).collect();
        assert!(!sizes.is_empty() && sizes.len() < 30, "{ran:?}");
        assert!(sizes.iter().all(|line| line.trim().starts_with("6000 ")), "{ran:?}");
    }
    // A folder that may only be read.
    let mount = "mount --bind out out && mount -o remount,ro,bind out";
    for (to, why) in [("out/new", "Read-only file system"), ("out/image", "is not writable")] {
        if let Some(ran) = mounted(&program, mount, &format!("get x -o {to}")) {
            ran.ends(1).says(to).says(why);
        }
    }
}

/// Runs as another user where these tests run as the superuser.
pub(crate) fn as_nobody(program: &Program, arguments: &[&str]) -> Ran {
    let binary = program.path("apus");
    if !binary.exists() {
        // A file that this process has open for writing can't be started while another thread starts
        // something, which gets the open file too.
        assert!(Command::new("cp").arg(&*APUS).arg(&binary).status().unwrap().success());
    }
    fs::set_permissions(program.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(binary);
    command.arg("--config").arg(program.path("glance-api.conf")).args(arguments);
    if fs::metadata(program.path("")).unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    program.finish(command, b"")
}

#[test]
fn a_directory_without_permission_is_named() {
    let (_server, program, _) = stage();
    let folder = folder(&program, &[("image", "old")]);
    fs::set_permissions(folder.join("image"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    as_nobody(&program, &["get", "x", "-o", "out/image"])
        .ends(1)
        .says("could not create a temporary file")
        .says("Permission denied");
    // What may not be written is not replaced, although the folder would allow it.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(folder.join("image"), fs::Permissions::from_mode(0o444)).unwrap();
    as_nobody(&program, &["get", "x", "-o", "out/image"]).ends(1).says("is not writable");
    assert_eq!(fs::read_to_string(folder.join("image")).unwrap(), "old");
    assert_eq!(names(&folder), ["image"]);
}

#[test]
fn an_owner_that_can_not_be_kept_is_told_of() {
    let (_server, program, _) = stage();
    let folder = folder(&program, &[("image", "old")]);
    if fs::metadata(&folder).unwrap().uid() != 0 {
        return;
    }
    fs::set_permissions(folder.join("image"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    as_nobody(&program, &["get", "x", "-o", "out/image"])
        .ends(0)
        .says(&format!("and now belongs to user {NOBODY} and group {NOBODY}"));
}

#[test]
fn rows_are_written_the_same_way() {
    let (server, program, _) = stage();
    let host = server.endpoint().replace("http://", "");
    let rows = format!(
        "{{\"id\": 1, \"url\": \"s3://AK:old/secret@{host}/images/x\", \"metadata\": {{}}}}\n"
    );
    let program = program.with_secret("old/secret");
    program.write("rows", rows.as_bytes());
    let folder = folder(&program, &[("rows", "old"), ("rows.part", "theirs")]);
    symlink("rows", folder.join("link")).unwrap();
    fs::set_permissions(folder.join("rows"), fs::Permissions::from_mode(0o600)).unwrap();
    let migrate = |to: &str| program.run(&["locations", "migrate", "rows", "--write", to]);
    migrate("out/link").ends(0);
    assert!(fs::symlink_metadata(folder.join("link")).unwrap().is_symlink());
    assert!(fs::read_to_string(folder.join("rows")).unwrap().contains("\"id\":1"));
    assert_eq!(fs::metadata(folder.join("rows")).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_to_string(folder.join("rows.part")).unwrap(), "theirs");
    assert_eq!(names(&folder), ["link", "rows", "rows.part"]);
    migrate("/dev/null").ends(0);
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    migrate("none/rows").ends(1).says("none");
    if cfg!(target_os = "linux") {
        migrate("/dev/full").ends(11).says("No space left on device");
    }
    // A row that can't be read through ends it: nothing takes the place of what was there.
    program.run(&["locations", "migrate", "nothing", "--write", "out/rows"]).ends(1);
    assert!(fs::read_to_string(folder.join("rows")).unwrap().contains("\"id\":1"));
    assert_eq!(names(&folder), ["link", "rows", "rows.part"]);
}

const NOBODY: u32 = 65_534;
