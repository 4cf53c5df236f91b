//! What an ETag proves about the bytes that were sent.
//!
//! | object | its ETag is | except |
//! | --- | --- | --- |
//! | sent in one request, or a part | the MD5 of its bytes | encrypted with SSE-KMS or SSE-C |
//! | of parts | the MD5 of their MD5s, and `-N` | encrypted with SSE-KMS or SSE-C |
//!
//! "Checking object integrity", Amazon S3 User Guide. The [quirks](crate::quirks) say whether a
//! server follows this; an ETag of another shape is not compared.

use crate::checksum::{Algorithm, Value};
use crate::error::Error;
use crate::s3::{ETag, Stored, is_md5, multipart_etag};

/// Compares the ETag of an object or part with the MD5 that was computed while it was sent.
///
/// # Errors
///
/// The ETag is that of other bytes.
pub(super) fn confirm(stored: &Stored, computed: &[Value]) -> Result<(), Error> {
    let md5 = computed.iter().find(|value| value.algorithm() == Algorithm::Md5);
    match md5 {
        Some(md5) => compare(stored, &md5.hex()),
        None => Ok(()),
    }
}

/// Compares the ETag of an object with the ETags of its parts.
///
/// # Errors
///
/// The ETag is that of other parts.
pub(super) fn confirm_whole<'a>(
    stored: &Stored,
    parts: impl Iterator<Item = &'a ETag>,
) -> Result<(), Error> {
    match multipart_etag(parts) {
        Some(tag) => compare(stored, &tag),
        None => Ok(()),
    }
}

fn compare(stored: &Stored, ours: &str) -> Result<(), Error> {
    let theirs = stored.etag.opaque();
    let encrypted = stored.customer_algorithm.is_some()
        || stored.server_side_encryption.as_deref().is_some_and(|way| way.starts_with("aws:kms"));
    let same_shape = is_md5(theirs) && theirs.contains('-') == ours.contains('-');
    if encrypted || !same_shape || theirs.eq_ignore_ascii_case(ours) {
        return Ok(());
    }
    Err(Error::integrity(format!(
        "the server's ETag is {theirs}, but the sent bytes have {ours}: the stored object differs"
    ))
    .with_hint("if the ETags of this provider are not MD5s, set the provider"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(etag: &str) -> Stored {
        Stored { etag: etag.into(), ..Stored::default() }
    }

    /// The MD5s of `hello` and of no bytes at all, from RFC 1321 and hashlib.
    const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
    const NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn a_digest_of_other_bytes_is_told_and_what_is_no_digest_is_not() {
        let computed = [Algorithm::Md5.digest(b"hello").unwrap()];
        for tag in [&format!("\"{HELLO}\""), &HELLO.to_uppercase(), "", "\"random\"", "a-1"] {
            assert!(confirm(&stored(tag), &computed).is_ok(), "{tag}");
        }
        let error = confirm(&stored(NOTHING), &computed).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Integrity);
        for way in ["aws:kms", "aws:kms:dsse"] {
            let mut stored = stored(NOTHING);
            stored.server_side_encryption = Some(way.into());
            assert!(confirm(&stored, &computed).is_ok(), "{way}");
        }
        let mut keyed = stored(NOTHING);
        keyed.customer_algorithm = Some("AES256".into());
        assert!(confirm(&keyed, &computed).is_ok());
        assert!(confirm(&stored(NOTHING), &[]).is_ok());
    }

    #[test]
    fn a_tag_of_parts_is_compared_with_theirs() {
        // Those of `hello ` and `world`, and of the object made of them, from hashlib.
        let parts = [
            ETag::from("f814893777bcc2295fff05f00e508da6"),
            ETag::from("7d793037a0760186574b0282f2f435e7"),
        ];
        let whole = "e09e4fd6265b36115fe3db32df945d84-2";
        assert!(confirm_whole(&stored(whole), parts.iter()).is_ok());
        for tag in ["", "e09e4fd6265b36115fe3db32df945d84-3x", NOTHING] {
            assert!(confirm_whole(&stored(tag), parts.iter()).is_ok(), "{tag}");
        }
        // Other bytes, and another number of parts.
        for digits in ["009e4fd6265b36115fe3db32df945d84-2", "e09e4fd6265b36115fe3db32df945d84-10"]
        {
            assert!(confirm_whole(&stored(digits), parts.iter()).is_err(), "{digits}");
        }
    }
}
