"""clouds-yaml.fixtures: what openstacksdk's own tests of its loader configure.

Each case is ours, of the same kind as a case of openstacksdk's tests, which its name names, with other
names and values, and openstacksdk's result of it. With `--count N` the cases are made of openstacksdk's
fixtures instead, as the installed version has them: every cloud of theirs, in every region, with each
combination of the files, with and without the variables of their tests. These are not for committing.

Left out is what is nothing to a client of Swift: caches, networks, metrics, IP versions, arguments of a
program, a profile that is fetched from a server.
"""

import importlib
import itertools
import sys
from unittest import mock

from clouds_random import generated
from clouds_yaml import SOURCE, dump

SINGLE = {
    "auth": {"auth_url": "http://identity.example/base", "username": "anna", "password": "pw", "project_name": "lab"}
}
LOGIN = {"auth_url": "http://identity.example/base", "username": "anna", "password": "pw"}
DOMAIN = {"user_domain_name": "D", "project_domain_name": "D"}


def suites(_dice_of, count):
    made = theirs() if count else ours()
    cases = [generated(name, given) for name, given in made]
    yield "clouds-yaml.fixtures", SOURCE + "; cases as openstacksdk's tests have them", cases


# --- ours ----------------------------------------------------------------------------------------


def ours():
    vendor = {"public-clouds": {"_acme_": {"auth": {**LOGIN, **DOMAIN, "username": "other", "project_name": "lab"}}}}
    clouds = {
        "_with-profile_": {"profile": "_acme_", "auth": {**LOGIN, **DOMAIN}, "region_name": "r-one"},
        "_no_region_": {"profile": "_acme_", "auth": {**LOGIN, **DOMAIN}},
        "_domain-id_": {"auth": LOGIN | {"project_id": "0e", "domain_id": "77", "project_domain_id": "88"}},
        "_infer-domain_": {"auth": LOGIN | {"project_id": "0e", "domain_id": "a-domain"}, "region_name": "r"},
        "_domain-scoped_": {"auth": LOGIN | {"domain-id": "55", "user_domain_id": "55"}},
        "_hyphenated_": {"auth": LOGIN | DOMAIN | {"project-id": "4321"}, "region-name": "r"},
        "_regions_": {
            "auth": LOGIN | DOMAIN | {"project-id": "lab"},
            "regions": [
                {"name": "north", "values": {"external_network": "n"}},
                {"name": "south", "values": {"object_store_interface": "internal"}},
                {"name": "plain"},
            ],
        },
        "_networks_": {"auth": LOGIN | {"project_id": "0e", "domain_id": "77"}, "networks": [{"name": "n"}]},
        "_metrics_": {"auth": LOGIN | DOMAIN, "metrics": {"statsd": {"host": "h", "port": 1}}},
    }
    top = {"cache": {"max_age": "1"}, "client": {"force_ipv4": True}, "ansible": {"use_hostnames": True}}
    files = {"clouds.yaml": dump(top | {"clouds": clouds}), "clouds-public.yaml": dump(vendor)}
    for cloud in clouds:
        yield f"get_one of {cloud}", {"files": files, "cloud": cloud}
    for region in ["north", "south", "plain", "nowhere", ""]:
        yield f"get_region {region!r} of regions", {"files": files, "cloud": "_regions_", "region": region}
    for cloud in ["_no_region_", "_with-profile_", "_domain-scoped_"]:
        yield f"get_region override of {cloud}", {"files": files, "cloud": cloud, "region": "another"}
    yield "no environ: envvars", {"files": files, "cloud": "envvars"}
    yield "no fallthrough", {"files": files, "cloud": "openstack"}
    yield "several clouds and none asked for", {"files": files}

    def single(name, settings, **more):
        return {"files": {"clouds.yaml": dump({"clouds": {name: settings}})}} | more

    yield "default cloud from file", single("single", {"auth": SINGLE["auth"] | DOMAIN})
    yield "int project id", single("ints", {"auth": LOGIN | DOMAIN | {"project_id": 98765}}, cloud="ints")
    yield "unscoped identity", single("unscoped", {"auth": LOGIN | {"user_domain_id": "default"}})
    yield "no auth at all", single("broken", {"auth": {}})
    yield "user without a domain", single("bare", SINGLE)
    multi = {"auth_type": "v3multifactor", "auth_methods": ["v3password", "v3totp"]}
    yield "infer passcode", single("mfa", multi | {"auth": LOGIN | DOMAIN | {"project_name": "lab", "passcode": "123"}})
    secret = {"clouds": {"_late_": {"auth": {"password": "from-secure"}}}}
    late = {"auth": {key: value for key, value in (LOGIN | DOMAIN).items() if key != "password"} | {"project_name": "lab"}}
    yield "only the password in secure.yaml", {
        "files": {"clouds.yaml": dump({"clouds": {"_late_": late}}), "secure.yaml": dump(secret)},
        "cloud": "_late_",
    }
    yield "only secure.yaml", {"files": {"secure.yaml": dump(secret)}, "cloud": "_late_"}

    # The settings that `_fix_backwards_*` and `_fix_args` bring into their places.
    for name, more in {
        "project_id beside auth": {"project_id": "x"},
        "tenant_id beside auth": {"tenant_id": "x"},
        "tenant-name beside auth": {"tenant-name": "x"},
        "username beside auth": {"username": "ben"},
        "token beside auth": {"auth_type": "token", "token": "t"},
        "interface": {"interface": "internal"},
        "endpoint_type before interface": {"endpoint_type": "admin", "interface": "internal"},
        "object-store-endpoint": {"object-store-endpoint": "http://swift.example/v1/a"},
        "objectstore api version": {"object_store_api_version": "1"},
        "insecure": {"insecure": True},
        "insecure false": {"insecure": False, "verify": True},
        "verify false with cacert": {"verify": False, "cacert": "/ca.pem"},
        "cacert": {"cacert": "/ca.pem"},
        "cert and key": {"cert": "/c.pem", "key": "/k.pem"},
        "regions as texts": {"regions": ["north", "south"]},
        "region_name of regions": {"region_name": "south", "regions": ["north", "south"]},
        "auth_type v2password": {"auth_type": "v2password"},
        "profile nowhere": {"profile": "_nowhere_"},
    }.items():
        yield f"fix: {name}", single("fixed", {"auth": LOGIN | DOMAIN | {"project_name": "lab"}} | more)

    variables = {
        "OS_AUTH_URL": "https://identity.example", "OS_USERNAME": "anna", "OS_PASSWORD": "pw",
        "OS_PROJECT_NAME": "lab", "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default",
    }  # fmt: skip
    other = {"NOVA_USERNAME": "ben", "NOVA_AUTH_URL": "http://x.example"}
    yield "environ: get_one", {"files": files, "environment": variables}
    yield "environ: envvars", {"files": files, "environment": variables, "cloud": "envvars"}
    yield "environ: a cloud of the file", {"files": files, "environment": variables, "cloud": "_infer-domain_"}
    yield "environ: no fallthrough", {"files": files, "environment": variables, "cloud": "openstack"}
    yield "environ: name override", {"files": files, "environment": variables | {"OS_CLOUD_NAME": "override"}, "cloud": "override"}
    yield "environ: OS_CLOUD", {"files": files, "environment": variables | {"OS_CLOUD": "_infer-domain_"}}
    yield "environ: old variables", {"files": files, "environment": other, "cloud": "envvars"}
    yield "environ: none but others", {"files": files, "environment": {"OS_STDERR_CAPTURE": "True"}, "cloud": "envvars"}
    yield "environ: incomplete", {"files": files, "environment": {"OS_USERNAME": "anna"}, "cloud": "envvars"}
    yield "environ: only variables", {"files": {}, "environment": variables}
    yield "environ: region", {"files": {}, "environment": variables | {"OS_REGION_NAME": "r"}}
    yield "environ: token", {"files": {}, "environment": {"OS_AUTH_URL": "https://identity.example", "OS_AUTH_TYPE": "token", "OS_TOKEN": "t", "OS_PROJECT_ID": "x"}}


# --- theirs --------------------------------------------------------------------------------------


def theirs():
    """Every combination of the files, clouds, regions and variables of openstacksdk's tests."""
    for unused in ["fixtures", "openstack.tests", "openstack.tests.unit", "openstack.tests.base"]:
        sys.modules.setdefault(unused, mock.MagicMock())
    path = next(iter(importlib.import_module("openstack").__path__)) + "/tests/unit/config/base.py"
    spec = importlib.util.spec_from_file_location("openstack_fixtures", path)
    base = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(base)
    secure = {"secure": base.SECURE_CONF, "no secure": None}
    vendor = {"vendor": base.VENDOR_CONF, "no vendor": None}
    domains = {"": {}, "domains and ": {"OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default"}}
    login = {
        "OS_AUTH_URL": "https://example.com",
        "OS_USERNAME": "testuser",
        "OS_PASSWORD": "testpass",
        "OS_PROJECT_NAME": "testproject",
    }
    environments = {"no variables": None} | {f"{name}variables": login | more for name, more in domains.items()}
    names = [None, "envvars", "openstack", *base.USER_CONF["clouds"]]
    regions = {"_test_cloud_regions": ["region1", "region2", "region-no-value", "no-such", ""]}
    asked = [(cloud, region) for cloud in names for region in [None, "other", *regions.get(cloud, [])]]
    for second, third, environment, (cloud, region) in itertools.product(secure, vendor, environments, asked):
        # Theirs have no domains, which Keystone requires: each cloud with them, and as it is.
        for of_domain in [{}, {"user_domain_id": "default", "project_domain_id": "default"}]:
            clouds = {}
            for name, one in base.USER_CONF["clouds"].items():
                own = {"domain_id", "domain-id"} & one["auth"].keys()
                clouds[name] = one if own else one | {"auth": of_domain | one["auth"]}
            conf = base.USER_CONF | {"clouds": clouds}
            given = {"files": {"clouds.yaml": dump(conf)}}
            if secure[second] is not None:
                given["files"]["secure.yaml"] = dump(secure[second])
            if vendor[third] is not None:
                given["files"]["clouds-public.yaml"] = dump(vendor[third])
            if environments[environment] is not None:
                given["environment"] = environments[environment]
            if cloud is not None:
                given["cloud"] = cloud
            if region is not None:
                given["region"] = region
            bare = "" if of_domain else ", no domains"
            yield f"{second}, {third}, {environment}: {cloud} {region!r}{bare}", given
