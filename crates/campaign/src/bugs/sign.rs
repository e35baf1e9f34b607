//! What in the record of a real run shows that its store has a bug.

use kvs_check::checker::AnomalyKind;
use kvs_load::nemesis::FaultKind;
use kvs_measure::{AnomalyRecord, FaultWindow, RunRecord, VerdictRecord, VerdictWord};
use kvs_node::node::Durability;

use super::outcome::Finding;

/// What the record of a run says of its store, which acknowledges what `durability` says, and of
/// which so many nodes may lose their memory before a put is lost.
pub(super) fn finding(record: &RunRecord, durability: Durability, to_spare: u16) -> Finding {
    let verdict = &record.verdict;
    match verdict.verdict {
        VerdictWord::Valid => Finding::Kept { unknown: 0 },
        VerdictWord::Unknown => Finding::Unknown {
            reason: reason(verdict),
        },
        VerdictWord::Invalid => match (sign(record, durability, to_spare), verdict.gaps.first()) {
            (Some(how), _) => Finding::Broken { how, seeds: None },
            (None, None) => Finding::Kept { unknown: 0 },
            (None, Some(gap)) => Finding::Unknown {
                reason: gap.clone(),
            },
        },
    }
}

/// Why there is no verdict.
fn reason(verdict: &VerdictRecord) -> String {
    let reason = { verdict.gaps.first() }.or(verdict.reason.as_ref());
    reason.cloned().unwrap_or_default()
}

/// Which kinds of anomaly show that the store of an invalid run has a bug. A lost write may not: when
/// more nodes are killed than can be spared, they lose what no other node has, also in a store without
/// a bug (docs/measured/fault-matrix.md).
fn sign(record: &RunRecord, durability: Durability, to_spare: u16) -> Option<String> {
    let kills = |window: &FaultWindow| {
        FaultKind::from_word(&window.kind).is_some_and(|kind| kind.row().ends_processes)
    };
    let killed = { record.faults.windows.iter() }.filter(|window| kills(window));
    // A window says whom it acted on; one that does not is a kill all the same.
    let nodes: usize = killed.map(|window| window.nodes.len().max(1)).sum();
    let may_lose = durability == Durability::Memory && nodes > to_spare.into();
    let is_loss = |anomaly: &AnomalyRecord| {
        AnomalyKind::from_name(&anomaly.kind) == Some(AnomalyKind::LostWrite)
    };
    let mut anomalies = record.verdict.anomalies.iter();
    match anomalies.find(|anomaly| !may_lose || !is_loss(anomaly)) {
        Some(anomaly) => Some(anomaly.kind.clone()),
        None if may_lose && !record.verdict.anomalies.is_empty() => None,
        // Invalid for a reason that has no operations to show.
        None => Some(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_a_kill_took_from_memory_is_no_sign_of_a_bug_and_anything_else_is() {
        let stored = include_str!("../../../../tests/testdata/records/before-faults.json");
        let mut record: RunRecord = serde_json::from_str(stored).expect("a record");
        let anomaly = |kind: AnomalyKind| AnomalyRecord {
            kind: kind.name().to_owned(),
            model: "causal".to_owned(),
            text: String::new(),
            operations: Vec::new(),
            meaning: None,
        };
        let memory = |record: &RunRecord| sign(record, Durability::Memory, 0);
        record.verdict.anomalies = vec![anomaly(AnomalyKind::LostWrite)];
        assert_eq!(memory(&record).as_deref(), Some("lost-write"));
        record.faults.windows.push(FaultWindow {
            kind: FaultKind::KILL.name().to_owned(),
            ..FaultWindow::default()
        });
        assert_eq!(memory(&record), None);
        let disk = sign(&record, Durability::Disk, 0);
        assert_eq!(disk.as_deref(), Some("lost-write"));
        let spared = sign(&record, Durability::Memory, 1);
        assert_eq!(
            spared.as_deref(),
            Some("lost-write"),
            "one node, and it had a second copy"
        );
        let other = anomaly(AnomalyKind::DuplicateDot);
        record.verdict.anomalies.push(other);
        assert_eq!(memory(&record).as_deref(), Some("duplicate-dot"));
    }
}
