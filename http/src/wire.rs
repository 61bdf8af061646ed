//! How a response is stored: one range of bytes, that every language reads alike.
//!
//! ```text
//! 1      version: 1
//! 1      flags: 0
//! 2      status
//! 4      header fields, how many
//!        each: 4 length of name, 4 length of value, name, value
//! 4      trailer fields, how many; each as above
//! 4      length of body
//!        body, to the end
//! ```
//!
//! Numbers are big endian. Fields are in the order in which they came, with repeats. What has another
//! version, another length than it says, or flags that nobody knows is refused and not guessed at. Examples
//! that each implementation must reproduce are in `http/vectors/responses.json`.

/// The version that is written.
const VERSION: u8 = 1;

/// A header or trailer field.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// Why bytes are no stored response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// Of a version that is not known here.
    Version(u8),
    /// With flags that are not known here.
    Flags(u8),
    /// Shorter, or longer, than it says.
    Length,
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            WireError::Version(version) => write!(f, "a stored response of version {version}"),
            WireError::Flags(flags) => write!(f, "a stored response with unknown flags {flags:#x}"),
            WireError::Length => f.write_str("a stored response of another length than it says"),
        }
    }
}

impl core::error::Error for WireError {}

/// A response, as it was stored: a view of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    status: u16,
    headers: Fields<'a>,
    trailers: Fields<'a>,
    body: &'a [u8],
}

/// Fields that are known to be well-formed.
#[derive(Clone, Copy, Debug)]
struct Fields<'a> {
    count: u32,
    bytes: &'a [u8],
}

/// Writes a response.
///
/// # Errors
/// [`WireError::Length`]: something in it is longer than 4 GiB.
pub fn write<'a>(
    status: u16,
    headers: impl Iterator<Item = Field<'a>> + Clone,
    trailers: impl Iterator<Item = Field<'a>> + Clone,
    body: &[u8],
) -> Result<Vec<u8>, WireError> {
    let size = |fields: &mut dyn Iterator<Item = Field<'a>>| -> usize {
        fields.map(|(name, value)| 8 + name.len() + value.len()).sum()
    };
    let capacity = 16 + size(&mut headers.clone()) + size(&mut trailers.clone()) + body.len();
    let mut bytes = Vec::with_capacity(capacity);
    bytes.extend_from_slice(&[VERSION, 0]);
    bytes.extend_from_slice(&status.to_be_bytes());
    write_fields(&mut bytes, headers)?;
    write_fields(&mut bytes, trailers)?;
    bytes.extend_from_slice(&length(body.len())?);
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn write_fields<'a>(
    bytes: &mut Vec<u8>,
    fields: impl Iterator<Item = Field<'a>> + Clone,
) -> Result<(), WireError> {
    bytes.extend_from_slice(&length(fields.clone().count())?);
    for (name, value) in fields {
        bytes.extend_from_slice(&length(name.len())?);
        bytes.extend_from_slice(&length(value.len())?);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(value);
    }
    Ok(())
}

fn length(length: usize) -> Result<[u8; 4], WireError> {
    u32::try_from(length).map(u32::to_be_bytes).map_err(|_| WireError::Length)
}

impl<'a> Stored<'a> {
    /// Reads a response.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut rest = bytes;
        let [version, flags] = take(&mut rest)?;
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        if flags != 0 {
            return Err(WireError::Flags(flags));
        }
        let status = u16::from_be_bytes(take(&mut rest)?);
        let headers = Fields::read(&mut rest)?;
        let trailers = Fields::read(&mut rest)?;
        let length = u32::from_be_bytes(take(&mut rest)?);
        if rest.len() != length as usize {
            return Err(WireError::Length);
        }
        Ok(Self { status, headers, trailers, body: rest })
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The header fields, in their order.
    pub fn headers(self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.headers.iter()
    }

    /// The trailer fields, in their order.
    pub fn trailers(self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.trailers.iter()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

impl<'a> Fields<'a> {
    fn read(rest: &mut &'a [u8]) -> Result<Self, WireError> {
        let count = u32::from_be_bytes(take(rest)?);
        let bytes = *rest;
        for _ in 0..count {
            let [name, value] = [u32::from_be_bytes(take(rest)?), u32::from_be_bytes(take(rest)?)];
            split(rest, name)?;
            split(rest, value)?;
        }
        Ok(Self { count, bytes: &bytes[..bytes.len() - rest.len()] })
    }

    fn iter(self) -> impl Iterator<Item = Field<'a>> {
        let mut rest = self.bytes;
        (0..self.count).map_while(move |_| {
            let name = u32::from_be_bytes(take(&mut rest).ok()?);
            let value = u32::from_be_bytes(take(&mut rest).ok()?);
            Some((split(&mut rest, name).ok()?, split(&mut rest, value).ok()?))
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], WireError> {
    let (first, after) = rest.split_first_chunk().ok_or(WireError::Length)?;
    *rest = after;
    Ok(*first)
}

fn split<'a>(rest: &mut &'a [u8], length: u32) -> Result<&'a [u8], WireError> {
    let (first, after) = rest.split_at_checked(length as usize).ok_or(WireError::Length)?;
    *rest = after;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: [Field<'static>; 3] =
        [(b"content-type", b"text/plain"), (b"link", b"</a>"), (b"link", b"\xff\x00")];
    const TRAILERS: [Field<'static>; 1] = [(b"grpc-status", b"0")];

    fn written() -> Vec<u8> {
        write(201, HEADERS.into_iter(), TRAILERS.into_iter(), b"body").unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = written();
        let stored = Stored::read(&bytes).unwrap();
        assert_eq!(stored.status(), 201);
        assert_eq!(stored.headers().collect::<Vec<_>>(), HEADERS);
        assert_eq!(stored.trailers().collect::<Vec<_>>(), TRAILERS);
        assert_eq!(stored.body(), b"body");
        let empty = write(204, [].into_iter(), [].into_iter(), b"").unwrap();
        assert_eq!(empty, [1, 0, 0, 204, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_cut_off_or_longer_is_refused() {
        let mut bytes = written();
        for length in 0..bytes.len() {
            assert_eq!(Stored::read(&bytes[..length]).err(), Some(WireError::Length), "{length}");
        }
        bytes.push(0);
        assert_eq!(Stored::read(&bytes).err(), Some(WireError::Length));
    }

    #[test]
    fn other_versions_and_flags_are_refused() {
        let mut bytes = written();
        bytes[0] = 2;
        assert_eq!(Stored::read(&bytes).err(), Some(WireError::Version(2)));
        bytes[0] = 1;
        bytes[1] = 4;
        assert_eq!(Stored::read(&bytes).err(), Some(WireError::Flags(4)));
    }

    #[test]
    fn a_count_that_is_too_high_costs_no_memory() {
        let bytes = [1, 0, 0, 200, 255, 255, 255, 255];
        assert_eq!(Stored::read(&bytes).err(), Some(WireError::Length));
    }
}
