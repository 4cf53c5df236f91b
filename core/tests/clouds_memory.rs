//! How much memory a hostile `clouds.yaml` takes. A file of its own, for the peak is the process's.
#![cfg(all(feature = "clouds", target_os = "linux"))]

use apus_core::keystone::clouds::Clouds;

/// The most memory that this process has had, in KiB (proc(5)).
#[expect(clippy::disallowed_methods, reason = "the test reads what the system says of it")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Aliases of collections of aliases: each line is nine times, or `concurrency` times, the one before.
fn nested(first: &str, concurrency: usize, lines: usize, list: bool) -> String {
    let mut text = format!("a0: &a0 {first}\n");
    for at in 1..lines {
        let inner = (0..concurrency)
            .map(|n| if list { format!("*a{}", at - 1) } else { format!("k{n}: *a{}", at - 1) });
        let inner = inner.collect::<Vec<_>>().join(", ");
        let (open, close) = if list { ('[', ']') } else { ('{', '}') };
        text += &format!("a{at}: &a{at} {open}{inner}{close}\n");
    }
    text
}

fn refuse(text: &str) {
    let error = Clouds::parse(Some(("clouds.yaml", text)), None, None).unwrap_err().to_string();
    assert!(error.contains("aliases"), "{error}");
}

#[test]
fn aliases_are_bounded_before_they_are_copied() {
    let before = peak();
    for first in ["{}", "[]", "{a: }", "x", "~", "{a: {b: {c: {}}}}"] {
        for list in [true, false] {
            for (concurrency, lines) in [(2, 40), (9, 12), (30, 6)] {
                let text = nested(first, concurrency, lines, list);
                refuse(&text);
            }
        }
    }
    let merged = (0..20).fold("a0: &a0 {k: v}\n".to_owned(), |text, at| {
        let next = at + 1;
        text + &format!("a{next}: &a{next} {{x{at}: *a{at}, y{at}: *a{at}, <<: *a{at}}}\n")
    });
    refuse(&merged);
    let grown = peak() - before;
    assert!(grown < 96 << 10, "{grown} KiB for texts of 1 KiB");
}
