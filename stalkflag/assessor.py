"""One way to assess narratives, used by the command line, batch scoring, MLflow and callers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from spacy.language import Language

from stalkflag.assessment import Assessment, ModelInfo
from stalkflag.bundle import bundle_folder
from stalkflag.decision import decide
from stalkflag.features import WordFeatures
from stalkflag.law import DEFAULT, load_profile
from stalkflag.law.applied import AppliedLaw
from stalkflag.model import Model, Scores, load_model
from stalkflag.reading import Reader, Reading


class Assessor:
    """Reads narratives with one model; build it once and use it for many.

    Examples
    --------
    >>> import stalkflag
    >>> assessor = stalkflag.load()
    >>> assessor.assess("Bike stolen from outside the library between 2pm and 4pm.").suggestion
    'neither'
    """

    MOST_DAYS = 512
    """Days for which the law in force is kept at hand."""

    def __init__(self, model: Model, *, law: str | Path = DEFAULT) -> None:
        self.model = model
        self.profile = load_profile(law)
        self._laws: dict[date | None, AppliedLaw] = {
            None: AppliedLaw(self.profile, model.rules),
        }
        self.reader = Reader(model.rules)
        self._words = WordFeatures(
            self.reader.nlp.vocab.strings,
            known=self.reader.engine.words,
            characters=model.info["settings"]["characters"],
        )
        self._about = ModelInfo(
            name=model.info["name"],
            version=model.info["version"],
            rules_sha256=model.info["rules_sha256"],
            data_sha256=model.info["data_sha256"],
        )

    @property
    def nlp(self) -> Language:
        """The spaCy ``Language``; ``doc.spans["evidence"]`` holds the words that count."""
        return self.reader.nlp

    def read(self, text: str) -> Reading:
        """What the rules alone read in one narrative, before the model is asked."""
        return next(self.reader.read([text]))

    def assess(self, text: str, *, id: str | None = None, on: date | None = None) -> Assessment:
        """Assess one narrative; offsets in the result are into ``text`` exactly as given.

        ``on`` is the day of the conduct, for the law in force then; without it, the law is that
        of the day on which the profile was last checked.
        """
        return next(self.assess_many([text], ids=[id], on=[on]))

    def assess_many(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None = None,
        on: Iterable[date | None] | None = None,
    ) -> Iterator[Assessment]:
        """Assess narratives one by one, in order, in constant memory.

        ``ids`` and ``on`` (see :meth:`assess`) hold one entry a narrative.
        """
        names = iter(ids) if ids is not None else None
        days = iter(on) if on is not None else None
        for reading in self.reader.read(texts):
            yield self.decide(
                reading,
                None if names is None else next(names),
                day=None if days is None else next(days),
            )

    def scores(self, texts: Iterable[str]) -> Iterator[Scores]:
        """What the model alone says of each narrative, unrounded, before anything is decided."""
        for reading in self.reader.read(texts):
            yield self.score(reading)

    def score(self, reading: Reading) -> Scores:
        """What the model says of one reading, while its words can still be looked up."""
        return self.model.score(reading, self._words)

    def decide(
        self,
        reading: Reading,
        id: str | None = None,
        scores: Scores | None = None,
        *,
        day: date | None = None,
    ) -> Assessment:
        """The assessment of one reading, by the model's scores if none are given."""
        return decide(
            reading,
            self.score(reading) if scores is None else scores,
            thresholds=self.model.thresholds,
            law=self._law(day),
            model=self._about,
            id=id,
        )

    def _law(self, day: date | None) -> AppliedLaw:
        if day not in self._laws:
            today = self._laws[None]
            if len(self._laws) >= self.MOST_DAYS:
                self._laws = {None: today}
            self._laws[day] = today.on(day)
        return self._laws[day]


def load(ref: str | Path = "bundled", *, law: str | Path = DEFAULT) -> Assessor:
    """An assessor for a model reference.

    Parameters
    ----------
    ref
        ``"bundled"`` (shipped with the package), a bundle folder, or an MLflow model URI such as
        ``"models:/stalkflag@champion"`` (needs the extra ``train``).
    law
        Name of a shipped law profile (``"england-wales"``, ``"scotland"``) or the path of one's
        own profile file.

    Raises
    ------
    ModelError
        If the reference leads to no usable bundle.
    InputError
        If there is no such profile, or its file breaks the schema.
    MissingExtra
        If an MLflow URI is given and MLflow is not installed.
    """
    return Assessor(load_model(bundle_folder(str(ref))), law=law)
