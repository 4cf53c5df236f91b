//! Names as file systems compare them.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Returns a text that is equal for all names that NTFS, APFS, HFS+ or ext4 with `casefold` may
/// store in one file.
///
/// It is Unicode's canonical caseless matching (definition D145). The full case folding is made of
/// the standard library's mappings to lower case, upper case, and lower case again, which joins all
/// that case folding joins. It joins more than one file system does (`ß` and `ss`: not NTFS), never
/// less.
pub(super) fn fold(name: &str) -> Box<str> {
    if name.is_ascii() {
        return name.to_ascii_lowercase().into();
    }
    let nfd = const { DecomposingNormalizerBorrowed::new_nfd() };
    let mut folded = String::with_capacity(name.len());
    for char in nfd.normalize_iter(name.chars()).filter(|char| !is_ignored(*char)) {
        if char == DOTLESS_I {
            folded.push(char);
            continue;
        }
        for char in char.to_lowercase().flat_map(char::to_uppercase) {
            folded.extend(char.to_lowercase());
        }
    }
    nfd.normalize(&folded).into()
}

/// Whether a character is invisible: Unicode's `Default_Ignorable_Code_Point`. ext4 ignores all of
/// them, HFS+ some.
fn is_ignored(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Its upper case is `I`, but case folding keeps it apart from `i`.
const DOTLESS_I: char = 'ı';
