//! What tests read from the model: users, what happened, and what is stored.

use std::time::Duration;

use bytes::Bytes;

use super::super::digest::md5_hex;
use super::headers::Headers;
use super::operation::{OpenStackOperation, Target};
use super::{
    ApplicationCredential, Container, Login, OpenStackModel, SwiftObject, Token, Trust, User,
};

impl OpenStackModel {
    /// Returns a user by name: `demo`, `reader`, `glance`, `alt`, `admin`.
    ///
    /// # Panics
    ///
    /// No user has this name.
    pub fn user(&self, name: &str) -> &User {
        self.people.user_named(name).unwrap_or_else(|| panic!("there is no user {name}"))
    }

    /// Returns the id of a project by its name.
    ///
    /// # Panics
    ///
    /// No project has this name.
    pub fn project_id(&self, name: &str) -> &str {
        let project = self.people.project_named(name);
        &project.unwrap_or_else(|| panic!("there is no project {name}")).id
    }

    /// Returns the application credential of `demo`.
    ///
    /// # Panics
    ///
    /// Never: it always exists.
    pub fn application_credential(&self) -> &ApplicationCredential {
        self.people.credentials().first().expect("it was made with the people")
    }

    /// Removes all roles of a user in the user's own project. Issued tokens keep their roles.
    pub fn strip(&mut self, user: &str) {
        let user = self.user(user).clone();
        let project = self.project_id(&user.project).to_owned();
        self.people.revoke(&user.id, &project);
    }

    /// Returns the name of the account of a user's project.
    pub fn account_of(&self, user: &str) -> String {
        format!("AUTH_{}", self.project_id(&self.user(user).project))
    }

    /// Returns the URL of the account of a user's project.
    pub fn storage_url_of(&self, user: &str) -> String {
        format!("{}/v1/{}", self.storage_url, self.account_of(user))
    }

    /// Returns a container in the account of a user's project.
    pub fn container_of(&self, user: &str, container: &str) -> Option<&Container> {
        self.accounts.get(&self.account_of(user))?.containers.get(container)
    }

    /// Returns an object in the account of a user's project.
    pub fn object_of(&self, user: &str, container: &str, object: &str) -> Option<&SwiftObject> {
        self.container_of(user, container)?.objects.get(object)
    }

    /// Writes an object as another client with access to the account of a user's project.
    pub fn put_foreign(&mut self, user: &str, container: &str, object: &str, body: Bytes) {
        let account = self.account_of(user);
        let changed = self.stamp();
        let written = SwiftObject {
            etag: md5_hex(&body),
            body,
            delete_at: None,
            headers: Headers::default(),
            changed,
            listed: changed,
            slo: None,
        };
        let containers = &mut self.account_mut(&account).containers;
        if let Some(container) = containers.get_mut(container) {
            container.put(object, written);
        }
    }

    /// Returns the bytes of an object as a GET of the whole object returns them: for a large
    /// object, those of its segments.
    pub fn content_of(&self, user: &str, container: &str, object: &str) -> Option<Vec<u8>> {
        let account = self.account_of(user);
        let target = Target { account, container: container.to_owned(), object: object.to_owned() };
        self.content(&target)
    }

    /// Returns all names of a container, in order.
    pub fn names_of(&self, user: &str, container: &str) -> Vec<&str> {
        let objects = self.container_of(user, container).map(|container| &container.objects);
        objects.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// Returns every attempted authentication, in order.
    pub fn logins(&self) -> &[Login] {
        &self.logins
    }

    /// Returns every issued token that is still valid.
    pub fn live_tokens(&self) -> Vec<&Token> {
        self.tokens.values().filter(|token| self.valid(&token.id).is_some()).collect()
    }

    /// Returns every token that was issued.
    pub fn tokens(&self) -> Vec<&Token> {
        self.tokens.values().collect()
    }

    /// Returns the trusts that are neither deleted, nor used up, nor expired.
    pub fn live_trusts(&self) -> Vec<&Trust> {
        self.trusts.values().filter(|trust| self.trust(&trust.id).is_some()).collect()
    }

    /// Returns every trust that was created.
    pub fn trusts(&self) -> Vec<&Trust> {
        self.trusts.values().collect()
    }

    /// Returns the shortest remaining life of any valid token when Swift received it.
    pub fn least_left(&self) -> Duration {
        self.least_left
    }

    /// Revokes every token that was issued so far.
    pub fn revoke_all(&mut self) {
        for token in self.tokens.values_mut() {
            token.revoked = true;
        }
    }

    /// Returns the number of requests of an operation, failed ones included.
    pub fn count(&self, operation: OpenStackOperation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or(0)
    }

    /// Returns the number of all requests.
    pub fn requests(&self) -> u64 {
        self.requests
    }
}
