"""clouds-yaml.generated: environments at random, and what openstacksdk makes of them.

An environment is up to three clouds in `clouds.yaml`, `secure.yaml`, profiles in `clouds-public.yaml`
or of openstacksdk itself, and `OS_*` variables, with settings in each place that openstacksdk reads.
The vectors are a sample; how many were compared is in `conformance/README.md`.

Left out, by rules at the end, is what apus does otherwise on purpose, with the reason in
`conformance/README.md`; what Keystone refuses whatever the passwords are is expected to be refused.
"""

import re

from clouds_yaml import SOURCE, TEXTS, dump, recorded
from common import case

PROFILES = ["auro", "citycloud", "elastx", "fuga", "auro", "citycloud", "betacloud", "nowhere"]
URLS = ["https://k.example:5000/v3", "http://192.0.2.7:5000", "https://a.example/identity", "https://{region_name}.x.example/v3"]
WORDS = ["one", "two", "x y", "d3", "0123", "été"]
SCOPES = ["project_id", "project_name", "domain_id", "domain_name", "trust_id", "system_scope"]
TYPES = [None] * 4 + ["password", "v3password"] * 2 + ["token", "v3token"] + ["v3applicationcredential"] * 2 + ["none", "v9magic"]

HYPHENATED = re.compile(r"^ +[a-z]+-[a-z-]+:", re.MULTILINE)


def suites(dice_of, count):
    dice = dice_of("clouds-yaml.generated")
    yield "clouds-yaml.generated", SOURCE + "; environments at random", cases(dice, count or 150)


def cases(dice, count):
    made = 0
    while made < count:
        found = generated(f"environment-{made}", environment(dice))
        made += found is not None
        yield found


# --- environments --------------------------------------------------------------------------------


def environment(dice):
    names = dice.sample(["prod", "test", "envvars2", "a-b"], dice.choice([0, 1, 1, 2, 3]))
    profiles = {name: profile(dice) for name in dice.sample(["acme", "auro"], dice.choice([0, 0, 1]))}
    clouds = {name: cloud(dice, list(profiles)) for name in names}
    files = {}
    if clouds or dice.chance(0.2):
        files["clouds.yaml"] = dump({"clouds": clouds}, dice.chance(0.2))
    if clouds and dice.chance(0.3):
        files["secure.yaml"] = dump({"clouds": {dice.choice(names): secure(dice)}})
    if profiles:
        files["clouds-public.yaml"] = dump({"public-clouds": profiles})
    given = {"files": files}
    if dice.chance(0.6):
        given["environment"] = variables(dice, names)
    if names and dice.chance(0.5 if "environment" in given else 0.9):
        given["cloud"] = dice.choice(names)
    elif dice.chance(0.05):
        given["cloud"] = "envvars"
    if dice.chance(0.15):
        given["region"] = dice.choice(["one", "two", "RegionOne", "Sto2", ""])
    return given


def cloud(dice, profiles):
    auth, beside = {}, {}
    for key, value in login(dice):
        place = beside if dice.chance(0.15) or key.startswith("auth_type") else auth
        place[key.replace("_", "-") if dice.chance(0.05) else key] = value
    if dice.chance(0.25):
        beside[dice.choice(["profile", "profile", "cloud"])] = dice.choice(PROFILES + profiles * 3)
    beside |= settings(dice)
    if "region_name" not in beside and "{region_name}" in auth.get("auth_url", ""):
        beside["region_name"] = "one"
    if auth or dice.chance(0.7):
        beside["auth"] = auth
    return beside


def login(dice):
    kind = dice.choice(TYPES)
    if kind is not None:
        yield "auth_type", kind
    if dice.chance(0.93):
        yield "auth_url", dice.choice(URLS)
    if kind in (None, "password", "v3password") or dice.chance(0.02):
        if dice.chance(0.2):
            yield "user_id", dice.word()
        if dice.chance(0.85):
            yield "username", dice.choice(TEXTS)
        yield "password", dice.choice(TEXTS)
    if kind in ("token", "v3token") or dice.chance(0.01):
        yield dice.choice(["token", "token", "auth_token"]), dice.word()
    if kind == "v3applicationcredential" or dice.chance(0.01):
        yield "application_credential_id", dice.word()
        yield "application_credential_secret", dice.choice(TEXTS)
    yield from domains(dice, 0.6 if kind != "v3applicationcredential" else 0.1)
    scopes = dice.sample(SCOPES, dice.choice([0, 1, 1, 1, 1, 1, 1, 2]))
    for scope in scopes if kind != "v3applicationcredential" or dice.chance(0.1) else []:
        value = "all" if scope == "system_scope" else dice.choice(WORDS)
        if scope.startswith("project") and dice.chance(0.15):
            scope = scope.replace("project", "tenant")
        yield scope, value


def domains(dice, chance):
    for whose in ["user", "project"]:
        if dice.chance(chance):
            yield f"{whose}_domain_{dice.choice(['id', 'name'])}", dice.choice(WORDS)
    if dice.chance(0.15):
        yield f"default_domain_{dice.choice(['id', 'name'])}", dice.choice(WORDS)


def settings(dice):
    found = {}
    for key, values in {
        "region_name": WORDS + ["RegionOne", "Sto2"],
        "regions": [["one", "two"], ["two", {"name": "one", "values": {"interface": "internal", "object_store_endpoint_override": "https://one.example/v1"}}]],
        "interface": ["internal", "adminURL", ["internal", "public"], "public", None],
        "endpoint_type": ["internalURL", "admin"],
        "object_store_interface": ["admin", "internal"],
        "object_store_endpoint_type": ["publicURL"],
        "object_store_endpoint_override": ["https://s.example/v1/{region_name}", "https://s.example/v1"],
        "object_store_endpoint": ["https://t.example/v1"],
        "object_store_service_type": ["s3like"],
        "object_store_region_name": ["three"],
        "verify": [True, False],
        "insecure": [True, False, "true", "false"],
        "cacert": ["/etc/ca.pem", ""],
        "cert": ["/etc/c.pem"],
        "key": ["/etc/k.pem"],
        "identity_api_version": ["3", 3],
        "networks": [[{"name": "n"}]],
    }.items():
        if dice.chance(0.1):
            found[key] = dice.choice(values)
    return found


def profile(dice):
    found = settings(dice)
    found["auth"] = dict(pair for pair in [("auth_url", dice.choice(URLS)), *domains(dice, 0.5)])
    return found


def secure(dice):
    auth = {}
    for key in dice.sample(["password", "token", "username", "user_domain_id", "project_id"], dice.choice([1, 1, 2])):
        auth[key] = dice.choice(TEXTS)
    return {"auth": auth} if dice.chance(0.9) else {"region_name": "two"}


def variables(dice, clouds):
    found = {}
    if dice.chance(0.7):
        for key, value in login(dice):
            if isinstance(value, str):
                found["OS_" + key.upper()] = value
        for key, value in settings(dice).items():
            if isinstance(value, str):
                found["OS_" + key.upper()] = value
        for key in dice.sample(sorted(found), min(len(found), dice.choice([0, 0, 0, 1]))):
            found[key] = ""
    if clouds and dice.chance(0.4):
        found["OS_CLOUD"] = dice.choice(clouds)
    for key, values, chance in [
        ("OS_CLOUD", ["envvars", "gone", ""], 0.08),
        ("OS_CLOUD_NAME", ["mine", "envvars", *clouds], 0.05),
        ("OS_REGION_NAME", ["one", "RegionOne", "Sto2", ""], 0.2),
        ("OS_PROFILE", PROFILES, 0.12),
        ("OS_IDENTITY_API_VERSION", ["3", "2"], 0.1),
        ("OS_ENDPOINT_TYPE", ["internal", "publicURL"], 0.05),
        ("OS_STORAGE_URL", ["https://swift.example/v1/AUTH_x"], 0.04),
        ("OS_INSECURE", ["1", "true", "False"], 0.06),
        ("OS_CACERT", ["/ca.pem", ""], 0.1),
        ("OS_TENANT_NAME", WORDS, 0.08),
        ("OS_DEFAULT_DOMAIN_ID", WORDS, 0.04),
    ]:
        if dice.chance(chance):
            found[key] = dice.choice(values)
    return found


# --- where apus differs on purpose ----------------------------------------------------------------


def generated(name, given):
    """A case; none where both refuse or one takes what is said below."""
    found = recorded(name, given)
    expect = found["expect"]
    if left_out(given, expect):
        return None
    return case(name, given, {"error": refusal(expect["cloud"])}) if refused(expect) else found


def refused(expect):
    return "cloud" in expect and refusal(expect["cloud"]) is not None


def refusal(cloud):
    """Why Keystone refuses this request whatever the passwords are."""
    auth = cloud.get("json", {}).get("auth")
    if auth is None:
        return None
    identity = auth["identity"]
    user = identity.get("password", {}).get("user")
    if user is not None and "id" not in user and "domain" not in user:
        return "a user without a name, or whose name has no domain"
    if user is not None and "id" not in user and not user.get("name"):
        return "a user without a name"
    project = auth.get("scope", {}).get("project", {})
    if "name" in project and "domain" not in project:
        return "a project whose name has no domain"
    if "application_credential" in identity and "scope" in auth:
        return "an application credential has its scope"
    return None


def left_out(given, expect):
    variables = given.get("environment", {})
    texts = "".join(given["files"].values())
    return (
        # A key in `auth` that the plugin does not have: a TypeError there, a warning here.
        expect.get("error") == "TypeError"
        # A user id with a name that has no domain.
        or expect.get("error") == "OptionError"
        # No region for `{region_name}`, or an auth_url beside `auth`, which keeps it.
        or "%7B" in expect.get("cloud", {}).get("url", "")
        or "//.x.example" in expect.get("cloud", {}).get("url", "")
        # A host that is not ASCII, of which apus wants the `xn--` form.
        or "//xn--" in expect.get("cloud", {}).get("url", "")
        or expect.get("error") in ("UnknownConnectionError", "ConnectionError")
        # No authentication, and no endpoint either.
        or expect.get("cloud", {"url": ""}).keys().isdisjoint(["url", "token", "endpoint"])
        # An empty variable counts as none; there it is a region of the name "".
        or (variables.get("OS_REGION_NAME") == "" and given.get("region"))
        # `auth_type` with a hyphen: openstacksdk's default wins, and apus takes what is written.
        or "auth-type" in texts
        # An empty variable counts as none; there it keeps that of the tenant from being read.
        or (variables.get("OS_PROJECT_NAME") == "" and "OS_TENANT_NAME" in variables)
        or (variables.get("OS_PROJECT_ID") == "" and "OS_TENANT_ID" in variables)
        # Swiftclient's variable.
        or "OS_STORAGE_URL" in variables
        # Neither true nor false: openstacksdk takes it for false.
        or variables.get("OS_INSECURE") == "1"
        # One key in two spellings, of which another one wins for each key.
        or (HYPHENATED.search(texts) and "secure.yaml" in given["files"])
        # A default domain, which apus takes after the own one.
        or "default_domain_id" in (texts + str(list(variables)).lower()).replace("-", "_")
    )
