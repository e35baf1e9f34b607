//! Replay: gives a fresh replica the inputs of a trace, and compares its effects with the recorded
//! ones.

use std::fmt;
use std::io::BufRead;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::effect::Effect;
use super::event::{Ending, Event};
use super::reader::{Reader, TraceError};
use super::{Header, clipped};
use crate::protocol::{Message, NodeId, Operation, Request, Response};
use crate::replica::{Effects, Persist, Replica, ReplicaSpec, RequestId, Timer};

/// What came of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// What the trace says of itself.
    pub header: Header,
    /// How many inputs the replica was given.
    pub inputs: u64,
    /// How many effects were compared.
    pub effects: u64,
    /// How the trace ends, as far as it was read.
    pub ending: Ending,
    /// The first difference, after which nothing was replayed.
    pub difference: Option<Difference>,
}

/// An effect that is not the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which input it came of, from 1.
    pub record: u64,
    /// The input, in words.
    pub input: String,
    /// Which of its effects, from 1.
    pub effect: usize,
    /// What was recorded, in words; none when the replica had no such effect.
    pub recorded: Option<String>,
    /// What the replay did, in words; none when it had no such effect.
    pub replayed: Option<String>,
}

/// Gives a fresh replica everything that a trace holds, up to the first difference. `adapt` may
/// change what the replica is made from, to take a planted bug out of it.
///
/// # Errors
/// When the trace cannot be read or is damaged. That it is cut short is no error: see
/// [`Replayed::ending`].
pub fn replay(
    trace: impl BufRead,
    adapt: impl FnOnce(&mut ReplicaSpec),
) -> Result<Replayed, TraceError> {
    let mut reader = Reader::new(trace)?;
    let mut spec = reader.header().spec.clone();
    adapt(&mut spec);
    let mut replica = Replica::new(&spec);
    let mut scratch = Vec::new();
    let (mut inputs, mut effects) = (0, 0);
    let mut difference = None;
    while let Some(record) = reader.next()? {
        let (event, recorded) = record.decode()?;
        let mut comparison = Comparison::new(recorded, &mut scratch);
        let given = catch_unwind(AssertUnwindSafe(|| {
            give(&mut replica, event, &mut comparison);
        }));
        if given.is_err() {
            comparison.differs(Some("panics".to_owned()));
        }
        comparison.end();
        inputs += 1;
        effects += comparison.effects as u64;
        if comparison.damaged {
            return Err(TraceError::Damaged {
                record: record.number,
                reason: "an effect of it does not decode",
            });
        }
        if let Some(found) = comparison.difference {
            let (event, _) = record.decode()?;
            difference = Some(Difference {
                record: record.number,
                input: event.to_string(),
                ..found
            });
            break;
        }
    }
    Ok(Replayed {
        header: reader.header().clone(),
        inputs,
        effects,
        ending: reader.ending(),
        difference,
    })
}

/// Calls what the event says.
fn give<E: Effects>(replica: &mut Replica, event: Event<'_>, out: &mut E) {
    match event {
        Event::Start => replica.start(out),
        Event::Recover => replica.recover(),
        Event::Restore(change) => replica.restore(&change),
        Event::Request {
            id,
            key,
            value,
            context,
            call,
            given,
        } => {
            let request = Request {
                key: key.0,
                operation: value.map_or(Operation::Get, |value| Operation::Put { value: value.0 }),
                context: &context,
                call,
            };
            replica.handle_request(id, &request, &given.input(), out);
        }
        Event::CompareAndSet {
            id,
            key,
            expected,
            value,
            context,
            call,
            given,
        } => {
            let request = Request {
                key: key.0,
                operation: Operation::Cas {
                    expected: expected.map(|expected| expected.0),
                    value: value.0,
                },
                context: &context,
                call,
            };
            replica.handle_request(id, &request, &given.input(), out);
        }
        Event::Message {
            from,
            message,
            given,
        } => replica.handle_message(from, message.into_owned(), &given.input(), out),
        Event::Timer { timer, given } => replica.handle_timer(timer, &given.input(), out),
        Event::End { .. } => unreachable!("the reader keeps the end to itself"),
    }
}

/// Compares effects, as they come, with the recorded ones of the same input.
struct Comparison<'a> {
    /// Those to come.
    recorded: &'a [u8],
    scratch: &'a mut Vec<u8>,
    effects: usize,
    difference: Option<Difference>,
    /// Whether a recorded effect does not decode.
    damaged: bool,
}

impl<'a> Comparison<'a> {
    const fn new(recorded: &'a [u8], scratch: &'a mut Vec<u8>) -> Self {
        Self {
            recorded,
            scratch,
            effects: 0,
            difference: None,
            damaged: false,
        }
    }

    /// The next recorded effect.
    fn next(&mut self) -> Option<Effect> {
        if self.recorded.is_empty() {
            return None;
        }
        match postcard::take_from_bytes(self.recorded) {
            Ok((effect, rest)) => {
                self.recorded = rest;
                Some(effect)
            }
            Err(_) => {
                self.recorded = &[];
                self.damaged = true;
                None
            }
        }
    }

    /// Compares one effect; `in_full` says more of it than it does itself.
    fn compare(&mut self, effect: &Effect, in_full: impl FnOnce() -> String) {
        if self.difference.is_some() {
            return;
        }
        let recorded = self.next();
        self.effects += 1;
        if recorded.as_ref() != Some(effect) {
            let replayed = format!("{effect}{}", clipped(in_full()));
            self.found(recorded.as_ref(), Some(replayed));
        }
    }

    /// The replay did something else than the next recorded effect.
    fn differs(&mut self, replayed: Option<String>) {
        if self.difference.is_none() {
            let recorded = self.next();
            self.effects += 1;
            self.found(recorded.as_ref(), replayed);
        }
    }

    fn found(&mut self, recorded: Option<&Effect>, replayed: Option<String>) {
        self.difference = Some(Difference {
            record: 0,
            input: String::new(),
            effect: self.effects,
            recorded: recorded.map(ToString::to_string),
            replayed,
        });
    }

    /// The input was handled: no recorded effect may be left.
    fn end(&mut self) {
        if !self.recorded.is_empty() {
            self.differs(None);
        }
    }
}

impl Effects for Comparison<'_> {
    fn persist(&mut self, change: &Persist<'_>) {
        let effect = Effect::persist(change, self.scratch);
        self.compare(&effect, || format!(": {change:?}"));
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        let effect = Effect::reply(to, response, self.scratch);
        self.compare(&effect, || format!(": {response:?}"));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        let effect = Effect::send(to, &message, self.scratch);
        self.compare(&effect, || format!(": {:?}", message.body));
    }

    fn set_timer(&mut self, timer: Timer, delay_ms: u64) {
        self.compare(&Effect::Timer { timer, delay_ms }, String::new);
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nothing = "nothing";
        writeln!(f, "  input {}: {}", self.record, self.input)?;
        let recorded = self.recorded.as_deref().unwrap_or(nothing);
        writeln!(f, "  its effect {} when it ran: {recorded}", self.effect)?;
        let replayed = self.replayed.as_deref().unwrap_or(nothing);
        write!(f, "  in the replay: {replayed}")
    }
}
