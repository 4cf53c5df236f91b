//! Operations on containers.

mod get_container;
mod head;

pub use self::get_container::{Entry, GetContainer, GetContainerOutput, ListedObject};
pub use self::head::ContainerHead;
