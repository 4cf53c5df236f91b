"""Files as operators write them, generated: what the real parsers make of them.

`oslo-config.generated`: oslo.config's dialect. `swift-references`: the file of references, by
glance_store's reader of it. `enabled-backends`: the list of backends, by oslo.config's type and
glance_store's entry points. The vectors are a sample; how many were compared, and where apus differs
on purpose, is in `conformance/README.md`. Left out is a reference to a section in another case than
the section's (`${H.b}` of `[h]`), which oslo.config finds only as a program has registered it.
"""

import configparser
import io
import logging
import pathlib
import re
import tempfile
from importlib import metadata

from oslo_config import cfg

from common import case
from glance_stores import SWIFT, SWIFT_UTILS, VERSION

from glance_store import exceptions  # noqa: E402 (after the modules it imports are mocks)

URL = re.compile(r"(https?://)?[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9./]*)?")
OSLO = f"oslo.config {metadata.version('oslo.config')}"
ENTRY_POINTS = {
    point.name for point in metadata.entry_points(group="glance_store.drivers") if point.name != "no_conf"
}
# `get_store_from_store_identifier` looks a backend up by its kind among the drivers' schemes.
USABLE = {"cinder", "file", "http", "rbd", "s3", "swift"} & ENTRY_POINTS

LINES = [
    "{name} = {value}",
    "{name}={value}",
    "{name}: {value}",
    "{name} : {value}",
    "{name}\t=\t{value}",
    "{name} = {value} # comment",
    "{name} = {value} ; comment",
    "{name} =",
    "{name}",
    "= {value}",
    " {name} = {value}",
    "\t{name} = {value}",
    "  {value}",
    "\t{value}",
    "# {name} = {value}",
    "; {name} = {value}",
    "  # {value}",
    "",
    "   ",
    "[{group}]",
    "[{group}] # comment",
    " [{group}]",
    "[{group}",
    "[]",
    "[ {group} ]",
    "[DEFAULT]",
    "{name} = {value}\n    {value}",
    "{name} = {value}\n\n    {value}",
    "{name} = {value}\n# comment\n    {value}",
    "{name} = {value}\n\t; comment\n\t{value}",
    "{name} =\n  {value},\n  {value}",
]
WEIGHTS = [12, 6, 5, 2, 2, 3, 2, 3, 1, 1, 2, 1, 1, 1, 3, 2, 1, 5, 1, 9, 1, 1, 1, 1, 1, 3, 4, 2, 2, 1, 2]
VALUES = [
    "x",
    "1",
    "a b",
    "'quoted'",
    '"quoted"',
    "'half",
    'half"',
    "'",
    '"',
    "''",
    "'a' 'b'",
    "\"it's\"",
    "50%",
    "50%%",
    "%(a)s",
    "%(B)s%%",
    "%(nothing)s",
    "%(a",
    "%",
    "$a",
    "${b}x",
    "$$5",
    "\\$5",
    "$nothing",
    "${g.a}",
    "${H.b}",
    "$",
    "$ a",
    "a=b:c",
    "[x]",
    "é日🐦",
    "tab\there",
    "x\u00a0",
    "\u3000x",
    "x\x1c",
    "x\x0by",
    "#x",
    ";x",
    "x#y",
    "a,b , c",
    "https://k:5000/v3",
    "p:u",
]
ENDS = ["\n", "\n", "\n", "\n", "\r\n", "\r"]


# The forms of lines and the values that end the reading of a file in one of the dialects, or may.
FAULTY_LINES = {LINES[at] for at in [8, 9, 10, 11, 12, 13, 16, 20, 21, 22, 23, 24, 27, 28, 29]}
FAULTY_VALUES = {"$nothing", "${g.a}", "${H.b}", "$a", "${b}x", "%(nothing)s", "%(a", "%", "50%", "%(a)s", "%(B)s%%"}


def written(dice, names, groups, values, most=14):
    """The text of a file. Two of three have no line that is refused by itself."""
    faulty = dice.chance(1 / 3)
    weights = [
        0 if line in FAULTY_LINES and not faulty else weight for line, weight in zip(LINES, WEIGHTS)
    ]
    values = [value for value in values if faulty or value not in FAULTY_VALUES or dice.chance(0.1)]
    lines = [] if faulty and dice.chance(0.1) else [f"[{dice.choice(groups)}]"]
    for _ in range(dice.randint(0, most)):
        form = dice.choices(LINES, weights)[0]
        lines.append(
            form.format(
                name=dice.choice(names), value=dice.choice(values), group=dice.choice(groups)
            )
        )
    end = dice.choice(ENDS)
    text = end.join(lines).replace("\n", end)
    if dice.chance(0.9):
        text += end
    return "\ufeff" + text if dice.chance(0.02) else text


# --- oslo.config ---------------------------------------------------------------------------------

GROUPS, NAMES = ["g", "g", "G", "h", "DEFAULT", "default"], ["a", "b", "c", "A", "a b"]


def oslo_file(dice, name):
    text = written(dice, NAMES, GROUPS, VALUES)
    expect = oslo_reads(text)
    return expect and case(name, {"files": {"a.conf": text}}, expect)


def oslo_reads(text):
    """All options of the file, or the error of the first that can't be read.

    An option that nothing writes is not registered: what refers to it is refused, as by apus, which
    does not know what others register."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a.conf"
        path.write_bytes(text.encode())
        try:
            sections = parsed(path)._normalized[0]
        except cfg.ConfigFileParseError:
            return {"error": "ConfigFileParseError"}
        there = [(group, name) for group, options in sections.items() for name in options]
        conf = cfg.ConfigOpts()
        for group, name in there:
            conf.register_opt(cfg.StrOpt(name), group=None if group == "DEFAULT" else group)
        conf(args=[], default_config_files=[str(path)], default_config_dirs=[])
        found = {}
        for group, name in there:
            section = conf if group == "DEFAULT" else conf[group]
            try:
                found.setdefault(group, {})[name] = section[name]
            except (
                cfg.ConfigFileValueError,
                cfg.TemplateSubstitutionError,
                cfg.NoSuchOptError,
                cfg.NoSuchGroupError,
                RecursionError,
            ) as error:
                other_case = "${H.b}" in text and "h" in sections
                if other_case and isinstance(error, (cfg.NoSuchGroupError, cfg.NoSuchOptError)):
                    return None
                return {"error": type(error).__name__}
        found.setdefault("g", {}).setdefault("nothing", None)
        return {"options": found}


def parsed(path):
    namespace = cfg._Namespace(cfg.ConfigOpts())
    cfg.ConfigParser._parse_file(str(path), namespace)
    return namespace


# --- the file of references ----------------------------------------------------------------------

OPTIONS = ["auth_address", "user", "key", "USER", "project_domain_id", "user_domain_name", "auth_version"]
OPTIONS += ["application_credential_id", "application_credential_secret", "project_name", "a", "b"]
ADDRESSES = ["https://k:5000/v3", "'k/v3'", '"http://k"', "k:5000", "$", "50%%", "%(a)s", "", "'k"]
WHOLE = [
    ["auth_address = https://k/v3", "user = p:u", "key = {value}"],
    ["auth_address = {address}", "application_credential_id = i", "application_credential_secret = s"],
    ["auth_address = k:5000", "user = {value}", "key = \"{value}\"", "user_domain_id = d"],
]


def reference_file(dice, name):
    parts = []
    for group in dice.sample(["ref1", "ref2", "Ref1", "r f"], dice.randint(0, 2)):
        value, address = dice.choice(VALUES), dice.choice(ADDRESSES)
        lines = [line.format(value=value, address=address) for line in dice.choice(WHOLE)]
        parts.append("\n".join([f"[{group}]", *lines, ""]))
    if dice.chance(0.5) or not parts:
        most = dice.choice([2, 8])
        parts.insert(
            dice.randint(0, len(parts)),
            written(dice, OPTIONS, ["ref1", "ref3", "REF1", "DEFAULT"], VALUES, most) + "\n",
        )
    text = "".join(parts)
    expect = references(text)
    return expect and case(name, {"text": text}, expect)


def references(text):
    """What `SwiftParams` makes of the file, as far as `SingleTenantStore` takes it for a default; None
    where it takes an address that is no URL, and fails when it is used."""
    conf = cfg.ConfigOpts()
    conf.register_opts(SWIFT._SWIFT_OPTS + SWIFT_UTILS.swift_opts, group="glance_store")
    conf(args=[], default_config_files=[], default_config_dirs=[])
    conf.set_override("swift_store_config_file", "references", group="glance_store")
    parser = SWIFT_UTILS.SwiftConfigParser()
    conf.find_file = lambda path: path

    def read(_path):
        # As a file is opened: lines end at LF, CR LF and CR.
        parser.read_file(io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))

    parser.read = read
    SWIFT_UTILS.CONFIG = parser
    logging.disable()
    try:
        found = SWIFT_UTILS.SwiftParams(conf).params
    except (exceptions.BadStoreConfiguration, configparser.Error) as error:
        return {"error": type(error).__name__}
    usable = {}
    for name, reference in found.items():
        by_user = reference.get("user") and reference.get("key")
        by_credential = reference["application_credential_id"] and reference["application_credential_secret"]
        if reference["auth_address"] and (by_user or by_credential):
            if not URL.fullmatch(reference["auth_address"]):
                return None
            reference.pop("auth_version")
            usable[name] = {option: value for option, value in reference.items() if value is not None}
    return {"references": usable}


# --- enabled_backends ----------------------------------------------------------------------------

IDS = ["fast", "Cold", "a b", "é", "x.y", "FAST", "cold", "b2", "1", "'q'", "archive", "z-1"]
KINDS = ["s3", "swift", "file", "rbd", "http", "cinder", "vmware", "S3", "s4", "swfit", "", "s3 # c"]
KINDS += ["glance.store.s3.Store", "glance.store.file.Store", "s3:x", "'s3'", "s3 ;c", "sheepdog"]


def enabled(dice, name):
    items = []
    ids = dice.sample(IDS, len(IDS)) if dice.chance(0.8) else [dice.choice([*IDS[:3], ""]) for _ in IDS]
    for one in ids[: dice.randint(0, 5)]:
        kind = dice.choice(["s3", "swift", "file"]) if dice.chance(0.6) else dice.choice(KINDS)
        pair = dice.choice(["{}:{}", "{} : {}", "{}:{} ", "\t{}:{}", "{}\u00a0:{}", "{}:\x1c{}"])
        items.append(pair.format(one, kind) if dice.chance(0.97) else dice.choice([one, kind]))
    text = dice.choice([",", ", ", ",\n    ", " ,", ", $sep", "$$,"]).join(items)
    if dice.chance(0.1):
        text += dice.choice([",", " # comment", ",,", " ", "$nothing"])
    if dice.chance(0.1):
        text = dice.choice(['"{}"', "'{}'", "{{{}}}", "'{}", ",{}"]).format(text)
    files = {"glance-api.conf": f"[DEFAULT]\nsep =\nenabled_backends = {text}\n"}
    return case(name, {"files": files}, backends(files))


def backends(files):
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.DictOpt("enabled_backends"), cfg.StrOpt("sep")])
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "glance-api.conf"
        path.write_bytes(files["glance-api.conf"].encode())
        try:
            conf(args=[], default_config_files=[str(path)], default_config_dirs=[])
            found = conf.enabled_backends or {}
        except (
            cfg.ConfigFileParseError,
            cfg.ConfigFileValueError,
            cfg.TemplateSubstitutionError,
            cfg.NoSuchOptError,
        ) as error:
            return {"error": type(error).__name__}
    return {"backends": {one: kind for one, kind in found.items() if kind in USABLE | {"vmware"}}}


KINDS_OF_FILES = {
    "oslo-config.generated": (oslo_file, OSLO),
    "swift-references": (reference_file, f"{VERSION}: its reader of the file of references, SwiftParams"),
    "enabled-backends": (enabled, f"{OSLO} and the entry points of {VERSION}"),
}


def suites(dice_of, count):
    for suite, (made, source) in KINDS_OF_FILES.items():
        dice = dice_of(suite)
        yield suite, source, (made(dice, f"{i}") for i in range(count or 200))
