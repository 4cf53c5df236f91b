"""swift-tempurl: URLs that swiftclient makes, each tried on Swift's own middleware."""

import string
import time
import urllib.parse

import swiftclient.utils

from common import ODD_CHARACTERS, ODD_KEYS, case
from keystone_auth import SWIFTCLIENT
from swift_server import ACCOUNT, VERSION, Store, ask, server

SOURCE = (
    f"{SWIFTCLIENT}: generate_temp_url. It encodes nothing, so its path is percent-encoded here, "
    f"all but `/`, and the values of its query; {VERSION}'s tempurl middleware has taken each of "
    "these URLs, and none with another key or (where there is a range) from another address"
)

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
DIGESTS = ["sha1", "sha256", "sha512"]
# The middleware knows whether a time has passed by this machine's clock.
EXPIRES = [4102444800, 4102444799, 4133980799, 9999999999]
RANGES = {
    "192.0.2.7": "192.0.2.8",
    "192.0.2.0/24": "192.0.3.1",
    "2001:db8::/32": "2001:db9::1",
    "2001:db8::7": "2001:db8::8",
}


def suites(dice_of, count):
    yield "swift-tempurl", SOURCE, cases(dice_of("swift-tempurl"), count or 50)


def cases(dice, count):
    found = []
    path = f"{ACCOUNT}/container/object"
    for digest in DIGESTS:
        for method in METHODS:
            found.append(recorded(f"{digest}-{method}", method, path, "mykey", EXPIRES[0], digest))
        for name, more in {
            "prefix": {"prefix": True},
            "iso8601": {"iso8601": True},
            "prefix-iso8601": {"prefix": True, "iso8601": True},
        }.items():
            found.append(
                recorded(f"{digest}-{name}", "GET", path, "mykey", EXPIRES[1], digest, **more)
            )
        for i, ip_range in enumerate(RANGES):
            for prefix in [False, True]:
                more = {"ip_range": ip_range, "prefix": prefix}
                name = f"{digest}-range-{i}{'-prefix' * prefix}"
                found.append(recorded(name, "GET", path, "mykey", EXPIRES[0], digest, **more))
    for i, key in enumerate(ODD_KEYS):
        # Slashes alone are no name to the middleware.
        if not key.strip("/"):
            continue
        digest, prefix = DIGESTS[i % 3], i % 4 == 3
        path = f"{ACCOUNT}/{'c' if i % 2 else 'con tainer+é'}/{key}"
        found.append(recorded(f"name-{i}", "GET", path, "k", EXPIRES[0], digest, prefix=prefix))
    path = f"{ACCOUNT}/c/"
    found.append(recorded("prefix-of-all", "GET", path, "k", EXPIRES[0], "sha256", prefix=True))
    for i, key in enumerate(["k", "x" * 200, "with space", "Schlüssel", "🔑", "a=b&c", "%41"]):
        name = f"key-{i}"
        found.append(recorded(name, "PUT", f"{ACCOUNT}/c/o", key, EXPIRES[2], DIGESTS[i % 3]))
    for i in range(count):
        name = dice.choice("abc") + dice.text(ODD_CHARACTERS, 1, 20)
        more = {"prefix": dice.chance(0.3), "iso8601": dice.chance(0.3)}
        if dice.chance(0.3):
            more["ip_range"] = dice.choice(list(RANGES))
        key = dice.text(string.ascii_letters + string.digits + "+/= ß", 1, 40)
        found.append(
            recorded(
                f"random-{i}",
                dice.choice(METHODS),
                f"{ACCOUNT}/{dice.bucket()}/{name}",
                key,
                dice.choice(EXPIRES),
                dice.choice(DIGESTS),
                **more,
            )
        )
    return found


def recorded(name, method, path, key, expires, digest, prefix=False, iso8601=False, ip_range=None):
    url = swiftclient.utils.generate_temp_url(
        path, expires, key, method, True, prefix, iso8601, ip_range, digest
    )
    query = url.removeprefix(path).removeprefix("?")
    if prefix:
        # The prefix stands last, as it is.
        query, _, _ = query.partition("&temp_url_prefix=")
    pairs = [tuple(pair.split("=", 1)) for pair in query.split("&")]
    if prefix:
        pairs.append(("temp_url_prefix", path.split("/", 4)[4]))
    url = f"{urllib.parse.quote(path)}?" + urllib.parse.urlencode(
        pairs, quote_via=urllib.parse.quote, safe=""
    )
    check(method, url, key, prefix, ip_range)
    given = {"method": method, "path": path, "key": key, "expires": expires, "digest": digest}
    more = {"prefix": prefix, "iso8601": iso8601, "ip_range": ip_range}
    return case(name, given | {name: value for name, value in more.items() if value}, {"url": url})


def check(method, url, key, prefix, ip_range):
    """The middleware lets it through, and what is not it not."""
    if prefix:
        path, _, query = url.partition("?")
        url = f"{path}more/of%20it?{query}"
    store = Store()
    path = urllib.parse.unquote(url.partition("?")[0])
    store.put(path.removeprefix(ACCOUNT), b"data")
    address = (ip_range or "192.0.2.7").partition("/")[0]

    def status(key, address):
        return ask(server(store, [key]), method, url, address=address)[0]

    assert status(key, address) in [200, 201, 204], (method, url)
    assert status(key + "x", address) == 401, url
    if ip_range:
        assert status(key, RANGES[ip_range]) == 401, url


assert time.time() < EXPIRES[0], "the times of these cases have passed"
