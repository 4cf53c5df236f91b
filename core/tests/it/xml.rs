//! How the XML reader parses documents: S3's, those of other servers, and broken ones.

use apus_core::Kind;
use apus_core::xml::{Document, Element, Limits};

// From the page ListObjectsV2 of the Amazon S3 API Reference, with a second key.
const LISTING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>quotes</Name>
  <Prefix>E</Prefix>
  <KeyCount>2</KeyCount>
  <MaxKeys/>
  <IsTruncated>false</IsTruncated>
  <Contents>
    <Key>ExampleObject.txt</Key>
    <LastModified>2013-09-17T18:07:53.000Z</LastModified>
    <ETag>&quot;599bab3ed2c697f1d26842727561fd94&quot;</ETag>
    <Size>857</Size>
  </Contents>
  <Contents><Key> e &lt;&amp;&gt; <![CDATA[<é&]]>&#x41;&#66; </Key><Size>x1</Size></Contents>
</ListBucketResult>
"#;

fn error_of(document: impl AsRef<[u8]>) -> String {
    let error = Document::parse(document.as_ref()).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidResponse);
    error.to_string()
}

#[test]
fn a_listing_is_asked_for_what_it_holds() {
    let document = Document::parse(LISTING.as_bytes()).unwrap();
    let list = document.root_named("ListBucketResult").unwrap();
    assert_eq!(list.text_of("Name"), Some("quotes"));
    assert_eq!(list.parsed("KeyCount").unwrap(), Some(2));
    assert_eq!(list.parsed::<u32>("MaxKeys").unwrap(), None);
    assert_eq!(list.parsed::<u32>("Absent").unwrap(), None);
    assert_eq!(list.flag("IsTruncated").unwrap(), Some(false));
    assert_eq!(list.text(), "");
    let names: Vec<_> = list.elements().map(Element::name).collect();
    let expected = ["Name", "Prefix", "KeyCount", "MaxKeys", "IsTruncated", "Contents", "Contents"];
    assert_eq!(names, expected);

    let contents: Vec<_> = list.children("Contents").collect();
    let [first, second] = contents.as_slice() else { panic!("{contents:?}") };
    assert_eq!(first.text_of("ETag"), Some("\"599bab3ed2c697f1d26842727561fd94\""));
    assert_eq!(first.parsed::<u64>("Size").unwrap(), Some(857));
    let modified = first.timestamp("LastModified").unwrap().unwrap();
    assert_eq!(modified.iso8601(), "2013-09-17T18:07:53Z");
    assert_eq!(second.required("Key").unwrap(), " e <&> <é&AB ");
}

#[test]
fn an_unreadable_value_names_its_element() {
    let document = Document::parse(LISTING.as_bytes()).unwrap();
    let list = document.root();
    let second = list.children("Contents").nth(1).unwrap();
    let at = LISTING.find("<Size>x1").unwrap();
    let error = second.parsed::<u64>("Size").unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidResponse);
    assert_eq!(
        error.to_string(),
        format!(
            "the XML document has an unreadable ListBucketResult/Contents/Size: \
             \"x1\" (byte {at})"
        )
    );
    assert!(list.flag("Name").is_err());
    assert!(list.timestamp("Name").is_err());
    for missing in ["MaxKeys", "UploadId"] {
        let error = list.required(missing).unwrap_err().to_string();
        assert!(error.contains(&format!("no ListBucketResult/{missing} ")), "{error}");
    }
}

// S3 keeps the connection of a long CompleteMultipartUpload alive with white space, and may
// say 200 before it fails.
#[test]
fn white_space_comes_first_and_any_root_is_seen() {
    let body = "\u{FEFF} \r\n\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n \
                <Error><Code>InternalError</Code></Error>\n";
    let document = Document::parse(body.as_bytes()).unwrap();
    assert_eq!(document.root().name(), "Error");
    assert_eq!(document.root().text_of("Code"), Some("InternalError"));
    assert_eq!(
        document.root_named("CompleteMultipartUploadResult").unwrap_err().to_string(),
        "the root of the XML document is <Error>, but <CompleteMultipartUploadResult> was expected"
    );
}

#[test]
fn names_are_local_and_attributes_readable() {
    let document = Document::parse(
        br#"<s3:Grant xmlns:s3="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
            <!-- a comment --><?a pi?>
            <s3:Grantee xmlns:type="no" xsi:type="Canonical&amp;User"  /></s3:Grant >"#,
    )
    .unwrap();
    let grantee = document.root_named("Grant").unwrap().child("Grantee").unwrap();
    assert_eq!(grantee.attribute("type").as_deref(), Some("Canonical&User"));
    assert_eq!(grantee.attribute("s3"), None);
    assert_eq!(format!("{grantee:?}"), "Element(Grant/Grantee)");
}

// Ceph writes a control character as a reference, Garage and s3rver as it is; line ends are
// part of a key.
#[test]
fn keys_that_are_no_xml_are_kept() {
    let document = Document::parse(b"<Key>a&#x01;b\x01c\r\n&#13;&#10;\rd</Key>").unwrap();
    assert_eq!(document.root().text(), "a\u{1}b\u{1}c\r\n\r\n\rd");
}

#[test]
fn every_cut_is_seen() {
    let end = LISTING.trim_end().len();
    for cut in 0..end {
        let error = error_of(&LISTING.as_bytes()[..cut]);
        assert!(error.contains("at byte"), "{error}");
    }
    Document::parse(&LISTING.as_bytes()[..end]).unwrap();
}

#[test]
fn what_is_no_document_is_told_by_its_byte() {
    for (document, at, what) in [
        (&b""[..], 0, "no root element"),
        (b" \n ", 3, "no root element"),
        (b"upstream timed out", 0, "text outside"),
        (b"<a/>x", 4, "text outside"),
        (b"<a/>&amp;", 4, "text outside"),
        (b"<a></a> <b/>", 8, "another element"),
        (b"<a></b>", 3, "</b>"),
        (b"<a/></a>", 4, "</a>"),
        (b"<a>&nbsp;</a>", 3, "&nbsp;"),
        (b"<a>&#xD800;</a>", 3, "&#xD800;"),
        (b"<a>&#+65;</a>", 3, "&#+65;"),
        (b"<a>&</a>", 3, "reference"),
        (b"<a>\xFF</a>", 3, "UTF-8"),
        (b"<></>", 0, "no name"),
        (b"\xEF\xBB\xBF<a><a b='", 6, "not closed"),
        (b"{\"error\": 1}", 0, "text outside"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 0, "DOCTYPE"),
    ] {
        let error = error_of(document);
        let told = error.contains(&format!("at byte {at}:")) && error.contains(what);
        assert!(told, "{:?}: {error}", String::from_utf8_lossy(document));
    }
}

#[test]
fn limits_hold() {
    let limits = Limits { bytes: 60, depth: 3, elements: 4, text: 5 };
    let parse = |text: &str| {
        let document = Document::parse_within(text.as_bytes(), &limits);
        document
            .map(|document| document.root().elements().count())
            .map_err(|error| error.to_string())
    };
    assert_eq!(parse("<a><b><c>12345</c></b><d/></a>"), Ok(2));
    for (document, what) in [
        ("<a><b><c><d/></c></b></a>", "too deeply"),
        ("<a><b/><b/><b/><b/></a>", "too many elements"),
        ("<a>123&#52;<![CDATA[5]]>6</a>", "text of an element"),
        (&*format!("<a>{}</a>", " ".repeat(60)), "exceeds"),
    ] {
        let error = parse(document).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_long_text_is_not_repeated_in_an_error() {
    let name = "x".repeat(100_000);
    let error = error_of(format!("<{name}><b>\n</{name}>"));
    assert!(error.len() < 1000);
    let document = format!("<{name}><b>{name}\n</b></{name}>");
    let document = Document::parse(document.as_bytes()).unwrap();
    assert!(document.root().parsed::<u8>("b").unwrap_err().to_string().len() < 1000);
}

/// The names and texts of all elements, or nothing if the document is refused.
fn elements(document: &str) -> Option<Vec<(String, String)>> {
    fn add(element: Element<'_>, all: &mut Vec<(String, String)>) {
        all.push((element.path(), element.text().to_owned()));
        element.elements().for_each(|child| add(child, all));
    }
    let document = Document::parse(document.as_bytes()).ok()?;
    let mut all = Vec::new();
    add(document.root(), &mut all);
    Some(all)
}

proptest::proptest! {
    // A tag with a space in it is not taken for that of an element with only text.
    #[test]
    fn elements_with_only_text_are_read_as_all_others(
        pieces in proptest::collection::vec(
            proptest::sample::select(&[
                "<a>", "</a>", "<b>", "</b>", "<a></a>", "<b>1</b>", "<b>&quot;é&#x1;&gt;</b>",
                "<a>&#xD800;</a>", "<b>&</b>", "<c/>", "<!-- -->", "<![CDATA[<c>2</c>]]>", "x",
                "&amp;", "\n", "<a:b>3</a:b>",
            ][..]),
            0..16,
        ),
    ) {
        let document = format!("<r>{}</r>", pieces.concat());
        let spaced = document.replace("<a>", "<a >").replace("<b>", "<b >");
        proptest::prop_assert_eq!(elements(&document), elements(&spaced));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = Document::parse(&bytes);
    }

    #[test]
    fn nothing_like_xml_panics(
        pieces in proptest::collection::vec(
            proptest::sample::select(&[
                "<", ">", "</", "/>", "a", "b:", " c=\"", "\"", "'", "&", ";", "#x", "41", "<a>",
                "</a>", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!", "<!DOCTYPE", "é",
                "\u{FEFF}", "\u{C}", "\n", " ", "=", "<a b='&#1;'>", "xmlns:",
            ][..]),
            0..24,
        ),
    ) {
        let text = pieces.concat();
        if let Ok(document) = Document::parse(text.as_bytes()) {
            for element in document.root().elements() {
                element.attribute("c");
                element.path();
            }
        }
    }
}
