//! Static large objects: a manifest that lists its segments. "Static Large Objects", Swift.

mod put_slo;
mod segment;

pub use self::put_slo::{PutSlo, SloStored};
pub use self::segment::{ObjectSegment, Segment, slo_etag};
