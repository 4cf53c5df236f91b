"""glance_store, in the newest version and in the last that kept credentials in locations of S3."""

import importlib
import logging
import pathlib
import re
import sys
from importlib import metadata
from unittest import mock

# What is imported and never called here: a database, logs, signatures of images, boto3's client.
for unused in [
    "boto3",
    "cursive",
    "cursive.exception",
    "cursive.signature_utils",
    "glance.common.utils",
    "glance.db",
    "glance.domain",
    "glance.domain.proxy",
    "glance.scrubber",
    "oslo_log",
    "oslo_log.log",
    "oslo_utils.imageutils",
]:
    sys.modules[unused] = mock.MagicMock()
logging.disable()

from oslo_config import cfg  # noqa: E402 (after the modules it would import are mocks)


def before():
    """The S3 driver of the older version; nothing of it stays where modules are found."""
    path = str(pathlib.Path(sys.prefix) / "before")
    sys.path.insert(0, path)
    module = importlib.import_module("glance_store._drivers.s3")
    sys.path.remove(path)
    assert module.__file__.startswith(path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "glance_store"]:
        del sys.modules[name]
    return module


S3_BEFORE = before()
S3 = importlib.import_module("glance_store._drivers.s3")
SWIFT = importlib.import_module("glance_store._drivers.swift.store")
SWIFT_UTILS = importlib.import_module("glance_store._drivers.swift.utils")
LOCATION = importlib.import_module("glance_store.location")
BAD_URI = importlib.import_module("glance_store.exceptions").BadStoreUri

VERSION = f"glance_store {metadata.version('glance_store')}"
VERSION_BEFORE = "glance_store " + next(
    found.version for found in metadata.distributions(path=[str(pathlib.Path(sys.prefix) / "before")])
)

# What a location can't hold as it is and read back, so that apus writes it in another way; and what
# looks like that way. The old writers wrote both as they are.
ESCAPED = re.compile(r"[?#\x00-\x1f\x7f]|/$|%(25)*(3F|23|2F|[01][0-9A-F]|7F)")


def swift_conf(references, default="ref1"):
    """A configuration whose file has these references."""
    conf = cfg.ConfigOpts()
    conf.register_opts(SWIFT._SWIFT_OPTS + SWIFT_UTILS.swift_opts, group="glance_store")
    conf(args=[], default_config_files=[], default_config_dirs=[])
    conf.set_override("default_swift_reference", default, group="glance_store")
    if references:
        conf.set_override("swift_store_config_file", "references", group="glance_store")
        parser = SWIFT_UTILS.SwiftConfigParser()
        parser.read_string(references_file(references))
        parser.read = lambda path: [path]
        SWIFT_UTILS.CONFIG = parser
    return conf


def references_file(references):
    """As they stand in `swift_store_config_file`."""
    sections = []
    for name, parameters in references.items():
        lines = [f'{key} = "{value.replace("%", "%%")}"' for key, value in parameters.items()]
        sections.append(f"[{name}]\n" + "\n".join(lines) + "\n")
    return "\n".join(sections)
