//! Which endpoint of a catalogue is used.

use std::collections::BTreeSet;

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::keystone::{
    catalogue::{Catalogue, Endpoint, Interface},
    token::TokenFacts,
};

/// Selects an endpoint in a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFilter {
    /// The service's type.
    pub service_type: String,
    /// Types that are used where the catalogue has no matching endpoint of `service_type`, in order
    /// of preference.
    pub aliases: Vec<String>,
    /// The accepted interfaces, in order of preference; empty for any.
    pub interfaces: Vec<Interface>,
    /// The region; `None` for the first endpoint in any region.
    pub region: Option<String>,
    /// A URL to use instead of the catalogue's. `%(project_id)s` or `$(project_id)s` in it is
    /// replaced by the id of the token's project, `tenant_id` (its old name) likewise, `user_id` by
    /// the id of its user.
    pub endpoint_override: Option<String>,
}

impl Default for EndpointFilter {
    /// The public endpoint of the object store, in any region.
    fn default() -> Self {
        Self {
            service_type: "object-store".into(),
            aliases: Vec::new(),
            interfaces: vec![Interface::Public],
            region: None,
            endpoint_override: None,
        }
    }
}

impl EndpointFilter {
    /// Creates a filter with this override.
    pub fn at(url: impl Into<String>) -> Self {
        Self { endpoint_override: Some(url.into()), ..Self::default() }
    }

    /// Returns the URL for a token: the override, or the storage URL that came with the token, or
    /// the endpoint in its catalogue.
    ///
    /// # Errors
    ///
    /// The override has a placeholder that is unknown, unterminated or without a value in the
    /// token; the catalogue is missing or empty, or has no such endpoint; the URL is not valid.
    pub fn resolve(&self, token: &TokenFacts) -> Result<BaseUrl, Error> {
        if let Some(template) = &self.endpoint_override {
            return BaseUrl::parse_as(&fill(template, token)?, "the endpoint override");
        }
        let what = format!("the {} endpoint", self.service_type);
        if let Some(url) = &token.storage_url {
            return address(url, &what);
        }
        let Some(catalogue) = &token.catalogue else {
            return Err(none(
                "the token has no catalogue: it has no project scope, or the catalogue was not \
                 requested",
            ));
        };
        if catalogue.services.is_empty() {
            return Err(none("the catalogue of the token is empty"));
        }
        match catalogue.find(self) {
            Some(endpoint) => address(&endpoint.url, &what),
            None => Err(none(format!(
                "the catalogue has no {}: it has {}",
                self.describe(),
                catalogue.offered(self)
            ))),
        }
    }

    /// As [`resolve`](Self::resolve), for tokens of the Keystone at this URL. If that is https, an
    /// `http://` endpoint in the catalogue is refused, because the token would be sent in clear
    /// text. An [override](Self::endpoint_override) may be `http://` nevertheless.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve); the endpoint is less secure than Keystone.
    pub fn resolve_beside(
        &self,
        token: &TokenFacts,
        keystone: Option<&BaseUrl>,
    ) -> Result<BaseUrl, Error> {
        let address = self.resolve(token)?;
        let is_tls = keystone.is_some_and(BaseUrl::is_tls);
        if is_tls && !address.is_tls() && self.endpoint_override.is_none() {
            let what = format!(
                "the {} endpoint {address} uses http, which would send the token unencrypted, \
                 while Keystone uses https",
                self.service_type
            );
            return Err(Error::auth(what).with_hint(IN_CLEAR));
        }
        Ok(address)
    }

    fn describe(&self) -> String {
        let mut out = String::new();
        for (at, interface) in self.interfaces.iter().enumerate() {
            out.push_str(if at > 0 { " or " } else { "" });
            out.push_str(interface.as_str());
        }
        out.push_str(if out.is_empty() { "endpoint of " } else { " endpoint of " });
        out.push_str(&self.service_type);
        if let Some(region) = &self.region {
            out.push_str(&format!(" in region {region:?}"));
        }
        out
    }
}

impl Catalogue {
    /// Returns the endpoint that the filter selects: of the type itself, or else of the first alias
    /// that has a matching one. Endpoints without a URL are skipped.
    pub fn find(&self, filter: &EndpointFilter) -> Option<&Endpoint> {
        let mut types = std::iter::once(&filter.service_type).chain(&filter.aliases);
        types.find_map(|wanted| self.find_of(&canonical(wanted), filter))
    }

    /// Returns in one line what the catalogue has of a service, or which services it has.
    fn offered(&self, filter: &EndpointFilter) -> String {
        let listed = |all: BTreeSet<String>, what: &str| {
            let more = all.len().saturating_sub(MOST_TOLD);
            let told: Vec<String> = all.into_iter().take(MOST_TOLD).collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{what}{}{more}", told.join(", "))
        };
        let types: Vec<String> = std::iter::once(&filter.service_type)
            .chain(&filter.aliases)
            .map(|wanted| canonical(wanted))
            .collect();
        let services = self.services.iter();
        let ours = services.filter(|service| types.contains(&canonical(&service.service_type)));
        let endpoints = ours.flat_map(|service| &service.endpoints).filter(|it| !it.url.is_empty());
        let endpoints: BTreeSet<String> = endpoints
            .map(|it| match &it.region {
                Some(region) => format!("{} in region {region:?}", it.interface.as_str()),
                None => format!("{} in no region", it.interface.as_str()),
            })
            .collect();
        if !endpoints.is_empty() {
            return listed(endpoints, "");
        }
        let services = self.services.iter().map(|it| format!("{:?}", it.service_type));
        listed(services.collect(), "only the services ")
    }

    fn find_of(&self, service_type: &str, filter: &EndpointFilter) -> Option<&Endpoint> {
        let endpoints: Vec<&Endpoint> = self
            .services
            .iter()
            .filter(|service| canonical(&service.service_type) == service_type)
            .flat_map(|service| &service.endpoints)
            .filter(|it| filter.region.is_none() || it.region == filter.region)
            .filter(|it| !it.url.is_empty())
            .collect();
        if filter.interfaces.is_empty() {
            return endpoints.first().copied();
        }
        let mut interfaces = filter.interfaces.iter();
        interfaces.find_map(|wanted| endpoints.iter().find(|it| it.interface == *wanted).copied())
    }
}

/// Returns a service type with hyphens and in lower case. Some catalogues have underscores.
fn canonical(service_type: &str) -> String {
    service_type.replace('_', "-").to_lowercase()
}

/// How many endpoints or services an error lists.
const MOST_TOLD: usize = 12;

fn none(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::auth(what).with_hint("an endpoint override goes before the catalogue")
}

fn address(url: &str, what: &str) -> Result<BaseUrl, Error> {
    // Not an invalid response, which may be another one the next time: the token keeps its catalogue.
    BaseUrl::parse_as(url, what).map_err(|error| none(error.message().to_owned()))
}

/// Replaces the placeholders of an override by the token's values.
fn fill(template: &str, token: &TokenFacts) -> Result<String, Error> {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(at) = rest.find("%(").into_iter().chain(rest.find("$(")).min() {
        let (before, placeholder) = rest.split_at(at);
        out.push_str(before);
        let inside = placeholder.get(2..).unwrap_or_default();
        let Some((name, after)) = inside.split_once(")s") else {
            return Err(Error::invalid_input(
                "the endpoint override has an unterminated placeholder",
            ));
        };
        let value = match name {
            "project_id" | "tenant_id" => token.project.as_ref().map(|it| it.id.as_str()),
            "user_id" => token.user.as_ref().map(|it| it.id.as_str()),
            _ => {
                return Err(Error::invalid_input(format!(
                    "the endpoint override has an unknown placeholder {name:?}"
                )));
            }
        };
        out.push_str(value.filter(|id| !id.is_empty()).ok_or_else(|| {
            none(format!(
                "the endpoint override has the placeholder {name}, but the token has no {name}"
            ))
        })?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

const IN_CLEAR: &str = "register an https endpoint in the catalogue, or allow http by an override: \
                        `swift_store_endpoint`, `object_store_endpoint_override`, \
                        `EndpointFilter::endpoint_override`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystone::{catalogue::CatalogueService, token::Holder};

    fn endpoint(interface: Interface, region: &str, url: &str) -> Endpoint {
        Endpoint { interface, region: Some(region.into()), url: url.into() }
    }

    fn facts() -> TokenFacts {
        let service = |service_type: &str, endpoints| CatalogueService {
            service_type: service_type.into(),
            name: None,
            endpoints,
        };
        let services = vec![
            service("identity", vec![endpoint(Interface::Public, "one", "http://k/v3")]),
            service(
                "object-store",
                vec![
                    endpoint(Interface::Internal, "one", "http://in/v1/A"),
                    endpoint(Interface::Public, "one", ""),
                    endpoint(Interface::Public, "two", "http://two/v1/A"),
                    endpoint(Interface::Admin, "one", "http://admin/v1"),
                ],
            ),
            service("volumev3", vec![endpoint(Interface::Public, "one", "http://c/v3")]),
        ];
        TokenFacts {
            catalogue: Some(Catalogue { services }),
            project: Some(Holder { id: "p1".into(), ..Holder::default() }),
            ..TokenFacts::default()
        }
    }

    fn find(filter: &EndpointFilter) -> String {
        match filter.resolve(&facts()) {
            Ok(address) => address.to_string(),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn interfaces_are_taken_in_their_order_and_empty_urls_passed_over() {
        let with = |interfaces: &[Interface], region: Option<&str>| {
            find(&EndpointFilter {
                interfaces: interfaces.to_vec(),
                region: region.map(str::to_owned),
                ..EndpointFilter::default()
            })
        };
        assert_eq!(with(&[Interface::Public], None), "http://two/v1/A");
        assert_eq!(with(&[Interface::Admin, Interface::Public], None), "http://admin/v1");
        assert_eq!(with(&[Interface::Public, Interface::Internal], Some("one")), "http://in/v1/A");
        assert_eq!(with(&[], None), "http://in/v1/A");
        let none = "the catalogue has no public endpoint of object-store in region \"one\": it has \
                    admin in region \"one\", internal in region \"one\", public in region \"two\"";
        assert_eq!(with(&[Interface::Public], Some("one")), none);
    }

    #[test]
    fn aliases_come_after_the_type_itself() {
        let with = |service_type: &str, aliases: &[&str]| {
            find(&EndpointFilter {
                service_type: service_type.into(),
                aliases: aliases.iter().map(|it| (*it).to_owned()).collect(),
                ..EndpointFilter::default()
            })
        };
        assert_eq!(with("block-storage", &["volumev3", "volume"]), "http://c/v3");
        assert_eq!(with("object_store", &["volumev3"]), "http://two/v1/A");
        assert_eq!(
            with("image", &[]),
            "the catalogue has no public endpoint of image: it has only the services \"identity\", \
             \"object-store\", \"volumev3\""
        );
    }

    #[test]
    fn no_catalogue_and_an_empty_one_are_told_apart() {
        let filter = EndpointFilter::default();
        let empty = TokenFacts { catalogue: Some(Catalogue::default()), ..TokenFacts::default() };
        let error = filter.resolve(&empty).unwrap_err();
        assert_eq!(error.message(), "the catalogue of the token is empty");
        let error = filter.resolve(&TokenFacts::default()).unwrap_err();
        assert!(error.message().starts_with("the token has no catalogue"), "{error}");
    }

    #[test]
    fn an_override_is_filled_in() {
        for (template, want) in [
            ("http://s/v1/AUTH_%(project_id)s", "http://s/v1/AUTH_p1"),
            ("http://s/v1/AUTH_$(tenant_id)s/", "http://s/v1/AUTH_p1"),
            ("http://s/v1/a%20b", "http://s/v1/a%20b"),
            (
                "http://s/%(user_id)s",
                "the endpoint override has the placeholder user_id, but the token has no user_id",
            ),
            ("http://s/%(domain)s", "the endpoint override has an unknown placeholder \"domain\""),
            ("http://s/%(user_id", "the endpoint override has an unterminated placeholder"),
        ] {
            assert_eq!(find(&EndpointFilter::at(template)), want);
        }
    }
}
