//! Staleness of gets and visibility lag of puts, from a history alone.
//!
//! Δ-staleness and k-staleness (after Bailis et al., *Probabilistically bounded staleness*, VLDB
//! 2012) compare a get with what a linearizable store would have had to show: it missed a put
//! that was acknowledged before the get was invoked, and invoked after everything that the get
//! returned had been acknowledged. O(n log n).

use hashbrown::HashMap;

use super::columns::Evidence;
use super::operation::{Kind, Outcome, Phase, Version, dot_counter, dot_origin};
use super::read::History;

type Table<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// What [`staleness`] measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Staleness {
    /// Of a get: how long the oldest put that it missed had been acknowledged, in ns; 0 when it
    /// missed none.
    Delta,
    /// Of a get: how many puts it missed.
    Versions,
    /// Of a put and another replica of its group: from the acknowledgement to the first reply that
    /// shows that the replica had applied it, in ns. The more often that replica is asked, the more
    /// exact this is.
    VisibilityLag,
}

/// Measures the run phase of a history, one call of `record` for each value.
///
/// ```
/// use kvs_check::{Get, Put, Recorder, history::{Staleness, staleness}};
///
/// let recorder = Recorder::new();
/// let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
/// alice.invoke(Put("x", 1)).ok(());
/// bob.invoke(Get("x")).ok(None); // misses one put
/// let mut missed = 0;
/// staleness(&recorder.finish(), |what, value| {
///     missed += if what == Staleness::Versions { value } else { 0 };
/// });
/// assert_eq!(missed, 1);
/// ```
pub fn staleness(history: &History, mut record: impl FnMut(Staleness, u64)) {
    let index = Index::new(history);
    for key in index.by_key.values() {
        index.staleness_of_key(key, &mut record);
        index.lag_of_versions(key, &mut record);
    }
    index.lag_of_vectors(&mut record);
}

struct Index<'h> {
    history: &'h History,
    /// Acknowledged puts and known gets of each key before the final phase, by row.
    by_key: Table<u64, Vec<usize>>,
    put_by_id: Table<u64, usize>,
}

impl<'h> Index<'h> {
    fn new(history: &'h History) -> Self {
        let columns = &history.columns;
        let mut index = Self {
            history,
            by_key: Table::default(),
            put_by_id: Table::default(),
        };
        for row in 0..columns.len() {
            if columns.kind[row] == Kind::Put {
                index.put_by_id.insert(columns.written[row], row);
            }
            if columns.outcome[row] == Outcome::Ok && !columns.phase[row].is_after_run() {
                index.by_key.entry(columns.key[row]).or_default().push(row);
            }
        }
        index
    }

    fn of_kind(&self, rows: &[usize], kind: Kind) -> Vec<usize> {
        rows.iter()
            .copied()
            .filter(|row| self.history.columns.kind[*row] == kind)
            .collect()
    }

    /// When all that a get returned had been acknowledged: `None` before time began, and
    /// `u64::MAX` when that is not known.
    fn shown_until(&self, get: usize) -> Option<u64> {
        let columns = &self.history.columns;
        let acknowledged = |id: &u64| match self.put_by_id.get(id) {
            Some(put) if columns.outcome[*put] == Outcome::Ok => columns.returned[*put],
            Some(_) | None => u64::MAX,
        };
        columns.read.at(get).iter().map(acknowledged).max()
    }

    fn staleness_of_key(&self, rows: &[usize], record: &mut impl FnMut(Staleness, u64)) {
        let columns = &self.history.columns;
        let mut puts = self.of_kind(rows, Kind::Put);
        puts.sort_unstable_by_key(|row| columns.returned[*row]);
        let mut invokes: Vec<u64> = puts.iter().map(|row| columns.invoke[*row]).collect();
        invokes.sort_unstable();
        let mut gets = self.of_kind(rows, Kind::Get);
        gets.retain(|row| columns.phase[*row] == Phase::Run);
        gets.sort_unstable_by_key(|row| columns.invoke[*row]);
        let mut missed = Missed::new(invokes.len());
        let mut puts = puts.into_iter().peekable();
        for get in gets {
            let now = columns.invoke[get];
            while let Some(put) = puts.next_if(|put| columns.returned[*put] < now) {
                let later = invokes.len() - invokes.partition_point(|t| *t <= columns.invoke[put]);
                missed.add(later, columns.returned[put]);
            }
            // Puts invoked after what was shown are the last ones by invoke.
            let later = match self.shown_until(get) {
                None => invokes.len(),
                Some(shown) => invokes.len() - invokes.partition_point(|t| *t <= shown),
            };
            let (count, oldest) = missed.of_last(later);
            record(Staleness::Versions, count);
            record(Staleness::Delta, oldest.map_or(0, |oldest| now - oldest));
        }
    }

    /// Last write wins: a replica had applied a put once it showed that version or a larger one.
    fn lag_of_versions(&self, rows: &[usize], record: &mut impl FnMut(Staleness, u64)) {
        let columns = &self.history.columns;
        let mut puts: Vec<(Version, usize)> = self
            .of_kind(rows, Kind::Put)
            .into_iter()
            .filter(|row| columns.phase[*row] == Phase::Run)
            .filter_map(|row| Some((columns.version(row)?, row)))
            .collect();
        if puts.is_empty() {
            return;
        }
        puts.sort_unstable();
        let mut gets = self.of_kind(rows, Kind::Get);
        gets.sort_unstable_by_key(|row| columns.returned[*row]);
        let mut reached: Table<u16, usize> = Table::default();
        for get in gets {
            let Some(version) = columns.version(get) else {
                continue;
            };
            let node = columns.node[get];
            let place = reached.entry(node).or_insert(0);
            while let Some((_, put)) = puts.get(*place).filter(|(v, _)| *v <= version) {
                if columns.node[*put] != node {
                    let lag = columns.returned[get].saturating_sub(columns.returned[*put]);
                    record(Staleness::VisibilityLag, lag);
                }
                *place += 1;
            }
        }
    }

    /// Causal: every reply carries what its replica had applied.
    fn lag_of_vectors(&self, record: &mut impl FnMut(Staleness, u64)) {
        let columns = &self.history.columns;
        let mut replies: Vec<usize> = (0..columns.len())
            .filter(|row| {
                columns.outcome[*row] == Outcome::Ok
                    && columns.evidence[*row] == Evidence::Causal
                    && !columns.phase[*row].is_after_run()
            })
            .collect();
        let mut puts: Table<u32, Vec<usize>> = Table::default();
        for row in replies
            .iter()
            .copied()
            .filter(|row| columns.kind[*row] == Kind::Put)
        {
            puts.entry(dot_origin(columns.dot[row]))
                .or_default()
                .push(row);
        }
        for puts in puts.values_mut() {
            puts.sort_unstable_by_key(|row| dot_counter(columns.dot[*row]));
        }
        replies.sort_unstable_by_key(|row| columns.returned[*row]);
        let mut reached: Table<(u16, u32), usize> = Table::default();
        for reply in replies {
            let node = columns.node[reply];
            for dot in columns.vector.at(reply) {
                let Some(puts) = puts.get(&dot_origin(*dot)) else {
                    continue;
                };
                let place = reached.entry((node, dot_origin(*dot))).or_insert(0);
                while let Some(put) = puts.get(*place).filter(|put| columns.dot[**put] <= *dot) {
                    if columns.node[*put] != node && columns.phase[*put] == Phase::Run {
                        let lag = columns.returned[reply].saturating_sub(columns.returned[*put]);
                        record(Staleness::VisibilityLag, lag);
                    }
                    *place += 1;
                }
            }
        }
    }
}

/// Puts that have been acknowledged, by how many puts were invoked after them: counts and earliest
/// acknowledgements of those invoked last (Fenwick trees).
struct Missed {
    counts: Vec<u64>,
    oldest: Vec<u64>,
}

impl Missed {
    fn new(puts: usize) -> Self {
        Self {
            counts: vec![0; puts + 1],
            oldest: vec![u64::MAX; puts + 1],
        }
    }

    /// Adds a put that `later` puts were invoked after.
    fn add(&mut self, later: usize, acknowledged: u64) {
        let mut place = later + 1;
        while place < self.counts.len() {
            self.counts[place] += 1;
            self.oldest[place] = self.oldest[place].min(acknowledged);
            place += place & place.wrapping_neg();
        }
    }

    /// How many of the `last` puts by invoke are acknowledged, and since when the oldest is.
    fn of_last(&self, last: usize) -> (u64, Option<u64>) {
        let (mut count, mut oldest, mut place) = (0, u64::MAX, last);
        while place > 0 {
            count += self.counts[place];
            oldest = oldest.min(self.oldest[place]);
            place &= place - 1;
        }
        (count, (count > 0).then_some(oldest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::Header;
    use super::super::operation::{Row, Witness, dot, value_id};
    use super::*;

    fn put(session: u32, invoke: u64, returned: u64) -> Row<'static> {
        Row {
            session,
            kind: Kind::Put,
            written: value_id(session, 0),
            invoke,
            returned: Some(returned),
            ..Row::EMPTY
        }
    }

    fn measured(rows: Vec<Row<'_>>, what: Staleness) -> Vec<u64> {
        let history = History::from_rows(Header::default(), rows);
        let mut values = Vec::new();
        staleness(&history, |kind, value| {
            if kind == what {
                values.push(value);
            }
        });
        values
    }

    fn get(read: &[u64], invoke: u64) -> Row<'_> {
        Row {
            session: 9,
            read,
            invoke,
            returned: Some(invoke + 1),
            ..Row::EMPTY
        }
    }

    #[test]
    fn a_get_misses_what_was_acknowledged_after_all_that_it_returned() {
        let first = [value_id(0, 0)];
        let rows = vec![
            put(0, 0, 10),
            put(1, 20, 30),
            put(2, 40, 50),
            get(&first, 60),
        ];
        assert_eq!(measured(rows.clone(), Staleness::Versions), [2]);
        assert_eq!(measured(rows, Staleness::Delta), [30]);
    }

    #[test]
    fn a_get_of_the_initial_value_misses_every_acknowledged_put() {
        let rows = vec![put(0, 0, 10), put(1, 5, 70), get(&[], 60)];
        assert_eq!(measured(rows.clone(), Staleness::Versions), [1]);
        assert_eq!(measured(rows, Staleness::Delta), [50]);
    }

    #[test]
    fn a_put_that_was_concurrent_with_what_was_returned_is_not_missed() {
        let first = [value_id(0, 0)];
        let rows = vec![put(0, 0, 30), put(1, 20, 40), get(&first, 60)];
        assert_eq!(measured(rows.clone(), Staleness::Versions), [0]);
        assert_eq!(measured(rows, Staleness::Delta), [0]);
    }

    #[test]
    fn the_tree_agrees_with_counting() {
        for seed in 0..200u64 {
            let at = |i: u64, bound: u64| (seed * 31 + i * 17 + i * i * seed) % bound;
            let mut rows = Vec::new();
            for i in 0..12 {
                let invoke = at(i, 50);
                rows.push(put(i as u32, invoke, invoke + 1 + at(i + 3, 9)));
            }
            let shown = [value_id(at(5, 12) as u32, 0)];
            rows.push(get(&shown, 40));
            let until = rows[at(5, 12) as usize].returned.unwrap();
            let missed = rows[..12]
                .iter()
                .filter(|p| p.invoke > until && p.returned < Some(40));
            let oldest = missed.clone().filter_map(|p| p.returned).min();
            let count = missed.count() as u64;
            assert_eq!(
                measured(rows.clone(), Staleness::Versions),
                [count],
                "seed {seed}"
            );
            assert_eq!(
                measured(rows, Staleness::Delta),
                [oldest.map_or(0, |t| 40 - t)]
            );
        }
    }

    #[test]
    fn a_vector_shows_what_its_replica_had_applied() {
        let (own, later) = ([dot(0, 0, 1)], [dot(0, 0, 1), dot(1, 0, 1)]);
        let rows = vec![
            Row {
                witness: Witness::Put {
                    dot: own[0],
                    vector: &own,
                },
                ..put(0, 0, 10)
            },
            Row {
                node: 1,
                witness: Witness::Put {
                    dot: later[1],
                    vector: &later,
                },
                ..put(1, 20, 35)
            },
        ];
        assert_eq!(measured(rows, Staleness::VisibilityLag), [25]);
    }

    #[test]
    fn a_larger_version_shows_that_a_smaller_one_had_been_applied() {
        let version = |time| Witness::Version(Some(Version { time, origin: 0 }));
        let read = [value_id(1, 0)];
        let rows = vec![
            Row {
                witness: version(1),
                ..put(0, 0, 10)
            },
            Row {
                witness: version(2),
                ..put(1, 20, 30)
            },
            Row {
                node: 1,
                witness: version(2),
                ..get(&read, 40)
            },
        ];
        assert_eq!(measured(rows, Staleness::VisibilityLag), [31, 11]);
    }
}
