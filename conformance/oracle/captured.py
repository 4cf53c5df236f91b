"""Requests of keystoneauth1 and swiftclient, caught where `requests` would send them.

Both go by a session of `requests`; an adapter in place of its own answers every request with the
same words and keeps what it was given.
"""

import io
import json

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

# Headers that a transport sets, not the protocol.
LEFT_OUT = ["user-agent", "accept-encoding", "connection"]


class Captured(BaseAdapter):
    """Sends nothing; `request` is the last one it was given."""

    def __init__(self, status=200, headers=None, body=None):
        super().__init__()
        self.status = status
        self.headers = headers or {}
        self.body = b"" if body is None else json.dumps(body).encode()
        self.request = None

    def send(self, request, **_):
        self.request = request
        answer = requests.Response()
        answer.status_code = self.status
        answer.headers = CaseInsensitiveDict(self.headers)
        answer.raw = HTTPResponse(io.BytesIO(self.body), preload_content=False)
        answer.url, answer.request, answer.connection = request.url, request, self
        return answer

    def close(self):
        pass


def session(adapter):
    """A session of `requests` that ends in this adapter."""
    made = requests.Session()
    made.trust_env = False
    attach(made, adapter)
    return made


def attach(made, adapter):
    for scheme in ["http://", "https://"]:
        made.mount(scheme, adapter)


def headers_of(request):
    """The headers in a vector's form, sorted."""

    def text(value):
        return value.decode() if isinstance(value, bytes) else value

    found = [[text(name), text(value)] for name, value in request.headers.items()]
    return sorted(pair for pair in found if pair[0].lower() not in LEFT_OUT)


def body_of(request):
    body = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b"".join(body)
