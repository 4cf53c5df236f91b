//! Lists that are read page by page.
//!
//! ```text
//!   1st page         2nd page         3rd page                 asked for by the caller
//!   ── request ──▶   ── request ──▶   (already there)
//!                                     ── request ──▶ 4th …      sent ahead, in tasks of their own
//! ```
//!
//! A page that is requested ahead is a task of its own, which runs whether or not it is polled for.
//! Otherwise a caller that does other work between two pages would keep a place of the client's
//! limit of requests at once, for which that work may wait.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use apus_core::Error;
use apus_core::contract::{Operation, Paged, Pages};
use apus_core::error::ExchangeError;
use futures_core::Stream;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::drive::in_span;

/// The pages of a list, from [`Client::pages`]: a [`Stream`]. The first two pages are requested when
/// they are polled for. After that, the next page is requested while the caller uses the present
/// one: see [`read_ahead`](Self::read_ahead).
pub struct PageStream<O: Paged> {
    client: Client<O::Service>,
    pages: Pages<O>,
    calling: Option<Calling<O>>,
    read_ahead: bool,
    /// Whether a page was returned.
    begun: bool,
}

type PageResult<O> = Result<<O as Operation>::Output, Error>;

/// A request for a page.
enum Calling<O: Paged> {
    /// In the caller's task.
    Here(Pin<Box<dyn Future<Output = PageResult<O>> + Send>>),
    /// Ahead, in a task of its own.
    Ahead(Ahead<O>),
}

/// A page that is requested ahead. Dropping it cancels the request.
struct Ahead<O: Paged>(JoinHandle<PageResult<O>>);

impl<O: Paged> Drop for Ahead<O> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<O> PageStream<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    pub(crate) fn new(client: Client<O::Service>, pages: Pages<O>) -> Self {
        Self { client, pages, calling: None, read_ahead: true, begun: false }
    }

    /// Whether pages are requested ahead, one at a time, from the third page on. The default is yes:
    /// who reads two pages or more, and stops before the last, has sent one request more than it
    /// has read pages.
    ///
    /// ```no_run
    /// # async fn first(client: apus_async::Client<apus_async::s3::Service>) -> Result<(), apus_async::Error> {
    /// use apus_async::s3::ListObjectsV2;
    ///
    /// let mut pages = client.pages(ListObjectsV2::new("logs")).read_ahead(false);
    /// while let Some(page) = pages.next().await {
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

    /// Waits for the next page; `None` after the last one or an error.
    pub async fn next(&mut self) -> Option<Result<O::Output, Error>> {
        poll_fn(|cx| self.poll_page(cx)).await
    }

    /// Returns all pages.
    ///
    /// # Errors
    ///
    /// That of the first page that could not be read.
    pub async fn try_collect(mut self) -> Result<Vec<O::Output>, Error> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await {
            all.push(page?);
        }
        Ok(all)
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<PageResult<O>>> {
        let calling = match &mut self.calling {
            Some(calling) => calling,
            None => {
                let Some(call) = self.call() else { return Poll::Ready(None) };
                self.calling.insert(Calling::Here(Box::pin(call)))
            }
        };
        let called = match calling {
            Calling::Here(call) => ready!(call.as_mut().poll(cx)),
            Calling::Ahead(ahead) => match ready!(Pin::new(&mut ahead.0).poll(cx)) {
                Ok(called) => called,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime has ended.
                    Err(_) => Err(ExchangeError::cancelled().into()),
                },
            },
        };
        self.calling = None;
        let page = match called {
            Ok(page) => self.pages.advance(&page).map(|()| page),
            Err(error) => {
                self.pages.end();
                Err(error)
            }
        };
        if page.is_ok() && std::mem::replace(&mut self.begun, true) && self.read_ahead {
            let call = self.call();
            self.calling = call.map(|call| Calling::Ahead(Ahead(tokio::spawn(in_span(call)))));
        }
        Poll::Ready(Some(page))
    }

    /// Ends the list.
    fn end(&mut self) {
        self.pages.end();
        self.calling = None;
    }

    /// Returns the request for the next page.
    fn call(&self) -> Option<impl Future<Output = PageResult<O>> + Send + use<O>> {
        let (request, client) = (self.pages.request()?.clone(), self.client.clone());
        Some(async move { client.call(request).await })
    }
}

impl<O: Paged> Unpin for PageStream<O> {}

impl<O> Stream for PageStream<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    type Item = Result<O::Output, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_page(cx)
    }
}

/// The items of a list, from [`Client::items`]: a [`Stream`]. Pages are requested as
/// [`PageStream`] does.
pub struct Items<O: Paged> {
    pub(crate) pages: PageStream<O>,
    pub(crate) ready: vec::IntoIter<O::Item>,
}

impl<O> Items<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    /// Whether pages are requested ahead: as [`PageStream::read_ahead`].
    #[must_use]
    pub fn read_ahead(mut self, read_ahead: bool) -> Self {
        self.pages = self.pages.read_ahead(read_ahead);
        self
    }

    /// Waits for the next item; `None` after the last one or an error.
    pub async fn next(&mut self) -> Option<Result<O::Item, Error>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// Returns the items of all pages.
    ///
    /// # Errors
    ///
    /// That of the first page that could not be read.
    pub async fn try_collect(mut self) -> Result<Vec<O::Item>, Error> {
        let mut all = Vec::new();
        while let Some(item) = self.next().await {
            all.push(item?);
        }
        Ok(all)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<O::Item, Error>>> {
        loop {
            if let Some(item) = self.ready.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            let Some(page) = ready!(self.pages.poll_page(cx)) else { return Poll::Ready(None) };
            match page.and_then(O::items) {
                Ok(items) => self.ready = items.into_iter(),
                Err(error) => {
                    self.pages.end();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl<O: Paged> Unpin for Items<O> {}

impl<O> Stream for Items<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    type Item = Result<O::Item, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<O: Paged> fmt::Debug for PageStream<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageStream").field("operation", &O::NAME).finish_non_exhaustive()
    }
}

impl<O: Paged> fmt::Debug for Items<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("operation", &O::NAME).finish_non_exhaustive()
    }
}
