//! XML as S3 speaks it: a bounded reader and a small writer.
//!
//! ```text
//! bytes ─ Document::parse ─▶ Document ─ root ─▶ Element ─ child, children ─▶ Element ─ text, parsed ─▶
//! Writer ─ element, text ─▶ finish ─▶ bytes
//! ```
//!
//! S3's documents are shallow, and mean nothing by the order of different elements, by attributes
//! (but for `xsi:type`) or by namespace prefixes. So a document is read into a light tree that
//! borrows from the bytes, and asked for elements by their local names.

mod reader;
mod writer;

pub use self::reader::{Document, Element, Limits};
pub use self::writer::Writer;
pub(crate) use self::writer::can_hold;

/// The namespace of S3's documents.
pub const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
