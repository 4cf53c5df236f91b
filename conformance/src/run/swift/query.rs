//! URLs, compared as a server reads them.

use apus_core::escape;

use crate::run::compare::{Check, split_query};

/// Compares the paths byte for byte, and the pairs of the query decoded and in any order.
pub(super) fn compare(check: &mut Check, expected: &str, got: &str) {
    let (expected_path, expected_query) = split_query(expected);
    let (got_path, got_query) = split_query(got);
    check.same("url", expected_path, got_path);
    if decoded(expected_query) != decoded(got_query) {
        check.differs("query", expected_query, got_query);
    }
}

fn decoded(query: &str) -> Vec<(String, String)> {
    let text = |part: &str| escape::decode_form(part).map_or_else(|| part.to_owned(), Into::into);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    pairs.sort_unstable();
    pairs
}
