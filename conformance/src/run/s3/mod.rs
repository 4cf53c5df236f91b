//! `s3-request`, `s3-presign` and `s3-response`: operations of S3, with the conversion between the
//! names of their members in S3's API and ours.
//!
//! ```text
//! params ──read──▶ Box<dyn Call> ──draft, sign, send──▶ Sent        s3-request, s3-presign
//!                       │
//! status, headers, body └─parse───▶ output                          s3-response
//! ```

mod annotation;
mod attached;
mod bucket;
mod config;
mod configuration;
mod copy_delete;
mod list;
mod members;
mod multipart;
mod object;
mod output;
mod params;
mod presign;
mod request;
mod response;
mod sent;

use apus_core::contract::Operation;
use apus_core::error::Error;
use apus_core::http::{Draft, Reply};
use apus_core::retry::Idempotency;
use apus_core::s3::Service;

use self::output::Answer;
use self::params::Params;
pub(super) use self::presign::presign;
pub(super) use self::request::request;
pub(super) use self::response::{output, response};
pub(super) use self::sent::{Sent, send};

/// An operation of any kind.
trait Call {
    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error>;
    fn answer(&self, service: &Service, reply: &Reply) -> Result<Answer, Error>;
    fn idempotency(&self) -> Idempotency;
}

/// An operation, with the conversion of its output.
struct Shown<O, F> {
    operation: O,
    show: F,
}

impl<O, F, A> Call for Shown<O, F>
where
    O: Operation<Service = Service>,
    F: Fn(&O::Output) -> A,
    A: Into<Answer>,
{
    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        self.operation.draft(service)
    }

    fn answer(&self, service: &Service, reply: &Reply) -> Result<Answer, Error> {
        let output = self.operation.parse(service, reply)?;
        Ok((self.show)(&output).into())
    }

    fn idempotency(&self) -> Idempotency {
        self.operation.idempotency()
    }
}

/// Returns this operation with the conversion of its output.
fn call<O, A>(operation: O, show: impl Fn(&O::Output) -> A + 'static) -> Box<dyn Call>
where
    O: Operation<Service = Service> + 'static,
    A: Into<Answer> + 'static,
{
    Box::new(Shown { operation, show })
}

/// An operation, `None` where its name is unknown, or why its members can't be read.
type Found = Result<Option<Box<dyn Call>>, String>;

/// Returns the operation of this name with these members.
fn read(operation: &str, params: &mut Params) -> Result<Box<dyn Call>, String> {
    let groups = [
        bucket::read,
        configuration::read,
        object::read,
        copy_delete::read,
        attached::read,
        annotation::read,
        list::read,
        multipart::read,
    ];
    for group in groups {
        if let Some(found) = group(operation, params)? {
            return Ok(found);
        }
    }
    Err(format!("operation {operation:?} is unknown"))
}
