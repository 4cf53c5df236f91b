//! object_store's own tests of any version, each on a fresh bucket, with what failed.
#![allow(clippy::print_stdout, unreachable_pub, reason = "the tables are for people")]

use crate::object_store;

use object_store::ObjectStore;
use object_store::integration::*;
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use tokio::task::JoinError;

/// The name of a test, and why it failed.
pub type Outcome = (&'static str, Option<String>);

/// Runs one test on a fresh bucket.
macro_rules! suite_case {
    ($fresh:ident, $name:ident, |$store:ident| $test:expr) => {{
        let $store = $fresh(&stringify!($name).replace('_', "-")).await;
        let done = tokio::spawn(async move { $test.await }).await;
        (stringify!($name), done.err().map($crate::suite::why))
    }};
}
#[allow(unused_imports, reason = "0.14 has more tests")]
pub(crate) use suite_case;

/// Runs those that every version has. `fresh` returns a store of a new bucket of this name; `updates` says whether it
/// supports conditional updates.
pub async fn run<S>(mut fresh: impl AsyncFnMut(&str) -> S, updates: bool) -> Vec<Outcome>
where
    S: ObjectStore + MultipartStore + PaginatedListStore,
{
    let mut outcomes = Vec::new();
    macro_rules! case {
        ($name:ident, |$store:ident| $test:expr) => {
            outcomes.push(suite_case!(fresh, $name, |$store| $test))
        };
    }
    case!(put_get_delete_list, |s| put_get_delete_list(&s));
    case!(put_get_attributes, |s| put_get_attributes(&s));
    case!(get_opts, |s| get_opts(&s));
    case!(put_opts, |s| put_opts(&s, updates));
    case!(stream_get, |s| stream_get(&s));
    case!(list_uses_directories_correctly, |s| list_uses_directories_correctly(&s));
    case!(list_with_delimiter, |s| list_with_delimiter(&s));
    case!(list_with_offset_exclusivity, |s| list_with_offset_exclusivity(&s));
    case!(get_nonexistent_object, |s| async {
        let error = get_nonexistent_object(&s, None).await.expect_err("nothing is there");
        assert!(matches!(error, object_store::Error::NotFound { .. }), "{error}");
    });
    case!(rename_and_copy, |s| rename_and_copy(&s));
    case!(copy_if_not_exists, |s| copy_if_not_exists(&s));
    case!(copy_rename_nonexistent_object, |s| copy_rename_nonexistent_object(&s));
    case!(multipart, |s| multipart(&s, &s));
    case!(multipart_race_condition, |s| multipart_race_condition(&s, true));
    case!(multipart_out_of_order, |s| multipart_out_of_order(&s));
    case!(list_paginated, |s| list_paginated(&s, &s));
    outcomes
}

/// Prints the outcomes of several stores as the rows of a table.
pub fn print(server: &str, columns: &[(&str, &[Outcome])]) {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    println!("| {server} | {} |", names.join(" | "));
    println!("| --- |{}", " --- |".repeat(columns.len()));
    let rows = columns.first().map_or(0, |(_, outcomes)| outcomes.len());
    for row in 0..rows {
        let cells = columns.iter().map(|(_, outcomes)| match &outcomes[row].1 {
            None => "pass".to_owned(),
            Some(why) => why.chars().take(160).collect::<String>().replace('\n', " "),
        });
        let name = columns[0].1[row].0;
        println!("| `{name}` | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

/// Returns the names of the tests that failed.
pub fn failed(outcomes: &[Outcome]) -> Vec<&'static str> {
    outcomes.iter().filter(|(_, why)| why.is_some()).map(|(name, _)| *name).collect()
}

pub fn why(error: JoinError) -> String {
    let panic = match error.try_into_panic() {
        Ok(panic) => panic,
        Err(other) => return other.to_string(),
    };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
