//! The command lines and options of `OPERATORS.md` are those of the program.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use apus_conformance::program::APUS;

use crate::program::Program;

/// Options of other programs that `OPERATORS.md` names.
const OF_OTHERS: [&str; 4] =
    ["--batch", "--raw", "--skip-column-names", "--http-put-response-hop-limit"];

/// Each command line is accepted as far as the configuration, which can't be read here: 6 is the code
/// for that, 2 that of an invalid command line.
#[test]
fn every_command_line_of_the_guide_is_valid() {
    let program = Program::new();
    for name in ["names", "rows.json", "t", "a.json"] {
        program.write(name, b"");
    }
    fs::create_dir(program.path("site")).unwrap();
    let lines = command_lines(&document());
    assert!(lines.len() >= 40, "{lines:?}");
    for line in lines {
        // A command that the text names without arguments: its help exists.
        let named =
            line.split(' ').skip(1).all(|word| word.bytes().all(|b| b.is_ascii_lowercase()));
        let expected = match line.as_str() {
            "apus completions bash" | "apus man DIRECTORY" | "apus --help" => 0,
            _ if named => 0,
            _ => 6,
        };
        let line = if named { format!("{line} --help") } else { line };
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("apus() {{ \"$APUS\" \"$@\"; }}\n{line}"));
        shell.env_clear().env("APUS", &*APUS).env("AWS_EC2_METADATA_DISABLED", "true");
        shell.env("APUS_CONFIG", program.path("none.conf"));
        shell.env("HOME", program.path("home"));
        let ran = program.finish(shell, b"");
        assert_eq!(ran.code, expected, "{line}\n{}", ran.err);
    }
}

#[test]
fn every_option_of_the_guide_is_one_of_the_program() {
    let program = Program::new();
    let mut man = Command::new(&*APUS);
    man.args(["man", "pages"]);
    program.finish(man, b"").ends(0);
    let mut known = BTreeSet::new();
    for page in fs::read_dir(program.path("pages")).unwrap() {
        let page = fs::read_to_string(page.unwrap().path()).unwrap();
        // The fonts of roff, and its hyphens.
        let fonts = ["\\fB", "\\fI", "\\fR"];
        let page = fonts.iter().fold(page, |page, font| page.replace(font, " ")).replace('\\', "");
        known.extend(options(&page).map(str::to_owned));
    }
    let document = document();
    let named: BTreeSet<&str> = options(&document).collect();
    assert!(named.len() >= 30, "{named:?}");
    for option in named {
        assert!(known.contains(option) || OF_OTHERS.contains(&option), "{option}");
    }
}

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../OPERATORS.md");
    fs::read_to_string(path).unwrap()
}

/// The words of the text that begin with `--`.
fn options(text: &str) -> impl Iterator<Item = &str> {
    let of_name = |char: char| char.is_ascii_alphanumeric() || char == '-';
    text.split(move |char| !of_name(char)).filter(|word| {
        word.strip_prefix("--")
            .is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
    })
}

/// The command lines of `apus`, in blocks and in code spans, from the variables before its name on.
fn command_lines(document: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in document.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.insert(line);
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    let commands = found.into_iter().map(|line| line.rsplit(" && ").next().unwrap_or(line));
    let is_variable = |word: &&str| word.contains('=') && !word.starts_with('-');
    let of_apus = |line: &&str| {
        let mut words = line.split(' ').skip_while(is_variable);
        words.next() == Some("apus") && !matches!(words.next(), None | Some("COMMAND"))
    };
    commands.filter(of_apus).map(str::to_owned).collect()
}
