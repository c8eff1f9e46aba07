//! Where a client connects to, and the headers that it is given for that.

use ::http::{HeaderName, HeaderValue, Uri};

use crate::ConnectError;

/// A URL of one of these schemes that leads somewhere. One with a user in it does not: whoever wants to be somebody there
/// says so in a header.
pub(crate) fn url(text: &str, schemes: &[&str]) -> Result<Uri, ConnectError> {
    let url: Uri = text.parse().map_err(|_| ConnectError::Url)?;
    let is_known = url.scheme_str().is_some_and(|scheme| schemes.contains(&scheme));
    let leads =
        url.authority().is_some_and(|at| !at.as_str().contains('@') && !at.host().is_empty());
    if is_known && leads { Ok(url) } else { Err(ConnectError::Url) }
}

/// A header that is one, unless `is_own` says that the protocol sets it. Its value is never shown.
pub(crate) fn header(
    name: &str,
    value: &str,
    is_own: impl FnOnce(&HeaderName) -> bool,
) -> Result<(HeaderName, HeaderValue), ConnectError> {
    let wrong = || ConnectError::Header(name.to_owned());
    let key = HeaderName::try_from(name).map_err(|_| wrong())?;
    let mut value = HeaderValue::try_from(value).map_err(|_| wrong())?;
    if is_own(&key) {
        return Err(wrong());
    }
    value.set_sensitive(true);
    Ok((key, value))
}
