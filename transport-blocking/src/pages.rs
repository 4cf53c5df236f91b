//! Lists that are read page by page.

use std::fmt;
use std::vec;

use apus_core::Error;
use apus_core::contract::{Paged, Pages};

use crate::client::Client;

/// The pages of a list, from [`Client::pages`]. Each is requested when it is asked for.
pub struct PageIter<O: Paged> {
    pub(crate) client: Client<O::Service>,
    pub(crate) pages: Pages<O>,
}

impl<O: Paged> PageIter<O> {
    /// Returns all pages.
    ///
    /// # Errors
    ///
    /// That of the first page that could not be read.
    pub fn try_collect(self) -> Result<Vec<O::Output>, Error> {
        self.collect()
    }
}

impl<O: Paged> Iterator for PageIter<O> {
    type Item = Result<O::Output, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let page = match self.client.call(self.pages.request()?.clone()) {
            Ok(page) => page,
            Err(error) => {
                self.pages.end();
                return Some(Err(error));
            }
        };
        Some(self.pages.advance(&page).map(|()| page))
    }
}

/// The items of a list, from [`Client::items`]. A page is requested when all items of the page
/// before it were taken.
pub struct Items<O: Paged> {
    pub(crate) client: Client<O::Service>,
    pub(crate) pages: Pages<O>,
    pub(crate) ready: vec::IntoIter<O::Item>,
}

impl<O: Paged> Items<O> {
    /// Returns the items of all pages.
    ///
    /// # Errors
    ///
    /// That of the first page that could not be read.
    pub fn try_collect(self) -> Result<Vec<O::Item>, Error> {
        self.collect()
    }

    /// Requests the next page that is not empty.
    fn fill(&mut self) -> Result<(), Error> {
        while self.ready.len() == 0
            && let Some(request) = self.pages.request()
        {
            let page = self.client.call(request.clone())?;
            self.pages.advance(&page)?;
            self.ready = O::items(page)?.into_iter();
        }
        Ok(())
    }
}

impl<O: Paged> Iterator for Items<O> {
    type Item = Result<O::Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fill() {
            self.pages.end();
            return Some(Err(error));
        }
        self.ready.next().map(Ok)
    }
}

impl<O: Paged> fmt::Debug for PageIter<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageIter").field("operation", &O::NAME).finish_non_exhaustive()
    }
}

impl<O: Paged> fmt::Debug for Items<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("operation", &O::NAME).finish_non_exhaustive()
    }
}
