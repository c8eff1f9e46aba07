//! What can go wrong, sorted by fault: the peer's (`Violation`), the caller's (`SendError`), and how
//! calls and connections end (`CallError`, `CloseReason`).

mod call;
mod close;
mod expired;
mod http;
mod object;
mod send;
mod violation;

pub use call::CallError;
pub use close::CloseReason;
pub use expired::{Expired, Limit};
pub use http::HttpError;
pub use object::ErrorObject;
pub use send::SendError;
pub use violation::Violation;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::EncodeError;
    use alloc::string::ToString;

    #[test]
    fn what_an_error_stands_for_is_its_source() {
        use core::error::Error;
        fn root(error: &dyn Error) -> Option<alloc::string::String> {
            let source = error.source()?;
            root(source).or_else(|| Some(source.to_string()))
        }
        let encode = EncodeError::not_an_object();
        let unsaid = CallError::Send(SendError::Encode(encode.clone()));
        assert_eq!(root(&unsaid), Some(encode.to_string()));
        let refused = CloseReason::HandshakeRefused(ErrorObject::new(7, "no"));
        let said = ErrorObject::new(7, "no").to_string();
        assert_eq!(root(&CallError::Closed(refused)), Some(said.clone()));
        assert_eq!(root(&CallError::Peer(ErrorObject::new(7, "no"))), Some(said));
        assert_eq!(root(&CallError::Cancelled), None);
    }

    #[test]
    fn what_a_peer_says_is_shown_on_one_short_line() {
        let error = ErrorObject::new(-32000, "no\n\u{1b}[31msuch\u{9b}é \"tool\"");
        assert_eq!(error.to_string(), "no\\n\\u{1b}[31msuch\\u{9b}é \"tool\" (code -32000)");
        let long = ErrorObject::new(1, "é".repeat(100_000)).to_string();
        assert_eq!(long, "é".repeat(512) + "… (code 1)");
    }
}
