//! A token that is passed to another process.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::keystone::token::{Token, TokenFacts};
use crate::secret::Secret;

/// A token with all that another session needs to use it. Its `Debug` shows no secret. To store it,
/// call [`to_secret`](Self::to_secret), and protect the result like a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedToken {
    pub(super) token: Token,
    /// How many seconds the server's clock is ahead of the local clock.
    pub(super) offset: i64,
}

impl CachedToken {
    /// Returns the token.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Returns everything as JSON text, the token's secret included.
    pub fn to_secret(&self) -> Secret {
        let stored = Stored {
            token: self.token.secret().expose().to_owned(),
            offset: self.offset,
            facts: self.token.facts().clone(),
        };
        let text = serde_json::to_string(&stored);
        Secret::new(text.expect("texts, numbers and lists can always be written"))
    }

    /// Reads the result of [`to_secret`](Self::to_secret).
    ///
    /// # Errors
    ///
    /// The text has another form.
    pub fn from_secret(text: &Secret) -> Result<Self, Error> {
        let stored: Stored = serde_json::from_str(text.expose()).map_err(|error| {
            Error::invalid_input(format!("not a cached token: invalid at line {}", error.line()))
        })?;
        let token = Token::new(stored.token, stored.facts);
        Ok(Self { token, offset: stored.offset })
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    token: String,
    offset: i64,
    facts: TokenFacts,
}
