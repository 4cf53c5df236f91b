//! POST to a container.

use crate::swift::container::ContainerSettings;
use crate::swift::operation::*;

operation! {
    /// Changes the settings of a container; those that are not in the request are kept. "Create,
    /// update, or delete container metadata", Object Storage API.
    ///
    /// ```
    /// use apus_core::swift::{Acl, ContainerSettings, PostContainer};
    ///
    /// let mut post = PostContainer::new("images");
    /// // What is `None` stays as it is.
    /// post.settings = ContainerSettings { read_acl: Some(Acl::public()), ..ContainerSettings::default() };
    /// ```
    pub struct PostContainer on container {
        /// The settings to change.
        pub settings: ContainerSettings,
    }
}

impl Operation for PostContainer {
    facts!(PostContainer in container: Idempotent -> () = error::carried_out);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::POST, &self.container)?
            .with(&self.settings)
            .finish()
    }

    fn parse_head(&self, reply: &Reply) -> Option<()> {
        error::carried_out(reply).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::acl::Acl;
    use crate::swift::testing::sent;

    #[test]
    fn an_empty_acl_is_removed() {
        let mut post = PostContainer::new("c");
        post.settings.read_acl = Some(Acl::default());
        assert_eq!(sent(&post).unwrap(), "POST /c\nx-container-read: ");
    }
}
