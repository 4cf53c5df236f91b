//! Deletion of many objects: by a list of names, or by a manifest. The status is always 200.

use serde_json::json;

use super::super::message::{Framing, Reply, decode};
use super::access::Caller;
use super::operation::{Call, OpenStackOperation, Target};
use super::reply::{self, Refusal};
use super::slo;
use super::{Answer, OpenStackModel};

/// The result of a deletion.
#[derive(Default)]
struct Tally {
    deleted: usize,
    not_found: usize,
    problems: Vec<(String, String)>,
    /// Why the deletion did not begin: a status and a text.
    refused: Option<(u16, &'static str)>,
}

impl OpenStackModel {
    /// Handles BulkDelete: a line for each object or container.
    pub(super) fn bulk_delete(
        &mut self,
        call: &Call<'_>,
        target: &Target,
        caller: &Caller,
    ) -> Answer {
        let Some(most) = self.limits.max_deletes_per_request else {
            self.authorize(caller, OpenStackOperation::PostAccount, target)?;
            return Ok(self.post_account(call, target));
        };
        let mut tally = Tally::default();
        let text = String::from_utf8_lossy(&call.request.body);
        let names: Vec<&str> =
            text.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
        if call.header("content-type").is_none_or(|kind| !kind.starts_with("text/plain")) {
            tally.refused = Some((406, ""));
        } else if names.is_empty() {
            tally.refused = Some((400, "Invalid bulk delete."));
        } else if names.len() > most {
            tally.refused = Some((413, "Maximum Bulk Deletes: 10000 per request"));
        } else {
            for name in names {
                let path = decode(name, false).unwrap_or_default();
                let path = path.trim_start_matches('/');
                let (container, object) = path.split_once('/').unwrap_or((path, ""));
                self.remove(&target.sibling(container, object), name, caller, &mut tally);
            }
        }
        Ok(tally.reply(call.wants_json()))
    }

    /// Handles DeleteSlo: deletes the segments, those of segments that are manifests too, and the
    /// manifest; with `async` the segments are deleted later.
    pub(super) fn delete_slo(
        &mut self,
        call: &Call<'_>,
        target: &Target,
        caller: &Caller,
    ) -> Answer {
        if self.limits.max_manifest_segments.is_none() {
            self.authorize(caller, OpenStackOperation::DeleteObject, target)?;
            return self.delete_object(target);
        }
        let name = format!("/{}/{}", target.container, target.object);
        if call.flag("async") {
            self.authorize(caller, OpenStackOperation::DeleteObject, target)?;
            let object =
                self.find(target).map_err(|_| reply::said(404, "SLO manifest not found"))?;
            let segments = object.segments().iter().filter_map(|segment| segment.name.clone());
            let later: Vec<Target> =
                segments.map(|(container, object)| target.sibling(&container, &object)).collect();
            self.unsettled.extend(later);
            return self.delete_object(target);
        }
        let mut tally = Tally::default();
        match self.authorize(caller, OpenStackOperation::GetObject, target) {
            Err(refusal) => {
                let status = refusal.into_reply().status;
                tally.problems.push((name, reply::status_line(status)));
            }
            Ok(()) => match self.find(target) {
                Err(_) => tally.not_found = 1,
                Ok(object) if !object.is_slo() => {
                    tally.problems.push((name, "Not an SLO manifest".to_owned()));
                }
                Ok(_) => {
                    for (at, name) in self.all_of(target) {
                        self.remove(&at, &name, caller, &mut tally);
                    }
                }
            },
        }
        Ok(tally.reply(call.wants_json()))
    }

    /// Does what the server's daemons do periodically: deletes what has expired, and the segments
    /// of manifests that were deleted with `async`.
    pub fn settle(&mut self) {
        for target in std::mem::take(&mut self.unsettled) {
            if let Ok(container) = self.container_mut(&target) {
                container.objects.remove(&target.object);
            }
        }
        let now = self.now.as_secs();
        for account in self.accounts.values_mut() {
            for container in account.containers.values_mut() {
                container.objects.retain(|_, object| object.delete_at.is_none_or(|at| at > now));
            }
        }
    }

    fn remove(&mut self, target: &Target, name: &str, caller: &Caller, tally: &mut Tally) {
        let deleted = match target.object.is_empty() {
            true => self
                .authorize(caller, OpenStackOperation::DeleteContainer, target)
                .and_then(|()| self.delete_container(target)),
            false => self
                .authorize(caller, OpenStackOperation::DeleteObject, target)
                .and_then(|()| self.delete_object(target)),
        };
        match deleted.map_err(Refusal::into_reply) {
            Ok(_) => tally.deleted += 1,
            Err(reply) if reply.status == 404 => tally.not_found += 1,
            Err(reply) => {
                tally.problems.push((name.to_owned(), reply::status_line(reply.status)));
            }
        }
    }

    /// Returns the segments of a manifest, and the manifest itself as the last item.
    fn all_of(&self, target: &Target) -> Vec<(Target, String)> {
        let mut all = Vec::new();
        let segments = self.find(target).map(|object| object.segments().to_vec());
        for segment in segments.unwrap_or_default() {
            let Some((container, object)) = &segment.name else { continue };
            let at = target.sibling(container, object);
            match segment.sub_slo && at != *target {
                true => all.extend(self.all_of(&at)),
                false => all.push((at, format!("/{container}/{object}"))),
            }
        }
        all.push((target.clone(), format!("/{}/{}", target.container, target.object)));
        all
    }
}

impl Tally {
    fn reply(self, json: bool) -> Reply {
        let (status, body) = match self.refused {
            Some(refused) => refused,
            None if self.problems.is_empty() => (200, ""),
            None => (400, ""),
        };
        let status = reply::status_line(status);
        let (deleted, not_found) = (self.deleted, self.not_found);
        let text = match json {
            true => json!({
                "Response Status": status,
                "Response Body": body,
                "Number Deleted": deleted,
                "Number Not Found": not_found,
                "Errors": self.problems,
            })
            .to_string(),
            false => format!(
                "Number Deleted: {deleted}\nNumber Not Found: {not_found}\nResponse Body: {body}\n\
                 Response Status: {status}\n{}",
                slo::lines(&self.problems)
            ),
        };
        let kind = if json { "application/json" } else { "text/plain" };
        Reply::new(200).header("Content-Type", kind).body(text).framing(Framing::Chunked(64 << 10))
    }
}
