"""swift-manifest: large objects of both kinds, put into Swift's own middlewares.

An SLO's manifest is PUT to the middleware, which looks at each segment; a DLO's is a header on an
empty object. Then the middlewares are asked what they would serve.
"""

import base64
import hashlib
import json
import urllib.parse

from common import ODD_CHARACTERS, ODD_KEYS, bytes_of, case
from swift_server import ACCOUNT, VERSION, Store, ask, server

SOURCE = (
    f"{VERSION}: its slo and dlo middlewares over a store in memory. `json` is the manifest that "
    "they took; `etag` is what they then say of the object, `size` its length, `stored` what "
    "?multipart-manifest=get answers. A DLO's pointer is swiftclient's, percent-encoded but for /"
)


def suites(dice_of, count):
    yield "swift-manifest", SOURCE, cases(dice_of("swift-manifest"), count or 45)


def cases(dice, count):
    found = []
    for number in [1, 2, 3, 10]:
        segments = [part(f"/c_segments/o/{i:08}", f"segment {i}") for i in range(number)]
        found.append(slo(f"slo-{number}", segments))
        found.append(dlo(f"dlo-{number}", "c_segments/o/", segments))
    empty = part("/c/last", "")
    found.append(slo("slo-empty-last", [part("/c/first", "abc"), empty]))
    for i, bounds in enumerate(["0-2", "1-1", "2-", "-2", "0-5", "0-"]):
        # A range of the whole segment counts as no range.
        ranged = part("/c/s", "abcdef") | {"range": bounds}
        found.append(slo(f"slo-range-{i}", [ranged, part("/c/t", "xyz")]))
    for i, data in enumerate([b"inline", b"\0\xff", b"a" * 100]):
        found.append(slo(f"slo-data-{i}", [part("/c/s", "abc"), inline(data)]))
        found.append(slo(f"slo-data-first-{i}", [inline(data), part("/c/s", "abc"), inline(b"-")]))
    unknown = {"path": "/c/s", "body": bytes_of(b"abc")}
    found.append(slo("slo-without-etag", [unknown | {"size_bytes": 3}]))
    found.append(slo("slo-without-size", [unknown | {"etag": hashlib.md5(b"abc").hexdigest()}]))
    found.append(slo("slo-path-alone", [unknown]))
    found.append(slo("slo-the-same-twice", [part("/c/s", "abc"), part("/c/s", "abc")]))
    for i, key in enumerate(ODD_KEYS):
        if not key.strip("/") or "\n" in key:
            continue
        name = f"/{'c' if i % 2 else 'con tainer+é'}/{key}"
        found.append(slo(f"slo-name-{i}", [part(name, "abc")]))
        if not key.startswith("/"):
            found.append(dlo(f"dlo-name-{i}", name.lstrip("/"), [part(name, "abc")]))
    # Listings are in the order of bytes, whatever that of uploading was.
    names = ["/c/p/10", "/c/p/9", "/c/p/ä", "/c/p/a", "/c/p/B", "/c/q"]
    found.append(dlo("dlo-order", "c/p/", [part(name, name) for name in names]))
    found.append(dlo("dlo-none", "c/p/", []))
    for i in range(count):
        segments = some_segments(dice)
        if dice.chance(0.3):
            prefix = f"{dice.bucket()}/{dice.choice('abc')}{dice.text(ODD_CHARACTERS, 0, 9)}"
            segments = [
                part(f"/{prefix}{j:04}", dice.printable()) for j in range(dice.randint(1, 6))
            ]
            found.append(dlo(f"random-{i}", prefix, segments))
        else:
            found.append(slo(f"random-{i}", segments))
    return found


def part(path, text):
    """A segment: where it is, and what an upload of it has told; `body` stays here."""
    data = text.encode()
    return {
        "path": path,
        "etag": hashlib.md5(data).hexdigest(),
        "size_bytes": len(data),
        "body": {"utf8": text},
    }


def inline(data):
    return {"data": base64.b64encode(data).decode()}


def some_segments(dice):
    segments = []
    for i in range(dice.randint(1, 5)):
        path = f"/{dice.bucket()}/{dice.choice('abc')}{dice.text(ODD_CHARACTERS, 0, 9)}"
        one = part(path, dice.printable(4, 30))
        size = one["size_bytes"]
        if dice.chance(0.25):
            first = dice.randrange(size)
            one["range"] = dice.choice([f"{first}-{size - 1}", f"{first}-", f"-{size - first}"])
        segments.append(one)
        if dice.chance(0.15):
            segments.append(inline(dice.blob(1, 12)))
    return segments


def slo(name, segments):
    store = Store()
    app = server(store)
    for one in segments:
        if "path" in one:
            store.put(one["path"], one["body"]["utf8"].encode())
    shown = [{key: value for key, value in one.items() if key != "body"} for one in segments]
    where = f"{ACCOUNT}/c/manifest"
    status, headers, answer = ask(
        app, "PUT", f"{where}?multipart-manifest=put", body=json.dumps(shown).encode()
    )
    assert status == 201, (name, status, answer)
    put = headers["Etag"]
    head = ask(app, "HEAD", where)[1]
    stored = json.loads(ask(app, "GET", f"{where}?multipart-manifest=get")[2])
    assert put == head["Etag"] and head["X-Static-Large-Object"] == "True", name
    # The one it would refuse, had it been told.
    wrong = {"Etag": "0" * 32}
    refused = ask(
        app, "PUT", f"{where}?multipart-manifest=put", wrong, json.dumps(shown).encode()
    )
    assert refused[0] == 422, name
    given = {"kind": "slo", "segments": shown}
    expect = {"json": shown, "etag": put.strip('"'), "size": int(head["Content-Length"])}
    return case(name, given, expect | {"stored": stored})


def dlo(name, pointer, segments):
    store = Store()
    app = server(store)
    for one in segments:
        store.put(one["path"], one["body"]["utf8"].encode())
    where = f"{ACCOUNT}/c2/manifest"
    encoded = urllib.parse.quote(pointer)
    put = ask(app, "PUT", where, {"X-Object-Manifest": encoded})
    assert put[0] == 201, (name, put)
    head = ask(app, "HEAD", where)[1]
    container, _, prefix = pointer.partition("/")
    within = [one for one in segments if one["path"].startswith(f"/{pointer}")]
    assert int(head["Content-Length"]) == sum(one["size_bytes"] for one in within), name
    given = {
        "kind": "dlo",
        "container": container,
        "prefix": prefix,
        "segments": [{k: value for k, value in one.items() if k != "body"} for one in segments],
    }
    expect = {"headers": [["x-object-manifest", encoded]], "etag": head["Etag"].strip('"')}
    return case(name, given, expect | {"size": int(head["Content-Length"])})
