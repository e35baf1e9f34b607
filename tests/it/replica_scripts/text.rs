//! What scripts are written in: effects as lines, and names as they are printed.

use kvs_zoo::protocol::{
    Body, Dot, GossipBody, Message, NodeId, Origin, PutWitness, Response, Sibling, Update,
};
use kvs_zoo::replica::{Effects, GossipTimer, RequestId, Timer};

pub(super) enum Effect {
    Line(String),
    Send(NodeId, Message),
}

#[derive(Default)]
pub(super) struct Recorder(pub(super) Vec<Effect>);

impl Effects for Recorder {
    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        let text = match response {
            Response::Put(witness) => format!("put {}", evidence(witness)),
            Response::Get {
                vector: seen,
                siblings,
            } => {
                let values: Vec<String> = siblings.iter().map(sibling).collect();
                format!("get [{}] at {}", values.join(", "), vector(seen))
            }
            Response::Refused(refusal) => format!("refused {refusal:?}"),
            Response::Indefinite => "indefinite".to_owned(),
            Response::NotLeader { leader } => format!("not leader, {leader:?}"),
            Response::Mismatch { found } => {
                let found = found.map_or(0, <[_]>::len);
                format!("mismatch, found {found}")
            }
        };
        self.0
            .push(Effect::Line(format!("replies to r{} {text}", to.0)));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.0.push(Effect::Send(to, message));
    }

    fn set_timer(&mut self, timer: Timer, _: u64) {
        let line = format!("set-timer {}", timer_name(timer));
        self.0.push(Effect::Line(line));
    }
}

pub(super) fn timer_name(timer: Timer) -> &'static str {
    match timer {
        Timer::Gossip(GossipTimer::Rumour) => "rumour",
        Timer::Gossip(GossipTimer::AntiEntropy) => "anti-entropy",
        Timer::Gossip(GossipTimer::Deferral) => "deferral",
        Timer::Quorum(_) | Timer::Raft(_) => panic!("no script is of one"),
    }
}

fn sibling(sibling: &Sibling<'_>) -> String {
    format!(
        "{} {}",
        sibling.value.escape_ascii(),
        evidence(&sibling.witness)
    )
}

fn evidence(witness: &PutWitness<'_>) -> String {
    match witness {
        PutWitness::None => String::new(),
        PutWitness::Causal { dot, vector: seen } => format!("{dot:?} {}", vector(seen)),
        PutWitness::Lww { version } => format!(
            "{}+{}/{}",
            version.time >> 16,
            version.time & 0xffff,
            version.origin >> 12
        ),
    }
}

pub(super) fn vector(dots: &[Dot]) -> String {
    format!("{dots:?}")
}

pub(super) fn body(body: &Body) -> String {
    let Body::Gossip(body) = body else {
        panic!("no script is of a quorum");
    };
    match body {
        GossipBody::Updates {
            fresh,
            updates: puts,
            ..
        } => {
            let kind = if *fresh { "rumour" } else { "missing" };
            format!("{kind} {}", updates(puts))
        }
        GossipBody::Digest {
            vector: has,
            ends,
            ask,
        } => {
            let kind = if *ask { "digest?" } else { "digest" };
            let ends: String = ends
                .iter()
                .map(|end| format!(" {} ended at {}", end.node, vector(&end.last)))
                .collect();
            format!("{kind} {}{ends}", vector(has))
        }
        GossipBody::StateRequest {
            vector: at, from, ..
        } => format!("state? {} from {from}", vector(at)),
        GossipBody::StateChunk {
            vector: at,
            from,
            next,
            updates: puts,
        } => {
            let end = next.map_or_else(|| "end".to_owned(), |next| next.to_string());
            format!("state {} {from}..{end} {}", vector(at), updates(puts))
        }
    }
}

fn updates(updates: &[Update]) -> String {
    /// Longer lists are cut.
    const SHOWN_MAX: usize = 6;
    let mut puts: Vec<String> = updates
        .iter()
        .take(SHOWN_MAX)
        .map(|put| {
            let key = put.record.key().escape_ascii();
            format!("{key}={}", put.record.value().escape_ascii())
        })
        .collect();
    if updates.len() > SHOWN_MAX {
        puts.push(format!("and {} more", updates.len() - SHOWN_MAX));
    }
    format!("{{{}}}", puts.join(" "))
}

/// The comma-separated values of `name=..`.
pub(super) fn option<'a>(words: &[&'a str], name: &str) -> Vec<&'a str> {
    words
        .iter()
        .filter_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        .flat_map(|values| values.split(','))
        .collect()
}

/// The number of `n3` or `m3`.
pub(super) fn number(name: &str) -> usize {
    name[1..].parse().expect("a letter and a number")
}

/// A dot as it is printed: `n0.0:1`.
pub(super) fn dot(text: &str) -> Dot {
    let (origin, counter) = text.split_once(':').expect("origin:counter");
    let (node, incarnation) = origin.split_once('.').expect("node.incarnation");
    let node = NodeId(u16::try_from(number(node)).expect("a node"));
    let incarnation = incarnation.parse().expect("a number");
    Dot::new(
        Origin::new(node, incarnation),
        counter.parse().expect("a number"),
    )
}
