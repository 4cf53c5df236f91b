//! POST to an object.

use crate::swift::object::Prefix;
use crate::swift::operation::*;
use crate::swift::types::Properties;

operation! {
    /// Replaces the properties of an object. "Create or update object metadata", Object Storage
    /// API.
    ///
    /// Metadata and headers that are not in the request are removed; only the content type is kept.
    ///
    /// ```
    /// use apus_core::swift::{PostObject, Properties};
    ///
    /// // Replaces all metadata: what is not given is removed. The content type stays if it is `None`.
    /// let post = PostObject::new("images", "debian", Properties::default());
    /// ```
    pub struct PostObject on object {
        /// The object's new properties.
        pub properties: Properties,
        /// The segments of a dynamic large object; without them it becomes an ordinary empty
        /// object. A static large object remains one.
        pub segments: Option<Prefix>,
    }
    new(properties: Properties)
}

impl Operation for PostObject {
    facts!(PostObject in container: Idempotent -> () = error::carried_out_or_accepted);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if let Some(segments) = &self.segments {
            segments.check()?;
        }
        Request::object(service, Self::NAME, Method::POST, &self.container, &self.object)?
            .with(&self.properties)
            .header("x-object-manifest", self.segments.as_ref().map(Prefix::header))
            .finish()
    }

    fn parse_head(&self, reply: &Reply) -> Option<()> {
        error::carried_out_or_accepted(reply).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::sent;
    use crate::swift::types::Expiry;

    #[test]
    fn what_is_replaced() {
        let mut properties =
            Properties { expiry: Some(Expiry::After(60)), ..Properties::default() };
        properties.metadata.insert("colour".into(), "red".into());
        let mut post = PostObject::new("c", "o", properties);
        post.segments = Some(Prefix::new("c", "o/"));
        assert_eq!(
            sent(&post).unwrap(),
            "POST /c/o\nx-delete-after: 60\nx-object-manifest: c/o/\nx-object-meta-colour: red"
        );
    }
}
