"""Makes the users, projects and endpoints that are missing, and prints settings for the live checks.

    openstack-users.py KEYSTONE SWIFT SECRET S3_REGION      a user's password is SECRET and its name

| user    | project | may                                                         |
| ------- | ------- | ----------------------------------------------------------- |
| admin   | admin   | everything                                                  |
| swift   | service | validate tokens                                             |
| glance  | service | use objects of its own project; the trustee                 |
| demo    | demo    | use the objects of demo; has an application credential, TOTP, EC2 keys |
| reader  | demo    | read the objects of demo                                    |
| alt     | alt     | use the objects of alt                                      |
"""
import json
import sys

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

USERS = {
    "swift": ("service", ["service", "admin"]),
    "glance": ("service", ["service", "swiftoperator"]),
    "demo": ("demo", ["member", "swiftoperator"]),
    "reader": ("demo", ["reader"]),
    "alt": ("alt", ["member", "swiftoperator"]),
}
TEMPURL_KEY = "apus-live-tempurl-key"
# Base32, as Keystone keeps it; the bytes are those of RFC 6238's examples.
TOTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
S3_ACCESS_KEY = "apuslivedemo"


def main(keystone, swift, secret, s3_region):
    def login(user, project):
        auth = v3.Password(keystone, username=user, password=secret + user, project_name=project,
                           user_domain_id="default", project_domain_id="default")
        return Directory(Session(auth), keystone)

    admin = login("admin", "admin")
    roles = {name: admin.ensure("roles", name) for name in
             ("admin", "member", "reader", "service", "swiftoperator")}
    projects, users = {}, {}
    for name, (project, granted) in USERS.items():
        projects[project] = admin.ensure("projects", project, domain_id="default")
        users[name] = admin.ensure("users", name, domain_id="default", password=secret + name,
                                   default_project_id=projects[project])
        for role in granted:
            admin.session.put("%s/projects/%s/users/%s/roles/%s" % (
                keystone, projects[project], users[name], roles[role]))
    service = admin.ensure("services", "swift", type="object-store")
    for interface in ("public", "internal", "admin"):
        account = "" if interface == "admin" else "/AUTH_%(project_id)s"
        admin.endpoint(service, interface, swift + "/v1" + account)
    for interface in ("public", "internal", "admin"):
        admin.endpoint(admin.ensure("services", "keystone"), interface, keystone)
    if not admin.all("credentials", user_id=users["demo"], type="totp"):
        admin.make("credentials", user_id=users["demo"], type="totp", blob=TOTP_SECRET)
    if not admin.all("credentials", user_id=users["demo"], type="ec2"):
        keys = {"access": S3_ACCESS_KEY, "secret": secret + "ec2"}
        admin.make("credentials", user_id=users["demo"], type="ec2", blob=json.dumps(keys),
                   project_id=projects["demo"])

    demo = login("demo", "demo")
    credentials = "users/%s/application_credentials" % users["demo"]
    found = demo.all(credentials, name="live")
    # Its secret is shown once, so it is given.
    credential = found[0] if found else demo.make(
        credentials, name="live", secret=secret + "credential",
        roles=[{"name": "swiftoperator"}])
    storage = "%s/v1/AUTH_%s" % (swift, projects["demo"])
    demo.session.post(storage, headers={"X-Account-Meta-Temp-URL-Key": TEMPURL_KEY})

    tell("APUS_LIVE_S3API", {
        "_ENDPOINT": swift,
        "_REGION": s3_region,
        "_ACCESS_KEY": S3_ACCESS_KEY,
        "_SECRET_KEY": secret + "ec2",
    })
    tell("APUS_LIVE_OPENSTACK", {
        "": keystone,
        "_STORAGE_URL": storage,
        "_REGION": "RegionOne",
        "_ROLE": "swiftoperator",
        "_USER": "demo",
        "_USER_ID": users["demo"],
        "_PASSWORD": secret + "demo",
        "_PROJECT": "demo",
        "_PROJECT_ID": projects["demo"],
        "_TOTP_SECRET": TOTP_SECRET,
        "_TEMPURL_KEY": TEMPURL_KEY,
        "_APPLICATION_CREDENTIAL_ID": credential["id"],
        "_APPLICATION_CREDENTIAL": "live",
        "_APPLICATION_CREDENTIAL_SECRET": secret + "credential",
        "_SERVICE_USER": "glance",
        "_SERVICE_USER_ID": users["glance"],
        "_SERVICE_PASSWORD": secret + "glance",
        "_SERVICE_PROJECT": "service",
        "_READER_USER": "reader",
        "_READER_PASSWORD": secret + "reader",
        "_OTHER_USER": "alt",
        "_OTHER_PASSWORD": secret + "alt",
        "_OTHER_PROJECT": "alt",
        "_OTHER_PROJECT_ID": projects["alt"],
        "_ADMIN_USER": "admin",
        "_ADMIN_PASSWORD": secret + "admin",
        "_ADMIN_PROJECT": "admin",
    })


def tell(prefix, settings):
    for name, value in settings.items():
        print("export %s%s='%s'" % (prefix, name, value))


class Directory:
    """Keystone's collections, through one user's session."""

    def __init__(self, session, keystone):
        self.session, self.keystone = session, keystone

    def all(self, collection, **query):
        answer = self.session.get(self.keystone + "/" + collection, params=query).json()
        return answer[collection.rsplit("/")[-1]]

    def make(self, collection, **values):
        name = collection.rsplit("/")[-1].removesuffix("s")
        return self.session.post(self.keystone + "/" + collection, json={name: values}).json()[name]

    def ensure(self, collection, name, **values):
        """The id of what has this name."""
        found = self.all(collection, name=name)
        return (found[0] if found else self.make(collection, name=name, **values))["id"]

    def endpoint(self, service, interface, url):
        found = self.all("endpoints", service_id=service, interface=interface)
        if not found:
            self.make("endpoints", service_id=service, interface=interface, url=url,
                      region_id="RegionOne")
        elif found[0]["url"] != url:
            self.session.patch("%s/endpoints/%s" % (self.keystone, found[0]["id"]),
                               json={"endpoint": {"url": url}})


main(*sys.argv[1:])
