//! The recorder, with correct stores and wrong ones.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Barrier, Mutex};
use std::thread;

use super::{Call, Cas, Get, Process, Put, Recorder};
use crate::checker::{Model, Property, Report, Standing};
use crate::history::{ErrorKind, History, Outcome, write_json_lines};

type Texts = Recorder<&'static str, u32>;

fn linearizable<K, V>(recorder: Recorder<K, V>) -> Report
where
    K: Eq + std::hash::Hash + std::fmt::Debug,
    V: Eq + std::hash::Hash + std::fmt::Debug,
{
    recorder.finish().check(Model::Linearizable)
}

/// Alice puts 1 and 2; what a get of Bob's finds then.
fn two_puts(found: Option<u32>) -> Report {
    let recorder = Texts::new();
    let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
    alice.invoke(Put("x", 1)).ok(());
    alice.invoke(Put("x", 2)).ok(());
    bob.invoke(Get("x")).ok(found);
    linearizable(recorder)
}

#[test]
fn a_stale_read_is_refuted_in_the_words_of_the_test() {
    assert!(two_puts(Some(2)).is_valid());
    let stale = two_puts(Some(1));
    assert!(stale.is_invalid(), "{stale}");
    for text in [stale.to_string(), stale.explained().to_string()] {
        for word in [
            "process alice #1 put \"x\" = 2 [0.",
            "process bob #0 get \"x\" -> 1 [0.",
        ] {
            assert!(text.contains(word), "{word} is missing:\n{text}");
        }
        assert!(!text.contains("session 0"), "{text}");
    }
}

#[test]
fn a_read_of_nothing_and_a_read_of_what_nobody_wrote_are_refuted() {
    for wrong in [None, Some(3)] {
        let report = two_puts(wrong);
        assert!(report.is_invalid(), "{report}");
    }
}

#[test]
fn a_store_that_loses_an_update_is_refuted() {
    // Both add one to what they read; the second get of Bob's decides.
    let counted = |last| {
        let recorder = Texts::with_initial(0);
        let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
        alice.invoke(Cas("n", Some(0), 1)).ok(true);
        bob.invoke(Cas("n", Some(last), last + 1)).ok(true);
        bob.invoke(Get("n")).ok(Some(last + 1));
        linearizable(recorder)
    };
    assert!(counted(1).is_valid());
    let lost = counted(0);
    assert!(lost.is_invalid(), "{lost}");
}

#[test]
fn a_call_that_is_dropped_may_have_taken_effect_or_not_but_not_both() {
    let seen = |reads: [Option<u32>; 2]| {
        let recorder = Texts::new();
        let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
        drop(alice.invoke(Put("x", 1)));
        for read in reads {
            bob.invoke(Get("x")).ok(read);
        }
        linearizable(recorder)
    };
    for allowed in [[None, None], [None, Some(1)], [Some(1), Some(1)]] {
        let report = seen(allowed);
        assert!(report.is_valid(), "{report}");
        assert_eq!(report.totals.info, 1);
    }
    let report = seen([Some(1), None]);
    assert!(report.is_invalid(), "{report}");
}

#[test]
fn what_failed_had_no_effect() {
    let recorder = Texts::new();
    let alice = recorder.process("alice");
    alice.invoke(Put("x", 1)).fail();
    alice.invoke(Get("x")).ok(Some(1));
    assert!(linearizable(recorder).is_invalid());
}

#[test]
fn equal_values_of_different_writers_are_one_value() {
    let last = |found| {
        let recorder = Texts::new();
        let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
        alice.invoke(Put("x", 7)).ok(());
        bob.invoke(Put("x", 8)).ok(());
        bob.invoke(Put("x", 7)).ok(());
        alice.invoke(Get("x")).ok(Some(found));
        recorder.finish()
    };
    let history = last(7);
    assert_eq!(history.columns.written[0], history.columns.written[2]);
    assert!(history.check(Model::Linearizable).is_valid());
    let report = last(8).check(Model::Linearizable);
    assert!(report.is_invalid(), "{report}");
}

#[test]
fn values_that_are_written_once_are_judged_without_a_search() {
    let values_of = |value: fn(u32) -> u32| {
        let recorder = Texts::new();
        let alice = recorder.process("alice");
        for i in 0..10 {
            alice.invoke(Put("x", value(i))).ok(());
            alice.invoke(Get("x")).ok(Some(value(i)));
        }
        linearizable(recorder)
    };
    let (once, again) = (values_of(|i| i), values_of(|i| i / 2));
    assert!(once.is_valid() && again.is_valid(), "{once}{again}");
    // The passes over unique values begin with that of integrity, which searches do not have.
    assert!(once.check(Property::Integrity).is_some());
    assert!(again.check(Property::Integrity).is_none());
}

#[test]
fn equal_values_of_two_keys_have_nothing_to_do_with_each_other() {
    let recorder = Texts::new();
    let alice = recorder.process("alice");
    alice.invoke(Put("x", 1)).ok(());
    alice.invoke(Put("y", 1)).ok(());
    alice.invoke(Get("y")).ok(Some(1));
    let report = linearizable(recorder);
    assert!(report.is_valid(), "{report}");
    assert!(report.check(Property::Integrity).is_some());
}

#[test]
fn a_compare_and_set_that_found_another_value_says_so_and_a_failed_one_does_not() {
    let ended = |end: fn(Call<&'static str, u32, Cas<&'static str, u32>>)| {
        let recorder = Texts::new();
        let alice = recorder.process("alice");
        alice.invoke(Put("x", 1)).ok(());
        end(alice.invoke(Cas("x", Some(1), 2)));
        recorder.finish()
    };
    let mismatch = ended(|call| call.ok(false));
    assert_eq!(mismatch.row(1).error, Some(ErrorKind::Mismatch));
    let report = mismatch.check(Model::Linearizable);
    assert!(report.is_invalid(), "{report}");
    let failed = ended(Call::fail).check(Model::Linearizable);
    assert!(!failed.is_invalid(), "{failed}");
}

#[test]
fn what_a_store_holds_at_first_can_be_read_until_it_is_overwritten() {
    let reads = |before, after, puts_it_again: bool| {
        let recorder = Texts::with_initial(0);
        let alice = recorder.process("alice");
        alice.invoke(Get("x")).ok(before);
        alice.invoke(Put("x", 1)).ok(());
        if puts_it_again {
            alice.invoke(Put("x", 0)).ok(());
        }
        alice.invoke(Get("x")).ok(after);
        linearizable(recorder)
    };
    for good in [
        reads(Some(0), Some(1), false),
        reads(Some(0), Some(0), true),
    ] {
        assert!(good.is_valid(), "{good}");
    }
    for bad in [
        reads(Some(0), Some(0), false),
        reads(Some(0), Some(1), true),
        reads(None, Some(1), false),
        reads(None, Some(0), true),
    ] {
        assert!(bad.is_invalid(), "{bad}");
    }
}

#[test]
fn a_session_ends_where_nobody_knows_what_became_of_its_operation() {
    let recorder = Texts::new();
    let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
    alice.invoke(Put("x", 1)).info();
    alice.invoke(Put("x", 2)).ok(());
    let overlapped = alice.invoke(Put("x", 3));
    alice.invoke(Put("x", 4)).ok(());
    overlapped.ok(());
    alice.invoke(Put("x", 5)).fail();
    bob.invoke(Put("x", 6)).ok(());
    let history = recorder.finish();
    assert_eq!(history.columns.session, [0, 1, 1, 2, 2, 3]);
    assert_eq!(history.columns.index, [0, 1, 2, 3, 4, 0]);
    for row in 0..5 {
        let name = format!("process alice #{row}");
        assert_eq!(history.operation_name(row), name);
    }
}

#[test]
fn what_is_info_may_take_effect_long_after_it_was_given_up() {
    for give_up in [Call::info, drop] {
        let recorder = Texts::new();
        let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
        give_up(alice.invoke(Put("x", 1)));
        bob.invoke(Get("x")).ok(None);
        bob.invoke(Get("x")).ok(Some(1));
        let history = recorder.finish();
        assert_eq!(history.row(0).returned, None);
        let report = history.check(Model::Linearizable);
        assert!(report.is_valid(), "{report}");
    }
}

#[test]
fn processes_of_one_name_are_told_apart() {
    let recorder = Texts::new();
    for name in ["w", "w (2)", "w", "w", "line\nbreak"] {
        recorder.process(name).invoke(Get("x")).ok(None);
    }
    let history = recorder.finish();
    let names: Vec<String> = (0..5).map(|row| history.operation_name(row)).collect();
    let expected = ["w", "w (2)", "w (3)", "w (4)", "line break"];
    assert_eq!(
        names,
        expected.map(|name| format!("process {name} #0")),
        "{names:?}"
    );
}

#[test]
fn racing_threads_record_every_operation_once_and_in_the_order_of_time() {
    const THREADS: u32 = 8;
    const EACH: u32 = 500;
    let recorder = Recorder::new();
    let store = Mutex::new(HashMap::new());
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for id in 0..THREADS {
            let process = recorder.process(format!("worker {id}"));
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                for i in 0..EACH {
                    let (key, value) = (i % 3, id * EACH + i);
                    let call = process.invoke(Put(key, value));
                    store.lock().unwrap().insert(key, value);
                    call.ok(());
                    let call = process.invoke(Get(key));
                    call.ok(store.lock().unwrap().get(&key).copied());
                }
            });
        }
    });
    let history = recorder.finish();
    let columns = &history.columns;
    assert_eq!(history.len() as u32, 2 * THREADS * EACH);
    let written: BTreeSet<u64> = (0..history.len())
        .filter(|row| columns.kind[*row] == crate::history::Kind::Put)
        .map(|row| columns.written[row])
        .collect();
    assert_eq!(written.len() as u32, THREADS * EACH);
    let mut times: Vec<u64> = Vec::new();
    for row in 0..history.len() {
        assert!(columns.invoke[row] < columns.returned[row]);
        times.extend([columns.invoke[row], columns.returned[row]]);
    }
    let instants: BTreeSet<&u64> = times.iter().collect();
    assert_eq!(instants.len(), times.len(), "no instant is given twice");
    assert!(columns.invoke.is_sorted());
    history.check(Model::Linearizable).assert_valid();
}

#[test]
fn another_thread_may_say_how_an_operation_ended() {
    let recorder = Recorder::new();
    let alice = recorder.process("alice".to_owned());
    let call = alice.invoke(Put("x".to_owned(), vec![1u8]));
    thread::spawn(move || call.ok(())).join().unwrap();
    let history = recorder.finish();
    assert_eq!(history.row(0).outcome, Outcome::Ok);
    assert_eq!(history.value_name(0), "[1]");
}

#[test]
fn a_thread_that_panics_leaves_an_unknown_operation_and_a_recorder_that_works() {
    let recorder = Texts::new();
    let alice = recorder.process("alice");
    let panicked = thread::scope(|scope| {
        let calls = scope.spawn(|| {
            let _call = alice.invoke(Put("x", 1));
            panic!("as a test of a store may");
        });
        calls.join().is_err()
    });
    assert!(panicked);
    alice.invoke(Get("x")).ok(Some(1));
    let report = linearizable(recorder);
    assert!(report.is_valid(), "{report}");
    assert_eq!(report.totals.info, 1);
}

#[test]
fn nothing_is_recorded_after_the_end() {
    let recorder = Texts::new();
    let (other, alice) = (recorder.clone(), recorder.process("alice"));
    let call = alice.invoke(Put("x", 1));
    let history = recorder.finish();
    call.ok(());
    alice.invoke(Put("x", 2)).ok(());
    other.process("late").invoke(Put("x", 3)).ok(());
    assert_eq!((history.len(), history.row(0).returned), (1, None));
    assert_eq!(history.row(0).outcome, Outcome::Info);
    let again = other.finish();
    assert!(again.is_empty());
    let report = again.check(Model::Linearizable);
    assert!(!report.is_valid() && !report.is_invalid(), "{report}");
}

#[test]
fn a_recorder_that_was_full_is_never_valid() {
    let recorded = |max| {
        let recorder = Texts::starting(None, max);
        let alice = recorder.process("alice");
        for i in 0..3 {
            alice.invoke(Put("x", i)).ok(());
            alice.invoke(Get("x")).ok(Some(i));
        }
        linearizable(recorder)
    };
    assert!(recorded(6).is_valid());
    let full = recorded(5);
    assert!(!full.is_valid() && !full.is_invalid(), "{full}");
    assert!(full.to_string().contains("takes 5 operations"), "{full}");
}

#[test]
fn a_history_in_which_nothing_was_read_says_so_and_one_answer_more_is_enough() {
    type Alice = Process<&'static str, u32>;
    let judged = |and_then: fn(&Alice)| {
        let recorder = Texts::new();
        let alice = recorder.process("alice");
        alice.invoke(Put("x", 1)).ok(());
        alice.invoke(Get("x")).fail();
        alice.invoke(Cas("x", Some(1), 2)).fail();
        drop(alice.invoke(Cas("x", Some(1), 3)));
        and_then(&alice);
        linearizable(recorder)
    };
    let nothing = judged(|_| {});
    let said = "nothing was read that could show a broken promise";
    assert_eq!(nothing.remarks, [said]);
    assert!(nothing.to_string().contains(said), "{nothing}");
    for enough in [
        |alice: &Alice| alice.invoke(Get("x")).ok(Some(1)),
        |alice: &Alice| alice.invoke(Cas("x", Some(1), 4)).ok(true),
        |alice: &Alice| alice.invoke(Cas("x", Some(9), 4)).ok(false),
    ] {
        let report = judged(enough);
        assert!(report.is_valid(), "{report}");
        assert_eq!(report.remarks, [""; 0]);
    }
    let wrong = judged(|alice| alice.invoke(Get("x")).ok(None));
    assert!(wrong.is_invalid(), "{wrong}");
}

#[test]
fn a_ladder_tells_how_a_history_stands_to_each_model() {
    let recorder = Texts::new();
    let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
    alice.invoke(Put("x", 1)).ok(());
    bob.invoke(Get("x")).ok(None);
    let report = recorder.finish().ladder();
    assert_eq!(report.standing(Model::Linearizable), Standing::Broken);
    assert_eq!(report.standing(Model::Sequential), Standing::Held);
    assert_eq!(report.standing(Model::ReadYourWrites), Standing::Held);
    assert!(report.is_invalid(), "{report}");
}

#[test]
fn a_test_that_fails_prints_the_operations_that_prove_it() {
    let panicked = |report: Report| {
        let failed = thread::spawn(move || report.assert_valid()).join();
        *failed.unwrap_err().downcast::<String>().unwrap()
    };
    let proof = panicked(two_puts(Some(1)));
    assert!(
        proof.starts_with("the history is invalid, held to: linearizable"),
        "{proof}"
    );
    assert!(proof.contains("process bob #0 get \"x\" -> 1"), "{proof}");
    let unknown = panicked(Texts::new().finish().check(Model::Linearizable));
    assert!(unknown.starts_with("the history is unknown"), "{unknown}");
}

#[test]
fn a_long_value_is_cut_in_explanations_and_stays_itself() {
    let recorder = Recorder::new();
    let alice = recorder.process("alice");
    let values = ["a", "b"].map(|end| "v".repeat(1_000) + end);
    for value in values {
        alice.invoke(Put(1, value)).ok(());
    }
    let history = recorder.finish();
    assert_ne!(history.columns.written[0], history.columns.written[1]);
    assert!(history.header.values.iter().all(|text| text.len() < 200));
}

#[test]
fn a_recorded_history_is_judged_alike_after_it_was_saved() {
    let recorder = Texts::new();
    let alice = recorder.process("alice");
    alice.invoke(Put("x", 1)).ok(());
    alice.invoke(Put("x", 2)).info();
    alice.invoke(Get("x")).ok(None);
    let history = recorder.finish();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write_json_lines(&history, file.as_file_mut()).unwrap();
    let read = History::read(file.path()).unwrap();
    assert_eq!(read.columns, history.columns);
    assert!(read.check(Model::Linearizable).is_invalid());
}

#[test]
fn handles_and_calls_may_go_to_other_threads() {
    const fn is_send<T: Send>() {}
    const fn is_sync<T: Sync>() {}
    is_send::<Call<String, Vec<u8>, Get<String>>>();
    is_send::<Process<String, Vec<u8>>>();
    is_sync::<Process<String, Vec<u8>>>();
    is_sync::<Recorder<String, Vec<u8>>>();
}
