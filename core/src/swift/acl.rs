//! Access control lists of containers and of accounts. "Access Control Lists", Swift.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::escape;

/// The access control list of a container: `X-Container-Read` or `X-Container-Write`.
///
/// It is read as servers read it. When written, names are percent-encoded, because a comma
/// separates entries and a colon separates a project from a user; so it is read back unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// The entries. Those of referrers are applied in this order.
    pub entries: Vec<AclEntry>,
}

/// An entry of an [`Acl`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclEntry {
    /// `.r:*`, `.r:host`, `.r:.domain` and `.r:-host`: requests with a `Referer` of this host may
    /// read objects without a token, or may not.
    Referrer {
        /// A host, a domain with a dot before it, or `*` for all hosts.
        host: String,
        /// Whether these requests are allowed.
        allowed: bool,
    },
    /// `.rlistings`: requests that a referrer entry allows to read objects may also list them.
    Listings,
    /// `project:user`, both by id, each `*` for all.
    User {
        /// The project's id; with TempAuth the account.
        project: String,
        /// The user's id; with TempAuth the user's name.
        user: String,
    },
    /// A name without a colon: a project or role, as the authentication system defines it.
    Group(String),
}

impl Acl {
    /// Returns a list that allows reading and listing to all requests, also without a token.
    pub fn public() -> Self {
        let all = AclEntry::Referrer { host: "*".into(), allowed: true };
        Self { entries: vec![all, AclEntry::Listings] }
    }

    /// Returns a list that allows all users of these projects, by the projects' ids.
    pub fn projects(ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let user = |id: String| AclEntry::User { project: id, user: "*".into() };
        Self { entries: ids.into_iter().map(|id| user(id.into())).collect() }
    }

    /// Adds an entry.
    #[must_use]
    pub fn with(mut self, entry: AclEntry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Whether the list has entries of referrers, which Swift refuses in `X-Container-Write`.
    pub fn has_referrers(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry, AclEntry::Referrer { .. }))
    }

    /// Whether the list has no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl FromStr for Acl {
    type Err = Error;

    /// Reads the list as a server does.
    ///
    /// # Errors
    ///
    /// An unknown designator that begins with a dot; a referrer without a host.
    fn from_str(text: &str) -> Result<Self, Error> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(AclEntry::read).collect::<Result<_, _>>().map(|entries| Self { entries })
    }
}

impl fmt::Display for Acl {
    /// Writes the value of the header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, entry) in self.entries.iter().enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            entry.fmt(f)?;
        }
        Ok(())
    }
}

impl AclEntry {
    fn read(entry: &str) -> Result<Self, Error> {
        let Some((first, second)) = entry.split_once(':') else {
            return Ok(match entry {
                ".rlistings" => Self::Listings,
                group => Self::Group(decoded(group)),
            });
        };
        let (first, second) = (first.trim(), second.trim());
        if !first.starts_with('.') {
            return Ok(Self::User { project: decoded(first), user: decoded(second) });
        }
        if !matches!(first, ".r" | ".ref" | ".referer" | ".referrer") {
            return Err(Error::invalid_input(format!("unknown designator {first:?} in the ACL")));
        }
        let (mut host, allowed) = match second.strip_prefix('-') {
            Some(host) => (host.trim(), false),
            None => (second, true),
        };
        while let Some(domain) = host.strip_prefix('*').filter(|domain| !domain.is_empty()) {
            host = domain.trim();
        }
        if matches!(host, "" | ".") || host.starts_with('-') {
            return Err(Error::invalid_input(format!("referrer {entry:?} in the ACL has no host")));
        }
        Ok(Self::Referrer { host: host.to_owned(), allowed })
    }
}

impl fmt::Display for AclEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Referrer { host, allowed } => {
                write!(f, ".r:{}{host}", if *allowed { "" } else { "-" })
            }
            Self::Listings => f.write_str(".rlistings"),
            Self::User { project, user } => {
                write!(f, "{}:{}", encoded(project), encoded(user))
            }
            Self::Group(name) => f.write_str(&encoded(name)),
        }
    }
}

fn decoded(name: &str) -> String {
    escape::decode(name).map_or_else(|| name.to_owned(), Into::into)
}

/// Encodes a name so that it does not begin like a designator.
fn encoded(name: &str) -> String {
    if name == "*" {
        return name.to_owned();
    }
    let encoded = escape::query(name);
    match encoded.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => encoded,
    }
}

/// The access control list of an account: `X-Account-Access-Control`, which TempAuth supports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AccountAcl {
    /// Users with all rights.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admin: Vec<String>,
    /// Users who may only read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_only: Vec<String>,
    /// Users who may read and write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_write: Vec<String>,
}

impl FromStr for AccountAcl {
    type Err = Error;

    /// Reads the value of the header; an empty one is an empty list.
    ///
    /// # Errors
    ///
    /// The text is not a JSON object with lists of names.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        // The derived code would also accept an array of the three lists.
        let document: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)
            .map_err(|why| {
                Error::invalid_response(format!("the account's ACL is not valid JSON: {why}"))
            })?;
        serde_json::from_value(document.into())
            .map_err(|why| Error::invalid_response(format!("the account's ACL is invalid: {why}")))
    }
}

impl fmt::Display for AccountAcl {
    /// Writes the value of the header: JSON in ASCII, or nothing if the list is empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        for letter in json.chars() {
            if letter.is_ascii() {
                f.write_char(letter)?;
                continue;
            }
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(f, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        text.parse::<Acl>().unwrap().to_string()
    }

    // swift.common.middleware.acl.clean_acl: its examples.
    #[test]
    fn messy_lists_are_cleaned_up() {
        for (messy, clean) in [
            ("bob, sue", "bob,sue"),
            ("bob , sue", "bob,sue"),
            ("bob,,,sue", "bob,sue"),
            (".referrer : *", ".r:*"),
            (".ref:*.example.com", ".r:.example.com"),
            (".r:*, .rlistings", ".r:*,.rlistings"),
            (".r:*,.r:-.thief.com", ".r:*,.r:-.thief.com"),
            (
                ".r:*,.r:.example.com,.r:-thief.example.com",
                ".r:*,.r:.example.com,.r:-thief.example.com",
            ),
            ("bobs_account,sues_account:sue", "bobs_account,sues_account:sue"),
            ("*:*", "*:*"),
            ("", ""),
        ] {
            assert_eq!(cleaned(messy), clean, "{messy}");
        }
        for (text, why) in [
            (".r:", "referrer \".r:\" in the ACL has no host"),
            (".r:-", "referrer \".r:-\" in the ACL has no host"),
            (".r:*.", "referrer \".r:*.\" in the ACL has no host"),
            (".x:y", "unknown designator \".x\" in the ACL"),
        ] {
            assert_eq!(text.parse::<Acl>().unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn names_are_read_back_as_they_were() {
        let names = ["a,b", "a:b", ".r", "é %41", "*", "-"];
        let mut acl = Acl::projects(names);
        acl.entries.extend(names.map(|name| AclEntry::Group(name.into())));
        assert_eq!(acl.to_string().parse::<Acl>().unwrap(), acl);
        assert_eq!(Acl::projects(["p1", "p2"]).to_string(), "p1:*,p2:*");
        assert_eq!(Acl::public().to_string(), ".r:*,.rlistings");
    }

    // swift.common.middleware.acl.format_acl_v2 of the same members.
    #[test]
    fn an_accounts_list_is_ascii() {
        let acl = AccountAcl {
            admin: vec!["bob".into()],
            read_write: vec!["süe".into(), "🦆".into()],
            ..AccountAcl::default()
        };
        let text = r#"{"admin":["bob"],"read-write":["s\u00fce","\ud83e\udd86"]}"#;
        assert_eq!(acl.to_string(), text);
        assert_eq!(text.parse::<AccountAcl>().unwrap(), acl);
        assert_eq!("".parse::<AccountAcl>().unwrap().to_string(), "");
        assert!("[]".parse::<AccountAcl>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String) {
            if let Ok(acl) = text.parse::<Acl>() {
                let again: Acl = acl.to_string().parse().unwrap();
                proptest::prop_assert_eq!(again.to_string(), acl.to_string());
            }
            let _ = text.parse::<AccountAcl>();
        }
    }
}
