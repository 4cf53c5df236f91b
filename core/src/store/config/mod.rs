//! Configuration: parses text to typed options, and checks them together. The caller reads the
//! files.
//!
//! ```text
//!  glance-api.conf ──▶ OsloConfig ──┐
//!                                   ├─▶ Configuration { backends: id → S3Options | SwiftOptions }
//!  JSON, TOML, … ────▶ Plain ───────┘        or all errors, with file, section, option, value,
//!                                            and what would be valid
//!  swift_store_config_file ─────────▶ Reference by name
//! ```

mod configuration;
mod draft;
mod error;
mod glance;
mod ini;
mod kinds;
mod option;
mod oslo;
mod python;
mod references;
mod s3;
mod section;
mod strays;
mod swift;

pub use self::configuration::{Backend, Configuration};
pub use self::draft::{Mode, Plain};
pub use self::error::{ConfigError, ConfigErrors};
pub use self::option::OptionSpec;
pub use self::oslo::{OsloConfig, OsloError, OsloProblem, OsloValue};
pub(super) use self::references::By;
pub use self::references::{Reference, References};
pub use self::s3::S3Options;
pub use self::section::Written;
pub use self::swift::SwiftOptions;

/// Returns the edit distance of two names (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, char) in a.chars().take(LONGEST_NAME).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(char != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

/// How many characters of an unknown name are compared.
const LONGEST_NAME: usize = 128;
