"""clouds-yaml: what a clouds.yaml and OS_* variables lead to, by openstacksdk's loader.

A cloud is told by what comes of it: the request for a token (keystoneauth1, caught where it would be
sent), the endpoint that would be looked for, and whom TLS trusts.
"""

import json
import logging
import os
import pathlib
import tempfile
import urllib.parse
import warnings

import yaml
from keystoneauth1 import session as keystone_session
from openstack.config import loader
from pbr.version import VersionInfo

from captured import Captured, headers_of, session
from common import case

VERSION = "openstacksdk " + VersionInfo("openstacksdk").release_string()

SOURCE = f"{VERSION}: OpenStackConfig.get_one, and what keystoneauth1 sends for the cloud"

SPECIFIED = (
    "By hand, where openstacksdk does what nobody can want: texts that have no quotes become numbers, "
    "dates and truth values; nothing becomes the name None; files that can't be read are passed over; "
    "what Keystone is bound to refuse is sent"
)

URL = "https://k.example:5000/v3"

USER = {"username": "u", "password": "p", "user_domain_name": "D"}
PROJECT = {"project_name": "x", "project_domain_name": "D"}
FULL = {"auth_url": URL} | USER | PROJECT

# What breaks those who build YAML or JSON from pieces.
TEXTS = [
    "s3cr3t",
    "pass word",
    'quote"back\\slash',
    "it's",
    "{}[]:,&*#?|-<>=!%@`",
    "Grüße",
    "密码 🔑",
    "null",
    "0123",
    "1.10",
    "yes",
    "2020-01-01",
    "~",
    "- a: b",
    " lead and trail ",
    "two\nlines",
    "12345678",
]

PUBLIC = """
public-clouds:
  acme:
    auth:
      auth_url: https://{region_name}.acme.example/identity/v3
      user_domain_name: Customers
      project_domain_name: Customers
    regions:
      - north
      - name: south
        values:
          interface: internal
          auth:
            project_domain_name: Southerners
      - east
    interface: public
  small:
    auth:
      auth_url: https://small.example:5000/v3
    region_name: only
    cacert: /etc/ssl/small.pem
"""


class Keystone(Captured):
    """Tells its versions to a GET, and gives a token to a POST; v1 answers a GET."""

    def send(self, request, **options):
        self.request = request
        path = urllib.parse.urlsplit(request.url).path.rstrip("/")
        if request.method == "GET" and "X-Auth-User" not in request.headers:
            url = request.url.rstrip("/")
            if path.endswith("/v2.0"):
                body = {"version": version("v2.0", url, "deprecated")}
            elif path.endswith("/v3"):
                body = {"version": version("v3.14", url)}
            else:
                body = {"versions": {"values": [version("v3.14", f"{url}/v3/")]}}
            answer = Captured(200, {"Content-Type": "application/json"}, body)
        elif path.endswith("/tokens") and "v2.0" in path:
            answer = Captured(200, {}, {"access": {"token": {"id": "t"}}})
        elif request.method == "GET":
            headers = {"X-Storage-Url": "http://swift.example.com/v1/AUTH_a", "X-Auth-Token": "t"}
            answer = Captured(200, headers)
        else:
            answer = Captured(201, {"X-Subject-Token": "t"}, {"token": {}})
        return answer.send(request, **options)


def version(name, href, status="stable"):
    links = [{"rel": "self", "href": href}]
    return {"id": name, "status": status, "updated": "2020-04-07T00:00:00Z", "links": links}


def suites(dice_of, count):
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    found = [recorded(name, given) for name, given in by_hand()]
    dice = dice_of("clouds-yaml")
    found += [recorded(f"random-{i}", random_case(dice)) for i in range(count or 8)]
    yield "clouds-yaml", SOURCE, found
    yield "clouds-yaml.specified", SPECIFIED, list(specified())


def by_hand():
    def one(cloud, **more):
        return {"files": {"clouds.yaml": dump({"clouds": {"prod": cloud}})}} | more

    def auth(auth, **more):
        return one({"auth": auth} | more)

    yield "password", auth(FULL)
    yield "a-project-by-id", auth({"auth_url": URL, "project_id": "0ca8f6"} | USER)
    yield "a-user-by-id", auth({"auth_url": URL, "user_id": "u1", "password": "p"} | PROJECT)
    yield "domains-by-id", auth(
        {"auth_url": URL, "username": "u", "password": "p", "user_domain_id": "default"}
        | {"project_name": "x", "project_domain_id": "default"}
    )
    yield "one-domain-for-both", auth(
        {"auth_url": URL, "username": "u", "password": "p", "project_name": "x", "domain_id": "d"}
    )
    yield "one-domain-name-for-both", auth(
        {"auth_url": URL, "username": "u", "password": "p", "project_id": "x", "domain_name": "D"}
    )
    yield "for-a-domain", auth({"auth_url": URL, "domain_name": "D"} | USER)
    yield "for-the-system", auth({"auth_url": URL, "system_scope": "all"} | USER)
    yield "by-a-trust", auth({"auth_url": URL, "trust_id": "t1"} | USER)
    yield "for-nothing", auth({"auth_url": URL} | USER)
    yield "default-domain", auth(
        {"auth_url": URL, "username": "u", "password": "p", "project_name": "x"}
        | {"default_domain_id": "default"}
    )
    yield "tenant-names", auth({"auth_url": URL, "tenant_name": "x", "project-domain-id": "d"} | USER)
    yield "tenant-and-project", auth({"auth_url": URL, "tenant_id": "old", "project_id": "new"} | USER)
    yield "user-name", auth(
        {"auth_url": URL, "user_name": "u", "password": "p", "user_domain_id": "d"}
    )
    yield "hyphens", one(
        {
            "auth": {"auth-url": URL, "username": "u", "password": "p"}
            | {"user-domain-name": "D", "project-name": "x", "project-domain-name": "D"},
            "region-name": "one",
            "object-store-endpoint-override": "https://swift.example.com/v1/AUTH_x",
        }
    )
    yield "beside-auth", one(FULL | {"region_name": "one"})
    yield "outer-project-wins", one({"auth": FULL, "project_name": "other"})
    yield "inner-user-wins", one({"auth": FULL, "username": "other", "password": "other"})
    yield "v3password", auth(FULL, auth_type="v3password")
    yield "v3token", auth({"auth_url": URL, "token": "gAAA"} | PROJECT, auth_type="v3token")
    yield "token", auth({"auth_url": URL, "auth_token": "gAAA"} | PROJECT, auth_type="token")
    yield "v2password", auth(
        {"auth_url": "http://old.example:5000/v2.0", "username": "u", "password": "p"}
        | {"project_name": "t"},
        auth_type="v2password",
    )
    yield "password-at-v2", auth(
        {"auth_url": "http://old.example:5000/v2.0", "username": "u", "password": "p"}
        | {"tenant_id": "t"}
    )
    yield "application-credential", auth(
        {"auth_url": URL, "application_credential_id": "a1"}
        | {"application_credential_secret": "x/y"},
        auth_type="v3applicationcredential",
    )
    yield "application-credential-by-name", auth(
        {"auth_url": URL, "application_credential_name": "a", "user_id": "u1"}
        | {"application_credential_secret": "x/y"},
        auth_type="v3applicationcredential",
    )
    yield "multifactor", one(
        {
            "auth_type": "v3multifactor",
            "auth_methods": ["v3password", "v3totp"],
            "auth": FULL | {"passcode": "123456"},
        }
    )
    totp = {"auth_url": URL, "username": "u", "user_domain_name": "D", "passcode": "123456"}
    yield "totp", auth(totp | PROJECT, auth_type="v3totp")
    yield "totp-of-a-user-by-id", auth(
        {"auth_url": URL, "user_id": "u1", "passcode": "123456", "project_id": "x"}, auth_type="v3totp"
    )
    yield "totp-without-a-passcode", auth(FULL, auth_type="v3totp")
    for method, own in [("v3totp", totp | PROJECT), ("v3password", FULL)]:
        yield f"multifactor-{method}-alone", one(
            {"auth_type": "v3multifactor", "auth_methods": [method], "auth": own}
        )
    yield "v1password", auth(
        {"auth_url": "http://swift.example:8080/auth/v1.0", "username": "test:tester"}
        | {"password": "testing"},
        auth_type="v1password",
    )
    yield "admin-token", auth(
        {"endpoint": "http://swift.example/v1/AUTH_a", "token": "ADMIN"}, auth_type="admin_token"
    )
    yield "none", auth({"endpoint": "http://swift.example/v1/AUTH_a"}, auth_type="none")
    yield "no-version", auth(FULL | {"auth_url": "https://k.example/identity"})
    yield "interface-list", auth(FULL, interface=["internal", "public"])
    yield "endpoint-type", auth(FULL, endpoint_type="internalURL")
    yield "interface-of-the-service", auth(
        FULL, interface="internal", object_store_interface="admin", object_store_region_name="far"
    )
    yield "service-type", auth(FULL, object_store_service_type="store")
    yield "endpoint-of-the-service", auth(
        FULL, object_store_endpoint="https://a.example/v1", region_name="r"
    )
    yield "filled-in", auth(
        FULL,
        region_name="one",
        object_store_endpoint_override="https://{region_name}.example/v1/%(project_id)s",
        cacert="/etc/{region_name}.pem",
    )
    for name, tls in {
        "insecure": {"insecure": True, "cacert": "/ca.pem"},
        "insecure-text": {"insecure": "TRUE"},
        "not-insecure": {"insecure": "false"},
        "no-verify": {"verify": False},
        "cacert": {"cacert": "/ca.pem", "cert": "/c.pem", "key": "/k.pem"},
        "cert-alone": {"cert": "/c.pem"},
    }.items():
        yield name, auth(FULL, **tls)
    for name, more in {
        "regions": {"regions": ["a", "b"]},
        "region-list": {"region_name": ["a", "b"]},
        "region-commas": {"region_name": "a,b"},
    }.items():
        yield name, auth(FULL, **more)
        yield f"{name}-second", auth(FULL, **more) | {"region": "b"}
    yield "regions-unknown", auth(FULL, regions=["a", "b"]) | {"region": "c"}
    yield "any-region", auth(FULL) | {"region": "anywhere"}
    values = {"interface": "admin", "verify": None, "auth": {"project_name": "there"}}
    yield "region-values", auth(FULL, regions=[{"name": "a", "values": values}, "b"])
    yield "region-odd", auth(FULL, regions=[{"nam": "a"}])
    profiles = {"clouds-public.yaml": PUBLIC}
    login = {"username": "u", "password": "p", "project_name": "x"}
    for name, region in {"first": None, "second": "south", "unknown": "west"}.items():
        given = auth(login, profile="acme")
        given["files"] |= profiles
        yield f"profile-{name}", given | ({"region": region} if region else {})
    given = auth(login | {"user_domain_id": "d", "project_domain_id": "d"}, cloud="small")
    given["files"] |= profiles
    yield "profile-by-its-old-name", given
    for name in ["auro", "otc"]:
        yield f"vendor-{name}", auth(
            login | {"user_domain_name": "D", "project_domain_name": "D"}, profile=name
        )
    yield "vendor-rackspace", auth(login, profile="rackspace", region_name="ORD")
    yield "vendor-shut-down", auth(FULL, profile="internap")
    yield "vendor-nobody", auth(FULL, profile="nobody")
    yield "secure", {
        "files": {
            "clouds.yaml": dump({"clouds": {"prod": {"auth": {"auth_url": URL} | PROJECT}}}),
            "secure.yaml": dump({"clouds": {"prod": {"auth": USER, "verify": False}}}),
        }
    }
    two = {"clouds": {"a": {"auth": FULL}, "b-c": {"auth": FULL | {"username": "b"}}}}
    files = {"files": {"clouds.yaml": dump(two)}}
    yield "one-of-two", files | {"cloud": "b-c"}
    yield "none-of-two", files
    yield "no-such-cloud", files | {"cloud": "c"}
    yield "nothing-at-all", {"files": {}, "environment": {}}
    yield "os-cloud", files | {"environment": {"OS_CLOUD": "b-c", "OS_REGION_NAME": "r"}}
    yield "os-cloud-unknown", files | {"environment": {"OS_CLOUD": "x"}}
    variables = {"OS_" + name.upper(): value for name, value in FULL.items()}
    yield "variables", {"files": {}, "environment": variables}
    yield "variables-beside-files", files | {"environment": variables | {"OS_REGION_NAME": "r"}}
    yield "variables-and-os-cloud", files | {"environment": variables | {"OS_CLOUD": "a"}}
    yield "variables-by-name", files | {
        "environment": variables | {"OS_CLOUD": "a", "OS_CLOUD_NAME": "mine"},
        "cloud": "mine",
    }
    yield "variables-called-as-a-cloud", files | {
        "environment": variables | {"OS_CLOUD_NAME": "a"}
    }
    yield "variables-of-tests", files | {
        "environment": {"OS_TEST_PATH": "x", "OS_STDOUT": "1", "OS_LOG": "x", "OS_CLOUD": "a"}
    }
    # What Horizon lets one download.
    yield "openrc", {
        "files": {},
        "environment": {
            "OS_AUTH_URL": "https://cloud.example.com:5000/v3/",
            "OS_PROJECT_ID": "4ed5f1b5bd284bf5b6d4d3b3a4d1a9c1",
            "OS_PROJECT_NAME": "demo",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_USERNAME": "demo",
            "OS_PASSWORD": "p@ss:w/rd%",
            "OS_REGION_NAME": "RegionOne",
            "OS_INTERFACE": "public",
            "OS_IDENTITY_API_VERSION": "3",
        },
    }
    yield "openrc-application-credential", {
        "files": {},
        "environment": {
            "OS_AUTH_TYPE": "v3applicationcredential",
            "OS_AUTH_URL": "https://cloud.example.com:5000",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": "RegionOne",
            "OS_INTERFACE": "internal",
            "OS_APPLICATION_CREDENTIAL_ID": "a1",
            "OS_APPLICATION_CREDENTIAL_SECRET": "zYx",
        },
    }
    yield "openrc-totp", {
        "files": {},
        "environment": {
            "OS_AUTH_TYPE": "v3totp",
            "OS_AUTH_URL": URL,
            "OS_USERNAME": "u",
            "OS_USER_DOMAIN_NAME": "D",
            "OS_PASSCODE": "123456",
            "OS_PROJECT_ID": "x",
        },
    }
    yield "openrc-empty-ones", {
        "files": {},
        "environment": variables
        | {"OS_PROJECT_ID": "", "OS_TENANT_NAME": "", "OS_REGION_NAME": "", "OS_CACERT": "/ca"}
        | {"OS_ENDPOINT_TYPE": "internal", "OS_INSECURE": "true"},
    }
    yield "no-auth-url", auth(USER | PROJECT)
    yield "no-such-type", auth(FULL, auth_type="v9magic")
    yield "two-scopes", auth(FULL | {"trust_id": "t"})
    yield "domains-at-v2", auth(FULL | {"auth_url": "http://old.example/v2.0"})
    for name, text in documents().items():
        yield name, {"files": {"clouds.json" if "json" in name else "clouds.yaml": text}}


def documents():
    """The same in the forms that YAML has."""
    return {
        "anchors": """
defaults: &defaults
  region_name: one
  verify: false
clouds:
  prod:
    <<: *defaults
    region_name: two
    auth: &auth
      auth_url: https://k.example/v3
      username: &name glance
      password: "p\\u00e4ss\\tword"
      user_domain_name: Default
      project_name: *name
      project_domain_name: Default
""",
        "flow-and-blocks": """# A comment.
---
clouds: {prod: {auth: {auth_url: 'https://k.example/v3', username: "a b", password: 'it''s',
  user_domain_id: default}, region_name: one}}
...
""",
        "block-texts": """clouds:
  prod:
    auth:
      auth_url: https://k.example/v3
      username: >-
        two
        words
      password: |-
        two
        lines
      user_domain_name: !!str Default
""",
        "json": json.dumps({"clouds": {"prod": {"auth": FULL, "verify": False}}}),
    }


def random_case(dice):
    """A cloud of which nothing is wrong, said in one of many ways."""
    cloud, auth = {"region_name": dice.word()}, {}

    def say(name, value, places=(True, False)):
        """Under one of its names, in `auth` or beside it."""
        others = {"project_id": "tenant_id", "project_name": "tenant_name", "token": "auth_token"}
        if dice.chance(0.2):
            name = others.get(name, name)
        inner = dice.choice(places)
        if inner and dice.chance(0.2):
            name = name.replace("_", "-")
        (auth if inner else cloud)[name] = value

    def domain(prefix):
        if dice.chance(0.5):
            say(f"{prefix}_domain_id", dice.word())
        else:
            say(f"{prefix}_domain_name", dice.choice(TEXTS))

    kind = dice.choice(["password", "v3password", "v3token", "token", "v3applicationcredential"])
    if kind != "password" or dice.chance(0.3):
        cloud["auth_type"] = kind
    say("auth_url", dice.choice([URL, "http://192.0.2.7:5000/v3/", "https://a.example/k/v3"]), [True])
    if kind.endswith("password"):
        say("password", dice.choice(TEXTS))
        if dice.chance(0.4):
            say("user_id", dice.word())
        else:
            say("username", dice.choice(TEXTS))
            domain("user")
    elif kind.endswith("token"):
        say("token", dice.word())
    else:
        say("application_credential_id", dice.word())
        say("application_credential_secret", dice.choice(TEXTS))
    scope = dice.choice(["project_id", "project_name", "trust_id", "domain", None])
    if kind == "v3applicationcredential" or scope is None:
        pass
    elif scope == "project_name":
        say(scope, dice.choice(TEXTS))
        domain("project")
    elif scope == "domain":
        say(dice.choice(["domain_id", "domain_name"]), dice.word())
    else:
        say(scope, dice.word())
    for key, values in {
        "interface": ["internal", "adminURL", ["internal", "public"]],
        "object_store_endpoint_override": ["https://s.example/v1/{region_name}"],
        "verify": [True, False],
        "insecure": [True, "false"],
        "cacert": ["/etc/ca.pem"],
        "cert": ["/etc/c.pem"],
        "key": ["/etc/k.pem"],
        "api_timeout": [30],
    }.items():
        if dice.chance(0.2):
            cloud[key] = dice.choice(values)
    secure = {}
    for key in ["password", "token", "application_credential_secret"]:
        if key in auth and dice.chance(0.4):
            secure[key] = auth.pop(key)
    cloud["auth"] = auth
    files = {"clouds.yaml": dump({"clouds": {"prod": cloud}}, dice.chance(0.3))}
    if secure:
        files["secure.yaml"] = dump({"clouds": {"prod": {"auth": secure}}})
    return {"files": files}


def dump(document, flow=False):
    return yaml.safe_dump(document, allow_unicode=True, default_flow_style=flow, sort_keys=False)


def recorded(name, given):
    try:
        expect = {"cloud": told(given)}
    except Exception as error:  # whatever refuses
        expect = {"error": type(error).__name__}
    return case(name, given, expect)


def told(given):
    with tempfile.TemporaryDirectory() as folder:
        paths = {"clouds": [], "secure": [], "clouds-public": []}
        for file, text in given["files"].items():
            path = pathlib.Path(folder, file)
            path.write_text(text, encoding="utf-8")
            paths[path.stem].append(str(path))
        kept = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith("OS_")}
        os.environ.update(given.get("environment", {}))
        try:
            config = loader.OpenStackConfig(
                config_files=paths["clouds"],
                secure_files=paths["secure"],
                vendor_files=paths["clouds-public"],
                load_envvars="environment" in given,
            )
            region = {"region_name": given["region"]} if "region" in given else {}
            return told_of(config.get_one(given.get("cloud"), **region))
        finally:
            for key in given.get("environment", {}):
                del os.environ[key]
            os.environ.update(kept)


def told_of(region):
    found = {"name": region.name}
    kind = region.config["auth_type"]
    if kind == "admin_token":
        found["token"] = region.config["auth"]["token"]
        found["endpoint"] = region.config["auth"]["endpoint"]
    elif kind != "none":
        adapter = Keystone()
        region.get_auth().get_auth_ref(keystone_session.Session(session=session(adapter)))
        request = adapter.request
        found["url"] = request.url
        if request.body:
            found["json"] = json.loads(request.body)
        else:
            wanted = ["x-auth-user", "x-auth-key"]
            found["headers"] = [pair for pair in headers_of(request) if pair[0].lower() in wanted]
    interface = region.get_interface("object-store")
    interfaces = interface if isinstance(interface, list) else [interface]
    interfaces = [one.removesuffix("URL") for one in interfaces if one]
    if interfaces != ["public"]:
        found["interface"] = interfaces
    if region.get_service_type("object-store") != "object-store":
        found["service_type"] = region.get_service_type("object-store")
    if region.get_region_name("object-store"):
        found["region"] = region.get_region_name("object-store")
    if region.get_endpoint("object-store"):
        found["endpoint"] = region.get_endpoint("object-store")
    verify, cert = region.get_requests_verify_args()
    if verify is False:
        found["insecure"] = True
    if isinstance(verify, str):
        found["cacert"] = verify
    if isinstance(cert, tuple):
        found["cert"], found["key"] = cert
    elif cert:
        found["cert"] = cert
    return found


def specified():
    def cloud(text):
        return {"files": {"clouds.yaml": f"clouds:\n  prod:\n{text}"}}

    def auth(text):
        return cloud("    auth:\n" + "".join(f"      {line}\n" for line in text.splitlines()))

    def leads_to(url, json_, **more):
        return {"cloud": {"name": "prod", "url": url, "json": json_} | more}

    def refused(why, *names):
        return {"error": why, "names": list(names)}

    login = f"auth_url: {URL}\nusername: u\nuser_domain_id: default\n"

    def asks(user, password, **scope):
        user = {"domain": {"id": "default"}, "name": user, "password": password}
        identity = {"methods": ["password"], "password": {"user": user}}
        return {"auth": {"identity": identity} | scope}

    tokens = f"{URL}/auth/tokens"
    for name, text in {
        "octal": "0123",
        "float": "1.10",
        "truth": "yes",
        "date": "2020-01-01",
        "grouped": "1_000",
        "sexagesimal": "12:30:45",
    }.items():
        expect = leads_to(tokens, asks("u", text))
        yield case(f"password-like-{name}", auth(f"{login}password: {text}"), expect)
    expect = leads_to(tokens, asks("u", "p", scope={"project": {"id": "0777"}}))
    yield case("project-id-like-octal", auth(f"{login}password: p\nproject_id: 0777"), expect)
    expect = leads_to(tokens, asks("u", "p"))
    yield case("no-project-name", auth(f"{login}password: p\nproject_name:\nproject_id: ~"), expect)
    yield case(
        "tenant-beside-an-empty-project",
        {
            "files": {},
            "environment": {
                "OS_AUTH_URL": URL,
                "OS_USERNAME": "u",
                "OS_PASSWORD": "p",
                "OS_USER_DOMAIN_ID": "default",
                "OS_TENANT_ID": "t",
                "OS_PROJECT_ID": "",
            },
        },
        leads_to(tokens, asks("u", "p", scope={"project": {"id": "t"}}), name="envvars"),
    )
    text = login.replace("user_domain_id: default", "user_domain_name: D")
    own = asks("u", "p")
    own["auth"]["identity"]["password"]["user"]["domain"] = {"name": "D"}
    yield case(
        "own-domain-before-the-default",
        auth(f"{text}password: p\ndefault_domain_id: default"),
        leads_to(tokens, own),
    )
    given = auth(f"{login}password: p")
    for name, line, more in [
        ("verify-text", "verify: 'False'", {"insecure": True}),
        ("verify-file", "verify: /ca.pem", {"cacert": "/ca.pem"}),
        ("insecure-quoted", "insecure: 'yes'", {"insecure": True}),
        ("interface-hyphens", "endpoint-type: internal", {"interface": ["internal"]}),
        ("region-spaces", "region_name: a , b", {"region": "a"}),
    ]:
        text = given["files"]["clouds.yaml"] + f"    {line}\n"
        expect = leads_to(tokens, asks("u", "p"), **more)
        yield case(name, {"files": {"clouds.yaml": text}}, expect)
    token = cloud(f"    auth_plugin: v3token\n    auth: {{auth_url: '{URL}', token: t}}\n")
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": "t"}}}}
    yield case("auth-plugin", token, leads_to(tokens, body))
    text = given["files"]["clouds.yaml"].replace("prod:", "123:")
    expect = leads_to(tokens, asks("u", "p"), name="123")
    yield case("a-number-for-a-name", {"files": {"clouds.yaml": text}, "cloud": "123"}, expect)
    for name, given, expect in [
        (
            "user-without-domain",
            auth(f"auth_url: {URL}\nusername: u\npassword: p"),
            refused("Keystone refuses it", 'cloud "prod"', "auth.user_domain_name"),
        ),
        (
            "project-without-domain",
            auth(f"{login}password: p\nproject_name: x"),
            refused("Keystone refuses it", 'cloud "prod"', "auth.project_domain_name"),
        ),
        (
            "no-password",
            auth(login),
            refused("nothing to log in with", 'cloud "prod"', "auth.password"),
        ),
        (
            "a-token-for-a-password",
            auth(f"auth_url: {URL}\ntoken: t"),
            refused("auth_type is missing", "auth.password", "auth_type token"),
        ),
        (
            "application-credential-with-a-project",
            cloud(
                "    auth_type: v3applicationcredential\n"
                f"    auth: {{auth_url: '{URL}', application_credential_id: a, "
                "application_credential_secret: s, project_id: x}\n"
            ),
            refused("Keystone refuses it", "auth.project_id", "v3applicationcredential"),
        ),
        ("insecure-odd", cloud("    insecure: perhaps\n    auth: {}\n"), refused("it is neither")),
        (
            "interface-odd",
            cloud(f"    interface: private\n    auth: {json.dumps(FULL)}\n"),
            refused("no such interface", "interface", '"private"', "public, internal or admin"),
        ),
        (
            "no-yaml",
            {"files": {"clouds.yaml": "clouds: [\n"}},
            refused("it can't be read", "clouds.yaml:"),
        ),
        (
            "two-documents",
            {"files": {"clouds.yaml": "clouds: {}\n---\nclouds: {}\n"}},
            refused("which counts?", "clouds.yaml:2"),
        ),
        (
            "objects-of-python",
            {"files": {"clouds.yaml": "clouds: !!python/object/apply:os.system [id]\n"}},
            refused("no such thing", "clouds.yaml:1"),
        ),
        ("no-mapping", {"files": {"clouds.yaml": "clouds: [a]\n"}}, refused("", "clouds.yaml")),
        ("a-cloud-that-is-none", {"files": {"clouds.yaml": "clouds: {a: b}\n"}}, refused("", "clouds.a: expected a mapping")),
        (
            "auth-that-is-none",
            cloud("    auth: secret\n"),
            refused("", 'cloud "prod"', "auth: expected a mapping"),
        ),
        ("no-clouds", {"files": {"clouds.yaml": "clouds:\n"}, "cloud": "a"}, refused("", "none")),
        (
            "a-list-for-a-text",
            auth(f"{login}password: [p]"),
            refused("", "auth.password: expected a text"),
        ),
    ]:
        yield case(name, given, expect)
