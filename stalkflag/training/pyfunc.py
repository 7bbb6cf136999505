"""The model as MLflow serves it: logged as this code (models-from-code), without pickle."""

from __future__ import annotations

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext


class StalkflagModel(PythonModel):  # type: ignore[misc]
    """Takes a DataFrame with a ``text`` column, returns one row an input.

    The columns are those that ``stalkflag score`` adds to flat files, and ``assessment``: the
    whole assessment as JSON.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Build the pipeline once from the bundle folder among the artifacts."""
        from stalkflag.assessor import load

        self.assessor = load(context.artifacts["bundle"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None
    ) -> pd.DataFrame:
        """Assess each row's ``text``, in order."""
        from stalkflag.batch.score import flatten

        texts = ["" if text is None else str(text) for text in model_input["text"]]
        return pd.DataFrame(
            [
                {**flatten(assessment), "assessment": assessment.to_json()}
                for assessment in self.assessor.assess_many(texts)
            ],
            index=model_input.index,
        )


mlflow.models.set_model(StalkflagModel())
