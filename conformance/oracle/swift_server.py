"""Swift's own middlewares over a store in memory: no sockets, no disks, the clock stands still."""

import hashlib
import io
import json
import logging
import urllib.parse

from pbr.version import VersionInfo
from swift.common.middleware import bulk, dlo, slo, tempurl
from swift.common.swob import HTTPNotFound, Request, Response, wsgi_to_str

VERSION = "swift " + VersionInfo("swift").release_string()
ACCOUNT = "/v1/AUTH_a6944d"
MODIFIED = "Fri, 02 Jan 2026 03:04:05 GMT"

logging.disable(logging.CRITICAL)


class Store:
    """Objects by path, and listings of containers: what the middlewares ask of a proxy server."""

    def __init__(self, refused=None):
        self.objects = {}
        # Paths, and the status that is all they answer.
        self.refused = refused or {}

    def __call__(self, env, start_response):
        request = Request(env)
        path = wsgi_to_str(request.path_info)
        _, _, container, name = (*path.split("/", 4)[1:], None)[:4]
        if path in self.refused:
            made = Response(request=request, status=self.refused[path], body=b"")
        elif name is None and request.method == "DELETE":
            full = any(other.startswith(f"{path}/") for other in self.objects)
            made = Response(request=request, status=409 if full else 204)
        elif name is None:
            made = self.listing(request, f"{path}/")
        elif request.method == "DELETE" and path in self.objects:
            del self.objects[path]
            made = Response(request=request, status=204)
        elif request.method == "PUT":
            body = request.body
            # What the middlewares want to see again.
            kept = {"X-Static-Large-Object", "X-Object-Manifest", "Content-Type"}
            headers = {
                header: value
                for header, value in request.headers.items()
                if header in kept or header.startswith("X-Object-Sysmeta")
            }
            self.objects[path] = (headers, body)
            etag = hashlib.md5(body).hexdigest()
            made = Response(status=201, headers={"Etag": etag, "Last-Modified": MODIFIED})
        elif path in self.objects:
            headers, body = self.objects[path]
            made = Response(
                request=request,
                body=body,
                headers=headers | {"Last-Modified": MODIFIED},
                conditional_response=True,
            )
            made.etag = hashlib.md5(body).hexdigest()
        else:
            made = HTTPNotFound(request=request)
        return made(env, start_response)

    def put(self, path, body):
        headers = {"Content-Type": "application/octet-stream"}
        self.objects[f"{ACCOUNT}/{path.lstrip('/')}"] = (headers, body)

    def listing(self, request, start):
        prefix = start + wsgi_to_str(request.params.get("prefix", ""))
        marker = start + wsgi_to_str(request.params.get("marker", ""))
        entries = [
            {
                "name": path.removeprefix(start),
                "bytes": len(body),
                "hash": hashlib.md5(body).hexdigest(),
                "content_type": headers["Content-Type"],
                "last_modified": "2026-01-02T03:04:05.000000",
            }
            for path, (headers, body) in sorted(self.objects.items())
            if path.startswith(prefix) and path > marker
        ]
        return Response(request=request, body=json.dumps(entries), content_type="application/json")


def server(store, keys=(), limits=None):
    """The middlewares in the order of a proxy server's pipeline; `keys` are the account's."""
    account = {"meta": {"temp-url-key": key for key in keys}, "status": 200}
    container = {"meta": {}, "status": 200}

    def knowing(env, start_response):
        cache = env.setdefault("swift.infocache", {})
        parts = wsgi_to_str(env["PATH_INFO"]).split("/", 4)
        cache[f"account/{parts[2]}"] = account
        cache["/".join(["container", *parts[2:4]])] = container
        return front(env, start_response)

    # One after the other, so that what goes wrong is told in its order.
    settings = {"concurrency": "1", "delete_concurrency": "1"} | (limits or {})
    large = slo.filter_factory(settings)(dlo.filter_factory({})(store))
    bulky = bulk.filter_factory(settings)(large)
    front = tempurl.filter_factory({"allowed_digests": "sha1 sha256 sha512"})(bulky)
    return knowing


def ask(app, method, url, headers=None, body=b"", address="192.0.2.7"):
    """One request, its URL encoded; the answer's status, headers and body."""
    path, _, query = url.partition("?")
    env = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REMOTE_ADDR": address,
        "SERVER_NAME": "swift.example.com",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in (headers or {}).items():
        variable = name.upper().replace("-", "_")
        variable = variable if variable == "CONTENT_TYPE" else f"HTTP_{variable}"
        env[variable] = value.encode().decode("latin-1")
    answered = {}

    def start_response(status, found, exc_info=None):
        answered.update(status=int(status.split()[0]), headers=dict(found))

    answer = b"".join(app(env, start_response))
    return answered["status"], answered["headers"], answer
