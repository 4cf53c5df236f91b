//! PUT of a container.

use http::StatusCode;

use crate::swift::container::ContainerSettings;
use crate::swift::operation::*;

operation! {
    /// Creates a container, or changes the settings of one that exists. "Create container", Object
    /// Storage API.
    ///
    /// ```
    /// use apus_core::swift::PutContainer;
    ///
    /// let mut put = PutContainer::new("images");
    /// // Only when the container is created; later it can't be changed.
    /// put.storage_policy = Some("nearline".into());
    /// ```
    pub struct PutContainer {
        /// Its name: up to 256 bytes without a slash.
        pub container: String,
        /// The storage policy, which can't be changed later. If the container exists with another
        /// one, the response is a 409.
        pub storage_policy: Option<String>,
        /// The settings to apply.
        pub settings: ContainerSettings,
    }
    new(container: impl Into<String>)
}

/// The response to [`PutContainer`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutContainerOutput {
    /// Whether the container did not exist before.
    pub created: bool,
    /// Its storage policy, if the server reports it.
    pub storage_policy: Option<String>,
}

impl PutContainerOutput {
    fn read(reply: &Reply) -> Self {
        let created = reply.status() == StatusCode::CREATED;
        Self { created, storage_policy: Headers(&reply.head.headers).text("x-storage-policy") }
    }
}

impl Operation for PutContainer {
    facts!(PutContainer in container: Idempotent -> PutContainerOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::PUT, &self.container)?
            .header("x-storage-policy", self.storage_policy.as_ref())
            .with(&self.settings)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<PutContainerOutput, Error> {
        error::carried_out_or_accepted(reply)?;
        Ok(PutContainerOutput::read(reply))
    }

    fn parse_head(&self, reply: &Reply) -> Option<PutContainerOutput> {
        error::carried_out_or_accepted(reply).ok().map(|()| PutContainerOutput::read(reply))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::swift::acl::Acl;
    use crate::swift::testing::{parsed, refused, sent};

    #[test]
    fn everything_that_can_be_set() {
        let mut put = PutContainer::new("c d");
        put.storage_policy = Some("gold".into());
        put.settings = ContainerSettings {
            read_acl: Some(Acl::public()),
            write_acl: Some("project:user".parse().unwrap()),
            quota_bytes: Some(10),
            quota_count: Some(0),
            metadata: [("Colour".into(), "red".into())].into(),
            remove_metadata: vec!["Old".into()],
            temp_url_keys: [None, Some(Secret::new("hush"))],
            versions_location: Some("old é".into()),
        };
        assert_eq!(
            sent(&put).unwrap(),
            "PUT /c%20d\nx-container-meta-colour: red\nx-container-meta-quota-bytes: 10\n\
             x-container-meta-quota-count: 0\nx-container-meta-temp-url-key-2: hush\n\
             x-container-read: .r:*,.rlistings\nx-container-write: project:user\n\
             x-remove-container-meta-old: x\nx-storage-policy: gold\n\
             x-versions-location: old%20%C3%A9"
        );
        put.settings.write_acl = Some(Acl::public());
        assert_eq!(refused(&put), "the write ACL of a container can't contain referrers");
    }

    // Swift: 201 for a new container, 202 for one that exists.
    #[test]
    fn whether_it_was_there() {
        let created = |status| parsed(&PutContainer::new("c"), status, "", "").unwrap().created;
        assert!(created(201) && !created(202));
    }
}
