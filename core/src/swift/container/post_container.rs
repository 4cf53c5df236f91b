//! POST to a container.

use http::Method;

use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::swift::{container::ContainerSettings, error, request::Request, service::Service};

/// Changes the settings of a container; what is not named stays. "Create, update, or delete
/// container metadata", Object Storage API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostContainer {
    /// The container.
    pub container: String,
    /// What is set of it.
    pub settings: ContainerSettings,
}

impl PostContainer {
    /// No change of this container.
    pub fn new(container: impl Into<String>) -> Self {
        Self { container: container.into(), ..Self::default() }
    }
}

impl Operation for PostContainer {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "PostContainer";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::POST, &self.container)?
            .with(&self.settings)
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
    use crate::swift::{acl::Acl, testing::sent};

    #[test]
    fn an_empty_acl_is_removed() {
        let mut post = PostContainer::new("c");
        post.settings.read_acl = Some(Acl::default());
        assert_eq!(sent(&post).unwrap(), "POST /c\nx-container-read: ");
    }
}
