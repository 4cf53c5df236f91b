"""location-s3.specified, location-swift.specified: by hand, where glance_store is wrong or lax.

What is right follows from `s3-location-without-credentials` (a location is scheme, host, bucket and
object, and nothing in it is lost) and from RFC 3986 (what is a host, a port, a scheme). Each name
says why.
"""

from common import case

SOURCE = (
    "By hand: what apus specifies where glance_store loses a part of a location, takes the wrong one "
    "or accepts what is invalid. Each name says what is right"
)

FAST = {"scheme": "s3+https", "host": "h:9000", "path_prefix": "gw/s3", "bucket": "images"}
COLD = {"scheme": "s3", "host": "h", "bucket": "images"}
BACKENDS = {"cold": COLD, "fast": FAST}
REFERENCES = {
    "ref1": {"auth_address": "https://auth.example/gate/way", "user": "t:u/v", "key": "a/b"},
    "ref2": {"auth_address": "http://auth.example:5000/v3", "user": "t:u", "key": "k"},
}
ERROR = {"error": "BadStoreUri"}


def suites(dice_of, count):
    yield "location-s3.specified", SOURCE, [*s3_cases()]
    yield "location-swift.specified", SOURCE, [*swift_cases()]


def s3_cases():
    for why, credentials, access, secret in [
        ("a colon belongs to the secret", "K:S:T", "K", "S:T"),
        ("an @ belongs to the secret", "K:p@ss", "K", "p@ss"),
        ("a question mark belongs to the secret", "K:S?z", "K", "S?z"),
        ("a number sign belongs to the secret", "K:S#z", "K", "S#z"),
        ("a slash belongs to the secret", "K:/a/b/", "K", "/a/b/"),
        ("a secret is not decoded", "K:S%2F%40", "K", "S%2F%40"),
        ("a pair of empty texts is no credentials", ":", None, None),
    ]:
        given = {"uri": f"s3+https://{credentials}@h:9000/images/1f"}
        yield case(why, given, read("s3+https://h:9000/images/1f", access, secret))
    for why, uri, clean, key in [
        ("an @ in a key is not the end of credentials", "s3://h/images/a@c", None, "a@c"),
        ("an @ in a key stays behind credentials", "s3://K:S@h/images/a@c", None, "a@c"),
        ("percent signs are the key's own", "s3://K:S@h/images/k%20y%2", None, "k%20y%2"),
        ("a query is kept", "s3://K:S@h/images/k?versionId=1", None, "k"),
        ("a query with an @ is kept", "s3://h/images/k?a=b@c/d", None, "k"),
        ("a fragment is kept", "s3://K:S@h/images/k#part", None, "k"),
        ("slashes at the end are none of the key's", "s3://K:S@h/images/k//", "s3://h/images/k", "k"),
        ("a scheme may have capitals", "S3+HTTP://K:S@h/images/k", "s3+http://h/images/k", "k"),
        ("a key with ? and # is written with escapes", "s3://h/images/a%3Fb%23", None, "a?b#"),
        ("a key that looks escaped is protected", "s3://h/images/a%253Fb", None, "a%3Fb"),
        ("a key with a slash at its end is written so", "s3://h/images/dir%2F", None, "dir/"),
        ("a line feed is written so", "s3://h/images/a%0Ab", None, "a\nb"),
        ("a key has any letters", "s3://K:S@h/images/日本 é\u0301🐦", None, "日本 é\u0301🐦"),
    ]:
        pair = ("K", "S") if "K:S@" in uri else (None, None)
        clean = clean or uri.replace("K:S@", "")
        yield case(why, {"uri": uri}, read(clean, *pair) | {"key": key})
    for why, uri, expect in [
        ("the backend tells where the key begins", "s3://h/images/a/c", {"key": "a/c"}),
        ("a key may begin with a slash", "s3://h/images//k", {"key": "/k"}),
        ("a key may hold the sign of a scheme", "s3://h/images/a://c", {"key": "a://c"}),
        ("a port that is the scheme's own is the same host", "s3://h:80/images/a/c", {"key": "a/c"}),
        ("hosts are the same whatever their case", "s3://H/images/a/c", {"host": "H", "key": "a/c"}),
        (
            "the backend tells prefix, bucket and key",
            "s3+https://K:1/x@h:9000/gw/s3/images/a/c",
            {"path_prefix": "gw/s3", "bucket": "images", "key": "a/c", "secret_key": "1/x"},
        ),
        (
            "digits before a slash may be a secret at a known host",
            "s3://K:1/x@h/images/k",
            {"host": "h", "key": "k", "access_key": "K", "secret_key": "1/x"},
        ),
        (
            "what looks like credentials may be the key at a known host",
            "s3://h:80/images/c:d@other/b/k",
            {"host": "h:80", "key": "c:d@other/b/k", "access_key": None},
        ),
        ("a bucket that begins like a backend's is another", "s3://h/images2/a/c", ERROR),
        ("another class of scheme is another place", "s3+https://h/images/a/c", ERROR),
        ("another port is another place", "s3+https://h/gw/s3/images/a/c", ERROR),
        ("a prefix that begins like a backend's is another", "s3+https://h:9000/gw/s/i/k", ERROR),
        ("two readings in one backend are refused", "s3://K:S@h/images/@h/images/k", ERROR),
    ]:
        yield case(why, {"uri": uri, "backends": BACKENDS}, expect)
    for why, uri in [
        ("prefix or key: ambiguous", "s3://h/pre/b/k"),
        ("an empty bucket is invalid", "s3://h//k"),
        ("an empty element is nowhere", "s3://h/b//k"),
        ("one key is no pair", "s3://K@h/b/k"),
        ("port and path, or key and secret: ambiguous", "s3://K:1/x@h/b/k"),
        ("a second scheme behind credentials", "s3://K:S@https://h/b/k"),
        ("a space is in no host", "s3://my host/b/k"),
        ("port 0 is invalid", "s3://h:0/b/k"),
        ("port 65536 is invalid", "s3://h:65536/b/k"),
        ("letters are no port", "s3://h:http/b/k"),
        ("an empty port is invalid", "s3://h:/b/k"),
        ("brackets that do not match", "s3://[::1/b/k"),
        ("brackets around no address", "s3://[h]/b/k"),
        ("an address without brackets", "s3://::1/b/k"),
        ("user and password of no host", "s3://K:S@/b/k"),
    ]:
        yield case(why, {"uri": uri}, ERROR)


def read(clean, access, secret):
    return {
        "scheme": clean.partition(":")[0],
        "bucket": "images",
        "path_prefix": "",
        "access_key": access,
        "secret_key": secret,
        "formatted": clean,
        "credential_free": clean,
    }


def swift_cases():
    stored = {"storage_url": "https://h/v1/AUTH_a", "container": "c", "user": None, "key": None}
    for why, uri, expect in [
        ("an object may hold slashes", "swift://h/v1/AUTH_a/c/a/b", {"object": "a/b"}),
        ("an object may hold : and @", "swift://h/v1/AUTH_a/c/x:y@z/w", {"object": "x:y@z/w"}),
        ("a query is kept", "swift://h/v1/AUTH_a/c/o?a=b", {"object": "o"}),
        ("a scheme may have capitals", "SWIFT://h/v1/AUTH_a/c/o", {"scheme": "swift"}),
        ("the account is not part of the container", "swift+https://h/v1/AUTH_a/c/o", {}),
        (
            "a host may begin with http",
            "swift://httpd.example/v1/AUTH_a/c/o",
            {"storage_url": "https://httpd.example/v1/AUTH_a"},
        ),
    ]:
        clean = uri.replace("SWIFT", "swift")
        printed = {"formatted": clean, "credential_free": clean}
        yield case(why, {"uri": uri}, stored | printed | expect)
    auth = {"auth_url": "https://h/v3", "container": "c", "object": "o", "user": "t:u"}
    for why, uri, expect in [
        ("an object behind a version", "swift://t:u:k@h/v3/c/a/b", {"object": "a/b", "key": "k"}),
        ("an @ in an object", "swift://t:u:k@h/v3/c/a@b", {"object": "a@b", "key": "k"}),
        ("an encoded colon is the key's", "swift://t%3Au:p%3Aw@h/v3/c/o", {"key": "p:w"}),
        ("a slash is the key's", "swift://t:u:p/w@h/v3/c/o", {"key": "p/w"}),
        ("an @ is the key's", "swift://t:u:p@w@h/v3/c/o", {"key": "p@w"}),
        ("? and # are the key's", "swift://t:u:p?w#@h/v3/c/o", {"key": "p?w#"}),
        ("a key is decoded once", "swift://t:u:p%252F@h/v3/c/o", {"key": "p%2F"}),
        ("a pair of empty texts is no credentials", "swift://:@h/v3/c/o", {"user": None, "key": None}),
    ]:
        expect = auth | expect
        clean = f"swift://h/v3/c/{expect['object']}"
        if not expect["user"]:
            expect["storage_url"] = expect.pop("auth_url")
        yield case(why, {"uri": uri}, expect | {"formatted": clean, "credential_free": clean})
    for why, uri, expect in [
        ("a reference's container has no slash", "swift+config://ref2/c/a/b", {"object": "a/b"}),
        ("an @ in a reference's object", "swift+config://ref2/c/a@b", {"object": "a@b"}),
        ("a question mark is escaped", "swift+config://ref2/c/a%3Fb", {"object": "a?b"}),
        ("a reference that is not there", "swift+config://ref3/c/o", ERROR),
        ("the case of a reference counts", "swift+config://REF2/c/o", ERROR),
        ("a reference has credentials of its own", "swift+config://u:k@ref2/c/o", ERROR),
        (
            "the reference tells where the address ends",
            "swift://t:u:a/b@auth.example/gate/way/c/o/p",
            {
                "auth_url": "https://auth.example/gate/way",
                "object": "o/p",
                "key": "a/b",
                "formatted": "swift://auth.example/gate/way/c/o/p",
                "credential_free": "swift+config://ref1/c/o/p",
            },
        ),
        (
            "a slash is the user's at a known address",
            "swift+https://t%3Au/v:a/b@auth.example/gate/way/c/o",
            {"user": "t:u/v", "key": "a/b", "credential_free": "swift+config://ref1/c/o"},
        ),
        (
            "another port is another address",
            "swift+http://t:u:k@auth.example/v3/c/o",
            {"auth_url": "http://auth.example/v3", "credential_free": "swift+http://auth.example/v3/c/o"},
        ),
    ]:
        yield case(why, {"uri": uri, "references": REFERENCES}, expect)
    for why, uri in [
        ("address or container: ambiguous", "swift://h/a/b/c"),
        ("a slash in a user at an unknown address", "swift://t%3Au/v:k@h/v3/c/o"),
        ("an account is no container", "swift://h/v1/AUTH_a"),
        ("an empty element is nowhere", "swift://h//v3/c/o"),
        ("one word is no pair", "swift://user@h/c/o"),
        ("bytes that are no text", "swift://u:%FF@h/c/o"),
        ("a second scheme behind credentials", "swift://u:k@https://h/c/o"),
        ("a space is in no host", "swift://my host/c/o"),
        ("port 0 is invalid", "swift://h:0/c/o"),
        ("brackets that do not match", "swift://[::1/c/o"),
    ]:
        yield case(why, {"uri": uri}, ERROR)
