//! ARNs as bucket names: access points and Object Lambda access points.
//!
//! ```text
//! arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME    NAME-ACCOUNT.s3-accesspoint.REGION.amazonaws.com
//! arn:aws:s3-object-lambda:REGION:ACCOUNT:accesspoint/NAME   …s3-object-lambda.REGION…
//! ```
//!
//! A colon may replace the slash. A request to an access point is signed for the region of its ARN.

use std::sync::Arc;

use super::bucket::is_label;
use super::partition::Partition;
use super::{Endpoint, Resolver, Suffix};
use crate::error::Error;

pub(super) fn resolve(resolver: &Resolver, arn: &str) -> Result<Endpoint, Error> {
    let point = AccessPoint::parse(arn)?;
    let config = &resolver.config;
    if config.disable_access_points {
        return Err(Error::invalid_input("this operation does not support access points"));
    }
    if !config.use_arn_region && point.region != &*config.region {
        return Err(Error::invalid_input(format!(
            "the ARN's region `{}` is not the client's region `{}`, and use_arn_region is not set",
            point.region, config.region
        )));
    }
    let partition = Partition::of_region(point.region);
    if partition.name != resolver.partition.name {
        return Err(Error::invalid_input(format!(
            "the ARN's region is in partition `{}`, but the client's region is in `{}`",
            partition.name, resolver.partition.name
        )));
    }
    if config.accelerate {
        return Err(Error::invalid_input("access points do not support acceleration"));
    }
    if point.kind == Kind::ObjectLambda && config.use_dualstack {
        return Err(Error::invalid_input(
            "Object Lambda access points do not support dual-stack endpoints",
        ));
    }
    let label = format!("{}-{}", point.name, point.account);
    let server = match config.endpoint {
        Some(_) => resolver.virtual_suffix.server(&label)?,
        None => {
            let fips = if config.use_fips { "-fips" } else { "" };
            let stack = if config.use_dualstack { ".dualstack" } else { "" };
            let (host, region) = (point.kind.host(), point.region);
            let text = format!("{host}{fips}{stack}.{region}.{}", partition.dns_suffix);
            Suffix::bare(text).server(&label)?
        }
    };
    Ok(Endpoint {
        signing_region: Arc::from(point.region),
        signing_name: point.kind.signing_name(),
        ..resolver.endpoint(server, String::from(&*resolver.prefix))
    })
}

struct AccessPoint<'a> {
    kind: Kind,
    region: &'a str,
    account: &'a str,
    name: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bucket,
    ObjectLambda,
}

impl Kind {
    fn host(self) -> &'static str {
        match self {
            Self::Bucket => "s3-accesspoint",
            Self::ObjectLambda => "s3-object-lambda",
        }
    }

    fn signing_name(self) -> &'static str {
        match self {
            Self::Bucket => "s3",
            Self::ObjectLambda => "s3-object-lambda",
        }
    }
}

impl<'a> AccessPoint<'a> {
    fn parse(arn: &'a str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Err(Error::invalid_input(format!("ARN {arn:?} can't be used as a bucket: {why}")))
        };
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, partition, service, region, account, resource] = parts[..] else {
            return wrong("expected arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE");
        };
        if partition.is_empty() {
            return wrong("its partition is empty");
        }
        let kind = match service {
            "s3" => Kind::Bucket,
            "s3-object-lambda" => Kind::ObjectLambda,
            "s3-outposts" => return wrong("S3 Outposts is not supported"),
            _ => return wrong("its service is not s3"),
        };
        let mut resource = resource.split([':', '/']);
        if resource.next() != Some("accesspoint") {
            return wrong("its resource is not an access point");
        }
        let name = resource.next().unwrap_or_default();
        if name.is_empty() {
            return wrong("accesspoint: or accesspoint/ must be followed by a name");
        }
        if region.is_empty() && kind == Kind::Bucket {
            return wrong("multi-region access points need SigV4A, which is not supported");
        }
        if region.is_empty() || !region.split('.').all(is_label) {
            return wrong("its region is missing or not a valid host label");
        }
        if !is_label(account) {
            return wrong(
                "its account id is missing or has characters other than letters, digits and `-`",
            );
        }
        if resource.next().is_some() {
            return wrong("only one resource may follow accesspoint");
        }
        if !is_label(name) {
            return wrong(
                "the name of the access point has characters other than letters, digits and `-`",
            );
        }
        Ok(Self { kind, region, account, name })
    }
}
