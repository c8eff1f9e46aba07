//! Whether what was seen is one of the reactions that are acceptable.

use std::cell::OnceCell;

use serde_json::Value;

use super::message::{Fed, Kind, Sent, cut, numerically_equal, same_id};
use super::observed::{Handled, Observed};
use super::reaction::{Delivered, Reaction, Reply, Report, Values};

/// A case after it was run.
pub struct Judge<'a> {
    /// What was seen.
    pub seen: &'a Observed,
    input: &'a [u8],
    fed: OnceCell<Vec<Fed>>,
}

/// Why a reaction is not the one that was seen.
type Verdict = Result<(), String>;

/// Reports that are still few for a storm.
const FEW: usize = 1000;

/// Which responses belong to a reaction that was judged already.
struct Claims(Vec<bool>);

fn check(holds: bool, why: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(why()) }
}

impl<'a> Judge<'a> {
    /// Judges what was seen of an engine that was fed `input`.
    pub fn new(input: &'a [u8], seen: &'a Observed) -> Self {
        Self { seen, input, fed: OnceCell::new() }
    }

    /// What was fed in. Taken apart only if somebody wants to know.
    pub fn fed(&self) -> &[Fed] {
        self.fed.get_or_init(|| Fed::all(self.input))
    }

    /// Whether `reaction` was seen in full, and nothing beside it that asks for an explanation.
    ///
    /// # Errors
    ///
    /// What is missing or too much.
    pub fn judge(&self, reaction: &Reaction) -> Verdict {
        let mut claims = Claims(vec![false; self.seen.sent.len()]);
        let mut parts = match reaction {
            Reaction::All { of } => of.iter().collect(),
            single => vec![single],
        };
        // What names its message comes first: what does not takes the rest.
        parts.sort_by_key(|part| match part {
            Reaction::Reply(reply) => {
                if reply.of.is_some() {
                    0
                } else {
                    1
                }
            }
            Reaction::Silent { of: None, .. } => 3,
            _ => 2,
        });
        let is_alone = parts.len() == 1;
        for part in &parts {
            self.part(part, &mut claims, is_alone)?;
        }
        let has_extra =
            |part: &&Reaction| matches!(part, Reaction::Reply(reply) if reply.extra.is_some());
        let allows_extra = parts.iter().any(has_extra);
        let allows = |extra: &Sent| {
            allows_extra && extra.is_anonymous() && matches!(extra.code(), Some(-32700 | -32600))
        };
        let unexpected = self.unclaimed(&claims).find(|(_, sent)| !allows(sent));
        check(unexpected.is_none(), || {
            format!("an answer too many: {}", cut(&unexpected.expect("one").1.text))
        })
    }

    fn part(&self, reaction: &Reaction, claims: &mut Claims, is_alone: bool) -> Verdict {
        let seen = self.seen;
        match reaction {
            Reaction::All { .. } => Err("all within all".to_owned()),
            Reaction::Reply(reply) => self.reply(reply, claims),
            Reaction::ReplyEach { count, result, error, output } => {
                check(output.as_deref().is_none_or(|output| output == "bounded"), || {
                    "an unknown output".to_owned()
                })?;
                self.reply_each(*count, claims, |sent| {
                    (*result && sent.is_result()) || (error.is_some() && sent.code() == *error)
                })
            }
            Reaction::ReplyBatch { ids, result, mixed, .. } => {
                self.reply_batch(ids, *result, mixed, claims)
            }
            Reaction::Silent { of, pending, report } => {
                match of {
                    Some(of) => {
                        let answered = self.targets(Some(of)).into_iter().any(|fed| {
                            seen.sent.iter().any(|sent| {
                                sent.is_response() && sent.id().is_some_and(|id| fed.is(&id))
                            })
                        });
                        check(!answered, || format!("{of} was answered"))?;
                    }
                    None if is_alone => check(seen.sent.is_empty(), || "not silent".to_owned())?,
                    None => {}
                }
                self.pending(pending)?;
                let reported = seen.violated;
                check(
                    match report {
                        Report::May | Report::Should => true,
                        Report::Must => reported > 0,
                        Report::RateLimited => (1..=FEW).contains(&reported),
                    },
                    || format!("{reported} reports instead of {report:?}"),
                )
            }
            Reaction::Deliver { kind: Delivered::Notification, method } => {
                let is_it = seen.notified == 1 && seen.notifications == [method.as_str()];
                check(is_it, || format!("{method} was not delivered once"))
            }
            Reaction::Deliver { kind: Delivered::Request, method } => {
                let times = seen.handled.iter().filter(|handled| handled.method == *method).count();
                // Its handler answers it.
                self.unclaimed(claims)
                    .map(|(at, _)| at)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|at| claims.0[at] = true);
                check(times == 1, || format!("{method} was delivered {times} times"))
            }
            Reaction::Complete { call, with, value, value_from, .. } => {
                let endings: Vec<_> =
                    seen.endings.iter().filter(|ending| ending.call == *call).collect();
                let [ending] = endings[..] else {
                    return Err(format!("{call} ended {} times", endings.len()));
                };
                let is_one = ending.names.iter().any(|name| with.iter().any(|with| with == name));
                check(is_one, || format!("{call} ended with {:?}", ending.names))?;
                check(value.is_none() || ending.value == *value, || {
                    format!("{call} got {:?}", ending.value)
                })?;
                match value_from.as_deref() {
                    None => Ok(()),
                    Some("first") => {
                        let is_first = ending.value.as_ref().is_some_and(|value| value["v"] == 1);
                        check(is_first, || format!("{call} got {:?}", ending.value))
                    }
                    Some(other) => Err(format!("an unknown origin: {other}")),
                }
            }
            Reaction::Progress { call, values, total, pending } => {
                let reports: Vec<_> =
                    seen.reports.iter().filter(|report| report.call == *call).collect();
                let told: Vec<f64> = reports.iter().map(|report| report.progress).collect();
                let is_one = match values {
                    Values::These(values) => values.contains(&told),
                    Values::Any(_) => true,
                };
                check(is_one, || format!("the application saw {told:?}"))?;
                let last = reports.last().and_then(|report| report.total);
                check(total.is_none() || last == *total, || format!("of {last:?}"))?;
                self.pending(pending)
            }
            Reaction::ProgressMulti(calls) => calls.iter().try_for_each(|(call, values)| {
                let told = seen
                    .reports
                    .iter()
                    .filter(|report| report.call == *call)
                    .map(|report| report.progress);
                let told: Vec<f64> = told.collect();
                let wanted: Vec<f64> =
                    values.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
                check(told == wanted, || format!("{call} saw {told:?}"))
            }),
            Reaction::Cancelled { id, pending, .. } => {
                let handled = self.handled(id)?;
                check(handled.cancelled == 1, || {
                    format!("{id} was cancelled {} times", handled.cancelled)
                })?;
                let answered = self.answers(&id.to_string());
                check(answered == 0, || format!("{id} was answered"))?;
                self.pending(pending)
            }
            Reaction::StillRunning { ids } => ids.iter().try_for_each(|id| {
                let handled = self.handled(id)?;
                check(handled.is_running() && self.answers(&id.to_string()) == 0, || {
                    format!("{id} does not run")
                })
            }),
            // What is cancelled before its handler could begin never reaches it.
            Reaction::AllCancelled { .. } => {
                let odd = seen.handled.iter().find(|handled| handled.cancelled != 1);
                check(odd.is_none(), || format!("not cancelled once: {odd:?}"))?;
                check(!seen.handled.is_empty(), || "no handler ran".to_owned())
            }
            Reaction::BothProcessed => {
                let first = seen.handled.iter().any(Handled::is_running);
                self.reply(
                    &Reply { result: true, id: vec!["echo".to_owned()], ..Reply::default() },
                    claims,
                )?;
                check(first, || "the first does not run".to_owned())
            }
            Reaction::Close => check(seen.closed.is_some(), || "not closed".to_owned()),
            Reaction::FallbackInitialize => {
                let falls_back = seen.sent.iter().any(|sent| sent.method() == Some("initialize"));
                check(falls_back, || "no initialize".to_owned())
            }
            Reaction::Backpressure { n } => {
                check(seen.refused_input, || "all input was taken".to_owned())?;
                let running = self.running();
                check(n.is_none_or(|n| running == n), || format!("{running} run"))
            }
            Reaction::FirstNRunRestRefused { n, .. } => {
                let running = self.running();
                check(running == *n, || format!("{running} run"))?;
                let requests: Vec<_> =
                    self.fed().iter().filter(|fed| fed.kind == Kind::Request).collect();
                self.reply_each(requests.len().saturating_sub(*n), claims, |sent| {
                    sent.code().is_some()
                })
            }
            Reaction::EventsCoalesced => {
                check(seen.notified <= 1, || format!("{} events", seen.notified))
            }
            Reaction::EventsBounded => {
                let (used, bound) = seen.memory.unwrap_or_default();
                check(used <= bound, || format!("{used} bytes"))?;
                let fault = seen.flood.and_then(|flood| flood.fault());
                fault.map_or(Ok(()), Err)
            }
        }
    }

    /// The messages that a reaction is about.
    fn targets(&self, of: Option<&str>) -> Vec<&Fed> {
        let can_be_answered = |fed: &&Fed| matches!(fed.kind, Kind::Request | Kind::Unreadable);
        match of {
            // In one case the first message is in the starting state.
            None | Some("second") => self.fed().iter().filter(can_be_answered).collect(),
            Some(id) => self.fed().iter().filter(|fed| fed.is(id)).collect(),
        }
    }

    fn unclaimed<'b>(&'b self, claims: &'b Claims) -> impl Iterator<Item = (usize, &'a Sent)> + 'b {
        let sent = self.seen.sent.iter().enumerate();
        sent.filter(|(at, sent)| sent.is_response() && !claims.0[*at])
    }

    fn reply(&self, reply: &Reply, claims: &mut Claims) -> Verdict {
        let targets = self.targets(reply.of.as_deref());
        // A batch may be refused as a whole.
        let lines = targets.iter().any(|fed| fed.line != targets[0].line);
        let is_of_many = lines && reply.of.is_none() && !claims.0.contains(&true);
        if reply.count.is_some() || is_of_many {
            return self.reply_to_each(reply, &targets, claims);
        }
        let target = targets.first().copied();
        let fits = |sent: &Sent| reply.id.iter().any(|id| self.is_id(sent, id, target));
        let mut fitting = self.unclaimed(claims).filter(|(_, sent)| fits(sent));
        let Some((at, sent)) = fitting.next() else {
            return Err("no answer with such an id".to_owned());
        };
        if reply.of.is_none() || !reply.id.iter().any(|id| id == "unreadable") {
            check(fitting.next().is_none(), || "more than one answer".to_owned())?;
        }
        drop(fitting);
        claims.0[at] = true;
        self.content(reply, sent, target)
    }

    /// One such answer to each message, or at most so many to none in particular.
    fn reply_to_each(&self, reply: &Reply, targets: &[&Fed], claims: &mut Claims) -> Verdict {
        let answers: Vec<_> = self.unclaimed(claims).collect();
        match reply.count.as_deref() {
            None => check(answers.len() == targets.len(), || {
                format!("{} answers to {} messages", answers.len(), targets.len())
            })?,
            Some(count) => {
                let most = count.strip_prefix("<=").and_then(|most| most.parse().ok());
                let most: usize = most.ok_or_else(|| format!("an unknown count: {count}"))?;
                check((1..=most).contains(&answers.len()), || {
                    format!("{} answers", answers.len())
                })?;
            }
        }
        for (n, (at, sent)) in answers.into_iter().enumerate() {
            let target = targets.get(n).copied();
            check(reply.id.iter().any(|id| self.is_id(sent, id, target)), || {
                format!("the id of {}", cut(&sent.text))
            })?;
            self.content(reply, sent, target)?;
            claims.0[at] = true;
        }
        Ok(())
    }

    /// So many answers, each with the id of another request and each of that kind.
    fn reply_each(
        &self,
        count: usize,
        claims: &mut Claims,
        is_kind: impl Fn(&Sent) -> bool,
    ) -> Verdict {
        let answers: Vec<_> = self.unclaimed(claims).collect();
        check(answers.len() == count, || format!("{} answers instead of {count}", answers.len()))?;
        let mut ids = Vec::with_capacity(count);
        for (at, sent) in answers {
            check(is_kind(sent), || format!("not such an answer: {}", cut(&sent.text)))?;
            ids.push(sent.id().ok_or("an answer without id")?);
            claims.0[at] = true;
        }
        let mut asked: Vec<_> = self
            .fed()
            .iter()
            .filter(|fed| fed.kind == Kind::Request)
            .flat_map(|fed| &fed.ids)
            .collect();
        asked.sort_unstable();
        ids.sort_unstable();
        let mut asked = asked.into_iter();
        // Both are sorted, so each id of an answer is found behind the one before.
        check(ids.iter().all(|id| asked.any(|asked| asked == id)), || {
            "an id was answered twice".to_owned()
        })
    }

    fn reply_batch(
        &self,
        ids: &[Value],
        result: bool,
        mixed: &std::collections::BTreeMap<String, Value>,
        claims: &mut Claims,
    ) -> Verdict {
        let answers: Vec<_> = self.unclaimed(claims).collect();
        let first = answers.first().and_then(|(_, sent)| sent.batch);
        let is_one = first.is_some() && answers.iter().all(|(_, sent)| sent.batch == first);
        check(is_one, || "not one batch".to_owned())?;
        let wanted: Vec<(String, Option<Value>)> = match (ids, mixed.len()) {
            ([], 0) => {
                self.fed().iter().flat_map(|fed| &fed.ids).map(|id| (id.clone(), None)).collect()
            }
            ([], _) => mixed.iter().map(|(id, kind)| (id.clone(), Some(kind.clone()))).collect(),
            (ids, _) => {
                ids.iter().map(|id| (id.to_string(), result.then(|| "result".into()))).collect()
            }
        };
        check(answers.len() == wanted.len(), || format!("{} answers in the batch", answers.len()))?;
        for (id, kind) in wanted {
            let found = answers.iter().find(|(at, sent)| {
                let is_it = match id.as_str() {
                    "unreadable" => sent.is_anonymous(),
                    id => sent.id().is_some_and(|own| same_id(&own, id)),
                };
                is_it && !claims.0[*at]
            });
            let Some((at, sent)) = found else { return Err(format!("{id} is not answered")) };
            claims.0[*at] = true;
            check(
                match kind {
                    None => true,
                    Some(Value::String(_)) => sent.is_result(),
                    Some(code) => code.as_i64() == sent.code(),
                },
                || format!("the answer to {id} is {}", cut(&sent.text)),
            )?;
        }
        Ok(())
    }

    fn is_id(&self, sent: &Sent, wanted: &str, target: Option<&Fed>) -> bool {
        let id = sent.id().filter(|id| id != "null");
        let asked = target.map(|fed| &fed.ids[..]).unwrap_or_default();
        let is = |asked: Option<&String>| matches!((asked, &id), (Some(asked), Some(id)) if same_id(asked, id));
        match wanted {
            "unreadable" => sent.is_anonymous(),
            "echo" | "exact" => asked.len() == 1 && is(asked.first()),
            "first" => is(asked.first()),
            "last" => is(asked.last()),
            "numerically_equal" => {
                matches!((asked, &id), ([asked], Some(id)) if numerically_equal(asked, id))
            }
            literal => id.as_ref().is_some_and(|id| same_id(id, literal)),
        }
    }

    fn content(&self, reply: &Reply, sent: &Sent, target: Option<&Fed>) -> Verdict {
        let fits = match (&reply.error, reply.result || reply.either) {
            (_, true) if sent.is_result() => true,
            (Some(codes), _) => sent.code().is_some_and(|code| codes.contain(code)),
            _ => reply.either && sent.code().is_some(),
        };
        check(fits, || format!("it is {}", cut(&sent.text)))?;
        for (name, wanted) in &reply.result_has {
            let value = &sent.json["result"][name];
            let fits = match wanted.as_str() {
                Some("array") => value.is_array(),
                Some("one the server supports") => {
                    value.as_str().and_then(mcp_proto::Revision::parse).is_some()
                }
                _ => value == wanted,
            };
            check(fits, || format!("{name} is {value}"))?;
        }
        let data = &sent.json["error"]["data"];
        let missing = reply.data_has.iter().find(|name| data.get(name).is_none());
        check(missing.is_none(), || format!("the data {data} lacks {missing:?}"))?;
        let text = sent.result_text().unwrap_or_default();
        check(reply.result_text.as_deref().is_none_or(|wanted| text == wanted), || {
            format!("it says {}", cut(text))
        })?;
        check(reply.number_text.as_deref().is_none_or(|digits| text.contains(digits)), || {
            format!("it says {}", cut(text))
        })?;
        if let Some(wanted) = &reply.args_equal {
            let value: Option<Value> = serde_json::from_str(text).ok();
            check(value.as_ref() == Some(wanted), || {
                format!("the arguments became {}", cut(text))
            })?;
        }
        let told = || {
            let sent = self.seen.sent.iter();
            sent.filter(|sent| sent.method() == Some("notifications/progress"))
        };
        match reply.progress.as_deref() {
            None => {}
            Some("none") => check(told().next().is_none(), || "it reported progress".to_owned())?,
            Some(other) => return Err(format!("unknown progress: {other}")),
        }
        match reply.progress_token.as_deref() {
            None => {}
            Some("exact") => {
                let asked =
                    target.and_then(|fed| fed.token.as_deref()).ok_or("no token was asked for")?;
                let bears = |told: &Sent| {
                    let raw = mcp_proto::json::Raw::parse(told.text.as_bytes(), 128).ok();
                    let token = raw.and_then(|raw| raw.get("params")?.get("progressToken"));
                    token.is_some_and(|token| {
                        same_id(&String::from_utf8_lossy(token.as_bytes()), asked)
                    })
                };
                check(told().next().is_some() && told().all(bears), || {
                    "the token of its progress".to_owned()
                })?;
            }
            Some(other) => return Err(format!("an unknown token: {other}")),
        }
        match reply.shape.as_deref() {
            None => {}
            Some("single object") => check(sent.batch.is_none(), || "it is in a batch".to_owned())?,
            Some(other) => return Err(format!("an unknown shape: {other}")),
        }
        match reply.message_should.as_deref() {
            None => {}
            Some("name supported versions") => {
                let error = sent.json["error"].to_string();
                check(error.contains(mcp_proto::Revision::LATEST.as_str()), || {
                    "it names no version".to_owned()
                })?;
            }
            Some(other) => return Err(format!("an unknown message: {other}")),
        }
        self.pending(&reply.pending)
    }

    fn pending(&self, calls: &[String]) -> Verdict {
        let ended = calls.iter().find(|call| !self.seen.pending.contains(call));
        check(ended.is_none(), || format!("{} is no longer running", ended.expect("one")))
    }

    fn handled(&self, id: &Value) -> Result<&'a Handled, String> {
        let wanted = match id {
            Value::String(text) => text.as_str().into(),
            number => number.as_i64().unwrap_or_default().into(),
        };
        self.seen
            .handled
            .iter()
            .find(|handled| handled.id == wanted)
            .ok_or_else(|| format!("{id} was not handled"))
    }

    fn answers(&self, id: &str) -> usize {
        let bears =
            |sent: &&Sent| sent.is_response() && sent.id().is_some_and(|own| same_id(&own, id));
        self.seen.sent.iter().filter(bears).count()
    }

    fn running(&self) -> usize {
        self.seen.handled.iter().filter(|handled| handled.is_running()).count()
    }
}
