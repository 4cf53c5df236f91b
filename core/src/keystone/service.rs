//! Keystone as a place where operations go.

use crate::contract::{self, Class, Verdict};
use crate::error::Error;
use crate::http::Limits;
use crate::keystone::error;
use crate::machine::Patience;

/// Where Keystone's operations go, and how they are made. The URL is the session's to know.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// How often and how soon failed attempts are repeated.
    pub patience: Patience,
    /// Timeouts of each request.
    pub limits: Limits,
}

impl contract::Service for Service {
    fn judge(&self, error: &Error, class: Class) -> Verdict {
        error::judge(error, class)
    }

    /// Keystone sends nobody elsewhere.
    fn learn(&self, _: &str, _: &Error) -> bool {
        false
    }

    fn patience(&self) -> &Patience {
        &self.patience
    }
}
