"""Trainings and promotions, told to whoever keeps track of them: MLflow, or nobody.

Rayon's own store stays the truth. MLflow is a mirror of it for people to look at, so whatever goes wrong
there is a warning and nothing more. MLflow is never imported here: see `rayon.operations.mlflow_calls`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from rayon.errors import MissingExtraError
from rayon.learning.model_files import ModelReader
from rayon.learning.storage import CARD_FILE
from rayon.operations.mlflow_calls import NAME_TAG
from rayon.operations.mlflow_process import TrackingLimits, call_mlflow, shown_uri
from rayon.operations.registry import NAME_LENGTH
from rayon.operations.tracking_record import as_text, run_metrics, run_params

_LOG = logging.getLogger(__name__)


class Tracker(Protocol):
    """Told of a training: `started`, each `epoch` of a network, `finished` or `failed`. Raises no error."""

    def started(self, run_name: str, params: Mapping[str, Any], *, parent: str | None = None) -> None:
        """A training begins.

        Parameters
        ----------
        run_name
            What people will call it.
        params
            What was chosen for it; keys of letters, digits, spaces and ``_-./:``.
        parent
            The champion that it is to replace, where there is one.
        """

    def epoch(self, name: str, figures: Mapping[str, float]) -> None:
        """A network has gone through its data once more.

        Parameters
        ----------
        name
            The modality whose network it is.
        figures
            ``epoch``, counted from 1, and what was measured after it.
        """

    def finished(
        self, model_folder: Path, model_document: Mapping[str, Any], reports: Sequence[Path] = ()
    ) -> None:
        """A training has given a model.

        Parameters
        ----------
        model_folder
            The model; it stays there until this returns.
        model_document
            The content of its ``model.json``.
        reports
            Files about it; those that are not there are left out. The model card goes along anyhow.
        """

    def failed(self, error: BaseException) -> None:
        """A training has ended without a model."""

    def mirror(self, champion: str | None, names: Sequence[str]) -> None:
        """Say which version is which, after a promotion and whenever it may be out of date.

        Parameters
        ----------
        champion
            The name of the version that serves.
        names
            Names of all versions, the last registered first; the first that is not the champion is the
            challenger.
        """


class NoTracker:
    """Keeps track of nothing."""

    def started(self, run_name: str, params: Mapping[str, Any], *, parent: str | None = None) -> None:
        """Do nothing."""

    def epoch(self, name: str, figures: Mapping[str, float]) -> None:
        """Do nothing."""

    def finished(
        self, model_folder: Path, model_document: Mapping[str, Any], reports: Sequence[Path] = ()
    ) -> None:
        """Do nothing."""

    def failed(self, error: BaseException) -> None:
        """Do nothing."""

    def mirror(self, champion: str | None, names: Sequence[str]) -> None:
        """Do nothing."""


class MlflowTracker:
    """Makes a run of every training, a registered version of every model, and aliases of promotions.

    Where MLflow cannot be reached, the first failure is logged as a warning and the others are not, until
    it is reached again or another training begins; what comes later is tried again, so a run that could not
    be opened is made when it ends.

    Parameters
    ----------
    uri
        The tracking URI.
    artifacts
        Where the artifacts of a new experiment go; ``None`` leaves it to the server.
    experiment, registered_model
        Their names in MLflow.
    limits
        How long MLflow may take.
    """

    def __init__(
        self,
        uri: str,
        artifacts: Path | None = None,
        *,
        experiment: str = "rayon",
        registered_model: str = "rayon",
        limits: TrackingLimits | None = None,
    ) -> None:
        self.uri = uri
        self._registered_model = registered_model
        self._limits = limits or TrackingLimits()
        self._experiment = {
            "experiment": experiment,
            "artifacts": artifacts.absolute().as_uri() if artifacts else None,
        }
        self._run = _run("training", {}, None)
        self._run_id: str | None = None
        self._warned = False

    def started(self, run_name: str, params: Mapping[str, Any], *, parent: str | None = None) -> None:
        """Open a run."""
        self._warned = False
        self._run_id = None
        self._run = _run(run_name, params, parent)
        answer = self._guarded(lambda: self._call("start", **self._experiment, run=self._run))
        self._run_id = answer.get("run_id")

    def epoch(self, name: str, figures: Mapping[str, float]) -> None:
        """Add a point to the curves of the run, if it could be opened."""
        if self._run_id is None:
            return
        metrics = {f"{name}.{key}": float(value) for key, value in figures.items() if key != "epoch"}
        step, run_id = int(figures["epoch"]), self._run_id
        self._guarded(lambda: self._call("measure", run_id=run_id, step=step, metrics=metrics))

    def finished(
        self, model_folder: Path, model_document: Mapping[str, Any], reports: Sequence[Path] = ()
    ) -> None:
        """Fill and end the run, and register the model."""
        try:
            self._guarded(lambda: self._finish(model_folder.absolute(), model_document, reports))
        except BaseException as error:  # a person has no patience with MLflow
            self.failed(error)
            raise
        self._run_id = None

    def failed(self, error: BaseException) -> None:
        """End the run: as killed where a person stopped it."""
        if self._run_id is None:
            return
        run_id, self._run_id = self._run_id, None
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        reason = str(error) or type(error).__name__
        self._guarded(lambda: self._call("fail", run_id=run_id, status=status, error=as_text(reason)))

    def mirror(self, champion: str | None, names: Sequence[str]) -> None:
        """Set the aliases ``champion`` and ``challenger``; a version that MLflow does not have gets none."""
        challenger = next((name for name in names if name != champion), None)
        self._guarded(
            lambda: self._call(
                "mirror",
                registered_model=self._registered_model,
                champion=champion,
                challenger=challenger,
            )
        )

    def _finish(self, folder: Path, document: Mapping[str, Any], reports: Sequence[Path]) -> dict[str, Any]:
        version = ModelReader(folder).fingerprint()
        tags = {
            **self._run["tags"],
            NAME_TAG: version[:NAME_LENGTH],
            "rayon.version": version,
            "rayon.release": document["rayon"],
        }
        return self._call(
            "finish",
            run_id=self._run_id,
            opening={**self._experiment, "run": self._run},
            params=run_params(document),
            metrics=run_metrics(document),
            tags=tags,
            reports=[str(path.absolute()) for path in (folder / CARD_FILE, *reports) if path.is_file()],
            folder=str(folder),
            registered_model=self._registered_model,
            description=document["promise"]["message"],
        )

    def _call(self, call: str, **arguments: Any) -> dict[str, Any]:
        return call_mlflow(self.uri, call, arguments, self._limits)

    def _guarded(self, action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            answer = action()
        except Exception as error:  # whatever it is, the model is worth more than the note about it
            level = logging.DEBUG if self._warned else logging.WARNING
            _LOG.log(level, "MLflow at %s is left out: %s", shown_uri(self.uri), error)
            self._warned = True
            return {}
        self._warned = False
        return answer


def open_tracker(
    home: Path,
    uri: str | None = None,
    *,
    required: bool = False,
    experiment: str = "rayon",
    registered_model: str = "rayon",
    limits: TrackingLimits | None = None,
) -> Tracker:
    """Give an `MlflowTracker` where MLflow is installed, a `NoTracker` elsewhere.

    Parameters
    ----------
    home
        Where MLflow keeps its SQLite file and its artifacts, where there is no URI.
    uri
        A tracking URI: a server or a database.
    required
        Whether somebody asked for it, and should be told that it is not installed.
    experiment, registered_model, limits
        See `MlflowTracker`.

    Raises
    ------
    MissingExtraError
        When it is required and MLflow is not installed.
    """
    spec = find_spec("mlflow")
    if spec is None or spec.origin is None:  # a mere folder of that name has no origin
        if required:
            raise MissingExtraError("mlflow", "Tracking with MLflow")
        return NoTracker()
    home = home.absolute()
    return MlflowTracker(
        uri or f"sqlite:///{home / 'mlflow.db'}",
        None if uri else home / "mlflow-artifacts",
        experiment=experiment,
        registered_model=registered_model,
        limits=limits,
    )


def _run(name: str, params: Mapping[str, Any], parent: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "params": {key: as_text(value) for key, value in params.items()},
        "tags": {"rayon.parent": parent} if parent else {},
        "began": round(time.time() * 1000),
    }
