//! XML as in S3: a reader with limits, and a small writer.
//!
//! ```text
//! bytes ─ Document::parse ─▶ Document ─ root ─▶ Element ─ child, children ─▶ Element ─ text ─▶
//! Writer ─ element, text ─▶ finish ─▶ bytes
//! ```
//!
//! S3's documents are shallow, and the order of different elements, attributes (except `xsi:type`)
//! and namespace prefixes have no meaning. A document is parsed into a tree that borrows from the
//! bytes, in which elements are found by their local names.

mod reader;
mod writer;

pub use self::reader::{Document, Element, Limits};
pub use self::writer::Writer;
pub(crate) use self::writer::can_hold;

/// The namespace of S3's documents.
pub const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
