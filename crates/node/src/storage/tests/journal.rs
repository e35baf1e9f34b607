//! The journal: what was acknowledged is found again, or its damage is, and nothing else is taken
//! for it.

use rand::RngExt;

use super::*;
use crate::storage::batch::Batch;
use crate::storage::frame::FRAME_BYTES_MAX;

/// A batch of lines alone.
fn lines(lines: &[&[u8]]) -> Batch {
    Batch {
        lines: lines.iter().map(|line| line.to_vec()).collect(),
        ..Batch::default()
    }
}

/// A journal that takes the place of the one before, with a key.
fn anew(lines: &[&[u8]]) -> Batch {
    Batch {
        records: vec![(b"key".to_vec(), Some(b"value".to_vec()))],
        journal: Some(lines.iter().map(|line| line.to_vec()).collect()),
        ..Batch::default()
    }
}

fn open(files: &MemoryFiles) -> Storage {
    files.open(&spec(0, RAFT)).unwrap()
}

/// The lines of these files.
fn found(bytes: &Bytes) -> Result<Vec<Vec<u8>>, StorageError> {
    let storage = MemoryFiles::new(bytes.clone()).open(&spec(0, RAFT))?;
    let mut lines = Vec::new();
    storage.restore(|change| {
        if let Persist::Entry { bytes } = change {
            lines.push(bytes.to_vec());
        }
    })?;
    Ok(lines)
}

/// Files to which these batches were committed one after the other.
fn committed(batches: &[Batch]) -> MemoryFiles {
    let files = MemoryFiles::default();
    let mut storage = open(&files);
    for batch in batches {
        storage.commit(batch).unwrap();
    }
    files
}

fn refused(bytes: &Bytes) -> String {
    found(bytes).expect_err("it is refused").to_string()
}

#[test]
fn a_raft_replica_comes_back_after_a_crash_at_each_write_and_sync_of_a_run() {
    let (mut lost, mut whole, mut after) = (0, 0, 0);
    while let Some(crashed) = crashed(RAFT, 0, after, false) {
        let found = crashed.found.expect("a crash is no damage");
        assert!(
            found == crashed.acknowledged || found == crashed.committing,
            "crash {after}: {found:?}"
        );
        lost += u64::from(found == crashed.acknowledged);
        whole += u64::from(found == crashed.committing);
        after += 1;
    }
    println!("{lost} without the last batch, {whole} with it");
    assert!(lost > 10 && whole > 10, "both happen: {lost}, {whole}");
}

/// All that matters to a replica comes through keys, a note, a journal and what takes its place.
#[test]
fn a_raft_replica_that_comes_back_at_any_time_is_what_recovering_leaves_of_it() {
    for seed in 0..10 {
        let mut pair = Pair::new(RAFT, seed);
        let files = MemoryFiles::default();
        let mut storage = open(&files);
        let mut rewritten = 0;
        for _ in 0..60 {
            for _ in 0..8 {
                pair.step();
            }
            let batch = pair.outs[0].changes.take(&pair.replicas[0]);
            rewritten += u64::from(batch.journal.is_some());
            storage.commit(&batch).unwrap();
            let found = restored(files.bytes(), RAFT).unwrap();
            assert_eq!(state_of(&found), state_of(&pair.replicas[0]), "seed {seed}");
        }
        assert!(rewritten > 2, "seed {seed}: {rewritten} new journals");
        let status = pair.replicas[0].status();
        assert!(status.keys > 3, "seed {seed}: {status:?}");
    }
}

#[test]
fn a_batch_that_a_crash_cut_short_is_dropped_and_the_next_takes_its_place() {
    let mut random = Pcg64::seed_from_u64(0);
    let mut kept = BTreeSet::new();
    for _ in 0..200 {
        let files = committed(&[lines(&[b"one"]), lines(&[b"two"])]);
        let mut storage = open(&files);
        // The write happens and the sync does not.
        files.crash_after(1);
        let long = [7; 100];
        assert!(storage.commit(&lines(&[&long, &long])).is_err());
        // What is left of it makes nothing of the next one, which a crash cuts short as well.
        let files = MemoryFiles::new(files.left_behind(&mut random));
        let mut storage = open(&files);
        files.crash_after(1);
        assert!(storage.commit(&lines(&[b"short"])).is_err());
        let files = MemoryFiles::new(files.left_behind(&mut random));
        let mut storage = open(&files);
        storage.commit(&lines(&[b"next"])).unwrap();
        let found = found(&files.bytes()).unwrap();
        let (begin, end) = (&found[..2], found.last().unwrap());
        assert_eq!(
            (begin, &**end),
            (&[b"one".to_vec(), b"two".to_vec()][..], &b"next"[..])
        );
        kept.insert(found.len());
    }
    assert_eq!(
        kept,
        BTreeSet::from([3, 4, 5, 6]),
        "whole batches or nothing"
    );
}

#[test]
fn lines_alone_cost_one_write_and_one_sync_and_the_engine_is_left_alone() {
    let files = committed(&[lines(&[b"first"])]);
    let mut storage = open(&files);
    let (engine, [journal, other]) = (&files.engine, &files.journal);
    let before = (
        engine.operations(),
        journal.operations(),
        other.operations(),
    );
    storage.commit(&lines(&[b"more", b"and more"])).unwrap();
    let (writes, syncs) = before.1;
    let after = (
        engine.operations(),
        journal.operations(),
        other.operations(),
    );
    assert_eq!(after, (before.0, (writes + 1, syncs + 1), before.2));
    // The control.
    storage.commit(&anew(&[])).unwrap();
    assert_ne!(engine.operations(), before.0);
}

#[test]
fn a_new_journal_takes_the_place_of_the_old_one_which_takes_no_more_room() {
    let files = committed(&[lines(&[&[1; 5_000]])]);
    let mut storage = open(&files);
    for round in 0..4_u8 {
        storage.commit(&anew(&[&[round]])).unwrap();
        storage.commit(&lines(&[b"more"])).unwrap();
        let expected = vec![vec![round], b"more".to_vec()];
        assert_eq!(found(&files.bytes()).unwrap(), expected);
        let room = files.bytes().journal.map(|it| it.len());
        assert!(
            room.contains(&0) && room.iter().all(|it| *it < 200),
            "{room:?}"
        );
    }
}

/// Batches whose frames all have the same length, the first one a new journal's.
fn three() -> Bytes {
    committed(&[lines(&[b"one"]), lines(&[b"two"]), lines(&[b"too"])]).bytes()
}

/// Where the frames of [`three`] begin.
fn places(bytes: &Bytes) -> [usize; 3] {
    let frame = 20 + 4 + 3;
    let end = bytes.journal[0].len();
    [end - 3 * frame, end - 2 * frame, end - frame]
}

#[test]
fn damage_of_any_bit_is_found_but_for_the_last_batch_which_is_gone_then() {
    let bytes = three();
    let [_, _, last] = places(&bytes);
    for at in 0..bytes.journal[0].len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged.journal[0][at] ^= 1 << bit;
            match found(&damaged) {
                Err(_) => assert!(at < last, "byte {at}"),
                // It could as well be a batch that was never acknowledged.
                Ok(found) => {
                    assert!(at >= last, "bit {bit} of byte {at} is not noticed");
                    assert_eq!(found, [b"one", b"two"]);
                }
            }
        }
    }
}

#[test]
fn damage_of_any_bit_of_a_new_journal_is_found() {
    let bytes = committed(&[lines(&[b"old"]), anew(&[b"new", b"newer"])]).bytes();
    assert!(bytes.journal[0].is_empty());
    for at in 0..bytes.journal[1].len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged.journal[1][at] ^= 1 << bit;
            assert!(found(&damaged).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_journal_that_lost_what_it_began_with_is_refused_and_a_later_end_is_not_missed() {
    let bytes = three();
    let [_, second, last] = places(&bytes);
    for length in 0..bytes.journal[0].len() {
        let mut cut = bytes.clone();
        cut.journal[0].truncate(length);
        // The documentation says so: nothing tells this from batches that were never acknowledged.
        let batches = 1 + usize::from(length >= last);
        match found(&cut) {
            Err(_) => assert!(length < second, "{length}"),
            Ok(found) => assert_eq!((found.len(), length >= second), (batches, true)),
        }
    }
}

#[test]
fn a_batch_that_stands_elsewhere_is_found() {
    let bytes = three();
    let [first, second, last] = places(&bytes);
    for (from, to) in [(second, first), (first, second), (last, second)] {
        let mut moved = bytes.clone();
        moved.journal[0].copy_within(from..from + last - second, to);
        assert!(refused(&moved).contains("checksum"), "{from} to {to}");
    }
    // Behind the last one it counts for nothing.
    let mut again = bytes.clone();
    let copy = again.journal[0][last..].to_vec();
    again.journal[0].extend(copy);
    assert_eq!(found(&again).unwrap().len(), 3);
}

#[test]
fn a_journal_of_another_node_is_refused_by_name() {
    let mut bytes = three();
    let other = MemoryFiles::default();
    let mut storage = other.open(&spec(1, RAFT)).unwrap();
    for _ in 0..3 {
        storage.commit(&lines(&[b"its own"])).unwrap();
    }
    bytes.journal = other.bytes().journal;
    assert!(matches!(found(&bytes), Err(StorageError::Foreign { .. })));
    let told = refused(&bytes);
    assert!(
        told.contains("memory.0.journal") && told.contains("of node n1"),
        "{told}"
    );
}

#[test]
fn a_state_and_a_journal_that_do_not_go_together_are_refused_in_words() {
    let old = three();
    let files = MemoryFiles::new(old.clone());
    let mut storage = open(&files);
    let expect = |bytes: &Bytes, words: &str| {
        let told = refused(bytes);
        assert!(told.contains(words), "{words}: {told}");
    };
    let alone = Bytes {
        engine: Vec::new(),
        ..old.clone()
    };
    expect(&alone, "a journal without the state it goes with");
    let bare = Bytes {
        journal: Default::default(),
        ..old.clone()
    };
    expect(&bare, "the journal is missing");
    storage.commit(&anew(&[b"second"])).unwrap();
    let mut newer_state = files.bytes();
    newer_state.journal = old.journal.clone();
    expect(&newer_state, "the journal is missing");
    storage.commit(&anew(&[b"third"])).unwrap();
    let mut newer_journal = files.bytes();
    newer_journal.engine = old.engine;
    expect(
        &newer_journal,
        "journal 2 is there, and the state goes with 0",
    );
}

#[test]
fn what_is_no_journal_is_refused() {
    let mut bytes = three();
    for other in [&b"hi"[..], b"hello, world", &[0; 5_000]] {
        bytes.journal[0] = other.to_vec();
        assert!(refused(&bytes).contains("this is no journal"));
    }
}

/// Lines as clients may have them written.
#[test]
fn a_torn_batch_that_has_frames_of_the_journal_in_its_lines_is_torn() {
    let bytes = three();
    let [_, second, _] = places(&bytes);
    let frames = bytes.journal[0][second..].to_vec();
    let mut random = Pcg64::seed_from_u64(1);
    for _ in 0..50 {
        let files = MemoryFiles::new(bytes.clone());
        let mut storage = open(&files);
        storage.commit(&lines(&[&frames])).unwrap();
        let mut torn = files.bytes();
        let at = random.random_range(bytes.journal[0].len()..torn.journal[0].len());
        torn.journal[0][at] ^= 1;
        assert_eq!(found(&torn).unwrap().len(), 3);
    }
}

#[test]
fn a_batch_that_is_too_large_for_a_journal_is_refused_and_changes_nothing() {
    let files = committed(&[lines(&[b"one"])]);
    let mut storage = open(&files);
    let before = files.bytes();
    // The system gives such memory when it is used, and it is not.
    let large = Batch {
        lines: vec![vec![0; FRAME_BYTES_MAX]],
        ..Batch::default()
    };
    let told = storage.commit(&large).expect_err("too large").to_string();
    assert!(told.contains("too large"), "{told}");
    assert_eq!(files.bytes(), before);
}
