//! Calls whose headers a server found wrong: the list of tools is asked for anew, and they are said once more.
//!
//! A tool that was called without having been listed, or whose schema has changed. SHOULD; 2026-07-28
//! `basic/transports/streamable-http`, custom headers.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::exchange::Aim;
use super::{Client, Exchange};
use crate::endpoint::Carries;
use crate::json::RawJson;
use crate::time::Instant;
use crate::wire::{Message, read_message};

/// What waits for the list.
#[derive(Clone, Debug, Default)]
pub(super) struct Refresh {
    waiting: Vec<Refused>,
    /// The call that asks for a page of it.
    pub(super) call: Option<i64>,
    pages: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Refused {
    number: i64,
    message: Bytes,
    /// What the call ends with if there is no list.
    refusal: Bytes,
}

/// Pages of a list. Stops a list without end.
const MAX_PAGES: u32 = 64;

impl Client {
    /// The headers of this call are not what the server expects.
    pub(super) fn refresh(&mut self, number: i64, message: Bytes, refusal: Bytes, now: Instant) {
        self.refresh.waiting.push(Refused { number, message, refusal });
        if self.refresh.call.is_none() {
            self.refresh.pages = 0;
            self.ask_for_page(None, now);
        }
    }

    fn ask_for_page(&mut self, cursor: Option<String>, now: Instant) {
        self.refresh.call = self.endpoint.core_mut().list_tools(cursor, now);
        if self.refresh.call.is_none() {
            self.end_refresh(false, now);
        }
    }

    /// The page in an answer to the call that asks for one.
    pub(super) fn page_in(&self, number: Option<i64>, frame: &Bytes) -> Option<RawJson> {
        number.filter(|number| self.refresh.call == Some(*number))?;
        let core = self.endpoint.core();
        match read_message(frame, core.limits(), core.tolerance()).ok()? {
            Message::Response { outcome: Ok(result), .. } => Some(RawJson::slice_of(frame, result)),
            _ => None,
        }
    }

    /// A page has come.
    pub(super) fn turn_page(&mut self, page: RawJson, now: Instant) {
        let is_first = self.refresh.pages == 0;
        // What is wrong with tools is told when the application asks for them.
        let (page, _) = self.tools.learn(page, is_first, &self.options);
        self.refresh.pages += 1;
        let cursor = page.get("nextCursor").and_then(|cursor| Some(cursor.as_str()?.into_owned()));
        match cursor.filter(|_| self.refresh.pages < MAX_PAGES) {
            Some(cursor) => self.ask_for_page(Some(cursor), now),
            None => self.end_refresh(true, now),
        }
    }

    /// The list is known, or will not be.
    pub(super) fn end_refresh(&mut self, is_known: bool, now: Instant) {
        self.refresh.call = None;
        for Refused { number, message, refusal } in core::mem::take(&mut self.refresh.waiting) {
            if !self.endpoint.core().has_call(number) {
                continue; // given up meanwhile
            }
            if is_known {
                if let Some(exchange) = self.post(Aim::Call(number, None), message) {
                    self.accept_refusal(exchange);
                }
            } else {
                let core = self.endpoint.core_mut();
                core.handle_message_on(Carries::Only(number), refusal, now);
            }
        }
    }

    /// What this exchange is answered with is final.
    pub(super) fn accept_refusal(&mut self, exchange: Exchange) {
        if let Some(entry) = self.exchanges.get_mut(&exchange) {
            entry.message = None;
        }
    }
}
