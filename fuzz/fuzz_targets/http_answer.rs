//! An answer's head and body are the same, however their bytes are cut into pieces; and both end. A head
//! that is reduced for an HTTP library loses nothing.
#![no_main]

use apus_core::http::{
    AnswerBody, HeadMeter, MOST_BYTES, MOST_FIELDS, SpareFields, Step, read_head,
};
use arbitrary::Arbitrary;
use bytes::BytesMut;
use http::{HeaderMap, Method};
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

/// Returns what an HTTP library gets of `text`, which comes in pieces of these sizes, and the fields
/// that it does not get.
fn reduce(text: &[u8], sizes: &[u8]) -> (Vec<u8>, HeaderMap) {
    let (mut meter, mut spare) = (HeadMeter::default(), SpareFields::default());
    let (mut seen, mut queue) = (Vec::new(), BytesMut::new());
    let (mut sizes, mut rest) = (sizes.iter().cycle(), text);
    while !rest.is_empty() {
        let size = usize::from(*sizes.next().unwrap_or(&1)).max(1).min(rest.len());
        let (piece, after) = rest.split_at(size);
        let before = meter;
        meter.push(piece).expect("the head is valid");
        let passed = match meter.is_large() {
            true => spare.take(&before, piece, &mut queue).expect("the head is valid"),
            false => size,
        };
        seen.extend_from_slice(&piece[..passed]);
        seen.extend_from_slice(&queue.split());
        rest = after;
    }
    (seen, spare.into_fields())
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

    // With more fields after the status line, so that many heads are large.
    let line = input.head.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let more = "a: 1\r\nb: 2\r\n".repeat(usize::from(input.most) / 2);
    let text = [&input.head[..line], more.as_bytes(), &input.head[line..length]].concat();
    // Of a field on several lines, each line counts against the limit here.
    let folds = text.windows(2).any(|pair| matches!(pair, b"\n " | b"\n\t"));
    if folds || head.status.is_informational() {
        return;
    }
    let Ok(Some((_, head))) = read_head(&text) else { return };
    let (seen, spare) = reduce(&[&text, input.body].concat(), &input.sizes);
    let (length, mut reduced) = read_head(&seen).unwrap().expect("the library gets a whole head");
    assert_eq!(&seen[length..], input.body);
    for (name, value) in &spare {
        reduced.headers.append(name, value.clone());
    }
    assert_eq!(reduced.headers, head.headers);
});
