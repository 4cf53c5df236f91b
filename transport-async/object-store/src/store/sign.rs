//! Presigned URLs.

use std::time::Duration;

use apus_async::s3;
#[cfg(feature = "swift")]
use apus_async::swift;
use http::Method;
use url::Url;

use super::errors::{error, generic, not_supported};
use super::object_store::Result;
use super::object_store::path::Path;
use super::s3::{S3, S3Store};
#[cfg(feature = "swift")]
use super::swift::{SWIFT, SwiftStore};

macro_rules! presign {
    ($store:ident, $name:ident, $protocol:ident, $bucket:ident, $what:literal) => {
        impl $store {
            #[doc = $what]
            ///
            /// # Errors
            ///
            /// The method is another than GET, HEAD, PUT and DELETE; `expires_in` is out of bounds; no
            /// credentials can be obtained.
            pub async fn presign(
                &self,
                method: Method,
                path: &Path,
                expires_in: Duration,
            ) -> Result<Url> {
                use $protocol::{DeleteObject, GetObject, HeadObject, PutObject};

                let (client, bucket, key) = (&self.client, &*self.$bucket, self.key(path));
                let presigned = match method {
                    Method::GET => client.presign(GetObject::new(bucket, key), expires_in).await,
                    Method::HEAD => client.presign(HeadObject::new(bucket, key), expires_in).await,
                    Method::PUT => {
                        client.presign(PutObject::new(bucket, key, ""), expires_in).await
                    }
                    Method::DELETE => {
                        client.presign(DeleteObject::new(bucket, key), expires_in).await
                    }
                    other => return Err(not_supported(format!("a presigned URL of {other}"))),
                };
                let presigned = presigned.map_err(|failed| error($name, path.as_ref(), failed))?;
                if let Some(header) = presigned.headers.keys().next() {
                    let what = format!("the URL is valid only with the header `{header}`");
                    return Err(generic($name, what));
                }
                Url::parse(&presigned.url).map_err(|_| generic($name, "the URL is not valid"))
            }
        }
    };
}

presign!(
    S3Store,
    S3,
    s3,
    bucket,
    "Returns a URL that permits this request for a time: 1 second to 7 days."
);
#[cfg(feature = "swift")]
presign!(
    SwiftStore,
    SWIFT,
    swift,
    container,
    "Returns a temporary URL, which permits this request for a time, signed with the key of the container or the account."
);
