//! Whether objects can be read with the keys that remain, before their locations lose their own.

use std::mem;
use std::thread;

use apus_core::store::{StoreErrorKind, StoredImage};

use super::places::Verdict;
use super::row::Row;
use crate::exit::{Exit, Failure};
use crate::open::Open;

/// Rows whose objects are requested, some at a time.
pub(super) struct Verify {
    open: Open,
    rows: Vec<Verified>,
}

/// A row with its verdict.
pub(super) struct Verified {
    pub(super) line: u64,
    pub(super) text: Vec<u8>,
    pub(super) verdict: Verdict,
    /// Its object was deleted with its image.
    is_deleted: bool,
    /// Its object may be deleted.
    may_be_gone: bool,
}

impl Verify {
    pub(super) fn new(open: Open) -> Self {
        Self { open, rows: Vec::new() }
    }

    pub(super) fn add(&mut self, line: u64, text: &[u8], row: &Row<'_>, verdict: Verdict) {
        let (is_deleted, may_be_gone) = (row.is_deleted(), row.is_pending_delete());
        self.rows.push(Verified { line, text: text.to_owned(), verdict, is_deleted, may_be_gone });
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= AT_ONCE
    }

    /// Requests the objects, and returns the rows in their order.
    ///
    /// # Errors
    ///
    /// A server can't be reached, or a signal arrived.
    pub(super) fn settle(&mut self) -> Result<Vec<Verified>, Failure> {
        let mut rows = mem::take(&mut self.rows);
        let open = &self.open;
        thread::scope(|scope| {
            let threads: Vec<_> =
                rows.iter_mut().map(|row| scope.spawn(|| row.verify(open))).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(verified) => verified,
                Err(_) => Err(Failure::new(Exit::Other, "the verification of a row panicked")),
            })
        })?;
        Ok(rows)
    }
}

impl Verified {
    fn verify(&mut self, open: &Open) -> Result<(), Failure> {
        let Verdict::Changed { url, store, credentials_found: true, .. } = &self.verdict else {
            return Ok(());
        };
        if self.is_deleted {
            return Ok(());
        }
        let problem = match open.stores.size(&StoredImage::new(url.as_str(), Some(store))) {
            Ok(access) => match access.migration {
                None => return Ok(()),
                Some(_) => "the new location is not that of its backend".to_owned(),
            },
            Err(error) if error.kind() == StoreErrorKind::NotFound && self.may_be_gone => {
                return Ok(());
            }
            Err(error) => {
                let failure = Failure::from(error);
                if matches!(failure.exit, Exit::Unavailable | Exit::Interrupted) {
                    return Err(failure);
                }
                failure.message
            }
        };
        self.verdict = Verdict::Refused(format!(
            "the object can't be read with the credentials of backend {store:?}: {problem}"
        ));
        Ok(())
    }
}

/// The most objects that are requested at once.
const AT_ONCE: usize = 16;
