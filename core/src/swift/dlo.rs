//! Dynamic large objects: a prefix that selects their segments. "Dynamic Large Objects", Swift.

use crate::swift::commit_check::Evidence;
use crate::swift::object::{Prefix, Stored};
use crate::swift::operation::*;
use crate::swift::types::Properties;

operation! {
    /// Creates a dynamic large object of all objects whose names begin with a prefix, as the
    /// listing shows them when the object is read. Its manifest is an empty object with
    /// `X-Object-Manifest`.
    ///
    /// The ETag in the response is that of the empty body. The request has no `ETag`: Ceph compares
    /// it with another value.
    ///
    /// ```
    /// use apus_core::swift::{Prefix, PutDlo};
    ///
    /// // The object is whatever has these names at the time when it is read.
    /// let segments = Prefix::new("images_segments", "debian/");
    /// let put = PutDlo::new("images", "debian", segments);
    /// ```
    pub struct PutDlo {
        /// The container of the manifest.
        pub container: String,
        /// The large object's name; the prefix should not match it.
        pub object: String,
        /// The container and prefix of the segments.
        pub segments: Prefix,
        /// The properties to store with the object.
        pub properties: Properties,
        /// Whether to store it only if no object of this name exists.
        pub if_absent: bool,
    }
    new(container: impl Into<String>, object: impl Into<String>, segments: Prefix)
}

impl Operation for PutDlo {
    facts!(PutDlo in container: Idempotent -> Stored);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        self.segments
            .check()
            .map_err(|error| Error::invalid_input(format!("the segments: {}", error.message())))?;
        Request::object(service, Self::NAME, Method::PUT, &self.container, &self.object)?
            .with(&self.properties)
            .header("x-object-manifest", Some(self.segments.header()))
            .header("if-none-match", self.if_absent.then_some("*"))
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Stored, Error> {
        error::carried_out(reply)?;
        Ok(Stored::read(reply))
    }

    fn parse_head(&self, reply: &Reply) -> Option<Stored> {
        error::carried_out(reply).ok().map(|()| Stored::read(reply))
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<Stored> {
        let place = (self.container.as_str(), self.object.as_str());
        let evidence = Evidence::of_dlo(&self.segments).with(&self.properties);
        evidence.recover(service, doubt, place, self.if_absent).map(Stored::from)
    }

    /// Ceph's gateway ignores the condition.
    fn looks_before_repeating(&self, _: &Service) -> bool {
        self.if_absent
    }

    fn look_at(&self) -> String {
        format!("the manifest of {}/{}", self.container, self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{refused, sent};

    #[test]
    fn a_manifest_is_a_header() {
        let mut put = PutDlo::new("c", "o", Prefix::new("c segments", "o/1?/"));
        put.if_absent = true;
        assert_eq!(
            sent(&put).unwrap(),
            "PUT /c/o\nif-none-match: *\nx-object-manifest: c%20segments/o/1%3F/"
        );
        put.segments.prefix.clear();
        assert_eq!(refused(&put), "the segments: the prefix of the segments is empty");
    }
}
