//! Builds a client.

use std::fmt;
use std::sync::Arc;

use apus_core::Error;
use apus_core::contract::Service;
use apus_core::http::Timeouts;
use apus_core::machine::{Auth, Observer, RateLimits};
use apus_core::retry::RetryPolicy;
#[cfg(any(feature = "credentials", feature = "clouds"))]
use apus_host::surroundings::Surroundings;

use crate::client::{Client, Transport};
use crate::config::TransportConfig;

/// Sets everything of a [`Client`]: its transport, proxy, timeouts, retries and limits. Returned by
/// [`Client::builder`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use apus_async::{Client, Keys, RetryPolicy, Timeouts, TransportConfig, s3};
///
/// # fn main() -> Result<(), apus_async::Error> {
/// let service = s3::Service::custom("https://s3.example.com", "us-east-1")?;
/// let client = Client::builder(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))
///     .transport_config(TransportConfig::new().proxy_from_environment()?)
///     .timeouts(Timeouts { connect: Some(Duration::from_secs(3)), ..Timeouts::default() })
///     .retry_policy(RetryPolicy { attempts: 3, ..RetryPolicy::default() })
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is built before `build`"]
pub struct ClientBuilder<S> {
    service: S,
    auths: Vec<Auth>,
    config: TransportConfig,
    transport: Option<Transport>,
    timeouts: Option<Timeouts>,
    retry_policy: Option<RetryPolicy>,
    rate_limits: Arc<RateLimits>,
    observers: Vec<Arc<dyn Observer>>,
}

impl<S: Service> ClientBuilder<S> {
    pub(crate) fn new(service: S, auth: Auth) -> Self {
        Self {
            service,
            auths: vec![auth],
            config: TransportConfig::new(),
            transport: None,
            timeouts: None,
            retry_policy: None,
            rate_limits: Arc::default(),
            observers: Vec::new(),
        }
    }

    #[cfg(any(feature = "credentials", feature = "clouds"))]
    pub(crate) fn of(surroundings: Surroundings<S>) -> Result<Self, Error> {
        let builder = Self::new(surroundings.service, surroundings.auth);
        let config = TransportConfig::new().proxy_from_environment()?;
        #[cfg(feature = "tls")]
        let config = config.tls(surroundings.tls);
        Ok(builder.transport_config(config))
    }

    /// Adds another authenticator, with the next number; the first one has number 0.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), apus_async::Error> {
    /// use apus_async::s3::{Download, Service};
    /// use apus_async::{Client, Keys};
    ///
    /// let client = Client::builder(Service::aws("eu-central-1")?, Keys::new("WRITER", "SECRET_KEY"))
    ///     .auth(Keys::new("READER", "SECRET_KEY"))
    ///     .build()?;
    /// let read = client.run(Download::new("bucket", "key").with_auth(1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn auth(mut self, auth: impl Into<Auth>) -> Self {
        self.auths.push(auth.into());
        self
    }

    /// Makes a transport of this configuration: proxies, TLS, connections.
    pub fn transport_config(self, config: TransportConfig) -> Self {
        Self { config, transport: None, ..self }
    }

    /// Uses this transport, which other clients may share: they share its connections.
    pub fn transport(self, transport: Transport) -> Self {
        Self { transport: Some(transport), ..self }
    }

    /// Sets the timeouts of the service's requests.
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts: Some(timeouts), ..self }
    }

    /// Sets how often and how soon the service's requests are repeated.
    pub fn retry_policy(self, policy: RetryPolicy) -> Self {
        Self { retry_policy: Some(policy), ..self }
    }

    /// Applies these limits, which other clients may share. Default: at most
    /// [`RateLimits::AT_ONCE`] (256) requests at once; further requests wait, first in, first out.
    pub fn rate_limits(self, limits: impl Into<Arc<RateLimits>>) -> Self {
        Self { rate_limits: limits.into(), ..self }
    }

    /// Adds an observer of all requests.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    ///
    /// use apus_async::{Client, Event, Keys, Now, Observer, RateLimits, s3};
    ///
    /// struct Print;
    ///
    /// impl Observer for Print {
    ///     fn event(&self, _: Now, event: &Event<'_>) {
    ///         println!("{event:?}");
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), apus_async::Error> {
    /// let service = s3::Service::aws("eu-central-1")?;
    /// let client = Client::builder(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))
    ///     .rate_limits(RateLimits::new(16))
    ///     .observer(Arc::new(Print))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// The transport's configuration is invalid, or the service supports no timeouts or retry
    /// policy of its own.
    pub fn build(self) -> Result<Client<S>, Error> {
        let mut service = self.service;
        if let Some(timeouts) = self.timeouts {
            service = service.with_timeouts(timeouts)?;
        }
        if let Some(policy) = self.retry_policy {
            service = service.with_retry_policy(policy)?;
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => Transport::new(self.config)?,
        };
        let mut auths = self.auths.into_iter();
        let Some(first) = auths.next() else {
            return Err(Error::invalid_input("a client needs an authenticator"));
        };
        let client = Client::with_transport(transport, service, first);
        let client = auths.fold(client, Client::add_auth).with_rate_limits(self.rate_limits);
        Ok(self.observers.into_iter().fold(client, Client::with_observer))
    }
}

impl<S> fmt::Debug for ClientBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
