//! POST to the account.

use crate::secret::Secret;
use crate::swift::acl::AccountAcl;
use crate::swift::operation::*;
use crate::swift::types::Metadata;

operation! {
    /// Changes the account's metadata; items that are not in the request are kept. "Create, update,
    /// or delete account metadata", Object Storage API.
    ///
    /// ```
    /// use apus_core::swift::PostAccount;
    ///
    /// let mut post = PostAccount::new();
    /// // The second key, so that URLs signed with the first one stay valid.
    /// post.temp_url_keys = [None, Some("TEMP_URL_KEY".into())];
    /// ```
    pub struct PostAccount {
        /// Items to set.
        pub metadata: Metadata,
        /// Names of items to remove.
        pub remove_metadata: Vec<String>,
        /// Keys of temporary URLs; an empty one removes the key.
        pub temp_url_keys: [Option<Secret>; 2],
        /// The access control list; an empty one removes it. TempAuth supports it, Keystone does
        /// not.
        pub access_control: Option<AccountAcl>,
    }
    new()
}

impl Operation for PostAccount {
    facts!(PostAccount: Idempotent -> () = error::carried_out);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::account(service, Self::NAME, Method::POST)
            .items("x-account-meta-", &self.metadata)
            .remove("x-remove-account-meta-", &self.remove_metadata)
            .temp_url_keys(
                ["x-account-meta-temp-url-key", "x-account-meta-temp-url-key-2"],
                &self.temp_url_keys,
            )
            .header(
                "x-account-access-control",
                self.access_control.as_ref().map(AccountAcl::to_string),
            )
            .finish()
    }

    fn parse_head(&self, reply: &Reply) -> Option<()> {
        error::carried_out(reply).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{sent, service};

    #[test]
    fn what_is_set_and_what_is_removed() {
        let post = PostAccount {
            metadata: [("book".into(), "MobyDick".into())].into(),
            remove_metadata: vec!["colour".into()],
            temp_url_keys: [Some(Secret::new("hush")), None],
            ..PostAccount::new()
        };
        assert_eq!(
            sent(&post).unwrap(),
            "POST /\nx-account-meta-book: MobyDick\nx-account-meta-temp-url-key: hush\n\
             x-remove-account-meta-colour: x"
        );
        let draft = post.draft(&service()).unwrap();
        assert!(!format!("{post:?} {draft:?}").contains("hush"));
    }
}
