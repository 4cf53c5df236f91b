//! The kinds of backends, and the words for them that glance_store knows.

/// A kind of backend.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Its name in `enabled_backends` and in `stores`.
    pub(super) name: &'static str,
    /// Its name in `stores` in old files.
    pub(super) old_name: &'static str,
    /// The words for it in `default_store`.
    pub(super) schemes: &'static [&'static str],
}

impl Kind {
    /// Returns the kind that an entry of `enabled_backends` names, or `stores` if `old` names count.
    pub(super) fn named(name: &str, old: bool) -> Option<&'static Self> {
        ALL.iter().find(|kind| kind.name == name || (old && kind.old_name == name))
    }

    /// Returns the kind that a word of `default_store` means.
    pub(super) fn of_scheme(scheme: &str) -> Option<&'static Self> {
        ALL.iter().find(|kind| kind.schemes.contains(&scheme))
    }

    /// Says what is wrong with a name that is that of no kind.
    pub(super) fn problem(name: &str) -> String {
        if name.is_empty() {
            return "it has no kind".to_owned();
        }
        if name.contains([' ', '\t', '\n']) && name.contains(['#', ';']) {
            return format!(
                "its kind is {name:?}, for a comment is part of the value: write it on a line of its \
                 own"
            );
        }
        if name.split_whitespace().count() > 1 && name.split_whitespace().all(names_a_kind) {
            return format!("its kind is {name:?}: separate backends by commas");
        }
        if let Some(kind) = ALL.iter().find(|kind| kind.old_name == name) {
            return format!(
                "the image service finds no backend of kind {name:?}: write {}",
                kind.name
            );
        }
        let nearest = ALL
            .iter()
            .map(|kind| (super::distance(&name.to_lowercase(), kind.name), kind.name))
            .min()
            .filter(|(distance, known)| *distance * 2 <= known.len());
        match nearest {
            Some((_, known)) => format!("its kind {name:?} is unknown: did you mean {known}?"),
            None => {
                let names: Vec<&str> = ALL.iter().map(|kind| kind.name).collect();
                format!("its kind {name:?} is unknown: expected one of {}", names.join(", "))
            }
        }
    }
}

/// Returns whether a word is the name of a kind, or an id with one.
fn names_a_kind(word: &str) -> bool {
    let kind = word.split_once(':').map_or(word, |(_, kind)| kind);
    Kind::named(kind, true).is_some()
}

/// The entry points of glance_store 5.7, and the words that it allows in `default_store`.
const ALL: [Kind; 7] = [
    Kind { name: "cinder", old_name: "glance.store.cinder.Store", schemes: &["cinder"] },
    Kind {
        name: "file",
        old_name: "glance.store.filesystem.Store",
        schemes: &["file", "filesystem"],
    },
    Kind { name: "http", old_name: "glance.store.http.Store", schemes: &["http", "https"] },
    Kind { name: "rbd", old_name: "glance.store.rbd.Store", schemes: &["rbd"] },
    Kind { name: "s3", old_name: "glance.store.s3.Store", schemes: &["s3"] },
    Kind {
        name: "swift",
        old_name: "glance.store.swift.Store",
        schemes: &["swift", "swift+http", "swift+https", "swift+config"],
    },
    Kind { name: "vmware", old_name: "glance.store.vmware_datastore.Store", schemes: &["vsphere"] },
];
