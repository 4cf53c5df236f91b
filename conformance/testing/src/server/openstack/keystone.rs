//! Keystone: versions, and the routing of its requests.

use serde_json::json;

use super::operation::{Call, OpenStackOperation};
use super::reply;
use super::{Answer, OpenStackModel};

impl OpenStackModel {
    /// Returns the URL of v3.
    pub(super) fn auth_url(&self) -> String {
        format!("{}/v3", self.identity_url)
    }

    pub(super) fn keystone(&mut self, call: &Call<'_>) -> Answer {
        match call.operation {
            OpenStackOperation::ListVersions => Ok(self.versions(call)),
            OpenStackOperation::Authenticate => self.authenticate(call),
            OpenStackOperation::AuthenticateV2 if self.legacy => self.authenticate_v2(call),
            OpenStackOperation::AuthenticateV1 if self.legacy => self.authenticate_v1(call),
            OpenStackOperation::ValidateToken => self.validate_token(call),
            OpenStackOperation::RevokeToken => self.revoke_token(call),
            OpenStackOperation::CreateTrust => self.create_trust(call),
            OpenStackOperation::ShowTrust => self.show_trust(call),
            OpenStackOperation::ListTrusts => self.list_trusts(call),
            OpenStackOperation::DeleteTrust => self.delete_trust(call),
            _ => Err(reply::said(404, NOT_FOUND).into()),
        }
    }

    /// Lists the versions: 300 at the root, 200 at the version itself.
    fn versions(&self, call: &Call<'_>) -> super::Reply {
        let url = format!("{}/", self.auth_url());
        let version = json!({
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": url}],
            "media-types": [{
                "base": "application/json",
                "type": "application/vnd.openstack.identity-v3+json",
            }],
        });
        if call.request.path() != "/" {
            return reply::document(200, &json!({"version": version}));
        }
        let versions = json!({"versions": {"values": [version]}});
        reply::document(300, &versions).header("Location", url)
    }
}

const NOT_FOUND: &str = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n\
    <h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you entered the URL \
    manually please check your spelling and try again.</p>\n";
