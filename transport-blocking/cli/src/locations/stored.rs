//! The text of a location in the database: the location, or the location encrypted by the image
//! service.

use apus_core::Secret;
use apus_core::location::LocationCipher;

use crate::exit::{Exit, Failure};

/// What encrypts and decrypts locations, if the image service does.
pub(super) struct Cipher(Option<LocationCipher>);

/// A location as it is read from the database.
pub(super) struct Stored {
    pub(super) url: Secret,
    /// Whether the database has it encrypted.
    pub(super) is_encrypted: bool,
}

impl Cipher {
    /// Takes the image service's `metadata_encryption_key`.
    pub(super) fn new(key: Option<&Secret>) -> Result<Self, Failure> {
        let cipher = key.map(LocationCipher::new).transpose();
        cipher.map(Self).map_err(|error| Failure::configuration(error.message().to_owned()))
    }

    /// Returns whether the image service encrypts locations.
    pub(super) fn is_configured(&self) -> bool {
        self.0.is_some()
    }

    /// Reads the text of a row. A text in plain form is taken as it is.
    ///
    /// # Errors
    ///
    /// It is encrypted, with another key than the configured one.
    pub(super) fn read(&self, text: &str) -> Result<Stored, &'static str> {
        if !LocationCipher::is_encrypted(text) {
            return Ok(Stored { url: Secret::new(text), is_encrypted: false });
        }
        let Some(cipher) = &self.0 else { return Err(NO_KEY) };
        // A wrong key gives bytes at random.
        match cipher.decrypt(text).filter(|url| url.expose().contains("://")) {
            Some(url) => Ok(Stored { url, is_encrypted: true }),
            None => Err(WRONG_KEY),
        }
    }

    /// Encrypts a new URL, if the old one was encrypted.
    ///
    /// # Errors
    ///
    /// The operating system has no random bytes.
    pub(super) fn write(&self, url: &str, is_encrypted: bool) -> Result<String, Failure> {
        let Some(cipher) = self.0.as_ref().filter(|_| is_encrypted) else {
            return Ok(url.to_owned());
        };
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            Failure::new(Exit::Other, format!("could not get random bytes: {error}"))
        })?;
        Ok(cipher.encrypt(url, random))
    }
}

const NO_KEY: &str = "the location is encrypted: use a configuration that has the image service's \
                      metadata_encryption_key";
const WRONG_KEY: &str =
    "the location is encrypted with another key than the configured metadata_encryption_key";
