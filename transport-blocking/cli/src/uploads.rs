//! `apus uploads`: multipart uploads in progress in S3, whose parts are paid for and not listed.
//!
//! ```text
//!  ls     ─▶ ListMultipartUploads
//!  abort  ─▶ the same ─▶ old enough? ─▶ AbortMultipartUpload ─▶ ListParts proves that it is gone
//!  expire ─▶ the bucket's rules ─▶ the same rules and one more ─▶ read again, and compared
//! ```

mod expire;

use std::time::Duration;

use apus_core::machine::S3AbortUpload;
use apus_core::now::Timestamp;
use apus_core::s3::{AbortMultipartUpload, ListMultipartUploads, MultipartUpload};
use apus_core::store::StoreBackend;
use clap::{Args, Subcommand};
use serde_json::json;

pub(crate) use self::expire::{Rule, rule};
use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::list;
use crate::objects::pages;
use crate::open::{Bucket, Open};
use crate::output::{Output, Printable};
use crate::place::Place;
use crate::pool;

#[derive(Debug, Subcommand)]
pub(crate) enum Uploads {
    /// List the uploads in progress: when each was begun, its id, the key
    Ls {
        /// List only uploads of keys with this prefix; BACKEND:PREFIX for another backend
        prefix: Option<String>,

        /// List only uploads that were begun at least so long ago: seconds, or 15m, 2h, 7d
        #[arg(long, value_name = "DURATION", value_parser = age)]
        older_than: Option<Duration>,
    },

    /// Abort uploads in progress; without --yes it only prints them
    ///
    /// An upload counts as aborted when the server no longer lists it. Uploads that are running are
    /// aborted too, if they are old enough.
    Abort(Abort),

    /// Set a lifecycle rule that lets the server abort incomplete uploads
    ///
    /// The bucket's other rules are read first and kept. With rules that have elements unknown to
    /// apus, nothing is changed.
    Expire(Expire),
}

#[derive(Debug, Args)]
pub(crate) struct Abort {
    /// Abort only uploads of keys with this prefix; BACKEND:PREFIX for another backend
    prefix: Option<String>,

    /// Abort only uploads that were begun at least so long ago: seconds, or 15m, 2h, 7d; 0 for all
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = age)]
    older_than: Duration,

    /// Abort them
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Expire {
    /// The days after its beginning when an upload is aborted
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,

    /// Print what would be changed, and change nothing
    #[arg(short = 'n', long, visible_alias = "dryrun")]
    dry_run: bool,
}

pub(crate) fn run(stage: &Stage, command: &Uploads) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let prefix = match command {
        Uploads::Ls { prefix, .. } | Uploads::Abort(Abort { prefix, .. }) => prefix.as_deref(),
        Uploads::Expire(_) => None,
    };
    let place = Place::of_backend(list::prefix(&open, prefix)?.backend);
    done(stage, &open, command).map_err(|failure| failure.at(&place))
}

fn done(stage: &Stage, open: &Open, command: &Uploads) -> Result<Exit, Failure> {
    match command {
        Uploads::Ls { prefix, older_than } => {
            let (bucket, prefix) = bucket_of(open, prefix.as_deref())?;
            let bound = bound(*older_than);
            each(&bucket, &prefix, &mut |upload| match is_older(&upload, bound) {
                Some(true) => tell(stage.output, &upload),
                _ if older_than.is_none() => tell(stage.output, &upload),
                _ => Ok(()),
            })?;
            Ok(Exit::Done)
        }
        Uploads::Abort(abort) => run_abort(stage, open, abort),
        Uploads::Expire(expire) => {
            let (bucket, _) = bucket_of(open, None)?;
            expire::run(stage.output, &bucket, expire.days, expire.dry_run)
        }
    }
}

fn run_abort(stage: &Stage, open: &Open, abort: &Abort) -> Result<Exit, Failure> {
    let output = stage.output;
    let (bucket, prefix) = bucket_of(open, abort.prefix.as_deref())?;
    let bound = bound(Some(abort.older_than));
    let (mut found, mut young, mut undated, mut failed) = (0_u64, 0_u64, 0_u64, 0_u64);
    let work = |upload: MultipartUpload| {
        let name = (&*bucket.name, &*upload.key, &*upload.upload_id);
        let abort = AbortMultipartUpload::new(name.0, name.1, name.2);
        let (service, seed) =
            (std::sync::Arc::clone(bucket.client.service()), bucket.client.seed());
        let abort = S3AbortUpload::new(abort, None, service, seed);
        let done = bucket.client.run(abort).cancel_on(bucket.token.clone()).send();
        (upload, done)
    };
    let take = |(upload, done): (MultipartUpload, Result<(), apus_core::Error>)| match done {
        Ok(()) => {
            let value = json!({ "aborted": upload.upload_id, "key": upload.key });
            let (key, id) = (Printable(&upload.key), Printable(&upload.upload_id));
            output.result(&value, format_args!("aborted {id} of {key}"))
        }
        Err(error) if error.is_cancelled() => Err(error.into()),
        Err(error) => {
            failed += 1;
            output.fail(&Failure::from(error).of_name(&upload.key));
            Ok(())
        }
    };
    // The list is read to its end first: a page after removals may begin elsewhere.
    let mut old = Vec::new();
    each(&bucket, &prefix, &mut |upload| {
        match is_older(&upload, bound) {
            Some(true) => {
                found += 1;
                old.push(upload);
            }
            Some(false) => young += 1,
            None => undated += 1,
        }
        Ok(())
    })?;
    match abort.yes {
        true => pool::each(AT_ONCE, work, take, |push| old.into_iter().try_for_each(push))?,
        false => old.iter().try_for_each(|upload| tell(output, upload))?,
    }
    if young > 0 {
        output.remark(format_args!("{young} younger uploads were left"));
    }
    if undated > 0 {
        output.remark(format_args!(
            "{undated} uploads were left, which the server lists without a time"
        ));
    }
    match (abort.yes, failed) {
        (false, _) => {
            output.remark(format_args!("{found} uploads would be aborted; --yes aborts them"));
            Ok(Exit::Done)
        }
        (true, 0) => {
            output.remark(format_args!("{found} uploads aborted"));
            Ok(Exit::Done)
        }
        (true, failed) => {
            let message = format!("{failed} of {found} uploads were not aborted");
            Err(Failure::new(Exit::Partial, message))
        }
    }
}

/// Returns the bucket of a backend in S3, and the prefix.
fn bucket_of(open: &Open, prefix: Option<&str>) -> Result<(Bucket, String), Failure> {
    let target = list::prefix(open, prefix)?;
    match target.backend {
        StoreBackend::S3(store) => Ok((open.bucket(store)?, target.name)),
        _ => Err(Failure::usage("uploads in parts are S3's: for Swift use `apus orphans`")),
    }
}

fn each(
    bucket: &Bucket,
    prefix: &str,
    take: &mut dyn FnMut(MultipartUpload) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut list = ListMultipartUploads::new(&bucket.name);
    list.prefix = Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty());
    pages(
        list,
        |page| Ok(bucket.call(page)?),
        |page| {
            // A server may ignore the prefix.
            let own = page.uploads.into_iter().filter(|upload| upload.key.starts_with(prefix));
            own.into_iter().try_for_each(&mut *take)
        },
    )
}

/// Returns the time before which an upload is old.
fn bound(older_than: Option<Duration>) -> Timestamp {
    let now = apus_blocking::now().unix;
    Timestamp::from_duration(now.saturating_sub(older_than.unwrap_or_default()))
}

/// Returns whether an upload was begun before; `None` where the server does not say when.
fn is_older(upload: &MultipartUpload, bound: Timestamp) -> Option<bool> {
    Some(upload.initiated?.unix() <= bound.unix())
}

fn tell(output: Output, upload: &MultipartUpload) -> Result<(), Failure> {
    let initiated = upload.initiated.map(Timestamp::iso8601);
    let value = json!({
        "key": upload.key, "upload_id": upload.upload_id, "initiated": initiated,
    });
    let initiated = initiated.unwrap_or_else(|| "-".to_owned());
    let (id, key) = (Printable(&upload.upload_id), Printable(&upload.key));
    output.listed(&value, format_args!("{initiated:<20}  {id}  {key}"))
}

/// Parses `0` and what [`duration`](crate::sign::duration) parses.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        text => crate::sign::duration(text),
    }
}

/// How many uploads are aborted at once.
const AT_ONCE: usize = 8;
