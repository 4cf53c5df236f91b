"""The config and credentials files and the environment of the AWS SDKs: what botocore would ask.

Every place where botocore would leave the process is replaced by a note of what it would do there, so
that a case says the whole way to the keys, the first step first.
"""

import os
import pathlib
import tempfile
import unittest.mock

import botocore.compat
import botocore.configprovider
import botocore.credentials
import botocore.exceptions
import botocore.session
import botocore.utils
from common import VERSION, case

KEYS = "aws_access_key_id = AKID{0}\naws_secret_access_key = secret/{0}\n"
ROLE = "role_arn = arn:aws:iam::123456789012:role/{0}\n"
SSO = "sso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
SSO_ROLE = "sso_account_id = 123456789012\nsso_role_name = Reader\n"
HERE = {"AWS_DEFAULT_REGION": "eu-central-1"}
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secret/env"}
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/web"}
CONTAINER = "AWS_CONTAINER_CREDENTIALS_"


def suites(dice_of, count):
    yield "aws-config", f"{VERSION}, its session and its credential providers", recorded(
        dice_of("aws-config"), 12 if count is None else count
    )
    yield "aws-config.specified", "by hand, where apus is stricter than botocore", specified()


def recorded(dice, count):
    for name, config, credentials, environment, profile in by_hand():
        yield record(name, config, credentials, environment, profile)
    made = 0
    while made < count:
        one = some_case(dice, f"random/{made}")
        if one is not None:
            made += 1
            yield one


def given(config, credentials, environment, profile):
    files = {"config": config, "credentials": credentials}
    made = {"files": {name: text for name, text in files.items() if text}}
    made["environment"] = environment
    return made if profile is None else made | {"profile": profile}


def record(name, config, credentials, environment, profile):
    with tempfile.TemporaryDirectory() as directory:
        expect = what_botocore_does(
            pathlib.Path(directory), config, credentials, environment, profile
        )
    return case(name, given(config, credentials, environment, profile), expect)


def what_botocore_does(directory, config, credentials, environment, profile):
    places = {"HOME": str(directory), "PATH": os.environ["PATH"]}
    for name, variable, text in [
        ("config", "AWS_CONFIG_FILE", config),
        ("credentials", "AWS_SHARED_CREDENTIALS_FILE", credentials),
    ]:
        (directory / name).write_text(text)
        places[variable] = str(directory / name)
    steps = []
    with unittest.mock.patch.dict(os.environ, places | environment, clear=True), noted(steps):
        session = botocore.session.Session(profile=profile)
        try:
            keys = session.get_credentials()
            if keys is None:
                return {"error": "NoCredentialsError"}
            keys = keys.get_frozen_credentials()
            if not steps:
                steps.append(static(keys))
            return {"profile": {"source": steps} | settings(session, environment)}
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            return {"error": type(error).__name__}


def static(keys):
    made = {"kind": "static", "access_key": keys.access_key, "secret_key": keys.secret_key}
    return made | ({"session_token": keys.token} if keys.token else {})


def settings(session, environment):
    scoped = session.get_scoped_config()
    nested = scoped.get("s3") if isinstance(scoped.get("s3"), dict) else {}
    ignored = session.get_config_variable("ignore_configured_endpoint_urls")
    endpoint = botocore.configprovider.ConfiguredEndpointProvider(
        session.full_config, scoped, "s3", os.environ
    )
    made = {
        "region": session.get_config_variable("region"),
        "endpoint_url": None if ignored else endpoint.provide(),
        "ca_bundle": session.get_config_variable("ca_bundle"),
        "addressing_style": nested.get("addressing_style"),
    }
    for name in ["request_checksum_calculation", "response_checksum_validation"]:
        # Without the default, which is the client's own.
        if name in scoped or f"AWS_{name.upper()}" in environment:
            made[name] = session.get_config_variable(name).lower()
    return {name: value for name, value in made.items() if value is not None}


KEYS_TILL_THEN = {
    "AccessKeyId": "A",
    "SecretAccessKey": "S",
    "SessionToken": "T",
    "Token": "T",
    "Expiration": "2099-01-01T00:00:00Z",
}


class noted:
    """Replaces what leaves the process by notes in `steps`."""

    def __init__(self, steps):
        module = botocore.credentials
        patch = unittest.mock.patch.object
        self.contexts = [
            patch(module.AssumeRoleCredentialFetcher, "_get_credentials", self.role),
            patch(module.AssumeRoleWithWebIdentityCredentialFetcher, "_get_credentials", self.web),
            patch(module.ProcessProvider, "_retrieve_credentials_using", self.process),
            patch(module.SSOCredentialFetcher, "_get_credentials", self.sso),
            patch(botocore.utils.ContainerMetadataFetcher, "_get_response", self.container),
            patch(
                botocore.utils.InstanceMetadataFetcher,
                "retrieve_iam_role_credentials",
                self.instance,
            ),
        ]
        noted.steps = steps

    def __enter__(self):
        for context in self.contexts:
            context.__enter__()

    def __exit__(self, *error):
        for context in reversed(self.contexts):
            context.__exit__(*error)

    @staticmethod
    def role(fetcher):
        keys = fetcher._source_credentials.get_frozen_credentials()
        if not noted.steps:
            noted.steps.append(static(keys))
        asked = fetcher._assume_role_kwargs()
        noted.steps.append(
            sts("assume-role", fetcher._create_client(), asked)
            | {"external_id": asked.get("ExternalId"), "duration": asked.get("DurationSeconds")}
        )
        return {"Credentials": KEYS_TILL_THEN}

    @staticmethod
    def web(fetcher):
        asked = dict(fetcher._assume_kwargs)
        client = fetcher._client_creator("sts")
        path = fetcher._web_identity_token_loader._web_identity_token_path
        noted.steps.append(sts("web-identity", client, asked) | {"token_file": path})
        return {"Credentials": KEYS_TILL_THEN}

    @staticmethod
    def process(provider, command):
        words = botocore.compat.compat_shell_split(command)
        noted.steps.append({"kind": "process", "words": words})
        return {"access_key": "A", "secret_key": "S"}

    @staticmethod
    def sso(fetcher):
        config = botocore.config.Config(region_name=fetcher._sso_region)
        client = fetcher._client_creator("sso", config=config)
        key = botocore.utils.SSOTokenLoader()._generate_cache_key(
            fetcher._start_url, fetcher._sso_session_name
        )
        noted.steps.append(
            {
                "kind": "sso",
                "account_id": fetcher._account_id,
                "role_name": fetcher._role_name,
                "endpoint": client.meta.endpoint_url,
                "token_file": f"{key}.json",
            }
        )
        return {"Credentials": KEYS_TILL_THEN}

    @staticmethod
    def container(fetcher, url, headers, timeout):
        token = headers.get("Authorization")
        noted.steps.append({"kind": "container", "url": url, "authorization": token})
        return KEYS_TILL_THEN

    @staticmethod
    def instance(fetcher):
        if fetcher._disabled:
            return {}
        endpoint = fetcher._base_url.rstrip("/")
        noted.steps.append({"kind": "instance", "endpoint": endpoint})
        return {
            "role_name": "r",
            "access_key": "A",
            "secret_key": "S",
            "token": "T",
            "expiry_time": "2099-01-01T00:00:00Z",
        }


def sts(kind, client, asked):
    name = asked.get("RoleSessionName")
    if name and name.startswith("botocore-session-"):
        name = None
    return {
        "kind": kind,
        "role_arn": asked["RoleArn"],
        "session_name": name,
        "endpoint": client.meta.endpoint_url,
    }


def by_hand():
    number = 0

    def one(group, config="", credentials="", environment=None, profile=None):
        nonlocal number
        number += 1
        return f"{group}/{number}", config, credentials, environment or HERE, profile

    default = "[default]\n" + KEYS.format("d")
    # The dialect.
    for text in [
        default,
        "[profile default]\n" + KEYS.format("p"),
        default + "[profile default]\n" + KEYS.format("p"),
        "  [default]  \n  aws_access_key_id=A\n  AWS_Secret_Access_Key : S\n",
        "# c\n; c\n[default]\n\naws_access_key_id = A # no comment\naws_secret_access_key = S ; n\n",
        "[default]\naws_access_key_id = A\n  B\naws_secret_access_key = a=b:c\n",
        "[default]\naws_access_key_id = A\n\n\naws_secret_access_key = %(x)s $y\n",
        "[default]\r\naws_access_key_id = A\r\naws_secret_access_key = S\r\n",
        "[DEFAULT]\naws_secret_access_key = S\n[default]\naws_access_key_id = A\n",
        "[DEFAULT]\naws_secret_access_key = S\n[default]\naws_access_key_id = A\n"
        "aws_secret_access_key = T\n",
        "[default] rest\naws_access_key_id = A\naws_secret_access_key = S\n",
        default + "aws_session_token = t/+==\n",
        default + "[default]\n",
        default + "aws_access_key_id = B\n",
        default + "AWS_ACCESS_KEY_ID = B\n",
        default + "nonsense\n",
        "aws_access_key_id = A\n" + default,
        default + "= 1\n",
        default + "[other\n",
        default + "s3 =\n  nonsense\n",
        default + "s3 =\n  addressing_style = path\n  # c\n\n  x = y = z\n",
        default + "s3 =\n\n  addressing_style=virtual\n",
        default + "s3 = \n    Addressing_Style = path\n",
        default + "[preview]\na = b\n[profilex]\n[sso-session]\n[services]\n",
    ]:
        yield one("dialect", text)
        if len(text) < 90:
            yield one("dialect-credentials", "", text)
    for name in ["a", '"a b"', "'a b'", "a\\ b", '"a"b', "a b", '""', "a#b", "a]b"]:
        text = f"[profile {name}]\n" + KEYS.format("n")
        for profile in ["a", "a b", "ab", "a#b", "a]b"]:
            if profile == name.strip("'\"") or "b" in name and profile in ("ab", "a b"):
                yield one("name", text, profile=profile)
    yield one("name", "", "[a b]\n" + KEYS.format("n"), profile="a b")
    yield one("name", "", "[profile a]\n" + KEYS.format("n"), profile="a")
    yield one("name", "", "[profile a]\n" + KEYS.format("n"), profile="profile a")
    # Both files.
    both = ("[profile a]\n" + KEYS.format("c"), "[a]\n" + KEYS.format("k"))
    yield one("both", *both, profile="a")
    yield one("both", both[0] + "region = r-1\n", "[a]\nregion = r-2\n", {"A": "b"}, "a")
    yield one("both", both[0], "[a]\naws_access_key_id = X\n", profile="a")
    yield one("both", both[0], "[a]\naws_secret_access_key = X\n", profile="a")
    yield one("both", "[profile a]\naws_secret_access_key = X\n", both[1], profile="a")
    yield one("both", both[0] + "aws_session_token = t\n", both[1], profile="a")
    # The environment.
    for extra in [
        {},
        {"AWS_SESSION_TOKEN": "t"},
        {"AWS_SECURITY_TOKEN": "t"},
        {"AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_PROFILE": "a"},
        {"AWS_DEFAULT_PROFILE": "a"},
        WEB,
    ]:
        yield one("environment", both[0] + default, "", HERE | ENV_KEYS | extra)
        yield one("environment", both[0] + default, "", HERE | extra)
        yield one("environment", both[0] + default, "", HERE | ENV_KEYS | extra, "a")
    yield one("environment", default, "", {"AWS_PROFILE": "none"})
    yield one("environment", default, "", {}, "none")
    # Web identity.
    web = "web_identity_token_file = /run/file\n"
    yield one("web", "", "", HERE | WEB)
    yield one("web", "", "", HERE | WEB | {"AWS_ROLE_SESSION_NAME": "me"})
    yield one("web", "", "", HERE | {"AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token"})
    yield one("web", "[default]\n" + web + ROLE.format("w"), "", HERE | WEB)
    yield one("web", "[default]\n" + web, "", HERE | {"AWS_ROLE_ARN": "arn:aws:iam::1:role/e"})
    yield one("web", "[profile a]\n" + web, "", HERE | WEB, "a")
    own = "[profile a]\n" + web + ROLE.format("w") + "role_session_name = s\n"
    yield one("web", own + KEYS.format("w"), "", HERE | WEB, "a")
    yield one("web", own + "[profile b]\nsource_profile = a\n" + ROLE.format("b"), profile="b")
    yield one("web", "", "", {"AWS_DEFAULT_REGION": "cn-north-1"} | WEB)
    # Roles.
    base = "[profile base]\n" + KEYS.format("base")
    role = "[profile role]\n" + ROLE.format("r")
    more = "external_id = x/y z\nrole_session_name = me\nduration_seconds = 3600\n"
    yield one("role", base + role + "source_profile = base\n", profile="role")
    yield one("role", base + role + "source_profile = base\n" + more, profile="role")
    yield one("role", role + "source_profile = base\n", "[base]\n" + KEYS.format("k"), HERE, "role")
    yield one("role", base + role, profile="role")
    yield one("role", role + "source_profile = none\n", profile="role")
    yield one("role", role + "source_profile = role\n", profile="role")
    yield one("role", role + "source_profile = role\n" + KEYS.format("own"), profile="role")
    yield one("role", role + KEYS.format("own"), profile="role")
    yield one("role", base + "source_profile = base\n", profile="base")
    for name in ["Environment", "EcsContainer", "Ec2InstanceMetadata", "environment", "Other"]:
        text = role + f"credential_source = {name}\n"
        yield one("role-of", text, "", HERE | ENV_KEYS, "role")
        yield one("role-of", text, "", HERE | {CONTAINER + "RELATIVE_URI": "/x"}, "role")
        yield one("role-of", text, "", HERE | {"AWS_EC2_METADATA_DISABLED": "true"}, "role")
        yield one("role-of", base + text + "source_profile = base\n", profile="role")
    chain = "[profile far]\n" + ROLE.format("far") + "source_profile = role\n"
    yield one("chain", chain + role + "source_profile = base\n" + base, profile="far")
    yield one("chain", chain + role + "source_profile = far\n", profile="far")
    yield one("chain", chain + role + "source_profile = far\n" + KEYS.format("r"), profile="far")
    yield one("chain", chain + role + "source_profile = role\n" + KEYS.format("r"), profile="far")
    yield one("chain", chain + role + "credential_source = Ec2InstanceMetadata\n", profile="far")
    yield one("chain", chain + "[profile role]\ncredential_process = p\n", profile="far")
    yield one("chain", chain + "[profile role]\n" + SSO + SSO_ROLE, profile="far")
    yield one("chain", chain + "[profile role]\nregion = us-east-1\n", profile="far")
    yield one("chain", chain + "[profile role]\n", "", HERE | WEB, "far")
    region = "region = us-west-2\n"
    there = chain + "region = ap-southeast-2\n" + role + "source_profile = base\n" + region + base
    yield one("chain", there, "", {"A": "b"}, "far")
    # Processes.
    for command in [
        "/opt/bin/get --user me",
        '"/opt/my bin/get" \'a b\' "c\\"d" e\\ f',
        "get 'open",
        "get\\",
        "get # c",
        "get $HOME `x` | y",
    ]:
        yield one("process", f"[default]\ncredential_process = {command}\n")
    process = "credential_process = p\n"
    yield one("process", default + process)
    yield one("process", "[default]\n" + process, "[default]\n" + KEYS.format("k"))
    yield one("process", "", "[default]\n" + process)
    # SSO.
    session = "[sso-session corp]\n" + SSO
    profile = "[profile a]\nsso_session = corp\n" + SSO_ROLE
    yield one("sso", "[profile a]\n" + SSO + SSO_ROLE, profile="a")
    yield one("sso", "[profile a]\n" + SSO + "sso_role_name = r\n", profile="a")
    yield one("sso", "[profile a]\n" + SSO_ROLE, profile="a")
    yield one("sso", "[profile a]\n" + SSO + KEYS.format("k"), profile="a")
    yield one("sso", "[profile a]\n" + SSO + SSO_ROLE + KEYS.format("k"), profile="a")
    yield one("sso", session + profile, profile="a")
    yield one("sso", profile, profile="a")
    yield one("sso", session + profile + "sso_region = eu-west-1\n", profile="a")
    yield one("sso", session + profile + "sso_region = us-east-1\n", profile="a")
    yield one("sso", "[sso-session corp]\nsso_region = cn-north-1\n" + profile, profile="a")
    yield one("sso", session.replace("corp]", '"c d"]') + profile.replace("corp", "c d"), profile="a")
    # Metadata services.
    for extra in [
        {"RELATIVE_URI": "/v2/x?y=z"},
        {"FULL_URI": "http://127.0.0.1:1338/x"},
        {"FULL_URI": "http://[::1]/x"},
        {"FULL_URI": "http://localhost/x"},
        {"FULL_URI": "http://169.254.170.23/v1/credentials"},
        {"FULL_URI": "http://[fd00:ec2::23]/v1/credentials"},
        {"FULL_URI": "http://169.254.170.2.evil.example/x"},
        {"FULL_URI": "http://example.com/x"},
        {"FULL_URI": "https://example.com/x"},
        {"FULL_URI": "http://10.0.0.1/x"},
        {"RELATIVE_URI": "/x", "FULL_URI": "http://localhost/y"},
    ]:
        made = HERE | {CONTAINER + name: value for name, value in extra.items()}
        yield one("container", "", "", made)
        yield one("container", "", "", made | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic x"})
    yield one("container", default, "", HERE | {CONTAINER + "RELATIVE_URI": "/x"})
    metadata = "AWS_EC2_METADATA_"
    for extra in [
        {},
        {"DISABLED": "true"},
        {"DISABLED": "TRUE"},
        {"DISABLED": "1"},
        {"SERVICE_ENDPOINT": "http://127.0.0.1:1338/"},
        {"SERVICE_ENDPOINT_MODE": "IPv6"},
        {"SERVICE_ENDPOINT_MODE": "ipv4"},
        {"SERVICE_ENDPOINT_MODE": "ipv5"},
        {"SERVICE_ENDPOINT": "http://[::1]:80", "SERVICE_ENDPOINT_MODE": "IPv6"},
    ]:
        made = HERE | {metadata + name: value for name, value in extra.items()}
        yield one("instance", "", "", made)
    own = "[default]\nec2_metadata_service_endpoint = http://127.0.0.1:9/\n"
    yield one("instance", own)
    yield one("instance", "[default]\nec2_metadata_service_endpoint_mode = ipv6\n")
    yield one("instance", own, "", HERE | {metadata + "SERVICE_ENDPOINT": "http://127.0.0.1:8"})
    # Settings.
    for extra in [
        {"AWS_ENDPOINT_URL": "http://all.example"},
        {"AWS_ENDPOINT_URL_S3": "http://s3.example", "AWS_ENDPOINT_URL": "http://all.example"},
        {"AWS_ENDPOINT_URL_STS": "http://sts.example"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://x.example"},
        {"AWS_CA_BUNDLE": "/ca.pem"},
        {"AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED"},
        {"AWS_RESPONSE_CHECKSUM_VALIDATION": "when_supported"},
    ]:
        yield one("settings", base + role + "source_profile = base\n", "", HERE | extra, "role")
    services = "[services ceph]\ns3 =\n  endpoint_url = http://rgw.example:7480\n"
    for options in [
        "endpoint_url = http://all.example\n",
        "services = ceph\n",
        "services = ceph\nendpoint_url = http://all.example\n",
        "services = none\n",
        "ignore_configured_endpoint_urls = true\nendpoint_url = http://all.example\n",
        "ca_bundle = /own.pem\nregion = us-west-2\n",
        "request_checksum_calculation = when_required\n",
        "response_checksum_validation = when_required\ns3 =\n  addressing_style = virtual\n",
    ]:
        text = services + default + options
        yield one("settings", text)
        yield one("settings", text, "", {"AWS_ENDPOINT_URL_S3": "http://s3.example"})


def some_case(dice, name):
    """A case of anything at once; none where botocore goes on to what a profile does not name, or has
    no region, which apus decides otherwise."""
    names = dice.sample(["default", "a", "b c", "dev"], dice.randint(1, 4))
    config, credentials = [], []
    # Without it botocore makes no client at all, one of STS for other keys neither.
    config.append("[sso-session corp]\n" + SSO)
    for profile in names:
        quoted = f'"{profile}"' if " " in profile else profile
        head = "[default]\n" if profile == "default" else f"[profile {quoted}]\n"
        config.append(head + some_options(dice, names))
        if dice.chance(0.4):
            credentials.append(f"[{profile}]\n" + some_options(dice, names))
    environment = dict(HERE)
    if dice.chance(0.15):
        environment |= ENV_KEYS
    if dice.chance(0.15):
        environment |= WEB
    if dice.chance(0.15):
        environment[CONTAINER + "RELATIVE_URI"] = "/v2/" + dice.word()
    profile = dice.choice(names) if dice.chance(0.6) else None
    if profile is None and dice.chance(0.4):
        environment["AWS_PROFILE"] = dice.choice(names)
    made = record(name, "".join(config), "".join(credentials), environment, profile)
    steps = made["expect"].get("profile", {}).get("source", [])
    passed_over = len(steps) == 1 and steps[0]["kind"] in ("container", "instance")
    if profile is not None and (passed_over or made["expect"].get("error") == "NoCredentialsError"):
        return None
    return made


def some_options(dice, names):
    lines = []

    def may(chance, *options):
        if dice.chance(chance):
            lines.extend(options)

    may(0.5, f"aws_access_key_id = {dice.word()}")
    may(0.9 if lines else 0.05, f"aws_secret_access_key = {dice.secret()}")
    may(0.2, f"aws_session_token = {dice.secret()}")
    role = f"role_arn = arn:aws:iam::1:role/{dice.word()}"
    may(0.35, role, f"source_profile = {dice.choice(names + ['gone'])}")
    if role not in lines:
        may(0.15, role, "credential_source = " + dice.choice(["Environment", "Ec2InstanceMetadata"]))
    may(0.1, "external_id = " + dice.word())
    may(0.1, "role_session_name = " + dice.word())
    may(0.1, f"duration_seconds = {dice.randint(900, 43200)}")
    may(0.15, "credential_process = " + dice.choice(["p", "'a b' c", "/x/y --z \"1 2\""]))
    may(0.1, "web_identity_token_file = /run/" + dice.word())
    may(0.1, *(SSO + SSO_ROLE).splitlines())
    may(0.1, "sso_session = corp", *SSO_ROLE.splitlines())
    may(0.2, "s3 =", "  addressing_style = " + dice.choice(["auto", "path", "virtual"]))
    may(0.1, f"endpoint_url = http://{dice.word()}.example:{dice.randint(1, 65535)}")
    unique = {}
    for line in lines:
        unique.setdefault(line.partition("=")[0] if not line.startswith(" ") else line, line)
    return "".join(f"{line}\n" for line in unique.values())


def specified():
    role = "[profile role]\n" + ROLE.format("r") + "source_profile = base\n"
    base = "[profile base]\n" + KEYS.format("base")

    def one(name, expect, config="", environment=None, profile=None):
        return case(name, given(config, "", environment or HERE, profile), expect)

    keys = {"kind": "static", "access_key": "AKIDbase", "secret_key": "secret/base"}
    assumed = {
        "kind": "assume-role",
        "role_arn": "arn:aws:iam::123456789012:role/r",
        "session_name": None,
        "endpoint": "https://sts.eu-west-3.amazonaws.com",
        "external_id": None,
        "duration": None,
    }
    here = {"region": "eu-central-1"}
    yield one(
        "a profile is not left for a metadata service",
        {"error": "it says nothing of keys"},
        "[profile a]\nregion = us-east-1\n",
        HERE | {CONTAINER + "RELATIVE_URI": "/x"},
        "a",
    )
    yield one(
        "nobody is asked for a one-time password",
        {"error": "mfa_serial"},
        base + role + "mfa_serial = arn:aws:iam::1:mfa/me\n",
        profile="role",
    )
    for seconds in ["soon", "899", "43201", "-1"]:
        yield one(
            f"a duration of {seconds} is refused and not left out",
            {"error": "duration_seconds"},
            base + role + f"duration_seconds = {seconds}\n",
            profile="role",
        )
    yield one(
        "AWS_REGION counts, as in the other SDKs, and before AWS_DEFAULT_REGION",
        {"profile": {"source": [keys, assumed], "region": "eu-west-3"}},
        base + role,
        HERE | {"AWS_REGION": "eu-west-3"},
        "role",
    )
    yield one(
        "without a region STS is asked at its global endpoint",
        {"profile": {"source": [keys, assumed | {"endpoint": "https://sts.amazonaws.com"}]}},
        base + role,
        {"AWS_EC2_METADATA_DISABLED": "true"},
        "role",
    )
    yield one(
        "AWS_PROFILE counts before AWS_DEFAULT_PROFILE, as in the other SDKs",
        {"profile": {"source": [keys]} | here},
        base + "[profile other]\n" + KEYS.format("other"),
        HERE | {"AWS_PROFILE": "base", "AWS_DEFAULT_PROFILE": "other"},
    )
    yield one(
        "an open quote in a section's name is an error and not passed over",
        {"error": "quote"},
        "[profile 'a]\n" + KEYS.format("a") + base,
        profile="base",
    )
    yield one(
        "a region is no way to another host",
        {"error": "region"},
        base + role + "region = evil.example/\n",
        {"A": "b"},
        "role",
    )
    yield one(
        "a role without a name is an error, and its keys are not used instead",
        {"error": "role_arn"},
        base + "[profile a]\nrole_arn =\nsource_profile = base\n" + KEYS.format("a"),
        profile="a",
    )
    yield one(
        "a map is no text",
        {"error": "map"},
        "[profile a]\ncredential_process =\n  a = b\n",
        profile="a",
    )
    yield one(
        "an unknown addressing style is an error",
        {"error": "addressing_style"},
        base + "s3 =\n  addressing_style = host\n",
        profile="base",
    )
    for written, meant in [("always", "when_supported"), ("never", "never")]:
        mode = {"request_checksum_calculation": meant}
        yield one(
            f"the checksum mode {written}, which botocore has not",
            {"profile": {"source": [keys]} | here | mode},
            base + f"s3 =\n  request_checksum_calculation = {written}\n",
            profile="base",
        )
