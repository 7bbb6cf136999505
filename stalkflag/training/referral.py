"""Referral with a promise: what is not referred to a person is seldom missed stalking.

Two thresholds on the probability of stalking. A narrative suggested as something else is referred
from ``refer_stalking_from`` on, one suggested as stalking up to ``refer_stalking_to``. They are
chosen on narratives that the model was not trained on, so that with 95 % confidence

- among narratives neither referred nor suggested as stalking, the share that is stalking stays
  under ``most_missed`` (so it does among all that are not referred);
- among narratives suggested as stalking and not referred, the share that is not stays under
  ``most_false``.

A threshold holds if the exact binomial upper limit (Clopper and Pearson, *Biometrika* 26, 1934) is
under the bound. Several thresholds are tried on the same narratives, so each is tested at the
confidence left when 5 % is shared between them (Bonferroni), as in Geifman and El-Yaniv,
"Selective classification for deep neural networks", NeurIPS 2017. The candidates depend on the
probabilities alone. One narrative a case is drawn, since narratives of one case are not
independent. The promise is for narratives like those: another force, another recording system or
another year may break it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import LABELS
from stalkflag.errors import InputError
from stalkflag.training.predictions import Predictions

CONFIDENCE = 0.95
CANDIDATES = 20
"""Thresholds tried for each promise."""

LEVELS: tuple[float, ...] = (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01)
"""Rows of the coverage table: everything between this probability and its complement is referred."""

STALKING = LABELS.index("stalking")
_TWENTIETHS = np.arange(1, CANDIDATES) / CANDIDATES


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays with the suggestion: how many, how many of them wrongly, and the exact limit.

    ``share`` is the wrong share in the files meant, which may hold more or less stalking than the
    narratives counted.
    """

    narratives: int
    wrong: int
    share: float
    at_most: float


def binomial_upper(hits: int, of: int, confidence: float) -> float:
    """Clopper and Pearson's one-sided upper limit of a share; 1 of nothing."""
    from scipy.stats import beta

    return 1.0 if hits >= of else float(beta.ppf(confidence, hits + 1, of - hits))


def binomial_lower(hits: int, of: int, confidence: float) -> float:
    """Clopper and Pearson's one-sided lower limit of a share; 0 of nothing."""
    return 1.0 - binomial_upper(of - hits, of, confidence)


def share_limit(
    kept: NDArray[np.bool_],
    bad: NDArray[np.bool_],
    *,
    confidence: float,
    bad_share: float | None = None,
) -> float:
    """Upper limit of the share of the bad among the kept.

    With ``bad_share``, for a file in which that share of all narratives is bad: the kept share of
    the bad is limited from above and that of the others from below, each at half the error.
    """
    hits = int((kept & bad).sum())
    if bad_share is None:
        return binomial_upper(hits, int(kept.sum()), confidence)
    half = 1 - (1 - confidence) / 2
    of_bad = binomial_upper(hits, int(bad.sum()), half) * bad_share
    of_good = binomial_lower(int((kept & ~bad).sum()), int((~bad).sum()), half) * (1 - bad_share)
    return of_bad / (of_bad + of_good) if of_good else 1.0


def one_a_case(groups: NDArray[np.str_], seed: int = 1997) -> NDArray[np.int64]:
    """One row drawn from each group, in order."""
    order = np.random.default_rng(seed).permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    return np.sort(order[first])


def choose_thresholds(
    held_out: Predictions,
    *,
    most_missed: float = 0.0,
    most_false: float = 0.0,
    stalking_share: float | None = None,
) -> dict[str, float]:
    """The thresholds that refer least and keep the promises asked for; a bound of 0 asks for none.

    Parameters
    ----------
    held_out
        Predictions of narratives not trained on, with what is referred for other reasons marked.
    stalking_share
        The share of stalking in the files that will be scored, if it is not that of ``held_out``.

    Raises
    ------
    InputError
        If no threshold keeps a promise.
    """
    rows = _Rows.of(held_out, stalking_share)
    found: dict[str, float] = {}
    for bound, what, name, candidates, kept in (
        (
            *(most_missed, "missed stalking", "refer_stalking_from"),
            *(rows.low_candidates(), rows.not_stalking),
        ),
        (
            *(most_false, "false suggestions of stalking", "refer_stalking_to"),
            *(rows.high_candidates(), rows.as_stalking),
        ),
    ):
        if not bound:
            continue
        confidence = 1 - (1 - CONFIDENCE) / max(len(candidates), 1)
        limits = [kept(t, confidence).at_most for t in candidates]
        held = [t for t, limit in zip(candidates, limits, strict=True) if limit <= bound]
        if not held:
            best = min(limits, default=1.0)
            raise InputError(
                f"No referral keeps the share of {what} under {bound:.1%} with {CONFIDENCE:.0%} confidence on "
                f"{len(rows.p)} held-out cases; the lowest bound they can show is {best:.1%}: "
                "allow more, or label more cases."
            )
        found[name] = held[0]
    return found


def refer_by(predictions: Predictions, thresholds: dict[str, float]) -> Predictions:
    """Predictions with what the thresholds refer marked as referred too."""
    suggested_stalking = predictions.suggested == STALKING
    doubtful = np.where(
        suggested_stalking,
        predictions.stalking < thresholds.get("refer_stalking_to", 0.0),
        predictions.stalking >= thresholds.get("refer_stalking_from", np.inf),
    )
    return replace(predictions, referred=predictions.referred | doubtful)


def coverage_table(
    predictions: Predictions, *, stalking_share: float | None = None
) -> list[dict[str, Any]]:
    """Share referred against error kept, row by row as more is referred.

    Each row refers what lies between its level and the level's complement, beside what is referred
    for other reasons. Limits are 95 % upper limits of that row alone; one narrative a case counts.
    With ``stalking_share``, shares of missed and false are those of files with that much stalking;
    what is referred and wrong in all stays as counted.
    """
    rows = _Rows.of(predictions, stalking_share)
    table = []
    for level in LEVELS:
        low, high = rows.not_stalking(level), rows.as_stalking(1 - level)
        kept = rows.kept(level, 1 - level)
        table.append(
            {
                "level": level,
                "referred": round(1 - float(kept.mean()), 4),
                "wrong_kept": round(float(rows.wrong[kept].mean()) if kept.any() else 0.0, 4),
                "kept_as_other": low.narratives,
                "missed": low.wrong,
                "missed_share": round(low.share, 4),
                "missed_at_most": round(low.at_most, 4),
                "kept_as_stalking": high.narratives,
                "false": high.wrong,
                "false_share": round(high.share, 4),
                "false_at_most": round(high.at_most, 4),
            }
        )
    return table


@dataclass(frozen=True, slots=True)
class _Rows:
    """One narrative a case, as columns."""

    p: NDArray[np.float64]
    stalking: NDArray[np.bool_]
    suggested: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    free: NDArray[np.bool_]
    share: float | None

    @classmethod
    def of(cls, predictions: Predictions, share: float | None) -> _Rows:
        drawn = one_a_case(predictions.groups)
        true, suggested = predictions.true[drawn], predictions.suggested[drawn]
        return cls(
            p=predictions.stalking[drawn],
            stalking=true == STALKING,
            suggested=suggested == STALKING,
            wrong=true != suggested,
            free=~predictions.referred[drawn],
            share=share,
        )

    def low_candidates(self) -> list[float]:
        """From the one that keeps everything to the one that keeps least."""
        p = self.p[self.free & ~self.suggested]
        cuts = np.floor(np.quantile(p, _TWENTIETHS) * 1e4) / 1e4 if len(p) else np.empty(0)
        return sorted({1.0, *cuts.tolist()}, reverse=True)

    def high_candidates(self) -> list[float]:
        """From the one that keeps everything to the one that keeps least."""
        p = self.p[self.free & self.suggested]
        cuts = np.ceil(np.quantile(p, _TWENTIETHS) * 1e4) / 1e4 if len(p) else np.empty(0)
        return sorted({0.0, *cuts.tolist()})

    def kept(self, low: float, high: float) -> NDArray[np.bool_]:
        clear: NDArray[np.bool_] = np.where(self.suggested, self.p >= high, self.p < low)
        return self.free & clear

    def not_stalking(self, below: float, confidence: float = CONFIDENCE) -> Kept:
        kept = self.free & ~self.suggested & (self.p < below)
        return self._of(kept, self.stalking, self.share, confidence)

    def as_stalking(self, least: float, confidence: float = CONFIDENCE) -> Kept:
        kept = self.free & self.suggested & (self.p >= least)
        others = None if self.share is None else 1 - self.share
        return self._of(kept, ~self.stalking, others, confidence)

    def _of(
        self,
        kept: NDArray[np.bool_],
        bad: NDArray[np.bool_],
        bad_share: float | None,
        confidence: float,
    ) -> Kept:
        limit = share_limit(kept, bad, confidence=confidence, bad_share=bad_share)
        of_bad, of_good = float((kept & bad).sum()), float((kept & ~bad).sum())
        if bad_share is not None:
            of_bad *= bad_share / max(int(bad.sum()), 1)
            of_good *= (1 - bad_share) / max(int((~bad).sum()), 1)
        share = of_bad / (of_bad + of_good) if of_bad else 0.0
        return Kept(int(kept.sum()), int((kept & bad).sum()), share, limit)
