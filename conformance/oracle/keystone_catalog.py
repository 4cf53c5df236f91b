"""keystone-catalog: which endpoint a token's catalogue gives, by keystoneauth1's access."""

import copy

from keystoneauth1 import access, discover, exceptions
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity.base import BaseIdentityPlugin

from captured import Captured, session
from common import case
from keystone_auth import VERSION

SOURCE = (
    f"{VERSION}: access.create(...).service_catalog.url_for, with service types of "
    "os-service-types; `override`, whose placeholders are filled, by its session. A null interface "
    "or region is any. The text of an error is not compared"
)

REGIONS = ["RegionOne", "RegionTwo", "région 3", "regionone"]
INTERFACES = ["public", "internal", "admin"]
TYPES = ["object-store", "identity", "image", "s3"]
# Types whose aliases os-service-types knows.
ALIASED = ["block-storage", "shared-file-system", "workflow", "container-infrastructure-management"]
WISHES = [
    "public",
    "publicURL",
    "internal",
    "internalURL",
    "admin",
    "adminURL",
    ["internal", "public"],
    ["publicURL", "internalURL"],
    ["admin", "internalURL", "public"],
    None,
]
STRANGE = {"interface": "strange", "region": REGIONS[0], "url": "http://strange"}
PROJECT, USER = "a6944d", "0ca8f6"


def suites(dice_of, count):
    yield "keystone-catalog", SOURCE, cases(dice_of("keystone-catalog"), count or 110)


def cases(dice, count):
    found = []
    identity = service("identity", REGIONS[:1], ["public"])
    plain = token([identity, service("object-store", REGIONS[:2])])
    versions = {"v3": plain, "v2": to_v2(plain)}
    for version, given in versions.items():
        for i, wish in enumerate(WISHES):
            for region in [None, REGIONS[1], "nowhere"][: 2 + (i == 0)]:
                name = f"{version}-interface-{i}-{region or 'any'}"
                found.append(recorded(name, given, "object-store", wish, region))
        for kind in ["identity", "swift", "object"]:
            found.append(recorded(f"{version}-type-{kind}", given, kind, "public", None))
        for i, broken in enumerate(odd(given)):
            name = f"{version}-odd-{i}"
            found.append(recorded(name, broken, "object-store", "public", None))
            found.append(recorded(f"{name}-region", broken, "object-store", "public", REGIONS[0]))
    for i, url in enumerate(
        [
            "https://swift.example.com/v1/AUTH_%(project_id)s",
            "http://rgw.example.com:8080/swift/v1",
            "https://swift.example.com/v1/%(user_id)s/%(project_id)s",
            "https://swift.example.com/v1/AUTH_%(unknown)s",
        ]
    ):
        found.append(overridden(f"override-{i}", plain, url))
        found.append(overridden(f"override-{i}-unscoped", unscoped(plain), url))
    for official in ALIASED:
        names = discover._SERVICE_TYPES.get_all_types(official)
        for present in [names[:1], names[1:2], names[-1:], names[::-1], names[1:]]:
            given = token([service(name, REGIONS[:1], ["public"], name) for name in present])
            for wanted in [official, names[1]]:
                name = f"alias-{wanted}-in-{'-'.join(present)}"
                if name not in [one["name"] for one in found]:
                    found.append(recorded(name, given, wanted, "public", None))
        # The type itself is there, and not where it is wanted.
        given = token(
            [
                service(names[0], REGIONS[:1], ["public"], names[0]),
                service(names[-1], REGIONS[:2], ["public", "internal"], names[-1]),
            ]
        )
        for region, interface in [(None, "public"), (REGIONS[1], "public"), (None, "internal")]:
            name = f"alias-{official}-beside-{region or 'any'}-{interface}"
            found.append(recorded(name, given, official, interface, region))
    for i in range(count):
        given = some_token(dice)
        region = dice.choice(REGIONS) if dice.chance(0.3) else None
        found.append(recorded(f"random-{i}", given, TYPES[0], dice.choice(WISHES), region))
    return found


def recorded(name, body, service_type, interface, region):
    given = {"token": body, "service_type": service_type, "interface": interface, "region": region}
    known = discover._SERVICE_TYPES
    if known.is_known(service_type) and len(known.get_all_types(service_type)) > 1:
        # An alias matches the official type alone, as os-service-types says.
        official = known.get_service_type(service_type)
        others = known.get_all_types(service_type) if official == service_type else [official]
        given["aliases"] = [other for other in others if other != service_type]
    # What is read is not always what was given.
    catalogue = access.create(body=copy.deepcopy(body)).service_catalog
    try:
        url = catalogue.url_for(service_type, interface, region)
    except (exceptions.EmptyCatalog, exceptions.EndpointNotFound) as error:
        return case(name, given, {"error": type(error).__name__})
    return case(name, given, {"url": url})


def overridden(name, body, override):
    """The URL of a request whose endpoint the caller gives."""
    given = {"token": body, "service_type": "object-store", "interface": "public", "region": None}
    given["override"] = override
    adapter = Captured()
    made = keystone_session.Session(Given(body), session=session(adapter))
    try:
        made.get("", endpoint_override=override, authenticated=False)
    except (AttributeError, ValueError) as error:
        return case(name, given, {"error": type(error).__name__})
    return case(name, given, {"url": adapter.request.url.removesuffix("/")})


class Given(BaseIdentityPlugin):
    """An identity whose token is this one."""

    def __init__(self, body):
        super().__init__(auth_url="http://identity.example.com/v3")
        self.auth_ref = access.create(body=body, auth_token="t")
        self.reauthenticate = False

    def get_access(self, session):
        return self.auth_ref

    def get_auth_ref(self, session):
        return self.auth_ref

    def get_cache_id_elements(self):
        return {}


def token(catalogue):
    """A token, with what is not looked at left out."""
    return {
        "token": {
            "expires_at": "2026-01-02T04:04:05.000000Z",
            "user": {"id": USER},
            "project": {"id": PROJECT},
            "catalog": catalogue,
        }
    }


def unscoped(body):
    body = copy.deepcopy(body)
    del body["token"]["project"]
    return body


def service(kind, regions, interfaces=INTERFACES, host="h"):
    path = f"/v1/AUTH_{PROJECT}" if kind == "object-store" else "/v3"
    endpoints = [
        {
            "interface": interface,
            "region": region,
            "region_id": region,
            "url": f"http://{host}{i}.{interface}{path}",
        }
        for i, region in enumerate(regions)
        for interface in interfaces
    ]
    return {"id": "5d", "type": kind, "name": kind, "endpoints": endpoints}


def to_v2(body):
    """The same token as version 2 writes it: all interfaces of a region in one endpoint."""
    body = body["token"]
    services = []
    for one in body["catalog"]:
        regions = {}
        # In this order: JSON has none, and keystoneauth1 takes the first for any.
        for endpoint in sorted(one["endpoints"], key=lambda it: INTERFACES.index(it["interface"])):
            entry = regions.setdefault(endpoint["region"], {"region": endpoint["region"]})
            entry[endpoint["interface"] + "URL"] = endpoint["url"]
        services.append(one | {"endpoints": [*regions.values()]})
    return {
        "access": {
            "token": {
                "id": "t",
                "expires": body["expires_at"],
                "tenant": {"id": PROJECT},
            },
            "user": {"id": USER},
            "serviceCatalog": services,
        }
    }


def odd(body):
    """What catalogues of clouds that were set up in a hurry look like."""
    changed = []

    def change(how):
        made = copy.deepcopy(body)
        services = made["token"]["catalog"] if "token" in made else made["access"]["serviceCatalog"]
        how(made, services)
        changed.append(made)

    def catalogue(made):
        return (made["token"], "catalog") if "token" in made else (made["access"], "serviceCatalog")

    def emptied(made, _):
        owner, name = catalogue(made)
        owner[name] = []

    def absent(made, _):
        owner, name = catalogue(made)
        del owner[name]

    def urls(value, which):
        def how(_, services):
            for endpoint in services[1]["endpoints"][:which]:
                names = [name for name in endpoint if name == "url" or name.endswith("URL")]
                endpoint.update({name: value for name in names})

        return how

    def regions(how):
        def every(_, services):
            for one in services:
                for endpoint in one["endpoints"]:
                    how(endpoint)

        return every

    change(emptied)
    change(absent)
    change(lambda made, services: services.pop())
    change(lambda made, services: services[1].update(endpoints=[]))
    change(lambda made, services: services[1].pop("endpoints"))
    change(lambda made, services: services[0].pop("type"))
    change(lambda made, services: services[1].pop("name"))
    change(lambda made, services: services.reverse())
    change(lambda made, services: services.insert(0, services[1] | {"endpoints": []}))
    change(lambda made, services: services.append(services[0] | {"type": "object-store"}))
    change(lambda made, services: services[1].update(extra={"a": [1, None]}))
    change(lambda made, services: services[1]["endpoints"].insert(0, STRANGE | {"strangeURL": ""}))
    change(urls("", 1))
    change(urls(None, 1))
    change(urls("", 99))
    change(regions(lambda endpoint: endpoint.pop("region_id", None)))
    change(regions(lambda endpoint: endpoint.pop("region", None)))
    change(regions(lambda endpoint: endpoint.update(region_id=None)))
    change(regions(lambda endpoint: endpoint.update(region="other")))
    change(regions(lambda endpoint: endpoint.update(id="5d", enabled=True)))
    return changed


def some_token(dice):
    services = []
    for kind in [TYPES[0], dice.choice(TYPES)][: dice.randint(1, 2)]:
        regions = dice.sample(REGIONS, dice.randint(1, 3))
        interfaces = dice.sample(INTERFACES, dice.randint(1, 3))
        one = service(kind, regions, interfaces, dice.word(1, 3))
        dice.shuffle(one["endpoints"])
        for endpoint in one["endpoints"]:
            if dice.chance(0.1):
                endpoint["url"] = dice.choice(["", None])
            if dice.chance(0.1):
                endpoint["url"] = "https://swift.example.com/swift/v1/"
            if dice.chance(0.15):
                del endpoint["region_id"]
        services.append(one)
    dice.shuffle(services)
    made = token(services)
    return to_v2(made) if dice.chance(0.3) else made
