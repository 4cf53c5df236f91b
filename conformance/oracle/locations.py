"""location-s3, location-swift: what glance_store wrote into a location, and what it reads out of one.

Two kinds of facts. Of a location that glance_store *wrote*, it is known what it was given: that is
expected back, whatever its own reader makes of it. What it *reads* is expected where its grammar
leaves one way of reading. It does not, and a case is left out, where

- the authority is no host with a port from 1 to 65535: it takes any text for a host;
- what follows the host is not one slash, a container, a slash and an object without one: it takes
  the last two elements, and the host for all before them, however many slashes there are;
- an `@` stands before the path (S3): since 5.6.0 credentials are part of its host;
- it refuses a second `://` anywhere but before the host, `?` or `#` in credentials, or capitals in
  a scheme;
- it writes an object without the slash that it begins with (Swift);
- a name holds what apus writes with an escape, or what looks like one (`ESCAPED`): it writes all
  names as they are, and loses what follows a `?`.

Without backends that decide, names have no slashes, endpoints no paths of their own but versions
and accounts, and secrets nothing that looks like a port and a path. `locations_specified.py` says
what is right in these cases.
"""

import re

from common import ODD_CHARACTERS, ODD_KEYS, case
from glance_stores import (
    BAD_URI,
    ESCAPED,
    S3,
    S3_BEFORE,
    SWIFT,
    VERSION,
    VERSION_BEFORE,
    swift_conf,
)

S3_SOURCE = (
    f"written by {VERSION_BEFORE}, the last that kept credentials, and expected as it was given; "
    f"read and refused by {VERSION}. The text of an error is not compared"
)
SWIFT_SOURCE = (
    f"written by {VERSION} and expected as it was given; read and refused by the same. The text of "
    "an error is not compared"
)

HOSTS = [
    "s3.amazonaws.com",
    "objects.example:9000",
    "127.0.0.1:9000",
    "[::1]:9000",
    "[2001:db8::1]",
    "Store.Example",
    "host_1.example:443",
    "localhost:80",
    "my.dotted.name.example:65535",
]
PREFIXES = ["", "", "gateway", "object/store", "a.b/c_d/e"]
CONTAINERS = ["images", "glance", "glance-1", "b.u.c.k", "images_0f", "ImageS"]
SCHEMES = ["s3", "s3+http", "s3+https"]
SWIFT_SCHEMES = ["swift", "swift+http", "swift+https"]
SECRETS = [
    "secret",
    "a/b/c",
    "/lead",
    "trail/",
    "p:w",
    ":",
    "::/",
    "p@ss",
    "p@ss/w",
    "@",
    "what?",
    "#1",
    "a?b#c",
    "100%",
    "%2F%40",
    "9000/x",
    "a b",
    "é日🐦",
    "a+b=c&d",
    "[x]",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
]
AUTH_PATHS = ["", "/v3", "/identity/v3", "/v2.0", "/keystone/public/v3"]
STORAGE_PATHS = ["/v1/AUTH_a6944d", "/swift/v1", "/v1/KEY_7", "/swift/v1/AUTH_9f", ""]
SECOND_SCHEME = re.compile(r"[^:]*://(?:[^/?#@]*@)?[^/?#@:]*://[^/?#@][^?#@]*")
S3_READ = re.compile(r"s3(?:\+https?)?://([^/?#]*)/([^/?#]+)/([^/?#]+)/*([?#].*)?")
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]+))?")
# The host and a path that ends as addresses and storage URLs do, or a host alone.
SWIFT_READ = re.compile(
    r"swift(?:\+https?)?://(?:([^:@/]+(?::[^:@/]+)?:[^:@/]+)@)?([^/?#@]*)"
    r"((?:/[A-Za-z0-9._~-]+)*?/(?:v1(?:/[A-Z]+_[a-z0-9]+)?|v2\.0|v3))?"
    r"/((?!v\d|[A-Z]+_)[^/?#]+)/([^/?#]+)([?#].*)?"
)


def suites(dice_of, count):
    yield "location-s3", S3_SOURCE, s3_cases(dice_of("location-s3"), count or 50)
    yield "location-swift", SWIFT_SOURCE, swift_cases(dice_of("location-swift"), count or 50)


def s3_cases(dice, count):
    for i, host in enumerate(HOSTS):
        for scheme in SCHEMES:
            yield s3_read(f"host-{i}-{scheme}", f"{scheme}://{host}/{dice.choice(CONTAINERS)}/1f")
    for i, key in enumerate(names(ODD_KEYS)):
        if "/" not in key:
            host = dice.choice(HOSTS)
            yield s3_read(f"key-{i}", f"{dice.choice(SCHEMES)}://{host}/images/{key}")
        yield s3_written(f"written-key-{i}", dice, key=key)
    for i, secret in enumerate(SECRETS):
        yield s3_written(f"written-secret-{i}", dice, secret=secret)
        if is_plain(secret):
            yield s3_written(f"written-secret-{i}-alone", dice, secret=secret, alone=True)
    for i in range(count):
        yield s3_written(f"written-random-{i}", dice)
        yield s3_written(f"written-random-{i}-alone", dice, alone=True)
    yield from read_cases(dice, count, s3_read, "s3://host.example:9000/images/0e0b3f0c")


def s3_written(name, dice, key=None, secret=None, alone=False):
    """A location as the older version stored it, and as the newer one would."""
    scheme, host = dice.choice(SCHEMES), dice.choice(HOSTS)
    prefix = "" if alone else dice.choice(PREFIXES)
    access = dice.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 1, 20)
    if secret is None:
        secret = dice.text("abXY09/+:@?#% é=", 1, 24)
        while alone and not is_plain(secret):
            secret = dice.text("abXY09/+:?#% é=", 1, 24)
    if key is None:
        key = name_of(dice) if not alone else name_of(dice, "/@")
    bucket = dice.choice(CONTAINERS)
    specs = {
        "scheme": scheme,
        "s3serviceurl": f"{host}/{prefix}".strip("/"),
        "bucket": bucket,
        "key": key,
        "accesskey": access,
        "secretkey": secret,
    }
    given = {"uri": S3_BEFORE.StoreLocation(specs, None).get_uri()}
    if not alone:
        own = {"scheme": scheme, "host": host, "path_prefix": prefix, "bucket": bucket}
        given["backends"] = {"a-other": own | {"bucket": bucket + "2"}, "own": own}
    expect = {"scheme": scheme, "host": host, "path_prefix": prefix, "bucket": bucket, "key": key}
    expect |= {"access_key": access, "secret_key": secret}
    expect["credential_free"] = S3.StoreLocation(specs, None).get_uri()
    return case(name, given, expect)


def s3_read(name, uri):
    """None where the grammar leaves it open."""
    read = S3.StoreLocation({}, None)
    try:
        read.parse_uri(uri)
    except (BAD_URI, ValueError) as error:
        return refused(name, uri, error) if "@" not in uri else None
    parts = S3_READ.fullmatch(uri)
    if not parts or not is_host(parts[1]) or ESCAPED.search(read.key):
        return None
    expect = {"scheme": read.scheme, "host": read.s3serviceurl, "path_prefix": ""}
    expect |= {"bucket": read.bucket, "key": read.key, "access_key": None, "secret_key": None}
    if not parts[4]:
        expect |= {"formatted": read.get_uri(), "credential_free": read.get_uri()}
    return case(name, {"uri": uri}, expect)


def swift_cases(dice, count):
    for i, host in enumerate(HOSTS):
        for scheme in SWIFT_SCHEMES:
            path = dice.choice(AUTH_PATHS)
            yield swift_read(f"host-{i}-{scheme}", f"{scheme}://t:u:k@{host}{path}/glance/1f")
            path = dice.choice(STORAGE_PATHS)
            yield swift_read(f"storage-{i}-{scheme}", f"{scheme}://{host}{path}/glance/1f")
    for i, name in enumerate(names(ODD_KEYS)):
        yield swift_written(f"written-object-{i}", dice, obj=name)
        yield swift_written(f"written-storage-object-{i}", dice, obj=name, stored=True)
        if "/" not in name:
            yield by_reference(f"reference-object-{i}", dice, name)
    for i, secret in enumerate(SECRETS):
        yield swift_written(f"written-secret-{i}", dice, secret=secret)
        if is_plain(secret):
            yield swift_written(f"written-secret-{i}-alone", dice, secret=secret, alone=True)
        yield by_reference(f"reference-secret-{i}", dice, "1f", secret)
    for i in range(count):
        yield swift_written(f"written-random-{i}", dice)
        yield swift_written(f"written-random-{i}-alone", dice, alone=True)
        yield swift_written(f"written-storage-{i}", dice, stored=True)
    for i in range(max(count // 4, 1)):
        yield by_reference(f"reference-random-{i}", dice, name_of(dice, "/"))
    for i, uri in enumerate(["swift+config://nobody/c/o", "swift+config://ref1", "swift+config://"]):
        yield by_reference(f"reference-bad-{i}", dice, uri=uri)
    yield from read_cases(dice, count, swift_read, "swift+http://t:u:k@host.example/v3/glance/1f")
    yield from read_cases(dice, count, swift_read, "swift://host/v1/AUTH_a/glance/1f", "storage-")


def swift_written(name, dice, obj=None, secret=None, stored=False, alone=False):
    scheme, host, container = dice.choice(SWIFT_SCHEMES), dice.choice(HOSTS), dice.choice(CONTAINERS)
    if stored:
        path, tls = dice.choice(STORAGE_PATHS[:-1]), "" if scheme == "swift+http" else "s"
    else:
        path, tls = dice.choice(AUTH_PATHS), "" if scheme == "swift+http" else "s"
        if not alone:
            path = dice.choice([path, "/gate/way"])
    obj = obj or name_of(dice, "/" if alone or not path else "")
    obj = obj.replace("/", "_") if alone or not path else obj.lstrip("/")
    url = f"http{tls}://{host}{path}"
    user = dice.choice(["service:glance", "user", "te nant:us/er", "t:u:v", "é:ü", "a@b:c"])
    if secret is None:
        secret = dice.text("abXY09/+:@?#% é=", 1, 24)
        while alone and not is_plain(secret):
            secret = dice.text("abXY09/+:@?#% é=", 1, 24)
    if alone and "/" in user:
        user = "service:glance"
    specs = {"scheme": scheme, "auth_or_store_url": url, "container": container, "obj": obj}
    clean = SWIFT.StoreLocation(specs, None).get_uri()
    expect = {"scheme": scheme, "container": container, "object": obj, "formatted": clean}
    if stored:
        expect |= {"storage_url": url, "user": None, "key": None, "credential_free": clean}
        return case(name, {"uri": clean}, expect)
    own = {"auth_address": url, "user": user, "key": secret}
    references = {"aa": own | {"auth_address": f"http{tls}://{host}/other/v3"}, "own": own}
    written = SWIFT.StoreLocation(specs | own, swift_conf({}, "own"))
    given = {"uri": written.get_uri()}
    expect |= {"auth_url": url, "user": user, "key": secret, "credential_free": clean}
    if not alone:
        given["references"] = references
        expect["credential_free"] = written.get_uri(credentials_included=False)
    return case(name, given, expect)


def by_reference(name, dice, obj="1f", secret="secret", uri=None):
    address = dice.choice(["http://", "https://", ""]) + dice.choice(HOSTS)
    address += dice.choice(AUTH_PATHS)
    own = {"auth_address": address, "user": "service:glance", "key": secret}
    references = {"other": own | {"user": "other:glance"}, "ref1": own}
    uri = uri or f"swift+config://ref1/{dice.choice(CONTAINERS)}/{obj}"
    given = {"uri": uri, "references": references}
    read = SWIFT.StoreLocation({}, swift_conf(references))
    try:
        read.parse_uri(uri)
    except BAD_URI as error:
        return case(name, given, {"error": type(error).__name__})
    expect = {"scheme": read.scheme, "reference": "ref1", "container": read.container}
    expect |= {"object": read.obj, "user": read.user, "key": read.key, "formatted": uri}
    return case(name, given, expect | {"auth_url": read.swift_url, "credential_free": uri})


def swift_read(name, uri):
    """None where the grammar leaves it open."""
    read = SWIFT.StoreLocation({}, None)
    try:
        read.parse_uri(uri)
    except (BAD_URI, ValueError) as error:
        clear = uri.count("@") < 2 and not re.search("[?#].*@", uri)
        return refused(name, uri, error) if clear else None
    parts = SWIFT_READ.fullmatch(uri)
    credentials, host, path = parts.groups()[:3] if parts else (None, "", None)
    if not is_host(host) or "%" in (credentials or "") or ESCAPED.search(read.obj):
        return None
    expect = {"scheme": read.scheme, "container": read.container, "object": read.obj}
    expect |= {"user": read.user, "key": read.key}
    expect["auth_url" if credentials else "storage_url"] = read.swift_url
    if not parts[6]:
        read.user = read.key = None
        expect |= {"formatted": read.get_uri(), "credential_free": read.get_uri()}
    return case(name, {"uri": uri}, expect)


def refused(name, uri, error):
    clear = uri.count("://") < 2 or SECOND_SCHEME.fullmatch(uri)
    return case(name, {"uri": uri}, {"error": type(error).__name__}) if clear else None


def read_cases(dice, count, read, uri, kind=""):
    """What is short of something, and what slips of a hand make of a good location."""
    scheme, rest = uri.split("://")
    rest = rest.rpartition("@")[2]
    host, _, path = rest.partition("/")
    container = path.split("/")[-2]
    bad = [f"{host}", f"{host}/", f"{host}/{container}", f"{host}/{container}/", f"/{container}/o"]
    bad += ["", "/", "//", f"https://{rest}", f"{rest}://", "[::1/b/k", f"{rest}/"]
    made = {f"{kind}bad-{i}": f"{scheme}://{text}" for i, text in enumerate(bad)}
    made |= {f"{kind}no-scheme-{i}": text for i, text in enumerate([rest, f"://{rest}", "", "s3:"])}
    made |= {f"{kind}scheme-{other}": f"{other}://{rest}" for other in ["http", "file", "s4", "s3+"]}
    for i in range(count):
        slipped = uri
        for _ in range(dice.choice([1, 1, 2, 3])):
            at = dice.randrange(4, len(slipped) + 1)
            put = dice.choice(["/", ":", "@", "?", "#", "%", "//", "é" if "/" in slipped[9:at] else ""])
            slipped = slipped[:at] + put + slipped[at + dice.choice([0, 0, 1, 2]) :]
        made[f"{kind}slip-{i}"] = slipped
    yield from (read(name, uri) for name, uri in made.items())


def names(texts):
    return [text for text in texts if not ESCAPED.search(text)]


def name_of(dice, without=""):
    """A name of a few odd characters."""
    while True:
        text = dice.text([char for char in ODD_CHARACTERS if char not in without], 1, 16)
        if not ESCAPED.search(text):
            return text


def is_plain(secret):
    """Whether a reader without configuration can tell where it ends."""
    return "@" not in secret and not re.match(r"[0-9]+/", secret)


def is_host(text):
    found = HOST.fullmatch(text)
    return bool(found) and (found[1] is None or 0 < int(found[1]) < 65536)
