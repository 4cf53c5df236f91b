"""checksum, checksum-parts and aws-chunked: hashlib, awscrt, xxhash and botocore's own framing."""

import base64
import hashlib
import io

import awscrt
import xxhash
from awscrt import checksums as crt
from botocore.httpchecksum import _CHECKSUM_CLS, AwsChunkedWrapper

from common import VERSION, bytes_of, case, repeat

CRC = {
    "CRC32": lambda data: crt.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: crt.crc32c(data).to_bytes(4, "big"),
    "CRC64NVME": lambda data: crt.crc64nvme(data).to_bytes(8, "big"),
}
DIGESTS = CRC | {
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
    "SHA512": lambda data: hashlib.sha512(data).digest(),
    "MD5": lambda data: hashlib.md5(data).digest(),
    "XXHASH64": lambda data: xxhash.xxh64(data).digest(),
    "XXHASH3": lambda data: xxhash.xxh3_64(data).digest(),
    "XXHASH128": lambda data: xxhash.xxh3_128(data).digest(),
}
# Around the block sizes of each algorithm, and of what implementations do by eights and sixteens.
SIZES = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    15,
    16,
    17,
    31,
    32,
    33,
    55,
    56,
    63,
    64,
    65,
    111,
    112,
    127,
    128,
    129,
    239,
    240,
    241,
    255,
    256,
    257,
    511,
    1023,
    1024,
    1025,
]
LARGE = [4095, 4096, 65535, 65536, 65537, 1048575, 1048576, 1048577, 3000001, 8388608]
TRAILERS = [None, "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]

SOURCE = (
    f"hashlib; awscrt {awscrt.__version__} for the CRCs; xxhash {xxhash.VERSION} for the "
    "XXHASHs, whose canonical form is big-endian"
)
CHUNKED_SOURCE = f"{VERSION}, AwsChunkedWrapper"


def suites(dice_of, count):
    yield "checksum", SOURCE, checksum_cases(dice_of("checksum"), count or 140)
    yield "checksum-parts", SOURCE, parts_cases(dice_of("checksum-parts"), count or 120)
    yield "aws-chunked", CHUNKED_SOURCE, chunked_cases(dice_of("aws-chunked"), count or 60)


def checksum_cases(dice, count):
    cases = []
    for algorithm in DIGESTS:
        for size in dice.sample(SIZES, 12):
            data = dice.blob(size, size)
            cases.append(checksum_case(f"{algorithm}-{size}", algorithm, bytes_of(data), data))
        for size in dice.sample(LARGE, 4):
            recorded, data = repeat(dice.choice(["ab", "0123456789", "\0", "swift"]), size)
            cases.append(checksum_case(f"{algorithm}-large-{size}", algorithm, recorded, data))
        for text in ["", "hello", "hello world"]:
            data = text.encode()
            cases.append(
                checksum_case(f"{algorithm}-text-{len(text)}", algorithm, {"utf8": text}, data)
            )
    for i in range(count):
        algorithm, data = dice.choice(list(DIGESTS)), dice.blob(0, 300)
        cases.append(checksum_case(f"random-{i}", algorithm, bytes_of(data), data))
    return cases


def checksum_case(name, algorithm, recorded, data):
    given = {"algorithm": algorithm, "data": recorded}
    return case(name, given, {"base64": encoded(DIGESTS[algorithm](data))})


def parts_cases(dice, count):
    kinds = [(name, "COMPOSITE") for name in DIGESTS] + [(name, "FULL_OBJECT") for name in CRC]
    cases = [
        parts_case(
            f"{algorithm}-{kind}-hello".lower(),
            algorithm,
            kind,
            [({"utf8": "hello "}, b"hello "), ({"utf8": "world"}, b"world")],
        )
        for algorithm, kind in kinds
    ]
    for i in range(count):
        algorithm, kind = dice.choice(kinds)
        parts = []
        for _ in range(dice.randint(1, 6)):
            if dice.chance(0.3):
                parts.append(repeat(dice.choice(["a", "xyz", "\0"]), dice.randint(1000, 200000)))
            else:
                data = dice.blob(0, 60)
                parts.append((bytes_of(data), data))
        if dice.chance(0.05):
            parts = [repeat("apus", 5 << 20), *parts]
        cases.append(parts_case(f"random-{i}", algorithm, kind, parts))
    return cases


def parts_case(name, algorithm, kind, parts):
    digest = DIGESTS[algorithm]
    if kind == "FULL_OBJECT":
        value = encoded(digest(b"".join(data for _, data in parts)))
    else:
        value = encoded(digest(b"".join(digest(data) for _, data in parts))) + f"-{len(parts)}"
    given = {"algorithm": algorithm, "type": kind, "parts": [recorded for recorded, _ in parts]}
    return case(name, given, {"base64": value})


def chunked_cases(dice, count):
    """Frames are of 8 KiB at the least, as services demand of all but the last."""
    cases = []
    for algorithm in TRAILERS:
        # Where a frame ends does not hang on what follows the last one.
        for size in [0, 1, 5, 8191, 8192, 8193] if algorithm in TRAILERS[:2] else [0, 5]:
            recorded, data = repeat("apus", size)
            cases.append(chunked_case(f"{algorithm}-{size}", recorded, data, 8192, algorithm))
    for i in range(count):
        algorithm, chunk_size = (
            dice.choice(TRAILERS),
            dice.choice([8192, 10000, 16384, 65536, 1 << 20]),
        )
        if i < 3:
            recorded, data = repeat(dice.choice(["ab", "z"]), dice.randint(8000, 26000))
        else:
            data = dice.blob(0, 200)
            recorded = bytes_of(data)
        cases.append(chunked_case(f"random-{i}", recorded, data, chunk_size, algorithm))
    return cases


def chunked_case(name, recorded, data, chunk_size, algorithm):
    wrapper = AwsChunkedWrapper(
        io.BytesIO(data),
        checksum_cls=algorithm and _CHECKSUM_CLS[algorithm.lower()],
        checksum_name=f"x-amz-checksum-{algorithm}".lower(),
        chunk_size=chunk_size,
    )
    body = wrapper.read()
    given = {"data": recorded, "chunk_size": chunk_size, "trailer_algorithm": algorithm}
    return case(name, given, {"body": bytes_of(body), "content_length": len(body)})


def encoded(digest):
    return base64.b64encode(digest).decode()
