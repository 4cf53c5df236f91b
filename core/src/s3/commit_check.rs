//! Proof whether a write was applied whose response was lost.
//!
//! A write whose response was lost is repeated. The second attempt may fail because the first one
//! succeeded: 412 where the object must not exist, `NoSuchUpload` (or 403) where the upload is
//! already complete. A HEAD request returns the existing object. It is ours (our write stored it),
//! another one, or unknown, by the first row that applies:
//!
//! | the HEAD response has | the object is |
//! | --- | --- |
//! | another size | another |
//! | one of our checksums, and an ETag that our bytes can't have | unknown: a contradiction |
//! | one of our checksums, full-object or composite | ours |
//! | another checksum of equal algorithm and type, and no other `x-amz-checksum-type` | another |
//! | the ETag of our bytes: their MD5, or the MD5 of the parts' MD5s and `-N` | ours |
//! | the ETag of `If-Match` | another: the one to be replaced |
//! | another MD5 as ETag, where the server's ETags are MD5s, without SSE-KMS and SSE-C | another |
//! | anything else: equal size, number of parts, a later date, an opaque ETag | unknown |
//!
//! A digest that the table needs is computed over the body while the body is sent, or after the look
//! (`Recovery::Hash`): the body is then read again and compared with what was sent. An MD5 of a
//! body that a signature or a checksum covers is only computed after the look.
//!
//! An object that is ours by this table must also have the requested properties, except tags and
//! access, which a HEAD response does not have. An object of equal bytes with other metadata,
//! storage class, encryption or lock is unknown: it may be an older one. An object of equal bytes
//! and metadata that another client wrote can't be distinguished from ours.
//!
//! Another object proves that ours was not made only where nothing else shows that it may have been. An
//! upload that vanished after its completion was lost may have become an object that another client has
//! replaced since: unless no object exists, or the one of `If-Match`, the outcome is unknown.
//!
//! One kind of write is repeated without proof: the upload of a part whose 2xx response was cut off
//! before its ETag. The second attempt has the same bytes and replaces the first part, which no
//! client sees before the upload is completed. Every other write whose 2xx response can't be
//! read is sent again only if a HEAD request proves that it was not applied; otherwise the error's
//! outcome is unknown.
//!
//! An ETag is an MD5 on most servers, but not with SSE-KMS or SSE-C, in directory buckets, and with
//! some providers ("Checking object integrity", Amazon S3 User Guide; [`Quirks`]). Servers that
//! store checksums return them to requests with `x-amz-checksum-mode`.

use crate::checksum::{Algorithm, Composite, Declared, Type, Value};
use crate::contract::Proof;
use crate::quirks::Quirks;
use crate::s3::ETag;
use crate::s3::object::ObjectHead;
use crate::s3::types::Properties;

/// What identifies the object of a write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence<'a> {
    /// The size of the whole object in bytes, where known.
    pub(crate) size: Option<u64>,
    /// The ETag of our bytes on a server whose ETags are MD5s.
    pub(crate) etag: Option<String>,
    /// The checksums of the whole object.
    pub(crate) checksums: Vec<Declared>,
    /// The ETag of the object to be replaced.
    pub(crate) replaces: Option<&'a ETag>,
    /// The requested properties of the object.
    pub(crate) properties: Option<&'a Properties>,
}

impl<'a> Evidence<'a> {
    /// Creates the evidence of an object of one request from its size in bytes and the digests
    /// computed over it.
    pub(crate) fn of_put(size: u64, computed: &[Value], properties: &'a Properties) -> Self {
        let mut values: Vec<Value> = Vec::new();
        for value in computed {
            // Two values of one algorithm mean that the source changed between two attempts.
            let same = |other: &&Value| other.algorithm() == value.algorithm();
            if computed.iter().filter(same).count() == 1 {
                values.push(*value);
            }
        }
        if size == 0 {
            // No digest is computed over an empty body.
            values.extend(Algorithm::Md5.digest(b""));
        }
        let md5 = values.iter().find(|value| value.algorithm() == Algorithm::Md5);
        Self {
            size: Some(size),
            etag: md5.map(Value::hex),
            checksums: values.iter().copied().map(Declared::FullObject).collect(),
            replaces: None,
            properties: Some(properties),
        }
    }

    /// Returns what the response to a HEAD request proves. `quirks` says whether the server's ETags
    /// are MD5s.
    pub(crate) fn weigh(&self, head: &ObjectHead, quirks: &Quirks) -> Proof {
        if let (Some(ours), Some(theirs)) = (self.size, head.size)
            && ours != theirs
        {
            return Proof::Another;
        }
        match (self.by_checksum(head), self.by_etag(head, quirks)) {
            (Proof::Ours, Proof::Another) | (Proof::Another, Proof::Ours) => Proof::Unknown,
            (Proof::Ours, _) | (Proof::Unknown, Proof::Ours) => self.with_properties(head),
            (Proof::Another, _) | (_, Proof::Another) => Proof::Another,
            (Proof::Unknown, Proof::Unknown) => Proof::Unknown,
        }
    }

    fn by_checksum(&self, head: &ObjectHead) -> Proof {
        if self.checksums.iter().any(|ours| head.checksums.contains(ours)) {
            return Proof::Ours;
        }
        let differs = |ours: &Declared| {
            let over = ours.checksum_type();
            let told = head.checksum_type.is_none_or(|told| told == over);
            // Some servers send a composite checksum without `-N` and without its type.
            let certain =
                over == Type::Composite || head.checksum_type.is_some() || !self.in_parts();
            let same = |theirs: &&Declared| {
                theirs.algorithm() == ours.algorithm() && theirs.checksum_type() == over
            };
            told && certain && head.checksums.iter().any(|theirs| same(&theirs))
        };
        if self.checksums.iter().any(differs) { Proof::Another } else { Proof::Unknown }
    }

    fn by_etag(&self, head: &ObjectHead, quirks: &Quirks) -> Proof {
        let Some(theirs) = head.etag.as_ref().filter(|etag| !etag.is_empty()) else {
            return Proof::Unknown;
        };
        if let Some(ours) = &self.etag
            && ours.eq_ignore_ascii_case(theirs.opaque())
        {
            return Proof::Ours;
        }
        if self.replaces.is_some_and(|before| before == theirs) {
            return Proof::Another;
        }
        let known = if self.in_parts() { quirks.multipart_etag_is_md5 } else { quirks.etag_is_md5 };
        let shaped = self.etag.as_ref().is_some_and(|_| is_md5(theirs.opaque()));
        if known && shaped && !is_keyed(head) { Proof::Another } else { Proof::Unknown }
    }

    /// Returns whether the object was stored by a multipart upload.
    fn in_parts(&self) -> bool {
        self.etag.as_ref().is_some_and(|etag| etag.contains('-'))
            || self.checksums.iter().any(|sum| sum.checksum_type() == Type::Composite)
    }

    /// Returns `Ours` if the object has the requested properties.
    fn with_properties(&self, head: &ObjectHead) -> Proof {
        let Some(asked) = self.properties else { return Proof::Ours };
        let (encryption, lock) = (&asked.encryption, &asked.lock);
        let pairs = [
            (asked.cache_control.as_deref(), &head.cache_control),
            (asked.content_disposition.as_deref(), &head.content_disposition),
            (asked.content_encoding.as_deref(), &head.content_encoding),
            (asked.content_language.as_deref(), &head.content_language),
            (asked.content_type.as_deref(), &head.content_type),
            (asked.website_redirect_location.as_deref(), &head.website_redirect_location),
            // A HEAD response has no storage class where it is `STANDARD`.
            (asked.storage_class.as_deref().filter(|it| *it != "STANDARD"), &head.storage_class),
            (encryption.algorithm.as_deref(), &head.server_side_encryption),
            (encryption.customer_key.as_ref().map(|_| "AES256"), &head.customer_algorithm),
            (lock.mode.as_deref(), &head.lock_mode),
            (lock.legal_hold.as_deref(), &head.legal_hold),
            (lock.event_hold.as_deref(), &head.event_hold),
        ];
        let headers = pairs.into_iter().all(|(asked, shown)| match asked {
            Some(asked) => shown.as_deref().is_some_and(|shown| shown.trim() == asked.trim()),
            None => true,
        });
        let metadata = asked.metadata.iter().all(|(name, value)| {
            let shown = head.metadata.iter().find(|(shown, _)| shown.eq_ignore_ascii_case(name));
            shown.is_some_and(|(_, shown)| shown.trim() == value.trim())
        });
        if headers && metadata { Proof::Ours } else { Proof::Unknown }
    }
}

/// Returns the ETag that S3 gives to an object of these parts: the MD5 of their MD5s, and their
/// number. `None` where the parts' ETags are not MD5s.
pub(crate) fn multipart_etag<'a>(parts: impl Iterator<Item = &'a ETag>) -> Option<String> {
    let digests: Option<Vec<Value>> = parts.map(|tag| md5(tag.opaque())).collect();
    Composite::of(digests?).ok().map(|composite| composite.etag())
}

fn md5(hex: &str) -> Option<Value> {
    if hex.len() != 32 {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..16)
        .map(|at| hex.get(at * 2..at * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    Value::new(Algorithm::Md5, &bytes?).ok()
}

/// Returns whether the ETag has the form of an MD5, or of an MD5 of MD5s (`-N`).
pub(crate) fn is_md5(tag: &str) -> bool {
    let (digits, parts) = tag.split_once('-').map_or((tag, "1"), |(digits, parts)| (digits, parts));
    md5(digits).is_some() && !parts.is_empty() && parts.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether the object's encryption makes its ETag something else than an MD5.
fn is_keyed(head: &ObjectHead) -> bool {
    head.customer_algorithm.is_some()
        || head.server_side_encryption.as_deref().is_some_and(|way| way.starts_with("aws:kms"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirks::Provider;

    /// The MD5s of `hello`, `hello ` and `world`, and the ETag of an object whose parts are the
    /// last two. Computed with Python's hashlib.
    const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
    const PARTS: [&str; 2] =
        ["\"f814893777bcc2295fff05f00e508da6\"", "7d793037a0760186574b0282f2f435e7"];
    const WHOLE: &str = "e09e4fd6265b36115fe3db32df945d84-2";
    /// Well-formed ETags of other bytes.
    const OTHER: &str = "d41d8cd98f00b204e9800998ecf8427e";
    const OTHER_WHOLE: &str = "d41d8cd98f00b204e9800998ecf8427e-2";

    fn head(size: u64, etag: &str) -> ObjectHead {
        ObjectHead { size: Some(size), etag: Some(etag.into()), ..ObjectHead::default() }
    }

    fn put(properties: &Properties) -> Evidence<'_> {
        Evidence::of_put(5, &[Algorithm::Md5.digest(b"hello").unwrap()], properties)
    }

    fn parts() -> Evidence<'static> {
        let tags = PARTS.map(ETag::from);
        Evidence { size: Some(11), etag: multipart_etag(tags.iter()), ..Evidence::default() }
    }

    fn aws(evidence: &Evidence<'_>, head: &ObjectHead) -> Proof {
        evidence.weigh(head, &Provider::Aws.quirks())
    }

    #[test]
    fn the_tag_of_two_parts() {
        assert_eq!(parts().etag.as_deref(), Some(WHOLE));
        assert_eq!(multipart_etag([ETag::from("random")].iter()), None);
    }

    #[test]
    fn another_size_is_another_object_whatever_its_tag() {
        let plain = Properties::default();
        assert_eq!(aws(&put(&plain), &head(6, HELLO)), Proof::Another);
        assert_eq!(aws(&parts(), &head(12, WHOLE)), Proof::Another);
    }

    #[test]
    fn the_tag_that_our_bytes_must_get_is_ours() {
        let plain = Properties::default();
        for tag in [HELLO.to_owned(), format!("\"{HELLO}\""), HELLO.to_uppercase()] {
            assert_eq!(aws(&put(&plain), &head(5, &tag)), Proof::Ours, "{tag}");
        }
        assert_eq!(aws(&parts(), &head(11, WHOLE)), Proof::Ours);
        // A server that does not send the size.
        let silent = ObjectHead { etag: Some(HELLO.into()), ..ObjectHead::default() };
        assert_eq!(aws(&put(&plain), &silent), Proof::Ours);
    }

    #[test]
    fn another_md5_is_another_object_where_tags_are_known_to_be_md5s() {
        let plain = Properties::default();
        for tag in [OTHER, OTHER_WHOLE] {
            assert_eq!(aws(&put(&plain), &head(5, tag)), Proof::Another, "{tag}");
            assert_eq!(aws(&parts(), &head(11, tag)), Proof::Another, "{tag}");
        }
        // Alibaba's ETags of multipart uploads are not MD5s; those of PutObject are.
        let oss = Provider::Alibaba.quirks();
        assert_eq!(parts().weigh(&head(11, OTHER_WHOLE), &oss), Proof::Unknown);
        assert_eq!(put(&plain).weigh(&head(5, OTHER), &oss), Proof::Another);
    }

    #[test]
    fn equal_length_alone_proves_nothing() {
        let plain = Properties::default();
        let unnamed = ObjectHead { size: Some(11), ..ObjectHead::default() };
        let opaque = ["", "\"\"", "opaque", "0123", "d41d8cd98f00b204e9800998ecf8427e-", "\"3-x\""];
        for etag in opaque {
            assert_eq!(aws(&parts(), &head(11, etag)), Proof::Unknown, "{etag:?}");
            assert_eq!(aws(&put(&plain), &head(5, etag)), Proof::Unknown, "{etag:?}");
        }
        assert_eq!(aws(&parts(), &unnamed), Proof::Unknown);
        // Nor does an ETag where ours is unknown, because the parts' ETags are not MD5s.
        let evidence = Evidence { size: Some(11), ..Evidence::default() };
        assert_eq!(aws(&evidence, &head(11, WHOLE)), Proof::Unknown);
    }

    #[test]
    fn tags_of_keyed_encryption_prove_nothing_and_checksums_do() {
        let plain = Properties::default();
        let crc = |bytes: &[u8]| Algorithm::Crc64Nvme.digest(bytes).unwrap();
        let md5 = Algorithm::Md5.digest(b"hello").unwrap();
        let evidence = Evidence::of_put(5, &[md5, crc(b"hello")], &plain);
        for way in ["aws:kms", "aws:kms:dsse", "SSE-C"] {
            let mut keyed = head(5, OTHER);
            match way {
                "SSE-C" => keyed.customer_algorithm = Some("AES256".into()),
                way => keyed.server_side_encryption = Some(way.into()),
            }
            assert_eq!(aws(&evidence, &keyed), Proof::Unknown, "{way}");
            keyed.checksums = vec![Declared::FullObject(crc(b"hello"))];
            assert_eq!(aws(&evidence, &keyed), Proof::Ours, "{way}");
            keyed.checksums = vec![Declared::FullObject(crc(b"HELLO"))];
            assert_eq!(aws(&evidence, &keyed), Proof::Another, "{way}");
        }
        // With SSE-S3 the ETag is the MD5.
        let mut kept = head(5, HELLO);
        kept.server_side_encryption = Some("AES256".into());
        assert_eq!(aws(&evidence, &kept), Proof::Ours);
    }

    #[test]
    fn checksums_of_parts_are_compared_with_those_of_the_same_type() {
        let crc = |bytes: &[u8]| Algorithm::Crc32.digest(bytes).unwrap();
        let composite = Composite::of([crc(b"hello "), crc(b"world")]).unwrap();
        let whole = crc(b"hello world");
        let checksums = vec![Declared::FullObject(whole), Declared::Composite(composite)];
        let evidence = Evidence { size: Some(11), checksums, ..Evidence::default() };
        let shows = |declared, told| ObjectHead {
            checksums: vec![declared],
            checksum_type: told,
            ..head(11, "opaque")
        };
        let ours = [Declared::FullObject(whole), Declared::Composite(composite)];
        assert!(ours.iter().all(|sum| aws(&evidence, &shows(*sum, None)) == Proof::Ours));
        let other = Composite::of([crc(b"hello"), crc(b" world")]).unwrap();
        assert_eq!(aws(&evidence, &shows(Declared::Composite(other), None)), Proof::Another);
        // A composite checksum that some servers send without `-2` is not a full-object checksum.
        let bare = Declared::FullObject(*composite.value());
        assert_eq!(aws(&evidence, &shows(bare, None)), Proof::Unknown);
        assert_eq!(aws(&evidence, &shows(bare, Some(Type::Composite))), Proof::Unknown);
        assert_eq!(aws(&evidence, &shows(bare, Some(Type::FullObject))), Proof::Another);
    }

    #[test]
    fn a_checksum_and_a_tag_that_contradict_each_other_prove_nothing() {
        let plain = Properties::default();
        let crc = Algorithm::Crc32.digest(b"hello").unwrap();
        let evidence = Evidence { etag: Some(HELLO.into()), ..Evidence::of_put(5, &[crc], &plain) };
        let mut shown = head(5, OTHER);
        shown.checksums = vec![Declared::FullObject(crc)];
        assert_eq!(aws(&evidence, &shown), Proof::Unknown);
    }

    #[test]
    fn the_object_that_was_to_be_replaced_is_still_there() {
        let plain = Properties::default();
        let before = ETag::from("\"opaque\"");
        let evidence = Evidence { replaces: Some(&before), ..put(&plain) };
        assert_eq!(aws(&evidence, &head(5, "opaque")), Proof::Another);
        assert_eq!(aws(&evidence, &head(5, "other")), Proof::Unknown);
    }

    #[test]
    fn an_older_object_of_the_same_bytes_with_other_metadata_is_not_known_to_be_ours() {
        let mut asked = Properties::content_type("text/plain");
        asked.metadata.insert("Origin".into(), "here".into());
        let mut shown = head(5, HELLO);
        assert_eq!(aws(&put(&asked), &shown), Proof::Unknown);
        shown.content_type = Some("text/plain".into());
        assert_eq!(aws(&put(&asked), &shown), Proof::Unknown);
        shown.metadata.insert("origin".into(), "here".into());
        assert_eq!(aws(&put(&asked), &shown), Proof::Ours);
        shown.metadata.insert("origin".into(), "there".into());
        assert_eq!(aws(&put(&asked), &shown), Proof::Unknown);
    }

    #[test]
    fn an_older_object_that_is_stored_otherwise_is_not_known_to_be_ours() {
        let mut asked = Properties { storage_class: Some("GLACIER_IR".into()), ..<_>::default() };
        asked.encryption.algorithm = Some("AES256".into());
        asked.lock.mode = Some("GOVERNANCE".into());
        asked.lock.legal_hold = Some("ON".into());
        let ours = ObjectHead {
            storage_class: asked.storage_class.clone(),
            server_side_encryption: Some("AES256".into()),
            lock_mode: Some("GOVERNANCE".into()),
            legal_hold: Some("ON".into()),
            ..head(5, HELLO)
        };
        assert_eq!(aws(&put(&asked), &ours), Proof::Ours);
        for change in [
            |head: &mut ObjectHead| head.storage_class = None,
            |head: &mut ObjectHead| head.server_side_encryption = None,
            |head: &mut ObjectHead| head.lock_mode = Some("COMPLIANCE".into()),
            |head: &mut ObjectHead| head.legal_hold = Some("OFF".into()),
        ] {
            let mut other = ours.clone();
            change(&mut other);
            assert_eq!(aws(&put(&asked), &other), Proof::Unknown, "{other:?}");
        }
        // A HEAD response has no storage class where it is `STANDARD`.
        let standard = Properties { storage_class: Some("STANDARD".into()), ..<_>::default() };
        assert_eq!(aws(&put(&standard), &head(5, HELLO)), Proof::Ours);
    }

    #[test]
    fn what_was_read_twice_and_differently_is_no_evidence() {
        let plain = Properties::default();
        let md5 = |bytes: &[u8]| Algorithm::Md5.digest(bytes).unwrap();
        let evidence = Evidence::of_put(5, &[md5(b"hello"), md5(b"HELLO")], &plain);
        assert_eq!(aws(&evidence, &head(5, HELLO)), Proof::Unknown);
    }

    #[test]
    fn an_empty_object_is_known_by_its_tag() {
        let plain = Properties::default();
        assert_eq!(aws(&Evidence::of_put(0, &[], &plain), &head(0, OTHER)), Proof::Ours);
    }
}
