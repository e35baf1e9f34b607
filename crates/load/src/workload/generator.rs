//! The steps of a run, one after the other, from the workload and the seed.

use kvs_core::drive::{KEY_COUNT_MAX, Step, StepKind};

use super::definition::Workload;
use super::frontier::Frontier;
use super::key_sampler::KeySampler;
use super::random::{Purpose, Stream};
use super::value_size::SizeSampler;

/// Draws the steps of a run. The steps depend on the workload, the seed and the order in which
/// inserts are answered, and on nothing else.
///
/// For every step of kind [`StepKind::Insert`], call [`Generator::insert_acknowledged`] or
/// [`Generator::insert_failed`] exactly once.
#[derive(Clone, Debug)]
pub struct Generator {
    /// A draw below the first is a read, below the second an update, below the third an insert,
    /// below the fourth a read-modify-write.
    thresholds: [f64; 4],
    kinds: Stream,
    sizes: Stream,
    keys: KeySampler,
    size: SizeSampler,
    frontier: Frontier,
    inserts_withheld: u64,
}

impl Generator {
    /// The generator of a run of `workload` (which must be valid) over its loaded records.
    #[must_use]
    pub fn new(workload: &Workload, seed: u64) -> Self {
        let mix = workload.mix;
        let read = mix.read;
        let update = read + mix.update;
        // What rounding leaves of 1 goes to the last kind that the mix has, never to an absent one.
        let insert = update + mix.insert;
        let read_modify_write = insert + mix.read_modify_write;
        let absent_above = |bound: f64, rest: f64| if rest > 0.0 { bound } else { f64::INFINITY };
        let after_insert = mix.read_modify_write + mix.compare_and_set;
        Self {
            thresholds: [
                absent_above(read, mix.update + mix.insert + after_insert),
                absent_above(update, mix.insert + after_insert),
                absent_above(insert, after_insert),
                absent_above(read_modify_write, mix.compare_and_set),
            ],
            kinds: Stream::new(seed, Purpose::Kinds),
            sizes: Stream::new(seed, Purpose::ValueSizes),
            keys: KeySampler::new(
                workload.distribution,
                workload.records,
                mix.insert > 0.0,
                seed,
            ),
            size: SizeSampler::new(workload.value_size),
            frontier: Frontier::new(workload.records, KEY_COUNT_MAX),
            inserts_withheld: 0,
        }
    }

    /// The next step. Never ends, hence no `Iterator`.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "there is always a next step")]
    pub fn next(&mut self) -> Step {
        match self.draw_kind() {
            StepKind::Insert => self.insert(),
            kind @ (StepKind::Read
            | StepKind::Update
            | StepKind::ReadModifyWrite
            | StepKind::CompareAndSet) => self.existing(kind),
        }
    }

    /// The insert of `key` took effect.
    ///
    /// # Panics
    /// When no insert of `key` is under way.
    pub fn insert_acknowledged(&mut self, key: u64) {
        self.frontier.acknowledge(key);
    }

    /// The insert of `key` failed, or its outcome is unknown: a later insert step tries it again.
    ///
    /// # Panics
    /// When no insert of `key` is under way.
    pub fn insert_failed(&mut self, key: u64) {
        self.frontier.fail(key);
    }

    /// How many keys certainly exist: they are 0 to this number.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.frontier.count()
    }

    /// How many inserts became updates, since [`super::UNACKNOWLEDGED_INSERTS_MAX`] keys stood
    /// unacknowledged (or the last key name was used).
    #[must_use]
    pub const fn inserts_withheld(&self) -> u64 {
        self.inserts_withheld
    }

    #[inline]
    fn draw_kind(&mut self) -> StepKind {
        let u = self.kinds.unit();
        let [read, update, insert, read_modify_write] = self.thresholds;
        if u < read {
            StepKind::Read
        } else if u < update {
            StepKind::Update
        } else if u < insert {
            StepKind::Insert
        } else if u < read_modify_write {
            StepKind::ReadModifyWrite
        } else {
            StepKind::CompareAndSet
        }
    }

    #[inline]
    fn existing(&mut self, kind: StepKind) -> Step {
        let value_bytes = match kind {
            StepKind::Read => 0,
            StepKind::Update
            | StepKind::Insert
            | StepKind::ReadModifyWrite
            | StepKind::CompareAndSet => self.size.sample(&mut self.sizes),
        };
        Step {
            kind,
            key: self.keys.sample(self.frontier.count()),
            value_bytes,
        }
    }

    fn insert(&mut self) -> Step {
        let Some(key) = self.frontier.begin() else {
            self.inserts_withheld += 1;
            return self.existing(StepKind::Update);
        };
        Step {
            kind: StepKind::Insert,
            key,
            value_bytes: self.size.sample(&mut self.sizes),
        }
    }
}

/// The steps that load a workload's records: one put for each key from 0 up, in order.
#[derive(Clone, Debug)]
pub struct LoadSteps {
    keys: std::ops::Range<u64>,
    size: SizeSampler,
    sizes: Stream,
}

impl LoadSteps {
    /// The load of `workload`.
    #[must_use]
    pub fn new(workload: &Workload, seed: u64) -> Self {
        Self {
            keys: 0..workload.records,
            size: SizeSampler::new(workload.value_size),
            sizes: Stream::new(seed, Purpose::LoadedValueSizes),
        }
    }
}

impl Iterator for LoadSteps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let key = self.keys.next()?;
        Some(Step {
            kind: StepKind::Insert,
            key,
            value_bytes: self.size.sample(&mut self.sizes),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.keys.size_hint()
    }
}
