//! Locations that an image service stores encrypted.
//!
//! ```text
//!  urlsafe base64 ( 16 bytes of initialization vector │ AES-CBC ( URL │ NUL │ padding ) )
//! ```
//!
//! This is the form of glance's `glance/common/crypt.py`, where `metadata_encryption_key` is set.
//! The padding is 0 to 15 bytes that are not NUL. Nothing in it authenticates the text: a text of
//! another key is known by what it decrypts to.

use std::fmt;

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::Secret;

/// Encrypts and decrypts locations with the key of the image service: glance's
/// `metadata_encryption_key`.
///
/// ```
/// use apus_core::location::LocationCipher;
/// use apus_core::Secret;
///
/// let cipher = LocationCipher::new(&Secret::new("0123456789abcdef"))?;
/// // These bytes have to be random.
/// let stored = cipher.encrypt("s3://host/bucket/key", [7; 32]);
/// assert_eq!(cipher.decrypt(&stored).unwrap().expose(), "s3://host/bucket/key");
/// # Ok::<(), apus_core::Error>(())
/// ```
#[derive(Clone)]
pub struct LocationCipher {
    key: Secret,
    aes: Aes,
}

/// The length of the key decides.
#[derive(Clone, Copy)]
enum Aes {
    With128,
    With192,
    With256,
}

impl LocationCipher {
    /// Takes a key of 16, 24 or 32 bytes of UTF-8.
    ///
    /// # Errors
    ///
    /// The key has another length.
    pub fn new(key: &Secret) -> Result<Self, Error> {
        let aes = match key.expose().len() {
            16 => Aes::With128,
            24 => Aes::With192,
            32 => Aes::With256,
            length => {
                return Err(Error::invalid_input(format!(
                    "metadata_encryption_key has {length} bytes: an AES key has 16, 24 or 32"
                )));
            }
        };
        Ok(Self { key: key.clone(), aes })
    }

    /// Returns whether a stored text has the form of an encrypted location. No location in plain text
    /// has it, because it has no colon.
    pub fn is_encrypted(stored: &str) -> bool {
        decode(stored).is_some()
    }

    /// Decrypts a stored location; `None` if it was not encrypted with this key.
    pub fn decrypt(&self, stored: &str) -> Option<Secret> {
        let bytes = decode(stored)?;
        let (iv, rest) = bytes.split_at(BLOCK);
        let mut text = Zeroizing::new(rest.to_vec());
        let (key, data) = (self.key.expose().as_bytes(), text.as_mut_slice());
        let is_decrypted = match self.aes {
            Aes::With128 => decrypt::<cbc::Decryptor<Aes128>>(key, iv, data),
            Aes::With192 => decrypt::<cbc::Decryptor<Aes192>>(key, iv, data),
            Aes::With256 => decrypt::<cbc::Decryptor<Aes256>>(key, iv, data),
        };
        let end = text.iter().rposition(|byte| *byte == 0).filter(|_| is_decrypted)?;
        // The padding is shorter than a block.
        if text.len() - end > BLOCK {
            return None;
        }
        std::str::from_utf8(&text[..end]).ok().map(Secret::new)
    }

    /// Encrypts a location. `random` is for this location alone, from a source that is fit for
    /// cryptography: the initialization vector, and the padding as far as it is needed.
    pub fn encrypt(&self, url: &str, random: [u8; 32]) -> String {
        let (iv, padding) = random.split_at(BLOCK);
        let mut text = Zeroizing::new(Vec::with_capacity(BLOCK + url.len() + BLOCK));
        text.extend_from_slice(url.as_bytes());
        text.push(0);
        let missing = text.len().next_multiple_of(BLOCK) - text.len();
        // The last NUL ends the location.
        text.extend(padding.iter().take(missing).map(|byte| (*byte).max(1)));
        let key = self.key.expose().as_bytes();
        match self.aes {
            Aes::With128 => encrypt::<cbc::Encryptor<Aes128>>(key, iv, &mut text),
            Aes::With192 => encrypt::<cbc::Encryptor<Aes192>>(key, iv, &mut text),
            Aes::With256 => encrypt::<cbc::Encryptor<Aes256>>(key, iv, &mut text),
        }
        URL_SAFE.encode([iv, &text].concat())
    }
}

impl fmt::Debug for LocationCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocationCipher").finish_non_exhaustive()
    }
}

/// Returns whether the lengths of key, vector and text are those of the cipher.
fn decrypt<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], text: &mut [u8]) -> bool {
    C::new_from_slices(key, iv).is_ok_and(|cipher| cipher.decrypt_padded::<NoPadding>(text).is_ok())
}

/// The lengths are those of the cipher: of the key by [`LocationCipher::new`], of the text by its
/// padding.
fn encrypt<C: KeyIvInit + BlockModeEncrypt>(key: &[u8], iv: &[u8], text: &mut [u8]) {
    let length = text.len();
    if let Ok(cipher) = C::new_from_slices(key, iv) {
        let _ = cipher.encrypt_padded::<NoPadding>(text, length);
    }
}

fn decode(stored: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE.decode(stored).ok()?;
    (bytes.len() > BLOCK && bytes.len().is_multiple_of(BLOCK)).then_some(bytes)
}

/// The length of a block of AES, in bytes.
const BLOCK: usize = 16;
