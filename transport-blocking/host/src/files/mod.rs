//! Files that apus writes: complete, or as they were before.
//!
//! ```text
//!  path ── symbolic links followed ──▶ what is there?
//!            │
//!            ├─ a file, or nothing ──▶ .apus-RANDOM.part beside it, created exclusively
//!            │                           owner and mode of the file that is replaced
//!            │                           commit: synced, renamed, its folder synced
//!            │                           otherwise: removed, and nothing else is
//!            ├─ FIFO, device ────────▶ written through, in order; never replaced
//!            └─ folder, socket ──────▶ an error
//! ```
//!
//! | | |
//! | --- | --- |
//! | symbolic link | the file that it names is replaced, or created where there is none; the link stays |
//! | several hard links | the name that was given gets the new content, the others keep the old: a [`Remark`] |
//! | owner, group | kept where the process may; where not, a [`Remark`] |
//! | mode | kept; of a new file by the umask. Set before the first byte is written |
//! | access lists, extended attributes | kept on Linux; what can't be kept is a [`Remark`] |
//! | a place where something is mounted | an error: it can't be replaced |
//! | a file that may not be written | an error, although its folder would allow to replace it |
//! | `/dev/stdout`, `/dev/fd/N`, files in `/proc` and `/sys` | written through, appended |
//! | a process that is killed | leaves `.apus-RANDOM.part` behind; it may be removed |
//!
//! On Windows a new file has the permissions that its folder gives to it, also where it replaces
//! another; other hard links are not noticed; a folder is not synced; a file that another process has
//! open can't be replaced; `NUL`, `CON` and `\\.\…` are written through.

#[cfg(unix)]
mod attributes;
mod output;
mod target;

pub use self::output::{Output, Remark};
