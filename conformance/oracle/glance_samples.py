"""oslo-config.samples: what the samples of `glance-api.conf` in Glance's releases have.

A release's sample has each option with its default or an example behind a `#`. Each is taken alone,
as an operator removes the `#`, in a file that is sufficient otherwise, and all of a release together:
for one backend of each kind, and for backends of `enabled_backends`. What is recorded are facts: the
names, the values, the releases. The real glance_store reads the same files, and its drivers configure
themselves for adding images.

The samples are in the wheels of Glance on PyPI. `record --suite oslo-config.samples` obtains them;
without them this yields nothing. With `--count N` the files of the N newest releases are used as they
are, with all their text, also with each option in its place. These cases are not for committing.

Left out is `<None>`, as a sample has it where an option has no default: glance_store takes these letters
for a host, a bucket or the path of a file, and fails when it is used.
"""

import pathlib
import re
import sys
import tempfile
import zipfile

from oslo_config import cfg

from common import case
from glance_stores import S3, SWIFT, SWIFT_UTILS, VERSION

import glance_store.driver  # noqa: E402 (after the modules it imports are mocks)
from glance_store import exceptions  # noqa: E402

WHEELS = pathlib.Path(sys.prefix) / "glance-releases"
WRITTEN = re.compile(r"#\s?([a-z][a-z0-9_]*)\s*=(?:\s(.*)|)")
SECTION = re.compile(r"\[([^]]+)\]")
# The sections about stores; a release calls those of several backends after the drivers' modules.
OF_KIND = {"glance.store.s3.store": "s3", "glance.store.swift.store": "swift"}
EVERY = {"s3": S3._S3_OPTS, "swift": SWIFT._SWIFT_OPTS + SWIFT_UTILS.swift_opts}
SUFFICIENT = {
    "s3": {
        "s3_store_host": "https://s3.example",
        "s3_store_access_key": "AKID",
        "s3_store_secret_key": "secret",
        "s3_store_bucket": "images",
    },
    "swift": {
        "swift_store_auth_address": "https://keystone.example/v3",
        "swift_store_user": "service:glance",
        "swift_store_key": "password",
    },
}
LISTED = {"DEFAULT": {"enabled_backends": "fast:s3, cold:swift"}, "glance_store": {"default_backend": "fast"}}
SINGLE = {"glance_store": {"stores": "file,http,s3,swift", "default_store": "s3"}}


def suites(_dice_of, count):
    if WHEELS.is_dir():
        source = f"the samples of Glance's releases on PyPI, read by {VERSION}"
        yield "oslo-config.samples", source, whole(count) if count else facts()


def samples():
    """Release and text, the oldest first."""
    found = []
    for wheel in WHEELS.glob("glance-*.whl"):
        release = wheel.name.split("-")[1]
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith("/etc/glance/glance-api.conf")]
            found += [(release, archive.read(name).decode()) for name in names]
    return sorted(found, key=lambda it: [int(number) for number in it[0].split(".")])


def options(text):
    """Section, option and value of each line that has an option behind `#`, with its number."""
    section = None
    for number, line in enumerate(text.split("\n")):
        if opened := SECTION.fullmatch(line):
            section = opened[1]
        elif written := WRITTEN.fullmatch(line):
            yield number, section, written[1], written[2] or ""


# --- facts: each option alone, and all of a release ----------------------------------------------


def facts():
    seen, wholes, refused = {}, {}, set()
    for release, text in samples():
        ours = [it[1:] for it in options(text) if is_about_stores(*it[1:3])]
        for one in ours:
            seen.setdefault(one, []).append(release)
        wholes.setdefault(tuple(ours), []).append(release)
    for (section, option, value), releases in seen.items():
        if is_a_hole(option, value):
            continue
        found = alone(f"{span(releases)}: [{section}] {option} = {value}", section, option, value)
        if "error" in found["expect"]:
            refused.add(option)
        yield found
    for ours, releases in wholes.items():
        for several in [False, True]:
            sections = sufficient(several)
            for section, option, value in ours:
                if not is_a_hole(option, value) and option not in refused | {"stores", "default_store"}:
                    into(sections, section, option, value, several)
            several_or_one = "several backends" if several else "one backend of each kind"
            yield judged(f"{span(releases)}: all of them, {several_or_one}", written(sections))


def alone(name, section, option, value):
    several = section in OF_KIND or option in ("enabled_backends", "default_backend")
    sections = sufficient(several)
    into(sections, section, option, value, several)
    if option == "stores":
        sections["glance_store"].pop("default_store")
    return judged(name, written(sections), option)


def into(sections, section, option, value, several):
    ids = {"s3": "fast", "swift": "cold"}
    if section in OF_KIND:
        section = ids[OF_KIND[section]] if several else "glance_store"
    elif several and section == "glance_store" and option.startswith(("s3_", "swift_", "default_swift")):
        section = ids["s3" if option.startswith("s3_") else "swift"]
    sections.setdefault(section, {})[option] = value


def sufficient(several):
    if several:
        own = {"fast": dict(SUFFICIENT["s3"]), "cold": dict(SUFFICIENT["swift"])}
        return {group: dict(found) for group, found in LISTED.items()} | own
    return {"glance_store": SINGLE["glance_store"] | SUFFICIENT["s3"] | SUFFICIENT["swift"]}


def written(sections):
    lines = []
    for section, found in sections.items():
        lines += [f"[{section}]", *(f"{option} = {value}" for option, value in found.items()), ""]
    return "\n".join(lines)


def is_about_stores(section, option):
    return (
        section in ("glance_store", "backend_defaults", *OF_KIND)
        or section == "DEFAULT"
        and option in ("enabled_backends", "metadata_encryption_key")
    )


def is_a_hole(option, value):
    """Whether nothing is written behind the option's name that a driver could use."""
    return value == "<None>" or (value == "" and option in SUFFICIENT["s3"] | SUFFICIENT["swift"])


def span(releases):
    first, last = releases[0], releases[-1]
    return f"glance {first}" if first == last else f"glance {first} to {last}"


# --- whole files, which are not committed --------------------------------------------------------


def whole(count):
    for release, text in samples()[-count:]:
        yield judged(f"{release}: the sample", text)
        lines = text.split("\n")
        for number, section, option, value in options(text):
            if not is_about_stores(section, option) or is_a_hole(option, value):
                continue
            # What else is required is in a second file, as operators have it in a folder of files.
            before = sufficient(False)
            if option == "stores":
                before["glance_store"].pop("default_store")
            changed = [*lines]
            changed[number] = f"{option} = {value}"
            name = f"{release}: line {number + 1}, [{section}] {option}"
            yield judged(name, "\n".join(changed), option, written(before))


# --- the oracle ----------------------------------------------------------------------------------


def judged(name, text, option=None, before=None):
    files = {"glance-api.conf": text}
    if before is not None:
        files = {"a.conf": before, **files}
    found = read(files)
    if "error" in found and option:
        lines = text.split("\n")
        at = max(n for n, line in enumerate(lines) if line.partition("=")[0].strip() == option)
        value = lines[at].partition("=")[2].strip()
        found["place"] = {"file": "glance-api.conf", "line": at + 1, "option": option, "value": value}
    return case(name, {"files": files}, found)


def read(files):
    """The options of the drivers as they have them, or the error with which they don't start."""
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.DictOpt("enabled_backends"), cfg.StrOpt("metadata_encryption_key")])
    conf.register_opts(
        [cfg.StrOpt("default_backend"), cfg.ListOpt("stores", default=["file", "http"]),
         cfg.StrOpt("default_store", default="file")],
        group="glance_store",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, text in files.items():
            paths.append(pathlib.Path(folder) / name)
            paths[-1].write_text(text)
        conf(args=[], default_config_files=[str(path) for path in paths], default_config_dirs=[])
        try:
            there = {line.partition("=")[0].strip() for text in files.values() for line in text.split("\n")}
            ours = [option.dest for kind in EVERY.values() for option in kind if option.dest in there]
            return {"options": configured(conf, ours)}
        except (cfg.ConfigFileValueError, exceptions.BadStoreConfiguration) as error:
            return {"error": type(error).__name__}


def configured(conf, there):
    found = {}
    if conf.enabled_backends:
        backends = dict(conf.enabled_backends)
    else:
        backends = {kind: kind for kind in conf.glance_store.stores if kind in EVERY}
    for group in ["glance_store", "backend_defaults", *(conf.enabled_backends or {})]:
        for kind in EVERY.values():
            conf.register_opts(kind, group=group)
    for group, kind in backends.items():
        if kind not in EVERY:
            continue
        several = bool(conf.enabled_backends)
        module = {"s3": S3, "swift": SWIFT}[kind]
        store = module.Store(conf, backend=group if several else None)
        store.configure(re_raise_bsc=True)
        own = (
            glance_store.driver.BackendGroupConfiguration(EVERY[kind], group, conf)
            if several
            else conf.glance_store
        )
        section = group if several else "glance_store"
        dests = [option.dest for option in EVERY[kind]]
        values = {option: getattr(own, option) for option in there if option in dests}
        # An empty text, which is the default of some, is no value to the drivers.
        values = {option: value for option, value in values.items() if value != ""}
        found.setdefault(section, {}).update(values)
    return found
