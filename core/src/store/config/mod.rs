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
mod error;
mod option;
mod oslo;
mod references;
mod s3;
mod section;
mod swift;

pub use self::configuration::{Backend, Configuration, Mode, Plain};
pub use self::error::{ConfigError, ConfigErrors};
pub use self::option::OptionSpec;
pub use self::oslo::{OsloConfig, OsloError, OsloProblem, OsloValue};
pub(super) use self::references::By;
pub use self::references::Reference;
pub use self::s3::S3Options;
pub use self::section::Written;
pub use self::swift::SwiftOptions;
