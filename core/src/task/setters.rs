//! Setters that tasks of both protocols have.
//!
//! They are methods and not a trait, so that a program imports the task alone.

/// What every task has: its options as a whole, and its authenticator.
macro_rules! task_setters {
    ($options:ty) => {
        /// Replaces all options.
        pub fn options(self, options: $options) -> Self {
            Self { options, ..self }
        }

        /// Uses the authenticator at this position of the client's list. The default is the first,
        /// 0.
        pub fn with_auth(self, auth: usize) -> Self {
            Self { auth, ..self }
        }
    };
}

/// What uploads to both protocols have.
macro_rules! upload_setters {
    ($options:ty, $checkpoint:ty) => {
        crate::task::setters::task_setters!($options);

        /// Sets the content type.
        pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
            self.options.properties.content_type = Some(content_type.into());
            self
        }

        /// Sets the content type by the extension of `name`, if it is known: the name of
        /// the file, or the key.
        #[cfg(feature = "content-type")]
        pub fn content_type_of(self, name: &str) -> Self {
            match crate::content_type::of(name) {
                Some(content_type) => self.content_type(content_type),
                None => self,
            }
        }

        /// Sets the size up to which an object is sent in one request, in bytes; at most 5 GiB.
        pub fn threshold(mut self, bytes: u64) -> Self {
            self.options.threshold = bytes;
            self
        }

        /// Sets how many parts or segments are in flight at most.
        pub fn concurrency(mut self, parts: usize) -> Self {
            self.options.concurrency = parts;
            self
        }

        /// Sets what a failed upload leaves on the server.
        pub fn on_failure(mut self, on_failure: $crate::contract::OnFailure) -> Self {
            self.options.on_failure = on_failure;
            self
        }

        /// Returns a view of the newest checkpoint, to be kept while the upload runs.
        pub fn checkpoints(&self) -> $crate::machine::Checkpoints<$checkpoint> {
            self.checkpoints.clone()
        }
    };
}

/// What downloads from both protocols have.
macro_rules! download_setters {
    () => {
        crate::task::setters::task_setters!($crate::machine::DownloadOptions);

        /// Reads only these bytes.
        pub fn range(mut self, range: impl Into<$crate::http::ByteRange>) -> Self {
            self.get.range = Some(range.into());
            self
        }

        /// Sets the conditions of the read. An object that has not changed is an error
        /// ([`Error::is_not_modified`](crate::Error::is_not_modified)).
        pub fn conditions(mut self, conditions: $crate::http::Conditions) -> Self {
            self.get.conditions = conditions;
            self
        }

        /// Sets how many ranges are read at once. The default is 1: one stream.
        pub fn concurrency(mut self, ranges: usize) -> Self {
            self.options.concurrency = ranges;
            self
        }

        /// Sets the size of a range in bytes, where several are read at once.
        pub fn range_size(mut self, bytes: u64) -> Self {
            self.options.range_size = bytes;
            self
        }

        /// Whether a second request is sent for a range whose first byte is late: see
        /// [`DownloadOptions::hedged`](crate::machine::DownloadOptions::hedged). The default is no.
        pub fn hedged(mut self, hedged: bool) -> Self {
            self.options.hedged = hedged;
            self
        }

        /// Also computes this digest over the bytes.
        pub fn digest(mut self, algorithm: $crate::checksum::Algorithm) -> Self {
            self.options.digests.push(algorithm);
            self
        }

        /// Fails if the whole object does not have this size in bytes.
        pub fn expect_size(mut self, bytes: u64) -> Self {
            self.options.size = Some(bytes);
            self
        }

        /// Fails if the whole object does not have this digest.
        pub fn expect_digest(mut self, digest: $crate::checksum::Value) -> Self {
            self.options.expected.push(digest);
            self
        }
    };
}

pub(super) use {download_setters, task_setters, upload_setters};
