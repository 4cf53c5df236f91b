//! Standard input.

use std::io::{self, Stdin};
#[cfg(target_os = "linux")]
use std::path::Path;

use crate::exit::{Exit, Failure};

/// Returns standard input, unless the process was started without one.
pub(crate) fn opened() -> Result<Stdin, Failure> {
    match is_closed() {
        true => Err(Failure::new(Exit::Other, "standard input is closed")),
        false => Ok(io::stdin()),
    }
}

/// Whether the process was started without a standard input. The standard library then opens
/// `/dev/null` for reading and writing, which would be an empty object, or a list without names.
#[cfg(target_os = "linux")]
fn is_closed() -> bool {
    let flags = std::fs::read_to_string("/proc/self/fdinfo/0").unwrap_or_default();
    let flags = flags.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
    let is_null =
        std::fs::read_link("/proc/self/fd/0").is_ok_and(|it| it == Path::new("/dev/null"));
    is_null && flags.is_some_and(|flags| flags & ACCESS == READ_WRITE)
}

#[cfg(not(target_os = "linux"))]
fn is_closed() -> bool {
    false
}

/// The bits of a descriptor's flags that say how it was opened.
#[cfg(target_os = "linux")]
const ACCESS: u32 = 3;
#[cfg(target_os = "linux")]
const READ_WRITE: u32 = 2;
