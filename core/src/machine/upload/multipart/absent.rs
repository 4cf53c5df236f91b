//! The look before an upload that may replace nothing, where the server is not known to heed the condition
//! of its last request. An object that somebody else stores between the look and the last request is
//! replaced by a server that does not.

use std::sync::Arc;

use http::StatusCode;

use super::{CHECK, Job, Multipart, Phase, create};
use crate::contract::Operation as _;
use crate::error::Error;
use crate::machine::Call;
use crate::machine::nest::seed;
use crate::now::Now;
use crate::s3::{HeadObject, ObjectHead, Service};

/// What a new upload begins with.
pub(super) fn first(job: &Job, service: &Arc<Service>) -> Phase {
    let absent = job.conditions.if_none_match.as_ref().is_some_and(|tag| tag.as_str() == "*");
    if !absent || service.config().quirks.conditional_complete {
        return Phase::Create(Box::new(create(job, service)));
    }
    let mut head = HeadObject::new(&job.bucket, &job.key);
    head.customer_key = job.customer_key();
    head.common.clone_from(&job.common);
    let call = Call::new(head, Arc::clone(service), seed(job.seed, CHECK)).under(job.party);
    Phase::Absent(Box::new(call))
}

impl Multipart {
    /// Goes on where nothing is there, and where the server does not say, for example to somebody who
    /// may not read: then its own look at the condition decides.
    pub(super) fn looked_first(&mut self, now: Now, head: Result<ObjectHead, Error>) {
        self.phase = Phase::Over;
        match head {
            _ if self.failure.is_some() => {}
            Ok(_) => {
                let message = "there is an object of this name already".to_owned();
                let code = Some("PreconditionFailed".to_owned());
                let error = Error::refused(StatusCode::PRECONDITION_FAILED, code, Some(message));
                self.fail(now, error.in_operation(HeadObject::NAME));
            }
            Err(error) if error.status().is_some_and(|status| status.is_client_error()) => {
                self.phase = Phase::Create(Box::new(create(&self.job, &self.service)));
            }
            Err(error) => self.fail(now, error),
        }
    }
}
