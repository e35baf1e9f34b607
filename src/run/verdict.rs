//! x
use crate::history::History;
use crate::measure::*;
pub(super) struct Judged {
    pub(super) verdict: VerdictRecord,
    pub(super) staleness: Option<StalenessRecord>,
}
pub(super) fn judge(_h: &History, c: &super::Config) -> Judged {
    Judged {
        verdict: VerdictRecord {
            promise: super::record::promise(c).name().to_owned(),
            verdict: VerdictWord::Unknown,
            reason: Some("x".into()),
            engines: vec![],
            models: vec![],
            anomalies: vec![],
        },
        staleness: None,
    }
}
