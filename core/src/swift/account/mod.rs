//! Operations on the account.

mod get_account;
mod head;

pub use self::get_account::{GetAccount, GetAccountOutput, ListedContainer};
pub use self::head::{AccountHead, PolicyUse};
