//! `locations check` and `locations migrate`: which rows are written, and in which form.

use std::fs;
use std::os::unix::fs::symlink;

use apus_conformance::server::{EmbeddedS3, Options};
use apus_core::Secret;
use apus_core::location::LocationCipher;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use crate::program::{Program, Ran};

const SECRET: &str = "old/sec'r\\et+%";

/// A program with the backends `fast` and `cold`, and the host of their server.
fn stage() -> (EmbeddedS3, Program, String) {
    let server = EmbeddedS3::start(Options::new().bucket("images").bucket("cold")).unwrap();
    let program = Program::new()
        .with_s3("fast", &server, "images")
        .with_s3("cold", &server, "cold")
        .with_secret(SECRET);
    let host = server.endpoint().replace("http://", "");
    (server, program, host)
}

/// A row of each kind, with the columns of glance's database.
fn rows(host: &str) -> Vec<String> {
    let secret = Value::from(SECRET).to_string();
    let secret = secret.trim_matches('"');
    vec![
        format!(
            r#"{{"id": 18446744073709551617, "value": "s3://K:{secret}@{host}/images/a", "meta_data": "{{\"n\": 2.50}}", "size": 2.50}}"#
        ),
        format!(
            r#"{{"id":2,"value":"s3://{host}/images/b","meta_data":"{{\"store\": \"fast\"}}"}}"#
        ),
        r#"{"id":3,"value":"rbd://fsid/images/c/snap","meta_data":"{}"}"#.to_owned(),
        format!(r#"{{"id":4,"value":"s3://K:{secret}@elsewhere.example/b/d","meta_data":"{{}}"}}"#),
        format!(
            r#"{{"id":5,"value":"s3://K:{secret}@{host}/mine/e","meta_data":"{{\"store\":\"fast\"}}"}}"#
        ),
        r#"{"id":6,"value":7}"#.to_owned(),
        "no JSON".to_owned(),
    ]
}

/// The rows after a migration.
fn migrated(host: &str) -> String {
    let mut rows = rows(host);
    rows[0] = format!(
        r#"{{"id":18446744073709551617,"value":"s3://{host}/images/a","meta_data":"{{\"n\":2.50,\"store\":\"fast\"}}","size":2.50}}"#
    );
    rows.join("\n") + "\n"
}

fn summary(ran: &Ran) -> Value {
    let line = ran.out.lines().chain(ran.err.lines()).find(|line| line.contains("\"summary\""));
    serde_json::from_str::<Value>(line.unwrap()).unwrap()["summary"].clone()
}

#[test]
fn every_row_is_written() {
    let (_server, program, host) = stage();
    program.write("rows", rows(&host).join("\n").as_bytes());
    for more in [&[][..], &["--all"]] {
        let migrate = ["--json", "locations", "migrate", "rows", "--write", "out"];
        let ran = program.run(&[&migrate, more].concat()).ends(9);
        assert_eq!(fs::read_to_string(program.path("out")).unwrap(), migrated(&host));
        let told: Vec<Value> =
            ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let outcomes: Vec<_> = told.iter().map(|row| (&row["line"], &row["outcome"])).collect();
        let expect = [(4, "refused"), (5, "kept"), (6, "refused"), (7, "refused")]
            .map(|(line, outcome)| (Value::from(line), Value::from(outcome)));
        assert_eq!(outcomes[..4], expect.each_ref().map(|(line, outcome)| (line, outcome)));
    }
    // A second migration changes nothing.
    program.run(&["locations", "migrate", "out", "--write", "again"]).ends(9);
    assert_eq!(fs::read(program.path("out")).unwrap(), fs::read(program.path("again")).unwrap());
    let only = ["locations", "migrate", "rows", "--only-changed", "--write", "-"];
    assert_eq!(program.run(&only).ends(9).out.lines().count(), 1);
}

#[test]
fn an_array_is_taken_as_sqlite_writes_it() {
    let (_server, program, host) = stage();
    let mut rows = rows(&host);
    let lines = migrated(&host).lines().take(6).collect::<Vec<_>>().join("\n") + "\n";
    rows.truncate(6);
    program.write("rows", format!("[{}]\n", rows.join(",\n")).as_bytes());
    program.run(&["locations", "migrate", "rows", "--write", "out"]).ends(9);
    assert_eq!(fs::read_to_string(program.path("out")).unwrap(), lines);
    // Nothing is written of one that ends early.
    program.write("rows", format!("[{}", rows.join(",\n")).as_bytes());
    program
        .run(&["locations", "migrate", "rows", "--write", "out"])
        .ends(1)
        .says("line 6: the array of rows ends early");
    assert_eq!(fs::read_to_string(program.path("out")).unwrap(), lines);
}

#[test]
fn the_old_values_are_written_on_request() {
    let (_server, program, host) = stage();
    program.write("rows", rows(&host).join("\n").as_bytes());
    program.run(&["locations", "migrate", "rows", "--was", "--write", "out"]).ends(9);
    let out = fs::read_to_string(program.path("out")).unwrap();
    let first: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(first["was"], format!("s3://K:{SECRET}@{host}/images/a"));
    assert_eq!(first["was_store"], Value::Null);
    assert_eq!(out.matches("\"was\"").count(), 1);
}

#[test]
fn the_input_is_not_replaced() {
    let (_server, program, host) = stage();
    let text = rows(&host).join("\n");
    let path = program.write("rows", text.as_bytes());
    symlink("rows", program.path("link")).unwrap();
    fs::hard_link(&path, program.path("hard")).unwrap();
    for to in ["rows", "./rows", "link", "hard"] {
        program
            .run(&["locations", "migrate", "rows", "--write", to])
            .ends(2)
            .says("names the file that the rows are read from");
        let mut command = std::process::Command::new("sh");
        command.args([
            "-c",
            "exec \"$0\" --config glance-api.conf locations migrate --write $1 <rows",
        ]);
        command.arg(&*apus_conformance::program::APUS).arg(to);
        let output = command.current_dir(program.path("")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn kept_rows_are_counted_apart_with_and_without_a_store() {
    let (_server, program, host) = stage();
    let mine = |id: u32, store: &str| json!({"id": id, "url": format!("s3://K:{SECRET}@{host}/mine/e"), "metadata": {"store": store}});
    let without = json!({"id": 1, "url": format!("s3://K:{SECRET}@{host}/mine/e")});
    let rows = [without, mine(2, "fast"), mine(3, "gone")].map(|row| row.to_string()).join("\n");
    program.write("rows", rows.as_bytes());
    for (command, code) in [("check", 10), ("migrate", 9)] {
        let ran = program.run(&["--json", "locations", command, "rows"]).ends(code);
        let summary = summary(&ran);
        let counts = ["rows", "kept", "refused", "changed"].map(|name| summary[name].as_u64());
        assert_eq!(counts, [3, 3, 0, 0].map(Some), "{ran:?}");
        assert!(ran.out.contains("bucket \\\"mine\\\" at "), "{ran:?}");
    }
}

#[test]
fn statements_replace_rows_that_are_as_they_were_read() {
    let (_server, program, host) = stage();
    let database = Connection::open(program.path("glance.sqlite")).unwrap();
    database.execute_batch(IMAGE_LOCATIONS).unwrap();
    let old = |name: &str| format!("s3://K:{SECRET}@{host}/images/{name}");
    let insert = "INSERT INTO image_locations (id, image_id, value, meta_data, status, deleted, \
                  created_at) VALUES (?, ?, ?, ?, ?, ?, '2026-01-01')";
    for (id, name, metadata, status, deleted) in [
        (1, "a", Some("{}"), "active", false),
        (2, "it's", Some("{\"store\": \"cold\", \"x\": \"\\u00e9 \\\\ '\"}"), "active", false),
        // A soft-deleted row.
        (3, "c", Some("{}"), "deleted", true),
        (4, "d", None, "active", false),
        (5, "raced", Some("{}"), "active", false),
        (6, "raced-metadata", Some("{}"), "active", false),
    ] {
        let row = (id, "image", old(name), metadata, status, deleted);
        database.execute(insert, row).unwrap();
    }
    let rows = as_sqlite_prints(&database, &documented_select());
    program.write("rows", rows.as_bytes());
    let migrate = ["locations", "migrate", "rows", "--sql", "sqlite", "--write", "update.sql"];
    program.run(&migrate).ends(0);
    let others = [
        "UPDATE image_locations SET value = 's3://other/b/k' WHERE id = 5",
        "UPDATE image_locations SET meta_data = '{\"a\": 1}' WHERE id = 6",
    ];
    database.execute_batch(&others.join(";")).unwrap();
    let statements = fs::read_to_string(program.path("update.sql")).unwrap();
    database.execute_batch(&statements).unwrap();
    let mut found = database.prepare("SELECT value, meta_data FROM image_locations").unwrap();
    let found: Vec<(String, String)> = found
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let new = |name: &str| format!("s3://{host}/images/{name}");
    let fast = "{\"store\":\"fast\"}";
    let expect = [
        (new("a"), fast),
        (new("it's"), "{\"store\":\"fast\",\"x\":\"\\u00e9 \\\\ '\"}"),
        (new("c"), fast),
        (new("d"), fast),
        ("s3://other/b/k".to_owned(), "{}"),
        (old("raced-metadata"), "{\"a\": 1}"),
    ];
    assert_eq!(found, expect.map(|(url, metadata)| (url, metadata.to_owned())));
}

#[test]
fn no_location_loses_its_credentials_before_the_object_is_read_without_them() {
    let (server, program, host) = stage();
    let image = program.write("image", b"bytes");
    program.run(&["put", image.to_str().unwrap(), "--id", "there"]).ends(0);
    let row = |id: u32, name: &str, more: &str| {
        format!(r#"{{"id":{id},"url":"s3://K:other@{host}/images/{name}"{more}}}"#)
    };
    let rows = [
        row(1, "there", ""),
        row(2, "gone", ""),
        row(3, "gone", ",\"deleted\":1,\"status\":\"deleted\""),
        row(4, "gone", ",\"deleted\":true,\"status\":\"pending_delete\""),
        row(5, "gone", ",\"deleted\":0"),
        format!(r#"{{"id":6,"url":"s3://{host}/images/gone"}}"#),
    ];
    program.write("rows", rows.join("\n").as_bytes());
    let migrate = ["locations", "migrate", "rows", "--verify", "--was", "--write", "out"];
    let ran = program.run(&migrate).ends(9).prints("can't be read with the credentials of");
    assert_eq!(ran.out.matches("\"outcome\":\"refused\"").count(), 2, "{ran:?}");
    let out = fs::read_to_string(program.path("out")).unwrap();
    let changed: Vec<bool> = out.lines().map(|line| line.contains("\"was\"")).collect();
    assert_eq!(changed, [true, false, true, true, false, true]);
    // A server that does not answer is no property of the rows.
    drop(server);
    fs::remove_file(program.path("out")).unwrap();
    program.run(&migrate).ends(7);
    assert!(!program.path("out").exists());
}

/// The query of `OPERATORS.md` for SQLite.
fn documented_select() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../OPERATORS.md");
    let document = fs::read_to_string(path).unwrap();
    let command = document.lines().find(|line| line.starts_with("sqlite3 -json ")).unwrap();
    command.split('"').nth(1).unwrap().to_owned()
}

/// The result of a query as `sqlite3 -json` prints it.
fn as_sqlite_prints(database: &Connection, query: &str) -> String {
    let mut statement = database.prepare(query).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map((), |row| {
        let members = names.iter().enumerate().map(|(at, name)| {
            Ok((
                name.clone(),
                match row.get_ref(at)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => number.into(),
                    other => other.as_str()?.into(),
                },
            ))
        });
        Ok(Value::Object(members.collect::<rusqlite::Result<_>>()?).to_string())
    });
    let rows: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
    format!("[{}]\n", rows.join(",\n"))
}

/// As glance's migrations make it.
const IMAGE_LOCATIONS: &str = "CREATE TABLE image_locations (
    id INTEGER NOT NULL, image_id VARCHAR(36) NOT NULL, value TEXT NOT NULL,
    created_at DATETIME NOT NULL, updated_at DATETIME, deleted_at DATETIME,
    deleted BOOLEAN NOT NULL, meta_data TEXT,
    status VARCHAR(30) DEFAULT 'active' NOT NULL, PRIMARY KEY (id))";

#[test]
fn encrypted_locations_are_decrypted_and_encrypted_again() {
    let key = "0123456789abcdefghijklmnopqrstuv";
    let old = LocationCipher::new(&Secret::new(key)).unwrap();
    let (_server, program, host) = stage();
    let program = program.with_secret(key);
    let url = |key: &str, id| format!("s3://K:{SECRET}@{host}/{key}/{id}");
    let stored = |url: &str| old.encrypt(url, [5; 32]);
    let other = LocationCipher::new(&Secret::new("another key of 24 bytes.")).unwrap();
    let rows = [
        stored(&url("images", "a")),
        stored(&format!("s3://{host}/images/b")),
        stored(&format!("s3://{host}/images/c")),
        stored("rbd://fsid/images/d/snap"),
        other.encrypt(&url("images", "e"), [6; 32]),
        url("images", "f"),
    ];
    let metadata = ["{}", r#"{\"store\":\"fast\"}"#, "{}", "{}", "{}", "{}"];
    let row = |(at, (value, metadata)): (usize, (&String, &str))| {
        let value = Value::from(value.as_str());
        format!(r#"{{"id":{at},"value":{value},"meta_data":"{metadata}"}}"#)
    };
    let rows: Vec<String> = rows.iter().zip(metadata).enumerate().map(row).collect();
    program.write("rows", rows.join("\n").as_bytes());

    // Without the key, nothing of them passes.
    let ran = program.run(&["--json", "locations", "check", "rows"]).ends(10);
    assert_eq!(ran.out.matches("metadata_encryption_key").count(), 5, "{ran:?}");
    let counts = |ran: &Ran| {
        ["good", "other_stores", "changed", "unencrypted", "refused"]
            .map(|name| summary(ran)[name].as_u64().unwrap())
    };
    assert_eq!(counts(&ran), [0, 0, 1, 0, 5]);

    let text = fs::read_to_string(program.path("glance-api.conf")).unwrap();
    let keyed =
        text.replace("[DEFAULT]\n", &format!("[DEFAULT]\nmetadata_encryption_key = {key}\n"));
    program.write("glance-api.conf", keyed.as_bytes());
    let check = program.run(&["config", "check"]).ends(0);
    assert!(check.out.contains("[DEFAULT] metadata_encryption_key"), "{check:?}");
    let write = ["--json", "locations", "migrate", "rows", "--write", "out"];
    let ran = program.run(&write).ends(9);
    assert_eq!(counts(&ran), [1, 1, 3, 1, 1]);
    let out = fs::read_to_string(program.path("out")).unwrap();
    let out: Vec<&str> = out.lines().collect();
    for at in [1, 3, 4] {
        assert_eq!(out[at], rows[at]);
    }
    let value = |at: usize| -> String {
        serde_json::from_str::<Value>(out[at]).unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_ne!(value(0), stored(&format!("s3://{host}/images/a")), "its own random bytes");
    assert_eq!(old.decrypt(&value(0)).unwrap().expose(), format!("s3://{host}/images/a"));
    // Only the store is new.
    assert!(rows[2].contains(&format!("\"{}\"", value(2))), "{}", out[2]);
    assert!(out[2].contains(r#""{\"store\":\"fast\"}""#), "{}", out[2]);
    assert_eq!(value(5), format!("s3://{host}/images/f"), "its form stays");

    // Statements compare with the text that the database has.
    program.run(&["locations", "migrate", "rows", "--sql", "sqlite", "--write", "sql"]).ends(9);
    let sql = fs::read_to_string(program.path("sql")).unwrap();
    assert!(sql.contains(&format!("value = '{}'", stored(&url("images", "a")))), "{sql}");
    assert!(!sql.contains("images/a"), "{sql}");
    // A second migration changes nothing.
    program.run(&["locations", "migrate", "out", "--write", "again"]).ends(9);
    assert_eq!(fs::read(program.path("out")).unwrap(), fs::read(program.path("again")).unwrap());
    // Glance fails with such a key whenever it stores an image.
    let short = keyed.replace(key, "short");
    program.write("glance-api.conf", short.as_bytes());
    let check = program.run(&["config", "check"]).ends(6);
    assert!(check.out.contains("the key has 5 bytes"), "{check:?}");
    program.run(&["locations", "check", "rows"]).ends(6).says("has 5 bytes");
}
