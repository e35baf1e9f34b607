//! An anomaly as a picture: its operations over time, by session and by replica. It is drawn from
//! the operations of the run record, whose text stands below it, so that the two say the same.

use std::collections::BTreeMap;

use serde::Serialize;

use kvs_measure::{AnomalyRecord, OperationRecord};

/// Operations that are drawn of one anomaly; its text has them all.
const OPERATIONS_MAX: usize = 40;

/// What the page shows of an anomaly.
#[derive(Debug, Serialize)]
pub(super) struct Picture {
    kind: String,
    meaning: String,
    sentence: String,
    text: String,
    /// How many operations are not drawn.
    not_drawn: usize,
    /// Both are empty when the record has no operations.
    sessions: Vec<Lane>,
    replicas: Vec<Lane>,
}

/// One line of the picture.
#[derive(Debug, Serialize)]
struct Lane {
    name: String,
    operations: Vec<Bar>,
}

/// One operation: where it begins and how long it is, in percent.
#[derive(Clone, Debug, Serialize)]
struct Bar {
    left: f64,
    width: f64,
    outcome: String,
    text: String,
    title: String,
}

/// The picture of an anomaly.
pub(super) fn picture(anomaly: &AnomalyRecord) -> Picture {
    let (sentence, text) = anomaly
        .text
        .split_once('\n')
        .unwrap_or((&anomaly.text, &anomaly.text));
    let drawn = anomaly.operations.len().min(OPERATIONS_MAX);
    let (sessions, replicas) = lanes(&anomaly.operations[..drawn]);
    Picture {
        kind: anomaly.kind.clone(),
        meaning: { &anomaly.meaning }
            .clone()
            .unwrap_or_else(|| format!("it breaks {}", anomaly.model)),
        sentence: sentence.to_owned(),
        text: text.to_owned(),
        not_drawn: anomaly.operations.len() - drawn,
        sessions,
        replicas,
    }
}

/// The operations by session and by replica. Time is drawn by the order of beginnings and ends: a
/// microsecond and a second are as wide, so that all operations can be read.
fn lanes(operations: &[OperationRecord]) -> (Vec<Lane>, Vec<Lane>) {
    let mut times: Vec<u64> = operations
        .iter()
        .flat_map(|operation| [Some(operation.invoke_ns), operation.return_ns])
        .flatten()
        .collect();
    times.sort_unstable();
    times.dedup();
    // One more, for what never returned.
    let step = 100.0 / times.len() as f64;
    let place = |time: u64| times.partition_point(|earlier| *earlier < time) as f64 * step;
    let (mut sessions, mut replicas) = (BTreeMap::new(), BTreeMap::new());
    for operation in operations {
        let left = place(operation.invoke_ns);
        let right = operation.return_ns.map_or(100.0, place);
        let bar = Bar {
            left: round(left),
            width: round((right - left).max(step / 2.0)),
            outcome: operation.outcome.clone(),
            text: operation.label.clone(),
            title: operation.line.clone(),
        };
        let of_session: &mut Vec<Bar> = sessions.entry(operation.session).or_default();
        of_session.push(bar.clone());
        let of_node: &mut Vec<Bar> = replicas.entry(operation.node).or_default();
        of_node.push(bar);
    }
    let lane = |name, operations| Lane { name, operations };
    (
        sessions
            .into_iter()
            .map(|(session, bars)| lane(format!("session {session}"), bars))
            .collect(),
        replicas
            .into_iter()
            .map(|(node, bars)| lane(format!("n{node}"), bars))
            .collect(),
    )
}

fn round(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(label: &str, invoke_ns: u64) -> OperationRecord {
        OperationRecord {
            session: 7,
            node: 2,
            label: label.to_owned(),
            line: format!("session 7 #0 {label} at n2"),
            invoke_ns,
            return_ns: Some(invoke_ns + 5),
            outcome: "ok".to_owned(),
        }
    }

    fn anomaly(operations: Vec<OperationRecord>) -> AnomalyRecord {
        let lines = operations.iter().map(|one| format!("\n  {}", one.line));
        AnomalyRecord {
            kind: "divergence".to_owned(),
            model: "convergence".to_owned(),
            text: "two nodes differ".to_owned() + &lines.collect::<String>(),
            operations,
            meaning: None,
        }
    }

    #[test]
    fn every_operation_is_drawn_with_the_words_of_its_text() {
        let anomaly = anomaly(vec![
            operation("get 1 -> 56:11694", 10),
            operation("get 1 -> nothing", 20),
        ]);
        let picture = picture(&anomaly);
        for lanes in [&picture.sessions, &picture.replicas] {
            let bars: Vec<&Bar> = lanes.iter().flat_map(|lane| &lane.operations).collect();
            assert_eq!(bars.len(), 2);
            for bar in bars {
                assert!(picture.text.contains(&bar.title), "{}", bar.title);
                assert!(bar.title.contains(&bar.text), "{}", bar.text);
            }
        }
    }

    #[test]
    fn a_picture_says_how_many_operations_it_leaves_to_the_text() {
        let many = (0..OPERATIONS_MAX as u64 + 3).map(|at| operation("get 1 -> nothing", at));
        assert_eq!(picture(&anomaly(many.collect())).not_drawn, 3);
    }
}
