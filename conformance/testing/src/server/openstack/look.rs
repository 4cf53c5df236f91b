//! What tests ask of the model: who is there, what happened, and what is left.

use std::time::Duration;

use bytes::Bytes;

use super::super::digest::md5_hex;
use super::headers::Headers;
use super::operation::{OpenStackOperation, Target};
use super::{
    ApplicationCredential, Container, Login, OpenStackModel, SwiftObject, Token, Trust, User,
};

impl OpenStackModel {
    /// A user, by name: `demo`, `reader`, `glance`, `alt`, `admin`.
    ///
    /// # Panics
    ///
    /// There is no such user.
    pub fn user(&self, name: &str) -> &User {
        self.people.user_named(name).unwrap_or_else(|| panic!("there is no user {name}"))
    }

    /// The id of a project, by name.
    ///
    /// # Panics
    ///
    /// There is no such project.
    pub fn project_id(&self, name: &str) -> &str {
        let project = self.people.project_named(name);
        &project.unwrap_or_else(|| panic!("there is no project {name}")).id
    }

    /// The application credential of `demo`.
    ///
    /// # Panics
    ///
    /// Never: it is always there.
    pub fn application_credential(&self) -> &ApplicationCredential {
        self.people.credentials().first().expect("it was made with the people")
    }

    /// Takes all roles from a user in the user's own project; tokens that were issued keep theirs.
    pub fn strip(&mut self, user: &str) {
        let user = self.user(user).clone();
        let project = self.project_id(&user.project).to_owned();
        self.people.revoke(&user.id, &project);
    }

    /// What the account of a user's project is called.
    pub fn account_of(&self, user: &str) -> String {
        format!("AUTH_{}", self.project_id(&self.user(user).project))
    }

    /// The account of a user's project, as a URL.
    pub fn storage_url_of(&self, user: &str) -> String {
        format!("{}/v1/{}", self.storage_url, self.account_of(user))
    }

    /// A container of the account of a user's project.
    pub fn container_of(&self, user: &str, container: &str) -> Option<&Container> {
        self.accounts.get(&self.account_of(user))?.containers.get(container)
    }

    /// An object of the account of a user's project.
    pub fn object_of(&self, user: &str, container: &str, object: &str) -> Option<&SwiftObject> {
        self.container_of(user, container)?.objects.get(object)
    }

    /// Writes an object, as somebody else with access to the account of a user's project would.
    pub fn put_foreign(&mut self, user: &str, container: &str, object: &str, body: Bytes) {
        let account = self.account_of(user);
        let changed = self.stamp();
        let written = SwiftObject {
            etag: md5_hex(&body),
            body,
            delete_at: None,
            headers: Headers::default(),
            changed,
            slo: None,
        };
        let containers = &mut self.account_mut(&account).containers;
        if let Some(container) = containers.get_mut(container) {
            container.objects.insert(object.to_owned(), written);
        }
    }

    /// The bytes of an object as a GET of it all would give them: of a large object, those of its
    /// segments.
    pub fn content_of(&self, user: &str, container: &str, object: &str) -> Option<Vec<u8>> {
        let account = self.account_of(user);
        let target = Target { account, container: container.to_owned(), object: object.to_owned() };
        self.content(&target)
    }

    /// All names of a container, in order.
    pub fn names_of(&self, user: &str, container: &str) -> Vec<&str> {
        let objects = self.container_of(user, container).map(|container| &container.objects);
        objects.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// Every authentication that was tried, in order.
    pub fn logins(&self) -> &[Login] {
        &self.logins
    }

    /// Every token that was issued and is still good.
    pub fn live_tokens(&self) -> Vec<&Token> {
        self.tokens.values().filter(|token| self.valid(&token.id).is_some()).collect()
    }

    /// Every token that was ever issued.
    pub fn tokens(&self) -> Vec<&Token> {
        self.tokens.values().collect()
    }

    /// The trusts that Keystone still knows: neither deleted, nor spent, nor expired.
    pub fn live_trusts(&self) -> Vec<&Trust> {
        self.trusts.values().filter(|trust| self.trust(&trust.id).is_some()).collect()
    }

    /// Every trust that was ever made.
    pub fn trusts(&self) -> Vec<&Trust> {
        self.trusts.values().collect()
    }

    /// The shortest that any good token had yet to live when it came to Swift.
    pub fn least_left(&self) -> Duration {
        self.least_left
    }

    /// Revokes every token that was issued so far.
    pub fn revoke_all(&mut self) {
        for token in self.tokens.values_mut() {
            token.revoked = true;
        }
    }

    /// How many requests of an operation came, failed ones included.
    pub fn count(&self, operation: OpenStackOperation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or(0)
    }

    /// How many requests came.
    pub fn requests(&self) -> u64 {
        self.requests
    }
}
