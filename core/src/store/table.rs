//! The image service's table of locations, as far as a migration has to do with it.
//!
//! ```text
//!  UPDATE … SET url = migration.url,          store = migration.store
//!   WHERE row = … AND url = migration.was AND store IS migration.was_store
//! ```

use super::migration::Migration;

/// A table of locations that the image service keeps.
pub trait LocationTable {
    /// What a row is found by.
    type Row: ?Sized;
    /// Why the table could not be asked.
    type Error;

    /// Replaces URL and `store` of a row, in one step and only where both still are what the migration
    /// [was](Migration::was) made from. Whether they were.
    ///
    /// # Errors
    ///
    /// The table could not be asked.
    fn compare_and_swap(
        &mut self,
        row: &Self::Row,
        migration: &Migration,
    ) -> Result<bool, Self::Error>;
}

/// What became of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applied {
    /// The row was replaced.
    Replaced,
    /// Somebody else has changed the row or removed it: theirs stands. Who reads it next migrates
    /// it, if that is still needed.
    Raced,
}

impl Migration {
    /// Persists it. A lost race is no error.
    ///
    /// # Errors
    ///
    /// The table could not be asked.
    pub fn apply<T: LocationTable + ?Sized>(
        &self,
        table: &mut T,
        row: &T::Row,
    ) -> Result<Applied, T::Error> {
        let replaced = table.compare_and_swap(row, self)?;
        Ok(if replaced { Applied::Replaced } else { Applied::Raced })
    }
}
