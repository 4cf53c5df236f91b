//! Static large objects: a manifest that lists its segments. "Static Large Objects", Swift.

mod delete_slo;
mod get_manifest;
mod put_slo;
mod segment;

pub use self::delete_slo::DeleteSlo;
pub use self::get_manifest::{GetManifest, Manifest};
pub use self::put_slo::{PutSlo, SloStored};
pub use self::segment::{ObjectSegment, Segment, slo_etag};
