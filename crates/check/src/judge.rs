//! The short way from a history to a verdict, for a test.

use crate::checker::{Engine, JudgedBy, Model, Options, Outcome, Report, Standing, check};
use crate::history::History;

impl History {
    /// Holds the history to one model and to no other, by the direct algorithms. [`check`] has more to choose.
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
        self.outcome() == Outcome::Valid
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
        self.outcome() == Outcome::Invalid
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
    use crate::{Get, Put, Recorder};

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

    #[cfg(not(feature = "stateright"))]
    #[test]
    fn without_stateright_its_engine_is_refused_by_the_name_of_the_feature() {
        let recorder = Recorder::new();
        let alice = recorder.process("alice");
        alice.invoke(Put(1, 1)).ok(());
        alice.invoke(Get(1)).ok(Some(1));
        let history = recorder.finish();
        for (engine, outcome) in [
            (Engine::Stateright, Outcome::Unknown),
            (Engine::Both, Outcome::Valid),
            (Engine::Direct, Outcome::Valid),
        ] {
            let options = Options {
                judged_by: JudgedBy::Model(Model::Linearizable),
                engine,
                ..Options::default()
            };
            let report = check(&history, &options);
            assert_eq!(report.outcome(), outcome, "{report}");
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
