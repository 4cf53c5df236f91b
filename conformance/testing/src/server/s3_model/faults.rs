//! The responses of the plan's faults.

use super::super::dates::http_date;
use super::super::message::{BodyReading, Cut, Reply, Request};
use super::super::plan::Fault;
use super::S3Model;
use super::call::Call;
use super::refusal::{self, Refusal};

impl S3Model {
    /// Returns the response of a fault that replaces the server's.
    pub(super) fn instead(
        &self,
        fault: &Fault,
        request: &Request,
        call: &Result<Call<'_>, Refusal>,
    ) -> Option<Reply> {
        let refuse = |refusal| Some(self.finish(Err(refusal), request));
        match fault {
            Fault::SlowDown(after) => {
                let mut refusal = Refusal::new(503, "SlowDown", "Please reduce your request rate.");
                if let Some(seconds) = after {
                    refusal = refusal.header("Retry-After", seconds.to_string());
                }
                refuse(refusal)
            }
            Fault::InternalError => refuse(refusal::internal_error(500, "InternalError")),
            Fault::Refuse(status, code) => refuse(Refusal::new(*status, *code, "")),
            Fault::RefuseEarly(status, code) => refuse(Refusal::new(*status, *code, ""))
                .map(|reply| reply.intake(BodyReading::Drain)),
            Fault::ErrorIn200(code) => refuse(refusal::internal_error(200, code)),
            Fault::Conflict => refuse(Refusal::new(
                409,
                "ConditionalRequestConflict",
                "The conditional request cannot succeed due to a conflicting operation against \
                 this resource.",
            )),
            Fault::NoSuchUpload => refuse(refusal::no_such_upload()),
            Fault::Redirect(region) => {
                let bucket = call.as_ref().map_or("", |call| &call.bucket);
                refuse(
                    Refusal::new(
                        301,
                        "PermanentRedirect",
                        "The bucket you are attempting to access must be addressed using the \
                         specified endpoint. Please send all future requests to this endpoint.",
                    )
                    .detail("Endpoint", format!("{bucket}.s3.{region}.amazonaws.com"))
                    .detail("Bucket", bucket)
                    .header("x-amz-bucket-region", *region),
                )
            }
            Fault::WrongRegion(region) => refuse(refusal::wrong_region(region, region)),
            Fault::ClockSkewed(seconds) => {
                let now = self.now.saturating_add_signed(*seconds);
                let reply = self.finish(Err(refusal::skewed(request, now)), request);
                Some(reply.replace_header("Date", http_date(now)))
            }
            Fault::Instead(reply) => Some(reply.clone()),
            Fault::Lost(ending) => Some(Reply::new(200).cut(Cut::Head(*ending))),
            _ => None,
        }
    }
}
