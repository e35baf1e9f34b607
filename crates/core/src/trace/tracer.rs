//! Recording: a replica whose inputs and effects go into a trace on their way.

use std::io::{self, Write};

use super::effect::Effect;
use super::event::{Ending, Event};
use super::{Header, MAGIC, PREFIX_BYTES, RECORD_BYTES_MAX, SCHEMA_VERSION, checksum};
use crate::protocol::{Message, NodeId, Request, Response};
use crate::replica::{Effects, Input, Persist, Replica, ReplicaSpec, RequestId, Timer};

/// The trace is written when this many bytes have gathered. So memory holds no more of it, except
/// for one record.
const GATHERED_BYTES_MAX: usize = 256 << 10;

/// Why a trace does not go on. The replica does.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// It could not be written.
    #[error("the trace cannot be written and ends here: {0}")]
    Write(#[from] io::Error),
    /// It has become as large as it may.
    #[error("the trace has reached its limit of {0} bytes and ends here")]
    Limit(u64),
}

/// Writes the inputs and effects of one replica.
///
/// For each input: [`Tracer::begin`], the replica's `handle_*` with [`Tracer::tee`] for its
/// effects, [`Tracer::end`]. [`TracedReplica`] does so.
#[derive(Debug)]
pub struct Tracer<W> {
    out: W,
    /// Records that are not written yet.
    gathered: Vec<u8>,
    /// Where the record that is being made starts in `gathered`.
    begun: usize,
    scratch: Vec<u8>,
    events: u64,
    /// Bytes of all whole records, written or not.
    bytes: u64,
    bytes_max: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Recording,
    /// Nothing is recorded any more, for a reason that nobody was told yet.
    Stopped(Stopped),
    Ended,
}

impl<W: Write> Tracer<W> {
    /// Starts a trace of the replica that `header` describes, which ends by itself before the input
    /// that would take it beyond `bytes_max` bytes.
    ///
    /// # Errors
    /// When its header cannot be written.
    pub fn new(mut out: W, header: &Header, bytes_max: u64) -> io::Result<Self> {
        let mut start = format!("{MAGIC}{SCHEMA_VERSION}\n").into_bytes();
        let begun = start.len();
        start.extend_from_slice(&[0; PREFIX_BYTES]);
        serde_json::to_writer(&mut start, header)?;
        seal(&mut start[begun..]);
        out.write_all(&start)?;
        Ok(Self {
            out,
            gathered: Vec::with_capacity(GATHERED_BYTES_MAX),
            begun: 0,
            scratch: Vec::new(),
            events: 0,
            bytes: start.len() as u64,
            bytes_max,
            state: State::Recording,
        })
    }

    /// Whether what comes is recorded.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        matches!(self.state, State::Recording)
    }

    /// An input is about to be handled.
    ///
    /// # Panics
    /// When nothing is recorded any more.
    pub fn begin(&mut self, event: &Event<'_>) {
        assert!(self.is_recording(), "the host asks before it records");
        self.begun = self.gathered.len();
        self.gathered.extend_from_slice(&[0; PREFIX_BYTES]);
        append(event, &mut self.gathered);
    }

    /// Where the effects of that input go: to `out`, and in short into the trace.
    pub const fn tee<'a, E: Effects>(&'a mut self, out: &'a mut E) -> Tee<'a, E> {
        Tee {
            out,
            record: &mut self.gathered,
            scratch: &mut self.scratch,
        }
    }

    /// The input was handled.
    pub fn end(&mut self) {
        let record = &mut self.gathered[self.begun..];
        let bytes = self.bytes + record.len() as u64;
        if bytes > self.bytes_max || record.len() > RECORD_BYTES_MAX {
            self.gathered.truncate(self.begun);
            self.close(Ending::Limit);
            if self.is_recording() {
                self.state = State::Stopped(Stopped::Limit(self.bytes_max));
            }
            return;
        }
        seal(record);
        self.bytes = bytes;
        self.events += 1;
        if self.gathered.len() >= GATHERED_BYTES_MAX {
            self.write();
        }
    }

    /// Hands over what has gathered, and says, once, that the trace does not go on.
    ///
    /// # Errors
    /// When it has stopped since this was asked last.
    pub fn flush(&mut self) -> Result<(), Stopped> {
        self.write();
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Recording => self.state = State::Recording,
            State::Stopped(stopped) => return Err(stopped),
            State::Ended => {}
        }
        Ok(())
    }

    /// Ends the trace as a whole one.
    ///
    /// # Errors
    /// When it has stopped since the last flush.
    pub fn finish(&mut self) -> Result<(), Stopped> {
        if self.is_recording() {
            self.close(Ending::Whole);
        }
        self.flush()?;
        self.state = State::Ended;
        Ok(())
    }

    fn close(&mut self, ending: Ending) {
        let events = self.events;
        self.begin(&Event::End { events, ending });
        seal(&mut self.gathered[self.begun..]);
        self.write();
    }

    fn write(&mut self) {
        if let Err(error) = self.out.write_all(&self.gathered) {
            self.state = State::Stopped(error.into());
        }
        self.gathered.clear();
    }
}

/// Appends in postcard's form.
fn append(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    postcard::to_io(value, out).expect("plain data goes into memory");
}

/// Fills in a record's prefix.
fn seal(record: &mut [u8]) {
    let (prefix, contents) = record.split_at_mut(PREFIX_BYTES);
    let length = u32::try_from(contents.len()).expect("bounded by RECORD_BYTES_MAX");
    prefix[..4].copy_from_slice(&length.to_le_bytes());
    prefix[4..].copy_from_slice(&checksum(contents).to_le_bytes());
}

/// Effects on their way past a trace.
#[derive(Debug)]
pub struct Tee<'a, E> {
    out: &'a mut E,
    record: &'a mut Vec<u8>,
    scratch: &'a mut Vec<u8>,
}

impl<E: Effects> Effects for Tee<'_, E> {
    fn persist(&mut self, change: &Persist<'_>) {
        append(&Effect::persist(change, self.scratch), self.record);
        self.out.persist(change);
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        append(&Effect::reply(to, response, self.scratch), self.record);
        self.out.reply(to, response);
    }

    fn send(&mut self, to: NodeId, message: Message) {
        append(&Effect::send(to, &message, self.scratch), self.record);
        self.out.send(to, message);
    }

    fn set_timer(&mut self, timer: Timer, delay_ms: u64) {
        append(&Effect::Timer { timer, delay_ms }, self.record);
        self.out.set_timer(timer, delay_ms);
    }
}

/// A replica, and the trace of it if there is one: what a host drives instead of a [`Replica`].
#[derive(Debug)]
pub struct TracedReplica<W> {
    replica: Replica,
    tracer: Option<Box<Tracer<W>>>,
}

/// Calls the same method with the effects as they are, or past the trace.
macro_rules! traced {
    ($self:ident, $event:expr, $out:ident => $call:expr) => {
        match $self.tracer.as_deref_mut().filter(|it| it.is_recording()) {
            None => $call,
            Some(tracer) => {
                tracer.begin(&$event);
                let $out = &mut tracer.tee($out);
                $call;
                tracer.end();
            }
        }
    };
}

impl<W: Write> TracedReplica<W> {
    /// A replica that has seen nothing, with a trace that was made for it.
    #[must_use]
    pub fn new(spec: &ReplicaSpec, tracer: Option<Tracer<W>>) -> Self {
        Self {
            replica: Replica::new(spec),
            tracer: tracer.map(Box::new),
        }
    }

    /// See [`Replica::start`].
    pub fn start<E: Effects>(&mut self, out: &mut E) {
        traced!(self, Event::Start, out => self.replica.start(out));
    }

    /// See [`Replica::recover`].
    pub fn recover(&mut self) {
        self.note(&Event::Recover);
        self.replica.recover();
    }

    /// See [`Replica::restore`].
    pub fn restore(&mut self, change: &Persist<'_>) {
        self.note(&Event::Restore(change.clone()));
        self.replica.restore(change);
    }

    /// Records an input that has no effects.
    fn note(&mut self, event: &Event<'_>) {
        if let Some(tracer) = self.tracer.as_deref_mut().filter(|it| it.is_recording()) {
            tracer.begin(event);
            tracer.end();
        }
    }

    /// See [`Replica::handle_request`].
    pub fn handle_request<E: Effects>(
        &mut self,
        id: RequestId,
        request: &Request<'_>,
        input: &Input<'_>,
        out: &mut E,
    ) {
        traced!(self, Event::request(id, request, input), out =>
            self.replica.handle_request(id, request, input, out));
    }

    /// See [`Replica::handle_message`].
    pub fn handle_message<E: Effects>(
        &mut self,
        from: NodeId,
        message: Message,
        input: &Input<'_>,
        out: &mut E,
    ) {
        traced!(self, Event::message(from, &message, input), out =>
            self.replica.handle_message(from, message, input, out));
    }

    /// See [`Replica::handle_timer`].
    pub fn handle_timer<E: Effects>(&mut self, timer: Timer, input: &Input<'_>, out: &mut E) {
        traced!(self, Event::timer(timer, input), out =>
            self.replica.handle_timer(timer, input, out));
    }

    /// The replica itself, for what is no input because it changes nothing.
    #[must_use]
    pub const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The trace, to flush and to finish it.
    pub fn tracer(&mut self) -> Option<&mut Tracer<W>> {
        self.tracer.as_deref_mut()
    }
}
