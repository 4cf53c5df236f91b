//! Lists: the responses of servers, and how a list continues with its next page.

use apus_core::contract::Operation;
use apus_core::http::Reply;
use apus_core::s3::{
    BaseUrl, Config, EndpointConfig, ListBuckets, ListMultipartUploads, ListObjectVersions,
    ListObjects, ListObjectsV2, ListParts, Service,
};
use apus_core::{Error, Kind};

fn parse<O: Operation<Service = Service>>(operation: &O, body: &str) -> Result<O::Output, Error> {
    let endpoint = BaseUrl::parse("http://localhost:8000").unwrap();
    let service = Service::new(Config::new(EndpointConfig::custom(endpoint, "us-east-1"))).unwrap();
    let (head, ()) = http::Response::new(()).into_parts();
    operation.parse(&service, &Reply::new(head, body.to_owned().into()))
}

// "ListObjectsV2", S3 API reference: sample with a delimiter, and sample of a continued list.
#[test]
fn v2_of_the_api_reference() {
    let list = ListObjectsV2::new("quotes");
    let page = parse(
        &list,
        r#"<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Name>quotes</Name>
          <Prefix></Prefix>
          <KeyCount>2</KeyCount>
          <MaxKeys>1000</MaxKeys>
          <Delimiter>/</Delimiter>
          <IsTruncated>false</IsTruncated>
          <Contents>
            <Key>sample.jpg</Key>
            <LastModified>2011-02-26T01:56:20.000Z</LastModified>
            <ETag>"bf1d737a4d46a19f3bced6905cc8b902"</ETag>
            <Size>142863</Size>
            <StorageClass>STANDARD</StorageClass>
          </Contents>
          <CommonPrefixes><Prefix>photos/</Prefix></CommonPrefixes>
        </ListBucketResult>"#,
    )
    .unwrap();
    let object = &page.contents[0];
    assert_eq!((object.key.as_str(), object.size), ("sample.jpg", Some(142_863)));
    assert_eq!(object.last_modified.unwrap().unix(), 1_298_685_380);
    assert_eq!(object.etag.as_ref().unwrap().opaque(), "bf1d737a4d46a19f3bced6905cc8b902");
    assert_eq!(page.common_prefixes, ["photos/"]);
    assert_eq!((page.key_count, page.max_keys), (Some(2), Some(1000)));
    assert_eq!(list.next(&page).unwrap(), None);

    let page = parse(
        &list,
        "<ListBucketResult><Name>bucket</Name><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=\
         </NextContinuationToken><Contents><Key>happyface.jpg</Key></Contents></ListBucketResult>",
    )
    .unwrap();
    let next = list.next(&page).unwrap().unwrap();
    let token = "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=";
    assert_eq!(next.continuation_token.as_deref(), Some(token));
    let again = next.next(&page).unwrap_err();
    assert_eq!(
        again.kind(),
        Kind::InvalidResponse,
        "a list that stands still is not followed: {again}"
    );
}

// Ceph 16.2: the element `Type`, no owner, keys percent-encoded but for `*()'`.
#[test]
fn keys_are_decoded_where_the_answer_says_so() {
    let list = ListObjectsV2::new("cap-2413c");
    let page = parse(
        &list,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType>\
         <Name>cap-2413c</Name><Prefix>b</Prefix><MaxKeys>2</MaxKeys>\
         <IsTruncated>false</IsTruncated><Contents><Key>a%2Bb/x%01*()&apos;%C3%A9+z</Key>\
         <LastModified>2026-11-22T01:11:34.050Z</LastModified>\
         <ETag>&quot;6c70a8c1b0133c26e53f19c5d2c0b848&quot;</ETag><Size>3145728</Size>\
         <StorageClass>STANDARD</StorageClass><Type>Normal</Type></Contents>\
         <KeyCount>2</KeyCount></ListBucketResult>",
    )
    .unwrap();
    assert_eq!(page.contents[0].key, "a+b/x\u{1}*()'é z");
    assert_eq!(page.contents[0].owner, None);

    // s3rver leaves EncodingType out and the keys as they are; Ceph without it writes a reference.
    let plain =
        "<ListBucketResult><Contents><Key>100%25+a&#x01;</Key></Contents></ListBucketResult>";
    assert_eq!(parse(&list, plain).unwrap().contents[0].key, "100%25+a\u{1}");

    // s3s-fs says url and encodes nothing: what is no encoding stays.
    let said = "<ListBucketResult><EncodingType>url</EncodingType>\
                <Contents><Key>50% of é%FF</Key></Contents></ListBucketResult>";
    assert_eq!(parse(&list, said).unwrap().contents[0].key, "50% of é%FF");
    let said = said.replace("%FF", "%41");
    assert_eq!(parse(&list, &said).unwrap().contents[0].key, "50% of é%41");
}

// s3s-fs 0.14 answers ListObjects so: of `c+d` alone nobody could tell that it is not encoded.
#[test]
fn one_key_that_is_no_encoding_shows_that_none_of_the_page_is_encoded() {
    let page = |key: &str| {
        let body = format!(
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>{key}</Key></Contents>\
             <Contents><Key>list/c+d</Key></Contents><Contents><Key>e%20f</Key></Contents>\
             <CommonPrefixes><Prefix>g+h/</Prefix></CommonPrefixes></ListBucketResult>"
        );
        let page = parse(&ListObjects::new("bucket"), &body).unwrap();
        let keys: Vec<String> = page.contents.into_iter().map(|object| object.key).collect();
        (keys, page.common_prefixes)
    };
    for plain in ["list/a b", "ü"] {
        let (keys, prefixes) = page(plain);
        assert_eq!(keys, [plain, "list/c+d", "e%20f"]);
        assert_eq!(prefixes, ["g+h/"]);
    }
    let (keys, prefixes) = page("a%20b");
    assert_eq!(keys, ["a b", "list/c d", "e f"]);
    assert_eq!(prefixes, ["g h/"]);
}

// "prefix: Limits the response to keys that begin with the specified prefix" (S3 API reference).
#[test]
fn a_key_that_has_the_requested_prefix_only_undecoded_shows_that_the_page_is_not_encoded() {
    let said = |name: &str, members: &str| {
        format!("<{name}><EncodingType>url</EncodingType>{members}</{name}>")
    };
    let entries = "<Contents><Key>a+b/c+d%20</Key></Contents>\
                   <CommonPrefixes><Prefix>a+b/e%41/</Prefix></CommonPrefixes>";
    let list = ListObjectsV2::new("bucket").prefix("a+b/");
    let page = parse(&list, &said("ListBucketResult", entries)).unwrap();
    assert_eq!(page.contents[0].key, "a+b/c+d%20");
    assert_eq!(page.common_prefixes, ["a+b/e%41/"]);

    // A page that has common prefixes only: each is within the prefix.
    let groups = "<CommonPrefixes><Prefix>100%25/</Prefix></CommonPrefixes>";
    let list = ListObjects { prefix: Some("100%25".into()), ..ListObjects::new("bucket") };
    let page = parse(&list, &said("ListBucketResult", groups)).unwrap();
    assert_eq!(page.common_prefixes, ["100%25/"]);

    let versions = "<Version><Key>%41/a+b</Key></Version><DeleteMarker><Key>%41/%42</Key>\
                    </DeleteMarker>";
    let list = ListObjectVersions { prefix: Some("%41".into()), ..ListObjectVersions::new("b") };
    let page = parse(&list, &said("ListVersionsResult", versions)).unwrap();
    assert_eq!(page.versions[0].object.key, "%41/a+b");
    assert_eq!(page.delete_markers[0].key, "%41/%42");

    let uploads = "<Upload><Key>a+b</Key><UploadId>u</UploadId></Upload>";
    let list = ListMultipartUploads { prefix: Some("a+".into()), ..ListMultipartUploads::new("b") };
    let page = parse(&list, &said("ListMultipartUploadsResult", uploads)).unwrap();
    assert_eq!(page.uploads[0].key, "a+b");

    // Encoded, by Amazon (`+` for a space), by Ceph and by moto: nothing shows the opposite.
    for (prefix, sent, key) in [
        ("a+b/", "a%2Bb/c+d", "a+b/c d"),
        ("a b/", "a+b/c%2Bd", "a b/c+d"),
        ("100%", "100%25/%25", "100%/%"),
        ("", "a+b", "a b"),
        // Both forms begin with the prefix: the document decides.
        ("a", "a+b", "a b"),
        ("%", "%25%20", "% "),
    ] {
        let list = ListObjectsV2::new("bucket").prefix(prefix);
        let entry = format!("<Contents><Key>{sent}</Key></Contents>");
        let page = parse(&list, &said("ListBucketResult", &entry)).unwrap();
        assert_eq!(page.contents[0].key, key, "{prefix:?}");
    }
}

// A key of a file system, or of Ceph, may be any bytes. Its encoding taken for the key would name
// another object.
#[test]
fn the_encoding_of_a_key_that_is_not_utf_8_is_an_error() {
    let list = |name: &str, member: &str| {
        format!(
            "<{name}><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>{member}</{name}>"
        )
    };
    for member in [
        "<Contents><Key>a%FFb</Key></Contents>",
        "<CommonPrefixes><Prefix>%C3%28/</Prefix></CommonPrefixes>",
        "<NextMarker>%ff</NextMarker>",
    ] {
        let body = list("ListBucketResult", member);
        let error = parse(&ListObjects::new("bucket"), &body).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidResponse);
        assert!(error.to_string().contains("not UTF-8"), "{error}");
    }
    let body = list("ListBucketResult", "<Contents><Key>a%FFb</Key></Contents>");
    parse(&ListObjectsV2::new("bucket"), &body).unwrap_err();
    for member in [
        "<Version><Key>%FF</Key></Version>",
        "<DeleteMarker><Key>%FF</Key></DeleteMarker>",
        "<NextKeyMarker>%FF</NextKeyMarker>",
    ] {
        parse(&ListObjectVersions::new("bucket"), &list("ListVersionsResult", member)).unwrap_err();
    }
    let upload = "<Upload><Key>%FF</Key><UploadId>u</UploadId></Upload>";
    parse(&ListMultipartUploads::new("bucket"), &list("ListMultipartUploadsResult", upload))
        .unwrap_err();
    // What is echoed from the request is not a key of the bucket.
    let body = list("ListBucketResult", "<Prefix>%FF</Prefix><Marker>%FF</Marker>");
    parse(&ListObjects::new("bucket"), &body).unwrap();
}

// Ceph 16.2: keys percent-encoded, what was asked for and where it goes on as they are.
#[test]
fn markers_that_are_not_encoded_stay_as_they_are() {
    let v1 = ListObjects { prefix: Some("c+".into()), ..ListObjects::new("rawlist") };
    let page = parse(
        &v1,
        "<ListBucketResult><EncodingType>url</EncodingType><Prefix>c+</Prefix>\
         <IsTruncated>true</IsTruncated><Contents><Key>c%2Bd%20e</Key></Contents>\
         <Marker></Marker><NextMarker>c+d e</NextMarker></ListBucketResult>",
    )
    .unwrap();
    assert_eq!(page.prefix.as_deref(), Some("c+"));
    let next = v1.next(&page).unwrap().unwrap();
    assert_eq!(next.marker.as_deref(), Some("c+d e"));
    // As AWS does it.
    let encoded = "<ListBucketResult><EncodingType>url</EncodingType><Prefix>c%2B</Prefix>\
                   <IsTruncated>true</IsTruncated><Contents><Key>c%2Bd+e</Key></Contents>\
                   <NextMarker>c%2Bd+e</NextMarker></ListBucketResult>";
    let page = parse(&v1, encoded).unwrap();
    assert_eq!((page.prefix.as_deref(), page.next_marker.as_deref()), (Some("c+"), Some("c+d e")));

    let versions = ListObjectVersions::new("rawlist");
    let page = parse(
        &versions,
        "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
         <KeyMarker></KeyMarker><NextKeyMarker>ü +</NextKeyMarker>\
         <NextVersionIdMarker>v2</NextVersionIdMarker><Version><Key>%C3%BC%20%2B</Key>\
         <VersionId>v2</VersionId></Version></ListVersionsResult>",
    )
    .unwrap();
    let next = versions.next(&page).unwrap().unwrap();
    assert_eq!(next.key_marker.as_deref(), Some("ü +"));
}

// Ceph 16.2 again: this list's keys are encoded when asked for so, and it does not say so.
#[test]
fn keys_of_uploads_are_decoded_where_the_marker_shows_that_they_are_encoded() {
    let list = ListMultipartUploads::new("rawlist");
    let page = |key: &str, marker: &str| {
        format!(
            "<ListMultipartUploadsResult><Bucket>rawlist</Bucket><NextKeyMarker>{marker}\
             </NextKeyMarker><NextUploadIdMarker>2~14</NextUploadIdMarker><IsTruncated>false\
             </IsTruncated><Upload><Key>{key}</Key><UploadId>2~14</UploadId></Upload>\
             </ListMultipartUploadsResult>"
        )
    };
    let parsed = parse(&list, &page("parts/%C3%BC%20%2B", "parts/ü +")).unwrap();
    assert_eq!(parsed.uploads[0].key, "parts/ü +");
    assert_eq!(parsed.next_key_marker.as_deref(), Some("parts/ü +"));
    // A server that does not know encoding-type.
    for key in ["100%25", "a+b", "parts/ü +"] {
        assert_eq!(parse(&list, &page(key, key)).unwrap().uploads[0].key, key);
    }
    let raw = ListMultipartUploads { raw_keys: true, ..list };
    assert_eq!(parse(&raw, &page("%41", "A")).unwrap().uploads[0].key, "%41");
}

#[test]
fn a_truncated_list_goes_on_or_says_why_not() {
    let cut = "<ListBucketResult><IsTruncated>true</IsTruncated>\
               <Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents>\
               <CommonPrefixes><Prefix>aa/</Prefix></CommonPrefixes></ListBucketResult>";
    let empty = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";

    let v1 = ListObjects::new("bucket");
    let next = v1.next(&parse(&v1, cut).unwrap()).unwrap().unwrap();
    assert_eq!(next.marker.as_deref(), Some("b"));
    let error = v1.next(&parse(&v1, empty).unwrap()).unwrap_err();
    assert!(error.to_string().contains("has no marker for the next page"), "{error}");

    let v2 = ListObjectsV2::new("bucket");
    let next = v2.next(&parse(&v2, cut).unwrap()).unwrap().unwrap();
    assert_eq!(next.start_after.as_deref(), Some("b"));
    assert_eq!(v2.next(&parse(&v2, empty).unwrap()).unwrap_err().kind(), Kind::InvalidResponse);

    let versions = ListObjectVersions::new("bucket");
    let page = "<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>";
    assert_eq!(
        versions.next(&parse(&versions, page).unwrap()).unwrap_err().kind(),
        Kind::InvalidResponse
    );
}

// "ListObjectVersions", S3 API reference.
#[test]
fn versions_of_the_api_reference() {
    let list = ListObjectVersions::new("mtp-versioning-fresh");
    let page = parse(
        &list,
        r#"<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Name>mtp-versioning-fresh</Name>
          <Prefix/>
          <KeyMarker>key3</KeyMarker>
          <VersionIdMarker>null</VersionIdMarker>
          <NextKeyMarker>key3</NextKeyMarker>
          <NextVersionIdMarker>d-d309mfjFrUmoQ0DBsVqmcMV15OI.</NextVersionIdMarker>
          <MaxKeys>3</MaxKeys>
          <IsTruncated>true</IsTruncated>
          <Version>
            <Key>key3</Key>
            <VersionId>8XECiENpj8pydEDJdd-_VRrvaGKAHOaGMNW7tg6UViI.</VersionId>
            <IsLatest>true</IsLatest>
            <LastModified>2009-12-09T00:18:23.000Z</LastModified>
            <ETag>"396fefef536d5ce46c7537ecf978a360"</ETag>
            <Size>217</Size>
            <Owner>
              <ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID>
            </Owner>
            <StorageClass>STANDARD</StorageClass>
          </Version>
          <DeleteMarker>
            <Key>my-third-image.jpg</Key>
            <VersionId>03jpff543dhffds434rfdsFDN943fdsFkdmqnh892</VersionId>
            <IsLatest>true</IsLatest>
            <LastModified>2009-10-15T17:50:30.000Z</LastModified>
          </DeleteMarker>
        </ListVersionsResult>"#,
    )
    .unwrap();
    assert_eq!(page.versions[0].is_latest, Some(true));
    assert_eq!(page.versions[0].object.size, Some(217));
    assert_eq!(page.delete_markers[0].key, "my-third-image.jpg");
    let next = list.next(&page).unwrap().unwrap();
    assert_eq!(next.key_marker.as_deref(), Some("key3"));
    assert_eq!(next.version_id_marker.as_deref(), Some("d-d309mfjFrUmoQ0DBsVqmcMV15OI."));
}

// "ListParts", S3 API reference.
#[test]
fn parts_of_the_api_reference() {
    let list = ListParts::new("example-bucket", "example-object", "XXBsb2FkIElE");
    let page = parse(
        &list,
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Bucket>example-bucket</Bucket>
          <Key>example-object</Key>
          <UploadId>XXBsb2FkIElEIGZvciBlbHZpbmcncyVcdS1tb3ZpZS5tMnRzEEEwbG9hZA</UploadId>
          <Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID>
            <DisplayName>someName</DisplayName></Owner>
          <StorageClass>STANDARD</StorageClass>
          <PartNumberMarker>1</PartNumberMarker>
          <NextPartNumberMarker>3</NextPartNumberMarker>
          <MaxParts>2</MaxParts>
          <IsTruncated>true</IsTruncated>
          <Part>
            <PartNumber>2</PartNumber>
            <LastModified>2010-11-10T20:48:34.000Z</LastModified>
            <ETag>"7778aef83f66abc1fa1e8477f296d394"</ETag>
            <Size>10485760</Size>
          </Part>
          <Part>
            <PartNumber>3</PartNumber>
            <LastModified>2010-11-10T20:48:33.000Z</LastModified>
            <ETag>"aaaa18db4cc2f85cedef654fccc4a4x8"</ETag>
            <Size>10485760</Size>
          </Part>
        </ListPartsResult>"#,
    )
    .unwrap();
    let numbers: Vec<_> = page.parts.iter().map(|part| (part.part_number, part.size)).collect();
    assert_eq!(numbers, [(2, Some(10_485_760)), (3, Some(10_485_760))]);
    assert_eq!(page.owner.as_ref().unwrap().display_name.as_deref(), Some("someName"));
    assert_eq!(list.next(&page).unwrap().unwrap().part_number_marker, Some(3));

    let nameless = "<ListPartsResult><Part><ETag>a</ETag></Part></ListPartsResult>";
    let error = parse(&list, nameless).unwrap_err();
    assert!(error.to_string().contains("ListPartsResult/Part/PartNumber"), "{error}");
}

// "ListMultipartUploads", S3 API reference.
#[test]
fn uploads_of_the_api_reference() {
    let list = ListMultipartUploads::new("bucket");
    let page = parse(
        &list,
        r#"<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Bucket>bucket</Bucket>
          <KeyMarker></KeyMarker>
          <UploadIdMarker></UploadIdMarker>
          <NextKeyMarker>my-movie.m2ts</NextKeyMarker>
          <NextUploadIdMarker>YW55IGlkZWEgd2h5IGVsdmluZydzIHVwbG9hZCBmYWlsZWQ</NextUploadIdMarker>
          <MaxUploads>3</MaxUploads>
          <IsTruncated>true</IsTruncated>
          <Upload>
            <Key>my-divisor</Key>
            <UploadId>XMgbGlrZSBlbHZpbmcncyBub3QgaGF2aW5nIG11Y2ggbHVjaw</UploadId>
            <Initiator><ID>arn:aws:iam::111122223333:user/user1-11111a31-17b5</ID>
              <DisplayName>user1-11111a31-17b5</DisplayName></Initiator>
            <StorageClass>STANDARD</StorageClass>
            <Initiated>2010-11-10T20:48:33.000Z</Initiated>
          </Upload>
        </ListMultipartUploadsResult>"#,
    )
    .unwrap();
    assert_eq!(page.uploads[0].key, "my-divisor");
    assert_eq!(page.uploads[0].initiated.unwrap().unix(), 1_289_422_113);
    let next = list.next(&page).unwrap().unwrap();
    assert_eq!(next.key_marker.as_deref(), Some("my-movie.m2ts"));
    assert_eq!(
        next.upload_id_marker.as_deref(),
        Some("YW55IGlkZWEgd2h5IGVsdmluZydzIHVwbG9hZCBmYWlsZWQ")
    );
}

// "ListBuckets", S3 API reference.
#[test]
fn buckets_of_the_api_reference() {
    let list = ListBuckets::new();
    let page = parse(
        &list,
        r#"<ListAllMyBucketsResult>
          <Buckets>
            <Bucket>
              <CreationDate>2019-12-11T23:32:47+00:00</CreationDate>
              <Name>amzn-s3-demo-bucket</Name>
            </Bucket>
          </Buckets>
          <Owner><DisplayName>Account+Name</DisplayName><ID>AIDACKCEVSQ6C2EXAMPLE</ID></Owner>
        </ListAllMyBucketsResult>"#,
    )
    .unwrap();
    assert_eq!(page.buckets[0].name, "amzn-s3-demo-bucket");
    assert_eq!(page.buckets[0].creation_date.unwrap().unix(), 1_576_107_167);
    assert_eq!(list.next(&page).unwrap(), None);
    // Something else that happens to be XML is no empty list.
    assert_eq!(parse(&list, "<html><body/></html>").unwrap_err().kind(), Kind::InvalidResponse);
}
