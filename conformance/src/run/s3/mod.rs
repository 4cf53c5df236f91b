//! `s3-request`, `s3-presign` and `s3-response`: operations of S3, from the names that S3's API
//! gives their members to ours, and back.
//!
//! ```text
//! params ──read──▶ Box<dyn Call> ──draft, sign, send──▶ Sent        s3-request, s3-presign
//!                       │
//! status, headers, body └─answer──▶ output                          s3-response
//! ```

mod config;
mod members;
mod object;
mod output;
mod params;
mod presign;
mod request;
mod response;
mod sent;

use apus_core::contract::{Class, Operation};
use apus_core::error::Error;
use apus_core::http::{Draft, Reply};
use apus_core::s3::Service;

use self::output::{Answer, Output};
use self::params::Params;
pub(super) use self::presign::presign;
pub(super) use self::request::request;
pub(super) use self::response::response;
pub(super) use self::sent::send;

/// An operation of any kind.
trait Call {
    fn draft(&self, service: &Service) -> Result<Draft, Error>;
    fn answer(&self, service: &Service, reply: &Reply) -> Result<Answer, Error>;
    fn class(&self) -> Class;
}

impl<O> Call for O
where
    O: Operation<Service = Service>,
    O::Output: Output,
{
    fn draft(&self, service: &Service) -> Result<Draft, Error> {
        Operation::draft(self, service)
    }

    fn answer(&self, service: &Service, reply: &Reply) -> Result<Answer, Error> {
        let output = self.parse(service, reply)?;
        Ok(Answer { verdict: output.verdict(), output: output.members() })
    }

    fn class(&self) -> Class {
        O::CLASS
    }
}

/// Some operation, or why its members can't be read.
type Found = Result<Box<dyn Call>, String>;

/// The operation of this name with these members.
fn read(operation: &str, params: &mut Params) -> Found {
    for group in [object::read] {
        if let Some(found) = group(operation, params) {
            return found;
        }
    }
    Err(format!("operation {operation:?} is unknown"))
}
