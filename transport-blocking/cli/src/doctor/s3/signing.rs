//! Whether the bodies of uploads are signed, and how long their hashes take on this machine.

use std::time::{Duration, Instant};

use apus_core::Error;
use apus_core::checksum::Algorithm;
use apus_core::s3::PayloadSigning;
use http::uri::Scheme;

use super::super::reach::short;
use super::super::trial::bytes;
use super::super::{Answer, Report};
use super::BucketCheck;

pub(super) fn examine(check: &BucketCheck<'_>, report: &mut Report) {
    const WHAT: &str = "bodies are signed";
    let service = check.store.service();
    let endpoint = service.endpoint(Some(&check.bucket.name));
    let cost = endpoint.and_then(|endpoint| Ok((endpoint, cost_of_a_gibibyte()?)));
    let (endpoint, cost) = match cost {
        Ok(found) => found,
        Err(error) => return report.tell("signing", WHAT, Answer::Untried, short(&error)),
    };
    let cost = format!("SHA-256 of a GiB takes {:.1} s of this processor", cost.as_secs_f64());
    let (answer, detail) = match service.config().payload {
        PayloadSigning::Unsigned => (Answer::No, format!("as configured; {cost}")),
        PayloadSigning::Auto if endpoint.scheme == Scheme::HTTPS => {
            (Answer::No, format!("over https, if they have a checksum; {cost}"))
        }
        PayloadSigning::Auto => {
            (Answer::Yes, format!("over http; {cost}, which https and a checksum save"))
        }
        PayloadSigning::Signed | PayloadSigning::Chunked => {
            (Answer::Yes, format!("as configured; {cost}"))
        }
    };
    report.tell("signing", WHAT, answer, detail);
}

fn cost_of_a_gibibyte() -> Result<Duration, Error> {
    let sample = bytes(SAMPLE);
    let begun = Instant::now();
    Algorithm::Sha256.digest(&sample)?;
    Ok(begun.elapsed() * ((1 << 30) / SAMPLE as u32))
}

/// Long enough to be measured, and hashed in two to fifty thousandths of a second.
const SAMPLE: usize = 4 << 20;
