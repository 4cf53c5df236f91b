//! object_store's own tests, with those that 0.14 has and 0.13 has not.
#![allow(unreachable_pub, reason = "integration tests share this file")]

use object_store_014::ObjectStore;
use object_store_014::integration::*;
use object_store_014::list::PaginatedListStore;
use object_store_014::multipart::MultipartStore;

use crate::suite::{self, Outcome, suite_case};

/// Runs all of them, as [`suite::run`] does.
pub async fn run<S>(mut fresh: impl AsyncFnMut(&str) -> S, updates: bool) -> Vec<Outcome>
where
    S: ObjectStore + MultipartStore + PaginatedListStore,
{
    let mut outcomes = suite::run(&mut fresh, updates).await;
    outcomes.push(suite_case!(fresh, multipart_with_opts, |s| multipart_with_opts(&s, &s)));
    outcomes.push(suite_case!(fresh, multipart_put_part_out_of_order, |s| {
        multipart_put_part_out_of_order(&s, &s)
    }));
    outcomes
}
