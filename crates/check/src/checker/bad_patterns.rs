//! Causal consistency (CC) and causal convergence (CCv) of registers that return one value, by
//! the bad patterns of Bouajjani, Enea, Guerraoui and Hamza, *On verifying causal consistency*,
//! POPL 2017, judged by what clients saw and nothing else.
//!
//! With unique values a history is CC exactly when three things hold: happens-before has no circle
//! (`cyclic-co`); no get returned the initial value after a put on its key (`write-co-init-read`);
//! and no get returned a put although it had seen a later put on the key (`write-co-read`). The
//! history is CCv if also the conflicts make no circle (`cyclic-cf`): a get that had seen two puts
//! and returned the second orders the first before it. The integrity check finds reads out of thin
//! air.
//!
//! O(n·k) for k live sessions that wrote: clocks for puts only, and for each get and session only
//! the last put on the key that it had seen. The pass does not keep a conflict that happens-before
//! already contains. If there is no circle with the conflicts, then no get returned an overwritten
//! value either, since both together are a circle of two. So only histories with a circle need the
//! second pass, which asks each overwritten put whether it knew its winner.

use super::happens_before::{
    Clocks, Conflict, Conflicts, Graph, LastSeen, NONE, Order, PATIENCE, TooMany, order,
    shortest_circle, spread, too_many,
};
use super::index::Index;
use super::one_value::siblings;
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost};
use super::time::OVER;
use super::verdict::{Check, Findings, Verdict};

/// Conflicts that are kept at most, 192 MB of them; beyond it the question is left open.
const CONFLICTS_MAX: usize = 16 << 20;
/// How many conflicts the pass gathers before it first drops those that others contain.
const CONFLICTS_GATHERED: usize = 1 << 20;
/// Conflicts of a circle that are shown: with their gets no more than six operations.
const CIRCLE_MAX: usize = 2;
/// Rows of a circle of causes that are shown.
const CAUSES_MAX: usize = 6;

/// Operations up to which the ladder judges registers though the verdict does not ask for it.
const UNASKED_MAX: usize = 2_000_000;
const PROPERTIES: [Property; 2] = [Property::CausalConsistency, Property::CausalConvergence];

/// The row of the table.
pub(super) struct ByBadPatterns;

impl Checker for ByBadPatterns {
    fn properties(&self) -> &'static [Property] {
        &PROPERTIES
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Search {
            unasked_max: UNASKED_MAX,
            is_dear: true,
        }
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        check(ask.index).to_vec()
    }

    fn settled_by(&self, ask: &Ask<'_, '_>) -> &'static [Property] {
        match ask.is_asked {
            true => &[],
            false => &[Property::Linearizable],
        }
    }
}

/// Checks CC and CCv, in this order.
pub(super) fn check(index: &Index<'_>) -> [Check; 2] {
    check_within(index, PATIENCE)
}

/// The same, with the number of sessions that have to be over before they are folded.
pub(super) fn check_within(index: &Index<'_>, patience: usize) -> [Check; 2] {
    if let Some(reason) = siblings(index) {
        return PROPERTIES.map(|property| Check {
            property,
            checked: 0,
            verdict: Verdict::not_applicable(reason.clone()),
        });
    }
    if let Some(key) = spread(index) {
        return PROPERTIES.map(|property| Check {
            property,
            checked: 0,
            verdict: Verdict::unknown(format!("{key} belongs to two replica groups")),
        });
    }
    let mut graph = Graph::new(index);
    graph.patience = patience;
    let checked = graph.rows.len() as u64;
    let mut judge = Patterns {
        graph: &graph,
        findings: PROPERTIES.map(|property| Findings::new(index.history, property)),
    };
    let open = judge.run().err();
    judge.findings.map(|findings| {
        let refuted = !findings.is_empty();
        let mut check = findings.check(checked);
        if let (Some(reason), false) = (&open, refuted) {
            check.verdict = Verdict::unknown(reason.clone());
        }
        check
    })
}

struct Patterns<'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    /// Of CC and of CCv.
    findings: [Findings<'h>; 2],
}

impl Patterns<'_, '_, '_> {
    /// Adds to the findings; an error says what was left open.
    fn run(&mut self) -> Result<(), String> {
        let causes = order(self.graph, &Conflicts::default());
        if !causes.circles.is_empty() {
            self.report_causes(&causes);
            return Ok(());
        }
        let too_many = |TooMany| too_many(self.graph);
        let mut gather = Gather::new(self.graph);
        let mut clocks = Clocks::new(self.graph);
        let time = &self.graph.index.time;
        let mut ticker = time.ticker("cc and ccv", causes.rows.len());
        for row in &causes.rows {
            if ticker.is_over() {
                return Err(OVER.to_owned());
            }
            clocks.enter(*row).map_err(too_many)?;
            if !self.graph.is_put(*row) {
                gather.get(*row, &clocks, &mut self.findings);
                if gather.conflicts.len() > CONFLICTS_MAX {
                    return Err(format!("there are more than {CONFLICTS_MAX} conflicts"));
                }
            }
            clocks.leave(*row);
        }
        gather.compact();
        let conflicts = gather.conflicts.into_iter();
        let conflicts = Conflicts::new(conflicts.map(|c| c.conflict(self.graph)).collect());
        if conflicts.is_empty() {
            return Ok(());
        }
        let circles = order(self.graph, &conflicts).circles;
        if circles.is_empty() {
            return Ok(());
        }
        self.report_conflicts(&conflicts, &circles);
        self.overwritten(&causes, conflicts)
    }

    fn both(&mut self, kind: AnomalyKind, rows: &[usize], sentence: &str) {
        for findings in &mut self.findings {
            findings.add(kind, rows, || sentence.to_owned());
        }
    }

    fn report_causes(&mut self, causes: &Order) {
        for component in &causes.circles {
            let circle = shortest_circle(self.graph, &Conflicts::default(), component);
            let rows: Vec<usize> = circle
                .iter()
                .take(CAUSES_MAX)
                .map(|row| *row as usize)
                .collect();
            self.both(
                AnomalyKind::CyclicCo,
                &rows,
                "each of these has to come before the next, and the last before the first",
            );
        }
    }

    fn report_conflicts(&mut self, conflicts: &Conflicts, circles: &[Vec<u32>]) {
        for component in circles {
            let circle = shortest_circle(self.graph, conflicts, component);
            let mut rows = Vec::new();
            for (at, row) in circle.iter().enumerate() {
                let next = circle[(at + 1) % circle.len()];
                let conflict = conflicts.of(next).iter().find(|c| c.overwritten == *row);
                if let Some(conflict) = conflict.filter(|_| rows.len() < 3 * CIRCLE_MAX) {
                    rows.extend([*row, next, conflict.get].map(|row| row as usize));
                }
            }
            self.findings[1].add(AnomalyKind::CyclicCf, &rows, || {
                "each get had seen a put that is not the one it returned, and so orders it before \
                 that one; together they order each put before itself"
                    .to_owned()
            });
        }
    }

    /// Finds the gets whose overwritten put came after the one they returned.
    fn overwritten(&mut self, causes: &Order, conflicts: Conflicts) -> Result<(), String> {
        let mut conflicts = conflicts.into_inner();
        conflicts.sort_unstable_by_key(|c| (c.overwritten, c.winner));
        let mut clocks = Clocks::new(self.graph);
        let time = &self.graph.index.time;
        let mut ticker = time.ticker("cc and ccv", causes.rows.len());
        for row in &causes.rows {
            if ticker.is_over() {
                return Err(OVER.to_owned());
            }
            let entered = clocks.enter(*row);
            entered.map_err(|TooMany| too_many(self.graph))?;
            if self.graph.is_put(*row) {
                let start = conflicts.partition_point(|c| c.overwritten < *row);
                let own = conflicts[start..]
                    .iter()
                    .take_while(|c| c.overwritten == *row);
                for conflict in own {
                    let column = self.graph.column(conflict.winner);
                    if clocks.now(*row).of(column) >= self.graph.place[conflict.winner as usize] {
                        write_co_read(self.graph, conflict, &mut self.findings);
                    }
                }
            }
            clocks.leave(*row);
        }
        Ok(())
    }
}

fn write_co_read(graph: &Graph<'_, '_>, conflict: &Conflict, findings: &mut [Findings<'_>; 2]) {
    let id = |put: u32| {
        graph
            .index
            .history
            .value_name(graph.index.columns.written[put as usize])
    };
    let rows = [conflict.winner, conflict.overwritten, conflict.get].map(|row| row as usize);
    for findings in findings {
        findings.add(AnomalyKind::WriteCoRead, &rows, || {
            format!(
                "the get returned {} although {}, which follows it, happened before the get",
                id(conflict.winner),
                id(conflict.overwritten)
            )
        });
    }
}

/// A conflict as it is gathered, which sorts without a look elsewhere.
#[derive(Clone, Copy)]
struct Gathered {
    winner: u32,
    /// Where the overwritten put stands in [`Graph::on_key`].
    at: u32,
    get: u32,
}

impl Gathered {
    fn conflict(self, graph: &Graph<'_, '_>) -> Conflict {
        Conflict {
            winner: self.winner,
            overwritten: graph.on_key[self.at as usize],
            get: self.get,
        }
    }
}

/// The conflicts that the gets have shown so far.
struct Gather<'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    conflicts: Vec<Gathered>,
    /// How many conflicts there may be before the next compaction.
    room: usize,
    last_seen: LastSeen,
}

impl<'g, 'a, 'h> Gather<'g, 'a, 'h> {
    fn new(graph: &'g Graph<'a, 'h>) -> Self {
        Self {
            graph,
            conflicts: Vec::new(),
            room: CONFLICTS_GATHERED,
            last_seen: LastSeen::new(graph),
        }
    }

    fn get(&mut self, get: u32, clocks: &Clocks<'_, '_, '_>, findings: &mut [Findings<'_>; 2]) {
        let graph = self.graph;
        let key = graph.index.key[get as usize];
        let Some(winner) = graph.returned_put(get) else {
            return self.initial_value(get, clocks, findings);
        };
        let (now, known) = (clocks.now(get), clocks.of_put(winner));
        let column = |run: u32| graph.runs[run as usize].column;
        for run in clocks.live_runs(key).iter().copied() {
            let (seen, before) = (now.of(column(run)), known.of(column(run)));
            // What the winner had seen comes before it anyway.
            if seen > before {
                self.note(get, winner, run, [seen, before], findings);
            }
        }
        // What was folded the winner had seen too, but for what was folded since.
        for run in clocks.folded_runs(key).iter().rev().copied() {
            if clocks.folded_in(column(run)) <= known.epoch() {
                break;
            }
            let seen = now.of(column(run));
            self.note(get, winner, run, [seen, 0], findings);
        }
        if self.conflicts.len() > self.room {
            self.compact();
            self.room = (2 * self.conflicts.len()).max(CONFLICTS_GATHERED);
        }
    }

    /// Notes the last put of a run that a get had seen, if what it returned does not come after.
    fn note(
        &mut self,
        get: u32,
        winner: u32,
        run: u32,
        [seen, before]: [u32; 2],
        findings: &mut [Findings<'_>; 2],
    ) {
        let graph = self.graph;
        let last = self.last_seen.of(graph, run as usize, seen);
        let Some(at) = last.filter(|at| graph.places_on_key[*at as usize] > before) else {
            return;
        };
        let gathered = Gathered { winner, at, get };
        if graph.runs[run as usize].column == graph.column(winner) {
            write_co_read(graph, &gathered.conflict(graph), findings);
        } else {
            self.conflicts.push(gathered);
        }
    }

    fn initial_value(
        &mut self,
        get: u32,
        clocks: &Clocks<'_, '_, '_>,
        findings: &mut [Findings<'_>; 2],
    ) {
        let graph = self.graph;
        let (now, key) = (clocks.now(get), graph.index.key[get as usize]);
        let folded = clocks.folded_runs(key).iter();
        let mut known = folded.chain(clocks.live_runs(key));
        let at = known.find_map(|run| {
            let seen = now.of(graph.runs[*run as usize].column);
            self.last_seen.of(graph, *run as usize, seen)
        });
        if let Some(put) = at.map(|at| graph.on_key[at as usize]) {
            for findings in findings {
                findings.add(
                    AnomalyKind::WriteCoInitRead,
                    &[put as usize, get as usize],
                    || {
                        format!(
                            "the get found nothing although {} happened before it",
                            graph
                                .index
                                .history
                                .value_name(graph.index.columns.written[put as usize])
                        )
                    },
                );
            }
        }
    }

    /// Keeps for each winner and session the last put that was overwritten, and sorts by winner.
    fn compact(&mut self) {
        let graph = self.graph;
        self.conflicts
            .sort_unstable_by_key(|c| (c.winner, NONE - c.at, c.get));
        // The puts of a session on a key stand together, in its order.
        let chain = |at: u32| graph.chain[graph.on_key[at as usize] as usize];
        self.conflicts.dedup_by_key(|c| (c.winner, chain(c.at)));
    }
}
