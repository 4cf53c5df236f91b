//! Which names are taken: `--include` and `--exclude`.

use clap::Args;

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filter {
    /// Take only names that match one of these patterns, also if they match --exclude
    ///
    /// A pattern is compared with the whole path below the directory or the prefix: * is any text,
    /// with / in it too, ? is any character.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,

    /// Leave out names that match one of these patterns, unless they match --include
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
}

impl Filter {
    /// Whether any pattern was given.
    pub(crate) fn is_given(&self) -> bool {
        !(self.include.is_empty() && self.exclude.is_empty())
    }

    /// Returns whether a path below a directory, which ends with `/`, may be taken.
    pub(crate) fn takes_below(&self, directory: &str) -> bool {
        if self.include.iter().any(|pattern| may_match_below(pattern, directory)) {
            return true;
        }
        match self.exclude.is_empty() {
            true => self.include.is_empty(),
            false => {
                let is_whole = |it: &String| it.ends_with('*') && matches(it, directory);
                !self.exclude.iter().any(is_whole)
            }
        }
    }

    /// Returns whether a path is taken.
    pub(crate) fn takes(&self, path: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, path));
        if any(&self.include) {
            return true;
        }
        match self.exclude.is_empty() {
            true => self.include.is_empty(),
            false => !any(&self.exclude),
        }
    }
}

/// Returns whether a text matches a pattern with `*` and `?`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // The last `*`, and what it has taken so far.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(char) if *char == '?' || Some(char) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|char| *char == '*')
}

/// Returns whether a pattern matches any text that begins with this one.
fn may_match_below(pattern: &str, beginning: &str) -> bool {
    let fits = |(own, char): (char, char)| own == '?' || own == char;
    match pattern.split_once('*') {
        // What follows a `*` can be at the end.
        Some((before, _)) if before.chars().count() <= beginning.chars().count() => {
            before.chars().zip(beginning.chars()).all(fits)
        }
        _ => {
            let length = beginning.chars().count();
            pattern.chars().count() > length && pattern.chars().zip(beginning.chars()).all(fits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, text, expect) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("*.txt", "a/b.txt", true),
            ("*.txt", "a.txt.gz", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "a/x/b/y/c", true),
            ("a*b*c", "a/x/y/c", false),
            ("ü?", "üß", true),
            ("", "a", false),
            ("a", "a/b", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
        }
    }

    #[test]
    fn an_include_outweighs_an_exclude() {
        let filter = |include: &[&str], exclude: &[&str]| Filter {
            include: include.iter().map(|&it| it.to_owned()).collect(),
            exclude: exclude.iter().map(|&it| it.to_owned()).collect(),
        };
        assert!(filter(&[], &[]).takes("a"));
        assert!(!filter(&["*.txt"], &[]).takes("a"));
        assert!(!filter(&[], &["*.tmp"]).takes("x/a.tmp") && filter(&[], &["*.tmp"]).takes("a"));
        let only = filter(&["*.txt"], &["*"]);
        assert!(only.takes("a.txt") && !only.takes("a.tmp"));
    }

    #[test]
    fn a_directory_is_left_out_only_if_nothing_below_it_is_taken() {
        let filter = |include: &[&str], exclude: &[&str]| Filter {
            include: include.iter().map(|&it| it.to_owned()).collect(),
            exclude: exclude.iter().map(|&it| it.to_owned()).collect(),
        };
        for (include, exclude, expect) in [
            (&[][..], &[][..], true),
            (&[], &["a/*"], false),
            (&[], &["*"], false),
            (&[], &["a/*.txt"], true),
            (&[], &["a/"], true),
            (&[], &["b/*"], true),
            (&["*.txt"], &[], true),
            (&["b/*"], &[], false),
            (&["a/b/*"], &["*"], true),
            (&["a/b"], &["*"], true),
            (&["a/"], &["*"], false),
            (&["?/x"], &["*"], true),
            (&["ab/*"], &["*"], false),
            (&["b*"], &["*"], false),
        ] {
            assert_eq!(
                filter(include, exclude).takes_below("a/"),
                expect,
                "{include:?} {exclude:?}"
            );
        }
    }
}
