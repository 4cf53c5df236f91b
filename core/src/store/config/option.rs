//! The description of an option: name, type, default and range, for parsing and for the reference.

use std::any::Any;
use std::ops::RangeInclusive;

use super::python;
use crate::checksum::{
    Algorithm, Placement, RequestChecksumCalculation, ResponseChecksumValidation,
};
use crate::credentials::CredentialSource;
use crate::keystone::Interface;
use crate::machine::LargeObject;
use crate::quirks::Provider;
use crate::s3::Addressing;
use crate::secret::Secret;

/// The description of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionSpec {
    /// The name.
    pub name: &'static str,
    /// The type of the value: "a whole number", "true or false".
    pub kind: &'static str,
    /// The allowed values; empty if the value is not one of a list.
    pub choices: &'static [&'static str],
    /// The smallest and the largest number.
    pub range: Option<RangeInclusive<u64>>,
    /// Whether a larger number is taken for the largest one.
    pub is_capped: bool,
    /// The default as text; `None` if there is no default.
    pub default: Option<String>,
    /// Whether the value is a secret, which is never shown.
    pub is_secret: bool,
    /// The help text.
    pub help: &'static str,
}

impl OptionSpec {
    /// Returns "expected a whole number from 1 to 65535".
    pub(super) fn expected(&self) -> String {
        let mut text = format!("expected {}", self.kind);
        if !self.choices.is_empty() {
            text = format!("expected one of {}", self.choices.join(", "));
        }
        match &self.range {
            Some(range) if *range.end() == u64::MAX => text += &format!(" from {}", range.start()),
            Some(range) => text += &format!(" from {} to {}", range.start(), range.end()),
            None => {}
        }
        text
    }

    pub(super) fn admits(&self, value: &dyn Any) -> bool {
        match (&self.range, value.downcast_ref::<u64>()) {
            (Some(range), Some(number)) => range.contains(number),
            _ => true,
        }
    }

    /// Returns the largest number, if larger ones are taken for it.
    pub(super) fn cap(&self) -> Option<u64> {
        self.range.as_ref().filter(|_| self.is_capped).map(|range| *range.end())
    }
}

/// A type of options.
pub(super) trait OptionValue: Any + Sized {
    const KIND: &'static str;
    const CHOICES: &'static [&'static str] = &[];
    const IS_SECRET: bool = false;

    /// Parses a value; `None` if the text is invalid.
    fn read(text: &str) -> Option<Self>;

    /// Returns the value as text; `None` for no value and for a secret.
    fn show(&self) -> Option<String>;

    /// Returns the value, if it is a number at most this one.
    fn capped(self, _most: u64) -> Self {
        self
    }
}

impl OptionValue for bool {
    const KIND: &'static str = "true or false";
    const CHOICES: &'static [&'static str] = &["true", "false"];

    /// Accepts the words that oslo.config accepts.
    fn read(text: &str) -> Option<Self> {
        match text.to_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => Some(true),
            "false" | "0" | "off" | "no" => Some(false),
            _ => None,
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl OptionValue for u64 {
    const KIND: &'static str = "a whole number";

    fn read(text: &str) -> Option<Self> {
        python::whole_number(text)
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn capped(self, most: u64) -> Self {
        self.min(most)
    }
}

impl OptionValue for String {
    const KIND: &'static str = "text";

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.clone())
    }
}

/// An empty text after the `=` is no value.
impl<T: OptionValue> OptionValue for Option<T> {
    const KIND: &'static str = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const IS_SECRET: bool = T::IS_SECRET;

    fn read(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::read(text).map(Some) }
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }
}

impl OptionValue for Secret {
    const KIND: &'static str = "text";
    const IS_SECRET: bool = true;

    fn read(text: &str) -> Option<Self> {
        Some(Self::new(text))
    }

    fn show(&self) -> Option<String> {
        None
    }
}

impl OptionValue for Vec<String> {
    const KIND: &'static str = "a list, separated by commas";

    fn read(text: &str) -> Option<Self> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Some(items.map(str::to_owned).collect())
    }

    fn show(&self) -> Option<String> {
        Some(self.join(",")).filter(|text| !text.is_empty())
    }
}

impl OptionValue for Provider {
    const KIND: &'static str = "a word";
    const CHOICES: &'static [&'static str] = &PROVIDERS;

    fn read(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

const PROVIDERS: [&str; Provider::ALL.len()] = {
    let mut names = [""; Provider::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Provider::ALL[at].name();
        at += 1;
    }
    names
};

/// Types whose values are words.
macro_rules! words {
    ($($type:ty: $kind:literal [$($word:literal),+] $read:expr, $show:expr;)+) => {$(
        impl OptionValue for $type {
            const KIND: &'static str = $kind;
            const CHOICES: &'static [&'static str] = &[$($word),+];

            fn read(text: &str) -> Option<Self> {
                ($read)(text)
            }

            fn show(&self) -> Option<String> {
                Some(($show)(self))
            }
        }
    )+};
}

words! {
    RequestChecksumCalculation: "a word" ["when_required", "when_supported", "always", "never"]
        |text: &str| mode::<Self>(text)?.parse().ok(), |value: &Self| value.to_string();
    ResponseChecksumValidation: "a word" ["when_required", "when_supported", "always", "never"]
        |text: &str| mode::<Self>(text)?.parse().ok(), |value: &Self| value.to_string();
    Algorithm: "a word" [
        "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3",
        "XXHASH128"
    ] |text: &str| text.parse().ok(), |value: &Self| value.to_string();
    Placement: "a word" ["auto", "header", "trailer", "content-md5"]
        |text: &str| text.parse().ok(), |value: &Self| value.to_string();
    Addressing: "a word" ["auto", "path", "virtual"] |text: &str| match text {
        "auto" => Some(Self::Auto),
        "path" => Some(Self::Path),
        "virtual" => Some(Self::Virtual),
        _ => None,
    }, |value: &Self| match value {
        Self::Auto => "auto".to_owned(),
        Self::Path => "path".to_owned(),
        Self::Virtual => "virtual".to_owned(),
    };
    LargeObject: "a word" ["static", "dynamic"] |text: &str| match text {
        "static" => Some(Self::Static),
        "dynamic" => Some(Self::Dynamic),
        _ => None,
    }, |value: &Self| match value {
        Self::Static => "static".to_owned(),
        Self::Dynamic => "dynamic".to_owned(),
    };
    CredentialSource: "a word" [
        "static", "environment", "profile", "default-chain", "web-identity", "container", "instance"
    ] |text: &str| text.parse().ok(), |value: &Self| value.to_string();
    Interface: "a word" ["publicURL", "internalURL", "adminURL"]
        |text: &str| Self::parse(exactly::<Self>(text)?), |value: &Self| format!("{}URL", value.as_str());
}

/// Returns a text that is no mode of glance_store's in other case, which it refuses. `always` and
/// `never` are not its words.
fn mode<T: OptionValue>(text: &str) -> Option<&str> {
    let is_theirs = text.to_lowercase().starts_with("when_");
    if is_theirs { exactly::<T>(text) } else { Some(text) }
}

/// Returns a text that is one of the words of the type.
fn exactly<T: OptionValue>(text: &str) -> Option<&str> {
    Some(text).filter(|text| T::CHOICES.contains(text))
}

/// Defines a struct of options that is read from a section, and their descriptions.
macro_rules! options {
    (
        $(#[$doc:meta])*
        $name:ident {
            $(
                #[doc = $first:literal]
                $(#[doc = $more:literal])*
                $option:ident: $type:ty = $default:expr $(, in $range:expr $(, $capped:ident)?)?;
            )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $(
                #[doc = $first]
                $(#[doc = $more])*
                pub $option: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($option: $default,)+ }
            }
        }

        impl $name {
            /// Returns the descriptions of all options, in the order of the fields.
            pub fn specs() -> Vec<OptionSpec> {
                let default = Self::default();
                vec![$(OptionSpec {
                    name: stringify!($option),
                    kind: <$type as OptionValue>::KIND,
                    choices: <$type as OptionValue>::CHOICES,
                    range: options!(@range $($range)?),
                    is_capped: options!(@capped $($($capped)?)?),
                    default: default.$option.show(),
                    is_secret: <$type as OptionValue>::IS_SECRET,
                    help: concat!($first $(, "\n", $more)*),
                },)+]
            }

            /// Returns the value of each option as text; `None` for no value and for a secret.
            pub fn written(&self) -> Vec<(&'static str, Option<String>)> {
                vec![$((stringify!($option), self.$option.show()),)+]
            }

            pub(super) fn of_section(
                section: &Section<'_>,
                errors: &mut Vec<ConfigError>,
            ) -> Self {
                let default = Self::default();
                let mut specs = Self::specs().into_iter();
                let mut spec = || specs.next().expect("there is a spec for every option");
                Self { $($option: section.option(&spec(), default.$option, errors),)+ }
            }
        }
    };
    (@range) => { None };
    (@range $range:expr) => { Some($range) };
    (@capped) => { false };
    (@capped capped) => { true };
}
pub(super) use options;
