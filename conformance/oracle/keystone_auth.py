"""keystone-auth: what is sent to get a token, by keystoneauth1's plugins and swiftclient's v1."""

import json

import keystoneauth1
import swiftclient.client
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import generic, v2, v3
from pbr.version import VersionInfo

from captured import Captured, attach, headers_of, session
from common import case

VERSION = "keystoneauth1 " + VersionInfo("keystoneauth1").release_string()
SWIFTCLIENT = "python-swiftclient " + VersionInfo("python-swiftclient").release_string()

SOURCE = (
    f"{VERSION}: its plugins v3 (Password, Token, ApplicationCredential, and Password with TOTP) "
    f"and v2 (Password); {SWIFTCLIENT} for v1"
)

AUTH_URLS = [
    "http://identity.example.com/v3",
    "https://identity.example.com:5000/v3",
    "https://identity.example.com:5000/v3/",
    "https://cloud.example.com/identity/v3",
    "https://cloud.example.com/identity",
    "http://192.0.2.7:5000",
    "http://[2001:db8::7]:5000/v3",
]
V2_URLS = ["http://identity.example.com:5000/v2.0", "https://cloud.example.com/identity/v2.0/"]
V1_URLS = [
    "http://swift.example.com:8080/auth/v1.0",
    "https://gateway.example.com/auth/v1",
    "https://gateway.example.com/auth",
]
# What people have for names and passwords, and what breaks those who build JSON from pieces.
TEXTS = [
    "demo",
    "s3cr3t",
    "pass word",
    'quote"back\\slash',
    "{}[]:,",
    "tab\tnew\nline",
    "\x01\x1f\x7f",
    "$(project_id)s %(user_id)s",
    "Grüße",
    "密码",
    "🔑 key",
    "\u2028\u2029",
    "/slash/",
    "<html>&amp;",
    "a" * 128,
    "null",
    "0",
    " lead and trail ",
]
METHODS = ["password", "token", "application_credential", "password+totp"]


def suites(dice_of, count):
    yield "keystone-auth", SOURCE, cases(dice_of("keystone-auth"), count or 60)


def cases(dice, count):
    found = []
    user, domain = {"user_id": "0ca8f6"}, {"user_domain_id": "default"}
    users = {
        "by-id": user,
        "by-name": {"username": "demo"} | domain,
        "by-name-and-domain-name": {"username": "demo", "user_domain_name": "Default"},
    }
    scopes = {
        "none": None,
        "unscoped": "unscoped",
        "project-id": {"project_id": "a6944d763bf64ee6a275f1263fae0352"},
        "project-name": {"project_name": "demo", "project_domain_id": "default"},
        "project-and-domain-name": {"project_name": "demo", "project_domain_name": "Default"},
        "domain-id": {"domain_id": "1789d1"},
        "domain-name": {"domain_name": "Default"},
        "system": {"system": "all"},
        "trust": {"trust_id": "fe0aef"},
    }
    for method in METHODS:
        for who, identity in users.items():
            if method == "token" and who != "by-id":
                continue
            for where, scope in scopes.items():
                # An application credential has its scope; Keystone refuses another.
                if method == "application_credential" and scope is not None:
                    continue
                given = credentials(method, "s3cr3t", identity) | {"scope": scope}
                found.append(recorded(f"{method}-{who}-{where}", AUTH_URLS[0], method, given))
    given = {"application_credential_id": "423f19", "application_credential_secret": "rEaqvJka"}
    given["scope"] = None
    found.append(recorded("application-credential-id", AUTH_URLS[0], METHODS[2], given))
    for i, text in enumerate(TEXTS):
        given = credentials("password", text, users["by-name"] | {"username": text})
        given["scope"] = scopes["project-name"] | {"project_name": text}
        found.append(recorded(f"text-{i}", AUTH_URLS[0], "password", given))
    for i, url in enumerate(AUTH_URLS):
        given = credentials("password", "s3cr3t", user) | {"scope": None}
        found.append(recorded(f"url-{i}", url, "password", given))
        found.append(recorded(f"url-{i}-nocatalog", url, "password", given | {"catalog": False}))
    for i, url in enumerate(V2_URLS):
        for name, tenant in [
            ("none", None),
            ("id", {"project_id": "c4e9"}),
            ("name", {"project_name": "demo"}),
        ]:
            given = {"username": "demo", "password": TEXTS[3 + i], "scope": tenant}
            found.append(recorded(f"v2-password-{i}-{name}", url, "v2-password", given))
        given = {"user_id": "0ca8f6", "password": "s3cr3t", "scope": None}
        found.append(recorded(f"v2-password-{i}-user-id", url, "v2-password", given))
    for i, url in enumerate(V1_URLS):
        for j, (name, key) in enumerate([("test:tester", "testing"), ("acct:Grüße", "a b+c/=")]):
            given = {"username": name, "password": key}
            found.append(recorded(f"v1-{i}-{j}", url, "v1", given))
    found += discovered()
    for i in range(count):
        method = dice.choice(METHODS)
        given = credentials(method, dice.choice(TEXTS), some_user(dice))
        named = {"domain_name": dice.choice(TEXTS)} if dice.chance(0.5) else {}
        given["scope"] = None if method == METHODS[2] else some_scope(dice, scopes, named)
        if dice.chance(0.2):
            given["catalog"] = False
        found.append(recorded(f"random-{i}", dice.choice(AUTH_URLS), method, given))
    return found


def discovered():
    """Where v3 is, by what a server says of its versions; keystoneauth1's generic plugin asks."""

    def version(name, href, status="stable"):
        links = [{"rel": "self", "href": href}]
        return {"id": name, "status": status, "updated": "2020-04-07T00:00:00Z", "links": links}

    found, host = [], "https://cloud.example.com:5000"
    for i, (url, status, document) in enumerate(
        [
            (host, 300, {"versions": {"values": [version("v3.14", f"{host}/v3/")]}}),
            (f"{host}/", 300, {"versions": {"values": [version("v3.14", f"{host}/v3")]}}),
            (host, 200, {"versions": [version("v3.0", f"{host}/v3/", "CURRENT")]}),
            (host, 200, {"version": version("v3.14", f"{host}/v3/")}),
            (f"{host}/identity", 300, {"versions": [version("v3.8", f"{host}/identity/v3/")]}),
            (f"{host}/identity/", 300, {"versions": [version("v3.8", f"{host}/keystone/v3/")]}),
            (host, 300, {"versions": [version("v3.8", "/v3/")]}),
            (
                host,
                300,
                {
                    "versions": {
                        "values": [
                            version("v2.0", f"{host}/v2.0/", "deprecated"),
                            version("v3.4", f"{host}/v3/"),
                        ]
                    }
                },
            ),
        ]
    ):
        given = {"auth_url": url, "method": "password", "username": "demo", "password": "s3cr3t"}
        given |= {"user_domain_id": "default", "scope": None}
        adapter = Discovering(status, document)
        plugin = generic.Password(
            auth_url=url, username="demo", password="s3cr3t", user_domain_id="default"
        )
        plugin.get_auth_ref(keystone_session.Session(session=session(adapter)))
        request = adapter.request
        given["discovery"] = {"status": status, "json": document}
        expect = {"method": request.method, "url": request.url, "json": json.loads(request.body)}
        found.append(case(f"discovered-{i}", given, expect))
    return found


class Discovering(Captured):
    """A server that tells its versions to a GET, and gives a token to a POST."""

    def __init__(self, status, document):
        super().__init__()
        self.versions = Captured(status, {"Content-Type": "application/json"}, document)
        self.token = Captured(201, {"X-Subject-Token": "t"}, {"token": {}})

    def send(self, request, **options):
        self.request = request
        return (self.versions if request.method == "GET" else self.token).send(request, **options)


def credentials(method, secret, user):
    """What a method needs, of this user; `+` joins methods."""
    found = {}
    for one in method.split("+"):
        if one == "token":
            found |= {"token": f"gAAAAAB-{len(secret)}"}
        elif one == "application_credential":
            found |= {"application_credential_name": "monitoring"} | user
            found |= {"application_credential_secret": secret}
        else:
            found |= user | {"password" if one == "password" else "passcode": secret}
    return found


def some_user(dice):
    if dice.chance(0.4):
        return {"user_id": dice.text("0123456789abcdef", 32, 32)}
    domain = dice.choice(["user_domain_id", "user_domain_name"])
    return {"username": dice.choice(TEXTS), domain: dice.choice(TEXTS)}


def some_scope(dice, scopes, named):
    if named and dice.chance(0.5):
        return {"project_name": dice.choice(TEXTS), "project_domain_name": named["domain_name"]}
    return named or scopes[dice.choice(list(scopes))]


def recorded(name, url, method, given):
    given = {"auth_url": url, "method": method} | given
    request = REQUESTS.get(method, v3_request)(given)
    expect = {"method": request.method, "url": request.url}
    if method == "v1":
        expect["headers"] = headers_of(request)
    else:
        expect["json"] = json.loads(request.body)
    return case(name, given, expect)


def v3_request(given):
    given = dict(given)
    made = {
        "password": v3.PasswordMethod,
        "token": v3.TokenMethod,
        "application_credential": v3.ApplicationCredentialMethod,
        "totp": v3.TOTPMethod,
    }
    methods = [method_of(made[name], given) for name in given["method"].split("+")]
    scope = given["scope"]
    if scope == "unscoped":
        scope = {"unscoped": True}
    elif scope and "system" in scope:
        scope = {"system_scope": scope["system"]}
    plugin = v3.Auth(
        given["auth_url"], methods, include_catalog=given.get("catalog", True), **scope or {}
    )
    answer = {"token": {}}
    return sent(plugin, Captured(201, {"X-Subject-Token": "t"}, answer))


def method_of(kind, given):
    """A method of keystoneauth1 with those members that it has."""
    names = [name for name in kind.__init__.__annotations__ if name != "return"]
    return kind(**{name: given[name] for name in names if name in given})


def v2_request(given):
    scope = {
        {"project_id": "tenant_id", "project_name": "tenant_name"}.get(name, name): value
        for name, value in (given["scope"] or {}).items()
    }
    names = ["username", "user_id", "password"]
    plugin = v2.Password(
        given["auth_url"], **{name: given[name] for name in names if name in given}, **scope
    )
    return sent(plugin, Captured(200, {}, {"access": {"token": {"id": "t"}}}))


def v1_request(given):
    headers = {"X-Storage-Url": "http://swift.example.com/v1/AUTH_a", "X-Auth-Token": "t"}
    adapter, plain = Captured(200, headers), swiftclient.client.http_connection

    def connection(url, **_):
        parsed, made = plain(url)
        attach(made.request_session, adapter)
        return parsed, made

    swiftclient.client.http_connection = connection
    try:
        swiftclient.client.get_auth_1_0(given["auth_url"], given["username"], given["password"])
    finally:
        swiftclient.client.http_connection = plain
    return adapter.request


def sent(plugin, adapter):
    plugin.get_auth_ref(keystone_session.Session(session=session(adapter)))
    return adapter.request


REQUESTS = {"v2-password": v2_request, "v1": v1_request}
