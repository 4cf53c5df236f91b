//! A server that answers late, over as many connections as there are, in a process of its own.
//!
//! ```text
//!  GET /bucket/small   1 KiB, after the delay; 503 at once where as many requests as it has places
//!                      wait already
//!  GET /bucket/held    1 KiB, after four seconds
//!  GET /bucket/count   how many requests were answered with 503 since the last count
//! ```

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::machine::{Side, pin};

/// A server in a process of its own. Dropping it ends the process.
pub struct Delayed {
    process: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Delayed {
    /// Starts one that answers after `delay`, and of more than `places` requests at once refuses
    /// the rest. The program's `main` must have called [`serve_delayed_if_told`] first.
    ///
    /// # Panics
    ///
    /// The server does not start.
    pub fn start(delay: Duration, places: usize) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([SERVE, &delay.as_millis().to_string(), &places.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = BufReader::new(process.stdout.take().unwrap()).lines().next();
        let url = format!("http://{}", line.unwrap().unwrap());
        Self { process, url }
    }
}

impl Drop for Delayed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Raises the number of files that this process may open: to 65,536 where the system lets it, else
/// as far as it does.
pub fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let to = |most| setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    let _ = to(Some(65_536)).or_else(|_| to(maximum));
}

/// Runs the server for ever, if the command line says so.
///
/// # Panics
///
/// The server can't listen.
pub fn serve_delayed_if_told() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, delay, places] = &arguments[..] else { return };
    if first != SERVE {
        return;
    }
    pin(Side::Server);
    allow_many_files();
    let delay = Duration::from_millis(delay.parse().unwrap());
    let state = Arc::new(State {
        delay,
        places: places.parse().unwrap(),
        busy: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A connection ends with an error when the client hangs up.
            tokio::spawn(converse(stream, Arc::clone(&state)));
        }
    });
}

struct State {
    delay: Duration,
    places: usize,
    busy: AtomicUsize,
    refused: AtomicUsize,
}

async fn converse(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(2048);
    loop {
        while !buffer.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let target = String::from_utf8_lossy(&buffer[..buffer.len().min(64)]).into_owned();
        buffer.clear();
        if target.contains("/count") {
            let refused = state.refused.swap(0, Ordering::Relaxed).to_string();
            answer(&mut stream, "200 OK", refused.as_bytes()).await?;
            continue;
        }
        if state.busy.fetch_add(1, Ordering::Relaxed) >= state.places {
            state.busy.fetch_sub(1, Ordering::Relaxed);
            state.refused.fetch_add(1, Ordering::Relaxed);
            answer(&mut stream, "503 Slow Down", REFUSAL).await?;
            continue;
        }
        let delay = if target.contains("/held") { HELD } else { state.delay };
        tokio::time::sleep(delay).await;
        state.busy.fetch_sub(1, Ordering::Relaxed);
        answer(&mut stream, "200 OK", &[7; 1024]).await?;
    }
}

async fn answer(stream: &mut TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nx-amz-request-id: 4442587FB7D0A2F9\r\n\
         date: Sun, 22 Nov 2026 12:00:00 GMT\r\netag: \"9a0364b9e99bb480dd25e1f0284c8555\"\r\n\
         last-modified: Sat, 21 Nov 2026 12:00:00 GMT\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await
}

/// How long `/bucket/held` takes.
pub const HELD: Duration = Duration::from_secs(4);
const SERVE: &str = "--serve-delayed";
const REFUSAL: &[u8] = b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>";
