//! The state of a path after writing to it, and of its directory.

#![cfg(unix)]

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;
use std::thread;

use apus_host::files::{Output, Remark};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn with(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn write(path: &Path, content: &str) -> Output {
    let output = Output::new(path).unwrap();
    (&output).write_all(content.as_bytes()).unwrap();
    output
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_new_file_is_there_when_it_is_committed_and_as_the_umask_says() {
    let folder = Folder::new();
    let path = folder.path("new");
    let output = write(&path, "content");
    assert!(!path.exists());
    assert_eq!(folder.names().len(), 1);
    output.commit().unwrap();
    assert_eq!((folder.names(), read(&path)), (vec!["new".to_owned()], "content".to_owned()));
    assert_eq!(mode(&path), mode(&folder.with("another", "")));
}

#[test]
fn nothing_is_created_before_there_is_something_to_write() {
    let folder = Folder::new();
    let path = folder.with("old", "old");
    let output = Output::new(&path).unwrap();
    assert_eq!(folder.names(), ["old"]);
    drop(output);
    assert_eq!(read(&path), "old");
    Output::new(&path).unwrap().commit().unwrap();
    assert_eq!(read(&path), "");
}

#[test]
fn what_is_given_up_leaves_the_old_file_and_removes_nothing_of_others() {
    let folder = Folder::new();
    let path = folder.with("old", "old");
    let theirs = folder.with("old.part", "theirs");
    let output = write(&path, "half");
    output.discard();
    assert_eq!(folder.names(), ["old", "old.part"]);
    drop(write(&path, "half"));
    assert_eq!(folder.names(), ["old", "old.part"]);
    write(&path, "new").commit().unwrap();
    assert_eq!((read(&path).as_str(), read(&theirs).as_str()), ("new", "theirs"));
}

#[test]
fn of_two_at_once_the_last_is_there_as_a_whole() {
    let folder = Folder::new();
    let path = folder.path("file");
    let both = Barrier::new(2);
    thread::scope(|scope| {
        for letter in ["a", "b"] {
            let (path, both) = (&path, &both);
            scope.spawn(move || {
                let output = write(path, &letter.repeat(100_000));
                both.wait();
                (&output).write_all(letter.repeat(100_000).as_bytes()).unwrap();
                output.commit().unwrap();
            });
        }
    });
    let content = read(&path);
    assert!(content == "a".repeat(200_000) || content == "b".repeat(200_000));
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn owner_and_mode_are_kept_and_nobody_can_look_meanwhile() {
    let folder = Folder::new();
    let path = folder.with("secret", "old");
    let root = fs::metadata(&path).unwrap().uid() == 0;
    if root {
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
    }
    for wanted in [0o600, 0o640, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wanted)).unwrap();
        let output = write(&path, "new");
        let part = folder.names().into_iter().find(|name| name != "secret").unwrap();
        assert_eq!(mode(&folder.path(&part)), wanted);
        output.commit().unwrap();
        assert_eq!((mode(&path), output.remarks()), (wanted, vec![]));
    }
    if root {
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid()), (1234, 4321));
    }
}

#[test]
fn the_file_that_a_link_names_is_replaced_and_the_link_stays() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).unwrap();
    let path = folder.with("in/file", "old");
    symlink("in/file", folder.path("link")).unwrap();
    symlink("link", folder.path("link to it")).unwrap();
    write(&folder.path("link to it"), "new").commit().unwrap();
    assert_eq!(read(&path), "new");
    assert!(fs::symlink_metadata(folder.path("link to it")).unwrap().is_symlink());
    assert!(fs::symlink_metadata(folder.path("link")).unwrap().is_symlink());
    assert_eq!(fs::read_dir(folder.path("in")).unwrap().count(), 1);
}

#[test]
fn a_link_that_leads_nowhere_gets_its_file() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).unwrap();
    symlink("in/file", folder.path("link")).unwrap();
    write(&folder.path("link"), "new").commit().unwrap();
    assert_eq!(read(&folder.path("in/file")), "new");
    assert!(fs::symlink_metadata(folder.path("link")).unwrap().is_symlink());
    symlink("no/file", folder.path("far")).unwrap();
    let error = Output::new(folder.path("far")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no: "), "{error}");
    symlink("round", folder.path("round")).unwrap();
    Output::new(folder.path("round")).unwrap_err();
}

#[test]
fn a_fifo_is_written_through() {
    let folder = Folder::new();
    let path = folder.path("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let reader = {
        let path = path.clone();
        thread::spawn(move || {
            let mut text = String::new();
            File::open(path).unwrap().read_to_string(&mut text).unwrap();
            text
        })
    };
    let output = write(&path, "through");
    assert!(output.is_ordered());
    output.commit().unwrap();
    drop(output);
    assert_eq!(reader.join().unwrap(), "through");
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    assert_eq!(folder.names(), ["fifo"]);
}

#[test]
fn a_device_is_written_through_and_stays() {
    let folder = Folder::new();
    symlink("/dev/null", folder.path("link")).unwrap();
    for path in [PathBuf::from("/dev/null"), folder.path("link")] {
        let before = fs::metadata("/dev/null").unwrap();
        let output = write(&path, "gone");
        assert!(output.is_ordered());
        output.commit().unwrap();
        let after = fs::metadata("/dev/null").unwrap();
        assert_eq!((before.ino(), before.rdev()), (after.ino(), after.rdev()));
        assert!(after.file_type().is_char_device());
    }
    assert_eq!(folder.names(), ["link"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_said() {
    let output = Output::new("/dev/full").unwrap();
    let error = (&output).write_all(b"too much").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_open_is_appended_to_by_its_number() {
    use std::os::fd::AsRawFd;
    let folder = Folder::new();
    let path = folder.with("log", "before ");
    let log = File::options().append(true).open(&path).unwrap();
    for by in ["/dev/fd", "/proc/self/fd"] {
        let output = write(&Path::new(by).join(log.as_raw_fd().to_string()), "more ");
        assert!(output.is_ordered());
        output.commit().unwrap();
    }
    assert_eq!((read(&path).as_str(), folder.names().len()), ("before more more ", 1));
    assert_eq!(log.metadata().unwrap().ino(), fs::metadata(&path).unwrap().ino());
}

#[test]
fn other_names_of_a_file_keep_the_old_content_which_is_said() {
    let folder = Folder::new();
    let path = folder.with("one", "old");
    fs::hard_link(&path, folder.path("other")).unwrap();
    let output = write(&path, "new");
    output.commit().unwrap();
    assert_eq!((read(&path).as_str(), read(&folder.path("other")).as_str()), ("new", "old"));
    let remarks = output.remarks();
    let path = fs::canonicalize(path).unwrap();
    assert_eq!(remarks, [Remark::HardLinks { path, others: 1 }]);
    assert!(remarks[0].to_string().contains("hard links: 1"), "{}", remarks[0]);
}

#[test]
fn what_can_be_no_file_is_refused_before() {
    let folder = Folder::new();
    let kind = |path: &Path| Output::new(path).unwrap_err().kind();
    assert_eq!(kind(&folder.path("")), ErrorKind::IsADirectory);
    assert_eq!(kind(&folder.path("new/")), ErrorKind::IsADirectory);
    assert_eq!(kind(&folder.path("no/file")), ErrorKind::NotFound);
    let _socket = std::os::unix::net::UnixListener::bind(folder.path("socket")).unwrap();
    assert_eq!(kind(&folder.path("socket")), ErrorKind::InvalidInput);
    assert_eq!(folder.names(), ["socket"]);
}

#[test]
fn a_folder_that_became_one_meanwhile_is_not_replaced() {
    let folder = Folder::new();
    let path = folder.path("file");
    let output = write(&path, "new");
    fs::create_dir(&path).unwrap();
    let error = output.commit().unwrap_err();
    assert!(error.to_string().contains("can't be replaced"), "{error}");
    assert_eq!(folder.names(), ["file"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_without_permission_is_named() {
    // No user may create a file in here, not even the superuser.
    let output = Output::new("/sys/apus-is-not-here").unwrap();
    let error = output.file().unwrap_err();
    let said = error.to_string();
    assert!(said.contains("/sys/apus-is-not-here") && said.contains("in /sys:"), "{said}");
}

// An access list for user 1234, in the format of acl(5) and the kernel's posix_acl_xattr.h.
#[cfg(all(target_os = "linux", feature = "attributes"))]
#[test]
fn access_lists_and_attributes_are_kept_or_told_of() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};

    let entry = |tag: u16, rights: u16, id: u32| {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let nobody = u32::MAX;
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in
        [(1, 6, nobody), (2, 4, 1234), (4, 4, nobody), (0x10, 4, nobody), (0x20, 0, nobody)]
    {
        list.extend(entry(tag, rights, id));
    }
    let folder = Folder::new();
    let path = folder.with("file", "old");
    let set = |name: &str, value: &[u8]| setxattr(&path, name, value, XattrFlags::empty()).is_ok();
    let read_back = |name: &str| {
        let mut value = vec![0; 256];
        let length = getxattr(&path, name, &mut value[..]).ok()?;
        value.truncate(length);
        Some(value)
    };
    // Not every file system supports them.
    let attributes = [
        ("user.origin", &b"elsewhere"[..]),
        ("user.empty", b""),
        ("system.posix_acl_access", &list),
    ];
    let had: Vec<_> = attributes.into_iter().filter(|(name, value)| set(name, value)).collect();
    let output = write(&path, "new");
    output.commit().unwrap();
    for (name, value) in &had {
        assert_eq!(read_back(name).as_deref(), Some(*value), "{name}");
    }
    assert_eq!(output.remarks(), []);
    // Rights that were granted to the old content are not copied, and a remark says so.
    let capability = [&0x0200_0000_u32.to_le_bytes()[..], &[0; 16]].concat();
    if set("security.capability", &capability) {
        let output = write(&path, "newer");
        output.commit().unwrap();
        assert_eq!(read_back("security.capability"), None);
        let names = vec!["security.capability".to_owned()];
        let path = fs::canonicalize(&path).unwrap();
        assert_eq!(output.remarks(), [Remark::Attributes { path, names }]);
    }
}
