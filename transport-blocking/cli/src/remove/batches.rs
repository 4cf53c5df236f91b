//! Names in groups that are removed together.

use std::collections::BTreeMap;

use crate::exit::Failure;
use crate::open::Open;

/// Names by backend and by bucket or container.
pub(crate) type Groups = BTreeMap<(String, String), Vec<String>>;

/// Sorts arguments into groups that are removed together.
pub(crate) fn grouped(open: &Open, batch: &[String]) -> Result<Groups, Failure> {
    let mut groups = Groups::new();
    for argument in batch {
        let target = open.target(argument).map_err(|failure| failure.of(argument))?;
        if target.name.is_empty() {
            return Err(Failure::usage("the name of the object is empty").of(argument));
        }
        let container = match target.container {
            Some(container) => container,
            None => open.container(target.backend, &target.name),
        };
        let group = groups.entry((target.backend.id().to_owned(), container)).or_default();
        group.push(target.name);
    }
    Ok(groups)
}
