//! An expiring credential and its renewal: a token of Keystone, or keys of S3.
//!
//! ```text
//!            now                                             it expires
//!  ───────────┼────────────────┬────────────────┬────────────────┼──────────▶ server's clock
//!     leases are granted       │ soft_margin    │ interval       │ expired:
//!                              │ one renews,    │ one renews,    │ no lease
//!                              │ others         │ others wait    │ without a
//!                              │ continue       │                │ new one
//! ```
//!
//! While more than half of its lifetime remains, a credential is used whatever the margin and the
//! interval are, so that there are at most two renewals in one lifetime. If the interval is longer
//! than half of the lifetime, the third quarter of the lifetime is the soft margin and the last
//! quarter the interval.
//!
//! ```text
//!            ┌─────────── cancelled, or the delay has passed ───────────┐
//!            ▼                                                          │
//!  Idle ── renew ──▶ Sent ── no response, 5xx, 429 ───────▶ Backoff ────┤
//!   ▲                 │ │ └─ denied, or unreadable ───────▶ Denied ─────┘
//!   └─ a new one ─────┘ └─ another request first ─▶ Next ─▶ Sent
//! ```
//!
//! While the old credential has not expired, it is used even if a renewal fails. A waiting caller
//! takes part in a few renewals at most. It gets the denial that ends a renewal, however briefly
//! denials are remembered, and a new credential, however short its lifetime.
//!
//! In the state `Looking`, the source reads a file or runs a process, which may take time: each
//! call of `lease` asks the source again. A credential that had expired when it arrived is used
//! until the server refuses it, because the two clocks may differ.
//!
//! All waiters are woken when all of them can continue: with a new credential or a denial. If one
//! of them has to act first, only one is woken; if it leaves, the next one is woken.

mod life;
mod outcome;
mod refresher;
mod source;

pub(crate) use self::refresher::{RefreshTerms, Refresher};
pub(crate) use self::source::{Expiring, RenewalSource, RenewalStep, Span};
