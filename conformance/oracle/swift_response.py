"""swift-response: what Swift's middlewares answer, and what it means.

Reports of bulk deletes and manifests are recorded as text and as JSON, with heartbeats and without;
what they mean is read from the JSON.
"""

import hashlib
import json
import urllib.parse

from common import ODD_KEYS, bytes_of, case
from swift_manifest import inline, part
from swift_server import ACCOUNT, MODIFIED, VERSION, Store, ask, server

SOURCE = (
    f"{VERSION}: its bulk, slo and dlo middlewares over a store in memory. What an answer in text "
    "means is read from the one in JSON to the same request. `says` are pieces of the message"
)
FORMATS = {"json": {"Accept": "application/json"}, "text": {}}


def suites(dice_of, count):
    yield "swift-response", SOURCE, cases(dice_of("swift-response"), count or 30)


def cases(dice, count):
    found = []
    names = [key for key in ODD_KEYS if key.strip("/") and len(key) < 100]
    refused = {f"c/{name}": status for name, status in [("no", 403), ("busy", 409), ("down", 503)]}
    for name, there, gone in [
        ("all", ["c/a", "c/b"], ["c/a", "c/b"]),
        ("missing", ["c/a"], ["c/a", "c/b", "c/c"]),
        ("none-there", [], ["c/a", "c/b"]),
        ("refused", ["c/a"], ["c/a", "c/no", "c/busy"]),
        ("refused-alone", [], ["c/no"]),
        ("broken", ["c/a"], ["c/down", "c/a"]),
        ("container", ["c/a"], ["c", "c/a"]),
        ("full-container", ["c/a", "c/b"], ["c", "c/a"]),
        ("nothing", ["c/a"], []),
        ("many", [f"c/{i}" for i in range(6)], [f"c/{i}" for i in range(6)]),
        ("many-refused", [], ["c/no", "c/busy", "c/down", "c/a"]),
        ("odd", [f"c/{key}" for key in names[::2]], [f"c/{key}" for key in names]),
        ("odd-refused", [], [f"c/{key}" for key in names]),
    ]:
        limits = {"max_deletes_per_request": "5"} if name == "many" else {}
        limits |= {"max_failed_deletes": "2"} if name == "many-refused" else {}
        turned = {path: 409 for path in gone} if name == "odd-refused" else refused
        found += bulk_cases(f"bulk-{name}", there, gone, turned, limits)
    for i in range(count):
        paths = [f"c/{dice.key().lstrip('/') or 'x'}" for _ in range(dice.randint(1, 4))]
        paths = sorted(set(paths), key=lambda path: hashlib.md5(path.encode()).digest())
        there = [path for path in paths if dice.chance(0.5)]
        turned = {path: dice.choice([403, 409, 412, 500, 503]) for path in paths[::3]}
        found += bulk_cases(f"random-{i}", there, paths, turned, {})
    found += manifest_cases()
    found += delete_cases()
    found += object_cases()
    return found


def bulk_cases(name, there, gone, refused, limits):
    lines = "".join(urllib.parse.quote(f"/{path}") + "\n" for path in gone).encode()
    answers = {}
    for kind, accept in FORMATS.items():
        store = Store({f"{ACCOUNT}/{path}": status for path, status in refused.items()})
        for path in there:
            store.put(path, b"data")
        headers = accept | {"Content-Type": "text/plain"}
        url = f"{ACCOUNT}?bulk-delete"
        answers[kind] = ask(server(store, limits=limits), "POST", url, headers, lines)
    expect = deleted(json.loads(answers["json"][2]))
    return [
        recorded(f"{name}-{kind}", "BulkDelete", answer, expect) for kind, answer in answers.items()
    ]


def delete_cases():
    """A large object and its segments."""
    found = []
    for name, kept, refused in [
        ("all", 3, {}),
        ("a-segment-gone", 2, {}),
        ("a-segment-refused", 3, {"c/s 1,é": 403}),
        ("no-slo", 0, {}),
        ("none", None, {}),
    ]:
        answers = {}
        for kind, accept in FORMATS.items():
            store = Store()
            app = server(store)
            segments = [part(f"/c/s {i},é", "abc") for i in range(3)]
            for one in segments:
                store.put(one["path"], one["body"]["utf8"].encode())
            if kept:
                put_manifest(app, segments)
                for one in segments[kept:]:
                    del store.objects[f"{ACCOUNT}{one['path']}"]
            elif kept is not None:
                store.put("c/manifest", b"data")
            store.refused = {f"{ACCOUNT}/{path}": status for path, status in refused.items()}
            url = f"{ACCOUNT}/c/manifest?multipart-manifest=delete"
            answers[kind] = ask(app, "DELETE", url, accept)
        expect = deleted(json.loads(answers["json"][2]))
        for kind, answer in answers.items():
            found.append(recorded(f"delete-slo-{name}-{kind}", "DeleteSlo", answer, expect))
    return found


def manifest_cases():
    """Manifests that are taken, and such as are not."""
    found = []
    one, two = part("/c/a, b", "abc"), part("/c/é:%41", "defg")
    wrong = {"etag": "0" * 32}
    for name, segments, etag in [
        ("good", [one, two], None),
        ("told", [one, two], hashlib.md5((one["etag"] + two["etag"]).encode()).hexdigest()),
        ("wrong-etag", [one, two], "0" * 32),
        ("segment-gone", [one, {"path": "/c/gone, too"}], None),
        ("segment-etag", [one | wrong, two], None),
        ("segment-size", [one, two | {"size_bytes": 9}], None),
        ("segments-all-wrong", [one | wrong, two | {"size_bytes": 9}, {"path": "/c/gone"}], None),
        ("range-beyond", [{"path": one["path"], "range": "5-9"}, two], None),
        ("inline", [one, inline(b"-"), two], None),
        ("itself", [{"path": "/c/manifest"}], None),
        ("too-many", [one] * 5, None),
    ]:
        for heartbeat in [False, True]:
            answers = {}
            for kind, accept in FORMATS.items():
                store = Store()
                for held in [one, two]:
                    store.put(held["path"], held["body"]["utf8"].encode())
                app = server(store, limits={"max_manifest_segments": "4"})
                headers = accept | ({"Etag": etag} if etag else {})
                answers[kind] = put_manifest(app, segments, headers, heartbeat)
            expect = put_outcome(answers["json"])
            for kind, answer in answers.items():
                suffix = f"{'heartbeat-' * heartbeat}{kind}"
                found.append(recorded(f"put-slo-{name}-{suffix}", "PutSlo", answer, expect))
    return found


def object_cases():
    """What the headers of plain and of large objects say."""
    found = []
    for kind in ["plain", "slo", "dlo"]:
        store = Store()
        app = server(store)
        segments = [part(f"/c/s{i}", text) for i, text in enumerate(["hello ", "world", "!"])]
        data = "".join(one["body"]["utf8"] for one in segments).encode()
        for one in segments:
            store.put(one["path"], one["body"]["utf8"].encode())
        etag = hashlib.md5("".join(one["etag"] for one in segments).encode()).hexdigest()
        if kind == "slo":
            put_manifest(app, segments)
        elif kind == "dlo":
            ask(app, "PUT", f"{ACCOUNT}/c/manifest", {"X-Object-Manifest": "c/s"})
        else:
            store.put("c/manifest", data)
            etag = hashlib.md5(data).hexdigest()
        told = {"etag": etag, "size": len(data), "is_slo": kind == "slo", "last_modified": MODIFIED}
        if kind == "dlo":
            told["dlo"] = {"container": "c", "prefix": "s"}
        for method, operation in [("HEAD", "HeadObject"), ("GET", "GetObject")]:
            asked = [("", {}, len(data)), ("-range", {"Range": "bytes=3-8"}, 6)]
            if kind == "slo":
                asked.append(("-part", "?part-number=2", 5))
            for suffix, how, length in asked:
                query, headers = (how, {}) if isinstance(how, str) else ("", how)
                answer = ask(app, method, f"{ACCOUNT}/c/manifest{query}", headers)
                # A HEAD of a range is one of the whole to some middlewares.
                length = int(answer[1]["Content-Length"]) if method == "HEAD" else length
                assert method == "HEAD" or len(answer[2]) == length, (kind, suffix)
                output = told | {"content_length": length}
                if suffix == "-part":
                    output |= {"parts_count": 3}
                expect = {"outcome": "ok", "output": output}
                found.append(recorded(f"object-{kind}-{method}{suffix}", operation, answer, expect))
    return found


def put_manifest(app, segments, headers=None, heartbeat=False):
    shown = [{key: value for key, value in one.items() if key != "body"} for one in segments]
    url = f"{ACCOUNT}/c/manifest?multipart-manifest=put{'&heartbeat=on' * heartbeat}"
    return ask(app, "PUT", url, headers, json.dumps(shown).encode())


def deleted(report):
    """What a report in JSON says of deletes. One that names nothing is a refusal of it all."""
    status = int(report["Response Status"].split()[0])
    failed = [[urllib.parse.unquote(path), why] for path, why in report["Errors"]]
    if not failed and status >= 300:
        return {"outcome": "error", "error": {"status": status}}
    counts = {"deleted": report["Number Deleted"], "not_found": report["Number Not Found"]}
    return {"outcome": "ok", "output": counts | {"failed": failed}}


def put_outcome(answer):
    status, headers, body = answer
    etag, errors = headers.get("Etag"), []
    if body.strip().startswith(b"{"):
        report = json.loads(body)
        errors = report["Errors"]
        etag = report.get("Etag", etag)
        status = int(report.get("Response Status", str(status)).split()[0])
    if status < 300:
        output = {"etag": etag.strip('"'), "last_modified": MODIFIED}
        return {"outcome": "ok", "output": output}
    says = [text for path, why in errors for text in [urllib.parse.unquote(path), why]]
    return {"outcome": "error", "error": {"status": status} | ({"says": says} if says else {})}


def recorded(name, operation, answer, expect):
    status, headers, body = answer
    # The first middleware of a pipeline keeps these to the cluster.
    shown = [[key, value] for key, value in headers.items() if "-Sysmeta-" not in key]
    given = {"operation": operation, "status": status, "headers": sorted(shown)}
    return case(name, given | ({"body": bytes_of(body)} if body else {}), expect)
