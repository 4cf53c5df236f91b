//! Lists that are read page by page.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use apus_core::Error;
use apus_core::contract::{Operation, Paged, Pages};
use futures_core::Stream;

use crate::client::Client;

/// The pages of a list, from [`Client::pages`]: a [`Stream`]. Each page is requested when it is
/// polled for.
pub struct PageStream<O: Paged> {
    client: Client<O::Service>,
    pages: Pages<O>,
    calling: Option<Calling<O>>,
}

type Calling<O> = Pin<Box<dyn Future<Output = Result<<O as Operation>::Output, Error>> + Send>>;

impl<O> PageStream<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
    pub(crate) fn new(client: Client<O::Service>, pages: Pages<O>) -> Self {
        Self { client, pages, calling: None }
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

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<O::Output, Error>>> {
        let calling = match &mut self.calling {
            Some(calling) => calling,
            None => {
                let Some(request) = self.pages.request().cloned() else { return Poll::Ready(None) };
                let client = self.client.clone();
                self.calling.insert(Box::pin(async move { client.call(request).await }))
            }
        };
        let called = ready!(calling.as_mut().poll(cx));
        self.calling = None;
        Poll::Ready(Some(match called {
            Ok(page) => self.pages.advance(&page).map(|()| page),
            Err(error) => {
                self.pages.end();
                Err(error)
            }
        }))
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

/// The items of a list, from [`Client::items`]: a [`Stream`]. A page is requested when all items
/// of the page before it were taken.
pub struct Items<O: Paged> {
    pub(crate) pages: PageStream<O>,
    pub(crate) ready: vec::IntoIter<O::Item>,
}

impl<O> Items<O>
where
    O: Paged<Service: Send + Sync + 'static, Output: Send> + Send + 'static,
{
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
                    self.pages.pages.end();
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
