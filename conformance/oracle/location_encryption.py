"""location-encryption: what glance's own functions make of a location, and of its encrypted form.

`encrypt` has the initialization vector and the padding that glance took, in place of random ones.
`decrypt` has texts that glance wrote with this or another key, and texts that it never writes, with
glance's result. Where apus refuses what glance reads, the `url` is null and `glance` has the result:
glance takes base64 with characters of no alphabet, more padding than a block, and a text without its
end, of which it drops the last character.
"""

import base64
import os
import random
from importlib import metadata
from unittest import mock

from common import ODD_CHARACTERS, case
from glance_stores import LOCATION  # noqa: F401 (it makes glance importable)

from glance.common import crypt  # noqa: E402 (after what it imports)

SOURCE = f"glance {metadata.version('glance')}: urlsafe_encrypt and urlsafe_decrypt"

URLS = [
    "",
    "s3://host/bucket/key",
    "s3+https://AK:S/E+C=@host:9000/gw/bucket/0e0b3f0c-1111-4222-8333-444455556666",
    "swift+https://service:glance:pa%2Fss@keystone.example/v3/images/0e0b3f0c",
    "swift+config://ref1/images/é日🐦",
    "file:///var/lib/glance/images/15b",
    "file:///var/lib/glance/images/16by",
    "s3://h/b/nul\0within",
]


def suites(dice_of, count):
    dice = dice_of("location-encryption")
    yield "location-encryption", SOURCE, cases(dice, count or 60)


def cases(dice, count):
    for number in range(count):
        key = text_of(dice, dice.choice([16, 24, 32]))
        url = URLS[number] if number < len(URLS) else random_url(dice)
        stored, given = encrypted(dice, key, url)
        yield case(f"encrypt-{number}", {"key": key, "url": url} | given, {"stored": stored})
        yield decrypted(f"decrypt-{number}", key, stored)
        if number % 4 == 0:
            yield decrypted(f"another-key-{number}", text_of(dice, len(key.encode())), stored)
    key, url = "0123456789abcdef", "s3://AK:SK@host/bucket/key"
    stored, _ = encrypted(dice, key, url)
    body = base64.urlsafe_b64decode(stored)
    for name, text in {
        "plain": url,
        "empty": "",
        "cut-at-a-character": stored[:-1],
        "cut-at-a-block": base64.urlsafe_b64encode(body[:-16]).decode(),
        "only-a-vector": base64.urlsafe_b64encode(body[:16]).decode(),
        "no-padding-of-base64": stored.rstrip("="),
        "other-alphabet": base64.b64encode(b"\xff" * 48).decode(),
        "line-end": stored + "\n",
        "spaces": stored[:20] + " " + stored[20:],
        "base64-of-the-plain": base64.urlsafe_b64encode(url.encode()).decode(),
    }.items():
        yield decrypted(name, key, text)
    for name, text in {
        "without-an-end": b"s3://AK:SK@host/bucket/key-of-32",
        "more-padding-than-a-block": b"s3://h/b/k\0" + b"p" * 21,
        "no-utf-8": b"s3://h/b/\xff\xfe\0ppppp"[:16],
    }.items():
        yield decrypted(name, key, raw(key, bytes(range(16)), text))


def text_of(dice, length):
    """A key of this many bytes."""
    text = dice.text("abcXYZ0189-._~+/ $%é日", length, length)
    while len(text.encode()) > length:
        text = text[:-1]
    return text + "k" * (length - len(text.encode()))


def random_url(dice):
    scheme = dice.choice(["s3", "s3+https", "swift+http", "swift+config", "file", "rbd"])
    return f"{scheme}://" + dice.text(ODD_CHARACTERS, 1, 80)


def encrypted(dice, key, url):
    vector, padding = dice.randbytes(16), [dice.randint(1, 255) for _ in range(16)]
    rest = iter(padding)
    with (
        mock.patch.object(os, "urandom", lambda length: vector[:length]),
        mock.patch.object(random, "SystemRandom", lambda: mock.Mock(randint=lambda low, high: next(rest))),
    ):
        stored = crypt.urlsafe_encrypt(key, url)
    return stored, {"random": (vector + bytes(padding)).hex()}


def raw(key, vector, text):
    cipher = crypt.Cipher(crypt.algorithms.AES(key.encode()), crypt.modes.CBC(vector))
    encryptor = cipher.encryptor()
    return base64.urlsafe_b64encode(vector + encryptor.update(text) + encryptor.finalize()).decode()


def decrypted(name, key, stored):
    try:
        found = crypt.urlsafe_decrypt(key, stored)
    except Exception:  # whatever refuses
        found = None
    expect = {"url": found}
    if found is not None and not is_written_so(key, stored, found):
        expect = {"url": None, "glance": found}
    return case(name, {"key": key, "stored": stored}, expect)


def is_written_so(key, stored, found):
    """Whether glance itself writes this text for this location, with some vector and padding."""
    try:
        body = base64.b64decode(stored, altchars=b"-_", validate=True)
    except ValueError:
        return False
    if len(body) != 16 + (len(found.encode()) // 16 + 1) * 16 or base64.urlsafe_b64encode(body).decode() != stored:
        return False
    cipher = crypt.Cipher(crypt.algorithms.AES(key.encode()), crypt.modes.CBC(body[:16]))
    decryptor = cipher.decryptor()
    text = decryptor.update(body[16:]) + decryptor.finalize()
    return text.startswith(found.encode() + b"\0")
