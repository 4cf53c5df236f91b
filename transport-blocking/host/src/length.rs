//! How the bytes of a file can be read, and how many there are.
//!
//! | the file is | its bytes | its length |
//! | --- | --- | --- |
//! | regular | ranges from offset 0, whatever the cursor | from its metadata |
//! | regular, but its metadata has another length (`/proc`) | in order, to the end | unknown |
//! | a block device | ranges | the offset of its end, found by seeking: its metadata says 0 |
//! | a FIFO, a socket, a character device | in order, to the end | unknown |
//! | a directory | refused | |

use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};

/// How the bytes of a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At any offset, any number of times.
    Ranges,
    /// In order, to the end.
    InOrder,
}

/// Returns how the bytes of this file can be read. A file that must be read in order is at its
/// start afterwards, if it has one.
pub fn reach(mut file: &File) -> io::Result<Reach> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    if is_block_device(&metadata) {
        return Ok(Reach::Ranges);
    }
    if metadata.is_file() {
        if tells_its_length(file, &metadata)? {
            return Ok(Reach::Ranges);
        }
        file.seek(SeekFrom::Start(0))?;
    }
    Ok(Reach::InOrder)
}

/// Returns whether a file can be written in order only: a FIFO, a socket, a character device, and on
/// Linux a file that was opened for appending, where all that is written goes to the end, also what is
/// written at an offset.
pub fn is_written_in_order(file: &File) -> bool {
    let has_offsets = |found: Metadata| found.is_file() || is_block_device(&found);
    !file.metadata().is_ok_and(has_offsets) || appends(file)
}

/// Whether the file was opened for appending, as far as the system tells.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn appends(file: &File) -> bool {
    use std::os::fd::AsRawFd;
    // `O_APPEND`, which MIPS and SPARC number as the systems did that they had before Linux.
    const APPEND: u32 = match cfg!(any(
        target_arch = "mips",
        target_arch = "mips32r6",
        target_arch = "mips64",
        target_arch = "mips64r6",
        target_arch = "sparc",
        target_arch = "sparc64",
    )) {
        true => 0o10,
        false => 0o2000,
    };
    let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()));
    let about = about.unwrap_or_default();
    let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & APPEND != 0)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn appends(_: &File) -> bool {
    false
}

/// Returns the length in bytes of a file that is read in [ranges](Reach::Ranges).
pub fn length(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if is_block_device(&metadata) { by_seeking(file) } else { Ok(metadata.len()) }
}

/// Returns the position of the end. The cursor is restored.
fn by_seeking(mut file: impl Seek) -> io::Result<u64> {
    let stood = file.stream_position()?;
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(stood))?;
    Ok(end)
}

/// Whether a regular file has as many bytes as its metadata says. Special file systems report 0 or
/// the size of a page, and no blocks. A file that consists of holes has no blocks either, but the
/// length that its metadata says.
fn tells_its_length(file: &File, metadata: &Metadata) -> io::Result<bool> {
    let length = metadata.len();
    if length > PAGE || length > 0 && has_blocks(metadata) {
        return Ok(true);
    }
    let has = |at| Ok::<_, io::Error>(read_at(file, &mut [0], at)? > 0);
    Ok(match length {
        0 => !has(0)?,
        length => has(length - 1)?,
    })
}

#[cfg(unix)]
fn is_block_device(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_block_device(_: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn has_blocks(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::blocks(metadata) > 0
}

#[cfg(not(unix))]
fn has_blocks(_: &Metadata) -> bool {
    true
}

/// Reads at an offset, without moving the cursor.
#[cfg(unix)]
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// Reads at an offset. Moves the cursor.
#[cfg(windows)]
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// The largest page size, in bytes, that attributes in `/sys` report as their size.
const PAGE: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    // A block device is not available in every test; this seeks like one.
    #[test]
    fn the_end_is_found_by_seeking_and_the_cursor_put_back() {
        let mut device = io::Cursor::new(vec![0; 4096]);
        device.set_position(100);
        assert_eq!(by_seeking(&mut device).unwrap(), 4096);
        assert_eq!(device.position(), 100);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn special_files_are_read_in_order() {
        for path in ["/proc/version", "/proc/self/maps", "/dev/null", "/dev/zero"] {
            assert_eq!(reach(&File::open(path).unwrap()).unwrap(), Reach::InOrder, "{path}");
        }
        let wrong = reach(&File::open("/proc").unwrap()).unwrap_err();
        assert_eq!(wrong.kind(), io::ErrorKind::IsADirectory);
    }

    // An attribute that reports the size of a page and has a few bytes.
    #[cfg(target_os = "linux")]
    #[test]
    fn attributes_of_the_kernel_are_read_in_order() {
        let Ok(file) = File::open("/sys/kernel/mm/transparent_hugepage/enabled") else { return };
        assert_eq!(reach(&file).unwrap(), Reach::InOrder);
    }

    #[test]
    fn regular_files_have_ranges_empty_and_with_holes_too() {
        let name = format!("apus-length-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for length in [0, 1, 4096, 1 << 20] {
            file.set_len(length).unwrap();
            assert_eq!(reach(&file).unwrap(), Reach::Ranges, "{length}");
            assert_eq!(super::length(&file).unwrap(), length);
        }
    }
}
