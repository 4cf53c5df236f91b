//! The service catalogue.

use serde::{Deserialize, Serialize};

use crate::keystone::json::Node;

/// The service catalogue of a cloud, as a token has it. "Authentication and token management",
/// Identity API v3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The services, in Keystone's order.
    pub services: Vec<CatalogueService>,
}

/// A service in the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueService {
    /// Its type, such as `object-store`.
    #[serde(rename = "type")]
    pub service_type: String,
    /// Its name, such as `swift`.
    #[serde(default)]
    pub name: Option<String>,
    /// Its endpoints.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its interface.
    pub interface: Interface,
    /// Its region; `None` where the cloud has no regions.
    #[serde(default)]
    pub region: Option<String>,
    /// Its URL; empty in some clouds.
    pub url: String,
}

/// The interface of an endpoint: the clients that it is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interface {
    /// For all clients.
    Public,
    /// For other services of the cloud.
    Internal,
    /// For the cloud's administrators.
    Admin,
}

impl Interface {
    /// Reads the spelling of v3 (`public`) or of v2.0 (`publicURL`).
    pub fn parse(text: &str) -> Option<Self> {
        let interfaces = [Self::Public, Self::Internal, Self::Admin];
        interfaces.into_iter().find(|it| text == it.as_str() || text == it.v2())
    }

    /// Returns the spelling of v3.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }

    pub(super) fn v2(self) -> &'static str {
        match self {
            Self::Public => "publicURL",
            Self::Internal => "internalURL",
            Self::Admin => "adminURL",
        }
    }
}

impl Catalogue {
    /// Reads `token.catalog` of v3; `None` where the token has no catalogue. Skips services without a type and
    /// endpoints of an unknown interface.
    pub(super) fn read_v3(token: &Node<'_>) -> Option<Self> {
        token.member("catalog")?;
        let endpoint = |endpoint: Node<'_>| {
            let interface = Interface::parse(&endpoint.text("interface")?)?;
            Some(Endpoint { interface, region: region(&endpoint), url: url(&endpoint, "url") })
        };
        let service = |entry: Node<'_>| {
            let endpoints = entry.objects("endpoints").into_iter().filter_map(endpoint).collect();
            let service_type = entry.text("type")?;
            Some(CatalogueService { service_type, name: entry.text("name"), endpoints })
        };
        let services = token.objects("catalog").into_iter().filter_map(service).collect();
        Some(Self { services })
    }

    /// Reads `access.serviceCatalog` of v2.0, where an endpoint has a URL for each interface.
    pub(super) fn read_v2(access: &Node<'_>) -> Option<Self> {
        access.member("serviceCatalog")?;
        let mut services = Vec::new();
        for entry in access.objects("serviceCatalog") {
            let Some(service_type) = entry.text("type") else { continue };
            let mut endpoints = Vec::new();
            for endpoint in entry.objects("endpoints") {
                for interface in [Interface::Public, Interface::Internal, Interface::Admin] {
                    let url = url(&endpoint, interface.v2());
                    if !url.is_empty() {
                        endpoints.push(Endpoint { interface, region: region(&endpoint), url });
                    }
                }
            }
            services.push(CatalogueService { service_type, name: entry.text("name"), endpoints });
        }
        Some(Self { services })
    }
}

fn region(endpoint: &Node<'_>) -> Option<String> {
    let id = endpoint.text("region_id").filter(|id| !id.is_empty());
    id.or_else(|| endpoint.text("region"))
}

fn url(endpoint: &Node<'_>, name: &str) -> String {
    endpoint.text(name).unwrap_or_default()
}
