//! Enums that are written as one word: in headers, documents and configuration.

/// Implements for an enum of unit variants: `name()`, `Display`, `FromStr` (in any case; aliases
/// after a `|`; the error lists the valid words) and, with the feature, serde.
macro_rules! words {
    ($name:ident, $what:literal, { $($variant:ident = $word:literal $(| $alias:literal)*,)+ }) => {
        impl $name {
            #[doc = concat!("The word for this ", $what, ".")]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::error::Error;

            /// Reads the word in any case. An unknown word is an error of the caller, which lists
            /// the valid ones.
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                const WORDS: &[(&str, $name)] =
                    &[$(($word, $name::$variant), $(($alias, $name::$variant),)*)+];
                let found = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
                found.map(|&(_, value)| value).ok_or_else(|| {
                    let names: Vec<&str> = WORDS.iter().map(|&(name, _)| name).collect();
                    $crate::checksum::words::unknown($what, word, &names)
                })
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(super) fn unknown(what: &str, word: &str, names: &[&str]) -> crate::error::Error {
    let shown: String = word.chars().take(SHOWN).collect();
    let more = if shown.len() < word.len() { "…" } else { "" };
    crate::error::Error::invalid_input(format!(
        "unknown {what} {shown:?}{more}: expected one of {}",
        names.join(", ")
    ))
}

/// How many characters of an unknown word an error shows.
const SHOWN: usize = 32;
