//! A file whose bytes stay for another process until they are committed.

#![cfg(unix)]

use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::{fs, io};

use apus_host::files::Output;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn bytes_stay_until_they_are_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, part) = (folder.path().join("image"), folder.path().join(".image.part"));
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let output = Output::resumable(&path, ".part").unwrap();
    assert_eq!(output.kept(), Some(&*fs::canonicalize(folder.path()).unwrap().join(".image.part")));
    (&*output.file().unwrap()).write_all(b"ne").unwrap();
    // Nobody else reads what is to have the mode of the old file.
    assert_eq!(mode(&part), 0o600);
    drop(output);
    assert_eq!(fs::read(&part).unwrap(), b"ne");

    let output = Output::resumable(&path, ".part").unwrap();
    let file = output.file().unwrap();
    let mut text = String::new();
    (&*file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "ne");
    (&*file).seek(SeekFrom::End(0)).unwrap();
    (&*file).write_all(b"w").unwrap();
    output.commit().unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"new".to_vec(), 0o640));
    assert!(!part.exists());

    let output = Output::resumable(&path, ".part").unwrap();
    output.file().unwrap();
    output.discard();
    assert!(!part.exists() && fs::read(&path).unwrap() == b"new");
}

#[test]
fn what_somebody_else_put_there_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let (path, part) = (folder.path().join("image"), folder.path().join(".image.part"));
    let victim = folder.path().join("victim");
    fs::write(&victim, "of somebody else").unwrap();
    let refused = || {
        let output = Output::resumable(&path, ".part").unwrap();
        let error: io::Error = output.file().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        drop(output);
        assert_eq!(fs::read(&victim).unwrap(), b"of somebody else");
    };
    symlink(&victim, &part).unwrap();
    refused();
    fs::remove_file(&part).unwrap();
    symlink(folder.path().join("none"), &part).unwrap();
    refused();
    assert!(!folder.path().join("none").exists());
    fs::remove_file(&part).unwrap();
    fs::hard_link(&victim, &part).unwrap();
    refused();
    fs::remove_file(&part).unwrap();
    fs::create_dir(&part).unwrap();
    refused();
}

#[test]
fn two_do_not_write_to_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    let one = Output::resumable(&path, ".part").unwrap();
    one.file().unwrap();
    let other = Output::resumable(&path, ".part").unwrap();
    assert_eq!(other.file().unwrap_err().kind(), ErrorKind::ResourceBusy);
    drop(one);
    assert!(other.file().is_ok());
}

#[test]
fn a_device_can_not_be_continued() {
    assert!(Output::resumable("/dev/null", ".part").is_err());
}
