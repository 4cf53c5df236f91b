//! The lifecycle rule for incomplete uploads.

use apus_core::Error;
use apus_core::s3::{
    GetBucketLifecycleConfiguration, GetBucketLifecycleConfigurationOutput, LifecycleFilter,
    LifecycleRule, PutBucketLifecycleConfiguration,
};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::open::Bucket;
use crate::output::Output;

/// What the rules of a bucket say about incomplete uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Every incomplete upload is aborted after so many days.
    Days(u32),
    /// Only those of some keys.
    Some(u32),
    None,
}

/// Reads what the bucket's rules say about incomplete uploads.
pub(crate) fn rule(
    call: impl FnOnce(
        GetBucketLifecycleConfiguration,
    ) -> Result<GetBucketLifecycleConfigurationOutput, Error>,
    bucket: &str,
) -> Result<Rule, Error> {
    let found = or_none(call(GetBucketLifecycleConfiguration::new(bucket)))?;
    let enabled = || found.rules.iter().filter(|rule| rule.status.as_deref() == Some("Enabled"));
    let days = |rule: &LifecycleRule| rule.abort_incomplete_multipart_upload_days;
    let whole = enabled().filter(|rule| is_for_all(rule)).filter_map(days).min();
    Ok(match (whole, enabled().filter_map(days).min()) {
        (Some(days), _) => Rule::Days(days),
        (None, Some(days)) => Rule::Some(days),
        (None, None) => Rule::None,
    })
}

/// Sets the rule, and keeps all others.
pub(super) fn run(output: Output, bucket: &Bucket, days: u32, dry: bool) -> Result<Exit, Failure> {
    let name = &bucket.name;
    let read = || or_none(bucket.call(GetBucketLifecycleConfiguration::new(name)));
    let before = read()?;
    if !before.unknown.is_empty() {
        let unknown = before.unknown.join(", ");
        return Err(Failure::new(
            Exit::Other,
            format!(
                "the lifecycle rules of bucket {name} have elements that would be lost ({unknown}): \
                 nothing was changed; add the rule with another tool"
            ),
        ));
    }
    let mut rules = before.rules.clone();
    let own = rules.iter().position(|rule| rule.id.as_deref() == Some(ID));
    let wanted = LifecycleRule {
        id: Some(ID.to_owned()),
        abort_incomplete_multipart_upload_days: Some(days),
        ..LifecycleRule::enabled(LifecycleFilter::prefix(""))
    };
    let has = rules.iter().any(|rule| {
        is_for_all(rule)
            && rule.status.as_deref() == Some("Enabled")
            && rule.abort_incomplete_multipart_upload_days == Some(days)
    });
    let value = |changed: bool| json!({ "bucket": name, "days": days, "changed": changed });
    if has {
        let text = format!("bucket {name} already aborts incomplete uploads after {days} days");
        output.result(&value(false), text)?;
        return Ok(Exit::Done);
    }
    match own {
        Some(at) => rules[at] = wanted,
        None => rules.push(wanted),
    }
    let others = rules.len() - 1;
    if dry {
        let text = format!(
            "bucket {name} would abort incomplete uploads after {days} days; {others} other rules \
             would stay"
        );
        output.result(&value(false), text)?;
        return Ok(Exit::Done);
    }
    let mut put = PutBucketLifecycleConfiguration::new(name, rules.clone());
    put.transition_default_minimum_object_size
        .clone_from(&before.transition_default_minimum_object_size);
    bucket.call(put)?;
    let after = read()?;
    if let Some(lost) = rules.iter().find(|rule| !after.rules.iter().any(|it| is_same(it, rule))) {
        let id = lost.id.as_deref().unwrap_or("without an ID");
        let what = format!(
            "the server accepted the rules of bucket {name}, but does not list the rule {id} as it \
             was sent: compare them with another tool"
        );
        return Err(Failure::new(Exit::Integrity, what));
    }
    let text = format!(
        "bucket {name} aborts incomplete uploads after {days} days; {others} other rules were kept"
    );
    output.result(&value(true), text)?;
    Ok(Exit::Done)
}

/// Returns no rules for a bucket that has none.
fn or_none(
    read: Result<GetBucketLifecycleConfigurationOutput, Error>,
) -> Result<GetBucketLifecycleConfigurationOutput, Error> {
    match read {
        Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => {
            Ok(GetBucketLifecycleConfigurationOutput::default())
        }
        read => read,
    }
}

/// Returns whether a rule is for every key of the bucket.
fn is_for_all(rule: &LifecycleRule) -> bool {
    let is_empty = |prefix: &Option<String>| prefix.as_deref().unwrap_or_default().is_empty();
    let filter = rule.filter.as_ref().is_none_or(|filter| {
        is_empty(&filter.prefix)
            && filter.tags.0.is_empty()
            && filter.object_size_greater_than.is_none()
            && filter.object_size_less_than.is_none()
    });
    is_empty(&rule.prefix) && filter
}

/// Returns whether two rules are the same, however the server writes a filter without conditions.
fn is_same(one: &LifecycleRule, other: &LifecycleRule) -> bool {
    let plain = |rule: &LifecycleRule| match is_for_all(rule) {
        true => LifecycleRule { filter: None, prefix: None, ..rule.clone() },
        false => rule.clone(),
    };
    plain(one) == plain(other)
}

/// The ID of the rule.
const ID: &str = "apus-abort-incomplete-uploads";
