"""token-renewal: whether a token that was had at one time is renewed at another.

Asked of keystoneauth1's `will_expire_soon`, at the time that the server's clock shows then: a
client that knows it by the answer's `Date`. An interval that is longer than half of the token's life
is asked for as that half: apus renews no token that has more of its life left.
"""

import datetime
import math
import time
import unittest.mock

import keystoneauth1._utils
import swiftclient.authv1
from keystoneauth1 import access

from common import case, parse_time, time_of
from keystone_auth import SWIFTCLIENT, VERSION

SOURCE = (
    f"{VERSION}: AccessInfo.will_expire_soon(interval, or half of the life where that is shorter) of "
    f"versions 2 and 3, {SWIFTCLIENT} for "
    "version 1 (`expires_in`, seconds, or null for no X-Auth-Token-Expires); asked by the "
    "server's clock, which is `ask_at` plus `server_date` less `local_clock`"
)

SPECIFIED = (
    "What apus specifies: the server's clock is the answer's Date, or, where that can't be of the "
    "clock that made the token or is missing (null), the token's issued_at; a token that ends at "
    "this very moment is renewed. keystoneauth1 compares the end with the local clock"
)

TTLS = [1, 5, 8, 30, 59, 60, 61, 120, 121, 300, 3600, 86400]
INTERVALS = [0, 1, 5, 30, 60, 120, 300, 3600]
SKEWS = [0, 0, 0, 1, -1, 7, -45, 300, -300, 86400, -86400, 400 * 86400]


def suites(dice_of, count):
    yield "token-renewal", SOURCE, cases(dice_of("token-renewal"), count or 150)
    yield "token-renewal.specified", SPECIFIED, specified()


def cases(dice, count):
    found, start = [], datetime.datetime(2026, 2, 28, 23, 59, 30)
    for ttl in TTLS:
        for interval in [0, 5, 60]:
            # Before, at and after the moment from which it is too old.
            for late in [-1, 0, 1]:
                asked = ttl - interval + late
                # At the very moment when it ends keystoneauth1 uses it yet, and a server does not.
                if 0 <= asked != ttl:
                    name = f"life-{ttl}-interval-{interval}-{late:+}"
                    found.append(recorded(name, start, ttl, 0, interval, asked))
    for skew in sorted(set(SKEWS)):
        for late in [-1, 1]:
            name = f"skew-{skew:+}-{late:+}"
            found.append(recorded(name, start, 3600, skew, 60, 3540 + late))
    for i, written in enumerate(
        [
            "2026-03-01T00:59:30Z",
            "2026-03-01T00:59:30.5Z",
            "2026-03-01T00:59:30.000001Z",
            "2026-03-01T00:59:30+00:00",
            "2026-03-01T02:59:30.000000+02:00",
            "2026-02-28T19:59:30-05:00",
            "2026-03-01T00:59:30",
            "2026-03-01T00:59:30.999999",
        ]
    ):
        for late in [-1, 1]:
            name = f"written-{i}-{late:+}"
            found.append(recorded(name, start, 3600, 0, 60, 3540 + late, written=written))
    for version, ttl in [("v2", 3600), ("v1", 3600), ("v1", 90), ("v1", None)]:
        for late in [-1, 1]:
            asked = (ttl or 3600) - 60 + late
            name = f"{version}-{ttl}-{late:+}"
            found.append(recorded(name, start, ttl, 0, 60, asked, version))
    for i in range(count):
        ttl, interval, skew = dice.choice(TTLS), dice.choice(INTERVALS), dice.choice(SKEWS)
        asked = ttl - interval + dice.randint(-3, 3) if dice.chance(0.7) else dice.randint(0, 4000)
        version = dice.choice(["v3", "v3", "v3", "v2", "v1"])
        asked = max(asked, 0) + (asked == ttl)
        found.append(recorded(f"random-{i}", dice.moment(), ttl, skew, interval, asked, version))
    return found


def specified():
    """By hand: whose clock it is that a token's life is counted by."""
    found, start = [], datetime.datetime(2026, 6, 30, 12, 0, 0)

    def one(name, date, skew, interval, asked, renew, ttl=3600):
        local = start + datetime.timedelta(seconds=skew)
        given = {
            "version": "v3",
            "server_date": date if date is None else later(start, date),
            "local_clock": time_of(local),
            "interval": interval,
            "ask_at": later(local, asked),
            "issued_at": start.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "expires_at": (start + datetime.timedelta(seconds=ttl)).isoformat() + "Z",
        }
        found.append(case(f"{name}-{'late' if renew else 'early'}", given, {"renew": renew}))

    for late, renew in [(-1, False), (1, True)]:
        for skew in [0, 86400, -86400]:
            one(f"no-date-{skew:+}", None, skew, 60, 3540 + late, renew)
            one(f"date-before-issue-{skew:+}", -600, skew, 60, 3540 + late, renew)
            one(f"date-after-end-{skew:+}", 7200, skew, 60, 3540 + late, renew)
        # An hour's token of which half was over when it was had.
        one("date-after-issue", 1800, 0, 60, 1740 + late, renew)
    one("ends-now", 0, 0, 0, 3600, True)
    one("ends-soon", 0, 0, 0, 3599, False)
    return found


def later(moment, seconds):
    return time_of(moment + datetime.timedelta(seconds=seconds))


def recorded(name, issued, ttl, skew, interval, asked, version="v3", written=None):
    """A token that is obtained when it is issued, expires `ttl` seconds later, and is asked for after `asked`."""
    local = issued + datetime.timedelta(seconds=skew)
    given = {
        "version": version,
        "server_date": time_of(issued),
        "local_clock": time_of(local),
        "interval": interval,
        "ask_at": later(local, asked),
    }
    if version == "v1":
        given["expires_in"] = ttl
    else:
        expires = issued + datetime.timedelta(seconds=ttl)
        given["issued_at"] = issued.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        given["expires_at"] = written or expires.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    then = parse_time(given["ask_at"]) + (issued - local)
    return case(name, given, {"renew": will_expire(given, ttl, issued, then)})


def will_expire(given, ttl, issued, then):
    """What the oracle says at this time of a token that it had when it was issued."""
    if given["version"] == "v1":
        with clock(issued):
            held = swiftclient.authv1.AccessInfoV1("", "", None, "", "t", given["expires_in"])
    elif given["version"] == "v2":
        body = {"access": {"token": {"id": "t", "expires": given["expires_at"]}}}
        held = access.create(body=body)
    else:
        held = access.create(body={"token": {"expires_at": given["expires_at"]}}, auth_token="t")
    with clock(then):
        return held.will_expire_soon(min(given["interval"], (ttl or math.inf) / 2))


def clock(moment):
    """It is this time for all that asks, until the end of the block."""
    moment = moment.replace(tzinfo=datetime.timezone.utc)

    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return moment if tz else moment.replace(tzinfo=None)

    stack = unittest.mock.patch.object(keystoneauth1._utils.datetime, "datetime", Stopped)
    return Both(stack, unittest.mock.patch.object(time, "time", moment.timestamp))


class Both:
    """Two contexts in one."""

    def __init__(self, *contexts):
        self.contexts = contexts

    def __enter__(self):
        for context in self.contexts:
            context.__enter__()

    def __exit__(self, *error):
        for context in reversed(self.contexts):
            context.__exit__(*error)
