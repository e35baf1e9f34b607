//! A small history of any bytes: two for the whole, six an operation.

use kvs_zoo::history::{
    Dominance, ErrorKind, Header, History, Kind, Model, Outcome, Phase, Row, Siblings, Version,
    Witness, dot, origin, value_id,
};

/// Bytes that say what holds for the whole history.
const HEAD_BYTES: usize = 2;
/// Bytes of one operation.
const OP_BYTES: usize = 6;
/// Operations of a history: every search ends soon.
const OPS_MAX: usize = 12;
/// Sessions, keys and nodes.
const SESSIONS: u8 = 4;
const KEYS: u8 = 2;
const NODES: u8 = 2;

/// What the first byte says.
struct Whole {
    evidence: u8,
    promise: Option<Model>,
    has_end: bool,
    /// Times are as the bytes say, whatever the session did before.
    any_times: bool,
    /// Values are numbers that repeat, and compare-and-set and append occur.
    repeats: bool,
    /// Places are as the bytes say, so that some repeat.
    any_places: bool,
    real_time: bool,
    dominance: Option<Dominance>,
}

impl Whole {
    fn new(head: &[u8]) -> Self {
        let promise = [
            None,
            Some(Model::Linearizable),
            Some(Model::Causal),
            Some(Model::Lww),
        ];
        Self {
            evidence: head[0] & 3,
            promise: promise[usize::from(head[0] >> 2 & 3)],
            has_end: head[0] & 16 == 0,
            any_times: head[0] & 32 != 0,
            repeats: head[0] & 64 != 0,
            any_places: head[0] & 128 != 0,
            real_time: head[1] & 1 == 0,
            dominance: (head[1] & 2 != 0).then_some(Dominance::Context),
        }
    }
}

/// One operation's bytes, and its place.
struct Op {
    /// The worker, which goes on under another session after a write of unknown outcome.
    worker: usize,
    session: u32,
    index: u32,
    kind: Kind,
    bytes: [u8; OP_BYTES],
    /// The put's dot and what its replica had applied.
    dot: u64,
    vector: Vec<u64>,
}

impl Op {
    fn key(&self) -> u64 {
        u64::from(self.bytes[1] & (KEYS - 1))
    }

    fn written(&self, whole: &Whole) -> u64 {
        match (self.kind, whole.repeats) {
            (Kind::Get, _) => 0,
            (_, true) => u64::from(self.bytes[5] & 3),
            (_, false) => value_id(self.session, self.index),
        }
    }

    fn outcome(&self) -> (Outcome, Option<ErrorKind>) {
        match self.bytes[1] >> 1 & 7 {
            0 => (Outcome::Info, Some(ErrorKind::Timeout)),
            1 => (Outcome::Fail, Some(ErrorKind::Mismatch)),
            2 => (Outcome::Fail, Some(ErrorKind::Unavailable)),
            _ => (Outcome::Ok, None),
        }
    }
}

/// The history that the bytes stand for.
pub(crate) fn history(data: &[u8]) -> History {
    let Some((head, rest)) = data.split_at_checked(HEAD_BYTES) else {
        return History::default();
    };
    let whole = Whole::new(head);
    let ops = operations(&whole, rest);
    let header = Header {
        promise: whole.promise,
        real_time: whole.real_time,
        dominance: whole.dominance,
        values: if whole.repeats {
            ["0", "1", "2", "3"].map(str::to_owned).to_vec()
        } else {
            Vec::new()
        },
        ..Header::default()
    };
    let mut history = History {
        header,
        ..History::default()
    };
    let mut free = [0u64; SESSIONS as usize];
    for op in &ops {
        push(&mut history, &whole, &ops, op, &mut free[op.worker]);
    }
    if whole.has_end {
        history.end = Some(kvs_zoo::history::End::of(history.len() as u64));
    }
    history
}

fn operations(whole: &Whole, rest: &[u8]) -> Vec<Op> {
    let mut next_index = [0u32; SESSIONS as usize];
    let mut sessions: [u32; SESSIONS as usize] = std::array::from_fn(|worker| worker as u32);
    let mut next_session = u32::from(SESSIONS);
    let mut next_dot = [1u64; NODES as usize];
    let mut ops = Vec::new();
    for bytes in rest.chunks_exact(OP_BYTES).take(OPS_MAX) {
        let worker = usize::from(bytes[0] & (SESSIONS - 1));
        let session = sessions[worker];
        let index = &mut next_index[worker];
        *index += 1;
        let kind = match (bytes[0] >> 2 & 7, whole.repeats) {
            (0, true) => Kind::Cas,
            (1, true) => Kind::Append,
            (0..=3, _) => Kind::Put,
            _ => Kind::Get,
        };
        let node = bytes[0] >> 5 & 1;
        let counter = &mut next_dot[usize::from(node)];
        let own = dot(u16::from(node), 0, *counter);
        let mut vector = vector(bytes[4]);
        if kind == Kind::Put {
            vector.retain(|dot| kvs_zoo::history::dot_origin(*dot) != origin(node.into(), 0));
            vector.push(own);
            vector.sort_unstable();
            *counter += 1;
        }
        let op = Op {
            worker,
            session,
            index: if whole.any_places {
                u32::from(bytes[5] >> 2 & 7)
            } else {
                *index - 1
            },
            kind,
            bytes: [bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]],
            dot: own,
            vector,
        };
        if kind != Kind::Get && op.outcome().0 == Outcome::Info {
            sessions[worker] = next_session;
            next_session += 1;
            next_index[worker] = 0;
        }
        ops.push(op);
    }
    ops
}

/// What a replica had applied of each node's puts.
fn vector(byte: u8) -> Vec<u64> {
    (0..NODES)
        .map(|node| (node, u64::from(byte >> (3 * node) & 7)))
        .filter(|(_, counter)| *counter > 0)
        .map(|(node, counter)| dot(u16::from(node), 0, counter))
        .collect()
}

/// The puts that a get read: none, one, or, where nothing forbids it, two.
fn read_of<'a>(whole: &Whole, ops: &'a [Op], op: &Op) -> Vec<&'a Op> {
    let puts: Vec<&Op> = ops
        .iter()
        .filter(|put| put.kind != Kind::Get && (put.key() == op.key() || op.bytes[5] & 64 != 0))
        .collect();
    if op.kind == Kind::Put || op.kind == Kind::Append || op.bytes[3] == 0 || puts.is_empty() {
        return Vec::new();
    }
    let first = usize::from(op.bytes[3] & 15) % puts.len();
    let second = usize::from(op.bytes[3] >> 4) % puts.len();
    let mut read = vec![puts[first]];
    if op.kind == Kind::Get && op.bytes[5] & 128 != 0 && second != first && whole.evidence != 1 {
        read.push(puts[second]);
    }
    read
}

/// What a put's client said that it had seen, where that is recorded.
fn context_of(whole: &Whole, ops: &[Op], op: &Op) -> Option<Vec<u64>> {
    let is_recorded = whole.dominance.is_some() && op.kind == Kind::Put && op.bytes[3] & 128 != 0;
    let puts = ops.iter().filter(|put| put.kind == Kind::Put);
    let on_key = puts.filter(|put| put.key() == op.key());
    let named = on_key
        .enumerate()
        .filter(|(place, _)| *place < 7 && op.bytes[3] >> place & 1 == 1);
    is_recorded.then(|| named.map(|(_, put)| put.written(whole)).collect())
}

fn push(history: &mut History, whole: &Whole, ops: &[Op], op: &Op, free: &mut u64) {
    let start = u64::from(op.bytes[2] & 15);
    let invoke = if whole.any_times {
        start
    } else {
        *free + (start & 7)
    };
    let returned = invoke + u64::from(op.bytes[2] >> 4 & 7);
    *free = returned;
    let (outcome, error) = op.outcome();
    let read = read_of(whole, ops, op);
    let known = op.kind == Kind::Cas || (op.kind == Kind::Get && outcome == Outcome::Ok);
    let ids: Vec<u64> = read
        .iter()
        .filter(|_| known)
        .map(|put| put.written(whole))
        .collect();
    let dots: Vec<u64> = read.iter().map(|put| put.dot).collect();
    let vectors: Vec<u64> = read.iter().flat_map(|put| put.vector.clone()).collect();
    let mut ends: Vec<u32> = Vec::new();
    for put in &read {
        ends.push(ends.last().copied().unwrap_or(0) + put.vector.len() as u32);
    }
    let context = context_of(whole, ops, op);
    let version = |byte: u8| Version {
        time: u64::from(byte & 15),
        origin: origin(u16::from(byte >> 4 & 1), 0),
    };
    let witness = match (whole.evidence, op.kind, outcome) {
        (1, Kind::Put, Outcome::Ok) => Witness::Version(Some(version(op.bytes[4]))),
        (1, Kind::Get, Outcome::Ok) => {
            Witness::Version(read.first().map(|put| version(put.bytes[4])))
        }
        (2, Kind::Put, Outcome::Ok) => Witness::Put {
            dot: op.dot,
            vector: &op.vector,
        },
        (2, Kind::Get, Outcome::Ok) => Witness::Get {
            vector: &op.vector,
            siblings: Siblings {
                dots: &dots,
                ends: &ends,
                vectors: &vectors,
                base: 0,
            },
        },
        _ => Witness::None,
    };
    history.columns.push(&Row {
        session: op.session,
        index: op.index,
        kind: op.kind,
        key: op.key(),
        written: op.written(whole),
        read: &ids,
        intended: invoke,
        invoke,
        returned: (outcome != Outcome::Info).then_some(returned),
        outcome,
        error,
        node: u16::from(op.bytes[0] >> 5 & 1),
        phase: if op.bytes[0] & 64 != 0 {
            Phase::Final
        } else {
            Phase::Run
        },
        context: context.as_deref(),
        witness,
        ..Row::EMPTY
    });
}
