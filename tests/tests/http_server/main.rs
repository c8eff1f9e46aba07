//! A server on HTTP, requirement by requirement. The numbers are those of the specification's map.

mod access;
mod asking;
mod ended;
mod full;
mod http_sse;
mod leaving;
mod limits;
mod modern;
mod moving;
mod refusals;
mod resumption;
mod sessions;
mod stopping;
mod streams;
