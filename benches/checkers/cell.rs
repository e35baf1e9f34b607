//! One cell of the table: a history read and judged in a process of its own.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use kvs_zoo::checker::{
    Clock, Engine, JudgedBy, Model, Options, Property, Report, Verdict, VerdictWord, check,
};
use kvs_zoo::history::{ArrowFile, History, write_json_lines};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::generate::{Shape, Store, Variant, generate as make};

/// The first argument of the processes that do the work.
pub(crate) const CHILD: &str = "--child";
/// Time for the check of a history under faults: what `check` gives to a run of up to so long.
const FAULTED_BUDGET: Duration = Duration::from_secs(20);

/// How a history stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Arrow,
    Json,
}

impl Form {
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::Arrow => "history.arrows",
            Self::Json => "history.jsonl",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Arrow => "Arrow",
            Self::Json => "JSON lines",
        }
    }
}

/// What a cell cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) shape: Shape,
    pub(crate) form: Form,
    pub(crate) cost: Cost,
}

/// What a check made of a history whose verdict is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Right,
    Wrong,
    Unknown,
    /// No check of this kind ran.
    None,
}

/// What the process of a cell reports on its standard output.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// How many operations the history has.
    pub(crate) operations: usize,
    /// CPU time of all threads.
    pub(crate) read_cpu_s: f64,
    pub(crate) read_wall_s: f64,
    pub(crate) check_cpu_s: f64,
    pub(crate) check_wall_s: f64,
    /// The most that was ever resident.
    pub(crate) peak_mb: f64,
    pub(crate) answer: Answer,
}

impl Measured {
    pub(crate) const fn cpu_s(&self) -> f64 {
        self.cost.read_cpu_s + self.cost.check_cpu_s
    }
}

/// Writes the history of a shape in the given forms.
pub(crate) fn generate(shape: Shape, forms: &[Form], directory: &Path) {
    for form in forms {
        run("generate", shape, *form, directory).expect("the generator ends well");
    }
}

/// Reads and judges what [`generate`] wrote; `None` when that failed.
pub(crate) fn measure(shape: Shape, form: Form, directory: &Path) -> Option<Measured> {
    let output = run("measure", shape, form, directory)?;
    let cost = serde_json::from_slice(&output).expect("what the process prints");
    Some(Measured { shape, form, cost })
}

fn run(task: &str, shape: Shape, form: Form, directory: &Path) -> Option<Vec<u8>> {
    let program = std::env::current_exe().expect("this program has a path");
    let place = |value: usize| value.to_string();
    let output = Command::new(program)
        .args([CHILD, task, shape.store.name(), shape.variant.name()])
        .args([shape.sessions, shape.keys, shape.operations].map(|number| number.to_string()))
        .arg(place(usize::from(form == Form::Json)))
        .arg(directory.join(form.file()))
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("this program can be started");
    if !output.status.success() {
        eprintln!("{task} of {shape:?} failed: {}", output.status);
    }
    output.status.success().then_some(output.stdout)
}

/// Does what [`run`] asks for.
pub(crate) fn child(arguments: &[String]) -> ExitCode {
    let [task, store, variant, sessions, keys, operations, form, path] = arguments else {
        return ExitCode::FAILURE;
    };
    let number = |text: &String| text.parse().expect("a number");
    let shape = Shape {
        store: named(Store::all(), |s| s.name(), store),
        sessions: number(sessions),
        keys: number(keys),
        variant: named(Variant::ALL, |v| v.name(), variant),
        operations: number(operations),
    };
    let path = Path::new(path);
    if task == "generate" {
        write(&make(shape), form == "1", path);
    } else {
        let cost = cost(shape, path);
        println!("{}", serde_json::to_string(&cost).expect("plain numbers"));
    }
    ExitCode::SUCCESS
}

fn named<T>(
    all: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &'static str,
    wanted: &str,
) -> T {
    let found = all.into_iter().find(|one| name(one) == wanted);
    found.expect("a name that this program gave")
}

fn write(history: &History, json: bool, path: &Path) {
    if json {
        let file = std::fs::File::create(path).expect("a new file");
        let mut file = std::io::BufWriter::new(file);
        write_json_lines(history, &mut file).expect("room on the disk");
    } else {
        let mut recorder = ArrowFile::create(path, &history.header).expect("a new file");
        for i in 0..history.len() {
            recorder.push(&history.row(i)).expect("room on the disk");
        }
        recorder.finish().expect("room on the disk");
    }
}

fn cost(shape: Shape, path: &Path) -> Cost {
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut history = History::read(path).expect("what was written");
    let (read_wall, read_cpu) = (start.elapsed(), cpu_time() - cpu);
    let is_faulted = matches!(shape.store, Store::Faulted(_));
    let all = shape.operations as usize;
    assert!(is_faulted || history.len() == all, "all were read");
    if shape.variant == Variant::NoEvidence {
        history = history.without_evidence();
    }

    let (start, cpu) = (Instant::now(), cpu_time());
    let options = Options {
        engine: Engine::Direct,
        judged_by: judged_by(shape.store),
        check_budget: is_faulted.then_some(FAULTED_BUDGET),
        clock: is_faulted.then(|| Clock::new(move || start.elapsed())),
        ..Options::default()
    };
    let report = check(&history, &options);
    let (check_wall, check_cpu) = (start.elapsed(), cpu_time() - cpu);

    let answer = answer(shape, &report);
    if answer == Answer::Wrong || is_faulted && answer == Answer::Unknown {
        eprintln!("{shape:?}: {report}");
    }
    Cost {
        operations: history.len(),
        read_cpu_s: read_cpu.as_secs_f64(),
        read_wall_s: read_wall.as_secs_f64(),
        check_cpu_s: check_cpu.as_secs_f64(),
        check_wall_s: check_wall.as_secs_f64(),
        peak_mb: peak_mb(),
        answer,
    }
}

fn answer(shape: Shape, report: &Report) -> Answer {
    let Some(property) = property(shape.store) else {
        return match report.verdict() {
            VerdictWord::Valid => Answer::Right,
            VerdictWord::Invalid => Answer::Wrong,
            VerdictWord::Unknown => Answer::Unknown,
        };
    };
    let mut checks = report.checks.iter();
    let judged = checks.find(|check| check.property == property);
    match (judged.map(|check| &check.verdict), shape.variant) {
        (None | Some(Verdict::NotApplicable { .. }), _) => Answer::None,
        (Some(Verdict::Unknown { .. }), _) => Answer::Unknown,
        (Some(Verdict::Valid), Variant::Valid | Variant::Unknown | Variant::NoEvidence)
        | (Some(Verdict::Invalid { .. }), Variant::Anomaly) => Answer::Right,
        (Some(Verdict::Valid | Verdict::Invalid { .. }), _) => Answer::Wrong,
    }
}

/// What a history of a store is judged for, where it is for one property: under faults it is for
/// everything that its verdict rests on.
const fn property(store: Store) -> Option<Property> {
    match store {
        Store::Linearizable => Some(Property::Linearizable),
        Store::Causal => Some(Property::Causal),
        Store::BlackBox => Some(Property::CausalBlackBox),
        Store::Convergent => Some(Property::CausalConvergence),
        Store::Faulted(_) => None,
    }
}

/// What the verdict rests on: no promise stands for causal convergence.
const fn judged_by(store: Store) -> JudgedBy {
    match store {
        Store::Linearizable | Store::Causal | Store::BlackBox | Store::Faulted(_) => {
            JudgedBy::Promise
        }
        Store::Convergent => JudgedBy::Model(Model::CausalConvergence),
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The kernel's high-water mark of this process's memory, in MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.map_or(f64::NAN, |kb| kb * 1024.0 / 1e6)
}
