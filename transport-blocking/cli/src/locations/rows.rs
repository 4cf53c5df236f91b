//! Splits the input into rows of bounded length: lines, or the elements of an array.

use std::io::BufRead;

use crate::exit::{Exit, Failure};

/// Reads rows, one at a time: JSON lines, or JSON arrays in any layout.
pub(super) struct Rows<R> {
    input: R,
    buffer: Vec<u8>,
    /// The number of the line that is read, from 1.
    line: u64,
    form: Option<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    /// Within an array.
    Array,
    /// After an array.
    AfterArray,
}

/// The text of one row.
pub(super) struct Text<'a> {
    /// The number of the line where it begins, from 1.
    pub(super) line: u64,
    /// The text without the line's end; or why it was not read.
    pub(super) text: Result<&'a [u8], &'static str>,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), line: 1, form: None }
    }

    /// Returns the next row. A row longer than [`LONGEST`] is skipped to its end.
    pub(super) fn next(&mut self) -> Result<Option<Text<'_>>, Failure> {
        self.buffer.clear();
        loop {
            match self.form {
                None => {
                    self.skip(BYTE_ORDER_MARK)?;
                    self.form = Some(match self.skip(SPACE)? {
                        Some(b'[') => self.enter()?,
                        _ => Form::Lines,
                    });
                }
                Some(Form::Lines) => return self.line(),
                Some(Form::AfterArray) => match self.skip(SPACE)? {
                    None => return Ok(None),
                    Some(b'[') => self.form = Some(self.enter()?),
                    Some(_) => return Err(self.broken("text follows the array of rows")),
                },
                Some(Form::Array) => match self.skip(BETWEEN)? {
                    None => return Err(self.broken("the array of rows ends early")),
                    Some(b']') => {
                        self.take()?;
                        self.form = Some(Form::AfterArray);
                    }
                    Some(_) => return self.element().map(Some),
                },
            }
        }
    }

    fn line(&mut self) -> Result<Option<Text<'_>>, Failure> {
        let mut length = 0;
        let line = self.line;
        loop {
            let available = fill(&mut self.input)?;
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(available.len());
            if length + taken <= LONGEST {
                self.buffer.extend_from_slice(&available[..taken]);
            }
            length += taken;
            let is_over = available.is_empty();
            self.input.consume(taken + usize::from(end.is_some()));
            if is_over && length == 0 {
                return Ok(None);
            }
            if is_over || end.is_some() {
                break;
            }
        }
        self.line += 1;
        Ok(Some(self.text(line, length)))
    }

    /// Reads an element of an array: to the bracket that closes it, or of anything else than an
    /// object or array, to the comma after it.
    fn element(&mut self) -> Result<Text<'_>, Failure> {
        let (line, mut length, mut depth) = (self.line, 0, 0_u64);
        let (mut in_string, mut is_escaped) = (false, false);
        while let Some(byte) = self.peek()? {
            let mut ends = false;
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if in_string => is_escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b',' | b']' if depth == 0 => return Ok(self.text(line, length)),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    ends = depth == 0;
                }
                _ => {}
            }
            // A pretty-printed row becomes one line.
            let is_space = !in_string && SPACE.contains(&byte);
            if !is_space || self.buffer.last() != Some(&b' ') {
                if length < LONGEST {
                    self.buffer.push(if is_space { b' ' } else { byte });
                }
                length += 1;
            }
            self.take()?;
            if ends {
                return Ok(self.text(line, length));
            }
        }
        Err(self.broken("the array of rows ends early"))
    }

    fn text(&self, line: u64, length: usize) -> Text<'_> {
        let text = self.buffer.trim_ascii_end();
        let text = if length > LONGEST { Err(TOO_LONG) } else { Ok(text) };
        Text { line, text }
    }

    /// Takes the bracket that opens an array.
    fn enter(&mut self) -> Result<Form, Failure> {
        self.take()?;
        Ok(Form::Array)
    }

    /// Skips these bytes, and returns the byte after them.
    fn skip(&mut self, skipped: &[u8]) -> Result<Option<u8>, Failure> {
        loop {
            match self.peek()? {
                Some(byte) if skipped.contains(&byte) => self.take()?,
                found => return Ok(found),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, Failure> {
        Ok(fill(&mut self.input)?.first().copied())
    }

    fn take(&mut self) -> Result<(), Failure> {
        self.line += u64::from(self.peek()? == Some(b'\n'));
        self.input.consume(1);
        Ok(())
    }

    fn broken(&self, problem: &str) -> Failure {
        Failure::new(Exit::Other, format!("could not read the rows: line {}: {problem}", self.line))
    }
}

fn fill(input: &mut impl BufRead) -> Result<&[u8], Failure> {
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                let what = format!("could not read the rows: {error}");
                return Err(Failure::new(Exit::Other, what));
            }
        }
    }
    // The buffer is full now.
    Ok(input.fill_buf()?)
}

/// Most bytes of a row.
const LONGEST: usize = 1 << 20;
const TOO_LONG: &str = "the row is longer than 1 MiB";
const SPACE: &[u8] = b" \t\r\n";
const BETWEEN: &[u8] = b" \t\r\n,";
/// Some programs write it at the beginning of UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// A number of a line, and its text.
    type Found = (u64, Result<String, &'static str>);

    fn read(text: &str) -> (Vec<Found>, Option<String>) {
        let mut rows = Rows::new(BufReader::with_capacity(7, text.as_bytes()));
        let mut found = Vec::new();
        loop {
            match rows.next() {
                Ok(None) => return (found, None),
                Err(failure) => return (found, Some(failure.message)),
                Ok(Some(row)) => {
                    let text = row.text.map(|text| String::from_utf8(text.to_vec()).unwrap());
                    found.push((row.line, text));
                }
            }
        }
    }

    fn texts(text: &str) -> Vec<String> {
        let (found, failure) = read(text);
        assert_eq!(failure, None);
        found.into_iter().map(|(_, text)| text.unwrap()).collect()
    }

    #[test]
    fn lines_are_read_whole_or_skipped() {
        let long = "x".repeat(LONGEST + 1);
        let expect = [(1, Ok("one")), (2, Ok("")), (3, Err(TOO_LONG)), (4, Ok("four"))];
        let expect = expect.map(|(at, text)| (at, text.map(str::to_owned)));
        assert_eq!(read(&format!("one\n\n{long}\nfour")), (expect.to_vec(), None));
    }

    #[test]
    fn an_array_is_read_in_any_layout() {
        // As `sqlite3 -json`, `psql` and `jq` write arrays.
        for text in [
            "[{\"a\":[1,2]},\n{\"b\":\"]},[\"}]\n",
            "[{\"a\":[1,2]}, \n {\"b\":\"]},[\"}]",
            "\u{feff}\r\n[\r\n  {\r\n    \"a\": [\r\n 1,\t2 ]\n },\n  {\n \"b\" : \"]},[\" } ]",
            "[{\"a\":[1,2]}]\n[]\n[{\"b\":\"]},[\"}]\n",
        ] {
            let texts = texts(text).iter().map(|row| row.replace(' ', "")).collect::<Vec<_>>();
            assert_eq!(texts, ["{\"a\":[1,2]}", "{\"b\":\"]},[\"}"], "{text}");
        }
        assert_eq!(
            texts("[{\r\n\t\"a\": 1 2,\n \"b\": \"x  y\"\n}]"),
            ["{ \"a\": 1 2, \"b\": \"x  y\" }"]
        );
        assert_eq!(texts(r#"[{"a":"x \" y\\"}, 7 ,"z"]"#), [r#"{"a":"x \" y\\"}"#, "7", "\"z\""]);
        assert_eq!(texts("[]"), [""; 0]);
        assert_eq!(texts(""), [""; 0]);
        let (found, _) = read("[\n\n{\n},{}]");
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4]);
        let long = format!("[{{}},\"{}\",{{}}]", "x".repeat(LONGEST));
        let (found, _) = read(&long);
        assert_eq!(found[1].1, Err(TOO_LONG));
        assert_eq!(found[2].1.as_deref(), Ok("{}"));
    }

    #[test]
    fn an_array_that_is_cut_off_is_an_error() {
        for text in ["[{\"a\":1},", "[{\"a\":1}", "[{\"a\":", "[{\"a\":\"x]", "[", "[7"] {
            let failure = read(text).1.unwrap();
            assert!(failure.ends_with("line 1: the array of rows ends early"), "{failure}");
        }
        let failure = read("[{}]\n{}").1.unwrap();
        assert!(failure.ends_with("line 2: text follows the array of rows"), "{failure}");
    }
}
