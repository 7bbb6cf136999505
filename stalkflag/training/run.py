"""One training run, from labelled files to a measured, tracked model."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag import __version__
from stalkflag.assessment import INDICATORS, LABELS, Assessment
from stalkflag.assessor import Assessor, load
from stalkflag.errors import InputError
from stalkflag.model import Model, Scores, load_model, save_model
from stalkflag.rules.compiled import compile_rules
from stalkflag.rules.schema import load_packs
from stalkflag.training.behaviour import load_pairs, run_suite
from stalkflag.training.fit import Settings, fit
from stalkflag.training.heldout import HeldOut, cross_validate, fold_scores
from stalkflag.training.invariance import (
    MOST_CHANGED_NARRATIVES,
    measure_robustness,
    measure_swaps,
    sample,
)
from stalkflag.training.metrics import measure, measure_labels
from stalkflag.training.outcome import Measured, Outcome
from stalkflag.training.predictions import Predictions, texts_sha256
from stalkflag.training.prevalence import (
    ENOUGH_TO_ESTIMATE,
    by_label,
    estimate_shares,
    full_shares,
    model_shares,
    shift,
    shift_model,
    trained_shares,
)
from stalkflag.training.recalibrate import apply_scaling, recalibrate
from stalkflag.training.records import (
    Columns,
    LabelledData,
    Record,
    check_apart,
    data_sha256,
    draw_cases,
    in_splits,
    problems,
    read_labelled,
    read_records,
)
from stalkflag.training.referral import STALKING, choose_thresholds, coverage_table, refer_by
from stalkflag.training.shipped import shipped_corpus, shipped_pairs
from stalkflag.training.sources import read_texts

Progress = Callable[[str], None]


class Start(StrEnum):
    """What is learned from beside the cases given."""

    own = "own"
    both = "both"
    shipped = "shipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a training run is asked to do.

    Parameters
    ----------
    data, columns
        Labelled files, and which of their columns hold what.
    start
        Learn from the cases given, from the shipped corpus, or from both.
    overlays
        Rules that extend the shipped ones.
    folds
        Folds of cross-validation; 0 judges by the folds inside one training.
    prevalence_from
        Unlabelled narratives from which the shares of the labels are estimated.
    pairs
        A behavioural suite other than the shipped one.
    """

    data: Sequence[str | Path] = ()
    columns: Columns = field(default_factory=Columns)
    settings: Settings = field(default_factory=Settings)
    start: Start = Start.own
    overlays: Sequence[Path] = ()
    folds: int = 0
    prevalence_from: Path | None = None
    pairs: Path | None = None


def train(plan: Plan, *, progress: Progress = lambda step: None) -> Outcome:
    """Read, check, fit, judge by held-out cases, choose what is referred, and measure.

    Raises
    ------
    InputError
        If a record breaks the labelling guide's schema, there are too few, or a promise of
        referral cannot be kept.
    """
    progress("reading the data")
    settings = plan.settings
    pairs = load_pairs(plan.pairs or shipped_pairs())
    own = _read_own(plan)
    learn, measured, notes = _chosen(plan, own)
    unlabelled = _unlabelled(plan)
    rules = load_packs(*plan.overlays)
    # Compiled once for every reader and the bundle.
    rules = replace(rules, compiled=compile_rules(rules))
    fitted = fit(learn, rules=rules, settings=settings, progress=progress)
    old = trained_shares(learn, settings.class_weight)
    new = _asked_shares(plan, unlabelled, fitted.model, old, progress)
    if new is not None:
        settings = replace(settings, prevalence=by_label(new))

    def adjust(model: Model) -> Model:
        return model if new is None else shift_model(model, old=old, new=new)

    model = adjust(fitted.model)
    info = {
        **model.info,
        "version": _version(data_sha256(learn), rules.sha256(), asdict(settings)),
        "settings": asdict(settings),
        "label_shares": by_label(old),
    }
    model = replace(model, info=info)
    if plan.folds:
        judged = cross_validate(
            learn,
            rules=rules,
            settings=settings,
            folds=plan.folds,
            adjust=adjust,
            progress=progress,
        )
    else:
        progress("judging by held-out folds")
        label = fitted.held_out_label
        label = label if new is None else shift(label, old=old, new=new)
        judged = HeldOut(model, fold_scores(fitted.held_out_first, label)).assess(learn)
    share = None if new is None else float(new[STALKING])
    model, held_out = _promise(model, learn, judged, settings=settings, share=share)
    found = {"cross_validated" if plan.folds else "held_out": held_out}
    if plan.start is Start.both:
        own_rows = np.isin([id(record) for record in learn], [id(record) for record in own.records])
        if own_rows.any():
            found["own_held_out"] = _part(held_out, own_rows, share)
    return _finish(
        model,
        config=_config(plan, settings),
        pairs=pairs,
        held_out=found,
        measured=measured,
        share=share,
        notes=own.notes + notes,
        progress=progress,
    )


def recalibrate_model(
    plan: Plan, *, ref: str = "bundled", progress: Progress = lambda step: None
) -> Outcome:
    """Make a model's probabilities fit own cases, if held-out cases show that it helps.

    Raises
    ------
    InputError
        If there are too few cases, or it would not help.
    """
    progress("reading the data")
    pairs = load_pairs(plan.pairs or shipped_pairs())
    own = _read_own(plan)
    learn, measured = in_splits(own.records)
    _some(learn, measured)
    check_apart(learn, measured.values())
    unlabelled = _unlabelled(plan)
    base = load(ref)
    thresholds = {
        name: value
        for name, value in base.model.thresholds.items()
        if not name.startswith("refer_stalking_")
    }
    notes = list(own.notes)
    if len(thresholds) < len(base.model.thresholds):
        notes.append(
            "The model's promises of referral held for its old probabilities and are gone: choose "
            "new ones with --most-missed and --most-false."
        )
    scores = _scores(base, [record.text for record in learn], progress)
    progress("checking on held-out cases that it helps")
    before = np.array([[one.label[label] for label in LABELS] for one in scores])
    found = recalibrate(
        before, learn, missed_costs=thresholds["missed_costs"], seed=plan.settings.seed
    )
    said = (
        f"log loss {found.log_loss[0]:.3f} before and {found.log_loss[1]:.3f} after on held-out "
        f"cases (a gain of {found.gain[0]:.3f}, with 95 % confidence above {found.gain[1]:.3f}), "
        f"calibration error {found.calibration_error[0]:.3f} and {found.calibration_error[1]:.3f}"
    )
    if not found.helps:
        raise InputError(
            f"Recalibration does not clearly help on these {found.cases} cases: {said}. Keep the "
            "model as it is, or label more cases."
        )
    notes.append(f"Recalibrated by {found.scaling.method} on {found.cases} cases: {said}.")
    own_sha256 = data_sha256(learn)
    info = base.model.info
    model = replace(
        apply_scaling(base.model, found.scaling),
        info={
            **info,
            "version": _version(info["version"], own_sha256, found.to_dict()),
            "thresholds": thresholds,
            "recalibrated": {**found.to_dict(), "from": info["version"], "data_sha256": own_sha256},
        },
    )
    after = found.held_out
    # With a constant a label the head has the own cases' shares in mind, else its old ones.
    old = trained_shares(learn) if any(found.scaling.bias) else model_shares(info)
    new = _asked_shares(plan, unlabelled, model, old, progress)
    if new is not None:
        model, after = shift_model(model, old=old, new=new), shift(after, old=old, new=new)
    rescored = [
        replace(one, label=dict(zip(LABELS, row.tolist(), strict=True)))
        for one, row in zip(scores, after, strict=True)
    ]
    judged = HeldOut(model, rescored).assess(learn)
    share = None if new is None else float(new[STALKING])
    model, held_out = _promise(model, learn, judged, settings=plan.settings, share=share)
    return _finish(
        model,
        config={
            **_config(plan, plan.settings),
            "start": "recalibrated",
            "recalibrated_from": ref,
        },
        pairs=pairs,
        held_out={"own_held_out": held_out},
        measured=measured,
        share=share,
        notes=notes,
        progress=progress,
    )


def _read_own(plan: Plan) -> LabelledData:
    if not plan.data:
        return LabelledData([], [])
    own = read_labelled(plan.data, plan.columns)
    found = [f"{record.id}: {problem}" for record in own.records for problem in problems(record)]
    if found:
        raise InputError(
            f"{len(found)} labels break the labelling guide (first: {found[0]}): "
            "see all with 'stalkflag data check' and mend them."
        )
    return own


def _chosen(
    plan: Plan, own: LabelledData
) -> tuple[list[Record], dict[str, list[Record]], list[str]]:
    """What to learn from, what to measure on, and what to say of it."""
    learn, measured = in_splits(own.records)
    if plan.start is not Start.own:
        corpus, corpus_splits = in_splits(read_records([shipped_corpus()]))
        if plan.start is Start.shipped:
            measured = {"own": own.records} if own.records else {}
            learn = []
        learn = [*corpus, *learn]
        measured["corpus_test"] = corpus_splits["test"]
    else:
        _some(learn, measured)
    check_apart(learn, measured.values())
    notes = []
    most = plan.settings.most_records
    if len(learn) > most:
        drawn = draw_cases(learn, most, plan.settings.seed)
        notes.append(
            f"{len(drawn):,} of {len(learn):,} narratives were drawn, by whole cases, to train on: "
            "raise most_records in the settings to train on more."
        )
        learn = drawn
    _check_taught(learn)
    return learn, measured, notes


def _some(learn: Sequence[Record], measured: dict[str, list[Record]]) -> None:
    if not learn and measured:
        raise InputError(
            f"All cases are of the split {' and '.join(measured)}, which is measured and not "
            "trained on: give others too, or call the file something else."
        )
    if not learn:
        raise InputError("There is no case to train on: give labelled files, or --start shipped.")


def _check_taught(records: Sequence[Record]) -> None:
    """Labels alone teach no indicator: without one, every suggestion would be referred."""
    untaught = []
    for name in INDICATORS:
        known = Counter(record.indicators[name] for record in records)
        if min(known[True], known[False]) < FEWEST_OF_AN_INDICATOR:
            untaught.append(name)
    if len({record.relationship for record in records} - {None}) < 3:
        untaught.append("relationship")
    if untaught:
        raise InputError(
            f"Too few of the cases are labelled with {', '.join(untaught)}, true and false: label "
            "these too, or learn them from the shipped corpus with --start both."
        )


FEWEST_OF_AN_INDICATOR = 10
"""Narratives with and without an indicator that teach it."""


def _unlabelled(plan: Plan) -> list[str]:
    """Narratives to estimate the prevalence from; none if it is not asked."""
    if plan.prevalence_from is None:
        return []
    given = read_texts([plan.prevalence_from], text_column=plan.columns.text)
    texts = [text for _, text in given if text]
    return texts[:: -(-len(texts) // ENOUGH_TO_ESTIMATE)]


def _asked_shares(
    plan: Plan,
    unlabelled: Sequence[str],
    model: Model,
    old: NDArray[np.float64],
    progress: Progress,
) -> NDArray[np.float64] | None:
    if unlabelled:
        scores = _scores(Assessor(model), unlabelled, progress)
        said = np.array([[one.label[label] for label in LABELS] for one in scores])
        return estimate_shares(said, old)
    if plan.settings.prevalence:
        return full_shares(plan.settings.prevalence, old)
    return None


def _scores(assessor: Assessor, texts: Sequence[str], progress: Progress) -> list[Scores]:
    found = []
    for number, scores in enumerate(assessor.scores(texts)):
        if number % 200 == 0:
            progress(f"reading narratives: {number:,} of {len(texts):,}")
        found.append(scores)
    return found


def _promise(
    model: Model,
    records: Sequence[Record],
    judged: Sequence[Assessment],
    *,
    settings: Settings,
    share: float | None,
) -> tuple[Model, Measured]:
    """The model with the referral thresholds asked for, and what held-out cases say of it."""
    predictions = Predictions.of(records, judged)
    thresholds = choose_thresholds(
        predictions,
        most_missed=settings.most_missed,
        most_false=settings.most_false,
        stalking_share=share,
    )
    measures = measure(records, judged)
    # Where evidence stands is not known of held-out sentences.
    measures.pop("evidence_overlapped")
    predictions = refer_by(predictions, thresholds)
    measures.update(measure_labels(predictions))
    if thresholds:
        info = {**model.info, "thresholds": {**model.thresholds, **thresholds}}
        info["promises"] = {
            name: value
            for name, value in (
                ("most_missed", settings.most_missed),
                ("most_false", settings.most_false),
            )
            if value
        }
        model = replace(model, info=info)
    coverage = coverage_table(predictions, stalking_share=share)
    return model, Measured(measures, predictions, coverage, texts_sha256(records), held_out=True)


def _part(whole: Measured, rows: NDArray[np.bool_], share: float | None) -> Measured:
    predictions = whole.predictions.chosen(rows)
    coverage = coverage_table(predictions, stalking_share=share)
    return Measured(measure_labels(predictions), predictions, coverage, "", held_out=True)


def _finish(
    model: Model,
    *,
    config: dict[str, Any],
    pairs: list[dict[str, Any]],
    held_out: dict[str, Measured],
    measured: dict[str, list[Record]],
    share: float | None,
    notes: list[str],
    progress: Progress,
) -> Outcome:
    """Measure the model as it will be loaded."""
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder))
        model = load_model(Path(folder))
    assessor = Assessor(model)
    found = dict(held_out)
    for name, records in measured.items():
        found[name] = measure_on(assessor, records, name=name, share=share, progress=progress)
    behaviour = run_suite(assessor, pairs, progress=progress)
    tested = sample(next(iter(measured.values()), []), MOST_CHANGED_NARRATIVES, seed=1997)
    invariance = [
        row
        for measure_it in (measure_swaps, measure_robustness)
        if tested
        for row in measure_it(assessor, tested, seed=1997, progress=progress)
    ]
    return Outcome(model, config, found, behaviour, notes, invariance)


def _config(plan: Plan, settings: Settings) -> dict[str, Any]:
    """The resolved configuration; names of files, never their paths."""
    return {
        **asdict(settings),
        "start": str(plan.start),
        "cross_validation_folds": plan.folds,
        "data": [Path(str(given)).name for given in plan.data],
        "overlays": [path.name for path in plan.overlays],
    }


def measure_on(
    assessor: Assessor,
    records: Sequence[Record],
    *,
    name: str,
    share: float | None = None,
    progress: Progress = lambda step: None,
) -> Measured:
    """A model on labelled narratives: measures, predictions and the coverage table."""
    assessments = []
    for number, assessment in enumerate(assessor.assess_many(r.text for r in records)):
        if number % 200 == 0:
            progress(f"measuring {name}: {number:,} of {len(records):,}")
        assessments.append(assessment)
    predictions = Predictions.of(records, assessments)
    coverage = coverage_table(predictions, stalking_share=share)
    return Measured(measure(records, assessments), predictions, coverage, texts_sha256(records))


def _version(*parts: Any) -> str:
    """The package's version and a hash of what the weights follow from."""
    what = json.dumps(parts, sort_keys=True)
    return f"{__version__}+{hashlib.sha256(what.encode()).hexdigest()[:10]}"
