//! Gives requests of another HTTP client a valid Swift token and the URL of the account.
//!
//! `cargo run --example async_swift_signer` runs against a Keystone and a Swift in memory, whose
//! tokens expire after two seconds. The other client is hyper with a connection of its own; any
//! client whose requests are `http::Request` does.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use apus_async::http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use apus_async::http::{Request, Response, StatusCode, Uri};
use apus_async::keystone::{Domain, Scope, Session, User};
use apus_async::{Auth, Client, Error, Now, swift};
use apus_core::contract::{AuthOutcome, Authenticator, Lease, LeaseRequest};
use apus_core::http::{Draft, End, Exchange, Sealing, UrlRoot};
use apus_core::machine::GrantOnly;
use apus_core::waiters::Positions;
use apus_testing::server::{EmbeddedOpenStack, OpenStackModel};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Adds Swift tokens to requests. Clones share the token, which is renewed before it expires, by one
/// of the requests that need it.
#[derive(Clone, Debug)]
struct SwiftSigner {
    session: Arc<Mutex<Session>>,
    /// Sends what renews the token.
    client: Client<swift::Service>,
}

/// A request that was signed, to which the response is not known yet.
#[derive(Debug)]
struct Signed(Exchange);

impl SwiftSigner {
    fn new(session: Session) -> Result<Self, Error> {
        let session = Arc::new(Mutex::new(session));
        let shared: Arc<Mutex<dyn Authenticator>> = session.clone();
        let client = Client::new(swift::Service::default(), Auth::from_shared(shared))?;
        Ok(Self { session, client })
    }

    /// Prepends the URL of the account to the request's URI, which is a path such as
    /// `/container/object`, and sets the headers with the tokens.
    async fn sign<B>(&self, request: &mut Request<B>) -> Result<Signed, Error> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = path.parse().map_err(|_| Error::invalid_input("the URI is not valid"))?;
        for _ in 0..3 {
            // Renews the token if it expires soon, or waits for the request that does so.
            self.client.call(GrantOnly::new()).await?;
            let now = now();
            let mut session = self.session();
            let mut lease = LeaseRequest {
                waker: Waker::noop(),
                stale: &mut None,
                places: &mut Positions::default(),
                retry_policy: None,
            };
            let lease = session.lease(now, &mut lease);
            let Lease::Granted(generation) = lease else {
                // It was refused between the two, by another response.
                continue;
            };
            let mut draft = Draft::new("other client", request.method().clone(), uri.clone());
            draft.sealing = Sealing::Token(UrlRoot::Storage);
            let mut exchange = session.seal(generation, draft, now)?;
            let head = exchange.request()?;
            *request.uri_mut() = head.uri.clone();
            // The other headers are the other client's.
            for name in ["x-auth-token", "x-service-token"] {
                if let Some(token) = head.headers.get(name) {
                    request.headers_mut().insert(name, token.clone());
                }
            }
            return Ok(Signed(exchange));
        }
        Err(Error::invalid_input("the token was refused again and again"))
    }

    /// Reads whether Swift accepted the token. If not, the request is to be signed and sent again,
    /// once.
    fn is_accepted(&self, signed: Signed, status: StatusCode, headers: &HeaderMap) -> bool {
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = status;
        head.headers = headers.clone();
        // The body is not passed.
        head.headers.remove(TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let done = signed.0.respond(head).finish(End::Whole);
        self.session().judge(now(), &done) == AuthOutcome::Accepted
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> Now {
    apus_host::clock::now()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let model = OpenStackModel::new().with_container("demo", "images");
    let server = EmbeddedOpenStack::start(model.with_token_life(Duration::from_secs(2)))?;
    let user = User::named("demo", Domain::default_id());
    let scope = Scope::project_named("demo", Domain::default_id());
    let session = Session::password(&server.auth_url(), user, "demo-secret", scope)?;
    let signer = SwiftSigner::new(session)?;

    let put = || Request::put("/images/hello").body("hello".to_owned());
    println!("PUT {}", send(&signer, put).await?.0);
    let get = || Request::get("/images/hello").body(String::new());
    for _ in 0..4 {
        let (status, text) = send(&signer, get).await?;
        println!("GET {status} {text}");
        assert_eq!((status, &*text), (StatusCode::OK, "hello"));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let tokens = || server.identity().requests().len();
    println!("{} tokens", tokens());
    assert!(tokens() >= 2, "no token has expired");

    // As an operator does who changes a password: the next request is answered with 401.
    server.model().set_token_life(Duration::from_secs(3600));
    tokio::time::sleep(Duration::from_secs(2)).await;
    send(&signer, get).await?;
    server.model().revoke_all();
    let before = tokens();
    let (status, text) = send(&signer, get).await?;
    println!("GET {status} {text}");
    assert_eq!((status, &*text, tokens()), (StatusCode::OK, "hello", before + 1));
    Ok(())
}

/// Sends a request with another client, a second time if its token was refused.
async fn send(
    signer: &SwiftSigner,
    request: impl Fn() -> Result<Request<String>, apus_async::http::Error>,
) -> Result<(StatusCode, String), Box<dyn StdError>> {
    for attempt in 0..2 {
        let mut request = request()?;
        let signed = signer.sign(&mut request).await?;
        let response = of_hyper(request).await?;
        let is_accepted = signer.is_accepted(signed, response.status(), response.headers());
        if is_accepted || attempt == 1 {
            let status = response.status();
            return Ok((status, text(response.into_body()).await?));
        }
        println!("{}: signed again", response.status());
    }
    unreachable!("the second attempt returns")
}

async fn of_hyper(mut request: Request<String>) -> Result<Response<Incoming>, Box<dyn StdError>> {
    let authority = request.uri().authority().ok_or("no host")?.clone();
    let stream = TcpStream::connect(authority.as_str()).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse()?;
    request.headers_mut().insert(HOST, authority.as_str().parse()?);
    Ok(sender.send_request(request).await?)
}

async fn text(mut body: Incoming) -> Result<String, Box<dyn StdError>> {
    use hyper::body::Body as _;
    let mut text = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
    {
        if let Ok(piece) = frame?.into_data() {
            text.extend(piece);
        }
    }
    Ok(String::from_utf8(text)?)
}
