//! The reference of options in `OPERATORS.md`, generated from the options' own descriptions.
//!
//! ```sh
//! cargo run -p apus-conformance -- operators OPERATORS.md
//! ```

use apus_core::store::config::{OptionSpec, S3Options, SwiftOptions};

/// Returns the reference: a table for each kind of backend, between two lines that mark it.
pub fn reference() -> String {
    let mut text = format!("{BEGIN}\n");
    for (title, specs) in [
        ("Options of a backend in S3", S3Options::specs()),
        ("Options of a backend in Swift", SwiftOptions::specs()),
    ] {
        text += &format!("\n### {title}\n\n");
        text += "| option | what is written | default | what it does |\n";
        text += "| --- | --- | --- | --- |\n";
        for spec in &specs {
            text += &row(spec);
        }
    }
    text + "\n" + END + "\n"
}

/// Returns the document with an updated reference, or `None` where it has no marks.
pub fn updated(document: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let after = after.strip_prefix('\n').unwrap_or(after);
    Some(format!("{before}{}{after}", reference()))
}

fn row(spec: &OptionSpec) -> String {
    let default = spec.default.as_deref().filter(|value| !value.is_empty());
    let default = default.map_or_else(String::new, |value| format!("`{value}`"));
    let help = spec.help.split_whitespace().collect::<Vec<_>>().join(" ");
    let cells = [format!("`{}`", spec.name), written(spec), default, help];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// Returns the form of a value, such as "a whole number from 1 to 256".
fn written(spec: &OptionSpec) -> String {
    let mut text = match spec.choices {
        [] => spec.kind.to_owned(),
        choices => {
            let words: Vec<String> = choices.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
    };
    match &spec.range {
        Some(range) if *range.end() == u64::MAX => text += &format!(" from {}", range.start()),
        Some(range) => text += &format!(" from {} to {}", range.start(), range.end()),
        None => {}
    }
    if spec.is_secret { text + ", never shown" } else { text }
}

const BEGIN: &str = "<!-- Made by `cargo run -p apus-conformance -- operators OPERATORS.md`: -->";

const END: &str = "<!-- … up to here. -->";
