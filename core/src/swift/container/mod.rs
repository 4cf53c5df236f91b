//! Operations on containers.

mod delete_container;
mod get_container;
mod head;
mod head_container;
mod post_container;
mod put_container;
mod settings;

pub use self::delete_container::DeleteContainer;
pub use self::get_container::{Entry, GetContainer, GetContainerOutput, ListedObject};
pub use self::head::ContainerHead;
pub use self::head_container::HeadContainer;
pub use self::post_container::PostContainer;
pub use self::put_container::{PutContainer, PutContainerOutput};
pub use self::settings::ContainerSettings;
