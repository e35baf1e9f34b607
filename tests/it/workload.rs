//! Workloads as a run uses them: through the public interface alone.

use kvs_zoo::workload::{
    Arrivals, Distribution, Generator, LoadSteps, StepKind, Workload, catalogue, key_name,
    key_number, payload, settings,
};

#[test]
fn every_workload_of_the_catalogue_drives_a_run() {
    for entry in catalogue() {
        let workload = Workload::load(entry.name).unwrap();
        assert_eq!(
            LoadSteps::new(&workload, 1).count() as u64,
            workload.records
        );
        assert!(Arrivals::new(&workload, 1).is_none(), "closed by default");
        let mut generator = Generator::new(&workload, 1);
        for _ in 0..10_000 {
            let step = generator.next();
            assert_eq!(step.value_bytes == 0, step.kind == StepKind::Read);
            assert_eq!(key_number(&key_name(step.key)), Some(step.key));
            if step.kind == StepKind::Insert {
                assert_eq!(step.key, generator.records(), "answered one by one");
                generator.insert_acknowledged(step.key);
            } else {
                assert!(step.key < generator.records());
                let mut value = vec![0; (step.value_bytes as usize).max(16)];
                payload::fill(step.key, &mut value);
                assert_eq!(payload::id_of(&value), Some(step.key));
            }
        }
    }
}

#[test]
fn the_main_command_runs_for_seconds_over_ten_thousand_records() {
    let workload = Workload::load("zipf").unwrap();
    assert_eq!((workload.records, workload.sessions), (10_000, 16));
    assert_eq!(workload.warmup.as_secs(), 1);
    assert_eq!(workload.time_limit().unwrap().as_secs(), 5);
    assert_eq!(workload.distribution, Distribution::Zipfian { theta: 0.99 });
}

#[test]
fn the_page_on_workloads_names_every_field_and_every_workload() {
    let page = include_str!("../../docs/reference/workloads.md");
    for setting in settings() {
        assert!(
            page.contains(&format!("`{}`", setting.field)),
            "{}",
            setting.field
        );
    }
    for entry in catalogue() {
        assert!(
            page.contains(&format!("`{}`", entry.name)),
            "{}",
            entry.name
        );
    }
}

#[test]
fn a_workload_in_a_record_holds_every_field() {
    let mut workload = Workload::load("hotspot").unwrap();
    workload.set("rate=20k").unwrap();
    let json = serde_json::to_value(&workload).unwrap();
    assert_eq!(json["rate"], 20_000.0);
    assert_eq!(json["warmup"], "1s");
    assert_eq!(json["distribution"]["kind"], "hotspot");
}
