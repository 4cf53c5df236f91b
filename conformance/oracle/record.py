"""Records the conformance vectors; `record` beside it prepares what this needs."""

import argparse
import os
import pathlib
import sys

# Nothing of this machine's own configuration may show in a vector.
for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO"))]:
    del os.environ[name]
for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]:
    os.environ[name] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import common  # noqa: E402 (after the environment is clean)

FAMILIES = [
    "sigv4",
    "checksums",
    "operations",
    "responses",
    "endpoints",
    "host_regions",
    "presign",
    "keystone_auth",
    "keystone_catalog",
    "token_renewal",
    "swift_request",
    "swift_response",
    "swift_tempurl",
    "swift_manifest",
    "clouds_yaml",
    "clouds_random",
    "clouds_fixtures",
    "aws_config",
    "locations",
    "locations_specified",
    "location_encryption",
    "migration",
    "oslo_files",
    "glance_samples",
    "operator_files",
]


def main():
    here = pathlib.Path(__file__).resolve().parent
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes")
    options.add_argument(
        "--count", type=int, help="random cases of each suite (its own by default)"
    )
    options.add_argument("--out", type=pathlib.Path, default=here.parent / "vectors")
    options.add_argument("--suite", help="only this suite")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)

    def dice_of(suite):
        return common.Dice(chosen.seed, suite)

    total = 0
    for family in FAMILIES:
        module = __import__(family)
        for file, source, cases in module.suites(dice_of, chosen.count):
            suite = file.partition(".")[0]
            if chosen.suite not in (None, suite, file):
                continue
            # A family gives none in place of a case that its oracle knows nothing of.
            cases = [case for case in cases if case is not None]
            path = chosen.out / f"{file}.json"
            common.write(path, suite, source, cases)
            total += len(cases)
            print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
    if not total:
        sys.exit(f"no suite is called {chosen.suite}")
    print(f"{total} cases")


if __name__ == "__main__":
    main()
