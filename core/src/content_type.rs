//! Content types from names.

/// Returns the content type of a file or an object by the extension of its name; `None`
/// if it is not known. The table is that of the crate `mime_guess`.
///
/// ```
/// assert_eq!(apus_core::content_type::of("photos/cat.JPEG"), Some("image/jpeg"));
/// assert_eq!(apus_core::content_type::of("README"), None);
/// ```
pub fn of(name: &str) -> Option<&'static str> {
    mime_guess::from_path(name).first_raw()
}
