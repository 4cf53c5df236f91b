//! Sources of tokens.

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::keystone::token::Token;
use crate::now::Now;

/// A source of tokens. [`Login`](crate::keystone::Login) is one for Keystone and for Swift's v1
/// authentication; an embedder can implement others (Kerberos, a federation, a vault).
///
/// A source only says what to request and what a response means. The session decides when, and what
/// follows an error: a renewal that failed in the transport or with 408, 429, 500, 502, 503 or 504
/// is tried again; any other error, such as a 401 or 403, denies it.
pub trait TokenSource: Send {
    /// Starts to obtain a new token.
    ///
    /// # Errors
    ///
    /// There is nothing to request.
    fn renew(&mut self, now: Now) -> Result<Sourced, Error>;

    /// Reads the response to the last request, whatever its status.
    ///
    /// # Errors
    ///
    /// The refusal, or what is wrong with the response.
    fn answered(&mut self, reply: &Reply) -> Result<Sourced, Error>;

    /// Says what to request after the last request failed or its response was cut off; by default
    /// nothing.
    ///
    /// # Errors
    ///
    /// `error`, or one that says more.
    fn failed(&mut self, error: Error) -> Result<Sourced, Error> {
        Err(error)
    }

    /// Whether a token obtained earlier is the one that would be requested now. A new token that
    /// does not fit is an error, and is not requested again at once.
    fn fits(&self, token: &Token) -> bool {
        let _ = token;
        true
    }

    /// Returns the URL of Keystone's API, for requests that are relative to it
    /// ([`UrlRoot::Identity`](crate::http::UrlRoot::Identity)).
    fn identity_address(&self) -> Option<&BaseUrl> {
        None
    }
}

/// A step towards a token.
#[derive(Debug)]
pub enum Sourced {
    /// Send this request first; its response's body is collected.
    Ask(Box<Draft>),
    /// The token.
    Token(Box<Token>),
}
