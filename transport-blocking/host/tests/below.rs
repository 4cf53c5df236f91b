//! Directories that are created for files below a directory.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use apus_host::files::create_parents;

#[test]
fn the_directories_of_a_file_are_created_and_the_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new/target");
    let file = create_parents(&target, "a/b/c").unwrap();
    assert_eq!(file, target.join("a/b/c"));
    assert!(target.join("a/b").is_dir() && !file.exists());
    assert_eq!(create_parents(&target, "a/b/c").unwrap(), file);
    assert_eq!(create_parents(&target, "d").unwrap(), target.join("d"));
}

#[test]
fn a_path_that_is_not_below_is_refused_and_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    for path in ["", ".", "..", "../a", "a/../b", "a/../../b", "/a"] {
        let error = create_parents(&target, path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path}: {error}");
    }
    assert!(!target.exists());
}

#[test]
fn a_file_in_the_place_of_a_directory_is_refused_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "").unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    let error = create_parents(folder.path(), "a/b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotADirectory, "{error}");
    let error = create_parents(folder.path(), "d").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IsADirectory, "{error}");
    assert!(create_parents(folder.path(), "a").is_ok(), "a file that is replaced");
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_below_the_directory_is_not_followed() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let (target, outside) = (folder.path().join("target"), folder.path().join("outside"));
    fs::create_dir_all(target.join("real")).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&outside, target.join("link")).unwrap();
    symlink(outside.join("nothing"), target.join("dangling")).unwrap();
    symlink("real", target.join("inside")).unwrap();
    for path in ["link/a", "link/a/b", "link", "dangling", "dangling/a", "inside/a"] {
        let error = create_parents(&target, path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path}: {error}");
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    // The directory itself is the caller's choice.
    let link = folder.path().join("to_target");
    symlink(&target, &link).unwrap();
    assert_eq!(create_parents(&link, Path::new("real/x/y")).unwrap(), link.join("real/x/y"));
    assert!(target.join("real/x").is_dir());
}
