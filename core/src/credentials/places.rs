//! Regions, endpoints, and the other settings of a profile and the environment.

use super::config::{Found, Profile, S3Settings};
use super::resolve::{Resolver, no_profile};
use super::source::{Authorization, Container, Instance, Sts};
use crate::error::Error;
use crate::s3::Addressing;

impl<'a> Resolver<'a> {
    /// Returns the S3 settings of the environment and a profile, without the keys. If `name` is
    /// `None`, the profile is the one that the environment names, or `default`.
    ///
    /// # Errors
    ///
    /// There is no profile of this name, or a value is invalid.
    pub fn settings(&self, name: Option<&str>) -> Result<S3Settings, Error> {
        let named = name.or_else(|| self.environment.profile());
        let profile = self.config.usable(named.unwrap_or("default"))?;
        if let (Some(name), None) = (named, profile) {
            return Err(no_profile(name));
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let written = |name: &str| profile.and_then(|profile| profile.option(name));
        let nested = |name: &str| profile.and_then(|profile| profile.nested("s3", name));
        let either = |variable: &str, name: &str| {
            self.environment.get(variable).or_else(|| written(name)).or_else(|| nested(name))
        };
        let flag = |variable: Option<&str>, name: &str| {
            let variable = variable.and_then(|name| self.environment.get(name));
            let text = variable.or_else(|| nested(name)).or_else(|| written(name));
            text.is_some_and(|text| text.eq_ignore_ascii_case("true"))
        };
        let addressing = match nested("addressing_style") {
            None | Some("") => None,
            Some("auto") => Some(Addressing::Auto),
            Some("path") => Some(Addressing::Path),
            Some("virtual") => Some(Addressing::Virtual),
            Some(other) => return Err(none_of("addressing_style", other, "auto, path, virtual")),
        };
        let request = ("AWS_REQUEST_CHECKSUM_CALCULATION", "request_checksum_calculation");
        let response = ("AWS_RESPONSE_CHECKSUM_VALIDATION", "response_checksum_validation");
        Ok(S3Settings {
            region: owned(self.region_of(profile)),
            endpoint_url: owned(self.endpoint_of("s3", profile)?),
            ca_bundle: owned(either("AWS_CA_BUNDLE", "ca_bundle")),
            addressing,
            request_checksum_calculation: mode(request.1, either(request.0, request.1))?,
            response_checksum_validation: mode(response.1, either(response.0, response.1))?,
            use_accelerate: flag(None, "use_accelerate_endpoint"),
            use_dualstack: flag(Some("AWS_USE_DUALSTACK_ENDPOINT"), "use_dualstack_endpoint"),
        })
    }

    pub(super) fn container_if_any(&self) -> Result<Option<Container>, Error> {
        let environment = self.environment;
        let file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        let token = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        let authorization = match (file, token) {
            (Some(file), _) => Authorization::File(file.to_owned()),
            (None, Some(token)) => Authorization::Token(token.into()),
            (None, None) => Authorization::None,
        };
        if let Some(path) = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            return Container::at_path(path, authorization).map(Some);
        }
        let url = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        url.map(|url| Container::at(url, authorization)).transpose()
    }

    pub(super) fn instance_of(&self, profile: Option<Profile<'_>>) -> Result<Instance, Error> {
        if self.is_instance_disabled() {
            return Err(Error::invalid_input("AWS_EC2_METADATA_DISABLED is true"));
        }
        let value = |variable: &str, option: &str| {
            let written = profile.and_then(|profile| profile.option(option));
            self.environment.get(variable).or(written).filter(|text| !text.is_empty())
        };
        let endpoint = value("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
        let mode =
            value("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
        let v6 = match mode.map(str::to_ascii_lowercase).as_deref() {
            None => value("AWS_IMDS_USE_IPV6", "imds_use_ipv6")
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
            Some("ipv4") => false,
            Some("ipv6") => true,
            Some(other) => {
                return Err(none_of("ec2_metadata_service_endpoint_mode", other, "IPv4, IPv6"));
            }
        };
        let mut instance = match endpoint {
            Some(endpoint) => Instance::at(endpoint)?,
            None if v6 => Instance::at("http://[fd00:ec2::254]")?,
            None => Instance::default(),
        };
        let v1_disabled = value("AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled");
        instance.allow_v1 = v1_disabled.is_some_and(|text| text.eq_ignore_ascii_case("false"));
        Ok(instance)
    }

    pub(super) fn is_instance_disabled(&self) -> bool {
        self.environment.flag("AWS_EC2_METADATA_DISABLED")
    }

    fn region_of(&self, profile: Option<Profile<'a>>) -> Option<&'a str> {
        let variable = self.environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]);
        let written = || profile?.option("region").filter(|text| !text.is_empty());
        variable.or_else(written)
    }

    /// Returns the configured endpoint of a service, and `None` for that of AWS.
    pub(super) fn endpoint_of(
        &self,
        service: &str,
        profile: Option<Profile<'a>>,
    ) -> Result<Option<&'a str>, Error> {
        let written = |name: &str| profile.and_then(|profile| profile.option(name));
        let ignored = self.environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let ignored = ignored.or_else(|| written("ignore_configured_endpoint_urls"));
        if ignored.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let own = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
        if let Some(url) = self.environment.first(&[&own, "AWS_ENDPOINT_URL"]) {
            return Ok(Some(url));
        }
        let of_services = match (profile, written("services")) {
            (Some(profile), Some(name)) => {
                let section = self.config.services(name)?.ok_or_else(|| {
                    profile.wrong("services", format!("section [services {name}] does not exist"))
                })?;
                section.found(service).and_then(|found: Found<'a>| found.nested("endpoint_url"))
            }
            _ => None,
        };
        let url = of_services.or_else(|| written("endpoint_url"));
        Ok(url.filter(|url| !url.is_empty()))
    }

    pub(super) fn sts(&self, profile: Option<Profile<'a>>) -> Result<Sts, Error> {
        let region = self.region_of(profile).or(self.region);
        match self.endpoint_of("sts", profile)? {
            Some(url) => Sts::at(url, region),
            None => Sts::aws(region),
        }
    }
}

fn mode<T: std::str::FromStr>(name: &str, written: Option<&str>) -> Result<Option<T>, Error> {
    let Some(text) = written.filter(|text| !text.is_empty()) else { return Ok(None) };
    let word = text.to_ascii_lowercase();
    let choices = "when_supported, when_required, always, never";
    word.parse().map(Some).map_err(|_| none_of(name, text, choices))
}

fn none_of(name: &str, written: &str, choices: &str) -> Error {
    let written: String = written.chars().take(64).collect();
    Error::invalid_input(format!("{name} = {written:?}: expected one of {choices}"))
}
