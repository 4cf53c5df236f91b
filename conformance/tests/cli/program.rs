//! The built program, and a folder for each test.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedOpenStack, EmbeddedS3};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a `glance-api.conf`, and the secrets that must not be printed.
pub(crate) struct Program {
    folder: TempDir,
    secrets: Vec<String>,
    sections: Vec<(String, &'static str, String)>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder, secrets: Vec::new(), sections: Vec::new() }
    }

    /// A backend in the bucket of an embedded server.
    pub(crate) fn with_s3(self, id: &str, server: &EmbeddedS3, bucket: &str) -> Self {
        let mut options = format!(
            "s3_store_host = {}\ns3_store_access_key = {}\ns3_store_secret_key = {}\n\
             s3_store_bucket = {bucket}\ns3_store_retries = 1\n",
            server.endpoint(),
            server.access_key(),
            server.secret_key()
        );
        if let Some(pem) = server.ca_pem() {
            let path = self.path(&format!("{id}.pem"));
            fs::write(&path, pem).unwrap();
            options += &format!("s3_store_cacert = {}\n", path.display());
        }
        self.with_secret(server.secret_key()).with_backend(id, "s3", &options)
    }

    /// A backend in the bucket of a server at this address, which checks no signatures.
    pub(crate) fn with_endpoint(self, id: &str, endpoint: &str, bucket: &str) -> Self {
        let options = format!(
            "s3_store_host = {endpoint}\ns3_store_access_key = AK\ns3_store_secret_key = model/\
             secret\ns3_store_bucket = {bucket}\ns3_store_retries = 1\n"
        );
        self.with_secret("model/secret").with_backend(id, "s3", &options)
    }

    /// A backend in an embedded Swift, as the user `glance`, by a file of references.
    pub(crate) fn with_swift(self, id: &str, cloud: &EmbeddedOpenStack, container: &str) -> Self {
        let (auth, password, project) = {
            let model = cloud.model();
            let user = model.user("glance");
            (cloud.auth_url(), user.password.clone(), user.project.clone())
        };
        let path = self.path(&format!("{id}-references.conf"));
        let references =
            format!("[ref1]\nauth_address = {auth}\nuser = {project}:glance\nkey = {password}\n");
        fs::write(&path, references).unwrap();
        let options = format!(
            "swift_store_config_file = {}\ndefault_swift_reference = ref1\n\
             swift_store_container = {container}\nswift_store_retries = 1\n\
             swift_store_create_container_on_put = true\n",
            path.display()
        );
        self.with_secret(&password).with_backend(id, "swift", &options)
    }

    pub(crate) fn with_backend(mut self, id: &str, kind: &'static str, options: &str) -> Self {
        self.sections.push((id.to_owned(), kind, options.to_owned()));
        let enabled: Vec<String> =
            self.sections.iter().map(|(id, kind, _)| format!("{id}:{kind}")).collect();
        let first = &self.sections[0].0;
        let mut text = format!(
            "[DEFAULT]\nenabled_backends = {}\n[glance_store]\ndefault_backend = {first}\n",
            enabled.join(", ")
        );
        for (id, _, options) in &self.sections {
            text += &format!("[{id}]\n{options}");
        }
        fs::write(self.path("glance-api.conf"), text).unwrap();
        self
    }

    pub(crate) fn with_secret(mut self, secret: &str) -> Self {
        self.secrets.push(secret.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs with `--config` and these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }

    /// The same, with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = Command::new(&*APUS);
        command.arg("--config").arg(self.path("glance-api.conf")).args(arguments);
        self.finish(command, input)
    }

    /// Runs a command to its end, and checks that its output has no secret.
    pub(crate) fn finish(&self, mut command: Command, input: &[u8]) -> Ran {
        command.current_dir(self.folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        let ran = Ran { code, out: text(&output.stdout), err: text(&output.stderr) };
        for secret in &self.secrets {
            assert!(!ran.out.contains(secret), "a secret on standard output: {ran:?}");
            assert!(!ran.err.contains(secret), "a secret on standard error: {ran:?}");
        }
        ran
    }

    /// Runs with `--json`, and returns the output.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = [&["--json"], arguments].concat();
        let ran = self.run(&arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Ran {
    /// It ended so.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// It says so, on standard error.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in {self:?}");
        self
    }

    /// It prints so, on standard output.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.out.contains(text), "{text:?} is not in {self:?}");
        self
    }
}
