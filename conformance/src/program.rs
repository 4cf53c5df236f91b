//! The program `apus`, for tests that start it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// Returns the path of the program. Builds it when a process first calls this: Cargo does not build
/// the program of another package with these tests.
///
/// # Panics
///
/// The program can't be built.
pub static APUS: LazyLock<PathBuf> = LazyLock::new(|| {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "apus-cli", "--bin", "apus"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "apus could not be built");
    // Cargo prints the program's path, whatever its target directory is.
    let text = String::from_utf8(output.stdout).expect("cargo prints text");
    let executable = text.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.expect("cargo names the program's path")
});
