//! Names that Windows takes for something else than the name of a file: Microsoft's "Naming Files,
//! Paths, and Namespaces".

/// Says what is wrong with a name on Windows, if anything is.
pub(super) fn fault(name: &str) -> Option<&'static str> {
    if name.contains(['<', '>', ':', '"', '|', '?', '*', '\\']) {
        return Some(r#"it has one of the characters <>:"|?*\"#);
    }
    if name.ends_with(['.', ' ']) {
        return Some("it ends with a dot or a space, which Windows removes");
    }
    if is_device(name) {
        return Some("it is the name of a device");
    }
    is_short(name).then_some("it has the form of another file's short name")
}

/// Whether a name is that of a device, which it also is with any extension and with spaces before
/// the extension.
fn is_device(name: &str) -> bool {
    let base = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let base = base.to_ascii_uppercase();
    if matches!(base.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let number = base.strip_prefix("COM").or_else(|| base.strip_prefix("LPT"));
    number.is_some_and(|number| {
        let mut chars = number.chars();
        matches!(chars.next(), Some('0'..='9' | '¹' | '²' | '³')) && chars.next().is_none()
    })
}

/// Whether a name could be the second name that FAT and NTFS give to a file with a long name:
/// `PROGRA~1`, `LETTER~12.DOC`.
fn is_short(name: &str) -> bool {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let Some((_, number)) = base.rsplit_once('~') else { return false };
    base.len() <= 8
        && extension.len() <= 3
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}
