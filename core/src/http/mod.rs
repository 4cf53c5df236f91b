//! One exchange: a request, with all that is needed to send it, and its response.
//!
//! ```text
//!  Operation::draft  Authenticator::seal     a transport sends it     the head arrives
//!  ──────────────▶ Draft ─────────────▶ Exchange ──────────────────▶ ... ──────────────▶ Receiving
//!                    ▲                     │ fail                                    finish │
//!                    │                     ▼                                                ▼
//!                    └───────────────── Completion ◀────────────────────────────────────────┘
//!                       (its draft can be sealed and sent again)
//! ```
//!
//! All types are owned values that are [`Send`]: the worker that has the bytes hashes and frames
//! them, and holds no lock meanwhile.

mod answer_body;
mod answer_head;
mod body_checksum;
mod coding;
mod completion;
mod conditional;
mod content_range;
mod delimiter;
mod draft;
mod echoed;
mod encoder;
mod etag;
mod exchange;
mod expect;
mod expectation;
mod frame;
mod head_meter;
mod headers;
mod hedged;
#[cfg(feature = "swift")]
pub(crate) mod json;
mod needs;
mod opened;
mod pace;
mod receiving;
mod reply;
mod sent;
mod settle;
mod spare_fields;
mod timeouts;

pub use self::answer_body::{AnswerBody, Step};
pub use self::answer_head::{MOST_BYTES, MOST_FIELDS, MOST_INFORMATIONAL, read_head};
pub use self::body_checksum::{BodyChecksum, Encoding};
pub use self::coding::Coding;
pub use self::completion::Completion;
pub use self::conditional::{ByteRange, Conditions};
pub use self::content_range::ContentRange;
pub use self::delimiter::End;
pub use self::draft::{Body, Draft, Expect, Framing, Incoming, Payload, Sealing, Ticket, UrlRoot};
pub(crate) use self::draft::{COLLECT, header_value};
pub use self::encoder::{Encoder, Frame};
pub use self::etag::ETag;
pub use self::exchange::{Exchange, Outgoing};
pub(crate) use self::expect::{CHANGED, is_later, is_object, is_whole_object};
pub use self::expectation::Expectation;
pub use self::frame::{decode as decode_aws_chunked, framed_length};
pub use self::head_meter::HeadMeter;
pub(crate) use self::headers::{Field, Headers};
pub use self::hedged::Hedged;
pub use self::needs::{GivenSource, Needs, SourceNeeds};
pub use self::opened::Opened;
pub use self::pace::{LeastRate, Pace, TOO_SLOW};
pub use self::receiving::Receiving;
pub use self::reply::Reply;
pub(crate) use self::sent::Sent;
pub(crate) use self::settle::settle;
pub use self::spare_fields::SpareFields;
pub use self::timeouts::Timeouts;
