//! What a run of a schedule did, as far as the model and the clock tell.

use std::collections::BTreeSet;
use std::time::Duration;

use apus_core::http::Exchange;
use http::header::IF_NONE_MATCH;

/// The record of a run, beside its result.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Broken laws, and false results.
    pub(crate) wrong: Vec<String>,
    pub(crate) launched: u64,
    pub(crate) events: u64,
    pub(crate) peak: usize,
    /// The largest number of bytes of a stream that were held at once.
    pub(crate) held: u64,
    /// Uploads and trusts whose name was in no response that arrived.
    pub(crate) unnamed: BTreeSet<String>,
    /// Uploads that exist again because of a late part, and that no request has looked at since.
    pub(crate) landed: BTreeSet<String>,
    /// Objects of Swift that were written by requests after their connection had ended.
    pub(crate) landed_objects: BTreeSet<(String, String)>,
    /// Trusts that were created so.
    pub(crate) late: BTreeSet<String>,
    /// Operations for which the server sent a success, whether or not it arrived.
    pub(crate) carried_out: BTreeSet<&'static str>,
    /// How many requests were applied after their connection had ended, without those that
    /// completed an upload.
    pub(crate) acted_late: u32,
    /// Whether a request completed an upload after its connection had ended, and no later response
    /// shows that the upload does not exist any more.
    pub(crate) completed_late: bool,
    /// How often the server falsely denied that something exists.
    pub(crate) lies: u32,
    /// Whether another client has overwritten the object.
    pub(crate) replaced: bool,
    /// When another client has overwritten the object first.
    pub(super) replaced_at: Option<Duration>,
    /// The last look at the object: when it was sent, and when its response came.
    pub(super) look: Option<(Duration, Option<Duration>)>,
    /// When the last write that must replace nothing was sent, and whether one may have been applied.
    pub(super) put_at: Option<Duration>,
    pub(super) put_in_doubt: bool,
    /// Whether the writes are single calls, which look only where one may have been applied.
    pub(crate) calls: bool,
    /// How often the process died.
    pub(crate) deaths: u32,
    pub(crate) cancelled: bool,
    /// Whether it was cancelled so that another process resumes it.
    pub(crate) kept: bool,
    /// Whether a ListParts met a fault.
    pub(crate) listed_in_vain: bool,
    /// Whether an abort succeeded whose upload still exists.
    pub(crate) aborted_in_vain: bool,
    /// Whether a request that looks at the state before a write met a fault.
    pub(crate) looked_in_vain: bool,
    /// Whether the server denied an object to a look, though it may be there.
    pub(crate) denied: bool,
    /// Whether a write was sent without `If-None-Match`.
    pub(crate) unconditional: bool,
}

impl Record {
    /// Notes a request that is sent. Returns whether it is a write that must replace nothing, sent
    /// again over what another client has stored to a server that ignores the condition, and not
    /// because the look before it was in flight meanwhile.
    pub(super) fn sent(&mut self, now: Duration, exchange: &Exchange, heedless: bool) -> bool {
        if exchange.operation() == LOOK {
            self.look = Some((now, None));
        }
        let conditional = exchange.draft().head.headers.contains_key(IF_NONE_MATCH);
        let writes = matches!(exchange.operation(), "PutObject" | "CompleteMultipartUpload");
        self.unconditional |= writes && !conditional;
        if !heedless || !conditional {
            return false;
        }
        let before = self.put_at.replace(now).filter(|_| self.put_in_doubt || !self.calls);
        let (Some(before), Some(at)) = (before, self.replaced_at) else { return false };
        let seen =
            self.look.is_some_and(|(sent, came)| before <= sent && sent <= at && came == Some(now));
        // A client that may not look goes on: the server's own check would decide.
        at < now && !seen && self.lies == 0 && !self.looked_in_vain
    }
}

/// The operation that looks at an object.
pub(super) const LOOK: &str = "HeadObject";
