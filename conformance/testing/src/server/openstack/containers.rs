//! Operations on containers.

use serde_json::json;

use super::super::dates::{http_date, iso_micros};
use super::super::message::{Reply, Request};
use super::listing::{self, Entry};
use super::objects::ceiling;
use super::operation::{Call, OpenStackOperation, Target};
use super::reply::{self, Refusal};
use super::{Answer, Container, OpenStackModel};

impl OpenStackModel {
    /// Handles PutContainer: 201 for a new container, 202 for an existing one.
    pub(super) fn put_container(&mut self, call: &Call<'_>, target: &Target) -> Answer {
        let length = target.container.len();
        if length > MAX_NAME {
            let text = format!("Container name length of {length} longer than {MAX_NAME}");
            return Err(reply::said(400, text).into());
        }
        let wanted = call.header("x-storage-policy").filter(|policy| !policy.is_empty());
        let known = |wanted: &str| {
            let mut policies = self.limits.policies.iter();
            policies.find(|policy| policy.eq_ignore_ascii_case(wanted)).cloned()
        };
        let policy = match wanted {
            None => self.limits.policies.first().cloned().unwrap_or_default(),
            Some(wanted) => known(wanted).ok_or_else(|| {
                Refusal::from(reply::plain(400, format!("Invalid X-Storage-Policy '{wanted}'")))
            })?,
        };
        let now = self.stamp();
        let containers = &mut self.account_mut(&target.account).containers;
        let fresh = !containers.contains_key(&target.container);
        let container = containers
            .entry(target.container.clone())
            .or_insert_with(|| Container::new(now, policy.clone()));
        if wanted.is_some() && container.policy != policy {
            return Err(reply::page(409).into());
        }
        container.headers.update(&cleaned(call.request), kept);
        container.changed = now;
        Ok(if fresh { reply::said(201, "") } else { reply::page(202) })
    }

    /// Handles GetContainer and HeadContainer: the list of objects.
    pub(super) fn get_container(&self, call: &Call<'_>, target: &Target) -> Answer {
        listing::check_limit(call, self.limits.container_listing_limit)?;
        let container = self.container(target).ok_or_else(|| reply::page(404))?;
        let head = |reply: Reply| {
            let reply = reply
                .header("X-Container-Object-Count", container.objects.len().to_string())
                .header("X-Container-Bytes-Used", container.bytes_used().to_string())
                .header("X-Timestamp", listing::timestamp(container.created));
            container
                .headers
                .dress(reply)
                .header("Last-Modified", http_date(ceiling(container.changed)))
                .header("Accept-Ranges", "bytes")
                .header("X-Storage-Policy", &container.policy)
        };
        if call.operation == OpenStackOperation::HeadContainer {
            return Ok(head(listing::no_content()));
        }
        let listed = container.objects.iter().filter(|(name, object)| self.is_listed(name, object));
        let names = listed.map(|(name, _)| name.as_str());
        let entries = listing::select(call, names, self.limits.container_listing_limit);
        if !call.wants_json() {
            return listing::text(call, &entries).map(head);
        }
        let entries: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Subdir(name) => Some(json!({"subdir": name})),
                Entry::Name(name) => {
                    let object = container.objects.get(name)?;
                    let mut entry = json!({
                        "name": name,
                        "bytes": object.size(),
                        "hash": object.etag,
                        "content_type": object.content_type(),
                        "last_modified": iso_micros(object.changed),
                    });
                    if let Some(slo) = &object.slo {
                        entry["slo_etag"] = json!(slo.quoted_etag());
                    }
                    Some(entry)
                }
            })
            .collect();
        Ok(head(listing::json(&entries)))
    }

    /// Handles PostContainer: metadata that is not named stays.
    pub(super) fn post_container(&mut self, call: &Call<'_>, target: &Target) -> Answer {
        let now = self.stamp();
        let container = self.container_mut(target)?;
        container.headers.update(&cleaned(call.request), kept);
        container.changed = now;
        Ok(reply::said(204, ""))
    }

    /// Handles DeleteContainer: only an empty container is deleted.
    pub(super) fn delete_container(&mut self, target: &Target) -> Answer {
        if !self.container_mut(target)?.objects.is_empty() {
            return Err(reply::page(409).into());
        }
        self.account_mut(&target.account).containers.remove(&target.container);
        Ok(reply::said(204, ""))
    }

    pub(super) fn container_mut(&mut self, target: &Target) -> Result<&mut Container, Refusal> {
        let account = self.accounts.get_mut(&target.account);
        let container = account.and_then(|account| account.containers.get_mut(&target.container));
        container.ok_or_else(|| reply::page(404).into())
    }
}

fn kept(name: &str) -> bool {
    name.starts_with("x-container-meta-")
        || matches!(name, "x-container-read" | "x-container-write")
}

/// Returns the request with access control lists as Swift stores them: without blanks.
fn cleaned(request: &Request) -> Request {
    let mut request = request.clone();
    for (name, value) in &mut request.headers {
        if ["x-container-read", "x-container-write"].contains(&&*name.to_ascii_lowercase()) {
            *value = value.split(',').map(str::trim).collect::<Vec<_>>().join(",");
        }
    }
    request
}

const MAX_NAME: usize = 256;
