//! Stored headers: metadata of accounts, containers and objects.

use super::super::message::{Reply, Request};

/// Names, as Swift writes them, and values, in the order in which they were set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let known = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, value)| value.as_str())
    }

    /// Sets a header; an empty value removes it.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            self.0.push((title(name), value.to_owned()));
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// Applies the headers of a request whose names are `kept`, and their removals
    /// (`X-Remove-Container-Meta-Colour`).
    pub(super) fn update(&mut self, request: &Request, kept: impl Fn(&str) -> bool) {
        for (name, value) in &request.headers {
            let name = name.to_ascii_lowercase();
            if let Some(rest) = name.strip_prefix("x-remove-") {
                let name = format!("x-{rest}");
                if kept(&name) {
                    self.set(&name, "");
                }
            } else if kept(&name) {
                self.set(&name, value);
            }
        }
    }

    /// Adds all headers to a response.
    pub(super) fn dress(&self, mut reply: Reply) -> Reply {
        for (name, value) in &self.0 {
            reply = reply.header(name, value);
        }
        reply
    }
}

/// Returns a name with capitals: `X-Object-Meta-Colour`.
fn title(name: &str) -> String {
    let mut up = true;
    let spell = |letter: char| {
        let spelt = if up { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
        up = letter == '-';
        spelt
    };
    name.chars().map(spell).collect()
}
