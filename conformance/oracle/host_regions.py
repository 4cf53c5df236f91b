"""s3-host-region: the region that each of Amazon's hosts means, by botocore's endpoint data.

The hosts are those of botocore's ruleset for every region of its partitions, with FIPS and dual stack
and without, as an endpoint and as the host of a bucket; those of `endpoints.json`, with the region of
its credential scope; and those that glance_store has in a table of its own.
"""

import json
import pathlib
import re

import botocore
import botocore.session
from botocore.loaders import Loader

from common import VERSION, case
from glance_stores import S3

SOURCE = f"{VERSION}: its partitions, its endpoint ruleset for S3 and endpoints.json"
DATA = pathlib.Path(botocore.__file__).parent / "data"


def suites(_dice_of, _count):
    yield "s3-host-region", SOURCE, cases()


def cases():
    seen = {}
    for host, region in [*ruleset(), *endpoints(), *of_glance_store()]:
        known = seen.setdefault(host, region)
        assert known == region, (host, known, region)
    # Their endpoints have no region of their own.
    for host in ["s3-accelerate.amazonaws.com", "s3-accelerate.dualstack.amazonaws.com"]:
        seen[host] = None
    for host, region in sorted(seen.items()):
        yield case(host, {"host": host}, {"region": region})


def ruleset():
    from botocore.endpoint_provider import EndpointProvider

    rules = Loader().load_service_model("s3", "endpoint-rule-set-1")
    partitions = json.loads((DATA / "partitions.json").read_text())
    provider = EndpointProvider(rules, partitions)
    for partition in partitions["partitions"]:
        for region in partition["regions"]:
            if region.endswith("-global"):
                continue
            for fips in [False, True]:
                for dual in [False, True]:
                    for bucket in [None, "my-bucket-1"]:
                        given = {"Region": region, "UseFIPS": fips, "UseDualStack": dual}
                        if bucket:
                            given["Bucket"] = bucket
                        try:
                            found = provider.resolve_endpoint(**given)
                        except Exception:
                            continue
                        scheme = found.properties["authSchemes"][0]
                        yield host_of(found.url), scheme["signingRegion"]


def endpoints():
    known = json.loads((DATA / "endpoints.json").read_text())
    for partition in known["partitions"]:
        service = partition["services"].get("s3", {})
        for region, endpoint in service.get("endpoints", {}).items():
            scope = endpoint.get("credentialScope", {}).get("region", region)
            if scope.endswith("-global"):
                continue
            hosts = [endpoint.get("hostname")]
            hosts += [variant.get("hostname") for variant in endpoint.get("variants", [])]
            for host in hosts:
                if host:
                    yield host, scope


def of_glance_store():
    source = pathlib.Path(S3.__file__).read_text()
    for host in re.findall(r"'(s3-[a-z0-9-]+\.amazonaws\.[a-z.]+)': '", source):
        yield host, S3.get_s3_location(host)


def host_of(url):
    return url.removeprefix("https://").partition("/")[0]
