//! The users, projects, roles and application credentials of Keystone.

use std::collections::{BTreeMap, BTreeSet};

use super::super::digest::md5_hex;

/// A user with a password and a default project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its name in the domain `Default`.
    pub name: String,
    /// Its password.
    pub password: String,
    /// The name of its project.
    pub project: String,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Project {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its name in the domain `Default`.
    pub name: String,
}

/// An application credential: a secret that authenticates a user in one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationCredential {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its name, unique for its user.
    pub name: String,
    /// Its secret.
    pub secret: String,
    /// The id of its user.
    pub user_id: String,
    /// The id of its project.
    pub project_id: String,
    /// Its roles.
    pub roles: Vec<&'static str>,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct People {
    users: Vec<User>,
    projects: Vec<Project>,
    /// The roles of a user in a project.
    grants: BTreeMap<(String, String), BTreeSet<&'static str>>,
    credentials: Vec<ApplicationCredential>,
}

impl People {
    /// Creates `demo`, with all rights in its project and an application credential; `reader`, with
    /// the right to read there; `glance`, whose project is `service`; `alt`, in another project;
    /// `admin`.
    pub(super) fn new() -> Self {
        let mut people = Self {
            users: Vec::new(),
            projects: Vec::new(),
            grants: BTreeMap::new(),
            credentials: Vec::new(),
        };
        // A member is a reader too.
        people.add("demo", "demo", &["member", "reader", OPERATOR]);
        people.add("reader", "demo", &["reader"]);
        people.add("glance", "service", &["service", OPERATOR]);
        people.add("alt", "alt", &["member", "reader", OPERATOR]);
        people.add("admin", "admin", &["admin", "manager", "member", "reader"]);
        let (user_id, project_id) = (id("user", "demo"), id("project", "demo"));
        people.credentials.push(ApplicationCredential {
            id: id("credential", "lab"),
            name: "lab".to_owned(),
            secret: "appcred-secret".to_owned(),
            roles: people.roles(&user_id, &project_id),
            user_id,
            project_id,
        });
        people
    }

    pub(super) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(super) fn user_named(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    pub(super) fn project(&self, id: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.id == id)
    }

    pub(super) fn project_named(&self, name: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.name == name)
    }

    pub(super) fn credentials(&self) -> &[ApplicationCredential] {
        &self.credentials
    }

    /// Returns the names of the roles of a user in a project.
    pub(super) fn roles(&self, user_id: &str, project_id: &str) -> Vec<&'static str> {
        let key = (user_id.to_owned(), project_id.to_owned());
        self.grants.get(&key).into_iter().flatten().copied().collect()
    }

    /// Removes all roles of a user in a project.
    pub(super) fn revoke(&mut self, user_id: &str, project_id: &str) {
        self.grants.remove(&(user_id.to_owned(), project_id.to_owned()));
    }

    pub(super) fn add(&mut self, name: &str, project: &str, roles: &[&'static str]) {
        let (user_id, project_id) = (id("user", name), id("project", project));
        if self.project(&project_id).is_none() {
            self.projects.push(Project { id: project_id.clone(), name: project.to_owned() });
        }
        if self.user(&user_id).is_none() {
            self.users.push(User {
                id: user_id.clone(),
                name: name.to_owned(),
                password: format!("{name}-secret"),
                project: project.to_owned(),
            });
        }
        self.grants.insert((user_id, project_id), roles.iter().copied().collect());
    }
}

/// Returns the id of a role.
pub(super) fn role_id(name: &str) -> String {
    id("role", name)
}

/// Returns the role of this name or id.
pub(super) fn role(name: Option<&str>, id: Option<&str>) -> Option<&'static str> {
    ROLES.into_iter().find(|role| name == Some(role) || id == Some(&*role_id(role)))
}

fn id(kind: &str, name: &str) -> String {
    md5_hex(format!("{kind} {name}").as_bytes())
}

/// The role with all rights in the accounts of its projects.
pub(super) const OPERATOR: &str = "swiftoperator";
const ROLES: [&str; 7] =
    ["admin", "manager", "member", "reader", "service", OPERATOR, "ResellerAdmin"];
