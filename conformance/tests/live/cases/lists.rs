//! Lists of objects, page by page.

use apus_core::Error;
use apus_core::s3::{ListObjects, ListObjectsV2, PutObject};

use crate::live::Case;
use crate::live::stage::Stage;

pub const CASES: &[Case] = &[
    Case::ok("ListObjectsV2", version_2),
    Case::ok("ListObjectsV2 in pages", version_2_in_pages),
    Case::ok("ListObjects in pages", version_1),
    Case::ok("ListObjectsV2 with a delimiter", delimiter),
];

const KEYS: [&str; 5] = ["list/a b", "list/c+d", "list/e/1", "list/e/2", "list/ü&<>"];

fn fill(stage: &Stage<'_>) -> Result<(), Error> {
    for key in KEYS {
        stage.call(PutObject::new(&stage.bucket, key, key))?;
    }
    Ok(())
}

fn version_2(stage: &Stage<'_>) -> Result<(), Error> {
    assert_eq!(listed(stage, None)?, 1);
    Ok(())
}

fn version_2_in_pages(stage: &Stage<'_>) -> Result<(), Error> {
    assert_eq!(listed(stage, Some(2))?, 3);
    Ok(())
}

/// In how many pages all keys came.
fn listed(stage: &Stage<'_>, max_keys: Option<u32>) -> Result<usize, Error> {
    fill(stage)?;
    let mut next =
        Some(ListObjectsV2 { max_keys, ..ListObjectsV2::new(&stage.bucket).prefix("list/") });
    let (mut seen, mut pages) = (Vec::new(), 0);
    while let Some(list) = next {
        let page = stage.call(list.clone())?;
        for entry in &page.contents {
            assert_eq!(entry.size, Some(entry.key.len() as u64));
            assert!(entry.etag.is_some() && entry.last_modified.is_some());
            seen.push(entry.key.clone());
        }
        pages += 1;
        next = list.next(&page)?;
    }
    assert_eq!(seen, KEYS);
    Ok(pages)
}

fn version_1(stage: &Stage<'_>) -> Result<(), Error> {
    fill(stage)?;
    let mut next = Some(ListObjects {
        prefix: Some("list/".into()),
        max_keys: Some(2),
        ..ListObjects::new(&stage.bucket)
    });
    let (mut seen, mut pages) = (Vec::new(), 0);
    while let Some(list) = next {
        let page = stage.call(list.clone())?;
        seen.extend(page.contents.iter().map(|entry| entry.key.clone()));
        pages += 1;
        next = list.next(&page)?;
    }
    assert_eq!((seen.as_slice(), pages), (&KEYS.map(str::to_owned)[..], 3));
    Ok(())
}

fn delimiter(stage: &Stage<'_>) -> Result<(), Error> {
    fill(stage)?;
    let list = ListObjectsV2 {
        delimiter: Some("/".into()),
        ..ListObjectsV2::new(&stage.bucket).prefix("list/")
    };
    let page = stage.call(list)?;
    assert_eq!(page.common_prefixes, ["list/e/"]);
    assert_eq!(page.contents.len(), 3);
    Ok(())
}
