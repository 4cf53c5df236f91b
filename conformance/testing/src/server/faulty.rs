//! The S3 model behind a socket, with a plan of faults.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::message::{Reply, Request};
use super::s3_model::S3Model;
use super::scripted::{Script, Scripted};

/// A running stateful S3 server with the faults of its model's plan. It checks no signatures.
pub struct FaultyS3 {
    server: Scripted,
    model: Arc<Mutex<S3Model>>,
}

impl FaultyS3 {
    /// Starts the server over http.
    ///
    /// # Errors
    /// The port or the thread is not available.
    pub fn start(model: S3Model) -> io::Result<Self> {
        let model = Arc::new(Mutex::new(model));
        Ok(Self { server: Scripted::start(Adapter(Arc::clone(&model)))?, model })
    }

    /// Starts the server over TLS, with a new certificate.
    ///
    /// # Errors
    /// The port or the thread is not available.
    pub fn start_tls(model: S3Model) -> io::Result<Self> {
        let model = Arc::new(Mutex::new(model));
        Ok(Self { server: Scripted::start_tls(Adapter(Arc::clone(&model)))?, model })
    }

    /// Returns scheme, host and port.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Returns the certificate of the CA to trust, in PEM; `None` over http.
    pub fn ca_pem(&self) -> Option<&str> {
        self.server.ca_pem()
    }

    /// Returns the model, to read it or to change its plan. The server waits while this guard is
    /// held.
    pub fn model(&self) -> MutexGuard<'_, S3Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the server below the model, which has recorded the requests.
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
