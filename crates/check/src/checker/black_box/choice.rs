//! Questions that saturation leaves open: which of several returned puts superseded one.
//!
//! If all questions have answers that contradict nothing, these are a visibility order, which
//! proves the history valid. If every answer to some question contradicts something, the history is
//! refuted. The search first tries the likeliest answers one after another. Then it tries each
//! answer to each question by itself (probing), and discards those that contradict something. Then
//! it searches what is left with backtracking. It saturates every attempt, so few choices are free.

use std::ops::Range;

use super::contradiction::Contradiction;
use super::questions::Missing;
use super::saturation::Saturation;

/// How many likely answers are tried at once, at most. A node that several of them change is
/// visited again only once. The number doubles each time that the answers contradict nothing.
const LIKELY_AT_ONCE_MAX: usize = 8_192;
/// Answers that are tried on their own at most.
const PROBES_MAX: usize = 20_000;
/// Choices that the search makes at most.
const SEARCHED_MAX: usize = 20_000;
/// Choices that the search makes one upon another at most.
const SEARCH_DEPTH_MAX: usize = 500;

/// Answers the open questions. Returns why it could not, if so; the saturation has the
/// contradictions otherwise.
pub(super) fn decide(saturation: &mut Saturation<'_, '_>) -> Option<String> {
    let mut probes = 0;
    loop {
        if !saturation.refuted.contradictions.is_empty() {
            return None;
        }
        if saturation.given_up.is_some() {
            return saturation.given_up.clone();
        }
        saturation.answering();
        if likeliest(saturation) {
            return None;
        }
        saturation.answering();
        let known = saturation.forced.len();
        probe(saturation, &mut probes);
        if saturation.refuted.contradictions.is_empty() && saturation.forced.len() == known {
            break;
        }
    }
    if saturation.given_up.is_some() {
        return saturation.given_up.clone();
    }
    let first = next_open(saturation, 0).map(|(_, missing)| missing);
    let mut left = SEARCHED_MAX;
    let mark = saturation.mark();
    let found = search(saturation, &mut left, 0);
    saturation.undo(mark);
    match (found, first) {
        (Some(true), _) => None,
        (Some(false), Some(missing)) => {
            refute(saturation, &missing);
            None
        }
        (None, _) | (_, None) => Some(saturation.given_up.clone().unwrap_or_else(|| {
            let open = saturation.open.len();
            format!("{open} reads leave it open which of several puts superseded another")
        })),
    }
}

fn refute(saturation: &mut Saturation<'_, '_>, missing: &Missing) {
    saturation.contradict(Contradiction::NoChoice {
        put: saturation.world.row[missing.put as usize],
        get: missing.get,
    });
}

/// The first question from `place` on that is still open.
fn next_open(saturation: &mut Saturation<'_, '_>, place: usize) -> Option<(usize, Missing)> {
    let found = (place..saturation.open.len())
        .map(|place| (place, saturation.open.at(place)))
        .find(|(_, missing)| saturation.is_still_open(missing))
        .map(|(place, missing)| (place, missing.clone()));
    let end = found.as_ref().map_or(saturation.open.len(), |(at, _)| *at);
    saturation.pay(end.saturating_sub(place) + 1);
    found
}

fn candidates(saturation: &mut Saturation<'_, '_>, missing: &Missing) -> Vec<u32> {
    let returned: Vec<u32> = saturation.world.returned(missing.get).collect();
    saturation.candidates(missing, &returned)
}

/// Tries the likeliest answer to each question, and the next where that contradicts what was
/// answered before. True when all have an answer.
fn likeliest(saturation: &mut Saturation<'_, '_>) -> bool {
    let mark = saturation.mark();
    let edges = saturation.forced.len();
    let mut answered = true;
    while answered && next_open(saturation, 0).is_some() {
        let (mut place, mut count) = (0, saturation.likely);
        while answered && place < saturation.open.len() {
            let end = saturation.open.len().min(place + count);
            if at_once(saturation, place..end) {
                count = LIKELY_AT_ONCE_MAX.min(2 * count);
            } else if count > saturation.likely {
                count = saturation.likely;
                continue;
            } else {
                answered = one_by_one(saturation, place..end);
            }
            place = end;
        }
        if answered {
            saturation.settle(edges);
            answered = !saturation.refuted.is_so && saturation.given_up.is_none();
        }
    }
    saturation.undo(mark);
    answered
}

/// Gives the likeliest answer to some questions. False, and none is given, when that contradicts
/// something.
fn at_once(saturation: &mut Saturation<'_, '_>, places: Range<usize>) -> bool {
    let mark = saturation.mark();
    for place in places {
        if saturation.is_over() {
            break;
        }
        let missing = saturation.open.at(place).clone();
        if saturation.is_still_open(&missing)
            && let Some(candidate) = candidates(saturation, &missing).first()
        {
            saturation.force(missing.put, *candidate, missing.get);
        }
    }
    saturation.pass_on();
    let contradicts = saturation.refuted.is_so;
    if contradicts {
        saturation.undo(mark);
    }
    !contradicts && saturation.given_up.is_none()
}

/// Gives each of some questions the likeliest answer that contradicts nothing. False when there is
/// none.
fn one_by_one(saturation: &mut Saturation<'_, '_>, places: Range<usize>) -> bool {
    places.into_iter().all(|place| {
        saturation.is_over();
        let missing = saturation.open.at(place).clone();
        if !saturation.is_still_open(&missing) {
            return true;
        }
        candidates(saturation, &missing)
            .into_iter()
            .any(|candidate| {
                let mark = saturation.mark();
                saturation.force(missing.put, candidate, missing.get);
                saturation.pass_on();
                if saturation.refuted.is_so {
                    saturation.undo(mark);
                }
                saturation.given_up.is_none() && saturation.precedes(missing.put, candidate)
            })
    })
}

/// Tries each answer to each question by itself, and discards those that contradict something.
fn probe(saturation: &mut Saturation<'_, '_>, probes: &mut usize) {
    let mut place = 0;
    while let Some((open, missing)) = next_open(saturation, place) {
        place = open + 1;
        let mut possible = Vec::new();
        for candidate in candidates(saturation, &missing) {
            *probes += 1;
            if *probes > PROBES_MAX || saturation.given_up.is_some() {
                return;
            }
            let mark = saturation.mark();
            let edges = saturation.forced.len();
            saturation.force(missing.put, candidate, missing.get);
            saturation.settle(edges);
            if !saturation.refuted.is_so {
                possible.push(candidate);
            }
            saturation.undo(mark);
        }
        if saturation.given_up.is_some() {
            return;
        }
        match possible.as_slice() {
            [] => return refute(saturation, &missing),
            [only] => {
                let edges = saturation.forced.len();
                saturation.force(missing.put, *only, missing.get);
                saturation.settle(edges);
                if !saturation.refuted.contradictions.is_empty() {
                    return;
                }
            }
            [_, _, ..] => {}
        }
    }
}

/// Answers the first open question in every way, and the others after it. `None` when the budget
/// ran out.
fn search(saturation: &mut Saturation<'_, '_>, left: &mut usize, depth: usize) -> Option<bool> {
    let Some((_, missing)) = next_open(saturation, 0) else {
        return Some(true);
    };
    if depth == SEARCH_DEPTH_MAX {
        return None;
    }
    for candidate in candidates(saturation, &missing) {
        *left = left.checked_sub(1)?;
        let mark = saturation.mark();
        let edges = saturation.forced.len();
        saturation.force(missing.put, candidate, missing.get);
        saturation.settle(edges);
        if saturation.given_up.is_some() {
            return None;
        }
        if !saturation.refuted.is_so && search(saturation, left, depth + 1)? {
            return Some(true);
        }
        saturation.undo(mark);
    }
    Some(false)
}
