//! GET of a container: the listing of its objects.

use std::io;

use serde::Deserialize;

use crate::swift::container::ContainerHead;
use crate::swift::listing::{self, Lenient, Moment, Number, Window};
use crate::swift::operation::*;
use crate::swift::types::ETag;

operation! {
    /// Lists a page of a container's objects, in the order of their names. "Show container details
    /// and list objects", Object Storage API.
    ///
    /// [`next`](Self::next) gives the page after this one. A page may be shorter than its limit;
    /// only an empty page is the last. Listings may lag behind writes.
    ///
    /// ```
    /// use apus_core::swift::GetContainer;
    ///
    /// let mut list = GetContainer::new("images").prefix("debian/");
    /// // One level: deeper names are grouped in subdirectories.
    /// list.delimiter = Some("/".into());
    /// // From the newest of all replicas instead of the first that responds.
    /// list.newest = true;
    /// ```
    pub struct GetContainer on container {
        /// Lists only names that begin with this prefix.
        pub prefix: Option<String>,
        /// Names with this delimiter after the prefix are rolled up to the end of its first
        /// occurrence.
        pub delimiter: Option<String>,
        /// Lists only names after this one; in reverse, before it.
        pub marker: Option<String>,
        /// Lists only names before this one; in reverse, after it.
        pub end_marker: Option<String>,
        /// The most entries in the page. More than the server's limit, 10,000 unless `/info` says
        /// otherwise, is a 412.
        pub limit: Option<u32>,
        /// Lists in reverse order.
        pub reverse: bool,
        /// Whether the newest of all replicas is requested: `X-Newest`.
        pub newest: bool,
    }
}

impl GetContainer {
    /// Limits the list to names that begin with this prefix.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..self }
    }

    /// Returns the request for the page after this one; `None` after an empty page.
    ///
    /// # Errors
    ///
    /// The last name of the page does not come after its marker, so that the listing would not end.
    pub fn next(&self, page: &GetContainerOutput) -> Result<Option<Self>, Error> {
        let marker = self.window().onward(page.entries.last().map(Entry::name))?;
        Ok(marker.map(|marker| Self { marker: Some(marker), ..self.clone() }))
    }

    fn window(&self) -> Window<'_> {
        Window {
            prefix: self.prefix.as_ref(),
            delimiter: self.delimiter.as_ref(),
            marker: self.marker.as_ref(),
            end_marker: self.end_marker.as_ref(),
            limit: self.limit,
            reverse: self.reverse,
        }
    }
}

/// A page of a container's listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetContainerOutput {
    /// Objects and common prefixes, in order.
    pub entries: Vec<Entry>,
    /// What the headers say about the container.
    pub head: ContainerHead,
}

impl GetContainerOutput {
    /// Returns the objects alone.
    pub fn objects(&self) -> impl Iterator<Item = &ListedObject> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Object(object) => Some(object),
            Entry::Subdir(_) => None,
        })
    }

    /// Returns the common prefixes that names were rolled up to.
    pub fn subdirs(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Object(_) => None,
            Entry::Subdir(name) => Some(name.as_str()),
        })
    }
}

/// An entry of a container's listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An object.
    Object(ListedObject),
    /// The common prefix of one or more names, up to and with the delimiter.
    Subdir(String),
}

impl Entry {
    /// Returns the object's name, or the common prefix.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.name,
            Self::Subdir(name) => name,
        }
    }
}

/// An object in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedObject {
    /// Its name.
    pub name: String,
    /// The MD5 of its bytes; of a large object, that of its manifest.
    pub hash: Option<ETag>,
    /// The ETag of a static large object.
    pub slo_etag: Option<ETag>,
    /// Its length in bytes; 0 for a dynamic large object.
    pub bytes: Option<u64>,
    /// Its content type.
    pub content_type: Option<String>,
    /// When it was last modified, cut to the second; HEAD rounds up.
    pub last_modified: Option<Timestamp>,
    /// The target of a symbolic link, as `/v1/account/container/object`.
    pub symlink_path: Option<String>,
}

impl ListedObject {
    /// Returns whether the object was uploaded from these bytes, in one request or as a static
    /// large object with segments of `segment_size` bytes, by its ETag: see
    /// [`ETag::is_of_segments`]. False for a dynamic large object. Compare the size first.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn is_of(&self, reader: impl io::Read, segment_size: u64) -> io::Result<bool> {
        match (&self.slo_etag, &self.hash) {
            (Some(slo), _) => slo.is_of_segments(reader, segment_size),
            (None, Some(hash)) => hash.is_of(reader, u64::MAX),
            (None, None) => Ok(false),
        }
    }
}

/// An entry as the server writes it.
#[derive(Deserialize)]
struct Written {
    name: Option<String>,
    #[serde(default)]
    subdir: Lenient<String>,
    #[serde(default)]
    hash: Lenient<String>,
    #[serde(default)]
    slo_etag: Lenient<String>,
    #[serde(default)]
    bytes: Lenient<Number>,
    #[serde(default)]
    content_type: Lenient<String>,
    #[serde(default)]
    last_modified: Lenient<Moment>,
    #[serde(default)]
    symlink_path: Lenient<String>,
}

impl Written {
    fn entry(self) -> Option<Entry> {
        // swiftclient takes an entry that has both for a common prefix.
        if let Some(subdir) = self.subdir.0 {
            return Some(Entry::Subdir(subdir));
        }
        let name = self.name?;
        Some(Entry::Object(ListedObject {
            name,
            hash: self.hash.0.map(ETag::from),
            slo_etag: self.slo_etag.0.map(ETag::from),
            bytes: self.bytes.0.map(|Number(bytes)| bytes),
            content_type: self.content_type.0,
            last_modified: self.last_modified.0.map(|Moment(at)| at),
            symlink_path: self.symlink_path.0,
        }))
    }
}

impl Operation for GetContainer {
    facts!(GetContainer in container: Read -> GetContainerOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::GET, &self.container)?
            .json()
            .with(&self.window())
            .header("x-newest", self.newest.then_some("true"))
            .finish()
            .map(listing::roomy)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<GetContainerOutput, Error> {
        let written: Vec<Written> = listing::entries(reply)?;
        let entries = written.into_iter().enumerate();
        let entries =
            entries.map(|(at, entry)| entry.entry().ok_or_else(|| listing::unnamed(reply, at)));
        Ok(GetContainerOutput {
            entries: entries.collect::<Result<_, _>>()?,
            head: ContainerHead::read(reply),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{parsed, sent};

    fn list() -> GetContainer {
        GetContainer::new("c")
    }

    #[test]
    fn everything_that_can_be_asked_for() {
        let mut list = list();
        list.prefix = Some("a/".into());
        list.delimiter = Some("/".into());
        list.marker = Some("a/é b".into());
        list.end_marker = Some("z&".into());
        list.limit = Some(10);
        list.reverse = true;
        list.newest = true;
        assert_eq!(
            sent(&list).unwrap(),
            "GET /c?format=json&prefix=a%2F&delimiter=%2F&marker=a%2F%C3%A9%20b&end_marker=z%26\
             &limit=10&reverse=true\naccept: application/json\nx-newest: true"
        );
    }

    // A page of Swift 2.38: an object, an SLO and a rolled up name.
    #[test]
    fn a_page() {
        let body = r#"[
            {"bytes": 14, "hash": "451e372e48e0f6b1114fa0724aa79fa1", "name": "goodbye",
             "content_type": "application/octet-stream", "last_modified": "2014-01-15T16:41:49.390270"},
            {"bytes": 10, "hash": "0d599f0ec05c3bda8c3b8a68c32a1b47", "name": "slo",
             "slo_etag": "\"a9241ba5acd28b215123d94a556f0dcc\"", "unheard": {"of": []}},
            {"subdir": "x\u00e9/"}]"#;
        let head = "x-container-object-count: 2\nx-container-bytes-used: 24\n\
            x-storage-policy: gold\nx-container-read: .r:*\nx-container-meta-colour: red\n\
            x-container-meta-temp-url-key: hush";
        let page = parsed(&list(), 200, head, body).unwrap();
        let [goodbye, slo] = page.objects().collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((goodbye.name.as_str(), goodbye.bytes), ("goodbye", Some(14)));
        assert_eq!(goodbye.last_modified.unwrap().iso8601(), "2014-01-15T16:41:49Z");
        assert_eq!(slo.slo_etag.as_ref().unwrap().opaque(), "a9241ba5acd28b215123d94a556f0dcc");
        assert_eq!(page.subdirs().collect::<Vec<_>>(), ["xé/"]);
        assert_eq!(page.head.object_count, Some(2));
        assert_eq!(page.head.metadata, [("colour".to_owned(), "red".to_owned())].into());
        assert!(!format!("{page:?}").contains("hush"));
        let next = list().next(&page).unwrap().unwrap();
        assert_eq!(next.marker.as_deref(), Some("xé/"));
    }

    // A text listing of an empty container is a 204, a JSON one 200 with `[]`.
    #[test]
    fn an_empty_page_is_the_last() {
        for (status, body) in [(204, ""), (200, "[]"), (200, "")] {
            let page = parsed(&list(), status, "", body).unwrap();
            assert_eq!(list().next(&page).unwrap(), None);
        }
    }

    #[test]
    fn a_listing_that_goes_round() {
        let page = |names: &[&str]| {
            let entries: Vec<_> =
                names.iter().map(|name| format!("{{\"name\": \"{name}\"}}")).collect();
            parsed(&list(), 200, "", &format!("[{}]", entries.join(","))).unwrap()
        };
        let from =
            |marker: &str, reverse| GetContainer { marker: Some(marker.into()), reverse, ..list() };
        assert!(from("b", false).next(&page(&["c"])).unwrap().is_some());
        assert!(from("b", true).next(&page(&["a"])).unwrap().is_some());
        for (list, last) in
            [(from("b", false), "b"), (from("b", false), "a"), (from("b", true), "c")]
        {
            let error = list.next(&page(&[last])).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the listing does not advance: after marker \"b\" it ends with {last:?}")
            );
        }
    }

    #[test]
    fn what_is_no_listing() {
        for (body, why) in [
            ("a\nb\n", "the listing is not valid JSON: expected value at line 1 column 1"),
            (
                "{}",
                "the listing is not valid JSON: invalid type: map, expected a sequence at line 1 \
                 column 0",
            ),
            ("[{\"bytes\": 1}]", "entry 0 of the listing has no name"),
            ("[{\"name\": \"a\"}, {\"name\": null}]", "entry 1 of the listing has no name"),
        ] {
            let error = parsed(&list(), 200, "", body).unwrap_err();
            assert_eq!(
                (error.message(), error.kind()),
                (why, crate::Kind::InvalidResponse),
                "{body}"
            );
        }
    }
}
