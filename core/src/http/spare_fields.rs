//! The fields of a response's head that an HTTP library has no room for.

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};

use super::answer_head::{MOST_FIELDS, broken, read_head, too_many};
use super::head_meter::{HeadMeter, ROOM};
use crate::error::ExchangeError;

/// Keeps the header fields that an HTTP library has no room for: hyper reads 100 fields at no cost,
/// and more only if it makes room for all of them in each response. The library gets the first 90
/// lines of each head as they came, and of the rest only the fields that delimit the body.
///
/// ```text
///   input ──▶ up to 90 lines   ──▶ the library, as they are
///         ──▶ further fields   ──▶ here, until the head ends ──▶ those that delimit the body: queue
///                                                            ──▶ the others: fields
///         ──▶ after that head  ──▶ queue
/// ```
#[derive(Debug, Default)]
pub struct SpareFields {
    /// The lines after the first ones, of a head that has not ended; empty if there are none.
    held: Vec<u8>,
    fields: HeaderMap,
}

impl SpareFields {
    /// Takes bytes that arrived, after `before` has counted those before them. Returns how many of
    /// them the library gets as they are. What it gets after these is added to `queue`.
    ///
    /// # Errors
    ///
    /// A head that is too long, or has more than [`MOST_FIELDS`], where each line of a field counts;
    /// fields that can't be parsed.
    pub fn take(
        &mut self,
        before: &HeadMeter,
        input: &[u8],
        queue: &mut BytesMut,
    ) -> Result<usize, ExchangeError> {
        let mut meter = *before;
        let (mut passed, mut rest) = (0, input);
        while !rest.is_empty() && !meter.is_over() {
            let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            let (lines, earlier) = (meter.lines(), meter.informational());
            let begins = meter.begins_line() && !matches!(line.first(), Some(b' ' | b'\t'));
            meter.push(line)?;
            let ends = meter.is_over() || meter.informational() > earlier;
            if !self.held.is_empty() || begins && !ends && lines >= ROOM {
                self.held.extend_from_slice(line);
                if ends {
                    self.release(lines, meter.is_over(), queue)?;
                }
            } else if queue.is_empty() && passed + rest.len() == input.len() {
                passed += line.len();
            } else {
                queue.extend_from_slice(line);
            }
            rest = after;
        }
        match queue.is_empty() && passed + rest.len() == input.len() {
            true => passed += rest.len(),
            false => queue.extend_from_slice(rest),
        }
        Ok(passed)
    }

    /// Returns the fields that the library did not get.
    pub fn into_fields(self) -> HeaderMap {
        self.fields
    }

    /// Ends a head of so many lines.
    fn release(
        &mut self,
        lines: usize,
        is_last: bool,
        queue: &mut BytesMut,
    ) -> Result<(), ExchangeError> {
        let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
        head.append(&mut self.held);
        let head = read_head(&head)?.ok_or_else(|| broken("a line of the head has no end"))?;
        let mut fields = head.1.headers;
        // The status line is one of the lines.
        if lines > MOST_FIELDS + 1 {
            return Err(too_many());
        }
        for name in DELIMITING {
            for value in fields.get_all(&name) {
                for text in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                    queue.extend_from_slice(text);
                }
            }
            fields.remove(name);
        }
        queue.extend_from_slice(b"\r\n");
        if is_last {
            self.fields = fields;
        }
        Ok(())
    }
}

/// The fields that the library needs.
const DELIMITING: [HeaderName; 3] = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION];

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what the library gets of `text`, which arrives in pieces of this size, and the spare
    /// fields.
    fn split(text: &str, size: usize) -> Result<(String, HeaderMap), ExchangeError> {
        let (mut meter, mut spare) = (HeadMeter::default(), SpareFields::default());
        let (mut seen, mut queue) = (Vec::new(), BytesMut::new());
        for piece in text.as_bytes().chunks(size) {
            let before = meter;
            meter.push(piece)?;
            let passed = match meter.is_large() {
                true => spare.take(&before, piece, &mut queue)?,
                false => piece.len(),
            };
            seen.extend_from_slice(&piece[..passed]);
            seen.extend_from_slice(&queue.split());
        }
        Ok((String::from_utf8(seen).unwrap(), spare.into_fields()))
    }

    fn fields(range: std::ops::Range<usize>) -> String {
        range.map(|n| format!("x-meta-{n}: {n}\r\n")).collect()
    }

    // The reference is the other reader of heads, which has room for all fields.
    #[test]
    fn nothing_is_lost_and_the_library_has_room() {
        for count in [0, 60, 87, 88, 89, 90, 91, 150, 250] {
            for delimiting in [0, 40, count] {
                let delimiting = delimiting.min(count);
                let text = format!(
                    "HTTP/1.1 200 OK\r\n{}Content-Length: 4\r\nConnection: close\r\n{}\r\nbody",
                    fields(0..delimiting),
                    fields(delimiting..count)
                );
                let (_, whole) = read_head(text.as_bytes()).unwrap().unwrap();
                for size in [1, 2, 3, 64, 1000, usize::MAX] {
                    let (seen, spare) = split(&text, size).unwrap();
                    let (length, mut head) = read_head(seen.as_bytes()).unwrap().unwrap();
                    assert_eq!(&seen[length..], "body", "{count} {delimiting} {size}");
                    assert!(head.headers.len() < ROOM + 3, "{count} {size}");
                    assert_eq!(head.headers["content-length"], "4");
                    assert_eq!(head.headers["connection"], "close");
                    assert!(count >= ROOM - 2 || spare.is_empty());
                    assert!(count <= ROOM || !spare.is_empty());
                    for (name, value) in &spare {
                        head.headers.append(name, value.clone());
                    }
                    assert_eq!(head.headers, whole.headers, "{count} {delimiting} {size}");
                }
            }
        }
    }

    #[test]
    fn a_field_that_continues_stays_whole() {
        let folded = "HTTP/1.1 200 OK\r\na: 1\r\n 2\r\n";
        for before in 84..92 {
            let text = format!("{folded}{}b: 3\r\n\t4\r\nc: 5\r\n\r\n", fields(0..before));
            let (_, whole) = read_head(text.as_bytes()).unwrap().unwrap();
            for size in [1, 5, 1000] {
                let (seen, spare) = split(&text, size).unwrap();
                let (_, mut head) = read_head(seen.as_bytes()).unwrap().unwrap();
                for (name, value) in &spare {
                    head.headers.append(name, value.clone());
                }
                assert_eq!(head.headers, whole.headers, "{before} {size}");
            }
        }
    }

    #[test]
    fn heads_of_informational_responses_are_reduced_too() {
        let early = format!("HTTP/1.1 103 Early Hints\r\n{}\r\n", fields(0..200));
        let last = "HTTP/1.1 200 OK\r\na: 1\r\n\r\nbody";
        for size in [1, 7, 1000, usize::MAX] {
            let (seen, spare) = split(&format!("{early}{early}{last}"), size).unwrap();
            assert!(seen.ends_with(&format!("\r\n\r\n{last}")), "{seen}");
            assert_eq!(seen.matches("103 Early Hints").count(), 2);
            assert!(seen.lines().count() < 2 * ROOM + 8, "{seen}");
            assert!(spare.is_empty());
        }
    }

    #[test]
    fn a_head_has_its_limits() {
        let of = |count| split(&format!("HTTP/1.1 200 OK\r\n{}\r\n", fields(0..count)), 50);
        of(MOST_FIELDS).unwrap();
        let error = of(MOST_FIELDS + 1).unwrap_err().to_string();
        assert!(error.contains("more than 256 header fields"), "{error}");
        split(&format!("HTTP/1.1 200 OK\r\n{}no colon\r\n\r\n", fields(0..100)), 50).unwrap_err();
    }
}
