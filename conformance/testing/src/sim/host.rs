//! The server of a simulation: S3, or Keystone and Swift.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::faults::{BELATED, Fault, Shift, Whom};
use super::world::Other;
use crate::server::{self, OpenStackModel, Plan, Reply, Request, S3Model};

/// A model, and the changes that a schedule makes to it.
#[derive(Debug)]
pub(crate) enum Host {
    S3(Box<S3Host>),
    Cloud(Box<OpenStackModel>),
}

/// S3, with keys that may expire.
#[derive(Debug, Default)]
pub(crate) struct S3Host {
    pub(crate) model: S3Model,
    /// Keys of earlier generations than this have expired (`AKIDSIM7` is of generation 7).
    pub(crate) good_from: u64,
    /// Where another client may write: a bucket and a key.
    pub(crate) place: (String, String),
}

impl Host {
    pub(crate) fn s3(model: S3Model) -> Self {
        let place = ("bucket".to_owned(), "key".to_owned());
        Self::S3(Box::new(S3Host { model, good_from: 0, place }))
    }

    pub(crate) fn cloud(model: OpenStackModel) -> Self {
        Self::Cloud(Box::new(model))
    }

    /// Returns the model of S3.
    ///
    /// # Panics
    ///
    /// The server is another one.
    pub(crate) fn s3_model(&self) -> &S3Model {
        match self {
            Self::S3(host) => &host.model,
            Self::Cloud(_) => panic!("the workload has no S3"),
        }
    }

    /// Returns the model of OpenStack.
    ///
    /// # Panics
    ///
    /// The server is another one.
    pub(crate) fn cloud_model(&self) -> &OpenStackModel {
        match self {
            Self::Cloud(model) => model,
            Self::S3(_) => panic!("the workload has no OpenStack"),
        }
    }

    /// Returns the model of OpenStack, to change it.
    ///
    /// # Panics
    ///
    /// The server is another one.
    pub(crate) fn cloud_model_mut(&mut self) -> &mut OpenStackModel {
        match self {
            Self::Cloud(model) => model,
            Self::S3(_) => panic!("the workload has no OpenStack"),
        }
    }

    pub(super) fn whom(&self, uri: &http::Uri) -> Whom {
        match self {
            Self::S3(_) => Whom::S3,
            Self::Cloud(_) => Whom::of_cloud(uri.host()),
        }
    }

    pub(super) fn set_now(&mut self, unix: Duration) {
        match self {
            Self::S3(host) => host.model.set_now(unix.as_secs()),
            Self::Cloud(model) => model.set_now(unix),
        }
    }

    /// Handles a request, with a fault or without.
    pub(super) fn handle(&mut self, request: &Request, fault: Option<Fault>) -> Reply {
        let cloud = matches!(self, Self::Cloud(_));
        let fault = fault.and_then(|fault| fault.of_the_server(cloud));
        match self {
            Self::S3(host) => {
                if fault.is_none() && host.is_over(request) {
                    return host.refusal(request, 400, "ExpiredToken");
                }
                host.with(fault, request)
            }
            Self::Cloud(model) => {
                if let Some(fault) = fault {
                    model.set_plan(Plan::new().on_any(model.requests() + 1, fault));
                }
                let reply = model.handle(request);
                model.set_plan(Plan::new());
                reply
            }
        }
    }

    /// Returns a refusal as this server words it; the request is not applied.
    pub(super) fn refusal(&mut self, request: &Request, status: u16, code: &'static str) -> Reply {
        match self {
            Self::S3(host) => host.refusal(request, status, code),
            // The request would be refused now, because it was just applied.
            Self::Cloud(model) => {
                let page = server::Fault::Instead(Reply::new(status));
                model.set_plan(Plan::new().on_any(model.requests() + 1, page));
                let reply = model.handle(request);
                model.set_plan(Plan::new());
                reply
            }
        }
    }

    /// Returns the object that a late request has written.
    pub(super) fn written(&self, request: &Request) -> Option<(String, String)> {
        if !matches!(self, Self::Cloud(_)) || request.method != "PUT" {
            return None;
        }
        let mut path = request.path().trim_start_matches('/').splitn(4, '/').skip(2);
        let decode = |text: &str| crate::server::unescape(text);
        Some((decode(path.next()?)?, decode(path.next()?)?))
    }

    /// Applies a request after its connection has ended. Returns the id of the upload that exists
    /// again because of it, where the request is a part.
    pub(super) fn handle_late(&mut self, request: &Request) -> Option<String> {
        if let Self::S3(host) = self
            && host.model.land(request)
        {
            let id = request.query().split('&').find_map(|pair| pair.strip_prefix("uploadId="));
            return id.map(str::to_owned);
        }
        self.handle(request, None);
        None
    }

    /// Completes an upload as another client. Returns whether it exists.
    pub(super) fn complete_of_another(&mut self, upload: &Other) -> bool {
        let Other { id, object, part_size } = upload;
        match self {
            Self::S3(host) => host.model.complete_of_another(id, object, *part_size),
            Self::Cloud(_) => false,
        }
    }

    /// Handles a request of another client.
    pub(super) fn foreign(&mut self, request: &Request) -> Reply {
        self.handle(request, None)
    }

    /// Revokes all tokens, or all keys so far.
    pub(super) fn revoke(&mut self) {
        match self {
            Self::S3(host) => host.good_from += 1,
            Self::Cloud(model) => model.revoke_all(),
        }
    }

    /// Overwrites the object with these bytes, as another client.
    pub(super) fn intrude(&mut self, bytes: Bytes) {
        match self {
            Self::S3(host) => {
                let (bucket, key) = host.place.clone();
                let model = std::mem::take(&mut host.model);
                host.model = model.with_object(&bucket, &key, bytes);
            }
            Self::Cloud(model) => model.put_foreign("demo", "images", "object", bytes),
        }
    }

    /// Returns the names of existing uploads and trusts.
    pub(super) fn nameless(&self) -> BTreeSet<String> {
        match self {
            Self::S3(host) => {
                host.model.open_uploads().iter().map(|upload| upload.id.clone()).collect()
            }
            Self::Cloud(model) => {
                model.live_trusts().iter().map(|trust| trust.id.clone()).collect()
            }
        }
    }

    /// Lets listings show all objects.
    pub(super) fn settle(&mut self) {
        if let Self::Cloud(model) = self {
            model.set_listing_lag(Duration::ZERO);
        }
    }
}

impl S3Host {
    fn with(&mut self, fault: Option<server::Fault>, request: &Request) -> Reply {
        if let Some(fault) = fault {
            self.model.set_plan(Plan::new().on_any(self.model.requests() + 1, fault));
        }
        let reply = self.model.handle(request);
        self.model.set_plan(Plan::new());
        reply
    }

    fn refusal(&mut self, request: &Request, status: u16, code: &'static str) -> Reply {
        self.with(Fault::Status(status, code).of_the_server(false), request)
    }

    /// Whether the request is signed with expired keys.
    fn is_over(&self, request: &Request) -> bool {
        let signed = request.header("authorization").unwrap_or_default();
        let generation = signed.split_once("Credential=AKIDSIM").and_then(|(_, rest)| {
            rest.split('/').next().and_then(|number| number.parse::<u64>().ok())
        });
        generation.is_some_and(|generation| generation < self.good_from)
    }
}

impl Fault {
    /// Returns the fault in the model's terms.
    fn of_the_server(self, cloud: bool) -> Option<server::Fault> {
        Some(match self {
            Self::Status(status, _) if cloud => server::Fault::Refuse(status, ""),
            Self::Status(status, "") => server::Fault::Refuse(status, ""),
            Self::Status(301, _) => server::Fault::Redirect("eu-west-1"),
            Self::Status(403, "RequestTimeTooSkewed") => server::Fault::ClockSkewed(1800),
            Self::Status(status, code) => server::Fault::Refuse(status, code),
            Self::EarlyRefusal(_, status) => server::Fault::Refuse(status, ""),
            Self::Throttled(429, after) => {
                let reply = Reply::new(429);
                server::Fault::Instead(match after {
                    Some(after) => reply.header("Retry-After", after.to_string()),
                    None => reply,
                })
            }
            Self::Throttled(_, after) => server::Fault::SlowDown(after.map(u32::from)),
            Self::ErrorIn200(which) => {
                let (s3, swift) = BELATED[usize::from(which)];
                server::Fault::ErrorIn200(if cloud { swift } else { s3 })
            }
            Self::WrongRange(Shift::Header) => server::Fault::WrongContentRange,
            Self::WrongRange(shift) => server::Fault::OtherRange(shift == Shift::Later),
            Self::PartsLeft => server::Fault::PartsLeft,
            Self::Misassembled => server::Fault::Misassembled,
            Self::RangeIgnored => server::Fault::RangeIgnored,
            Self::WrongChecksum | Self::WrongTag => server::Fault::WrongChecksum,
            Self::Corrupt => server::Fault::Corrupt,
            _ => return None,
        })
    }
}
