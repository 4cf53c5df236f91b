//! Who is known to Keystone: users, projects, roles and application credentials.

use std::collections::{BTreeMap, BTreeSet};

use super::super::digest::md5_hex;

/// A user with a password and a project that it is logged in to unless it says otherwise.
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

/// A secret that stands for a user in one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationCredential {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its name, one of its user's.
    pub name: String,
    /// Its secret.
    pub secret: String,
    /// Whose it is.
    pub user_id: String,
    /// Where.
    pub project_id: String,
    /// What it may.
    pub roles: Vec<&'static str>,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct People {
    users: Vec<User>,
    projects: Vec<Project>,
    /// User and project, and what the one may do in the other.
    grants: BTreeMap<(String, String), BTreeSet<&'static str>>,
    credentials: Vec<ApplicationCredential>,
}

impl People {
    /// `demo`, who may all in its project, and has an application credential; `reader`, who may
    /// only read there; `glance`, whose project is `service`; `alt`, whose is another; `admin`.
    pub(super) fn new() -> Self {
        let mut people = Self {
            users: Vec::new(),
            projects: Vec::new(),
            grants: BTreeMap::new(),
            credentials: Vec::new(),
        };
        // Who is a member is a reader too.
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

    /// What a user may do in a project, by name.
    pub(super) fn roles(&self, user_id: &str, project_id: &str) -> Vec<&'static str> {
        let key = (user_id.to_owned(), project_id.to_owned());
        self.grants.get(&key).into_iter().flatten().copied().collect()
    }

    /// Takes all roles of a user in a project away.
    pub(super) fn revoke(&mut self, user_id: &str, project_id: &str) {
        self.grants.remove(&(user_id.to_owned(), project_id.to_owned()));
    }

    fn add(&mut self, name: &str, project: &str, roles: &[&'static str]) {
        let (user_id, project_id) = (id("user", name), id("project", project));
        if self.project(&project_id).is_none() {
            self.projects.push(Project { id: project_id.clone(), name: project.to_owned() });
        }
        self.users.push(User {
            id: user_id.clone(),
            name: name.to_owned(),
            password: format!("{name}-secret"),
            project: project.to_owned(),
        });
        self.grants.insert((user_id, project_id), roles.iter().copied().collect());
    }
}

/// The id of a role.
pub(super) fn role_id(name: &str) -> String {
    id("role", name)
}

/// The role of this name or id.
pub(super) fn role(name: Option<&str>, id: Option<&str>) -> Option<&'static str> {
    ROLES.into_iter().find(|role| name == Some(role) || id == Some(&*role_id(role)))
}

fn id(kind: &str, name: &str) -> String {
    md5_hex(format!("{kind} {name}").as_bytes())
}

/// Who has it may do all in the accounts of their projects.
pub(super) const OPERATOR: &str = "swiftoperator";
const ROLES: [&str; 7] =
    ["admin", "manager", "member", "reader", "service", OPERATOR, "ResellerAdmin"];
