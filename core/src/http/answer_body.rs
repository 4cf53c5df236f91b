//! Where the body of a response begins and ends, for transports that parse it themselves (RFC 9112,
//! sections 6 to 8).

use http::header::{CONNECTION, HeaderMap};
use http::{Method, Version, response};

use super::delimiter::Delimiter;
use crate::error::{ExchangeError, ExchangeErrorKind};

/// The framing of a response's body, parsed as its bytes arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerBody {
    framing: Framing,
    keeps_alive: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Framing {
    /// This many bytes are still to come.
    Length(u64),
    /// All bytes until the connection is closed.
    Close,
    Chunked(Chunked),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Chunked {
    at: At,
    /// Bytes of chunk extensions and trailers so far.
    besides: usize,
}

/// The next element of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Digits of a chunk's size: how many have arrived, and their value.
    Size {
        digits: u8,
        size: u64,
    },
    /// The rest of the line after the size.
    Extension {
        size: u64,
    },
    /// The line feed after that. Unlike in a head, a carriage return and a line feed are both
    /// required here (RFC 9112, sections 2.2 and 7.1): otherwise a size that is wrong by one makes
    /// framing part of the body.
    SizeEnd {
        size: u64,
    },
    /// The bytes of a chunk.
    Data(u64),
    /// The carriage return after them.
    DataEnd,
    /// The line feed after that.
    DataFeed,
    /// A line of the trailers, and whether it is empty so far.
    Trailer {
        empty: bool,
    },
    Over,
}

/// How many of the input's bytes are framing, and how many are body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of framing, to be dropped.
    pub skip: usize,
    /// Bytes of the body that follow them.
    pub take: usize,
}

impl AnswerBody {
    /// Creates the parser of the body that follows this head, in a response to `method`. If the
    /// head contradicts itself, the end of the body is unknown, and [`Receiving`](super::Receiving)
    /// accepts none of it.
    pub fn of(method: &Method, head: &response::Parts) -> Self {
        let keeps_alive = match head.version {
            Version::HTTP_10 => has(&head.headers, "keep-alive"),
            _ => !has(&head.headers, "close"),
        };
        let framing = match Delimiter::of(method, head) {
            Ok(Delimiter::NoBody) => Framing::Length(0),
            Ok(Delimiter::Length(length)) => Framing::Length(length),
            Ok(Delimiter::Framing) => {
                let at = At::Size { digits: 0, size: 0 };
                Framing::Chunked(Chunked { at, besides: 0 })
            }
            Ok(Delimiter::Close) | Err(_) => Framing::Close,
        };
        // After 101 another protocol follows.
        let ends = framing == Framing::Close || head.status.is_informational();
        Self { keeps_alive: keeps_alive && !ends, framing }
    }

    /// Whether the whole body was taken. Always false for a body that ends with its connection.
    pub fn is_over(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Close => false,
            Framing::Chunked(chunked) => chunked.at == At::Over,
        }
    }

    /// Whether another response may follow on the same connection.
    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// Parses the beginning of `input`, and takes at most `most` bytes of the body. If nothing is
    /// skipped and nothing taken, more input is needed; what is skipped and taken counts as read.
    ///
    /// # Errors
    ///
    /// The framing is broken, or is longer than its limits.
    pub fn step(&mut self, input: &[u8], most: usize) -> Result<Step, ExchangeError> {
        let most = input.len().min(most);
        match &mut self.framing {
            Framing::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(most);
                *left -= take as u64;
                Ok(Step { skip: 0, take })
            }
            Framing::Close => Ok(Step { skip: 0, take: most }),
            Framing::Chunked(chunked) => chunked.step(input, most),
        }
    }

    /// Records that the connection was closed in good order.
    ///
    /// # Errors
    ///
    /// The body was not complete: it was cut.
    pub fn close(&mut self) -> Result<(), ExchangeError> {
        match &self.framing {
            Framing::Close => {
                self.framing = Framing::Length(0);
                Ok(())
            }
            _ if self.is_over() => Ok(()),
            Framing::Length(left) => {
                let detail =
                    format!("the connection was closed {left} bytes before the end of the body");
                Err(ExchangeError::new(ExchangeErrorKind::Cut, detail))
            }
            Framing::Chunked(_) => Err(ExchangeError::new(
                ExchangeErrorKind::Cut,
                "the connection was closed before the last chunk",
            )),
        }
    }
}

impl Chunked {
    fn step(&mut self, input: &[u8], most: usize) -> Result<Step, ExchangeError> {
        for (skip, &byte) in input.iter().enumerate() {
            match self.at {
                At::Data(left) => {
                    let have = input.len() - skip;
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(have).min(most);
                    let left = left - take as u64;
                    self.at = if left == 0 { At::DataEnd } else { At::Data(left) };
                    return Ok(Step { skip, take });
                }
                At::Over => return Ok(Step { skip, take: 0 }),
                _ => self.at = self.after(byte)?,
            }
        }
        Ok(Step { skip: input.len(), take: 0 })
    }

    fn after(&mut self, byte: u8) -> Result<At, ExchangeError> {
        let wrong = || broken("the chunked coding is malformed");
        Ok(match (self.at, byte) {
            (At::Size { digits, size }, byte) if byte.is_ascii_hexdigit() => {
                if digits == 16 {
                    return Err(broken("the length of a chunk exceeds 64 bits"));
                }
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                At::Size { digits: digits + 1, size: size << 4 | u64::from(digit) }
            }
            (At::Size { digits: 0, .. }, _) => return Err(wrong()),
            (At::Size { size, .. } | At::Extension { size }, b'\r') => At::SizeEnd { size },
            (At::SizeEnd { size: 0 }, b'\n') => At::Trailer { empty: true },
            (At::SizeEnd { size }, b'\n') => At::Data(size),
            (At::SizeEnd { .. }, _) | (At::Extension { .. }, b'\n') => return Err(wrong()),
            (At::Size { size, .. }, b';' | b' ' | b'\t') | (At::Extension { size }, _) => {
                self.beside()?;
                At::Extension { size }
            }
            (At::Size { .. }, _) => return Err(wrong()),
            (At::DataEnd, b'\r') => At::DataFeed,
            (At::DataFeed, b'\n') => At::Size { digits: 0, size: 0 },
            (At::DataEnd | At::DataFeed, _) => return Err(wrong()),
            (At::Trailer { empty: true }, b'\n') => At::Over,
            (At::Trailer { empty: true }, b'\r') => {
                self.beside()?;
                At::Trailer { empty: true }
            }
            (At::Trailer { .. }, byte) => {
                self.beside()?;
                At::Trailer { empty: byte == b'\n' }
            }
            (at @ (At::Data(_) | At::Over), _) => at,
        })
    }

    fn beside(&mut self) -> Result<(), ExchangeError> {
        self.besides += 1;
        if self.besides > MOST_BESIDES {
            return Err(broken(format!(
                "chunk extensions and trailers exceed {MOST_BESIDES} bytes"
            )));
        }
        Ok(())
    }
}

/// Whether the `Connection` header contains this word.
fn has(headers: &HeaderMap, word: &str) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|one| one.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

fn broken(detail: impl Into<String>) -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Protocol, detail)
}

/// The most bytes of chunk extensions and trailers together. Both are ignored.
const MOST_BESIDES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::super::read_head;
    use super::*;

    fn body(method: &Method, head: &str) -> AnswerBody {
        let text = head.replace('\n', "\r\n");
        let (_, head) = read_head(format!("{text}\r\n\r\n").as_bytes()).unwrap().unwrap();
        AnswerBody::of(method, &head)
    }

    /// All that is taken of `input`, which comes in pieces of `size`; and what is left of it.
    fn take(
        body: &mut AnswerBody,
        input: &[u8],
        size: usize,
    ) -> Result<(Vec<u8>, Vec<u8>), String> {
        let (mut taken, mut held) = (Vec::new(), Vec::new());
        for piece in input.chunks(size) {
            held.extend_from_slice(piece);
            loop {
                let step = body.step(&held, 3).map_err(|failure| failure.to_string())?;
                if step == (Step { skip: 0, take: 0 }) {
                    break;
                }
                taken.extend(held.drain(..step.skip + step.take).skip(step.skip));
            }
        }
        Ok((taken, held))
    }

    #[test]
    fn a_body_of_a_length() {
        for size in 1..8 {
            let mut body = body(&Method::GET, "HTTP/1.1 200 OK\nContent-Length: 5, 5");
            assert!(body.keeps_alive() && body.close().is_err());
            assert_eq!(take(&mut body, b"helloHTTP", size).unwrap().0, b"hello");
            assert!(body.is_over() && body.close().is_ok());
        }
    }

    #[test]
    fn a_body_until_the_connection_ends() {
        let mut body = body(&Method::GET, "HTTP/1.1 200 OK");
        assert_eq!(take(&mut body, b"hello", 2).unwrap().0, b"hello");
        assert!(!body.is_over() && !body.keeps_alive());
        body.close().unwrap();
        assert!(body.is_over());
    }

    #[test]
    fn a_body_in_chunks() {
        let text = b"5\r\nhello\r\n006 ; a=b\r\n world\r\n0\r\nx-a: 1\r\nx-b: 2\r\n\r\nHTTP";
        for size in 1..text.len() {
            let head = "HTTP/1.1 200 OK\nTransfer-Encoding: Chunked";
            let mut body = body(&Method::GET, head);
            let (taken, left) = take(&mut body, text, size).unwrap();
            assert_eq!((taken.as_slice(), left.as_slice()), (&b"hello world"[..], &b"HTTP"[..]));
            assert!(body.is_over() && body.keeps_alive());
        }
        let end = text.len() - b"HTTP".len();
        for cut in 0..end {
            let mut body = body(&Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked");
            take(&mut body, &text[..cut], 7).unwrap();
            assert!(!body.is_over() && body.close().is_err(), "{cut}");
        }
    }

    #[test]
    fn chunks_that_are_none() {
        for text in [
            "\r\n",
            "g\r\n",
            "5\r\nhelloX",
            "-1\r\n",
            "0x5\r\n",
            "11111111111111111\r\n",
            // A size that is one too many, and ends of lines that are none.
            "6\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5;a\nhello\r\n0\r\n\r\n",
            "5\rhello\r\n0\r\n\r\n",
            "5\r\nhello\r\r\n0\r\n\r\n",
        ] {
            let mut body = body(&Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked");
            take(&mut body, text.as_bytes(), 100).expect_err(text);
        }
    }

    #[test]
    fn neither_extensions_nor_trailers_go_on_for_ever() {
        for (start, endless) in
            [("5;", "a"), ("0\r\n", "a: 1\r\n"), ("0\r\n", "\r"), ("0\r\n", "a")]
        {
            let mut body = body(&Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked");
            let text = format!("{start}{}", endless.repeat(20_000));
            let error = take(&mut body, text.as_bytes(), 1000).unwrap_err();
            assert!(error.contains("exceed 16384 bytes"), "{error}");
        }
        // Small chunks, each with an extension.
        let mut body = body(&Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked");
        take(&mut body, "1;a\r\nx\r\n".repeat(20_000).as_bytes(), 1000).unwrap_err();
    }

    #[test]
    fn answers_that_have_no_body() {
        let chunked = "\nTransfer-Encoding: chunked";
        for (method, head) in [
            (Method::HEAD, "HTTP/1.1 200 OK\nContent-Length: 5"),
            (Method::HEAD, &format!("HTTP/1.1 200 OK{chunked}")),
            (Method::GET, "HTTP/1.1 204 No Content\nContent-Length: 5"),
            (Method::GET, &format!("HTTP/1.1 304 Not Modified{chunked}")),
            (Method::PUT, "HTTP/1.1 200 OK\nContent-Length: 0"),
        ] {
            let body = body(&method, head);
            assert!(body.is_over() && body.keeps_alive(), "{head}");
        }
    }

    #[test]
    fn who_may_go_on() {
        for (head, keeps_alive) in [
            ("HTTP/1.1 200 OK\nContent-Length: 5\nConnection: x, Close", false),
            ("HTTP/1.1 204 No Content\nConnection: close", false),
            ("HTTP/1.0 200 OK\nContent-Length: 5", false),
            ("HTTP/1.0 200 OK\nContent-Length: 5\nConnection: Keep-Alive", true),
            ("HTTP/1.0 200 OK\nConnection: Keep-Alive", false),
            ("HTTP/1.1 101 Switching Protocols\nUpgrade: x", false),
            ("HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked", false),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked, gzip", false),
        ] {
            assert_eq!(body(&Method::GET, head).keeps_alive(), keeps_alive, "{head}");
        }
    }
}
