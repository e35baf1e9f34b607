//! The models of registers against their definitions, by trying everything, on random small
//! histories.

use super::super::index::Index;
use super::super::single_value;
use super::super::verdict::Verdict;
use super::contest::text;
use super::generate::{self, Random, Store};
use crate::history::{History, Kind};

const HISTORIES: u64 = 4_000;
const EACH_MIN: u64 = 400;

/// What a register's history is made of: happens-before, and the puts and gets on each key.
struct Causes<'a, 'h> {
    index: &'a Index<'h>,
    rows: Vec<usize>,
    before: Vec<Vec<bool>>,
}

impl<'a, 'h> Causes<'a, 'h> {
    fn new(index: &'a Index<'h>) -> Self {
        let rows: Vec<usize> = (0..index.history.len())
            .filter(|row| index.counts(*row))
            .collect();
        let n = rows.len();
        let columns = index.columns;
        let mut before = vec![vec![false; n]; n];
        for a in 0..n {
            for b in 0..n {
                let (x, y) = (rows[a], rows[b]);
                before[a][b] = (columns.session[x] == columns.session[y]
                    && columns.index[x] < columns.index[y])
                    || (columns.kind[y] == Kind::Get && index.puts_read(y) == [x as u32]);
            }
        }
        for via in 0..n {
            for a in 0..n {
                for b in 0..n {
                    before[a][b] |= before[a][via] && before[via][b];
                }
            }
        }
        Self {
            index,
            rows,
            before,
        }
    }

    fn is_circular(&self) -> bool {
        (0..self.rows.len()).any(|a| self.before[a][a])
    }

    fn gets(&self) -> impl Iterator<Item = usize> {
        (0..self.rows.len()).filter(|a| self.index.columns.kind[self.rows[*a]] == Kind::Get)
    }

    fn puts(&self) -> Vec<usize> {
        let is_put = |a: &usize| self.index.columns.kind[self.rows[*a]] == Kind::Put;
        (0..self.rows.len()).filter(is_put).collect()
    }

    /// What a get returns when the puts happened in this order.
    fn returns(&self, get: usize, order: &[usize]) -> bool {
        let key = |a: usize| self.index.key[self.rows[a]];
        let last = order
            .iter()
            .rev()
            .find(|put| key(**put) == key(get) && self.before[**put][get]);
        let read = self
            .index
            .puts_read(self.rows[get])
            .first()
            .map(|row| *row as usize);
        last.map(|put| self.rows[*put]) == read
    }

    /// Whether some order of the puts that keeps happens-before satisfies `holds`.
    fn some_order(&self, holds: &impl Fn(&[usize]) -> bool) -> bool {
        let mut left = self.puts();
        self.extend(&mut left, &mut Vec::new(), holds)
    }

    fn extend(
        &self,
        left: &mut Vec<usize>,
        order: &mut Vec<usize>,
        holds: &impl Fn(&[usize]) -> bool,
    ) -> bool {
        if left.is_empty() {
            return holds(order);
        }
        for place in 0..left.len() {
            let put = left[place];
            if left.iter().any(|other| self.before[*other][put]) {
                continue;
            }
            left.remove(place);
            order.push(put);
            let found = self.extend(left, order, holds);
            order.pop();
            left.insert(place, put);
            if found {
                return true;
            }
        }
        false
    }
}

/// Every get for itself: some order of what it had seen explains it.
fn causally_consistent(causes: &Causes<'_, '_>) -> bool {
    !causes.is_circular()
        && causes
            .gets()
            .all(|get| causes.some_order(&|order| causes.returns(get, order)))
}

/// All gets together: one order of the puts explains them.
fn causally_convergent(causes: &Causes<'_, '_>) -> bool {
    !causes.is_circular()
        && causes.some_order(&|order| causes.gets().all(|get| causes.returns(get, order)))
}

/// A history of registers: replicas without session contexts, some gets changed.
fn history(seed: u64) -> History {
    let mut random = Random(seed);
    let store = if seed.is_multiple_of(3) {
        Store::Register
    } else {
        Store::Lww
    };
    let mut ops = generate::valid(&mut random, store, 4 + (seed % 7) as usize);
    for _ in 0..random.below(4) {
        generate::mutate_visibly(&mut random, store, &mut ops);
    }
    generate::history(store, &ops)
}

#[test]
fn bad_patterns_and_all_orders_of_the_puts_agree_on_registers() {
    let mut counts = [[0u64; 2]; 2];
    for seed in 0..HISTORIES {
        let history = history(seed);
        let index = Index::new(&history).unwrap();
        let causes = Causes::new(&index);
        if causes.rows.is_empty() {
            continue;
        }
        let expected = [causally_consistent(&causes), causally_convergent(&causes)];
        for (at, check) in single_value::check(&index).into_iter().enumerate() {
            let agrees = match check.verdict {
                Verdict::Valid => expected[at],
                Verdict::Invalid { .. } => !expected[at],
                Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => false,
            };
            assert!(
                agrees,
                "{check}, expected {}, seed {seed}:\n{}",
                expected[at],
                text(&history)
            );
            counts[at][usize::from(expected[at])] += 1;
        }
        assert!(expected[0] || !expected[1], "ccv without cc, seed {seed}");
    }
    println!("cc, ccv: {counts:?} invalid and valid");
    assert!(
        counts.iter().flatten().all(|count| *count >= EACH_MIN),
        "{counts:?}"
    );
}

#[test]
fn some_histories_are_causally_consistent_and_do_not_converge() {
    let apart = (0..HISTORIES).filter(|seed| {
        let history = history(*seed);
        let index = Index::new(&history).unwrap();
        let [cc, ccv] = single_value::check(&index);
        cc.verdict.is_valid() && ccv.verdict.is_invalid()
    });
    assert!(apart.count() > 0);
}

/// Whether for each key some order of its values has every replica go up in it.
fn arbitrable(history: &History) -> bool {
    let index = Index::new(history).unwrap();
    let columns = &history.columns;
    (0..index.by_key.len()).all(|key| {
        let shown: Vec<(usize, Option<usize>)> = index
            .by_key
            .at(key)
            .iter()
            .map(|row| *row as usize)
            .filter_map(|row| match columns.kind[row] {
                Kind::Put | Kind::Cas | Kind::Append => {
                    (index.returned(row) != crate::history::NEVER).then_some((row, Some(row)))
                }
                Kind::Get => index
                    .is_usable_get(row)
                    .then(|| (row, index.puts_read(row).first().map(|put| *put as usize))),
            })
            .collect();
        let mut before: Vec<(Option<usize>, Option<usize>)> = Vec::new();
        for (a, earlier) in &shown {
            for (b, later) in &shown {
                let one_replica = columns.node[*a] == columns.node[*b];
                let follows = index.fine_return(*a) < index.fine_invoke(*b);
                if earlier != later && one_replica && (follows || earlier.is_none()) {
                    before.push((*earlier, *later));
                }
            }
        }
        let mut left: Vec<Option<usize>> = shown.iter().map(|(_, value)| *value).collect();
        left.sort_unstable();
        left.dedup();
        // Whatever can come first may: an order exists iff this never gets stuck.
        while let Some(first) = left
            .iter()
            .position(|value| before.iter().all(|(a, b)| b != value || !left.contains(a)))
        {
            left.remove(first);
        }
        left.is_empty()
    })
}

#[test]
fn what_replicas_showed_and_all_pairs_of_exposures_agree_on_last_write_wins() {
    let mut counts = [0u64; 2];
    for seed in 0..HISTORIES {
        let mut random = Random(seed);
        let mut ops = generate::valid(&mut random, Store::Lww, 4 + (seed % 12) as usize);
        for _ in 0..random.below(4) {
            generate::mutate_visibly(&mut random, Store::Lww, &mut ops);
        }
        let history = generate::history(Store::Lww, &ops);
        let expected = arbitrable(&history);
        let index = Index::new(&history).unwrap();
        match super::super::lww_black_box::check(&index).verdict {
            Verdict::Valid => assert!(expected, "valid, seed {seed}:\n{}", text(&history)),
            Verdict::Invalid { .. } => {
                assert!(!expected, "invalid, seed {seed}:\n{}", text(&history));
            }
            Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => continue,
        }
        counts[usize::from(expected)] += 1;
    }
    println!("lww black box: {counts:?} invalid and valid");
    assert!(counts.iter().all(|count| *count >= EACH_MIN), "{counts:?}");
}
