//! A client that sends exactly what it is told to, also what no library would send.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes of an answer.
const ANSWER_MAX: u64 = 16 << 20;

#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Sends the bytes over a connection of their own, and reads the answer; or leaves after a time.
pub(crate) async fn exchange(
    address: &str,
    request: &[u8],
    leave_after: Option<Duration>,
) -> io::Result<Option<Answer>> {
    let mut stream = TcpStream::connect(address).await?;
    // A server may answer and close before it has read everything.
    let sent = stream.write_all(request).await;
    if let Some(time) = leave_after {
        sleep(time).await;
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let mut answer = stream.take(ANSWER_MAX);
    match timeout(PATIENCE, answer.read_to_end(&mut bytes)).await {
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        Ok(Err(error)) if bytes.is_empty() => return Err(sent.err().unwrap_or(error)),
        Ok(_) => {}
    }
    let is_head = request.starts_with(b"HEAD ");
    parse(&bytes, is_head)
        .map(Some)
        .ok_or_else(|| io::Error::other("the answer is no HTTP, or not whole"))
}

fn parse(bytes: &[u8], is_head: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = &bytes[end + 4..];
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value.eq_ignore_ascii_case("chunked"));
    let body = if is_chunked { unchunk(body)? } else { body.to_vec() };
    let answer = Answer { status, headers, body };
    let is_whole =
        answer.values("content-length").all(|length| length.parse() == Ok(answer.body.len()));
    (is_head || is_chunked || is_whole).then_some(answer)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let data = rest.get(end + 2..)?;
        body.extend_from_slice(data.get(..size)?);
        rest = data.get(size + 2..)?;
    }
}
