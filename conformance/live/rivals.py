"""What other clients do with an upload in segments that lasts six lives of its token.

    TOKEN_TTL=5 conformance/live/openstack up && conformance/live/openstack rivals

Each client reads the same bytes from a source so slow that they take that long, puts them into a
container of its own, and is judged from outside with a token of its own: is the object there and
right, what else is there, which trusts are left. Prints a table in Markdown, a line for each client.
"""
import collections
import hashlib
import logging
import math
import multiprocessing
import os
import re
import sys
import time
import warnings
from importlib.metadata import version

import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from oslo_config import cfg
from swiftclient import client as swiftclient
from swiftclient.service import SwiftService, SwiftUploadObject

E = {name.removeprefix("APUS_LIVE_OPENSTACK").lower().lstrip("_"): value
     for name, value in os.environ.items() if name.startswith("APUS_LIVE_OPENSTACK")}
KEYSTONE, STORAGE, LIFE = E[""], E["storage_url"], int(E["token_ttl"])
LIVES = 6
SEGMENT = 1_024_000  # the least that glance_store can be told
SEGMENTS = 2 * LIVES + 1
Rival = collections.namedtuple("Rival", "name how size upload")


def main():
    if LIFE > 10:
        sys.exit("tokens live %d s: run TOKEN_TTL=5 conformance/live/openstack up" % LIFE)
    print("| client | how | result | segments sent | seconds | logins | left besides the object |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with multiprocessing.get_context("fork").Pool(len(RIVALS), maxtasksperchild=1) as pool:
        for row in pool.imap(run, range(len(RIVALS)), chunksize=1):
            print("| " + " | ".join(str(cell) for cell in row) + " |")


def run(index):
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    rival, container = RIVALS[index], "rival-%d" % index
    count_logins()
    source = Slow(rival.size)
    before, began = trusts(), time.monotonic()
    LOGINS.clear()
    try:
        rival.upload(source, container)
        result = None
    except Exception as error:
        result = one_line(error)
    seconds, sent = time.monotonic() - began, source.position / SEGMENT
    logins = LOGINS["logins"]
    right, rest = judge(container, source)
    if not result:
        result = "the object is right" if right else "success is reported, and the object is wrong"
    left = trusts() - before if rival.upload is by_trust else set()
    if left:
        rest.append(count(len(left), "trust"))
    for trust in left:
        session().delete("%s/OS-TRUST/trusts/%s" % (KEYSTONE, trust))
    return (rival.name, rival.how, result,
            "%d of %d" % (math.ceil(sent), math.ceil(rival.size / SEGMENT)),
            round(seconds), logins, ", ".join(rest) or "nothing")


class Slow:
    """Bytes that come evenly over six token lives and some more; they can't be read twice."""

    def __init__(self, size):
        self.size, self.position, self.hash = size, 0, hashlib.md5()
        self.rate = size / (LIVES * LIFE + 2)

    def read(self, length=-1):
        rest = self.size - self.position
        length = min(rest if length is None or length < 0 else length, rest, 1 << 16)
        time.sleep(length / self.rate)
        # No two segments are alike.
        data = (b"%015d\n" % (self.position >> 16)) * (length // 16 + 1)
        data = data[:length]
        self.position += length
        self.hash.update(data)
        return data


def fixed_token(source, container):
    token = session().get_token()
    LOGINS.clear()
    swift_service(source, container, os_auth_token=token, os_storage_url=STORAGE)


def own_password(source, container):
    swift_service(source, container, auth_version="3", os_auth_url=KEYSTONE, os_username=E["user"],
                  os_password=E["password"], os_project_name=E["project"],
                  os_user_domain_id="default", os_project_domain_id="default")


def swift_service(source, container, **options):
    options |= {"segment_size": SEGMENT, "use_slo": True, "segment_container": container, "retries": 1}
    with SwiftService(options) as service:
        service.post(container)
        for done in service.upload(container, [SwiftUploadObject(source, "image")]):
            if not done["success"]:
                raise done["error"]


def single_tenant(source, container):
    glance_store(source, container, source.size)


def single_tenant_unknown(source, container):
    glance_store(source, container, 0)


def by_trust(source, container):
    glance_store(source, container, source.size, swift_store_multi_tenant=True,
                 swift_store_user="%s:%s" % (E["service_project"], E["service_user"]),
                 swift_store_key=E["service_password"])


def without_trust(source, container):
    glance_store(source, container, source.size, swift_store_multi_tenant=True,
                 swift_store_use_trusts=False)


def glance_store(source, container, size, **settings):
    import glance_store as library
    from glance_store._drivers import swift
    conf = cfg.ConfigOpts()
    conf([])
    library.register_opts(conf)
    settings = {
        "stores": ["swift"], "default_store": "swift", "swift_store_container": container,
        "swift_store_auth_address": KEYSTONE, "swift_store_create_container_on_put": True,
        "swift_store_user": "%s:%s" % (E["project"], E["user"]), "swift_store_key": E["password"],
        "swift_store_large_object_size": 1, "swift_store_large_object_chunk_size": 1} | settings
    for name, value in settings.items():
        conf.set_override(name, value, group="glance_store")
    store = swift.Store(conf)
    store.configure()
    login = session()
    access = login.auth.get_access(login)
    catalog = [{"type": "object-store", "name": "swift", "endpoints": [{"publicURL": STORAGE}]}]
    context = collections.namedtuple("Context", "auth_token user_id project_id service_catalog")(
        access.auth_token, access.user_id, access.project_id, catalog)
    LOGINS.clear()
    store.add("image", source, size, "sha256", context=context)


def judge(container, source):
    """Whether the object is what was read, and what is there that is no part of it; all removed."""
    connection = swiftclient.Connection(session=session(), retries=1)
    right, rest = False, []
    for name in (container, container + "_image"):
        try:
            names = [found["name"] for found in connection.get_container(name, full_listing=True)[1]]
        except swiftclient.ClientException:
            continue
        if "image" in names:
            stored = connection.get_object(name, "image")[1]
            right = hashlib.md5(stored).digest() == source.hash.digest()
        elif names:
            rest.append(count(len(names), "segment"))
        for found in names:
            connection.delete_object(name, found)
        connection.delete_container(name)
    return right, rest


def trusts():
    found = session().get(
        KEYSTONE + "/OS-TRUST/trusts", params={"trustor_user_id": E["user_id"]}).json()["trusts"]
    return {trust["id"] for trust in found}


def session():
    return Session(v3.Password(
        KEYSTONE, user_id=E["user_id"], password=E["password"], project_id=E["project_id"]))


def count_logins():
    send = requests.Session.send

    def counted(self, request, **kwargs):
        LOGINS["logins"] += request.method == "POST" and request.url.endswith("/auth/tokens")
        return send(self, request, **kwargs)

    requests.Session.send = counted


def one_line(error):
    text = re.sub(r"https?://\S+ +|  \[first.*", "", str(error)).replace("\n", " ")
    return "%s: %s" % (type(error).__name__, text.replace("|", "/").rstrip("."))


def count(number, thing):
    return "%d %s%s" % (number, thing, "s" * (number != 1))


LOGINS = collections.Counter()
CLIENT = "python-swiftclient " + version("python-swiftclient")
STORE = "glance_store " + version("glance_store")
WHOLE = SEGMENTS * SEGMENT
RIVALS = [
    Rival(CLIENT, "fixed token, SLO", WHOLE, fixed_token),
    Rival(CLIENT, "password, SLO", WHOLE, own_password),
    Rival(STORE, "single tenant", WHOLE, single_tenant),
    Rival(STORE, "single tenant, unknown length", WHOLE + 500_000, single_tenant_unknown),
    Rival(STORE, "single tenant, last segment short", WHOLE + 500_000, single_tenant),
    Rival(STORE, "multi tenant, trusts", WHOLE, by_trust),
    Rival(STORE, "multi tenant, no trusts", WHOLE, without_trust),
]

main()
