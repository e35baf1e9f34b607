//! What values that were written once say of a register, whatever else was done to it.
//!
//! Gibbons and Korach, *Testing Shared Memories*, SIAM J. Comput. 1997, section 4: a value's put
//! and the gets that read it form a cluster with a zone (`linearizable.rs`). Values that successful
//! compare-and-sets link form one cluster, a chain, in which no operation of a later value returns
//! before one of an earlier value is invoked. Leaving out all that wrote or observed some values
//! leaves an order of the rest in order, unless what is left expects one of them. So clusters none
//! of whose values was written twice refute the register if they contradict each other; and they
//! decide it if there is nothing else.

use hashbrown::HashSet;

use super::super::index::Table;
use super::super::ordering::operation::{Action, NOTHING, Op, Registers, Token};
use super::timeline::NONE;

/// What the clusters say.
#[derive(Debug)]
pub(super) enum Judged {
    /// These operations alone have no order.
    Conflict(Vec<Op>),
    /// There is an order.
    Order,
    /// There may be one.
    Open,
}

/// The time of the initial put, before all others: times are shifted up by one.
const BEFORE_TIME: u64 = 0;

/// The operations of linked values, and when the first has to be over and the last to begin.
#[derive(Debug)]
struct Cluster {
    /// The writers, and the operations that set the ends.
    shown: Vec<Op>,
    earliest_return: u64,
    latest_invoke: u64,
}

impl Cluster {
    fn is_forward(&self) -> bool {
        self.earliest_return < self.latest_invoke
    }

    fn start(&self) -> u64 {
        self.earliest_return.min(self.latest_invoke)
    }

    fn end(&self) -> u64 {
        self.earliest_return.max(self.latest_invoke)
    }
}

/// Judges the operations of one register.
pub(super) fn judge(ops: &[Op], registers: &Registers) -> Judged {
    let values = Values::new(ops, registers);
    let mut clusters = Vec::new();
    let mut chained = 0;
    for root in values.roots() {
        let (levels, is_chain) = values.chain(root);
        chained += levels.len();
        let shown = || {
            levels
                .iter()
                .flat_map(|value| values.shown(*value))
                .collect()
        };
        match cluster(&values, &levels) {
            Some(cluster) if is_chain => clusters.push(cluster),
            Some(_) => {
                // Two found the same value there, and each was the one to change it.
                return Judged::Conflict(shown());
            }
            None => return Judged::Conflict(shown()),
        }
    }
    clusters.sort_by_key(|cluster| (cluster.start(), cluster.end()));
    if let Some((a, b)) = contradiction(&clusters) {
        return Judged::Conflict([a.shown.as_slice(), b.shown.as_slice()].concat());
    }
    if values.are_all && chained == values.known {
        Judged::Order
    } else {
        Judged::Open
    }
}

/// Two clusters that were both current at one time, or of which one had to be while the other was.
fn contradiction(clusters: &[Cluster]) -> Option<(&Cluster, &Cluster)> {
    let mut open: Option<&Cluster> = None;
    for cluster in clusters {
        if let Some(before) = open {
            let overlaps = cluster.is_forward() && cluster.start() < before.end();
            let is_enclosed = !cluster.is_forward()
                && before.start() < cluster.start()
                && cluster.end() < before.end();
            if overlaps || is_enclosed {
                return Some((before, cluster));
            }
        }
        if cluster.is_forward() && open.is_none_or(|before| before.end() < cluster.end()) {
            open = Some(cluster);
        }
    }
    None
}

/// The cluster of linked values in their order; `None` when an operation of a later one returned
/// before one of an earlier one was invoked.
fn cluster(values: &Values<'_>, levels: &[Token]) -> Option<Cluster> {
    let mut cluster = Cluster {
        shown: Vec::new(),
        earliest_return: u64::MAX,
        latest_invoke: 0,
    };
    if levels.first() == Some(&NOTHING) {
        cluster.earliest_return = BEFORE_TIME;
    }
    let (mut first, mut last): (Option<Op>, Option<Op>) = (None, None);
    for value in levels {
        let writer = values.writer(*value);
        let groups = [writer.as_slice(), values.gets(*value)];
        for group in groups {
            for op in group {
                // What came before in the chain was invoked by then.
                if op.returned.saturating_add(1) < cluster.latest_invoke {
                    return None;
                }
                if op.returned.saturating_add(1) < cluster.earliest_return {
                    cluster.earliest_return = op.returned.saturating_add(1);
                    first = Some(*op);
                }
            }
            for op in group {
                if op.invoke + 1 > cluster.latest_invoke {
                    cluster.latest_invoke = op.invoke + 1;
                    last = Some(*op);
                }
            }
        }
        cluster.shown.extend(writer);
    }
    cluster.shown.extend(first.into_iter().chain(last));
    cluster.shown.sort_by_key(|op| op.row);
    cluster.shown.dedup_by_key(|op| op.row);
    Some(cluster)
}

/// The values that took effect and of which one writer is known, that no other may have written.
struct Values<'o> {
    ops: &'o [Op],
    /// By value, the place of its writer; [`NONE`] for the initial value.
    writers: Table<Token, u32>,
    gets: Table<Token, Vec<Op>>,
    /// The values that a successful compare-and-set made of each.
    next: Table<Token, Vec<Token>>,
    /// How many there are.
    known: usize,
    /// Whether there is nothing else to explain.
    are_all: bool,
}

impl<'o> Values<'o> {
    fn new(ops: &'o [Op], registers: &Registers) -> Self {
        let writers = writers(ops, registers);
        let mut values = Self {
            ops,
            gets: Table::default(),
            next: Table::default(),
            known: 0,
            are_all: ops.iter().all(|op| op.after.is_none()),
            writers: Table::default(),
        };
        let mut left: Vec<Token> = vec![NOTHING];
        for op in ops {
            match op.action {
                Action::Get(value) => {
                    values.gets.entry(value).or_default().push(*op);
                    left.push(value);
                }
                Action::Put(value) if !op.is_pending() => left.push(value),
                Action::Cas(_, value) if !op.is_pending() => left.push(value),
                Action::Put(_) | Action::Cas(..) => {}
                Action::Mismatch(_) | Action::Append(_) => values.are_all = false,
            }
        }
        values.link(left, &writers);
        values.leave_out_shared();
        values
    }

    /// Takes the values from those that took effect on, back to what they were made of.
    fn link(&mut self, mut left: Vec<Token>, writers: &Table<Token, Option<u32>>) {
        let mut seen: HashSet<Token, foldhash::fast::FixedState> = HashSet::default();
        while let Some(value) = left.pop() {
            if !seen.insert(value) {
                continue;
            }
            let Some(Some(writer)) = writers.get(&value) else {
                self.are_all = false;
                continue;
            };
            self.writers.insert(value, *writer);
            if let Some(Action::Cas(expected, _)) = self.action(*writer) {
                self.next.entry(expected).or_default().push(value);
                left.push(expected);
            }
        }
        // A value that may have been written twice may have been expected by any.
        for op in self.ops.iter().filter(|op| !op.is_pending()) {
            if let Action::Cas(expected, value) = op.action
                && !self.writers.contains_key(&value)
            {
                self.next.entry(expected).or_default().push(value);
            }
        }
    }

    fn action(&self, writer: u32) -> Option<Action> {
        self.ops.get(writer as usize).map(|op| op.action)
    }

    /// Leaves out all values that are linked with one that may have been written twice.
    fn leave_out_shared(&mut self) {
        let mut links: Table<Token, Vec<Token>> = Table::default();
        let mut left: Vec<Token> = Vec::new();
        for (expected, values) in &self.next {
            for value in values {
                links.entry(*expected).or_default().push(*value);
                links.entry(*value).or_default().push(*expected);
                let ends = [*expected, *value];
                left.extend(ends.iter().filter(|end| !self.writers.contains_key(*end)));
            }
        }
        let mut gone: HashSet<Token, foldhash::fast::FixedState> = HashSet::default();
        while let Some(value) = left.pop() {
            if gone.insert(value) {
                left.extend(links.get(&value).into_iter().flatten());
            }
        }
        self.are_all &= gone.is_empty();
        self.writers.retain(|value, _| !gone.contains(value));
        self.known = self.writers.len();
    }

    /// The values that nothing was made of: their writers put them, or nobody did.
    fn roots(&self) -> Vec<Token> {
        let is_root = |writer: u32| !matches!(self.action(writer), Some(Action::Cas(..)));
        let roots = self.writers.iter().filter(|(_, writer)| is_root(**writer));
        let mut roots: Vec<Token> = roots.map(|(value, _)| *value).collect();
        roots.sort_unstable();
        roots
    }

    /// The values from a root on, and whether each was made of the one before.
    fn chain(&self, root: Token) -> (Vec<Token>, bool) {
        let (mut chain, mut is_chain) = (vec![root], true);
        let mut at = 0;
        while at < chain.len() {
            let next = self.next.get(&chain[at]).map_or(&[][..], Vec::as_slice);
            is_chain &= next.len() < 2;
            chain.extend(next);
            at += 1;
        }
        (chain, is_chain)
    }

    fn writer(&self, value: Token) -> Option<Op> {
        let place = self.writers.get(&value)?;
        self.ops.get(*place as usize).copied()
    }

    fn gets(&self, value: Token) -> &[Op] {
        self.gets.get(&value).map_or(&[], Vec::as_slice)
    }

    fn shown(&self, value: Token) -> impl Iterator<Item = Op> {
        self.writer(value)
            .into_iter()
            .chain(self.gets(value).iter().copied())
    }
}

/// By value, the place of the one operation that may have written it; [`NONE`] for the initial
/// value, and nothing where several may have.
fn writers(ops: &[Op], registers: &Registers) -> Table<Token, Option<u32>> {
    let mut writers: Table<Token, Option<u32>> = Table::default();
    writers.insert(NOTHING, Some(NONE));
    let mut appended: Vec<&str> = Vec::new();
    for (place, op) in (0..).zip(ops) {
        match op.action {
            Action::Put(value) | Action::Cas(_, value) => {
                let writer = writers.entry(value);
                writer
                    .and_modify(|writer| *writer = None)
                    .or_insert(Some(place));
            }
            Action::Append(value) => appended.extend(registers.text(value)),
            Action::Get(_) | Action::Mismatch(_) => {}
        }
    }
    let ends = Ends::new(&appended);
    for (value, writer) in &mut writers {
        if registers.text(*value).is_some_and(|text| ends.end(text)) {
            *writer = None;
        }
    }
    writers
}

/// What was appended: whatever ends with it may be an append's work.
struct Ends<'t> {
    texts: HashSet<&'t str, foldhash::fast::FixedState>,
    lengths: Vec<usize>,
}

impl<'t> Ends<'t> {
    fn new(texts: &[&'t str]) -> Self {
        let mut lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self {
            texts: texts.iter().copied().collect(),
            lengths,
        }
    }

    fn end(&self, text: &str) -> bool {
        let ends = self.lengths.iter().filter_map(|length| {
            let start = text.len().checked_sub(*length)?;
            text.get(start..)
        });
        ends.into_iter().any(|end| self.texts.contains(end))
    }
}
