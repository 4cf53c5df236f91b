"""migration: what glance makes of a stored location when an image is looked at, by its own functions.

`update_store_in_locations` with several backends, whose prefixes are those of glance_store's drivers;
`_update_s3_locations_for_single_store` with one. The image is kept by nobody: that it would have been
is `changed`.

glance compares texts. A case is recorded where that is the same as comparing scheme, host, port,
prefix and bucket, and nothing is lost; left out are, and `specified` says what is right,

- an `@` behind the host, and a `?` or `#` anywhere: what stands before the last `@` is destroyed, or
  a query lost, or credentials kept;
- a location in the bucket of no backend or of several: credentials that no configured
  ones replace are dropped, or the first backend whose prefix matches is taken;
- brackets in a secret, which it takes for an address's, and stops with an error of Python's;
- another spelling of the same place (`s3+http`, a host in capitals, the scheme's own port);
- a `store` that is a backend's, and not the one where the object is: it is left so;
- with one backend, a `store` that is not its name: none is ever written.
"""

import types
from importlib import metadata
from unittest import mock

import glance
from oslo_config import cfg

from common import ODD_CHARACTERS, ODD_KEYS, case
from glance_stores import LOCATION, S3, S3_BEFORE, VERSION, VERSION_BEFORE
from locations import HOSTS, PREFIXES, SECRETS

glance.domain = mock.MagicMock()

from glance import location as glance_location  # noqa: E402 (after what it imports)
from glance.common import store_utils  # noqa: E402

SOURCE = (
    f"glance {metadata.version('glance')}: store_utils.update_store_in_locations and "
    f"location._update_s3_locations_for_single_store, with the prefixes of {VERSION}; the old "
    f"locations are written by {VERSION_BEFORE}"
)
SPECIFIED = (
    "By hand: what apus specifies, after s3-location-without-credentials, where glance loses, "
    "destroys or guesses, or does with one backend what it does with several. Each name says what is "
    "right"
)
IDS = ["fast", "cold", "vault"]
CONF = cfg.CONF
CONF.register_opts([cfg.DictOpt("enabled_backends")])


def suites(dice_of, count):
    yield "migration", SOURCE, cases(dice_of("migration"), count or 60)
    yield "migration.specified", SPECIFIED, specified()


def cases(dice, count):
    keys = [key for key in ODD_KEYS if is_plain(key)]
    for mode in ["multi", "single"]:
        for i, key in enumerate(keys):
            yield from recorded(f"{mode}-key-{i}", dice, mode, key=key)
        for i, secret in enumerate(secret for secret in SECRETS if is_plain(secret, "?#[]")):
            yield from recorded(f"{mode}-secret-{i}", dice, mode, secret=secret)
        for i in range(count):
            yield from recorded(f"{mode}-random-{i}", dice, mode)


def recorded(name, dice, mode, key=None, secret=None):
    """What becomes of an old or a new location; what was changed is looked at once more."""
    stores = some_stores(dice, mode)
    own = dice.choice([*stores])
    options = stores[own]["options"]
    specs = {
        "s3serviceurl": options["s3_store_host"],
        "bucket": options["s3_store_bucket"],
        "key": key or some_text(dice, "@?#"),
        "accesskey": dice.choice([options["s3_store_access_key"], "ROTATED"]),
        "secretkey": secret or some_text(dice, "?#[]"),
    }
    if not secret and dice.chance(0.3):
        del specs["accesskey"]
    metadata = {"store": own} if mode == "single" else dice.choice([{}, {"store": own}, {"store": "gone"}])
    metadata = dice.choice([{}, {"region": "north", "n": 1}]) | metadata
    url = S3_BEFORE.StoreLocation(specs, None).get_uri()
    first = looked_at(name, mode, stores, url, metadata)
    yield first
    if first["expect"]["changed"] and not (key or secret):
        now = first["expect"]
        yield looked_at(f"{name}-again", mode, stores, now["url"], now["metadata"])


def looked_at(name, mode, stores, url, metadata):
    place = {"url": url, "metadata": dict(metadata)}
    image = types.SimpleNamespace(image_id="1f", locations=[place])
    repo = mock.Mock()
    if mode == "multi":
        backends(stores)
        store_utils.update_store_in_locations(None, image, repo)
    else:
        glance_location._update_s3_locations_for_single_store(image, repo)
    expect = {
        "url": place["url"],
        "metadata": place["metadata"],
        "changed": repo.save.called,
        "credentials_found": place["url"] != url,
        "refused": None,
    }
    location = {"url": url, "metadata": metadata}
    return case(name, {"stores": stores, "mode": mode, "location": location}, expect)


def backends(stores):
    """Registers them as glance_store does."""
    CONF.set_override("enabled_backends", {name: store["driver"] for name, store in stores.items()})
    maps = LOCATION.SCHEME_TO_CLS_BACKEND_MAP
    maps.clear()
    for name, store in stores.items():
        CONF.register_opts(S3._S3_OPTS, group=name)
        for option, value in store["options"].items():
            CONF.set_override(option, value, group=name)
        driver = S3.Store(CONF, backend=name)
        driver.configure(re_raise_bsc=True)
        for scheme in driver.get_schemes():
            maps.setdefault(scheme, {})[name] = {"store": driver}


def some_stores(dice, mode):
    """Buckets of which none begins like another at the same place."""
    if mode == "single":
        return {"s3": store(*some_place(dice), "images")}
    same = some_place(dice)
    stores = {}
    for name in dice.sample(IDS, dice.randint(1, 3)):
        place = same if dice.chance(0.5) else some_place(dice)
        stores[name] = store(*place, f"{name}-images", f"KEY{name.upper()}")
    return stores


def some_place(dice):
    return dice.choice(["http", "https"]), dice.choice(HOSTS), dice.choice(PREFIXES)


def store(scheme, host, prefix, bucket, access="CONFIGURED"):
    options = {
        "s3_store_host": f"{scheme}://{host}/{prefix}".strip("/"),
        "s3_store_bucket": bucket,
        "s3_store_access_key": access,
        "s3_store_secret_key": "configured",
    }
    return {"driver": "s3", "options": options}


def some_text(dice, without):
    while True:
        text = dice.text([char for char in ODD_CHARACTERS if char not in without], 1, 16)
        if is_plain(text, without):
            return text


def is_plain(text, without="@?#"):
    """Nothing in it that glance takes for something else; slashes at the end are no part of a key."""
    return not any(char in text for char in without + "\t\n\x01") and not text.endswith("/")


def specified():
    fast = store("https", "h:9000", "gw", "images", "FAST")
    cold = store("http", "h", "", "images", "COLD")
    cold2 = store("http", "h", "", "images2", "COLD")
    slash = store("http", "h/", "", "images", "COLD")
    several = {"cold": cold, "cold2": cold2, "fast": fast}
    twins = {"one": store("http", "h", "", "images", "K1"), "two": store("http", "h", "", "images", "K2")}
    one, old = {"s3": cold}, "s3://K:S@h/images/"
    unknown, shared = "s3://K:S@evil/images/1f", "s3://K1:S@h/images/1f"
    neither = "s3://K3:S@h/images/1f"

    # With several backends: name, stores, url, store; then url, store.
    for why, stores, url, before, expect in [
        ("an @ in a clean key is kept", several, "s3://h/images/a@c", "cold", None),
        ("an @ in a key is kept", several, old + "a@c", None, ("s3://h/images/a@c", "cold")),
        ("a query is kept", several, old + "k?v=1", "cold", ("s3://h/images/k?v=1", "cold")),
        ("a query of a clean location is kept", several, "s3://h/images/k?a=b@c", "cold", None),
        ("a fragment is kept", several, old + "k#a@b", "cold", ("s3://h/images/k#a@b", "cold")),
        ("a secret may hold ?", several, "s3://K:S?z@h/images/k", "cold", ("s3://h/images/k", "cold")),
        ("a secret may hold #", several, "s3://K:S#z@h/images/k", "cold", ("s3://h/images/k", "cold")),
        ("bucket2 is not bucket", several, "s3://h/images2/k", None, ("s3://h/images2/k", "cold2")),
        ("s3+http is http", several, "s3+http://h/images/k", None, ("s3+http://h/images/k", "cold")),
        ("port 80 is that of http", several, "s3://h:80/images/k", None, ("s3://h:80/images/k", "cold")),
        ("hosts have no case", several, "s3://H/images/k", None, ("s3://H/images/k", "cold")),
        ("schemes have no case", several, "S3://K:S@h/images/k", "cold", ("s3://h/images/k", "cold")),
        ("a pair of empty texts goes", several, "s3://:@h/images/k", "cold", ("s3://h/images/k", "cold")),
        (
            "a slash at the end of the option does not count",
            {"cold": slash},
            "s3://h/images/k",
            None,
            ("s3://h/images/k", "cold"),
        ),
        (
            "a store at another server is replaced",
            several,
            "s3://h/images/k",
            "fast",
            ("s3://h/images/k", "cold"),
        ),
        (
            "https is not http",
            several,
            "s3+https://K:S@h:9000/gw/images/k",
            None,
            ("s3+https://h:9000/gw/images/k", "fast"),
        ),
        ("keys that were rotated are no reason to write", several, "s3://h/images/k", "cold", None),
        ("a bucket of nobody keeps its credentials", several, "s3://K:S@h/mine/k", None, None),
        ("a bucket of nobody keeps its credentials whatever its store", several, "s3://K:S@h/mine/k", "cold", None),
        ("a bucket of nobody at the server of its store", several, "s3://h/mine/k", "cold", None),
        (
            "credentials in the bucket of another backend than its store",
            several,
            "s3://K:S@h/images2/k",
            "cold",
            ("s3://h/images2/k", "cold2"),
        ),
        (
            "the keys of its store go in a bucket of nobody",
            several,
            "s3://COLD:configured@h/mine/k",
            "cold",
            ("s3://h/mine/k", "cold"),
        ),
        ("the keys of two backends in a bucket of nobody", several, "s3://COLD:configured@h/mine/k", None, None),
        ("of two backends it is that with its key", twins, shared, None, ("s3://h/images/1f", "one")),
        ("of two backends it is that of its store", twins, shared, "two", ("s3://h/images/1f", "two")),
        ("a key of neither of two backends is used and kept", twins, neither, None, None),
        ("the store of one of two backends stays", twins, "s3://h/images/1f", "two", None),
    ]:
        yield by_hand(why, "multi", stores, url, before, expect)
    for why, stores, url, before in [
        ("credentials of an unknown host are not dropped", several, unknown, None),
        ("a store does not vouch for an unknown host", several, unknown, "cold"),
        ("configured keys do not go to an unknown host", several, "s3://evil/images/1f", "cold"),
        ("a bucket that begins like another is nobody's", {"cold": cold}, "s3://h/images2/k", None),
        ("of two backends with the bucket none is guessed", twins, "s3://h/images/1f", None),
        ("another prefix is another place", several, "s3+https://h:9000/other/images/k", "fast"),
        ("prefix or bucket of an unknown host: ambiguous", several, "s3://K:S@evil/p/b/k", None),
        ("a second scheme", several, "s3://K:S@https://h/images/k", "cold"),
        ("no key", several, "s3://K:S@h/images", "cold"),
        ("one word is no pair", several, "s3://K@h/images/k", "cold"),
    ]:
        yield by_hand(why, "multi", stores, url, before, refused=True)
    foreign = by_hand("an unknown host, where the caller allows it", "multi", several, unknown, "cold")
    foreign["input"]["allow_foreign"] = True
    yield foreign
    foreign = by_hand(
        "an unknown host without credentials, whatever the caller allows",
        "multi",
        several,
        "s3://evil/images/1f",
        "cold",
        refused=True,
    )
    foreign["input"]["allow_foreign"] = True
    yield foreign

    # With one backend, `store` is its entry's name too.
    for why, url, before, expect in [
        ("one backend: store is written", "s3://h/images/k", None, ("s3://h/images/k", "s3")),
        ("one backend: credentials go", old + "k", None, ("s3://h/images/k", "s3")),
        ("one backend: a store of former days", "s3://h/images/k", "cold", ("s3://h/images/k", "s3")),
        ("one backend: nothing to do", "s3://h/images/k", "s3", None),
        ("one backend: an @ in a clean key is kept", "s3://h/images/a@c", "s3", None),
        ("one backend: a query is kept", old + "k?v=1", "s3", ("s3://h/images/k?v=1", "s3")),
        ("one backend: a bucket of former days", "s3://K:S@h/mine/k", "s3", None),
        ("one backend: a bucket of nobody", "s3://K:S@h/mine/k", None, None),
        (
            "one backend: its own keys go in a bucket of former days",
            "s3://COLD:configured@h/mine/k",
            None,
            ("s3://h/mine/k", "s3"),
        ),
    ]:
        yield by_hand(why, "single", one, url, before, expect)
    for why, url, before in [
        ("one backend: an unknown host", unknown, "s3"),
        ("one backend: an unknown host without credentials", "s3://evil/images/k", "s3"),
        ("one backend: a bucket that begins like its own", "s3://h/images2/k", None),
    ]:
        yield by_hand(why, "single", one, url, before, refused=True)


def by_hand(why, mode, stores, url, before, expect=None, refused=False):
    """`expect` is the new location and its store; none where nothing is changed."""
    before = {"owner": "x"} | ({"store": before} if before else {})
    found = "@" in url.split("/images")[0].split("/mine")[0]
    given = {"stores": stores, "mode": mode, "location": {"url": url, "metadata": before}}
    now, metadata = (expect[0], before | {"store": expect[1]}) if expect else (url, before)
    return case(
        why,
        given,
        {
            "url": now,
            "metadata": metadata,
            "changed": bool(expect),
            "credentials_found": found and not refused,
            "refused": why if refused else None,
        },
    )
