//! Keys that a program finds in its surroundings: in the environment, in the files of the AWS SDKs,
//! from a process or a metadata service.
//!
//! Nothing is read unless one of these functions is called, and then only what its documentation
//! says. What a source needs for a renewal, a file with a token or the output of a process, is read
//! at each renewal.
//!
//! ```no_run
//! use apus_core::machine::Auth;
//!
//! # fn main() -> Result<(), apus_core::Error> {
//! # use apus_host::credentials;
//! let auth = Auth::new(credentials::profile("backup")?);
//! # Ok(())
//! # }
//! ```

use std::io::{self, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use apus_core::credentials::{
    AwsConfig, AwsConfigError, CredentialSource, Credentials, Environment, Lookup, Provider,
    RenewalOptions, Resolver, Source, split_words,
};
use apus_core::{Error, Secret};

use crate::clock;
use crate::files::Output;
use crate::files::home;
use crate::read::{self, text, unreadable};

/// Returns the keys of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
///
/// # Errors
///
/// The variables are not set.
pub fn environment() -> Result<Credentials, Error> {
    let (config, environment) = (AwsConfig::default(), variables());
    Resolver::new(&config, &environment).environment().map(renewed)
}

/// Returns the credentials of a profile of the config and credentials files.
///
/// # Errors
///
/// A file can't be read; a file or the profile is invalid.
pub fn profile(name: &str) -> Result<Credentials, Error> {
    let ambient = Ambient::read()?;
    ambient.resolver().profile(name).map(renewed)
}

/// Returns what the AWS SDKs use by default: the first credentials found in the environment, the
/// files, a container's endpoint, the instance metadata service.
///
/// # Errors
///
/// A file can't be read; the first source found is invalid.
pub fn default_chain() -> Result<Credentials, Error> {
    let ambient = Ambient::read()?;
    ambient.resolver().default_chain().map(renewed)
}

/// Returns the credentials of the source `source`, with the profile `profile` if the source uses
/// one. Requests to STS go to `region` unless the environment or the profile names another region.
///
/// # Errors
///
/// Those of [`profile`] and [`default_chain`]; a variable that the source requires is not set.
pub fn named(
    source: CredentialSource,
    profile: Option<&str>,
    region: Option<&str>,
) -> Result<Credentials, Error> {
    let ambient = match source.reads_files() {
        true => Ambient::read()?,
        false => Ambient { environment: variables(), config: AwsConfig::default() },
    };
    let resolver = ambient.resolver();
    let resolver = region.map_or(resolver, |region| resolver.with_region(region));
    resolver.named(source, profile).map(renewed)
}

/// Returns the keys of this source, which are renewed in time. This process reads the source's
/// files and runs its processes.
pub fn renewed(source: Source) -> Credentials {
    let options = RenewalOptions { seed: clock::seed(), ..RenewalOptions::default() };
    Credentials::renewed_from(Provider::new(source, System::default()), options)
}

/// The environment, and the files that it names, as of the time when they were read.
#[derive(Clone, Debug)]
pub struct Ambient {
    environment: Environment,
    config: AwsConfig,
}

impl Ambient {
    /// Reads this process's environment, and the files that it names.
    ///
    /// # Errors
    ///
    /// A file can't be read, or the options that belong to all of its sections are invalid. An
    /// absent file counts as an empty one. Another invalid line makes its section unusable:
    /// [`AwsConfig::read`].
    pub fn read() -> Result<Self, Error> {
        Self::of(variables())
    }

    /// Reads the files that this environment names.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn of(environment: Environment) -> Result<Self, Error> {
        let names = [environment.config_file(), environment.credentials_file()];
        let [config, credentials] = names.map(home).map(|path| match read::file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Secret::default()),
            text => text.map_err(|error| unreadable(&path, &error)),
        });
        let (config, credentials) = (config?, credentials?);
        let [config_file, credentials_file] = names;
        let config = AwsConfig::read(
            (config_file, config.expose()),
            (credentials_file, credentials.expose()),
        )?;
        Ok(Self { environment, config })
    }

    /// Returns the invalid lines of the files, whose sections can't be used.
    pub fn problems(&self) -> &[AwsConfigError] {
        self.config.problems()
    }

    /// Returns a resolver of credentials in this environment and these files.
    pub fn resolver(&self) -> Resolver<'_> {
        Resolver::new(&self.config, &self.environment)
    }
}

/// Reads files and runs processes, each process in a thread of its own, for at most a minute.
#[derive(Debug, Default)]
pub struct System {
    running: Option<(String, Arc<Mutex<Job>>)>,
}

/// A running process.
#[derive(Debug, Default)]
struct Job {
    result: Option<Result<Secret, Error>>,
    waiting: Vec<Waker>,
}

impl Lookup for System {
    fn file(&mut self, path: &str, _: &Waker) -> Poll<Result<Secret, Error>> {
        let path = home(path);
        Poll::Ready(read::file(&path).map_err(|error| unreadable(&path, &error)))
    }

    fn process(&mut self, command: &str, waker: &Waker) -> Poll<Result<Secret, Error>> {
        let job = match self.running.take().filter(|(running, _)| running == command) {
            Some((_, job)) => job,
            None => match start(command) {
                Ok(job) => job,
                Err(error) => return Poll::Ready(Err(error)),
            },
        };
        let mut state = lock(&job);
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        if !state.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            state.waiting.push(waker.clone());
        }
        drop(state);
        self.running = Some((command.to_owned(), job));
        Poll::Pending
    }

    /// Replaces the file as a whole; its owner and mode stay.
    fn replace_file(&mut self, path: &str, text: &Secret) -> Result<(), Error> {
        let path = home(path);
        let write = || {
            let output = Output::new(&path)?;
            (&output).write_all(text.expose().as_bytes())?;
            output.commit()
        };
        write().map_err(|error: io::Error| unreadable(&path, &error))
    }
}

fn variables() -> Environment {
    Environment::new(read::variables())
}

fn start(command: &str) -> Result<Arc<Mutex<Job>>, Error> {
    let words = split_words(command).map_err(|error| {
        Error::invalid_input(format!("credential_process: {}", error.message()))
    })?;
    let job = Arc::<Mutex<Job>>::default();
    let state = Arc::clone(&job);
    let run = move || {
        let result =
            run(&words).map_err(|why| Error::invalid_input(format!("credential_process: {why}")));
        let waiting = {
            let mut state = lock(&state);
            state.result = Some(result);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    };
    let thread = thread::Builder::new().name("credential-process".to_owned()).spawn(run);
    thread.map_err(|error| {
        Error::invalid_input(format!("credential_process: could not start a thread: {error}"))
    })?;
    Ok(job)
}

/// Returns what a process prints. Its error output is not shown, because it may contain secrets.
fn run(words: &[String]) -> Result<Secret, String> {
    let [program, arguments @ ..] = words else { return Err("the command is empty".to_owned()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let until = Instant::now() + PATIENCE;
    let outcome = output(&mut child, until);
    if outcome.is_err() {
        _ = child.kill();
        _ = child.wait();
    }
    let (text, status) = outcome.map_err(|why| format!("{program}: {why}"))?;
    match status.success() {
        true => Ok(text),
        false => Err(format!("{program}: {status}")),
    }
}

fn output(child: &mut Child, until: Instant) -> Result<(Secret, ExitStatus), String> {
    let stdout = child.stdout.take().ok_or("its standard output is not available")?;
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        _ = sender.send(text(stdout));
    };
    let thread = thread::Builder::new().name("credential-process-output".to_owned()).spawn(read);
    thread.map_err(|error| format!("could not start a thread: {error}"))?;
    let late = "it did not end within 60 seconds";
    let left = until.saturating_duration_since(Instant::now());
    let text = receiver.recv_timeout(left).map_err(|_| late)?.map_err(|error| error.to_string())?;
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok((text, status));
        }
        if Instant::now() >= until {
            return Err(late.to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn lock(job: &Mutex<Job>) -> MutexGuard<'_, Job> {
    job.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a process may run.
const PATIENCE: Duration = Duration::from_secs(60);
