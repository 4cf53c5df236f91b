//! Configuration: text in, typed options out. The caller reads the files.

mod oslo;

pub use self::oslo::{OsloConfig, OsloError, OsloProblem, OsloValue};
