//! The S3 model behind a socket, with a plan of faults.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::message::{Reply, Request};
use super::s3_model::S3Model;
use super::scripted::{Script, Scripted};

/// A running stateful S3 server that meets the faults of its model's plan. It checks no signatures.
pub struct FaultyS3 {
    server: Scripted,
    model: Arc<Mutex<S3Model>>,
}

impl FaultyS3 {
    /// Starts it over http.
    ///
    /// # Errors
    /// When the port or the thread can't be had.
    pub fn start(model: S3Model) -> io::Result<Self> {
        let model = Arc::new(Mutex::new(model));
        Ok(Self { server: Scripted::start(Adapter(Arc::clone(&model)))?, model })
    }

    /// Starts it over TLS, with a certificate made on the spot.
    ///
    /// # Errors
    /// When the port or the thread can't be had.
    pub fn start_tls(model: S3Model) -> io::Result<Self> {
        let model = Arc::new(Mutex::new(model));
        Ok(Self { server: Scripted::start_tls(Adapter(Arc::clone(&model)))?, model })
    }

    /// Scheme, host and port.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The certificate authority to trust, in PEM; none over http.
    pub fn ca_pem(&self) -> Option<&str> {
        self.server.ca_pem()
    }

    /// The model, to look at it or to change its plan. The server waits while this is held.
    pub fn model(&self) -> MutexGuard<'_, S3Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server below, for what it recorded.
    pub fn server(&self) -> &Scripted {
        &self.server
    }
}

struct Adapter(Arc<Mutex<S3Model>>);

impl Adapter {
    fn model(&self) -> MutexGuard<'_, S3Model> {
        let mut model = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        model.set_now(now.as_secs());
        model
    }
}

impl Script for Adapter {
    fn head(&mut self, head: &Request) -> Option<Reply> {
        self.model().handle_head(head)
    }

    fn reply(&mut self, request: &Request) -> Reply {
        self.model().handle(request)
    }
}
