//! Accounts and their containers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::super::dates::iso_micros;
use super::super::message::Reply;
use super::headers::Headers;
use super::listing::{self, Entry};
use super::objects::SwiftObject;
use super::operation::{Call, OpenStackOperation, Target};
use super::reply;
use super::{Answer, OpenStackModel};

/// An account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub(super) headers: Headers,
    pub(super) containers: BTreeMap<String, Container>,
    created: Duration,
}

/// A container.
#[derive(Debug, Clone)]
pub struct Container {
    pub(super) headers: Headers,
    pub(super) objects: BTreeMap<String, SwiftObject>,
    /// Its storage policy.
    pub policy: String,
    pub(super) created: Duration,
    pub(super) changed: Duration,
}

impl Account {
    /// Returns a header of its metadata (`X-Account-Meta-Colour`).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    pub(super) fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set(name, value);
    }
}

impl Container {
    pub(super) fn new(now: Duration, policy: String) -> Self {
        Self {
            headers: Headers::default(),
            objects: BTreeMap::new(),
            policy,
            created: now,
            changed: now,
        }
    }

    /// Stores an object. The row of a listing stays until that of a newer object takes its place, in
    /// one transaction (`merge_objects` in `swift/container/backend.py`, Swift 2.38).
    pub(super) fn put(&mut self, name: &str, mut object: SwiftObject) {
        if let Some(before) = self.objects.get(name) {
            object.listed = before.listed;
        }
        self.objects.insert(name.to_owned(), object);
    }

    /// Returns a header of its metadata or its access control (`X-Container-Read`).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Returns the bytes of all its objects; a manifest counts with the size of its content.
    pub fn bytes_used(&self) -> u64 {
        self.objects.values().map(SwiftObject::size).sum()
    }
}

impl OpenStackModel {
    pub(super) fn account_mut(&mut self, name: &str) -> &mut Account {
        let created = self.now;
        self.accounts
            .entry(name.to_owned())
            .or_insert_with(|| Account { created, ..Account::default() })
    }

    pub(super) fn container(&self, target: &Target) -> Option<&Container> {
        self.accounts.get(&target.account)?.containers.get(&target.container)
    }

    /// Handles GetAccount and HeadAccount: the list of containers. A request creates its account.
    pub(super) fn get_account(&mut self, call: &Call<'_>, target: &Target) -> Answer {
        listing::check_limit(call, self.limits.container_listing_limit)?;
        let limit = self.limits.container_listing_limit;
        let account = self.account_mut(&target.account);
        let head = |reply: Reply| {
            let objects: usize = account.containers.values().map(|each| each.objects.len()).sum();
            let bytes: u64 = account.containers.values().map(Container::bytes_used).sum();
            let reply = reply
                .header("X-Account-Container-Count", account.containers.len().to_string())
                .header("X-Account-Object-Count", objects.to_string())
                .header("X-Account-Bytes-Used", bytes.to_string())
                .header("X-Timestamp", listing::timestamp(account.created));
            account.headers.dress(reply).header("Accept-Ranges", "bytes")
        };
        if call.operation == OpenStackOperation::HeadAccount {
            return Ok(head(listing::no_content()));
        }
        let names = account.containers.keys().map(String::as_str);
        let entries = listing::select(call, names, limit);
        if !call.wants_json() {
            return listing::text(call, &entries).map(head);
        }
        let entries: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Name(name) => {
                    let container = account.containers.get(name)?;
                    Some(json!({
                        "name": name,
                        "count": container.objects.len(),
                        "bytes": container.bytes_used(),
                        "last_modified": iso_micros(container.created),
                        "storage_policy": container.policy,
                    }))
                }
                Entry::Subdir(name) => Some(json!({"subdir": name})),
            })
            .collect();
        Ok(head(listing::json(&entries)))
    }

    /// Handles PostAccount: metadata that is not named stays.
    pub(super) fn post_account(&mut self, call: &Call<'_>, target: &Target) -> Reply {
        let account = self.account_mut(&target.account);
        account.headers.update(call.request, |name| name.starts_with("x-account-meta-"));
        reply::said(204, "")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn an_object_that_is_written_again_stays_listed() {
        let seconds = Duration::from_secs;
        let mut model = OpenStackModel::new();
        let account = model.account_of("demo");
        let container = Container::new(Duration::ZERO, "gold".to_owned());
        model.account_mut(&account).containers.insert("c".to_owned(), container);
        model.set_listing_lag(seconds(5));
        let is_listed = |model: &OpenStackModel| {
            model.object_of("demo", "c", "o").is_some_and(|object| model.is_listed("o", object))
        };
        model.set_now(seconds(1000));
        model.put_foreign("demo", "c", "o", Bytes::from_static(b"1"));
        assert!(!is_listed(&model));
        model.set_now(seconds(1003));
        model.put_foreign("demo", "c", "o", Bytes::from_static(b"2"));
        assert!(!is_listed(&model));
        model.set_now(seconds(1006));
        assert!(is_listed(&model));
        model.put_foreign("demo", "c", "o", Bytes::from_static(b"3"));
        assert!(is_listed(&model));
    }
}
