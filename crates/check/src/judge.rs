//! The short way from a history to a verdict, for a test.

use crate::checker::{Engine, JudgedBy, Model, Options, Report, Standing, VerdictWord, check};
use crate::history::{History, NEVER, Phase};

/// What a verdict says of a history of several processes that did one thing after another.
const NO_RACE: &str = "no operations of different processes overlapped, so that nothing raced";

impl History {
    /// Holds the history to one model and to no other, by the direct algorithms. [`check`] has more
    /// to choose.
    ///
    /// ```
    /// use kvs_check::{Get, Model, Put, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
    /// alice.invoke(Put("x", 1)).ok(());
    /// bob.invoke(Get("x")).ok(None); // stale
    /// let history = recorder.finish();
    /// assert!(history.check(Model::Linearizable).is_invalid());
    /// assert!(history.check(Model::Sequential).is_valid());
    /// ```
    #[must_use]
    pub fn check(&self, model: Model) -> Report {
        let options = Options {
            judged_by: JudgedBy::Model(model),
            verdict_only: true,
            engine: Engine::Direct,
            ..Options::default()
        };
        let mut report = check(self, &options);
        report.ladder.retain(|rung| rung.model == model);
        // A question beside the model's own, which only an answer makes worth a line.
        report.checks.retain(|check| {
            model.properties().contains(&check.property) || check.verdict.is_invalid()
        });
        if report.is_valid() && self.has_processes() && self.overlapping() == 0 {
            report.remarks.push(NO_RACE.to_owned());
        }
        report
    }

    /// Holds the history to every model, by the direct algorithms; the verdict is on the strongest
    /// that applies to it. [`Report::standing`] tells how it stands to each.
    ///
    /// ```
    /// use kvs_check::{Get, Model, Put, Recorder, Standing};
    ///
    /// let recorder = Recorder::new();
    /// let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
    /// alice.invoke(Put("x", 1)).ok(());
    /// bob.invoke(Get("x")).ok(None); // stale
    /// let report = recorder.finish().ladder();
    /// assert_eq!(report.standing(Model::Linearizable), Standing::Broken);
    /// assert_eq!(report.standing(Model::Sequential), Standing::Held);
    /// ```
    #[must_use]
    pub fn ladder(&self) -> Report {
        let options = Options {
            judged_by: JudgedBy::Ladder,
            engine: Engine::Direct,
            ..Options::default()
        };
        check(self, &options)
    }
}

impl History {
    /// How many operations had one of another process under way at the same time, on whatever key.
    ///
    /// A test in which few have raced little: its threads may have run one after another, and then
    /// a store that goes wrong under concurrency passes. Operations whose end nobody knows do not
    /// count.
    ///
    /// ```
    /// use kvs_check::{Get, Put, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
    /// let put = alice.invoke(Put("x", 1));
    /// bob.invoke(Get("x")).ok(None); // while the put is under way
    /// put.ok(());
    /// bob.invoke(Get("x")).ok(Some(1)); // after it
    /// assert_eq!(recorder.finish().overlapping(), 2);
    /// ```
    #[must_use]
    pub fn overlapping(&self) -> usize {
        let columns = &self.columns;
        let times = { columns.invoke.iter() }.zip(&columns.returned);
        let mut times: Vec<(u64, u64)> = times
            .map(|(invoke, returned)| (*invoke, *returned))
            .filter(|(_, returned)| *returned != NEVER)
            .collect();
        times.sort_unstable();
        let mut latest = 0;
        let overlaps = (0..times.len()).filter(|at| {
            let (invoke, returned) = times[*at];
            let before = latest > invoke;
            latest = latest.max(returned);
            before || times.get(at + 1).is_some_and(|next| next.0 < returned)
        });
        overlaps.count()
    }

    /// Whether more than one process did something, as far as processes are named.
    fn has_processes(&self) -> bool {
        let mut processes = (0..self.len())
            .filter(|row| self.columns.phase[*row] == Phase::Run)
            .filter_map(|row| self.places.at(row))
            .map(|place| place.process);
        let first = processes.next();
        processes.any(|process| Some(process) != first)
    }
}

impl Report {
    /// Whether the verdict is `valid`: every operation that was recorded is explained. `unknown` is
    /// not.
    ///
    /// ```
    /// use kvs_check::{History, Model};
    ///
    /// let nothing = History::default().check(Model::Linearizable);
    /// assert!(!nothing.is_valid() && !nothing.is_invalid());
    /// ```
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.verdict() == VerdictWord::Valid
    }

    /// Whether the verdict is `invalid`: there are operations that prove it.
    ///
    /// ```
    /// use kvs_check::{Get, Model, Recorder};
    ///
    /// let recorder: Recorder<&str, u32> = Recorder::new();
    /// recorder.process("alice").invoke(Get("x")).ok(Some(7)); // nobody wrote that
    /// assert!(recorder.finish().check(Model::Linearizable).is_invalid());
    /// ```
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.verdict() == VerdictWord::Invalid
    }

    /// How the history stands to a model; `Unknown` where it was not held to that.
    ///
    /// ```
    /// use kvs_check::{History, Model, Standing};
    ///
    /// let report = History::default().ladder();
    /// assert_eq!(report.standing(Model::Causal), Standing::Unknown);
    /// ```
    #[must_use]
    pub fn standing(&self, model: Model) -> Standing {
        let own = self.ladder.iter().find(|rung| rung.model == model);
        own.map_or(Standing::Unknown, |rung| rung.standing)
    }

    /// Fails a test whose history is not valid.
    ///
    /// ```should_panic
    /// use kvs_check::{Get, Model, Put, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
    /// alice.invoke(Put("x", 1)).ok(());
    /// bob.invoke(Get("x")).ok(None);
    /// recorder.finish().check(Model::Linearizable).assert_valid();
    /// ```
    ///
    /// # Panics
    /// When the verdict is `invalid` or `unknown`, with the whole report: the operations that prove
    /// it, or what is missing.
    #[track_caller]
    pub fn assert_valid(&self) {
        assert!(self.is_valid(), "the history is {}", self.explained());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cas, Get, Put, Recorder};

    #[test]
    fn every_sentence_calls_values_as_the_test_does() {
        let recorder = Recorder::new();
        let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
        alice.invoke(Put("x", "red")).ok(());
        alice.invoke(Put("x", "blue")).ok(());
        bob.invoke(Get("x")).ok(Some("blue"));
        bob.invoke(Get("x")).ok(Some("red"));
        let report = recorder.finish().ladder();
        assert!(report.is_invalid());
        let mut explained = 0;
        for anomaly in report
            .checks
            .iter()
            .flat_map(|check| check.verdict.anomalies())
        {
            let text = anomaly.to_string();
            assert!(text.contains("red"), "{text}");
            assert!(
                !text.contains("0:") && !text.contains("session 0"),
                "{text}"
            );
            explained += 1;
        }
        assert!(explained > 3, "{}", report.explained());
    }

    #[test]
    fn one_model_is_judged_and_no_other_is_spoken_of() {
        let recorder = Recorder::new();
        recorder.process("alice").invoke(Put(1, 1)).ok(());
        let report = recorder.finish().check(Model::Linearizable);
        assert_eq!(report.standing(Model::Linearizable), Standing::Held);
        assert_eq!(report.standing(Model::Sequential), Standing::Unknown);
        assert!(!report.to_string().contains("ladder"), "{report}");
    }

    #[test]
    fn a_search_for_one_model_says_nothing_of_what_it_cannot_judge() {
        let recorder = Recorder::new();
        let alice = recorder.process("alice");
        alice.invoke(Cas("x", None, 1)).ok(true);
        alice.invoke(Get("x")).ok(Some(1));
        let report = recorder.finish().check(Model::Linearizable);
        assert!(report.is_valid(), "{report}");
        assert!(!report.to_string().contains("unknown "), "{report}");
    }

    #[test]
    fn operations_overlap_where_each_begins_before_the_other_ends() {
        let recorder = Recorder::new();
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| recorder.process(name));
        alice.invoke(Put("x", 1)).ok(());
        let long = alice.invoke(Put("x", 2));
        bob.invoke(Get("y")).ok(None);
        bob.invoke(Get("y")).ok(None);
        long.ok(());
        drop(carol.invoke(Put("y", 1))); // under way for ever
        bob.invoke(Get("x")).ok(Some(2));
        let history = recorder.finish();
        assert_eq!(history.overlapping(), 3);
        assert_eq!(History::default().overlapping(), 0);
        assert_eq!(history.check(Model::Linearizable).remarks, [""; 0]);
    }

    #[test]
    fn a_valid_verdict_says_where_processes_did_one_thing_after_another() {
        let said = |names: [&str; 2]| {
            let recorder = Recorder::new();
            let [writer, reader] = names.map(|name| recorder.process(name));
            writer.invoke(Put("x", 1)).ok(());
            let get = if names[0] == names[1] {
                &writer
            } else {
                &reader
            };
            get.invoke(Get("x")).ok(Some(1));
            recorder.finish().check(Model::Linearizable)
        };
        let raceless = said(["alice", "bob"]);
        assert!(raceless.is_valid());
        assert!(raceless.to_string().contains(NO_RACE), "{raceless}");
        assert_eq!(said(["alice", "alice"]).remarks, [""; 0]);
    }

    #[cfg(not(feature = "stateright"))]
    #[test]
    fn without_stateright_its_engine_is_refused_by_the_name_of_the_feature() {
        let recorder = Recorder::new();
        let alice = recorder.process("alice");
        alice.invoke(Put(1, 1)).ok(());
        alice.invoke(Get(1)).ok(Some(1));
        let history = recorder.finish();
        for (engine, expected) in [
            (Engine::Stateright, VerdictWord::Unknown),
            (Engine::Both, VerdictWord::Valid),
            (Engine::Direct, VerdictWord::Valid),
        ] {
            let options = Options {
                judged_by: JudgedBy::Model(Model::Linearizable),
                engine,
                ..Options::default()
            };
            let report = check(&history, &options);
            assert_eq!(report.verdict(), expected, "{report}");
            let text = report.to_string();
            let verdict = text.lines().next().unwrap_or_default();
            let names_it = verdict.contains("without its feature `stateright`");
            assert_eq!(names_it, engine != Engine::Direct, "{report}");
        }
    }

    #[cfg(not(feature = "arrow"))]
    #[test]
    fn without_arrow_its_files_are_refused_by_the_name_of_the_feature() {
        use std::io::Write as _;

        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])
            .unwrap();
        let options = crate::history::ImportOptions::default();
        for error in [
            History::read(file.path()).unwrap_err(),
            crate::history::read_history(file.path(), None, &options).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.contains("without its feature `arrow`"), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
