//! Lists that are read page by page.
//!
//! ```text
//!   1st page         2nd page         3rd page                 asked for by the caller
//!   ── request ──▶   ── request ──▶   (already there)
//!                                     ── request ──▶ 4th …      sent ahead, on a thread each
//! ```

use std::fmt;
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};
use std::vec;

use apus_core::Error;
use apus_core::contract::{Operation, Paged, Pages};
use apus_host::trace;

use crate::client::Client;

/// The pages of a list, from [`Client::pages`]. The first two pages are requested when they are
/// asked for. After that, the next page is requested, on a thread of its own, while the caller uses
/// the present one: see [`read_ahead`](Self::read_ahead). Where the iterator is dropped before, its
/// thread reads that page to the end and discards it.
pub struct PageIter<O: Paged> {
    client: Client<O::Service>,
    pages: Pages<O>,
    ahead: Option<JoinHandle<PageResult<O>>>,
    read_ahead: bool,
    /// Whether a page was returned.
    begun: bool,
}

type PageResult<O> = Result<<O as Operation>::Output, Error>;

impl<O: Paged> PageIter<O> {
    pub(crate) fn new(client: Client<O::Service>, pages: Pages<O>) -> Self {
        Self { client, pages, ahead: None, read_ahead: true, begun: false }
    }

    /// Whether pages are requested ahead, one at a time, from the third page on. The default is yes:
    /// who reads two pages or more, and stops before the last, has sent one request more than it
    /// has read pages.
    ///
    /// ```no_run
    /// # fn first(client: apus_blocking::Client<apus_blocking::s3::Service>) -> Result<(), apus_blocking::Error> {
    /// use apus_blocking::s3::ListObjectsV2;
    ///
    /// for page in client.pages(ListObjectsV2::new("logs")).read_ahead(false) {
    ///     println!("{} objects", page?.contents.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn read_ahead(mut self, read_ahead: bool) -> Self {
        self.read_ahead = read_ahead;
        self
    }
}

impl<O> PageIter<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    /// Returns all pages.
    ///
    /// # Errors
    ///
    /// That of the first page that could not be read.
    pub fn try_collect(self) -> Result<Vec<O::Output>, Error> {
        self.collect()
    }

    fn fetch(&mut self) -> Option<PageResult<O>> {
        match self.ahead.take() {
            Some(ahead) => Some(ahead.join().unwrap_or_else(|panic| resume_unwind(panic))),
            None => Some(self.client.call(self.pages.request()?.clone())),
        }
    }

    /// Ends the list.
    fn end(&mut self) {
        self.pages.end();
        self.ahead = None;
    }

    /// Requests the next page on a thread of its own. Where no thread can be started, the page is
    /// requested when it is asked for.
    fn fetch_ahead(&mut self) {
        let Some(request) = self.pages.request().cloned() else { return };
        let client = self.client.clone();
        let span = trace::Span::current();
        let call = move || {
            let _entered = span.enter();
            client.call(request)
        };
        self.ahead = thread::Builder::new().name("apus-page".into()).spawn(call).ok();
    }
}

impl<O> Iterator for PageIter<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    type Item = Result<O::Output, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let page = match self.fetch()? {
            Ok(page) => page,
            Err(error) => {
                self.pages.end();
                return Some(Err(error));
            }
        };
        if let Err(error) = self.pages.advance(&page) {
            return Some(Err(error));
        }
        if std::mem::replace(&mut self.begun, true) && self.read_ahead {
            self.fetch_ahead();
        }
        Some(Ok(page))
    }
}

/// The items of a list, from [`Client::items`]. Pages are requested as [`PageIter`] does.
pub struct Items<O: Paged> {
    pages: PageIter<O>,
    ready: vec::IntoIter<O::Item>,
}

impl<O: Paged> Items<O> {
    pub(crate) fn new(pages: PageIter<O>) -> Self {
        Self { pages, ready: Vec::new().into_iter() }
    }

    /// Whether pages are requested ahead: as [`PageIter::read_ahead`].
    #[must_use]
    pub fn read_ahead(mut self, read_ahead: bool) -> Self {
        self.pages = self.pages.read_ahead(read_ahead);
        self
    }
}

impl<O> Items<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    /// Returns the items of all pages.
    ///
    /// # Errors
    ///
    /// That of the first page that could not be read.
    pub fn try_collect(self) -> Result<Vec<O::Item>, Error> {
        self.collect()
    }
}

impl<O> Iterator for Items<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    type Item = Result<O::Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.ready.next() {
                return Some(Ok(item));
            }
            match self.pages.next()?.and_then(O::items) {
                Ok(items) => self.ready = items.into_iter(),
                Err(error) => {
                    self.pages.end();
                    return Some(Err(error));
                }
            }
        }
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
