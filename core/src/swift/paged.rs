//! Lists that are read page by page.

use super::*;
use crate::contract::Paged;
use crate::error::Error;

impl Paged for GetContainer {
    type Item = Entry;

    fn next_page(&self, page: &GetContainerOutput) -> Result<Option<Self>, Error> {
        self.next(page)
    }

    fn is_empty(page: &GetContainerOutput) -> bool {
        page.entries.is_empty()
    }

    fn items(page: GetContainerOutput) -> Result<Vec<Entry>, Error> {
        Ok(page.entries)
    }
}

impl Paged for GetAccount {
    type Item = ListedContainer;

    fn next_page(&self, page: &GetAccountOutput) -> Result<Option<Self>, Error> {
        self.next(page)
    }

    fn is_empty(page: &GetAccountOutput) -> bool {
        page.containers.is_empty() && page.subdirs.is_empty()
    }

    fn items(page: GetAccountOutput) -> Result<Vec<ListedContainer>, Error> {
        match page.subdirs.first() {
            None => Ok(page.containers),
            Some(first) => Err(Error::invalid_input(format!(
                "the list has common prefixes ({first:?}) beside its containers: list the pages \
                 instead, or leave out the delimiter"
            ))),
        }
    }
}
