//! The command line without a server: configuration, locations, help.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory of the test's own.
struct Folder(PathBuf);

/// The result of a command.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }

    /// Checks that the output does not contain "hunter", which is a part of every secret in these
    /// tests.
    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_apus"))
            .args(arguments)
            .current_dir(&self.0)
            .env_clear()
            .env("HOME", self.0.join("home"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        let ran = Ran { code, out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.out.contains("hunter") && !ran.err.contains("hunter"), "{ran:?}");
        ran
    }
}

impl Ran {
    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in {self:?}");
        self
    }

    #[track_caller]
    fn prints(self, text: &str) -> Self {
        assert!(self.out.contains(text), "{text:?} is not in {self:?}");
        self
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const CONF: &str = "\
[DEFAULT]
enabled_backends = fast:s3, cold:s3
[glance_store]
default_backend = fast
[fast]
s3_store_host = https://objects.example:9000/gw
s3_store_access_key = FAST
s3_store_secret_key = hunter1/x
s3_store_bucket = images
[cold]
s3_store_host = http://cold.example
s3_store_access_key = COLD
s3_store_secret_key = hunter2/x
s3_store_bucket = archive
";

#[test]
fn a_sound_configuration_is_told_with_its_backends() {
    let folder = Folder::new("sound");
    folder.write("a.conf", CONF);
    let ran = folder.run(&["-c", "a.conf", "config", "check"]).ends(0);
    ran.prints("backend fast: s3 s3+https://objects.example:9000/gw/images/ (default)")
        .prints("backend cold: s3 s3://cold.example/archive/")
        .says("no errors, 0 warnings");
    let ran = folder.run(&["-c", "a.conf", "--json", "config", "check"]).ends(0);
    let told: Vec<_> = ran.lines().iter().map(|line| line["backend"].clone()).collect();
    assert_eq!(told, ["cold", "fast"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let folder = Folder::new("wrong");
    let text = CONF
        .replace("s3_store_bucket = archive", "s3_store_bucket =\ns3_store_retries = 101")
        .replace("s3_store_bucket = images", "s3_store_bukket = images")
        + "s3_store_cacert = none.pem\n";
    folder.write("a.conf", &text);
    let ran = folder.run(&["-c", "a.conf", "config", "check"]).ends(6);
    ran.prints(
        "a.conf:15: [cold] s3_store_retries = \"101\": expected a whole number from 0 to 100",
    )
    .prints("[cold] s3_store_cacert = \"none.pem\": No such file")
    .prints("[fast] s3_store_bucket: missing required option")
    .says("errors");
    // Other commands report the same errors, and do nothing.
    folder.run(&["-c", "a.conf", "locations", "check"]).ends(6).says("expected a whole number");

    folder.write(
        "b.conf",
        &CONF.replace("s3_store_host = http://", "s3_store_hots = x\ns3_store_host = http://"),
    );
    let ran = folder.run(&["-c", "b.conf", "--json", "config", "check"]).ends(0);
    let warning = &ran.lines()[0];
    assert_eq!(warning["severity"], "warning");
    assert_eq!((&warning["line"], &warning["option"]), (&11.into(), &"s3_store_hots".into()));
    assert!(warning["problem"].as_str().unwrap().contains("s3_store_host"));
}

#[test]
fn lines_and_files_that_cannot_be_read_are_named() {
    let folder = Folder::new("unreadable");
    folder.write("a.conf", "[x]\nhunter2\n =v\n[y\n");
    folder
        .run(&["-c", "a.conf", "config", "check"])
        .ends(6)
        .prints("a.conf:2:")
        .prints("a.conf:4:");
    folder.run(&["-c", "none.conf", "config", "check"]).ends(6).prints("none.conf: No such file");
    fs::write(folder.0.join("latin.conf"), b"[a]\nb = \xe9\n").unwrap();
    folder
        .run(&["-c", "latin.conf", "config", "check"])
        .ends(6)
        .prints("latin.conf:2: the file is not UTF-8");
    folder.write("a.json", "{\n\"backends\": \"hunter2\"}");
    folder.run(&["-c", "a.json", "config", "check"]).ends(6).prints("a.json:2: expected a map");
    folder.write("secret.conf", &CONF.replace("hunter1/x", "hunter1$hunter9"));
    folder
        .run(&["-c", "secret.conf", "config", "check"])
        .ends(6)
        .prints("[fast] s3_store_secret_key: the value refers to an option that does not exist");
}

#[test]
fn what_glance_would_not_start_with_is_an_error_of_the_check_alone() {
    let folder = Folder::new("unstartable");
    folder.write("a.conf", &CONF.replace("default_backend = fast\n", ""));
    folder
        .run(&["-c", "a.conf", "config", "check"])
        .ends(6)
        .prints("error: [glance_store] default_backend: missing option");
    folder.write("rows", "");
    folder.run(&["-c", "a.conf", "locations", "check", "rows"]).ends(0);
    folder.write("empty.conf", "");
    folder
        .run(&["-c", "empty.conf", "config", "check"])
        .ends(0)
        .prints("warning: the configuration has no options")
        .says("no errors, 1 warning");
    // One wrong line hides nothing.
    folder.write("b.conf", &(CONF.replace("bucket = images", "bucket = im ages") + "nonsense\n"));
    folder
        .run(&["-c", "b.conf", "config", "check"])
        .ends(6)
        .prints("b.conf:15: the line has neither")
        .prints("[fast] s3_store_bucket = \"im ages\": invalid bucket name");
}

#[test]
fn the_files_of_swift_are_read_too() {
    let folder = Folder::new("swift");
    let conf = "[DEFAULT]\nenabled_backends = s:swift\n[glance_store]\ndefault_backend = s\n[s]\n\
                swift_store_config_file = refs.conf\ndefault_swift_reference = other\n";
    folder.write("a.conf", conf);
    folder
        .run(&["-c", "a.conf", "config", "check"])
        .ends(6)
        .prints("refs.conf")
        .prints("No such file");
    folder.write("refs.conf", "[ref1]\nuser = p:u\nkey = hunter2\n");
    folder.run(&["-c", "a.conf", "config", "check"]).ends(6).prints("auth_address");
    folder
        .write("refs.conf", "[ref1]\nauth_address = http://k:5000/v3\nuser = p:u\nkey = hunter2\n");
    folder.run(&["-c", "a.conf", "config", "check"]).ends(6).prints(
        "default_swift_reference = \"other\": expected one of the references in refs.conf: ref1",
    );
    folder.write("a.conf", &conf.replace("other", "ref1"));
    folder.run(&["-c", "a.conf", "config", "check"]).ends(0);
    // Another reference that can't be used is a warning; a file without any is an error.
    folder.write(
        "refs.conf",
        "[ref1]\nauth_address = http://k:5000/v3\nuser = p:u\nkey = hunter2\n[old]\nkey = \"x\n",
    );
    folder
        .run(&["-c", "a.conf", "config", "check"])
        .ends(0)
        .prints("warning: refs.conf:6: [old] key: the value has an unmatched quote");
    folder.write("refs.conf", "# none\n");
    folder.run(&["-c", "a.conf", "config", "check"]).ends(6).prints("default_swift_reference");
}

/// What `config check` finds beyond the files of the configuration itself.
#[test]
fn a_wrong_default_a_missing_file_and_a_profile_without_keys_are_told_with_their_place() {
    let folder = Folder::new("places");
    folder.write("a.conf", &CONF.replace("default_backend = fast", "default_backend = slow"));
    let line = CONF.lines().position(|line| line == "default_backend = fast").unwrap() + 1;
    folder
        .run(&["-c", "a.conf", "config", "check"])
        .ends(6)
        .prints(&format!("a.conf:{line}: [glance_store] default_backend = \"slow\""));
    folder.write("b.conf", &CONF.replace("[cold]\n", "[cold]\ns3_store_cacert = /none/ca.pem\n"));
    let line = CONF.lines().position(|line| line == "[cold]").unwrap() + 2;
    folder
        .run(&["-c", "b.conf", "config", "check"])
        .ends(6)
        .prints(&format!("b.conf:{line}: [cold] s3_store_cacert = \"/none/ca.pem\""));

    let of = |source: &str| {
        format!(
            "[DEFAULT]\nenabled_backends = a:s3\n[glance_store]\ndefault_backend = a\n[a]\n\
             s3_store_host = https://h\ns3_store_bucket = b\ns3_store_credential_source = {source}\n"
        )
    };
    folder.write("p.conf", &of("profile\ns3_store_profile = one"));
    fs::create_dir_all(folder.0.join("home/.aws")).unwrap();
    let keys = "[one]\naws_access_key_id = A\naws_secret_access_key = hunter2\n";
    let role = "[profile one]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = two\n\
                mfa_serial = arn:aws:iam::123456789012:mfa/m\n";
    for (config, credentials, code, expected) in [
        ("", keys, 0, "backend a: s3 s3+https://h/b/ (default)"),
        ("[profile two]\nnonsense\n", keys, 0, "config:2: "),
        ("", "", 6, "profile \"one\" does not exist"),
        ("[DEFAULT]\nnonsense\n", keys, 6, "config:2: "),
        (role, "[two]\naws_access_key_id = A\naws_secret_access_key = hunter2\n", 6, "mfa_serial"),
    ] {
        folder.write("home/.aws/config", config);
        folder.write("home/.aws/credentials", credentials);
        folder.run(&["-c", "p.conf", "config", "check"]).ends(code).prints(expected);
    }
    // The variables of the image service may differ from those here.
    folder.write("e.conf", &of("environment"));
    folder
        .run(&["-c", "e.conf", "config", "check"])
        .ends(0)
        .prints("warning: [a] s3_store_credential_source = \"environment\"");
}

#[test]
fn json_toml_and_directories_hold_configurations() {
    let folder = Folder::new("formats");
    folder.write(
        "a.toml",
        "default_backend = \"f\"\n[enabled_backends]\nf = \"s3\"\n[backends.f]\n\
         s3_store_host = \"http://h\"\ns3_store_bucket = \"b\"\ns3_store_access_key = \"A\"\n\
         s3_store_secret_key = \"hunter2\"\n",
    );
    folder.run(&["-c", "a.toml", "config", "check"]).ends(0).prints("backend f: s3 s3://h/b/");
    fs::create_dir(folder.0.join("conf.d")).unwrap();
    folder.write("conf.d/1.conf", CONF);
    folder.write("conf.d/2.conf", "[cold]\ns3_store_bucket = later\n");
    folder.write("conf.d/3.txt", "nothing");
    // As oslo.config's `*.conf`, which matches no hidden file.
    folder.write("conf.d/.4.conf", "[cold]\ns3_store_bucket = hidden\n");
    folder.write("conf.d/.conf", "nonsense");
    folder.run(&["-c", "conf.d", "config", "check"]).ends(0).prints("s3://cold.example/later/");
}

/// (line, expected outcome of `check`)
const ROWS: &str = r#"{"id":1,"url":"s3+https://OLD:hunter3/y@objects.example:9000/gw/images/a?x=1","metadata":{"k":"v"}}
{"id":2,"url":"s3://cold.example/archive/b","metadata":{"store":"cold"}}
{"id":3,"url":"file:///var/lib/glance/c","metadata":null}
not json hunter4
{"id":5,"url":"s3://A:hunter5@elsewhere.example/b/k"}

{"id":7,"url":"s3://cold.example/archive/d","metadata":"{\"store\": \"gone\"}"}
{"id":8}
"#;

#[test]
fn only_locations_of_known_stores_without_credentials_pass_as_those_of_others() {
    let folder = Folder::new("others");
    folder.write("a.conf", CONF);
    let row = |(id, url): (usize, &&str)| serde_json::json!({"id": id, "url": url}).to_string();
    let rows = |urls: &[&str]| urls.iter().enumerate().map(row).collect::<Vec<_>>().join("\n");
    let good =
        ["file:///a", "rbd://f/p/i/s", "cinder://a", "http://h/a@b", "vsphere://h/f?dsName=a"];
    let bad = [
        "",
        " s3+https://AK:hunter2@objects.example:9000/gw/images/a",
        "s3+htps://AK:hunter2@objects.example:9000/gw/images/a",
        "http://user:hunter2@h/a",
        "http://user:hunter/2@h/a",
        "AK:hunter2@objects.example:9000/gw/images/a",
    ];
    folder.write("rows", &rows(&good));
    let ran = folder.run(&["-c", "a.conf", "locations", "check", "rows"]).ends(0);
    assert!(ran.err.contains("5 of other stores"), "{ran:?}");
    folder.write("rows", &rows(&bad));
    let ran = folder.run(&["-c", "a.conf", "locations", "check", "rows"]).ends(10);
    assert!(ran.lines().iter().all(|line| line["outcome"] == "refused"), "{ran:?}");
    assert!(ran.err.contains("0 of other stores") && ran.err.contains("6 refused"), "{ran:?}");
    folder.run(&["-c", "a.conf", "locations", "migrate", "rows"]).ends(9);
}

#[test]
fn locations_are_checked() {
    let folder = Folder::new("check");
    folder.write("a.conf", CONF).write("rows", ROWS);
    let ran = folder.run(&["-c", "a.conf", "locations", "check", "rows"]).ends(10);
    let told: Vec<_> = ran
        .lines()
        .iter()
        .map(|line| (line["line"].as_u64().unwrap(), line["outcome"].as_str().unwrap().to_owned()))
        .collect();
    let expect = [(1, "change"), (4, "refused"), (5, "refused"), (7, "change"), (8, "refused")];
    assert_eq!(told, expect.map(|(line, outcome)| (line, outcome.to_owned())));
    assert!(ran.err.contains("7 rows") && ran.err.contains("3 refused"), "{ran:?}");
    let good = ROWS.lines().nth(1).unwrap();
    folder.run_with(&["-c", "a.conf", "locations", "check"], good.as_bytes()).ends(0);
}

#[test]
fn locations_are_migrated_and_the_second_time_nothing_is_left_to_do() {
    let folder = Folder::new("migrate");
    folder.write("a.conf", CONF).write("rows", ROWS);
    let dry = folder.run(&["-c", "a.conf", "locations", "migrate", "rows"]).ends(9);
    assert!(dry.err.contains("dry run"), "{dry:?}");
    let ran =
        folder.run(&["-c", "a.conf", "locations", "migrate", "rows", "--write", "new"]).ends(9);
    assert_eq!(ran.lines().len(), 3, "only what was refused: {ran:?}");
    // Every row is there, and what is not changed is there as it was.
    let new = fs::read_to_string(folder.0.join("new")).unwrap();
    let mut rows: Vec<&str> = ROWS.lines().filter(|row| !row.is_empty()).collect();
    rows[0] = "{\"id\":1,\"url\":\"s3+https://objects.example:9000/gw/images/a?x=1\",\
               \"metadata\":{\"k\":\"v\",\"store\":\"fast\"}}";
    rows[5] = "{\"id\":7,\"url\":\"s3://cold.example/archive/d\",\
               \"metadata\":\"{\\\"store\\\":\\\"cold\\\"}\"}";
    assert_eq!(new.lines().collect::<Vec<_>>(), rows);
    assert!(!folder.0.join("new.part").exists());
    let json = ["-c", "a.conf", "--json", "locations", "migrate", "new", "-w", "again"];
    let again = folder.run(&json).ends(9);
    assert_eq!(fs::read_to_string(folder.0.join("again")).unwrap(), new);
    let summary: serde_json::Value = serde_json::from_str(again.err.trim()).unwrap();
    assert_eq!(
        (&summary["summary"]["rows"], &summary["summary"]["changed"]),
        (&7.into(), &0.into())
    );
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    let folder = Folder::new("usage");
    folder.write("a.conf", CONF);
    folder.run(&["ls"]).ends(2).says("--config FILE");
    folder.run(&["-e", "ls"]).ends(2).says("APUS_STORE");
    folder.run(&["-c", "a.conf", "-s", "s3://h/b", "ls"]).ends(2);
    folder.run(&["-c", "a.conf", "-O", "a=b", "ls"]).ends(2).says("--store");
    folder.run(&["frobnicate"]).ends(2);
    folder.run(&["s3://AK:hunter2@host/b/k"]).ends(2).says("s3://…@host/b/k");
    folder.run(&["get", "x", "--range", "9-3"]).ends(2);
    folder.run(&["-c", "a.conf", "locations", "check", "none"]).ends(1).says("none: No such file");
    for store in ["h/b", "s3://h", "ftp://h/b", "s3://AK:hunter2@h/b", "s3://h/b?x", "s3:///b"] {
        folder.run(&["-s", store, "ls"]).ends(2).says("the URL of the store");
    }
}

#[test]
fn help_manual_and_completions() {
    let folder = Folder::new("help");
    folder.run(&["--version"]).ends(0).prints(env!("CARGO_PKG_VERSION"));
    let help = folder.run(&["--help"]).ends(0).prints("130  stopped");
    for command in ["put", "get", "ls", "stat", "rm", "presign", "tempurl", "copy", "doctor"] {
        assert!(help.out.contains(&format!("  {command} ")), "{command}");
        folder.run(&[command, "--help"]).ends(0).prints("Usage:");
    }
    folder.run(&["man"]).ends(0).prints(".TH apus").prints("EXIT STATUS");
    folder.run(&["man", "pages"]).ends(0);
    assert!(folder.0.join("pages/apus-locations-migrate.1").exists());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        folder.run(&["completions", shell]).ends(0).prints("migrate");
    }
}
