"""The script that MLflow runs when it loads a registered model; logged as code, so nothing is ever unpickled.

Rayon itself never imports it. The model folder lies beside it as an artifact, and its checksums are checked
like those of any other model folder.
"""

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from rayon.learning.model import ProductClassifier


class RayonModel(PythonModel):  # type: ignore[misc]  # MLflow may not be installed
    """Answer for a data frame of listings."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model folder after checking every byte of it."""
        self._model = ProductClassifier.load(context.artifacts["model"])

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Answer with code, label, confidence and decision for each listing.

        Parameters
        ----------
        model_input
            N listings: ``designation``, ``description``, and ``image``, the path of a file. The last two
            columns may be absent, and any cell missing.

        Returns
        -------
        pandas.DataFrame
            N rows, with the index of the input. A listing with nothing that can be used has no code, and its
            decision is ``"review"``.
        """
        listings = model_input.astype(object).where(model_input.notna(), None)
        answers = self._model.decide(listings)
        columns = ("code", "label", "confidence", "decision")
        return pd.DataFrame(
            [[getattr(answer, name) for name in columns] for answer in answers],
            columns=list(columns),
            index=model_input.index,
        )


set_model(RayonModel())
