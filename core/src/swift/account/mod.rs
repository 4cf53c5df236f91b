//! Operations on the account.

mod get_account;
mod head;
mod head_account;
mod post_account;

pub use self::get_account::{GetAccount, GetAccountOutput, ListedContainer};
pub use self::head::{AccountHead, PolicyUse};
pub use self::head_account::HeadAccount;
pub use self::post_account::PostAccount;
