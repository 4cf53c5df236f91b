//! `s3-endpoint` and `s3-host-region`.

use apus_core::contract::Operation;
use apus_core::error::Error;
use apus_core::s3::endpoint::Resolver;
use apus_core::s3::{Addressing, BaseUrl, Config, EndpointConfig, GetObject, Service};
use serde::Deserialize;

use super::compare::Check;
use super::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    region: String,
    endpoint: Option<String>,
    bucket: Option<String>,
    key: Option<String>,
    addressing: Option<Addressing>,
    #[serde(default)]
    use_fips: bool,
    #[serde(default)]
    use_dualstack: bool,
    #[serde(default)]
    accelerate: bool,
    use_arn_region: Option<bool>,
    #[serde(default)]
    disable_multi_region_access_points: bool,
    #[serde(default)]
    use_global_endpoint: bool,
    #[serde(default)]
    disable_access_points: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    url: Option<String>,
    signing_region: Option<String>,
    signing_name: Option<String>,
    error: Option<String>,
}

pub(super) fn endpoint(input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    match (resolve(&input), &expected.error) {
        (Err(_), Some(_)) => {}
        (Ok((url, ..)), Some(error)) => check.differs("url", format!("refused: {error}"), url),
        (Err(error), None) => {
            check.differs("url", expected.url.as_deref().unwrap_or("one"), error);
        }
        (Ok((url, region, name)), None) => {
            check.same_if("url", expected.url.as_deref(), &url);
            check.same_if("signing_region", expected.signing_region.as_deref(), &region);
            check.same_if("signing_name", expected.signing_name.as_deref(), name);
        }
    }
    Ok(())
}

/// Returns the URL, with the key if given, and the region and service of the signature.
/// A host, and the region that requests to it are signed for.
pub(super) fn host_region(
    mut input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Expected {
        region: Option<String>,
    }
    let host: String = input.required("host")?;
    input.end()?;
    let expected: Expected = expect.rest()?;
    let url = BaseUrl::parse(&format!("https://{host}")).map_err(|error| error.to_string())?;
    let region = url.aws_region();
    if region != expected.region {
        check.differs("region", format!("{:?}", expected.region), format!("{region:?}"));
    }
    let is_alike = expected.region.is_none_or(|region| url.is_in_partition_of(&region));
    if !url.is_aws() || !is_alike {
        check.differs("partition", "that of the region", "another, or none");
    }
    Ok(())
}

fn resolve(input: &Input) -> Result<(String, String, &'static str), Error> {
    let config = EndpointConfig {
        endpoint: input.endpoint.as_deref().map(BaseUrl::parse).transpose()?,
        region: input.region.as_str().into(),
        addressing: input.addressing.unwrap_or_default(),
        use_fips: input.use_fips,
        use_dualstack: input.use_dualstack,
        accelerate: input.accelerate,
        use_arn_region: input.use_arn_region.unwrap_or(true),
        disable_multi_region_access_points: input.disable_multi_region_access_points,
        use_global_endpoint: input.use_global_endpoint,
        disable_access_points: input.disable_access_points,
    };
    let endpoint = Resolver::new(config.clone())?.resolve(input.bucket.as_deref())?;
    let url = match (&input.key, &input.bucket) {
        (Some(key), Some(bucket)) => {
            let service = Service::new(Config::new(config))?;
            GetObject::new(bucket, key).draft(&service)?.head.uri.to_string()
        }
        _ => endpoint.url(),
    };
    Ok((url, endpoint.signing_region.to_string(), endpoint.signing_name))
}
