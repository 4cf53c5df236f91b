//! POST to an object.

use http::Method;

use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::swift::{error, object::Prefix, request::Request, service::Service, types::Properties};

/// Replaces what is stored with an object beside its bytes. "Create or update object metadata",
/// Object Storage API.
///
/// All of it: metadata and headers that are not named are removed, only the content type stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostObject {
    /// The container.
    pub container: String,
    /// The object's name.
    pub object: String,
    /// What is stored with it from now on.
    pub properties: Properties,
    /// Where the segments of a dynamic large object are: without it, it becomes an ordinary empty
    /// object. A static one stays what it is.
    pub segments: Option<Prefix>,
}

impl PostObject {
    /// These properties and no others.
    pub fn new(
        container: impl Into<String>,
        object: impl Into<String>,
        properties: Properties,
    ) -> Self {
        Self { container: container.into(), object: object.into(), properties, segments: None }
    }
}

impl Operation for PostObject {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "PostObject";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if let Some(segments) = &self.segments {
            segments.check()?;
        }
        Request::object(service, Self::NAME, Method::POST, &self.container, &self.object)?
            .with(&self.properties)
            .header("x-object-manifest", self.segments.as_ref().map(Prefix::header))
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        error::success(reply)
    }

    fn parse_head(&self, _: &Reply) -> Option<()> {
        Some(())
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::{testing::sent, types::Expiry};

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
