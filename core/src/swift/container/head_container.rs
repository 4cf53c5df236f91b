//! HEAD of a container.

use crate::swift::container::ContainerHead;
use crate::swift::operation::*;

operation! {
    /// Shows a container's metadata. "Show container metadata", Object Storage API.
    ///
    /// ```
    /// use apus_core::swift::HeadContainer;
    ///
    /// let mut head = HeadContainer::new("images");
    /// // The newest of all replicas instead of the first that responds.
    /// head.newest = true;
    /// ```
    pub struct HeadContainer on container {
        /// Whether the newest of all replicas is requested: `X-Newest`.
        pub newest: bool,
    }
}

impl Operation for HeadContainer {
    facts!(HeadContainer in container: Read -> ContainerHead);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::HEAD, &self.container)?
            .header("x-newest", self.newest.then_some("true"))
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ContainerHead, Error> {
        error::carried_out(reply)?;
        Ok(ContainerHead::read(reply))
    }
}
