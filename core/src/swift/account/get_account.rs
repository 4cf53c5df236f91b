//! GET of the account: the listing of its containers.

use serde::Deserialize;

use crate::swift::account::AccountHead;
use crate::swift::listing::{self, Lenient, Moment, Number, Window};
use crate::swift::operation::*;

operation! {
    /// Lists a page of the account's containers, in the order of their names. "Show account details
    /// and list containers", Object Storage API.
    ///
    /// [`next`](Self::next) gives the page after this one. A page may be shorter than its limit;
    /// only an empty page is the last.
    ///
    /// ```
    /// use apus_core::swift::GetAccount;
    ///
    /// let mut list = GetAccount::new();
    /// // Containers before this name; with `marker`, those between the two.
    /// list.end_marker = Some("images-2027".into());
    /// ```
    pub struct GetAccount {
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
    }
    new()
}

impl GetAccount {
    /// Returns the request for the page after this one; `None` after an empty page.
    ///
    /// # Errors
    ///
    /// The last name of the page does not come after its marker, so that the listing would not end.
    pub fn next(&self, page: &GetAccountOutput) -> Result<Option<Self>, Error> {
        let marker = self.window().onward(page.last.as_deref())?;
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

/// A page of an account's listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetAccountOutput {
    /// The containers, in order.
    pub containers: Vec<ListedContainer>,
    /// The common prefixes that names were rolled up to.
    pub subdirs: Vec<String>,
    /// What the headers say about the account.
    pub head: AccountHead,
    /// The last name or common prefix of the page.
    last: Option<String>,
}

/// A container in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedContainer {
    /// Its name.
    pub name: String,
    /// How many objects it holds.
    pub count: Option<u64>,
    /// How many bytes they have in total.
    pub bytes: Option<u64>,
    /// When it was last modified, cut to the second.
    pub last_modified: Option<Timestamp>,
    /// Its storage policy, if the server reports it.
    pub storage_policy: Option<String>,
}

/// An entry as the server writes it.
#[derive(Deserialize)]
struct Written {
    name: Option<String>,
    #[serde(default)]
    subdir: Lenient<String>,
    #[serde(default)]
    count: Lenient<Number>,
    #[serde(default)]
    bytes: Lenient<Number>,
    #[serde(default)]
    last_modified: Lenient<Moment>,
    #[serde(default)]
    storage_policy: Lenient<String>,
}

impl Operation for GetAccount {
    facts!(GetAccount: Read -> GetAccountOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::account(service, Self::NAME, Method::GET)
            .json()
            .with(&self.window())
            .finish()
            .map(listing::roomy)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<GetAccountOutput, Error> {
        let written: Vec<Written> = listing::entries(reply)?;
        let mut page =
            GetAccountOutput { head: AccountHead::read(reply), ..GetAccountOutput::default() };
        for (at, entry) in written.into_iter().enumerate() {
            let subdir = entry.subdir.0;
            page.last = subdir.clone().or_else(|| entry.name.clone());
            match (entry.name, subdir) {
                (_, Some(subdir)) => page.subdirs.push(subdir),
                (Some(name), None) => page.containers.push(ListedContainer {
                    name,
                    count: entry.count.0.map(|Number(count)| count),
                    bytes: entry.bytes.0.map(|Number(bytes)| bytes),
                    last_modified: entry.last_modified.0.map(|Moment(at)| at),
                    storage_policy: entry.storage_policy.0,
                }),
                (None, None) => return Err(listing::unnamed(reply, at)),
            }
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{parsed, sent};

    // "Show account details and list containers", Object Storage API: the example.
    #[test]
    fn the_example() {
        let list = GetAccount { limit: Some(2), ..GetAccount::new() };
        assert_eq!(sent(&list).unwrap(), "GET /?format=json&limit=2\naccept: application/json");
        let body = r#"[{"count": 0, "bytes": 0, "name": "janeausten",
                "last_modified": "2013-11-19T20:08:13.283452"},
            {"count": 1, "bytes": "14", "name": "marktwain",
                "last_modified": "2016-04-29T16:23:50.460230"}]"#;
        let head = "x-account-object-count: 1\nx-account-storage-policy-standard-silver-bytes-used: 14\n\
            x-account-container-count: 2\nx-account-storage-policy-standard-silver-object-count: 1\n\
            x-account-meta-book: MobyDick\nx-account-meta-temp-url-key-2: hush";
        let page = parsed(&list, 200, head, body).unwrap();
        let names: Vec<_> = page.containers.iter().map(|one| (&*one.name, one.bytes)).collect();
        assert_eq!(names, [("janeausten", Some(0)), ("marktwain", Some(14))]);
        let silver = page.head.policies["standard-silver"];
        assert_eq!((silver.bytes_used, silver.object_count), (Some(14), Some(1)));
        assert_eq!(page.head.metadata["book"], "MobyDick");
        assert_eq!(page.head.temp_url_keys[1].as_ref().unwrap().expose(), "hush");
        let next = list.next(&page).unwrap().unwrap();
        assert_eq!(next.marker.as_deref(), Some("marktwain"));
        assert!(next.next(&page).is_err());
        let page = parsed(&list, 204, "", "").unwrap();
        assert_eq!(list.next(&page).unwrap(), None);
    }
}
