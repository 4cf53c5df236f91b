"""swift-request: what swiftclient sends for each operation, its options alone and in mixtures."""

import datetime
import email.utils
import hashlib
import json
import urllib.parse

import swiftclient.client as swift
from swiftclient.service import SwiftService

from captured import Captured, attach, body_of, headers_of
from common import ODD_KEYS, bytes_of, case, parse_time, repeat, time_of
from keystone_auth import SWIFTCLIENT

SOURCE = (
    f"{SWIFTCLIENT}: its functions, caught before they send. `params` are in words of their own "
    "(README.md), written as headers and queries by the script where swiftclient takes those. The "
    "URL is the one that swiftclient asks for: the library below it takes away dot segments, and "
    "would reach another object"
)

URLS = [
    "https://swift.example.com/v1/AUTH_a6944d",
    "http://192.0.2.7:8080/v1/AUTH_demo",
    "https://rgw.example.com/swift/v1",
    "http://[2001:db8::7]:8080/v1/KEY_%C3%A9",
]
TOKEN = "gAAAAABo-EXAMPLE_token=="
SERVICE_TOKEN = "gAAAAABo-EXAMPLE_service=="
CONTAINERS = ["images", "with space", "plus+plus", "50%", "é", "a.b_c-d~", "q?&=#", "日本", "..."]
DATA = "The quick brown fox"
MOMENT = "20260102T030405Z"


def suites(dice_of, count):
    yield "swift-request", SOURCE, cases(dice_of("swift-request"), count or 70)


def cases(dice, count):
    found = []
    for operation, (needed, options) in OPERATIONS.items():
        whole = {name: value for name, value in options.items() if name not in EXCLUDED}
        found.append(recorded(operation, operation, dict(needed)))
        for name, value in options.items():
            found.append(recorded(f"{operation}-{name}", operation, needed | {name: value}))
        if len(whole) > 1:
            found.append(recorded(f"{operation}-all", operation, needed | whole))
    for i, url in enumerate(URLS):
        for operation in ["HeadAccount", "PutContainer", "GetObject", "BulkDelete", "GetInfo"]:
            needed = OPERATIONS[operation][0]
            found.append(recorded(f"url-{i}-{operation}", operation, dict(needed), url))
    for operation, (needed, _) in OPERATIONS.items():
        if operation != "GetInfo":
            name = f"service-token-{operation}"
            found.append(recorded(name, operation, dict(needed), service_token=SERVICE_TOKEN))
    for i, name in enumerate(CONTAINERS):
        for operation in ["PutContainer", "GetContainer", "PutObject", "PutDlo"]:
            given = OPERATIONS[operation][0] | {"container": name}
            found.append(recorded(f"container-{i}-{operation}", operation, given))
    for i, name in enumerate(ODD_KEYS):
        operation = ["GetObject", "HeadObject", "DeleteObject", "PutObject"][i % 4]
        given = OPERATIONS[operation][0] | {"object": name}
        found.append(recorded(f"object-{i}-{operation}", operation, given))
        given = OPERATIONS["CopyObject"][0] | {"destination_object": name}
        found.append(recorded(f"object-{i}-CopyObject", "CopyObject", given))
    given = {"objects": [["c", name] for name in ODD_KEYS]}
    found.append(recorded("object-all-BulkDelete", "BulkDelete", given))
    for i, range_ in enumerate(["bytes=0-0", "bytes=5-", "bytes=-5", "bytes=10-4294967296"]):
        for operation in ["GetObject", "HeadObject"][: 1 + (i == 0)]:
            given = OPERATIONS[operation][0] | {"range": range_}
            found.append(recorded(f"range-{i}-{operation}", operation, given))
    bodies = [{"utf8": ""}, bytes_of(bytes(100)), bytes_of(BINARY), repeat("swift", 70_000)[0]]
    for i, body in enumerate(bodies):
        given = OPERATIONS["PutObject"][0] | {"body": body}
        found.append(recorded(f"body-{i}", "PutObject", given))
    for i in range(count):
        operation = dice.choice([name for name in OPERATIONS if name != "GetInfo"])
        needed, options = OPERATIONS[operation]
        given = dict(needed)
        if "container" in given and dice.chance(0.5):
            given["container"] = dice.bucket()
        if "object" in given:
            given["object"] = dice.key()
        options = [name for name in options if name not in EXCLUDED]
        for name in dice.sample(options, dice.randint(0, min(3, len(options)))):
            given[name] = varied(dice, name, OPERATIONS[operation][1][name])
        found.append(recorded(f"random-{i}", operation, given, dice.choice(URLS[:3])))
    return found


def varied(dice, name, value):
    """An option's value, changed where any other would do."""
    if name in ["prefix", "marker", "end_marker"]:
        return dice.key().replace("\n", "")
    if name == "metadata":
        return {dice.choice(["Color", "x-y", "A1"]) + str(i): dice.printable() for i in range(2)}
    if name == "limit":
        return dice.randint(1, 10_000)
    if name in ["if_modified_since", "if_unmodified_since", "delete_at"]:
        return time_of(dice.moment())
    return value


META = {"Color": "blue", "Mixed-Case": "a b; c=\"d\"", "Text": "Grüße 🔑", "Empty": ""}
LISTING = {
    "prefix": "a/b c+é",
    "delimiter": "/",
    "marker": "m&n=o%20",
    "end_marker": "zß",
    "limit": 100,
}
CONDITIONS = {
    "if_match": '"900150983cd24fb0d6963f7d28e17f72"',
    "if_none_match": '"900150983cd24fb0d6963f7d28e17f72"',
    "if_modified_since": MOMENT,
    "if_unmodified_since": MOMENT,
}
CONTENT = {
    "content_type": "text/plain; charset=utf-8",
    "content_encoding": "gzip",
    "content_disposition": 'attachment; filename="a.txt"',
    "metadata": META,
    "delete_at": "20300102T030405Z",
    "delete_after": 3600,
}
CONTAINER = {"read_acl": ".r:*,.rlistings", "write_acl": "p1:u1,p2:*", "metadata": META}
OBJECT = {"container": "images", "object": "a/b c"}
SEGMENTS = [
    {"path": f"/images_segments/a/b c/{i:08}", "etag": hashlib.md5(bytes([i])).hexdigest()}
    | {"size_bytes": 1}
    for i in range(2)
]

# What each operation needs, and what it may have.
OPERATIONS = {
    "HeadAccount": ({}, {}),
    "GetAccount": ({}, LISTING),
    "PostAccount": ({"metadata": META}, {"temp_url_key": "k e+y", "temp_url_key_2": "second"}),
    "PutContainer": ({"container": "images"}, CONTAINER | {"storage_policy": "gold"}),
    "HeadContainer": ({"container": "images"}, {}),
    "GetContainer": ({"container": "images"}, LISTING | {"reverse": True}),
    "PostContainer": ({"container": "images", "metadata": META}, CONTAINER),
    "DeleteContainer": ({"container": "images"}, {}),
    "PutObject": (
        OBJECT | {"body": bytes_of(DATA.encode())},
        CONTENT | {"etag": hashlib.md5(DATA.encode()).hexdigest(), "if_none_match": "*"},
    ),
    "GetObject": (OBJECT, CONDITIONS | {"range": "bytes=0-499", "part_number": 2}),
    "HeadObject": (OBJECT, CONDITIONS | {"part_number": 2}),
    "PostObject": (OBJECT | {"metadata": META}, CONTENT),
    "CopyObject": (
        OBJECT | {"destination_container": "backup", "destination_object": "é/1+1"},
        {
            "fresh_metadata": True,
            "metadata": META,
            "content_type": "text/plain",
            "multipart_manifest": "get",
        },
    ),
    "DeleteObject": (OBJECT, {}),
    "PutSlo": (
        OBJECT | {"segments": SEGMENTS},
        {
            "heartbeat": True,
            "content_type": "image/raw",
            "metadata": META,
            "etag": hashlib.md5("".join(one["etag"] for one in SEGMENTS).encode()).hexdigest(),
        },
    ),
    "GetManifest": (OBJECT, {}),
    "DeleteSlo": (OBJECT, {}),
    "PutDlo": (
        OBJECT | {"segments_container": "images segments", "prefix": "a/b c/é+%?&"},
        {"content_type": "image/raw", "metadata": META},
    ),
    "BulkDelete": ({"objects": [["images", "a/b c"], ["images", "é+%"], ["c", "//"]]}, {}),
    "GetInfo": ({}, {}),
}
# One or the other.
EXCLUDED = ["delete_after", "if_unmodified_since", "multipart_manifest", "part_number"]


def recorded(name, operation, params, url=URLS[0], service_token=None):
    given = {"operation": operation, "params": params, "storage_url": url, "token": TOKEN}
    if service_token:
        given["service_token"] = service_token
    request, asked = send(operation, dict(params), url, service_token)
    expect = {"method": request.method, "url": asked, "headers": headers_of(request)}
    body = body_of(request)
    if body:
        data = params.get("body")
        expect["body"] = data if data and "repeat" in data else bytes_of(body)
    return case(name, given, expect)


def send(operation, params, url, service_token):
    """The request of this call, and the URL that it asked for."""
    adapter, asked = Captured(200, {"Content-Type": "application/json"}, []), []
    connection = swift.http_connection(url)
    attach(connection[1].request_session, adapter)
    plain = connection[1]._request

    def noted(method, url, *arguments, **options):
        asked.append(url)
        return plain(method, url, *arguments, **options)

    connection[1]._request = noted
    function = "".join("_" * c.isupper() + c.lower() for c in operation).lstrip("_")
    globals()[function](Call(url, connection, service_token), params)
    assert not params, f"{operation}: {params} were not taken"
    return adapter.request, asked[-1]


class Call:
    """A function of swiftclient's, with what all of them take."""

    def __init__(self, url, connection, service_token):
        self.url, self.connection = url, connection
        self.more = {"http_conn": connection, "service_token": service_token}

    def __call__(self, function, *arguments, **options):
        function(self.url, TOKEN, *arguments, **self.more, **options)


def take(params, *names):
    return {name: params.pop(name) for name in names if name in params}


def address(params):
    return params.pop("container"), params.pop("object")


def headers_from(params, kind="object"):
    """Options that are headers."""
    headers = {}
    plain = {
        "content_type": "Content-Type",
        "content_encoding": "Content-Encoding",
        "content_disposition": "Content-Disposition",
        "delete_after": "X-Delete-After",
        "if_match": "If-Match",
        "if_none_match": "If-None-Match",
        "range": "Range",
        "read_acl": "X-Container-Read",
        "write_acl": "X-Container-Write",
        "storage_policy": "X-Storage-Policy",
        "temp_url_key": "X-Account-Meta-Temp-URL-Key",
        "temp_url_key_2": "X-Account-Meta-Temp-URL-Key-2",
    }
    for name, header in plain.items():
        if name in params:
            headers[header] = str(params.pop(name))
    for name, value in take(params, "if_modified_since", "if_unmodified_since").items():
        moment = parse_time(value).replace(tzinfo=datetime.timezone.utc)
        header = name.replace("_", "-").title()
        headers[header] = email.utils.format_datetime(moment, usegmt=True)
    if "delete_at" in params:
        moment = parse_time(params.pop("delete_at")).replace(tzinfo=datetime.timezone.utc)
        headers["X-Delete-At"] = str(int(moment.timestamp()))
    for name, value in params.pop("metadata", {}).items():
        headers[f"X-{kind.title()}-Meta-{name}"] = value
    return headers


def head_account(call, params):
    call(swift.head_account)


def get_account(call, params):
    call(swift.get_account, **take(params, *LISTING))


def post_account(call, params):
    call(swift.post_account, headers_from(params, "account"))


def put_container(call, params):
    call(swift.put_container, params.pop("container"), headers_from(params, "container"))


def head_container(call, params):
    call(swift.head_container, params.pop("container"))


def get_container(call, params):
    query = "reverse=true" if params.pop("reverse", False) else None
    options = take(params, *LISTING) | {"query_string": query}
    call(swift.get_container, params.pop("container"), **options)


def post_container(call, params):
    call(swift.post_container, params.pop("container"), headers_from(params, "container"))


def delete_container(call, params):
    call(swift.delete_container, params.pop("container"))


def put_object(call, params):
    options = take(params, "etag", "content_type")
    body = params.pop("body")
    if "repeat" in body:
        contents = repeat(body["repeat"], body["len"])[1]
    elif "zeros" in body:
        contents = bytes(body["zeros"])
    else:
        contents = body["utf8"].encode() if "utf8" in body else BINARY
    call(swift.put_object, *address(params), contents, headers=headers_from(params), **options)


def get_object(call, params):
    query = part_number(params)
    call(swift.get_object, *address(params), query_string=query, headers=headers_from(params))


def head_object(call, params):
    query = part_number(params)
    call(swift.head_object, *address(params), query_string=query, headers=headers_from(params))


def part_number(params):
    return f"part-number={params.pop('part_number')}" if "part_number" in params else None


def post_object(call, params):
    call(swift.post_object, *address(params), headers_from(params))


def copy_object(call, params):
    destination = f"/{params.pop('destination_container')}/{params.pop('destination_object')}"
    manifest = params.pop("multipart_manifest", None)
    container, name = address(params)
    options = take(params, "fresh_metadata") | {"headers": headers_from(params)}
    if manifest:
        # No function of swiftclient's has this query; it is what the operation is without.
        plain = call.connection[1].request
        call.connection[1].request = lambda method, path, *rest: plain(
            method, f"{path}?multipart-manifest={manifest}", *rest
        )
    call(swift.copy_object, container, name, destination, **options)


def delete_object(call, params):
    call(swift.delete_object, *address(params))


def put_slo(call, params):
    query = "multipart-manifest=put" + "&heartbeat=on" * params.pop("heartbeat", False)
    segments = json.dumps(params.pop("segments"))
    options = take(params, "etag", "content_type") | {"query_string": query}
    call(swift.put_object, *address(params), segments, headers=headers_from(params), **options)


def get_manifest(call, params):
    call(swift.get_object, *address(params), query_string="multipart-manifest=get")


def delete_slo(call, params):
    call(swift.delete_object, *address(params), query_string="multipart-manifest=delete")


def put_dlo(call, params):
    pointer = f"{params.pop('segments_container')}/{params.pop('prefix')}"
    headers = headers_from(params) | {"X-Object-Manifest": urllib.parse.quote(pointer)}
    call(swift.put_object, *address(params), "", headers=headers)


def bulk_delete(call, params):
    """By swiftclient's own pages, which have one container each; the rest of it is the same."""
    lines = []
    objects = params.pop("objects")

    class Noted:
        attempts = 1

        def post_account(self, headers, query_string, data, response_dict):
            lines.append((headers, query_string, data))
            return {}, b""

    for container, name in objects:
        SwiftService._bulkdelete(Noted(), container, [name], {})
    headers, query, _ = lines[0]
    data = b"".join(data for _, _, data in lines)
    call(swift.post_account, headers, query_string=query, data=data)


def get_info(call, params):
    mapped = swift.Connection(preauthurl=call.url, preauthtoken=TOKEN)._map_url(None)
    swift.get_capabilities((urllib.parse.urlparse(mapped), call.connection[1]))


BINARY = bytes(range(256))
