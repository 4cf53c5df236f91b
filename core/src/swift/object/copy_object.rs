//! COPY of an object.

use crate::escape;
use crate::swift::object::Stored;
use crate::swift::operation::*;
use crate::swift::request::{check_container, check_object};
use crate::swift::types::{ByteRange, Properties};

operation! {
    /// Copies an object on the server. "Copy object", Object Storage API.
    ///
    /// A large object is copied as a plain one with all its bytes. If its manifest is copied, the
    /// copy is a large object of the same segments.
    ///
    /// ```
    /// use apus_core::swift::CopyObject;
    ///
    /// let mut copy = CopyObject::new("images", "debian", "backup", "debian");
    /// // A large object is otherwise copied as one object of its bytes.
    /// copy.manifest = true;
    /// ```
    pub struct CopyObject {
        /// The container of the source.
        pub container: String,
        /// The source's name.
        pub object: String,
        /// The container of the copy.
        pub to_container: String,
        /// The copy's name.
        pub to_object: String,
        /// The account of the copy, if it is another.
        pub to_account: Option<String>,
        /// Whether the manifest of a large object is copied, instead of its bytes.
        pub manifest: bool,
        /// Copies only these bytes.
        pub range: Option<ByteRange>,
        /// The properties of the copy; each replaces the source's.
        pub properties: Properties,
        /// Whether the copy gets no other properties than these: `X-Fresh-Metadata`.
        pub fresh: bool,
    }
    new(container: impl Into<String>, object: impl Into<String>, to_container: impl Into<String>, to_object: impl Into<String>)
}

impl CopyObject {
    fn destination(&self) -> Result<String, Error> {
        check_container(&self.to_container).and_then(|()| check_object(&self.to_object)).map_err(
            |error| Error::invalid_input(format!("the destination: {}", error.message())),
        )?;
        let mut out = String::from("/");
        escape::query_into(&mut out, &self.to_container);
        out.push('/');
        escape::path_into(&mut out, &self.to_object);
        Ok(out)
    }
}

/// The response to [`CopyObject`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// What was stored.
    pub stored: Stored,
    /// When the source was last modified.
    pub source_last_modified: Option<Timestamp>,
}

impl Copied {
    fn read(reply: &Reply) -> Self {
        let modified = Headers(&reply.head.headers).plain("x-copied-from-last-modified");
        let source_last_modified = modified.and_then(Timestamp::parse_http);
        Self { stored: Stored::read(reply), source_last_modified }
    }
}

impl Operation for CopyObject {
    facts!(CopyObject in container: Idempotent -> Copied);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        // COPY, not PUT with X-Copy-From: the query of a PUT is about the destination.
        let method = Method::from_bytes(b"COPY").expect("it is made of letters");
        let account = self.to_account.as_deref().map(escape::query);
        Request::object(service, Self::NAME, method, &self.container, &self.object)?
            .query("multipart-manifest", self.manifest.then_some("get"))
            .header("destination", Some(self.destination()?))
            .header("destination-account", account)
            .with(&self.range)
            .with(&self.properties)
            .header("x-fresh-metadata", self.fresh.then_some("true"))
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Copied, Error> {
        error::carried_out(reply)?;
        Ok(Copied::read(reply))
    }

    fn parse_head(&self, reply: &Reply) -> Option<Copied> {
        error::carried_out(reply).ok().map(|()| Copied::read(reply))
    }

    fn look_at(&self) -> String {
        format!("the object {}/{}", self.to_container, self.to_object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{parsed, refused, sent};

    #[test]
    fn where_it_goes() {
        let mut copy = CopyObject::new("c", "o", "d é", "x/../y z");
        copy.manifest = true;
        copy.fresh = true;
        copy.range = Some(ByteRange::Span(0..5));
        copy.to_account = Some("AUTH_b".into());
        assert_eq!(
            sent(&copy).unwrap(),
            "COPY /c/o?multipart-manifest=get\ndestination: /d%20%C3%A9/x/../y%20z\n\
             destination-account: AUTH_b\nrange: bytes=0-4\nx-fresh-metadata: true"
        );
        copy.to_object.clear();
        assert_eq!(refused(&copy), "the destination: the object name is empty");
    }

    // "Copy object", Object Storage API: the example's response.
    #[test]
    fn what_was_copied() {
        let head = "x-copied-from-last-modified: Thu, 16 Jan 2014 21:19:45 GMT\n\
            x-copied-from: marktwain/goodbye\nlast-modified: Fri, 17 Jan 2014 21:04:13 GMT\n\
            etag: 451e372e48e0f6b1114fa0724aa79fa1";
        let copied = parsed(&CopyObject::new("c", "o", "d", "p"), 201, head, "").unwrap();
        assert_eq!(copied.stored.etag.opaque(), "451e372e48e0f6b1114fa0724aa79fa1");
        assert_eq!(copied.source_last_modified.unwrap().unix(), 1_389_907_185);
    }
}
