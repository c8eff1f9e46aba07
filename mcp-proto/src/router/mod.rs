//! Tools as functions.
