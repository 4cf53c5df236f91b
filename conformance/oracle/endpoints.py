"""s3-endpoint: botocore's ruleset of endpoints, asked through a client that does not send."""

import botocore.exceptions

from client import send
from common import ACCESS_KEY, ODD_KEYS, REGIONS, SECRET_KEY, VERSION, case

TIME = "20260102T030405Z"
ACCOUNT = "111122223333"
MORE_REGIONS = REGIONS + [
    "us-iso-east-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
    "eusc-de-east-1",
    "ap-northeast-1",
    "me-central-1",
    "ca-central-1",
    "mars-north-1",
]
BUCKETS = [
    "bucket",
    "my-bucket-1",
    "my.dotted.bucket",
    "abc",
    "a-b-c",
    "0bucket9",
    "bucket-" + "x" * 50,
    "BUCKET",
    "Under_score",
    "a.b",
    "192.168.1.1",
    "-dash",
    "dash-",
    "two..dots",
    "x" * 64,
    "1.2",
    "ab",
    "alias-aqfqprnstn7aefdfbarligizwgyfouse1a-s3alias",
]
REFUSED_BUCKETS = ["", "sp ace", "sl/ash", "ünï", "x" * 256]
# Zonal buckets (S3 Express) and Outposts by alias, which we refuse and botocore knows.
FOREIGN_BUCKETS = [
    "bucket--use1-az4--x-s3",
    "ap-name--use1-az4--xa-s3",
    "test-accessp-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3",
]
ENDPOINTS = [
    "http://s3.example.com",
    "https://s3.example.com",
    "https://s3.example.com:8443",
    "http://127.0.0.1:9000",
    "https://[::1]:9000",
    "http://[2001:db8::1]",
    "http://localhost:8080/",
    "https://example.com/prefix",
    "https://example.com/deep/er/prefix/",
    "https://s3.eu-west-1.amazonaws.com",
]
IP_HOSTS = ["127.0.0.1", "[::1]", "[2001:db8::1]"]

SOURCE = (
    f"{VERSION}, its endpoint ruleset as its client asks it. `error`: botocore's refusal, or (said "
    "in the text) one that apus specifies where botocore goes on: SigV4A, S3 Express, Outposts"
)


def suites(dice_of, count):
    yield "s3-endpoint", SOURCE, endpoint_cases(dice_of("s3-endpoint"), count or 200)


def endpoint_cases(dice, count):
    number = 0
    for given in [
        *plain(dice),
        *custom(dice),
        *access_points(dice),
        *refused(dice),
        *random(dice, count),
    ]:
        made = endpoint_case(f"{number}", given)
        if made:
            yield made
            number += 1


def plain(dice):
    for region in MORE_REGIONS:
        for addressing in ["auto", "path", "virtual"]:
            yield {"region": region, "bucket": "bucket", "addressing": addressing}
        for flags in [
            ["use_fips"],
            ["use_dualstack"],
            ["use_fips", "use_dualstack"],
            ["accelerate"],
            ["accelerate", "use_dualstack"],
            ["accelerate", "use_fips"],
        ]:
            yield {
                "region": region,
                "bucket": "bucket",
                "addressing": dice.choice(["auto", "virtual"]),
            } | {flag: True for flag in flags}
    for bucket in BUCKETS + REFUSED_BUCKETS:
        for addressing in ["auto", "path", "virtual"]:
            yield {"region": "eu-west-1", "bucket": bucket, "addressing": addressing}
    for key in ODD_KEYS:
        yield {"region": "eu-west-1", "bucket": "bucket", "key": key, "addressing": "virtual"}
    for addressing in ["auto", "path", "virtual"]:
        for bucket in ["bucket", "my.dotted.bucket"]:
            yield {
                "region": "us-east-1",
                "bucket": bucket,
                "addressing": addressing,
                "use_global_endpoint": True,
            }
    yield {"region": "us-east-1", "bucket": None, "addressing": "auto"}
    yield {"region": "cn-north-1", "bucket": None, "addressing": "auto", "use_dualstack": True}
    yield {"region": "us-gov-west-1", "bucket": None, "addressing": "auto", "use_fips": True}


def custom(dice):
    for endpoint in ENDPOINTS:
        for addressing in ["auto", "path", "virtual"]:
            for bucket in ["bucket", dice.choice(BUCKETS)]:
                yield {
                    "region": dice.choice(REGIONS),
                    "endpoint": endpoint,
                    "bucket": bucket,
                    "addressing": addressing,
                } | ({"key": dice.key()} if dice.chance(0.5) else {})
        yield {"region": "us-east-1", "endpoint": endpoint, "bucket": None, "addressing": "path"}
    yield {
        "region": "us-east-1",
        "endpoint": ENDPOINTS[1],
        "bucket": "bucket",
        "addressing": "path",
        "accelerate": True,
    }


def access_points(dice):
    def arn(region="us-west-2", name="myendpoint", partition="aws", service="s3", account=ACCOUNT):
        return f"arn:{partition}:{service}:{region}:{account}:accesspoint/{name}"

    base = {"region": "us-west-2", "addressing": "auto"}
    for bucket in [
        arn(),
        arn("us-east-1"),
        arn("eu-central-1"),
        arn("cn-north-1", partition="aws-cn"),
        arn("us-gov-west-1", partition="aws-us-gov"),
        arn().replace("accesspoint/", "accesspoint:"),
        arn(""),
        arn(name=""),
        arn(name="my.end"),
        arn(name="my_end"),
        arn(account=""),
        arn(name="a/b"),
        arn(service="sqs"),
        "arn:aws:s3:us-west-2:111122223333:bucket_name:mybucket",
        "arn:aws:s3:us-west-2:111122223333",
        "arn:aws:s3:us-west-2:111122223333:accesspoint",
    ]:
        yield base | {"bucket": bucket}
    for region in REGIONS:
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(
            region[:6] if region.startswith("us-gov") else region[:2], "aws"
        )
        bucket = arn(region, partition=partition)
        yield {"region": region, "addressing": "auto", "bucket": bucket}
        yield {"region": region, "addressing": "auto", "bucket": bucket, "use_dualstack": True}
        yield {"region": region, "addressing": "auto", "bucket": bucket, "use_fips": True}
        yield base | {"bucket": bucket, "use_arn_region": True}
        yield base | {"bucket": bucket, "use_arn_region": False}
    for addressing in ["path", "virtual"]:
        yield base | {"bucket": arn(), "addressing": addressing, "key": dice.key()}
    for key in ODD_KEYS[:12]:
        yield base | {"bucket": arn(), "key": key}
    yield base | {"bucket": arn(), "endpoint": "https://beta.example.com"}
    yield base | {"bucket": arn(), "endpoint": "https://beta.example.com:8443", "key": "key"}
    yield base | {"bucket": arn(), "accelerate": True}
    yield base | {"bucket": arn(), "disable_access_points": True}
    yield base | {"bucket": "bucket", "disable_access_points": True}
    mrap = f"arn:aws:s3::{ACCOUNT}:accesspoint:mfzwi23gnjvgw.mrap"
    yield base | {"bucket": mrap}
    yield base | {"bucket": mrap, "disable_multi_region_access_points": True}
    yield base | {"bucket": "bucket", "disable_multi_region_access_points": True}


def refused(dice):
    base = {"region": "us-west-2", "addressing": "auto"}
    for bucket in FOREIGN_BUCKETS:
        yield base | {"bucket": bucket}
    yield base | {
        "bucket": f"arn:aws:s3-outposts:us-west-2:{ACCOUNT}:outpost:op-01234567890123456"
        ":accesspoint:reports"
    }


def random(dice, count):
    for _ in range(count):
        given = {
            "region": dice.choice(MORE_REGIONS),
            "bucket": dice.choice([dice.bucket(), dice.bucket(), dice.choice(BUCKETS)]),
            "addressing": dice.choice(["auto", "path", "virtual"]),
        }
        if dice.chance(0.4):
            given["endpoint"] = dice.choice(ENDPOINTS)
        else:
            given |= {flag: True for flag in ["use_fips", "use_dualstack"] if dice.chance(0.25)}
            if dice.chance(0.1):
                given["accelerate"] = True
        if dice.chance(0.4):
            given["key"] = dice.key()
        yield given


def endpoint_case(name, given):
    config = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY} | {
        option: given[option]
        for option in [
            "region",
            "endpoint",
            "addressing",
            "use_fips",
            "use_dualstack",
            "accelerate",
        ]
        if option in given
    }
    s3 = {
        "use_arn_region": given.get("use_arn_region", True),
        "s3_disable_multiregion_access_points": given.get(
            "disable_multi_region_access_points", False
        ),
        "us_east_1_regional_endpoint": "legacy" if given.get("use_global_endpoint") else "regional",
    }
    operation, params = "HeadBucket", {"Bucket": given["bucket"]}
    if given["bucket"] is None:
        operation, params = "ListBuckets", {}
    elif "key" in given:
        operation, params = "GetObject", params | {"Key": given["key"]}
    elif given.get("disable_access_points"):
        operation = "CreateBucket"  # the operation whose ruleset parameter this is
    try:
        request = send(config, operation, params, TIME, s3=s3)
    except botocore.exceptions.EndpointVariantError:
        # botocore's own table, older than its ruleset and not always of its opinion.
        return None
    except botocore.exceptions.BotoCoreError as error:
        return case(name, given, {"error": str(error).splitlines()[-1]})
    if request.url.partition("://")[2].startswith(f"{given['bucket']}.") and any(
        host in given.get("endpoint", "") for host in IP_HOSTS
    ):
        # The ruleset takes a bucket with dots for a host before it looks for an IP address.
        return None
    headers = {name.lower(): value for name, value in request.headers.items()}
    authorization = headers["authorization"].decode()
    if given["bucket"] in FOREIGN_BUCKETS or "s3-outposts" in authorization:
        return case(name, given, {"error": "refused by apus: S3 Express or Outposts"})
    if ".accesspoint.s3-global." in request.url:
        return case(name, given, {"error": "refused by apus: SigV4A"})
    scope = authorization.split("Credential=")[1].split(",")[0].split("/")
    url = request.url if "key" in given else request.url.rstrip("/")
    return case(name, given, {"url": url, "signing_region": scope[2], "signing_name": scope[3]})
