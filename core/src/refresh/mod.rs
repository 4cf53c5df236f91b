//! An expiring credential and its renewal: a token of Keystone, or keys of S3.
//!
//! ```text
//!            now                                             its life ends
//!  ───────────┼────────────────┬────────────────┬────────────────┼──────────▶ server's clock
//!     good: granted            │ soft_margin    │ interval       │ dead:
//!                              │ one renews,    │ one renews,    │ nothing goes
//!                              │ others go on   │ others wait    │ without a
//!                              │                │                │ new one
//! ```
//!
//! While more than half of its life is left it is good, whatever the margin and the interval: so there
//! are at most two renewals in the time that one lives. Where the interval is longer than that half, the
//! second quarter from the end is the margin and the last one the interval.
//!
//! ```text
//!            ┌──────────── cancelled, or its time has come ─────────────┐
//!            ▼                                                          │
//!  Idle ── renew ──▶ Sent ── fails on the way, 5xx, 429 ──▶ Backoff ────┤
//!   ▲                 │ │ └─ denied, or makes no sense ───▶ Denied ─────┘
//!   └──── a new one ──┘ └─ something else first ─▶ Next ─▶ Sent
//! ```
//!
//! While the old one lives, a failed renewal keeps nobody from using it. Who waits takes part in a few
//! renewals at most: it is told the denial that ends one, however shortly denials are remembered, and
//! given what came, however short its life. What the caller looks up (a
//! file, a process) may take its time: it is `Looking` then, and whoever asks asks it again. What was over
//! when it came is used until the server refuses it: by whose clock it was over nobody knows.
//!
//! All who wait are woken by what all of them may go on with, a new one or a denial. Where one of them has
//! to do something first, one is; should it be gone, the next one.

mod life;
mod outcome;
mod refresher;
mod source;

pub(crate) use self::refresher::{RefreshTerms, Refresher};
pub(crate) use self::source::{Expiring, RenewalSource, RenewalStep, Span};
