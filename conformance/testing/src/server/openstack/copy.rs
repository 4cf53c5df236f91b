//! COPY, and PUT with `X-Copy-From`.

use std::time::Duration;

use super::super::dates::http_date;
use super::super::digest::md5_hex;
use super::super::message::{Request, decode};
use super::access::Caller;
use super::objects::{SwiftObject, is_kept, kept_headers};
use super::operation::{Call, OpenStackOperation, Target};
use super::reads::Readable;
use super::reply::{self, Refusal};
use super::{Answer, OpenStackModel};

impl OpenStackModel {
    /// Handles CopyObject. The copy of a large object is one piece, unless its manifest is
    /// requested.
    pub(super) fn copy_object(
        &mut self,
        call: &Call<'_>,
        target: &Target,
        caller: &Caller,
    ) -> Answer {
        let (source, destination) = self.ends(call, target)?;
        self.authorize(caller, OpenStackOperation::GetObject, &source)?;
        self.authorize(caller, OpenStackOperation::PutObject, &destination)?;
        let object = self.find(&source)?.clone();
        let manifest =
            call.request.method == "COPY" && call.query("multipart-manifest") == Some("get");
        let what = match manifest {
            true => Readable::of_object(&object),
            false => self.readable(&source, &object)?,
        };
        // The source is read as by a GET, ranges and conditions included.
        let reading = Request { method: "GET".to_owned(), ..call.request.clone() };
        let body = match manifest {
            true => object.body.clone(),
            false => {
                let answer = self.read(&Call::parse(&reading), &source, &object, &what, None)?;
                if answer.status >= 300 {
                    return Err(answer.into());
                }
                answer.body
            }
        };
        self.container(&destination).ok_or_else(|| Refusal::from(reply::page(404)))?;
        let fresh = call.header("x-fresh-metadata").is_some_and(|fresh| fresh == "true");
        let mut headers = if fresh { kept_headers(call) } else { object.headers.clone() };
        headers.update(call.request, is_kept);
        if !manifest {
            headers.set("X-Object-Manifest", call.header("x-object-manifest").unwrap_or_default());
        }
        let changed = http_date(object.last_modified());
        let copy = SwiftObject {
            etag: md5_hex(&body),
            body,
            delete_at: self.delete_at(call)?.or(object.delete_at),
            headers,
            changed: Duration::ZERO,
            listed: Duration::ZERO,
            slo: object.slo.filter(|_| manifest),
        };
        let reply = self.store(&destination, copy)?;
        Ok(reply
            .header("X-Copied-From-Account", &source.account)
            .header("X-Copied-From", format!("{}/{}", source.container, source.object))
            .header("X-Copied-From-Last-Modified", changed))
    }

    /// Returns source and destination.
    fn ends(&self, call: &Call<'_>, target: &Target) -> Result<(Target, Target), Refusal> {
        let named = |header: &str, account: &str| {
            let path = decode(call.header(header)?, false)?;
            let (container, object) = path.trim_start_matches('/').split_once('/')?;
            let named = target.sibling(container, object);
            let account = call.header(account).unwrap_or(&target.account);
            Some(Target { account: account.to_owned(), ..named })
        };
        if call.request.method == "COPY" {
            if call.header("destination").is_none() {
                return Err(reply::said(412, "Destination header required").into());
            }
            let text = "Destination header must be of the form <container name>/<object name>";
            let destination = named("destination", "destination-account")
                .ok_or_else(|| Refusal::from(reply::said(412, text)))?;
            return Ok((target.clone(), destination));
        }
        if !call.request.body.is_empty() {
            return Err(reply::plain(400, "Copy requests require a zero byte body").into());
        }
        let text = "X-Copy-From header must be of the form <container name>/<object name>";
        let source = named("x-copy-from", "x-copy-from-account")
            .ok_or_else(|| Refusal::from(reply::said(412, text)))?;
        Ok((source, target.clone()))
    }
}
