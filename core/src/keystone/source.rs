//! Where tokens come from.

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::keystone::token::Token;
use crate::now::Now;

/// Gets tokens: [`Login`](crate::keystone::Login) does for Keystone and for Swift's v1
/// authentication, and an embedder's own may do for anything else (Kerberos, a federation, a vault).
///
/// It only says what to ask and what an answer means. The session decides when, and what failures
/// lead to: an error with status 401 or 403 is a denial, one of the wire, of 5xx, 408 or 429 is
/// tried again, and anything else is final for this once.
pub trait TokenSource: Send {
    /// A new token is wanted.
    ///
    /// # Errors
    ///
    /// There is none to be asked for.
    fn renew(&mut self, now: Now) -> Result<Sourced, Error>;

    /// What was asked for last has been answered, whatever the status.
    ///
    /// # Errors
    ///
    /// The refusal, or what makes no sense in the answer.
    fn answered(&mut self, reply: &Reply) -> Result<Sourced, Error>;

    /// What was asked for last has no answer. Says what else to ask; by default nothing.
    ///
    /// # Errors
    ///
    /// `error`, or one that says more.
    fn failed(&mut self, error: Error) -> Result<Sourced, Error> {
        Err(error)
    }

    /// Whether a token that was had earlier is what would be asked for now. One that has just come and
    /// is not is an error, and not asked for again at once.
    fn fits(&self, token: &Token) -> bool {
        let _ = token;
        true
    }

    /// Where Keystone's API is, for requests that are relative to it
    /// ([`UrlRoot::Identity`](crate::http::UrlRoot::Identity)).
    fn identity_address(&self) -> Option<&BaseUrl> {
        None
    }
}

/// A step on the way to a token.
#[derive(Debug)]
pub enum Sourced {
    /// This has to be asked first. Its answer's body is collected.
    Ask(Box<Draft>),
    /// Here it is.
    Token(Box<Token>),
}
