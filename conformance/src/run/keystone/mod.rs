//! `keystone-auth`, `keystone-catalog`, `token-renewal` and `clouds-yaml`: requests for tokens,
//! their responses, when a token is renewed, and the settings in files.

mod auth;
mod catalog;
mod clouds;
mod renewal;

use apus_core::http::Reply;
use bytes::Bytes;

pub(super) use self::auth::auth;
pub(super) use self::catalog::catalog;
pub(super) use self::clouds::clouds;
pub(super) use self::renewal::renewal;

use super::compare::Header;

/// A received response.
fn reply(status: u16, headers: &[Header], body: impl Into<Bytes>) -> Result<Reply, String> {
    let mut head = http::Response::builder().status(status);
    for (name, value) in headers {
        head = head.header(name, value.as_str());
    }
    let (head, ()) = head.body(()).map_err(|error| error.to_string())?.into_parts();
    Ok(Reply::new(head, body.into()))
}
