"""Good answers to S3's operations: random values by botocore's model, written as S3 writes them."""

import datetime
from email.utils import format_datetime
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from client import MODEL
from common import REGIONS
from members import ALGORITHMS, checksum, xml_key

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

# The root elements of S3's API reference, where the model does not know them.
ROOTS = {
    "ListBuckets": "ListAllMyBucketsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "GetBucketTagging": "Tagging",
    "GetObjectTagging": "Tagging",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectRetention": "Retention",
    "GetObjectLegalHold": "LegalHold",
    # The model names no root, and botocore reads any.
    "ListObjectAnnotations": "ListObjectAnnotationsOutput",
    "PutObjectAnnotation": "PutObjectAnnotationOutput",
}
NO_CONTENT = {
    "DeleteBucket",
    "DeleteBucketLifecycle",
    "DeleteBucketTagging",
    "DeleteBucketCors",
    "DeleteBucketPolicy",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjectAnnotation",
    "AbortMultipartUpload",
    "PutBucketPolicy",
}
# Members that no client of objects needs, or that S3 does not document.
EXCLUDED = {
    "BucketArn",
    "MissingMeta",
    "BucketLocationType",
    "BucketLocationName",
    "Expires",
    "ContentRange",
}
NO_VERSION = {
    "UploadPart",
    "UploadPartCopy",
    "CreateMultipartUpload",
    "ListParts",
    "AbortMultipartUpload",
    "ListMultipartUploads",
}
# Members without which nothing works.
NEEDED = {"Key", "ETag", "Name", "UploadId", "PartNumber", "AnnotationName"}
# Operations whose body botocore compares with the checksums: their values are not random.
CHECKED = {"GetObject", "GetObjectAnnotation"}
ENCODED = {
    "Key",
    "Prefix",
    "Delimiter",
    "Marker",
    "NextMarker",
    "StartAfter",
    "KeyMarker",
    "NextKeyMarker",
}


def answer(dice, operation, density, encoded=False):
    """An answer as S3 writes it, with this share of the members that it may have."""
    shape = MODEL.operation_model(operation).output_shape
    status = 204 if operation in NO_CONTENT else 200
    headers = [
        ["x-amz-request-id", "4442587FB7D0A2F9"],
        ["x-amz-id-2", "vlR7PnpV2Ce81l0PRw6jlUpck7Jo5ZsQ"],
        ["Date", "Fri, 02 Jan 2026 03:04:05 GMT"],
    ]
    body = b""
    if shape is None:
        return status, headers, body
    payload = shape.serialization.get("payload")
    fields = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if name in EXCLUDED or (name == "VersionId" and operation in NO_VERSION):
            continue
        if name == "EncodingType" or (name.startswith("Checksum") and operation in CHECKED):
            continue
        if name != payload and not (dice.random() < density or name in NEEDED):
            continue
        if location == "header":
            headers.append([member.serialization["name"], header_text(dice, name, member)])
        elif location == "headers":
            for _ in range(dice.randint(1, 3)):
                headers.append(["x-amz-meta-" + dice.word(), dice.printable()])
        elif name != payload:
            fields[name] = text_value(dice, name, member, density)
    headers = unique(headers)
    if payload:
        member = shape.members[payload]
        if member.type_name == "blob":
            body = dice.blob(0, 40)
            headers = [h for h in headers if h[0] != "Content-Length"]
            headers.append(["Content-Length", str(len(body))])
        elif member.type_name == "string":
            body = f'{{"Version":"2012-10-17","Id":"{dice.word()} é"}}'.encode()
        else:
            root = ROOTS.get(operation, member.serialization.get("name", payload))
            fields = text_value(dice, payload, member, density)
            body = document(root, to_xml(member, fields), dice)
    elif operation == "GetBucketLocation":
        text = dice.choice(["", "eu-west-1", "EU", "us-west-2", "default"])
        declared = '<?xml version="1.0" encoding="UTF-8"?>\n'
        element = f'<LocationConstraint xmlns="{NAMESPACE}">{text}</LocationConstraint>'
        body = (declared + element).encode()
    elif operation in ROOTS:
        if encoded:
            # botocore leaves the Prefix of ListObjects as it is.
            if operation == "ListObjects":
                fields.pop("Prefix", None)
            fields["EncodingType"] = "url"
        body = document(ROOTS[operation], to_xml(shape, fields, encoded and dice), dice)
    return status, headers, body


def unique(headers):
    return list({name.lower(): [name, value] for name, value in headers}.values())


def document(root, inner, dice):
    declaration = '<?xml version="1.0" encoding="UTF-8"?>' + dice.choice(["", "\n"])
    namespace = f' xmlns="{NAMESPACE}"' if dice.chance(0.8) else ""
    return f"{declaration}<{root}{namespace}>{inner}</{root}>".encode()


def text_value(dice, name, shape, density):
    """A value of this shape, its scalars as S3 writes them."""
    if name in ["Filter", "Expiration"] and shape.type_name == "structure":
        # S3 gives exactly one of these.
        member = dice.choice(list(shape.members))
        return {member: text_value(dice, member, shape.members[member], density)}
    if shape.type_name == "structure":
        return {
            member: text_value(dice, member, inner, density)
            for member, inner in shape.members.items()
            if member not in EXCLUDED
            and (dice.random() < density or member in NEEDED or name == "CommonPrefixes")
            and not (member == "VersionId" and name == "Uploads")
        }
    if shape.type_name == "list":
        return [text_value(dice, name, shape.member, density) for _ in range(dice.randint(0, 3))]
    if shape.type_name == "timestamp":
        return iso(dice.moment())
    return scalar(dice, name, shape)


def header_text(dice, name, shape):
    if shape.type_name == "timestamp":
        moment = dice.moment()
        return (
            iso(moment)
            if shape.serialization.get("timestampFormat") == "iso8601"
            else http_date(moment)
        )
    if name == "ContentEncoding":
        return "gzip"
    if name == "Restore":
        return 'ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"'
    return scalar(dice, name, shape)


def scalar(dice, name, shape):
    if name == "ETag":
        return f'"{dice.text("0123456789abcdef", 32, 32)}{dice.choice(["", "-3"])}"'
    if name in ENCODED:
        odd = ["a\rb", "<&>\"'", "]]>", "a+b c%20", xml_key(dice), xml_key(dice)]
        return dice.choice(odd if name in NEEDED else [*odd, ""])
    if name in FIXED:
        return dice.choice(FIXED[name])
    if name.startswith("Checksum") and name[8:] in [*ALGORITHMS, "MD5"]:
        composite = name[8:] in ["CRC32", "CRC32C", "SHA1", "SHA256"] and dice.chance(0.3)
        return checksum(name[8:], dice.randbytes(5)) + ("-2" if composite else "")
    if getattr(shape, "enum", None):
        return dice.choice(shape.enum)
    return {
        "boolean": lambda: dice.choice(["true", "false"]),
        "integer": lambda: str(dice.randint(0, 10000)),
        "long": lambda: str(dice.choice([0, dice.randint(0, 5 << 40)])),
        "string": lambda: dice.printable(),
    }[shape.type_name]()


FIXED = {
    "BucketRegion": REGIONS,
    "AllowedMethods": ["GET", "PUT", "POST", "DELETE", "HEAD"],
    "AllowedOrigins": ["*", "https://example.com"],
    "PartNumber": ["1", "2", "10000"],
    "AcceptRanges": ["bytes"],
    "ContentType": ["text/plain", "application/octet-stream"],
    "PartsCount": ["1", "3"],
    "Initiated": ["2026-01-02T03:04:05.000Z"],
}


def to_xml(shape, value, encoded=None, name=""):
    """The inside of an element; with dice in `encoded`, keys are percent-encoded."""
    if shape.type_name == "structure":
        return "".join(
            element(inner, member, value[member], encoded)
            for member, inner in shape.members.items()
            if member in value
        )
    if encoded and name in ENCODED:
        value = quote_plus(value, safe="/") if encoded.chance(0.5) else quote(value, safe="/*")
    return escape(value, {"\r": "&#13;", '"': "&quot;"})


def element(shape, member, value, encoded):
    tag = shape.serialization.get("name", member)
    if shape.type_name != "list":
        return f"<{tag}>{to_xml(shape, value, encoded, member)}</{tag}>"
    flat = shape.serialization.get("flattened")
    item_tag = shape.member.serialization.get("name", tag if flat else "member")
    item_tag = tag if flat and "name" in shape.serialization else item_tag
    items = "".join(
        f"<{item_tag}>{to_xml(shape.member, item, encoded, member)}</{item_tag}>" for item in value
    )
    return items if flat else f"<{tag}>{items}</{tag}>"


def iso(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def http_date(moment):
    return format_datetime(moment.replace(tzinfo=datetime.timezone.utc), usegmt=True)
