//! The image service's table of locations, as far as a migration uses it.
//!
//! ```text
//!  UPDATE … SET url = migration.url,          store = migration.store
//!   WHERE row = … AND url = migration.was AND store IS migration.was_store
//! ```

use super::migration::Migration;

/// The image service's table of locations.
pub trait LocationTable {
    /// The key of a row.
    type Row: ?Sized;
    /// The error of the table.
    type Error;

    /// Replaces the URL and `store` of a row atomically, if both still equal
    /// [`was`](Migration::was) and [`was_store`](Migration::was_store) of the migration.
    ///
    /// Returns whether the row was replaced.
    ///
    /// # Errors
    ///
    /// The table could not be updated.
    fn compare_and_swap(
        &mut self,
        row: &Self::Row,
        migration: &Migration,
    ) -> Result<bool, Self::Error>;
}

/// The result of persisting a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applied {
    /// The row was replaced.
    Replaced,
    /// The row was changed or removed in the meantime, and was left as it is. The next reader
    /// migrates it, if that is still needed.
    Raced,
}

impl Migration {
    /// Persists the migration. A lost race is not an error.
    ///
    /// # Errors
    ///
    /// The table could not be updated.
    pub fn apply<T: LocationTable + ?Sized>(
        &self,
        table: &mut T,
        row: &T::Row,
    ) -> Result<Applied, T::Error> {
        let replaced = table.compare_and_swap(row, self)?;
        Ok(if replaced { Applied::Replaced } else { Applied::Raced })
    }
}
