"""What Rayon asks of MLflow, done in a process of its own: ``python -m rayon.operations.mlflow_calls``.

MLflow keeps its address, its time limits and its telemetry switch in the environment and in globals, and may
try for hours to reach a database that is not there. In a process that ends after each call, none of it
touches training or the service, and the call can be ended at any moment. `rayon.operations.mlflow_process`
starts it: the request comes as JSON on standard input; the answer goes to standard output, one JSON value a
line.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from rayon import __version__

NAME_TAG = "rayon.name"
"""Of registered versions and of runs: what Rayon calls the model version."""

ERROR_TAG = "rayon.error"
CHAMPION, CHALLENGER = "champion", "challenger"

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # would copy the uv.lock of whatever folder we are in to the model
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
_FOREIGN = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_ACTIVE_MODEL_ID")
"""Somebody else's run must not become ours."""

_MODEL_SCRIPT = Path(__file__).with_name("mlflow_model.py")
_EXAMPLE = {"designation": "Piscine gonflable ronde", "description": "Piscine pour enfants, 120 cm"}
_REGISTRATION_SECONDS = 60


def start(client: Any, *, experiment: str, artifacts: str | None, run: Mapping[str, Any]) -> dict[str, Any]:
    """Open a run, in an experiment that is made where it is missing.

    Parameters
    ----------
    client
        An ``mlflow.MlflowClient``.
    experiment, artifacts
        Its name, and the address of its artifacts where it is made; ``None`` leaves that to the server.
    run
        ``name``, ``params``, ``tags``, and ``began`` in milliseconds since 1970.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(experiment)
    if found is None:
        with suppress(MlflowException):  # another process was quicker
            client.create_experiment(experiment, artifact_location=artifacts)
        found = client.get_experiment_by_name(experiment)
    tags = {"mlflow.source.name": "rayon", **run["tags"]}
    made = client.create_run(found.experiment_id, start_time=run["began"], tags=tags, run_name=run["name"])
    _log_params(client, made.info.run_id, run["params"])
    return {"run_id": made.info.run_id}


def measure(client: Any, *, run_id: str, step: int, metrics: Mapping[str, float]) -> dict[str, Any]:
    """Add a point to some curves of a run that is under way."""
    for name, value in metrics.items():
        client.log_metric(run_id, name, value, step=step)
    return {}


def finish(
    client: Any,
    *,
    run_id: str | None,
    opening: Mapping[str, Any],
    params: Mapping[str, str],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    reports: Sequence[str],
    folder: str,
    registered_model: str,
    description: str,
) -> dict[str, Any]:
    """Fill a run, end it, and register its model.

    Parameters
    ----------
    run_id
        The run; ``None`` opens one first.
    opening
        The arguments of `start` for that.
    params, metrics
        Of the run and of the model; a parameter that the run has already stays as it is.
    tags
        Of the run and of the registered version.
    reports
        Files that go along with the run.
    folder
        The model folder.
    registered_model, description
        Name of the registered model, and what is said of the version.
    """
    import mlflow

    run_id = run_id or str(start(client, **opening)["run_id"])
    try:
        with mlflow.start_run(run_id=run_id, log_system_metrics=False):
            _log_params(client, run_id, params)
            mlflow.set_tags(dict(tags))
            mlflow.log_metrics(dict(metrics))  # before the model, which takes them over
            for report in reports:
                mlflow.log_artifact(report)
            version = mlflow.register_model(
                _log_model(folder), registered_model, _REGISTRATION_SECONDS, tags=dict(tags)
            )
            client.update_model_version(registered_model, version.version, description)
    except Exception as error:
        with suppress(Exception):
            client.set_tag(run_id, ERROR_TAG, f"The model was made, and MLflow could not take it: {error}")
        raise
    return {"version": str(version.version)}


def fail(client: Any, *, run_id: str, status: str, error: str) -> dict[str, Any]:
    """End a run whose training did not come to its end: ``"FAILED"`` or ``"KILLED"``, and why."""
    client.set_tag(run_id, ERROR_TAG, error)
    client.set_terminated(run_id, status)
    return {}


def mirror(
    client: Any, *, registered_model: str, champion: str | None, challenger: str | None
) -> dict[str, Any]:
    """Have the aliases say what Rayon says; an alias whose version is not in MLflow goes, rather than lie."""
    from mlflow.exceptions import MlflowException

    try:
        present = client.get_registered_model(registered_model).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    versions = _versions_by_name(client, registered_model)
    wanted = {CHAMPION: versions.get(champion or ""), CHALLENGER: versions.get(challenger or "")}
    for alias, version in wanted.items():
        if version is None and alias in present:
            client.delete_registered_model_alias(registered_model, alias)
        elif version is not None and version != str(present.get(alias)):
            client.set_registered_model_alias(registered_model, alias, version)
    return {}


CALLS: dict[str, Callable[..., dict[str, Any]]] = {
    "start": start,
    "measure": measure,
    "finish": finish,
    "fail": fail,
    "mirror": mirror,
}


def _versions_by_name(client: Any, registered_model: str) -> dict[str, str]:
    """Versions in MLflow by what Rayon calls them; the last one where a name was registered twice."""
    found: dict[str, str] = {}
    token: str | None = ""
    while token is not None:
        page = client.search_model_versions(f"name = '{registered_model}'", page_token=token or None)
        for one in page:
            name = one.tags.get(NAME_TAG, "")
            if int(one.version) > int(found.get(name, 0)):
                found[name] = str(one.version)
        token = page.token or None
    return found


def _log_params(client: Any, run_id: str, params: Mapping[str, str]) -> None:
    import mlflow

    there = client.get_run(run_id).data.params  # MLflow refuses another value for a parameter that it has
    mlflow.log_params({key: value for key, value in params.items() if key not in there}, run_id=run_id)


def _log_model(folder: str) -> str:
    """Log a model folder with the script that answers by it, and give the address of the logged model."""
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [ColSpec("string", "designation")]
    inputs += [ColSpec("string", name, required=False) for name in ("description", "image")]
    outputs = [ColSpec("string", "code"), ColSpec("string", "label")]
    outputs += [ColSpec("double", "confidence"), ColSpec("string", "decision")]
    # MLflow takes the path for an address and trips over a % or # in it, so it gets one without.
    with TemporaryDirectory() as scratch:
        plain = shutil.copytree(folder, Path(scratch) / "model")
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_MODEL_SCRIPT),
            artifacts={"model": str(plain)},
            signature=ModelSignature(Schema(inputs), Schema(outputs)),
            input_example=pd.DataFrame([_EXAMPLE]),
            pip_requirements=[f"rayon=={__version__}", f"mlflow=={mlflow.__version__}"],
        )
    return str(logged.model_uri)


def _answer(request: Mapping[str, Any], tell: Callable[[Any], None]) -> dict[str, Any]:
    """Do what is asked, within the limits that come with the request, in seconds.

    An alarm that nobody handles ends the process, whatever C function it is waiting in.
    """
    limits = request["limits"]
    tell("loading")
    signal.alarm(limits["loading"])
    os.environ.update(_SETTINGS)
    for name in _FOREIGN:
        os.environ.pop(name, None)
    import mlflow

    tell("reaching")
    signal.alarm(limits["reaching"])
    mlflow.set_tracking_uri(request["uri"])
    client = mlflow.MlflowClient()
    _reach(client, limits["answering"])
    tell("working")
    signal.alarm(limits["working"])
    return CALLS[request["call"]](client, **request["arguments"])


def _reach(client: Any, seconds: int) -> None:
    """Ask a first question, which has to be answered soon; after it MLflow's own settings count."""
    patience = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    before = {name: os.environ.get(name) for name in patience}
    os.environ.update(patience)
    client.search_experiments(max_results=1)
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def main() -> None:
    """Read one request, answer it, and end."""
    answers: TextIO = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # MLflow prints, and that is no answer

    def tell(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    try:
        tell(_answer(json.load(sys.stdin), tell))
    except Exception as error:  # whatever it is, the other side wants to know
        reason = _behind(error)
        tell({"error": f"{type(reason).__name__}: {reason}"})


def _behind(error: BaseException) -> BaseException:
    """The operating system's error behind another, such as a refused connection; else that other."""
    first = error
    while (before := first.__cause__ or first.__context__) is not None:
        first = before
    return first if isinstance(first, OSError) else error


if __name__ == "__main__":
    main()
