"""One way to assess narratives, used by the command line, batch scoring, MLflow and callers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.language import Language

from stalkflag.assessment import Assessment, ModelInfo
from stalkflag.decision import decide
from stalkflag.errors import ModelError
from stalkflag.features import WordFeatures
from stalkflag.law import load_profile
from stalkflag.model import BUNDLED, Model, Scores, load_model
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

    def __init__(self, model: Model, *, profile: str = "england-wales") -> None:
        self.model = model
        self.profile = load_profile(profile)
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

    def assess(self, text: str, *, id: str | None = None) -> Assessment:
        """Assess one narrative; offsets in the result are into ``text`` exactly as given."""
        return next(self.assess_many([text], ids=[id]))

    def assess_many(
        self, texts: Iterable[str], *, ids: Iterable[str | None] | None = None
    ) -> Iterator[Assessment]:
        """Assess narratives one by one, in order, in constant memory."""
        names = iter(ids) if ids is not None else None
        for reading in self.reader.read(texts):
            yield self.decide(reading, None if names is None else next(names))

    def score(self, reading: Reading) -> Scores:
        """What the model says of one reading, while its words can still be looked up."""
        return self.model.score(reading, self._words)

    def decide(
        self, reading: Reading, id: str | None = None, scores: Scores | None = None
    ) -> Assessment:
        """The assessment of one reading, by the model's scores if none are given."""
        return decide(
            reading,
            self.score(reading) if scores is None else scores,
            thresholds=self.model.thresholds,
            profile=self.profile,
            model=self._about,
            id=id,
        )


def load(ref: str | Path = "bundled", *, profile: str = "england-wales") -> Assessor:
    """An assessor for a model reference.

    Parameters
    ----------
    ref
        ``"bundled"`` (shipped with the package), a bundle folder, or an MLflow model URI such as
        ``"models:/stalkflag@champion"`` (needs the extra ``train``).
    profile
        Name of a law profile.

    Raises
    ------
    ModelError
        If the reference leads to no usable bundle.
    MissingExtra
        If an MLflow URI is given and MLflow is not installed.
    """
    return Assessor(load_model(_bundle_folder(str(ref))), profile=profile)


def _bundle_folder(ref: str) -> Path:
    if ref == "bundled":
        return BUNDLED
    if ":/" in ref and not Path(ref).exists():
        from stalkflag.training.tracking import bundle_from_uri

        return bundle_from_uri(ref)
    folder = Path(ref)
    if not folder.is_dir():
        raise ModelError(
            f"There is no model at {ref}: give 'bundled', a bundle folder, "
            "or an MLflow URI such as models:/stalkflag@champion."
        )
    return folder
