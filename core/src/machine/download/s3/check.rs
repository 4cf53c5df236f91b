//! What the bytes that came from S3 are checked against.

use crate::checksum::{Algorithm, Composite, Declared, Type, Verdict, Why};
use crate::error::Error;
use crate::machine::download::tally::Tally;
use crate::s3::ObjectHead;

/// The checksum of an object that is worth computing: of the algorithms that this build has, in
/// the order of [`Algorithm::BY_PREFERENCE`], the first over the full object, else the first
/// composite.
pub(super) fn declared(head: &ObjectHead) -> Option<Declared> {
    let known = Algorithm::BY_PREFERENCE.into_iter().filter(|one| one.is_available());
    let declared = known.filter_map(|algorithm| {
        head.checksums.iter().find(|declared| declared.algorithm() == algorithm).copied()
    });
    let full = |declared: &Declared| declared.checksum_type() == Type::FullObject;
    declared.clone().find(full).or_else(|| declared.clone().next())
}

/// Compares with what the server declared of the object, of which all was read.
pub(super) fn verdict(tally: &Tally, head: &ObjectHead) -> Result<Verdict, Error> {
    let value = match declared(head) {
        None => {
            return Ok(Verdict::NotValidated(match head.checksums.first() {
                Some(one) => Why::Unsupported(one.algorithm()),
                None => Why::Absent,
            }));
        }
        Some(Declared::Composite(composite)) => {
            let Some(parts) = tally.parts() else {
                return Ok(Verdict::NotValidated(Why::Composite));
            };
            let computed = Composite::of(parts.iter().copied())?;
            if computed == composite {
                return Ok(Verdict::Validated(composite.algorithm()));
            }
            return Err(differs(composite.algorithm(), &computed, &composite));
        }
        // Said to be of parts, of which the value does not tell the number.
        Some(Declared::FullObject(_)) if head.checksum_type == Some(Type::Composite) => {
            return Ok(Verdict::NotValidated(Why::Composite));
        }
        Some(Declared::FullObject(value)) => value,
    };
    match tally.digests().value(value.algorithm()) {
        Some(computed) if *computed == value => Ok(Verdict::Validated(value.algorithm())),
        Some(computed) => Err(differs(value.algorithm(), computed, &value)),
        None => Ok(Verdict::NotValidated(Why::NotAsked)),
    }
}

/// The tag of an object that is the MD5 of its bytes, where the service's tags are: it has the form of one,
/// and the object is not encrypted with a key of KMS or of the caller's. "Checking object integrity", Amazon
/// S3 User Guide.
pub(super) fn md5_tag(head: &ObjectHead) -> Option<&str> {
    let encrypted = head.customer_algorithm.is_some()
        || head.server_side_encryption.as_deref().is_some_and(|way| way.starts_with("aws:kms"));
    let tag = head.etag.as_ref().filter(|tag| tag.is_md5() && !encrypted)?;
    Some(tag.opaque())
}

/// Compares with the tag of the object, of which all was read; `None` where there is nothing to compare.
pub(super) fn tag(tally: &Tally, head: &ObjectHead) -> Result<Option<Verdict>, Error> {
    let digests = tally.digests();
    let Some((tag, md5)) = md5_tag(head).zip(digests.value(Algorithm::Md5)) else {
        return Ok(None);
    };
    if md5.hex().eq_ignore_ascii_case(tag) {
        return Ok(Some(Verdict::Validated(Algorithm::Md5)));
    }
    let what = format!("the MD5 of the bytes is {} where the object's ETag is {tag}", md5.hex());
    Err(Error::integrity(what).with_hint("name the provider where its ETags are no MD5s"))
}

fn differs(
    algorithm: Algorithm,
    computed: &dyn std::fmt::Display,
    declared: &dyn std::fmt::Display,
) -> Error {
    Error::integrity(format!(
        "the {algorithm} of the bytes is {computed} where the server has {declared}"
    ))
}
