//! Changed rows as statements for the image service's database.
//!
//! ```text
//!  UPDATE image_locations SET value = 'new', meta_data = 'new'
//!   WHERE id = 17 AND value = 'old' AND meta_data = 'old';
//! ```
//!
//! A row that was changed after it was read stays as it is.

use clap::ValueEnum;

use super::row::Row;

/// The database that statements are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    Sqlite,
    /// MySQL and MariaDB.
    #[value(alias = "mariadb")]
    Mysql,
    #[value(alias = "postgres")]
    Postgresql,
}

impl Dialect {
    /// Returns the first line of the statements.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE;",
            Self::Mysql => "START TRANSACTION;",
            Self::Postgresql => "BEGIN;",
        }
    }

    /// Returns the statement that replaces the location of a row, if the row is as it was read.
    ///
    /// # Errors
    ///
    /// The row has no id or no metadata.
    pub(super) fn update(self, row: &Row<'_>, url: &str, store: &str) -> Result<String, String> {
        let id = row.id().trim_matches('"');
        let digits = id.strip_prefix('-').unwrap_or(id);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("the id is not a whole number: select `id`".to_owned());
        }
        let Some(metadata) = row.metadata_with(store) else {
            return Err("metadata is missing: select `meta_data`".to_owned());
        };
        let was = match row.metadata_text() {
            Some(text) => format!(" AND {}", self.equals("meta_data", text)),
            None if row.has_null_metadata() => " AND meta_data IS NULL".to_owned(),
            // Their text in the database is not known.
            None => String::new(),
        };
        Ok(format!(
            "UPDATE image_locations SET value = {}, meta_data = {} WHERE id = {id} AND {}{was};",
            self.literal(url),
            self.literal(&metadata),
            self.equals("value", row.url()),
        ))
    }

    fn equals(self, column: &str, text: &str) -> String {
        let literal = self.literal(text);
        match self {
            // Its collations ignore case, and space at the end.
            Self::Mysql => {
                format!("CAST({column} AS BINARY) = CAST({literal} AS BINARY)")
            }
            Self::Sqlite | Self::Postgresql => format!("{column} = {literal}"),
        }
    }

    /// Returns a literal that is read the same under all settings of a session: no backslash is in
    /// quotes that may or may not escape, and no character depends on a character set.
    fn literal(self, text: &str) -> String {
        let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'\\';
        let quoted = || format!("'{}'", text.replace('\'', "''"));
        match self {
            _ if text.bytes().all(is_plain) => quoted(),
            Self::Sqlite if !text.contains('\0') => quoted(),
            Self::Sqlite => format!("CAST(x'{}' AS TEXT)", hex(text)),
            Self::Mysql => format!("_utf8mb4 x'{}'", hex(text)),
            Self::Postgresql => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        }
    }
}

/// The last line of the statements.
pub(super) const COMMIT: &str = "COMMIT;";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_the_text_in_each_dialect() {
        let [sqlite, mysql, postgresql] = [Dialect::Sqlite, Dialect::Mysql, Dialect::Postgresql];
        for (text, expect) in [
            ("it's", ["'it''s'"; 3]),
            ("a\\'b", ["'a\\''b'", "_utf8mb4 x'615c2762'", "E'a\\\\''b'"]),
            ("é", ["'é'", "_utf8mb4 x'c3a9'", "E'é'"]),
        ] {
            let literals = [sqlite, mysql, postgresql].map(|dialect| dialect.literal(text));
            assert_eq!(literals, expect);
        }
        assert_eq!(sqlite.literal("a\0b"), "CAST(x'610062' AS TEXT)");
    }

    #[test]
    fn a_row_without_what_a_statement_needs_is_refused() {
        let update = |row: &str| {
            let row = Row::read(row.as_bytes()).map_err(|(_, problem)| problem)?;
            Dialect::Sqlite.update(&row, "s3://h/b/k", "fast")
        };
        for row in [
            r#"{"value":"u","meta_data":"{}"}"#,
            r#"{"id":"1; DROP TABLE images","value":"u","meta_data":"{}"}"#,
            r#"{"id":1.0,"value":"u","meta_data":"{}"}"#,
            r#"{"id":null,"value":"u","meta_data":"{}"}"#,
        ] {
            assert_eq!(update(row), Err("the id is not a whole number: select `id`".to_owned()));
        }
        let problem = Err("metadata is missing: select `meta_data`".to_owned());
        assert_eq!(update(r#"{"id":1,"value":"u"}"#), problem);
        let begin = "UPDATE image_locations SET value = 's3://h/b/k', \
                     meta_data = '{\"store\":\"fast\"}' WHERE id = 18446744073709551616 \
                     AND value = 'it''s'";
        for (metadata, rest) in
            [("null", " AND meta_data IS NULL;"), ("\"{}\"", " AND meta_data = '{}';"), ("{}", ";")]
        {
            let row = format!(
                "{{\"id\":18446744073709551616,\"value\":\"it's\",\"meta_data\":{metadata}}}"
            );
            assert_eq!(update(&row), Ok(format!("{begin}{rest}")));
        }
    }
}
