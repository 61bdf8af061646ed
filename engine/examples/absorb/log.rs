//! Access logs in combined format: which lines are well-formed, and what they ask for.
//!
//! ```text
//! line    = client SP word SP word SP "[" time "]" SP DQ request DQ
//!           SP status SP size SP DQ text DQ SP DQ text DQ [CR]
//! time    = DD/Mon/YYYY:HH:MM:SS SP (+|-)HHMM    a real date, years 1970 to 9999, no leap second
//! request = method SP target SP "HTTP/" word     one space each, method of letters A to Z
//! client, word, target = one or more bytes that are not a space
//! text    = any bytes; a backslash takes the next byte with it, so an escaped quote is no end
//! status  = three digits          size = digits or "-"
//! ```
//!
//! Lines end at LF (the last one also at the end of the file); every line that is not exactly
//! the above, the empty line included, is malformed. All of it is bytes: nothing has to be UTF-8.
//! `count.py` states the same grammar as a regular expression and shares no code with this file.

/// What makes two requests the same one: a double click has all three in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity<'a> {
    pub(crate) client: &'a [u8],
    pub(crate) method: &'a [u8],
    pub(crate) target: &'a [u8],
}

impl Identity<'_> {
    /// The name inside the client's scope. A method holds no space, so no two names collide.
    pub(crate) fn operation(&self) -> Vec<u8> {
        [self.method, b" ", self.target].concat()
    }
}

/// One well-formed line.
pub(crate) struct Line<'a> {
    /// Seconds since 1970 in UTC; the format knows no finer time.
    pub(crate) time_s: i64,
    pub(crate) identity: Identity<'a>,
}

/// A parsed log.
pub(crate) struct Log<'a> {
    /// Well-formed lines, sorted by time; lines of one second stay in the order of the file.
    pub(crate) lines: Vec<Line<'a>>,
    pub(crate) line_count: usize,
    pub(crate) malformed_count: usize,
}

impl<'a> Log<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Self {
        // What follows the last LF is a line only if there is something.
        let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line_count = if bytes.is_empty() { 0 } else { body.split(|&b| b == b'\n').count() };

        let mut lines: Vec<Line<'a>> = body.split(|&b| b == b'\n').filter_map(parse_line).collect();
        let malformed_count = line_count - lines.len();
        lines.sort_by_key(|line| line.time_s);
        Self { lines, line_count, malformed_count }
    }
}

fn parse_line(line: &[u8]) -> Option<Line<'_>> {
    let mut rest = Rest(line.strip_suffix(b"\r").unwrap_or(line));
    let client = rest.word()?;
    rest.literal(b" ")?;
    rest.word()?;
    rest.literal(b" ")?;
    rest.word()?;
    rest.literal(b" [")?;
    let time_s = seconds_since_1970(rest.take(TIME_SIZE)?)?;
    rest.literal(b"] ")?;
    let request = rest.quoted()?;
    rest.literal(b" ")?;
    rest.word().filter(|status| status.len() == 3 && is_number(status))?;
    rest.literal(b" ")?;
    rest.word().filter(|size| *size == b"-" || is_number(size))?;
    rest.literal(b" ")?;
    rest.quoted()?;
    rest.literal(b" ")?;
    rest.quoted()?;
    if !rest.0.is_empty() {
        return None;
    }

    let mut words = request.split(|&b| b == b' ');
    let (method, target, protocol) = (words.next()?, words.next()?, words.next()?);
    let well_formed = words.next().is_none()
        && !method.is_empty()
        && method.iter().all(u8::is_ascii_uppercase)
        && !target.is_empty()
        && protocol.strip_prefix(b"HTTP/").is_some_and(|version| !version.is_empty());
    well_formed.then_some(Line { time_s, identity: Identity { client, method, target } })
}

fn is_number(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_digit)
}

/// What is left of a line. Every method takes from the front, or fails and the line with it.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn literal(&mut self, bytes: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(bytes)?;
        Some(())
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        let size = self.0.iter().position(|&b| b == b' ').unwrap_or(self.0.len());
        self.take(size).filter(|word| !word.is_empty())
    }

    fn quoted(&mut self) -> Option<&'a [u8]> {
        self.literal(b"\"")?;
        let mut size = 0;
        loop {
            match self.0.get(size)? {
                b'"' => break,
                b'\\' => size += 2,
                _ => size += 1,
            }
        }
        let text = self.take(size);
        self.literal(b"\"")?;
        text
    }
}

const TIME_SIZE: usize = "17/May/2015:10:05:03 +0000".len();
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

fn seconds_since_1970(time: &[u8]) -> Option<i64> {
    let mut rest = Rest(time);
    let day = rest.number(2)?;
    rest.literal(b"/")?;
    let name = rest.take(3)?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    rest.literal(b"/")?;
    let year = rest.number(4)?;
    rest.literal(b":")?;
    let hour = rest.number(2)?;
    rest.literal(b":")?;
    let minute = rest.number(2)?;
    rest.literal(b":")?;
    let second = rest.number(2)?;
    rest.literal(b" ")?;
    let sign = match rest.take(1)? {
        b"+" => 1,
        b"-" => -1,
        _ => return None,
    };
    let (offset_hour, offset_minute) = (rest.number(2)?, rest.number(2)?);

    let date_is_real = year >= 1970 && (1..=days_in(year, month)).contains(&day);
    let clock_is_real = hour < 24 && minute < 60 && second < 60;
    if !date_is_real || !clock_is_real || offset_hour >= 24 || offset_minute >= 60 {
        return None;
    }
    let days = days_before(year) + (0..month).map(|m| days_in(year, m)).sum::<i64>() + day - 1;
    let local_s = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(local_s - sign * (offset_hour * 60 + offset_minute) * 60)
}

impl Rest<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        let digits = self.take(digits).filter(|digits| is_number(digits))?;
        Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month counted from 0.
fn days_in(year: i64, month: usize) -> i64 {
    match month {
        1 => 28 + i64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Days from 1 January 1970 to 1 January of `year`.
fn days_before(year: i64) -> i64 {
    // Leap days in the years 1 to `year`, the last included.
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}
