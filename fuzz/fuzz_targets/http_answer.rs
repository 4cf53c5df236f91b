//! An answer's head and body are the same, however their bytes are cut into pieces; and both end.
#![no_main]

use apus_core::http::{AnswerBody, MOST_BYTES, MOST_FIELDS, Step, read_head};
use arbitrary::Arbitrary;
use http::Method;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    head: &'a [u8],
    body: &'a [u8],
    sizes: [u8; 4],
    most: u8,
}

/// Returns what is taken of `input`, which comes in pieces of these sizes, how much of it was read, and
/// whether the body has ended; or why it is invalid.
fn take(
    mut body: AnswerBody,
    input: &[u8],
    sizes: &[u8],
    most: usize,
) -> Result<(Vec<u8>, usize, bool), String> {
    let (mut taken, mut held, mut read) = (Vec::new(), 0..0, 0);
    let mut sizes = sizes.iter().cycle();
    loop {
        let step = body.step(&input[held.clone()], most).map_err(|failure| failure.to_string())?;
        assert!(step.skip + step.take <= held.len() && step.take <= most);
        if step == (Step { skip: 0, take: 0 }) {
            if held.end == input.len() {
                return Ok((taken, read, body.is_over()));
            }
            let size = usize::from(*sizes.next().unwrap_or(&1)).max(1);
            held.end = input.len().min(held.end + size);
            continue;
        }
        read += step.skip + step.take;
        taken.extend_from_slice(&input[held.start + step.skip..held.start + step.skip + step.take]);
        held.start += step.skip + step.take;
    }
}

fuzz_target!(|input: Input<'_>| {
    let Ok(Some((length, head))) = read_head(input.head) else { return };
    assert!(
        length <= input.head.len() && length <= MOST_BYTES && head.headers.len() <= MOST_FIELDS
    );
    // Before its end it is unfinished, and never anything else.
    let cut = usize::from(input.sizes[0]) % length;
    assert!(matches!(read_head(&input.head[..cut]), Ok(None)));

    let most = usize::from(input.most).max(1);
    for method in [Method::GET, Method::HEAD] {
        let body = AnswerBody::of(&method, &head);
        let whole = take(body.clone(), input.body, &[255], usize::MAX);
        assert_eq!(take(body, input.body, &input.sizes, most), whole);
        if let Ok((taken, read, over)) = whole {
            assert!(taken.len() <= read && (over || read == input.body.len()));
        }
    }
});
