//! The headers that each setting sends, written by hand.
//!
//! Headers are one a line, by name; only those of [`ELSEWHERE`](super::ELSEWHERE) are left out.
//! CRC32 and MD5 are in base64, SHA-256 in hexadecimal digits.

/// One row: the three options, then what goes with PutObject and UploadPart, with DeleteObjects,
/// and with GetObject.
pub(super) type Row = (&'static str, &'static str, &'static str, Bytes, Document, Read);

/// The headers with the bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bytes {
    Bare,
    Crc32,
}

/// The headers with a document for which S3 requires a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Crc32,
    Md5,
}

/// What a read asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Bare,
    Checked,
}

#[rustfmt::skip]
pub(super) const TABLE: [Row; 32] = [
    // protection, request,    response,         objects,      DeleteObjects,   GetObject
    ("false", "when_required",  "when_required",  Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "when_required",  "when_supported", Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "when_required",  "always",         Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "when_required",  "never",          Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "when_supported", "when_required",  Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "when_supported", "when_supported", Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "when_supported", "always",         Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "when_supported", "never",          Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "always",         "when_required",  Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "always",         "when_supported", Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "always",         "always",         Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "always",         "never",          Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "never",          "when_required",  Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "never",          "when_supported", Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "never",          "always",         Bytes::Bare,  Document::Md5,   Read::Bare),
    ("false", "never",          "never",          Bytes::Bare,  Document::Md5,   Read::Bare),
    ("true",  "when_required",  "when_required",  Bytes::Bare,  Document::Md5,   Read::Bare),
    ("true",  "when_required",  "when_supported", Bytes::Bare,  Document::Md5,   Read::Checked),
    ("true",  "when_required",  "always",         Bytes::Bare,  Document::Md5,   Read::Checked),
    ("true",  "when_required",  "never",          Bytes::Bare,  Document::Md5,   Read::Bare),
    ("true",  "when_supported", "when_required",  Bytes::Crc32, Document::Crc32, Read::Bare),
    ("true",  "when_supported", "when_supported", Bytes::Crc32, Document::Crc32, Read::Checked),
    ("true",  "when_supported", "always",         Bytes::Crc32, Document::Crc32, Read::Checked),
    ("true",  "when_supported", "never",          Bytes::Crc32, Document::Crc32, Read::Bare),
    ("true",  "always",         "when_required",  Bytes::Crc32, Document::Crc32, Read::Bare),
    ("true",  "always",         "when_supported", Bytes::Crc32, Document::Crc32, Read::Checked),
    ("true",  "always",         "always",         Bytes::Crc32, Document::Crc32, Read::Checked),
    ("true",  "always",         "never",          Bytes::Crc32, Document::Crc32, Read::Bare),
    ("true",  "never",          "when_required",  Bytes::Bare,  Document::Md5,   Read::Bare),
    ("true",  "never",          "when_supported", Bytes::Bare,  Document::Md5,   Read::Checked),
    ("true",  "never",          "always",         Bytes::Bare,  Document::Md5,   Read::Checked),
    ("true",  "never",          "never",          Bytes::Bare,  Document::Md5,   Read::Bare),
];

/// PutObject of `hello`. Over https a checksum replaces the signature's SHA-256.
pub(super) fn put_object(bytes: Bytes, tls: bool) -> &'static str {
    match (bytes, tls) {
        (Bytes::Bare, _) => {
            "content-length: 5
             x-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        }
        (Bytes::Crc32, false) => {
            "content-length: 5
             x-amz-checksum-crc32: NhCmhg==
             x-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
             x-amz-sdk-checksum-algorithm: CRC32"
        }
        (Bytes::Crc32, true) => {
            "content-length: 5
             x-amz-checksum-crc32: NhCmhg==
             x-amz-content-sha256: UNSIGNED-PAYLOAD
             x-amz-sdk-checksum-algorithm: CRC32"
        }
    }
}

/// CreateMultipartUpload.
pub(super) fn create(bytes: Bytes) -> &'static str {
    match bytes {
        Bytes::Bare => {
            "content-length: 0
             x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        }
        Bytes::Crc32 => {
            "content-length: 0
             x-amz-checksum-algorithm: CRC32
             x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        }
    }
}

/// UploadPart of `hello ` and of `world`.
pub(super) fn upload_parts(bytes: Bytes, tls: bool) -> [&'static str; 2] {
    match (bytes, tls) {
        (Bytes::Bare, _) => [
            "content-length: 6
             x-amz-content-sha256: 5e3235a8346e5a4585f8c58562f5052b8fe26a3bb122e1e96c76784964dfc461",
            "content-length: 5
             x-amz-content-sha256: 486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7",
        ],
        (Bytes::Crc32, false) => [
            "content-length: 6
             x-amz-checksum-crc32: 7YH59g==
             x-amz-content-sha256: 5e3235a8346e5a4585f8c58562f5052b8fe26a3bb122e1e96c76784964dfc461
             x-amz-sdk-checksum-algorithm: CRC32",
            "content-length: 5
             x-amz-checksum-crc32: OncRQw==
             x-amz-content-sha256: 486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7
             x-amz-sdk-checksum-algorithm: CRC32",
        ],
        (Bytes::Crc32, true) => [
            "content-length: 6
             x-amz-checksum-crc32: 7YH59g==
             x-amz-content-sha256: UNSIGNED-PAYLOAD
             x-amz-sdk-checksum-algorithm: CRC32",
            "content-length: 5
             x-amz-checksum-crc32: OncRQw==
             x-amz-content-sha256: UNSIGNED-PAYLOAD
             x-amz-sdk-checksum-algorithm: CRC32",
        ],
    }
}

/// CompleteMultipartUpload: its headers, and the checksums in its document.
pub(super) fn complete(bytes: Bytes) -> (&'static str, &'static [&'static str]) {
    match bytes {
        Bytes::Bare => (
            "content-length: of the document
             x-amz-content-sha256: of the document",
            &[],
        ),
        Bytes::Crc32 => (
            "content-length: of the document
             x-amz-content-sha256: of the document
             x-amz-mp-object-size: 11",
            &["ChecksumCRC32>7YH59g==", "ChecksumCRC32>OncRQw=="],
        ),
    }
}

/// DeleteObjects of `key`, by this document.
pub(super) const DELETE: &str = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                      <Object><Key>key</Key></Object></Delete>";

pub(super) fn delete_objects(document: Document) -> &'static str {
    match document {
        Document::Crc32 => {
            "content-length: 96
             x-amz-checksum-crc32: pIhv0g==
             x-amz-content-sha256: 56d2d13f9418b4dfa5d2975b599c67d532c87ed23a8aaeb229cb9eb59e823cb8
             x-amz-sdk-checksum-algorithm: CRC32"
        }
        Document::Md5 => {
            "content-length: 96
             content-md5: uB2jHZfeCOtDR59u3JbOEQ==
             x-amz-content-sha256: 56d2d13f9418b4dfa5d2975b599c67d532c87ed23a8aaeb229cb9eb59e823cb8"
        }
    }
}

/// GetObject; HeadObject is a bare one whatever is set, for it has no bytes to check.
pub(super) fn get_object(read: Read) -> &'static str {
    match read {
        Read::Bare => {
            "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        }
        Read::Checked => {
            "x-amz-checksum-mode: ENABLED
             x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        }
    }
}

/// The digests of `hello`.
#[rustfmt::skip]
pub(super) const ALGORITHMS: [(&str, &str); 10] = [
    ("CRC32",     "NhCmhg=="),
    ("CRC32C",    "mnG7TA=="),
    ("CRC64NVME", "M3eFcAZSQlc="),
    ("SHA1",      "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
    ("SHA256",    "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ("SHA512",    "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre\
                   9G9zvN7AQw=="),
    ("MD5",       "XUFAKrxLKna5cZ2REBfFkg=="),
    ("XXHASH64",  "JseCfYifbaM="),
    ("XXHASH3",   "lVXoVVxi3P0="),
    ("XXHASH128", "tenBrQcbPn/Hec+qXlI4GA=="),
];

pub(super) const SHA256_OF_HELLO: &str =
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
