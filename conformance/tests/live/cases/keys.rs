//! Keys with characters that have to be escaped, and that servers take for something else.

use apus_core::Error;
use apus_core::s3::{
    CopyObject, CopySource, DeleteObject, GetObject, HeadObject, ListObjectsV2, PutObject,
};

use crate::live::Case;
use crate::live::stage::Stage;

pub const CASES: &[Case] = &[
    Case::ok("keys with spaces, percent signs and letters beyond ASCII", odd::<LETTERS>),
    Case::ok("keys with reserved characters", odd::<RESERVED>),
    Case::ok("keys with empty segments", odd::<EMPTY>),
    Case::ok("keys with dot segments", odd::<DOTS>),
    Case::ok("a key with a line end", odd::<LINE>),
    Case::ok("a key with a control character", odd::<CONTROL>),
    Case::ok("a key of 1,024 bytes", odd::<LONG>),
    Case::ok(
        "CopyObject from keys with spaces, percent signs and letters beyond ASCII",
        odd_copy::<LETTERS>,
    ),
    Case::ok("CopyObject from keys with reserved characters", odd_copy::<RESERVED>),
    Case::ok("CopyObject from keys with empty segments", odd_copy::<EMPTY>),
    Case::ok("CopyObject from keys with dot segments", odd_copy::<DOTS>),
    Case::ok("CopyObject from a key with a line end", odd_copy::<LINE>),
    Case::ok("CopyObject from a key with a control character", odd_copy::<CONTROL>),
    Case::ok("CopyObject from a key of 1,024 bytes", odd_copy::<LONG>),
];

const LETTERS: usize = 0;
const RESERVED: usize = 1;
const EMPTY: usize = 2;
const DOTS: usize = 3;
const LINE: usize = 4;
const CONTROL: usize = 5;
const LONG: usize = 6;

fn odd_keys(kind: usize) -> Vec<String> {
    let keys: &[&str] = match kind {
        LETTERS => &[
            "odd/%2F%41%",
            "odd/sp ace ",
            "odd/~tilde",
            "odd/\\{}|^[]",
            "odd/ü",
            "odd/u\u{308}",
            "odd/\u{1F426}",
        ],
        RESERVED => &["odd/plus+plus", "odd/?query=1&b#fragment", "odd/<&>'\"`", "odd/=;:@,!$*()'"],
        EMPTY => &["odd//slashes//", "/odd/lead"],
        DOTS => &["odd/a/../b", "odd/./c", "../odd"],
        LINE => &["odd/new\nline"],
        CONTROL => &["odd/\u{1}"],
        _ => return vec!["k".repeat(1024)],
    };
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn odd<const KIND: usize>(stage: &Stage<'_>) -> Result<(), Error> {
    let keys = odd_keys(KIND);
    for key in &keys {
        stage.call(PutObject::new(&stage.bucket, key, key.clone()))?;
    }
    for key in &keys {
        let answer = stage.call(GetObject::new(&stage.bucket, key))?;
        assert!(answer.body == key.as_bytes(), "{key:?}");
        stage.call(HeadObject::new(&stage.bucket, key))?;
    }
    let listed = stage.call(ListObjectsV2::new(&stage.bucket));
    for key in &keys {
        stage.call(DeleteObject::new(&stage.bucket, key))?;
    }
    let listed = listed?.contents;
    for key in &keys {
        assert!(listed.iter().any(|entry| entry.key == *key), "{key:?} is not listed");
    }
    Ok(())
}

fn odd_copy<const KIND: usize>(stage: &Stage<'_>) -> Result<(), Error> {
    let keys = odd_keys(KIND);
    for key in &keys {
        stage.call(PutObject::new(&stage.bucket, key, key.clone()))?;
    }
    let copies = keys.iter().map(|key| {
        let source = CopySource::new(&stage.bucket, key);
        stage.call(CopyObject::new(&stage.bucket, "copied", source))?;
        stage.call(GetObject::new(&stage.bucket, "copied"))
    });
    let copies: Vec<_> = copies.collect();
    for key in &keys {
        stage.call(DeleteObject::new(&stage.bucket, key))?;
    }
    for (key, copied) in keys.iter().zip(copies) {
        assert!(copied?.body == key.as_bytes(), "{key:?}");
    }
    Ok(())
}
