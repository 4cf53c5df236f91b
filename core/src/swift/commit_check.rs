//! What proves which write an object is of, after the response to a PUT was lost or cut off. A HEAD
//! of the newest replica (`X-Newest`) shows the object that exists. The first row that applies
//! decides:
//!
//! | sent | the HEAD shows | the object is |
//! | --- | --- | --- |
//! | a plain object | a large object | another's |
//! | a static large object | no static large object | another's |
//! | either of these | another size than ours | another's |
//! | | no ETag that is an MD5, or ours is not known | unknown |
//! | | the MD5 of our bytes, or that of our segments' ETags | ours |
//! | | another MD5 | another's |
//! | a dynamic large object | the prefix of our segments | ours |
//! | | anything else | another's |
//!
//! An object that is ours by this table must also show the properties that were sent; otherwise it
//! is unknown. A static large object that another client made of equal segments has the same ETag:
//! its manifest decides, where the server shows it.

use crate::contract::{Doubt, Operation as _, Proof, Recovery};
use crate::http::ETag;
use crate::swift::object::{HeadObject, ObjectHead, Prefix, is_md5};
use crate::swift::service::Service;
use crate::swift::slo::{Segment, slo_etag};
use crate::swift::types::{Expiry, Properties};

/// The features by which an object is recognized as ours.
#[derive(Clone, Debug)]
pub(crate) struct Evidence<'a> {
    is: Is<'a>,
    /// The properties that were sent.
    properties: Option<&'a Properties>,
}

#[derive(Clone, Debug)]
enum Is<'a> {
    Plain { size: u64, md5: Option<String> },
    Static { size: Option<u64>, etag: Option<String> },
    Dynamic(&'a Prefix),
}

impl<'a> Evidence<'a> {
    /// Evidence of an object that was sent with one request, with this size in bytes and MD5.
    pub(crate) fn of_put(size: u64, md5: Option<String>) -> Self {
        Self { is: Is::Plain { size, md5 }, properties: None }
    }

    /// Evidence of a static large object of these segments.
    pub(crate) fn of_slo<'s>(segments: impl IntoIterator<Item = &'s Segment> + Clone) -> Self {
        let mut lengths = segments.clone().into_iter().map(Segment::length);
        let size = lengths.try_fold(0u64, |sum, length| sum.checked_add(length?));
        Self { is: Is::Static { size, etag: slo_etag(segments) }, properties: None }
    }

    /// Evidence of a dynamic large object of these segments.
    pub(crate) fn of_dlo(segments: &'a Prefix) -> Self {
        Self { is: Is::Dynamic(segments), properties: None }
    }

    /// Adds the properties that were sent.
    pub(super) fn with(self, properties: &'a Properties) -> Self {
        Self { properties: Some(properties), ..self }
    }

    /// Decides whether the object with this head is ours.
    pub(crate) fn weigh(&self, head: &ObjectHead) -> Proof {
        let tag = |ours: &Option<String>| match (ours, &head.etag) {
            (Some(ours), Some(theirs)) if is_md5(theirs.opaque()) => same(ours, theirs),
            _ => Proof::Unknown,
        };
        let proof = match &self.is {
            Is::Plain { .. } if head.is_large() => Proof::Another,
            Is::Static { .. } if !head.is_slo => Proof::Another,
            Is::Plain { size, .. } | Is::Static { size: Some(size), .. }
                if head.size.is_some_and(|theirs| theirs != *size) =>
            {
                Proof::Another
            }
            Is::Plain { md5, .. } => tag(md5),
            Is::Static { etag, .. } => tag(etag),
            Is::Dynamic(prefix) if head.dlo.as_ref() == Some(*prefix) => Proof::Ours,
            Is::Dynamic(_) => Proof::Another,
        };
        match proof {
            Proof::Ours if !self.shows_properties(head) => Proof::Unknown,
            proof => proof,
        }
    }

    /// Whether the object shows the properties that were sent.
    fn shows_properties(&self, head: &ObjectHead) -> bool {
        let Some(asked) = self.properties else { return true };
        let pairs = [
            (&asked.cache_control, &head.cache_control),
            (&asked.content_disposition, &head.content_disposition),
            (&asked.content_encoding, &head.content_encoding),
            (&asked.content_language, &head.content_language),
            (&asked.content_type, &head.content_type),
        ];
        let alike = |asked: &str, shown: Option<&str>| {
            shown.is_some_and(|shown| shown.trim() == asked.trim())
        };
        let headers = pairs.into_iter().all(|(asked, shown)| {
            asked.as_deref().is_none_or(|asked| alike(asked, shown.as_deref()))
        });
        let metadata = asked.metadata.iter().all(|(name, value)| {
            let shown = head.metadata.iter().find(|(shown, _)| shown.eq_ignore_ascii_case(name));
            alike(value, shown.map(|(_, shown)| shown.as_str()))
        });
        let expires = match asked.expiry {
            Some(Expiry::At(at)) => head.delete_at == Some(at),
            Some(Expiry::After(_)) => head.delete_at.is_some(),
            None => true,
        };
        headers && metadata && expires
    }

    /// Determines the outcome of a PUT of this object, for
    /// [`Operation::recover`](crate::contract::Operation::recover). `if_absent` says that the PUT
    /// was not to replace an object.
    pub(super) fn recover(
        &self,
        service: &Service,
        doubt: &Doubt<'_>,
        (container, object): (&str, &str),
        if_absent: bool,
    ) -> Recovery<ObjectHead> {
        let Some(look) = doubt.looks.first() else {
            let mut head = HeadObject::new(container, object);
            head.newest = true;
            return head.draft(service).map_or(Recovery::Unknown, Recovery::Look);
        };
        let head = match HeadObject::new(container, object).parse(service, look) {
            Ok(head) => head,
            Err(error) if error.is_not_found() => return Recovery::NotDone,
            Err(_) => return Recovery::Unknown,
        };
        match self.weigh(&head) {
            Proof::Ours => Recovery::Done(head),
            Proof::Another => another(doubt, if_absent),
            Proof::Unknown => Recovery::Unknown,
        }
    }
}

/// What follows for a PUT from another object in its place.
pub(super) fn another<T>(doubt: &Doubt<'_>, if_absent: bool) -> Recovery<T> {
    match if_absent {
        // The server checks the condition: no attempt can succeed any more.
        true if doubt.error.is_precondition_failed() => Recovery::Never,
        // The server may ignore the condition: the object may have replaced ours, a pending attempt
        // may replace the object, and so would another attempt.
        true => Recovery::Unknown,
        false => Recovery::NotDone,
    }
}

fn same(ours: &str, theirs: &ETag) -> Proof {
    match theirs.opaque().eq_ignore_ascii_case(ours) {
        true => Proof::Ours,
        false => Proof::Another,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Timestamp;
    use crate::swift::slo::ObjectSegment;

    /// The MD5s of `hello` and of nothing, from RFC 1321's algorithm as hashlib has it.
    const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
    const NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn head(size: u64, etag: &str) -> ObjectHead {
        ObjectHead { size: Some(size), etag: Some(etag.into()), ..ObjectHead::default() }
    }

    #[test]
    fn length_and_tag_tell_whose_a_plain_object_is() {
        let hello = Evidence::of_put(5, Some(HELLO.into()));
        assert_eq!(hello.weigh(&head(5, HELLO)), Proof::Ours);
        assert_eq!(hello.weigh(&head(5, &format!("\"{HELLO}\""))), Proof::Ours);
        assert_eq!(hello.weigh(&head(6, HELLO)), Proof::Another);
        assert_eq!(hello.weigh(&head(5, NOTHING)), Proof::Another);
        // Equal length alone proves nothing.
        assert_eq!(hello.weigh(&head(5, "opaque")), Proof::Unknown);
        let untagged = ObjectHead { size: Some(5), ..ObjectHead::default() };
        assert_eq!(hello.weigh(&untagged), Proof::Unknown);
        assert_eq!(Evidence::of_put(5, None).weigh(&head(5, HELLO)), Proof::Unknown);
        // A server that does not tell the length.
        let silent = ObjectHead { size: None, ..head(5, HELLO) };
        assert_eq!(hello.weigh(&silent), Proof::Ours);
        // A large object of the same bytes is another's.
        assert_eq!(hello.weigh(&ObjectHead { is_slo: true, ..head(5, HELLO) }), Proof::Another);
    }

    #[test]
    fn a_static_large_object_is_known_by_the_tag_of_its_segments() {
        // "Static Large Objects", Swift: the MD5 of the segments' tags. From hashlib.
        let segments = [
            Segment::Object(ObjectSegment::stored("seg", "1", HELLO.into(), 5)),
            Segment::Object(ObjectSegment::stored("seg", "2", NOTHING.into(), 0)),
        ];
        let ours = slo_etag(&segments).unwrap();
        let evidence = Evidence::of_slo(&segments);
        let slo = |size, etag: &str| ObjectHead { is_slo: true, ..head(size, etag) };
        assert_eq!(evidence.weigh(&slo(5, &ours)), Proof::Ours);
        assert_eq!(evidence.weigh(&slo(6, &ours)), Proof::Another);
        assert_eq!(evidence.weigh(&slo(5, HELLO)), Proof::Another);
        assert_eq!(evidence.weigh(&head(5, &ours)), Proof::Another);
        assert_eq!(evidence.weigh(&slo(5, "opaque")), Proof::Unknown);
        let unknown = Segment::Object(ObjectSegment::new("seg", "1"));
        assert_eq!(Evidence::of_slo([&unknown]).weigh(&slo(5, HELLO)), Proof::Unknown);
    }

    #[test]
    fn a_dynamic_large_object_is_known_by_its_prefix() {
        let prefix = Prefix::new("seg", "o/1/");
        let shows = |dlo| ObjectHead { dlo, ..ObjectHead::default() };
        let evidence = Evidence::of_dlo(&prefix);
        assert_eq!(evidence.weigh(&shows(Some(prefix.clone()))), Proof::Ours);
        assert_eq!(evidence.weigh(&shows(Some(Prefix::new("seg", "o/2/")))), Proof::Another);
        assert_eq!(evidence.weigh(&shows(None)), Proof::Another);
    }

    #[test]
    fn equal_bytes_with_other_properties_are_not_known_to_be_ours() {
        let mut asked = Properties::content_type("text/plain");
        asked.metadata.insert("Origin".into(), "here".into());
        asked.expiry = Some(Expiry::At(Timestamp::from_unix(1_800_000_000)));
        let mut shown = head(5, HELLO);
        let weigh =
            |shown: &ObjectHead| Evidence::of_put(5, Some(HELLO.into())).with(&asked).weigh(shown);
        shown.content_type = Some("text/plain".into());
        shown.delete_at = Some(Timestamp::from_unix(1_800_000_000));
        assert_eq!(weigh(&shown), Proof::Unknown);
        shown.metadata.insert("origin".into(), "here".into());
        assert_eq!(weigh(&shown), Proof::Ours);
        shown.delete_at = None;
        assert_eq!(weigh(&shown), Proof::Unknown);
    }
}
