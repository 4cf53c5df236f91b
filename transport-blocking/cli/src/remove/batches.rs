//! Names in groups that are removed together.

use std::collections::BTreeMap;

use crate::exit::Failure;
use crate::open::Open;

/// Names by backend and by bucket or container.
pub(crate) type Groups = BTreeMap<(String, String), Vec<String>>;

/// Sorts arguments into groups that are removed together. `refuse` gets the arguments that name no
/// object of a backend.
pub(crate) fn grouped(
    open: &Open,
    batch: impl IntoIterator<Item = String>,
    mut refuse: impl FnMut(&str, Failure),
) -> Groups {
    let mut groups = Groups::new();
    for argument in batch {
        let target = match open.target(&argument) {
            Ok(target) if target.name.is_empty() => {
                refuse(&argument, Failure::usage("the name of the object is empty"));
                continue;
            }
            Ok(target) => target,
            Err(failure) => {
                refuse(&argument, failure);
                continue;
            }
        };
        let container = match target.container {
            Some(container) => container,
            None => open.container(target.backend, &target.name),
        };
        let group = groups.entry((target.backend.id().to_owned(), container)).or_default();
        group.push(target.name);
    }
    groups
}
