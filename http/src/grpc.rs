//! gRPC: its statuses, and the HTTP statuses that they stand for.
//!
//! Whether a call is kept is decided by its own status, for all of them are 200 to HTTP (H3): each counts as the
//! HTTP status that google.rpc.Code gives for it, so that one table of fates serves both.

/// Whether a media type is gRPC's.
pub(crate) fn is_grpc(media_type: &[u8]) -> bool {
    const NAME: &[u8] = b"application/grpc";
    media_type.get(..NAME.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(NAME))
        && !media_type.get(NAME.len()).is_some_and(u8::is_ascii_alphanumeric)
        && media_type.get(NAME.len()) != Some(&b'-')
}

/// The HTTP status that a gRPC status counts as; of what is not a known status, an internal error.
pub(crate) fn http_status(grpc_status: &[u8]) -> u16 {
    match grpc_status {
        b"0" => 200,
        b"1" => 499,
        b"3" | b"9" | b"11" => 400,
        b"4" => 504,
        b"5" => 404,
        b"6" | b"10" => 409,
        b"7" => 403,
        b"8" => 429,
        b"12" => 501,
        b"14" => 503,
        b"16" => 401,
        _ => 500,
    }
}

/// The gRPC status of a refusal, by its HTTP status.
pub(crate) fn status_of_refusal(status: u16) -> &'static str {
    match status {
        400 => "3",
        409 => "10",
        413 | 429 => "8",
        422 => "9",
        503 => "14",
        _ => "2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h3_media_types_of_grpc() {
        for (media_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/gRPC;x=1", true),
            ("application/grpc-web", false),
            ("application/grpcs", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(media_type.as_bytes()), expected, "{media_type}");
        }
    }
}
