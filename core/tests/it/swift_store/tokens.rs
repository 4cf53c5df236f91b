//! An authority that gives another token each time it is asked.

use apus_core::contract::{AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest};
use apus_core::http::{Completion, Draft, Exchange};
use apus_core::{Error, Now};

/// Tokens that are used once: every lease is of a new generation.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    leased: u64,
}

impl Authenticator for Tokens {
    fn lease(&mut self, _: Now, _: &mut LeaseRequest<'_>) -> Lease {
        self.leased += 1;
        Lease::Granted(LeaseGeneration { generation: self.leased })
    }

    fn seal(
        &mut self,
        grant: LeaseGeneration,
        mut draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, Error> {
        let name = http::HeaderName::from_static("x-auth-token");
        draft.header(name, &format!("token-{}", grant.generation))?;
        Ok(Exchange::open(draft, now, grant.generation))
    }

    /// A 401 is the token's fault, and the next one may be better.
    fn judge(&mut self, _: Now, done: &Completion) -> AuthOutcome {
        match done.outcome() {
            Ok(reply) if reply.status() == 401 => AuthOutcome::Refused,
            _ => AuthOutcome::Accepted,
        }
    }

    fn renewed(&mut self, _: Now, _: Completion) {}
}
