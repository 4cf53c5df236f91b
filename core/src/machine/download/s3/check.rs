//! The validation of the bytes of an S3 object.

use crate::checksum::{Algorithm, Composite, Declared, NotValidatedReason, Type, Validation};
use crate::error::Error;
use crate::machine::download::tally::Tally;
use crate::s3::ObjectHead;

/// Returns the checksum of an object to validate: of the algorithms in this build, in the order of
/// [`Algorithm::BY_PREFERENCE`], the first over the full object, or else the first composite.
pub(super) fn declared(head: &ObjectHead) -> Option<Declared> {
    let known = Algorithm::BY_PREFERENCE.into_iter().filter(|one| one.is_available());
    let declared = known.filter_map(|algorithm| {
        head.checksums.iter().find(|declared| declared.algorithm() == algorithm).copied()
    });
    let full = |declared: &Declared| declared.checksum_type() == Type::FullObject;
    declared.clone().find(full).or_else(|| declared.clone().next())
}

/// Compares with the checksum that the server declared. The whole object was read.
pub(super) fn verdict(tally: &Tally, head: &ObjectHead) -> Result<Validation, Error> {
    let value = match declared(head) {
        None => {
            return Ok(Validation::NotValidated(match head.checksums.first() {
                Some(one) => NotValidatedReason::Unsupported(one.algorithm()),
                None => NotValidatedReason::Absent,
            }));
        }
        Some(Declared::Composite(composite)) => {
            let Some(parts) = tally.parts() else {
                return Ok(Validation::NotValidated(NotValidatedReason::Composite));
            };
            let computed = Composite::of(parts.iter().copied())?;
            if computed == composite {
                return Ok(Validation::Validated(composite.algorithm()));
            }
            return Err(differs(composite.algorithm(), &computed, &composite));
        }
        // A checksum over parts, without their number.
        Some(Declared::FullObject(_)) if head.is_composite() => {
            return Ok(Validation::NotValidated(NotValidatedReason::Composite));
        }
        Some(Declared::FullObject(value)) => value,
    };
    match tally.digests().value(value.algorithm()) {
        Some(computed) if *computed == value => Ok(Validation::Validated(value.algorithm())),
        Some(computed) => Err(differs(value.algorithm(), computed, &value)),
        None => Ok(Validation::NotValidated(NotValidatedReason::NotAsked)),
    }
}

/// Returns the ETag if it is the MD5 of the object, for a service whose ETags are MD5s.
///
/// It has the form of an MD5, and the object is not encrypted with a key of KMS or of the caller's.
/// "Checking object integrity", Amazon S3 User Guide.
pub(super) fn md5_tag(head: &ObjectHead) -> Option<&str> {
    let encrypted = head.customer_algorithm.is_some()
        || head.server_side_encryption.as_deref().is_some_and(|way| way.starts_with("aws:kms"));
    let tag = head.etag.as_ref().filter(|tag| tag.is_md5() && !encrypted)?;
    Some(tag.opaque())
}

/// Compares with the ETag of the object, which was read as a whole; `None` if there is nothing to
/// compare.
pub(super) fn tag(tally: &Tally, head: &ObjectHead) -> Result<Option<Validation>, Error> {
    let digests = tally.digests();
    let Some((tag, md5)) = md5_tag(head).zip(digests.value(Algorithm::Md5)) else {
        return Ok(None);
    };
    if md5.hex().eq_ignore_ascii_case(tag) {
        return Ok(Some(Validation::Validated(Algorithm::Md5)));
    }
    let what = format!("the MD5 of the object is {}, but its ETag is {tag}", md5.hex());
    Err(Error::integrity(what)
        .with_hint("if the ETags of this provider are not MD5s, set the provider"))
}

fn differs(
    algorithm: Algorithm,
    computed: &dyn std::fmt::Display,
    declared: &dyn std::fmt::Display,
) -> Error {
    Error::integrity(format!(
        "the {algorithm} of the object is {computed}, but the server declares {declared}"
    ))
}
