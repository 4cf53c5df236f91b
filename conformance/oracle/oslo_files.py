"""oslo-config: what oslo.config reads out of files and the environment.

The dialect by itself, with options that are texts; and a `glance-api.conf`, with the options that
glance_store's drivers register for each backend, and its way of falling back to `backend_defaults`.
Left out is

- a value that refers to an option which is registered and written nowhere: that is known to who
  registers options, and is an empty text, where apus knows of no such option and says so;
- a list with an empty item, which oslo.config keeps;
- a backend of an unknown kind that is the default one: oslo.config takes it, and glance_store does not;
- a backend without a kind, or whose options are not enough for it: that is for glance_store to say.
"""

import os
import pathlib
import tempfile
from importlib import metadata

from oslo_config import cfg

from common import case
from glance_stores import S3, SWIFT, SWIFT_UTILS, VERSION

import glance_store.driver  # noqa: E402 (after the modules it imports are mocks)

SOURCE = (
    f"oslo.config {metadata.version('oslo.config')}, with the options of {VERSION} where a backend "
    "has them. The text of an error is not compared"
)
GROUPS = ["DEFAULT", "g", "h"]
NAMES = ["a", "b", "c"]
LINES = [
    "a = 1",
    "a: 1=2",
    "a=1:2",
    "a = 'x'",
    'a = "x"',
    "a = '",
    "a = \"x'",
    "a='x' 'y'",
    "a = ''",
    "a =",
    "a = x\n  y\n\tz",
    "a =\n x",
    "a = x\n\n  y",
    "a = x\n# c\n  y",
    "a = 1 # c",
    "# a = 1",
    "; a = 1",
    "  a = 1",
    "a = 1\na = 2",
    "A = 5",
    "a b = 5",
    "= 1",
    "nonsense",
    "[g",
    "[]",
    "[ g ]\na = 1",
    "[G]\na = 1",
    "[g]\nb = 1\n[h]\na=2\n[g]\na=3",
    "[g] ; c",
    "a = $b",
    "b = x\na = $b/${b}y $$b \\$b $ $1 ${ ${b",
    "b = x\na = $g.b ${g.b} $h.b",
    "[DEFAULT]\nc = d\n[g]\na = $c",
    "a = $a",
    "a = $b\nb = $a",
    "a = $nothing",
    "a = ${nothing.b}",
    "a = $b.\nb = q",
    "b = '$c'\nc = \"z\"\na = $b",
    "a = 100%",
    "a = %(b)s\nb = 1",
    "a = é日🐦",
    "a = x\u00a0",
    "a = x\r",
    "a = x\ty",
    "a\t=\tx",
    "a = [x]",
    "a = x;y#z",
    "a = \\\\x\\n",
    "",
]
PIECES = ["a", "b", "c", " ", "=", ":", "\n", "\n", "$", "${", "}", "'", '"', "[g]\n", "[h]\n", "#"]
PIECES += ["x", "\\", "\n ", "\t", "$$", "g.", "[DEFAULT]\n", "é", ";", ".", "=", "\na=", "\nb = "]
IDS = ["fast", "cold", "vault"]
TRUE, FALSE = ["true", "True", "1", "on", "YES"], ["false", "False", "0", "off", "NO"]
# Values that both drivers and apus take, and some that neither does.
TEXTS = ["x", "'quoted'", '"quoted"', "with space", "é", "a,b", "50%", "$$5", "a#b"]
S3_VALUES = {
    "s3_store_region_name": ["eu-west-1", "", *TEXTS],
    "s3_store_create_bucket_on_put": [*TRUE, *FALSE, "maybe", ""],
    "s3_store_bucket_url_format": ["auto", "path", "virtual"],
    "s3_store_large_object_size": ["100", "0", " 7 ", "007", "-1", "many", "1.5"],
    "s3_store_large_object_chunk_size": ["5", "10", "x"],
    "s3_store_thread_pools": ["1", "10", "ten"],
    "s3_store_cacert": ["/etc/ssl/ca.pem", "$base/ca.pem", *TEXTS],
    "s3_store_enable_data_integrity_protection": [*TRUE, *FALSE, "2"],
    "s3_store_request_checksum_calculation": ["when_required", "when_supported", "sometimes"],
    "s3_store_response_checksum_validation": ["when_required", "when_supported", "sometimes"],
}
SWIFT_VALUES = {
    "swift_store_auth_insecure": [*TRUE, *FALSE, "maybe"],
    "swift_store_cacert": ["/etc/ssl/ca.pem", *TEXTS],
    "swift_store_region": ["RegionOne", *TEXTS],
    "swift_store_endpoint_type": ["publicURL", "adminURL", "internalURL", "everywhere"],
    "swift_store_service_type": ["object-store", "swift"],
    "swift_store_container": ["glance", "images"],
    "swift_store_large_object_size": ["5120", "900", "0", "x"],
    "swift_store_large_object_chunk_size": ["200", "1", "0"],
    "swift_store_create_container_on_put": [*TRUE, *FALSE],
    "swift_store_multiple_containers_seed": ["0", "1", "32", "33", "-1"],
    "swift_store_admin_tenants": ["a:b, c:d ,e", "one", ""],
    "swift_store_retry_get_count": ["0", "5", "-5"],
    "swift_store_expire_soon_interval": ["60", "0", "-60"],
    "swift_store_use_trusts": [*TRUE, *FALSE],
    "swift_buffer_on_upload": [*TRUE, *FALSE],
    "default_swift_reference": ["ref1", "other"],
}


def suites(dice_of, count):
    yield "oslo-config", SOURCE, cases(dice_of("oslo-config"), count or 40)


def cases(dice, count):
    for i, lines in enumerate(LINES):
        yield dialect(f"dialect-{i}", {"a.conf": f"[g]\n{lines}\n"})
    yield dialect("no-section", {"a.conf": "a = 1\n"})
    yield dialect("line-ends", {"a.conf": "[g]\r\na = x\r\n  y\r\nb = z\r\n"})
    yield dialect("line-separators", {"a.conf": "[g]\na = x\u2028y\x0bz\x0c\n"})
    yield dialect("later-file", {"a.conf": "[g]\na=1\nb=1\n", "b.conf": "[G]\na=2\nc=$b\n"})
    for i in range(count):
        text = "[g]\n" + "".join(dice.choice(PIECES) for _ in range(dice.randint(3, 24))) + "\n"
        yield dialect(f"random-{i}", {"a.conf": text})
    files = {"a.conf": "[DEFAULT]\nc=d\n[g]\na = 1\nb = 2\n"}
    for i, variables in enumerate(
        [
            {"OS_G__A": "3"},
            {"OS_G__A": "$b-$$"},
            {"OS_G__A": ""},
            {"OS_G__A": "'x'"},
            {"OS_H__A": "x", "OS_DEFAULT__C": "y"},
            {"OS_g__a": "x", "OS_A": "y", "OS__A": "z", "os_g__a": "w", "OS_G_A": "v"},
        ]
    ):
        yield dialect(f"environment-{i}", files, variables)
    for kind, values in [("s3", S3_VALUES), ("swift", SWIFT_VALUES)]:
        for option, texts in values.items():
            for i, text in enumerate(texts):
                yield backends(f"{option}-{i}", dice, {"fast": kind}, {"fast": {option: text}})
    for i in range(count):
        kinds = {name: dice.choice(["s3", "swift"]) for name in dice.sample(IDS, dice.randint(1, 3))}
        sections = {name: some(dice, kind) for name, kind in kinds.items()}
        sections["backend_defaults"] = some(dice, "s3", 2) | some(dice, "swift", 2)
        yield backends(f"backends-random-{i}", dice, kinds, sections)
    for i, text in enumerate(["a:s3, a:swift", "fast", "fast:s3, cold", ":s3"]):
        yield backends(f"enabled-backends-{i}", dice, {}, {}, text)


def dialect(name, files, variables=None):
    """Every option of every group, where it is something, and one that is nothing."""
    given = {"files": files, "environment": variables or {}}
    written = {
        (group, option)
        for group in GROUPS
        for option in NAMES
        if read(given, [(group, cfg.StrOpt(option))], probe=True)
    }
    every = read(given, [(group, cfg.StrOpt(option)) for group in GROUPS for option in NAMES])
    known = read(given, [(group, cfg.StrOpt(option)) for group, option in sorted(written)])
    if "error" in every or "error" in known:
        return case(name, given, every) if every == known else None
    for group in known["options"]:
        for option in known["options"][group]:
            if known["options"][group][option] != every["options"][group][option]:
                return None
    known["options"].setdefault("g", {}).setdefault("nothing", None)
    return case(name, given, known)


def read(given, options, probe=False):
    """All these options, or what is wrong; with `probe`, whether the only one is written."""
    conf = cfg.ConfigOpts()
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for file, text in given["files"].items():
            paths.append(pathlib.Path(folder) / file)
            paths[-1].write_bytes(text.encode())
        os.environ.update(given["environment"])
        try:
            for group, option in options:
                conf.register_opt(option, group=None if group == "DEFAULT" else group)
            conf(args=[], default_config_files=[str(path) for path in paths], default_config_dirs=[])
            found = {}
            for group, option in options:
                if probe:
                    place = conf.get_location(option.dest, None if group == "DEFAULT" else group)
                    return place is not None and place.location != cfg.Locations.opt_default
                section = conf if group == "DEFAULT" else conf[group]
                found.setdefault(group, {})[option.dest] = section[option.dest]
            return {"options": found}
        except cfg.ConfigFileParseError:
            return False if probe else {"error": "ConfigFileParseError"}
        except (
            cfg.ConfigFileValueError,
            cfg.TemplateSubstitutionError,
            cfg.NoSuchOptError,
            cfg.NoSuchGroupError,
        ) as error:
            return True if probe else {"error": type(error).__name__}
        except RecursionError:
            return True if probe else {"error": "RecursionError"}
        finally:
            for variable in given["environment"]:
                del os.environ[variable]


def backends(name, dice, kinds, sections, enabled=None):
    """A glance-api.conf, and what glance_store sees of the options that are in it."""
    if enabled is None:
        enabled = ", ".join(f"{one}:{kind}" for one, kind in kinds.items())
    lines = ["[DEFAULT]", "base = /etc/glance", f"enabled_backends = {enabled}", ""]
    for group, options in sections.items():
        options = required(kinds.get(group), group) | options
        lines += [f"[{group}]", *(f"{option} = {text}" for option, text in options.items()), ""]
    lines += ["[glance_store]", f"default_backend = {dice.choice([*kinds] or ['fast'])}", ""]
    given = {"files": {"glance-api.conf": "\n".join(lines)}, "environment": {}}
    return case(name, given, seen(given, kinds, sections))


def seen(given, kinds, sections):
    every = {"s3": S3._S3_OPTS, "swift": SWIFT._SWIFT_OPTS + SWIFT_UTILS.swift_opts}
    conf = glance_store.driver.CONF
    conf.reset()
    for group in [*IDS, "backend_defaults"]:
        for options in every.values():
            conf.register_opts(options, group=group)
            conf.unregister_opts(options, group=group)
    for option in [cfg.StrOpt("base"), cfg.DictOpt("enabled_backends")]:
        conf.register_opt(option)
    conf.register_opt(cfg.StrOpt("default_backend"), group="glance_store")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "glance-api.conf"
        path.write_text(given["files"]["glance-api.conf"])
        try:
            conf(args=[], default_config_files=[str(path)], default_config_dirs=[])
            found = {"DEFAULT": {"enabled_backends": conf.enabled_backends}}
            found["glance_store"] = {"default_backend": conf.glance_store.default_backend}
            for group, kind in kinds.items():
                own = glance_store.driver.BackendGroupConfiguration(every[kind], group, conf)
                asked = {**required(kind, group), **sections[group], **sections.get("backend_defaults", {})}
                ours = [option.dest for option in every[kind]]
                found[group] = {name: getattr(own, name) for name in asked if name in ours}
            return {"options": found}
        except cfg.ConfigFileValueError as error:
            return {"error": type(error).__name__}


def some(dice, kind, most=6):
    """Good values; what is bad is tried alone."""
    values = S3_VALUES if kind == "s3" else SWIFT_VALUES
    names = dice.sample([*values], dice.randint(1, most))
    return {name: dice.choice(values[name][:2]) for name in names}


def required(kind, group):
    if kind == "s3":
        return {
            "s3_store_host": f"https://{group}.example",
            "s3_store_access_key": "AKID",
            "s3_store_secret_key": "'se $$cret'",
            "s3_store_bucket": "images",
        }
    if kind == "swift":
        return {
            "swift_store_auth_address": f"https://{group}.example/v3",
            "swift_store_user": "service:glance",
            "swift_store_key": '"p@ss"',
        }
    return {}
