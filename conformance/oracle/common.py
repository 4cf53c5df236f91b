"""What every suite shares: dice, bytes and times as vectors write them, a stopped clock, files."""

import base64
import datetime
import json
import random

import botocore
import botocore.auth
import botocore.endpoint
import botocore.signers
import botocore.utils

# The example keys of AWS's documentation.
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+EXAMPLE=="

VERSION = f"botocore {botocore.__version__}"

REGIONS = [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-southeast-2",
    "sa-east-1",
    "af-south-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-west-1",
    "us-gov-east-1",
]

CUSTOM_ENDPOINTS = [
    "{scheme}://s3.example.com",
    "{scheme}://s3.example.com:9000",
    "{scheme}://storage.example.org:8443",
    "{scheme}://127.0.0.1:9000",
    "{scheme}://[::1]:9000",
    "{scheme}://[2001:db8::1]",
    "{scheme}://example.com/s3",
    "{scheme}://gateway.example.com:8080/object/store",
]

# Keys that clients are known to get wrong.
ODD_KEYS = [
    "key",
    "a/b/c",
    "with space",
    "plus+plus",
    "100%",
    "%41%2F",
    "a//b",
    "/lead",
    "trail/",
    "//",
    "a/../b",
    "../up",
    ".",
    "..",
    "./x",
    "a/./b",
    "tilde~",
    "quote'\"",
    "(paren)*!",
    "semi;colon:",
    "comma,dollar$",
    "at@amp&eq=",
    "hash#mark?",
    "back\\slash",
    "[brackets]{braces}|^`<>",
    "é",
    "e\u0301",
    "日本語/キー",
    "\U0001f426/swift",
    "tab\there",
    "new\nline",
    "\x01control",
    "\u00a0nbsp",
    "x" * 200,
    "ünï/cödé +%",
    "-",
    "_",
    "a=b&c=d",
    "?versionId=3",
    "k%20k",
]

ODD_CHARACTERS = "abcXYZ019-._~/ +%&=?#:;,@!$'()*\"<>\\^`{|}[]éß日🐦\t"


class Dice(random.Random):
    """Random choices of one suite; the same seed gives the same ones."""

    def __init__(self, seed, suite):
        super().__init__(f"{seed}/{suite}")

    def chance(self, probability):
        return self.random() < probability

    def text(self, alphabet, low, high):
        return "".join(self.choice(alphabet) for _ in range(self.randint(low, high)))

    def word(self, low=3, high=12):
        return self.text("abcdefghijklmnopqrstuvwxyz0123456789", low, high)

    def bucket(self):
        return (
            self.text("abcdefghijklmnopqrstuvwxyz", 2, 4)
            + self.text("abcdefghijklmnopqrstuvwxyz0123456789-", 2, 14)
            + self.word(1, 3)
        )

    def key(self):
        if self.chance(0.4):
            return self.choice(ODD_KEYS)
        return self.text(ODD_CHARACTERS, 1, 24)

    def printable(self, low=1, high=24):
        """A header value without white space at its ends or in runs."""
        words = [self.text("abcdefABC0129-_.:;,/=+*'\"!()", 1, 8) for _ in range(4)]
        return " ".join(words)[: self.randint(max(low, 1), high)].strip() or "v"

    def moment(self):
        start = datetime.datetime(2013, 1, 1)
        return start + datetime.timedelta(seconds=self.randrange(20 * 365 * 86400))

    def blob(self, low, high):
        return self.randbytes(self.randint(low, high))

    def md5(self):
        return base64.b64encode(self.randbytes(16)).decode()

    def secret(self):
        return self.text("ABCDEFabcdef0123456789+/", 36, 36) + "EXAMPLE="


def bytes_of(data):
    """Bytes as a vector writes them."""
    if len(data) > 64 and not data.strip(b"\0"):
        return {"zeros": len(data)}
    try:
        return {"utf8": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def repeat(text, length):
    """Large data in few characters: returns what is recorded, and the bytes that it describes."""
    unit = text.encode()
    data = (unit * (length // len(unit) + 1))[:length]
    return {"repeat": text, "len": length}, data


def time_of(moment):
    return moment.strftime("%Y%m%dT%H%M%SZ")


def parse_time(text):
    return datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ")


def whole(config):
    """A client's settings as a vector writes them, defaults included."""
    return {
        "endpoint": None,
        "enable_data_integrity_protection": False,
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    } | config


def stop_clock(moment):
    """From now on it is this time for everything in botocore that asks."""
    for module in (botocore.auth, botocore.endpoint, botocore.signers, botocore.utils):
        module.get_current_datetime = lambda remove_tzinfo=True: moment


def write(path, suite, source, cases):
    """One case per line, no spaces: small, and a change shows as the lines that changed."""
    names = [case["name"] for case in cases]
    assert len(names) == len(set(names)), f"{suite}: a name is used twice"
    head = json.dumps({"suite": suite, "source": source}, separators=(",", ":"))
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    path.write_text(head[:-1] + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def case(name, given, expect):
    return {"name": name, "input": given, "expect": expect}
