"""Documents by hand: what servers were seen to answer, odd and refusing."""

from answers import NAMESPACE

DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n'
COMPLETE = (
    "<CompleteMultipartUploadResult{}><Location>{}</Location><Bucket>b</Bucket><Key>k</Key>"
    "<ETag>{}</ETag></CompleteMultipartUploadResult>"
)
LISTING = (
    "<ListBucketResult><Name>b</Name>{}<Contents><Key>{}</Key><Size>3</Size></Contents>"
    "<IsTruncated>{}</IsTruncated></ListBucketResult>"
)

# Name, operation, document: all are good answers.
ODD = [
    ("no-declaration", "ListObjectsV2", LISTING.format("", "a", "false")),
    ("empty-etag", "CompleteMultipartUpload", COMPLETE.format("", "localhost/b/k", "")),
    (
        "self-closing-etag",
        "CompleteMultipartUpload",
        COMPLETE.format("", "x", "").replace("<ETag></ETag>", "<ETag/>"),
    ),
    (
        "no-etag",
        "CompleteMultipartUpload",
        COMPLETE.format("", "x", "").replace("<ETag></ETag>", ""),
    ),
    ("unquoted-etag", "CompleteMultipartUpload", COMPLETE.format("", "x", "abc-2")),
    ("quoted-etag", "CompleteMultipartUpload", COMPLETE.format("", "x", "&quot;abc-2&quot;")),
    ("numeric-quotes", "CompleteMultipartUpload", COMPLETE.format("", "x", "&#34;abc-2&#x22;")),
    ("raw-quotes", "CompleteMultipartUpload", COMPLETE.format("", "x", '"abc-2"')),
    (
        "namespace-2006",
        "CompleteMultipartUpload",
        COMPLETE.format(f' xmlns="{NAMESPACE}"', "http://h/b/k", "e"),
    ),
    (
        "namespace-other",
        "CompleteMultipartUpload",
        COMPLETE.format(' xmlns="http://example.com/x"', "http://h/b/k", "e"),
    ),
    (
        "prefixed",
        "ListObjectsV2",
        '<s3:ListBucketResult xmlns:s3="urn:x"><s3:Name>b</s3:Name><s3:KeyCount>0</s3:KeyCount>'
        "</s3:ListBucketResult>",
    ),
    (
        "spaces-between",
        "ListObjectsV2",
        DECLARED + LISTING.format("", "a", "true").replace("><", ">\n  <") + "\n\n",
    ),
    ("spaces-within-key", "ListObjectsV2", LISTING.format("", "  a  b ", "false")),
    (
        "comments",
        "ListObjectsV2",
        DECLARED + "<!-- x -->" + LISTING.format("<!-- y -->", "a", "false") + "<!-- z -->",
    ),
    ("cdata", "ListObjectsV2", LISTING.format("", "<![CDATA[<a&b>]]>", "false")),
    (
        "entities",
        "ListObjectsV2",
        LISTING.format("", "&lt;&gt;&amp;&quot;&apos;&#233;&#x1F426;&#10;&#13;", "false"),
    ),
    (
        "unknown-elements",
        "ListObjectsV2",
        LISTING.format("<New><Deep>1</Deep></New>", "a", "false").replace(
            "<Size>", "<Extra>x</Extra><Size>"
        ),
    ),
    (
        "attributes",
        "ListObjectsV2",
        LISTING.format("", "a", "false").replace("<Key>", "<Key encoding=\"none\" a='b'>"),
    ),
    ("encoding-not-said", "ListObjectsV2", LISTING.format("", "a+b%20c", "false")),
    (
        "encoding-said",
        "ListObjectsV2",
        LISTING.format("<EncodingType>url</EncodingType>", "a+b%20c%2B", "false"),
    ),
    (
        "encoding-bad-percent",
        "ListObjectsV2",
        LISTING.format("<EncodingType>url</EncodingType>", "100%+%zz%4", "false"),
    ),
    (
        "encoding-apos",
        "ListObjectsV2",
        LISTING.format("<EncodingType>url</EncodingType>", "*()&apos;%E6%97%A5", "false"),
    ),
    (
        "encoding-case",
        "ListObjectsV2",
        LISTING.format("<EncodingType>url</EncodingType>", "%c3%a9", "false"),
    ),
    ("empty-list", "ListObjectsV2", "<ListBucketResult/>"),
    (
        "no-version-ids",
        "ListObjectVersions",
        "<ListVersionsResult><Version><Key>v</Key><IsLatest>true</IsLatest></Version>"
        "<DeleteMarker><Key>d</Key></DeleteMarker></ListVersionsResult>",
    ),
    (
        "mixed-order",
        "ListObjectVersions",
        "<ListVersionsResult><Version><Key>a</Key></Version><DeleteMarker><Key>b</Key></DeleteMarker>"
        "<Version><Key>c</Key></Version></ListVersionsResult>",
    ),
    ("no-buckets", "ListBuckets", "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"),
    (
        "seconds-only",
        "ListBuckets",
        "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name><CreationDate>2026-01-02T03:04:05Z"
        "</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>",
    ),
    (
        "offset-time",
        "ListBuckets",
        "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name><CreationDate>"
        "2026-01-02T03:04:05+02:00</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>",
    ),
    (
        "deleted-and-failed",
        "DeleteObjects",
        "<DeleteResult><Deleted><Key>a&#10;b</Key><VersionId>v</VersionId></Deleted><Error><Key>c</Key>"
        "<Code>AccessDenied</Code><Message>Access Denied</Message></Error><Deleted><Key>d</Key>"
        "<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted>"
        "</DeleteResult>",
    ),
    (
        "all-failed",
        "DeleteObjects",
        "<DeleteResult><Error><Key>c</Key><Code>InternalError</Code><Message/></Error></DeleteResult>",
    ),
    ("nothing-said", "DeleteObjects", "<DeleteResult/>"),
    ("never-versioned", "GetBucketVersioning", f'<VersioningConfiguration xmlns="{NAMESPACE}"/>'),
    ("ceph-location", "GetBucketLocation", "<LocationConstraint>default</LocationConstraint>"),
    ("us-east-1", "GetBucketLocation", f'<LocationConstraint xmlns="{NAMESPACE}"/>'),
    (
        "copy",
        "CopyObject",
        "<CopyObjectResult><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;a&quot;"
        "</ETag></CopyObjectResult>",
    ),
]

# Status, code, message: what S3 and Ceph answer, and whether to send again (None: not compared,
# since botocore and apus differ on purpose).
ERRORS = [
    (400, "InvalidArgument", "Invalid Argument", False),
    (400, "MalformedXML", "", False),
    (400, "InvalidBucketName", "The specified bucket is not valid.", False),
    (400, "EntityTooSmall", "Your proposed upload is smaller than the minimum", False),
    (400, "EntityTooLarge", "", False),
    (400, "InvalidPart", "One or more parts", False),
    (400, "InvalidPartOrder", "", False),
    (400, "InvalidDigest", "", False),
    (400, "BadDigest", "The Content-MD5 you specified did not match", None),
    (400, "RequestTimeout", "Your socket connection was not read from", True),
    (400, "ExpiredToken", "The provided token has expired.", None),
    (400, "InvalidToken", "", None),
    (400, "XAmzContentSHA256Mismatch", "", False),
    (403, "AccessDenied", "Access Denied", False),
    (403, "AccessDenied", "", False),
    (403, "SignatureDoesNotMatch", "The request signature we calculated", False),
    (403, "InvalidAccessKeyId", "", False),
    (403, "RequestTimeTooSkewed", "", None),
    (404, "NoSuchKey", "The specified key does not exist.", False),
    (404, "NoSuchBucket", "", False),
    (404, "NoSuchUpload", "é <&>", False),
    (404, "NoSuchVersion", "", False),
    (404, "NoSuchTagSet", "", False),
    (404, "NoSuchLifecycleConfiguration", "", False),
    (404, "NoSuchBucketPolicy", "", False),
    (405, "MethodNotAllowed", "", False),
    (409, "BucketAlreadyOwnedByYou", "", False),
    (409, "BucketAlreadyExists", "", False),
    (409, "BucketNotEmpty", "", False),
    (409, "OperationAborted", "", None),
    (409, "ConditionalRequestConflict", "", None),
    (411, "MissingContentLength", "", False),
    (412, "PreconditionFailed", "At least one of the pre-conditions", False),
    (416, "InvalidRange", "The requested range is not satisfiable", False),
    (429, "TooManyRequests", "", True),
    (500, "InternalError", "We encountered an error", True),
    (501, "NotImplemented", "A header you provided", None),
    (503, "SlowDown", "Reduce your rate", True),
    (503, "ServiceUnavailable", "", True),
    (503, "Throttling", "", True),
]
ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message>{}'
    "<RequestId>4442587FB7D0A2F9</RequestId><HostId>host</HostId></Error>"
)
WITH_BODY = [
    "GetObject",
    "PutObject",
    "ListObjectsV2",
    "DeleteObjects",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "CopyObject",
    "GetBucketPolicy",
    "DeleteObject",
]
