//! Test servers for S3, Keystone and Swift with faults on demand, and a simulator for the machines
//! of `apus-core`. They require no installation, no container and no fixed port.
//!
//! # Test your code
//!
//! [`server`] has servers that run inside the test's process, on a loopback port of their own. Give
//! [`FaultyS3::endpoint`](server::FaultyS3::endpoint) or
//! [`EmbeddedOpenStack::auth_url`](server::EmbeddedOpenStack::auth_url) to your client, whatever
//! HTTP stack it uses. A [`Plan`](server::Plan) states which requests fail and how. Afterwards the
//! model shows what is stored, and which uploads are still open. The README has an example with
//! apus-blocking.
//!
//! [`sim`] uses no sockets: [`Sim`](sim::Sim) drives a machine against the same models under a
//! virtual clock, so that a test of an hour of retries takes a millisecond, and equal seeds give
//! equal runs. It checks the laws that a transport can observe: one completion for each exchange,
//! no byte delivered twice, no endless wait.
//!
//! ```
//! use std::sync::Arc;
//!
//! use apus_core::credentials::Credentials;
//! use apus_core::machine::{Auth, S3Upload, UploadOptions, UploadSource};
//! use apus_core::s3::{BaseUrl, Config, EndpointConfig, Service};
//! use apus_core::sign::Keys;
//! use apus_testing::server::{Ending, Fault, Operation, Plan, S3Model};
//! use apus_testing::sim::Sim;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The object is completed, and the connection ends before the answer.
//! let lost = Fault::AnswerLost(Ending::Reset);
//! let plan = Plan::new().on(Operation::CompleteMultipartUpload, 1, lost);
//! let model = S3Model::new().with_bucket("images").with_plan(plan);
//! let mut sim = Sim::new(model, vec![7; 20 << 20], 1);
//!
//! let endpoint = EndpointConfig::custom(BaseUrl::parse("http://s3.test")?, "us-east-1");
//! let service = Arc::new(Service::new(Config::new(endpoint))?);
//! let source = UploadSource::Seekable(20 << 20);
//! let upload = S3Upload::new("images", "disk.img", source, UploadOptions::default(), service, 1)?;
//! let auth = Auth::new(Credentials::new(Keys::new("ACCESS_KEY", "SECRET_KEY")));
//! let uploaded = sim.run(upload, vec![auth])?;
//!
//! assert_eq!(uploaded.size, 20 << 20);
//! let stored = sim.model.object("images", "disk.img").expect("the object is there");
//! assert_eq!(stored.body, sim.source);
//! assert!(sim.model.open_uploads().is_empty());
//! # Ok(())
//! # }
//! ```

pub mod server;
pub mod sim;
