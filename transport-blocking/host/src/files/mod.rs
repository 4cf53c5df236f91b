//! Files that apus writes: completely, or not at all.
//!
//! ```text
//!  path ── symbolic links followed ──▶ what is found?
//!            │
//!            ├─ a file, or nothing ──▶ .apus-RANDOM.part in its directory, created exclusively
//!            │                           owner and mode of the file that is replaced
//!            │                           commit: synced, renamed, the directory synced
//!            │                           otherwise: removed; the old file stays
//!            ├─ FIFO, device ────────▶ written to directly, in order; never replaced
//!            └─ directory, socket ───▶ an error
//! ```
//!
//! | | |
//! | --- | --- |
//! | symbolic link | the file that it names is replaced, or created if absent; the link stays |
//! | several hard links | this name gets the new content, the others keep the old: a [`Remark`] |
//! | owner, group | kept if the process may; otherwise a [`Remark`] |
//! | mode | kept; of a new file by the umask. Set before the first byte is written |
//! | access lists, extended attributes | kept on Linux; what can't be kept is a [`Remark`] |
//! | a mount point | an error: it can't be replaced |
//! | a file without write permission | an error, even if its directory would allow to replace it |
//! | `/dev/stdout`, `/dev/fd/N`, files in `/proc` and `/sys` | written to directly, appended |
//! | a process that is killed | leaves `.apus-RANDOM.part` behind; it may be removed |
//! | a process that ends by itself | calls [`remove_unfinished`] before, unless all outputs are dropped |
//! | to be continued ([`Output::resumable`]) | `.NAME` and a suffix in place of the random name; locked, and kept without a commit; a link or what is no file is refused |
//!
//! On Windows, a new file has the permissions that its directory gives it, also if it replaces
//! another file; other hard links are not noticed; the directory is not synced; a file that another
//! process has open can't be replaced; `NUL`, `CON` and `\\.\…` are written to directly.

#[cfg(unix)]
mod attributes;
mod below;
mod output;
mod target;

use std::env;
use std::path::PathBuf;

pub use self::below::create_parents;
pub use self::output::{Output, Remark, remove_unfinished};

/// Returns a path whose `~` is the user's home directory.
pub fn home(path: &str) -> PathBuf {
    let rest = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (rest, env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}
