"""Tracking: MLflow is told of trainings and promotions, and nothing of Rayon depends on its answer."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from rayon.data.loading import read_catalogue
from rayon.data.sample import make_sample
from rayon.errors import MissingExtraError, RayonError
from rayon.learning.model import ProductClassifier
from rayon.operations.mirroring import BackgroundMirror, mirror_registry
from rayon.operations.mlflow_process import TrackingLimits
from rayon.operations.registry import Registry
from rayon.operations.tracking import MlflowTracker, NoTracker, Tracker, open_tracker
from rayon.operations.tracking_record import LONGEST_VALUE, as_text, run_metrics, run_params
from rayon.operations.training import READING, train
from rayon.store.database import Database
from rayon.store.schema import upgrade_schema

MISSING = "MLflow is not installed: pip install 'rayon[mlflow]'"
LOGGER = "rayon.operations.tracking"
IMPATIENT = TrackingLimits(answering=1)

theirs = pytest.mark.filterwarnings("ignore")
"""For tests that use MLflow's own client here: what it warns of is none of ours."""


@pytest.fixture(scope="module")
def mlflow() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("mlflow", reason=MISSING)


@dataclass(frozen=True)
class Tracked:
    """Two trainings that MLflow was told of, the first by `rayon train`."""

    uri: str
    home: Path
    shop: Path
    folders: list[Path]
    names: list[str]
    mlflow: Any

    def client(self) -> Any:
        return self.mlflow.MlflowClient(self.uri)

    def runs(self) -> list[Any]:
        """All runs, the oldest first."""
        client = self.client()
        experiment = client.get_experiment_by_name("rayon")
        return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]))

    def versions(self) -> dict[str, Any]:
        """Registered versions by Rayon's name."""
        found = self.client().search_model_versions("name = 'rayon'")
        return {one.tags["rayon.name"]: one for one in found}


def silently(stage: str, done: int, total: int) -> None:
    """No progress."""


def document(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "model.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def tracked(mlflow: Any, shop: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    where = tmp_path_factory.mktemp("tracked")
    home, first, other = where / "a home", where / "model", where / "100 % #2" / "model"
    told = {"RAYON_HOME": str(home), "RAYON_TRACKING": "on", "RAYON_CACHE": "0", "MLFLOW_TRACKING_URI": ""}
    command = [sys.executable, "-m", "rayon", "train", str(shop), "--out", "model"]
    command += ["--image-encoder", "none", "--folds", "3", "--precision", "0.8"]
    done = subprocess.run(
        command, cwd=where, env={**os.environ, **told}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "MLflow" not in done.stderr
    model = ProductClassifier.load(trained)
    model.precision = 0.7
    model.save(other)
    report = where / "report.html"
    report.write_text("<p>good</p>")
    tracker = open_tracker(home)
    assert isinstance(tracker, MlflowTracker)
    names = [ProductClassifier.load(folder).version_[:12] for folder in (first, other)]
    tracker.started("the second", {"folds": 99, "catalogues": [where / "é"]}, parent=names[0])
    for epoch, f1 in ((1, 0.5), (2, 0.75)):
        tracker.epoch("text-conv1d", {"epoch": epoch, "validation_f1": f1, "loss": 2 - f1})
    tracker.finished(other, document(other), [report, where / "none.html"])
    tracker.epoch("text-conv1d", {"epoch": 3, "validation_f1": 1.0})  # of no run
    return Tracked(tracker.uri, home, shop, [first, other], names, mlflow)


@theirs
@pytest.mark.proof
def test_a_training_is_a_run(tracked: Tracked) -> None:
    first, second = tracked.runs()
    model, other = (document(folder) for folder in tracked.folders)
    assert (first.info.run_name, first.info.status) == ("model", "FINISHED")
    assert (second.info.run_name, second.info.status) == ("the second", "FINISHED")
    assert first.info.end_time > first.info.start_time
    assert first.data.params["catalogues"] == json.dumps([str(tracked.shop)])
    assert first.data.params["train_only"] == "[]"
    assert first.data.params["text"] == "ngrams"
    assert first.data.params["image"] == "none"
    assert first.data.params["listings"] == str(model["data"]["trusted"])
    assert first.data.params["folds"] == "3"
    assert first.data.params["promise.precision"] == "0.8"
    assert first.data.params["random_state"] == "0"
    assert first.data.params["encoders.text.name"] == "ngrams"
    assert first.data.params["data.fingerprint"] == model["data"]["fingerprint"]
    # What the caller said stays, and the model's own document adds to it.
    assert second.data.params["folds"] == "99"
    assert second.data.params["catalogues"] == f'["{tracked.home.parent / "é"}"]'
    assert second.data.params["promise.precision"] == "0.7"
    figures = other["figures"]["modalities"]
    for modality in ("text", "image", "fused"):
        for figure in ("weighted_f1", "macro_f1", "accuracy", "ece"):
            assert second.data.metrics[f"{modality}.{figure}"] == pytest.approx(figures[modality][figure])
    assert second.data.metrics["fused.coverage"] == figures["fused"]["coverage"]
    assert first.data.tags["rayon.name"] == tracked.names[0]
    assert "rayon.parent" not in first.data.tags
    assert second.data.tags["rayon.parent"] == tracked.names[0]
    for run, expected in (
        (first, ["MODEL_CARD.md", "report.html", "report.txt"]),
        (second, ["MODEL_CARD.md", "report.html"]),
    ):
        assert [one.path for one in tracked.client().list_artifacts(run.info.run_id)] == expected


@theirs
@pytest.mark.proof
def test_each_epoch_of_a_network_is_a_point_of_a_curve(tracked: Tracked) -> None:
    first, second = tracked.runs()
    client = tracked.client()
    points = client.get_metric_history(second.info.run_id, "text-conv1d.validation_f1")
    assert [(point.step, point.value) for point in points] == [(1, 0.5), (2, 0.75)]
    losses = client.get_metric_history(second.info.run_id, "text-conv1d.loss")
    assert [point.value for point in losses] == [1.5, 1.25]
    assert not client.get_metric_history(first.info.run_id, "text-conv1d.loss")


@theirs
@pytest.mark.proof
def test_a_model_is_a_registered_version(tracked: Tracked) -> None:
    versions = tracked.versions()
    assert set(versions) == set(tracked.names)
    second = versions[tracked.names[1]]
    assert second.run_id == tracked.runs()[1].info.run_id
    assert second.tags["rayon.parent"] == tracked.names[0]
    assert second.tags["rayon.version"] == ProductClassifier.load(tracked.folders[1]).version_
    assert second.description == document(tracked.folders[1])["promise"]["message"]
    logged = tracked.client().get_logged_model(second.source.removeprefix("models:/"))
    assert {one.key for one in logged.metrics} == set(run_metrics(document(tracked.folders[1])))


@theirs
@pytest.mark.proof
def test_mlflow_answers_as_rayon_does(tracked: Tracked, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    model = ProductClassifier.load(tracked.folders[1])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracked.uri)
    version = tracked.versions()[tracked.names[1]].version
    loaded = tracked.mlflow.pyfunc.load_model(f"models:/rayon/{version}")
    listings = read_catalogue([shop]).listings[:40]
    assert any(listing.image for listing in listings)
    frame = pd.DataFrame(
        {
            "designation": [listing.designation for listing in listings],
            "description": [listing.description or None for listing in listings],
            "image": [str(listing.image) if listing.image else None for listing in listings],
        },
        index=range(100, 140),
    )
    expected = [(one.code, one.label, one.confidence, one.decision) for one in model.decide(listings)]
    answers = loaded.predict(frame)
    assert list(answers.columns) == ["code", "label", "confidence", "decision"]
    assert list(answers.itertuples(index=False, name=None)) == expected
    assert list(answers.index) == list(frame.index)
    titles = loaded.predict(frame[["designation"]])
    assert list(titles["code"]) == [one.code for one in model.decide([li.designation for li in listings])]
    nothing = loaded.predict(pd.DataFrame({"designation": [None]})).iloc[0]
    assert (nothing["code"], nothing["decision"]) == ("", "review")
    with pytest.raises(tracked.mlflow.MlflowException, match="Model is missing inputs"):
        loaded.predict(pd.DataFrame({"title": ["piscine"]}))


@theirs
@pytest.mark.proof
def test_a_changed_model_is_not_loaded(
    tracked: Tracked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracked.uri)
    version = tracked.versions()[tracked.names[0]]
    here = tracked.mlflow.artifacts.download_artifacts(version.source, dst_path=str(tmp_path))
    (file,) = Path(here).rglob("taxonomy.json")
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(Exception, match=r"taxonomy\.json has changed since it was written"):
        tracked.mlflow.pyfunc.load_model(here)


@pytest.mark.proof
def test_nothing_is_pickled(tracked: Tracked) -> None:
    files = [path for path in (tracked.home / "mlflow-artifacts").rglob("*") if path.is_file()]
    assert sum(path.name == "mlflow_model.py" for path in files) == 2
    for path in files:
        assert path.suffix not in (".pkl", ".pickle", ".joblib"), path
        content = path.read_bytes()
        assert not (content[:1] == b"\x80" and content[-1:] == b"."), path  # how every pickle begins and ends
        if zipfile.is_zipfile(path):
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype.hasobject is False for name in arrays.files)


@pytest.mark.proof
def test_nothing_is_left_elsewhere(tracked: Tracked) -> None:
    assert sorted(path.name for path in tracked.home.iterdir()) == ["mlflow-artifacts", "mlflow.db"]
    here = {path.name for path in tracked.home.parent.iterdir()}
    assert here == {tracked.home.name, "model", "100 % #2", "report.html"}


@pytest.mark.proof
def test_the_home_is_for_its_own_user_alone(tracked: Tracked) -> None:
    assert tracked.home.stat().st_mode & 0o777 == 0o700


@theirs
@pytest.mark.proof
def test_aliases_say_what_the_registry_says(tracked: Tracked, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'rayon.db'}")
    upgrade_schema(database)
    registry = Registry(database, tmp_path / "models")
    tracker = MlflowTracker(tracked.uri)

    def mirrored() -> dict[str, str]:
        mirror_registry(tracker, registry)
        rayons = {one.version: name for name, one in tracked.versions().items()}
        aliases = tracked.client().get_registered_model("rayon").aliases
        return {alias: rayons[version] for alias, version in aliases.items()}

    first, second = tracked.names
    registry.register(tracked.folders[0], "ann")
    registry.promote(first, "ann", "the first")
    registry.register(tracked.folders[1], "ann")
    assert mirrored() == {"champion": first, "challenger": second}
    registry.promote(second, "ann", "better")
    assert mirrored() == {"champion": second, "challenger": first}
    database.close()


@theirs
@pytest.mark.proof
def test_the_last_version_of_a_name_counts_and_what_is_unknown_has_no_alias(tracked: Tracked) -> None:
    client = tracked.client()
    client.create_registered_model("twice")
    for name in ("same", "same", "other"):
        client.create_model_version("twice", tracked.folders[0].as_uri(), tags={"rayon.name": name})
    client.set_registered_model_alias("twice", "champion", "3")
    # A champion that MLflow was never told of must not leave its name with another.
    MlflowTracker(tracked.uri, registered_model="twice").mirror("unknown", ["unknown", "same", "other"])
    aliases = client.get_registered_model("twice").aliases
    assert {alias: str(version) for alias, version in aliases.items()} == {"challenger": "2"}


@theirs
@pytest.mark.proof
@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("too little to learn from"), "FAILED", "too little to learn from"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
    ],
)
def test_a_training_that_fails(
    tracked: Tracked, tmp_path: Path, error: BaseException, status: str, reason: str
) -> None:
    def fail(stage: str, done: int, total: int) -> None:
        if stage != READING:
            raise error

    tracker = open_tracker(tracked.home, experiment=reason)
    with pytest.raises(type(error)):
        train(ProductClassifier(image="none"), [tracked.shop], tmp_path / "unlucky", fail, tracker=tracker)
    client = tracked.client()
    (run,) = client.search_runs([client.get_experiment_by_name(reason).experiment_id])
    assert (run.info.run_name, run.info.status) == ("unlucky", status)
    assert run.data.tags["rayon.error"] == reason
    assert run.data.params["image"] == "none"


class Interrupting(dict[str, Any]):
    """A document during which a person presses Ctrl-C."""

    def __getitem__(self, key: str) -> Any:
        raise KeyboardInterrupt


@theirs
@pytest.mark.proof
def test_a_person_who_has_no_patience_with_mlflow_ends_the_run(tracked: Tracked) -> None:
    tracker = open_tracker(tracked.home, experiment="patience")
    tracker.started("interrupted", {})
    with pytest.raises(KeyboardInterrupt):
        tracker.finished(tracked.folders[0], Interrupting())
    client = tracked.client()
    (run,) = client.search_runs([client.get_experiment_by_name("patience").experiment_id])
    assert run.info.status == "KILLED"


def test_catalogues_that_cannot_be_read_are_no_training(mlflow: Any, tmp_path: Path) -> None:
    tracker = open_tracker(tmp_path / "home")
    with pytest.raises(RayonError):
        train(ProductClassifier(), [tmp_path / "none"], tmp_path / "out", silently, tracker=tracker)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def refusing() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["silent", "refusing"])
def test_training_goes_on_without_mlflow(
    mlflow: Any,
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    uri = f"http://ann:s%40cret@127.0.0.1:{request.getfixturevalue(kind)}"
    tracker = open_tracker(tmp_path / "home", uri, limits=IMPATIENT)
    before = dict(os.environ)
    begun = time.monotonic()
    make_sample(tmp_path / "shop", 100, seed=2)
    out = tmp_path / "model"
    model = ProductClassifier(image="none", folds=2)
    train(model, [tmp_path / "shop"], out, silently, tracker=tracker)
    tracker.mirror("a", ["a"])
    assert time.monotonic() - begun < 60  # MLflow alone would try for half an hour
    assert ProductClassifier.load(out).version_ == model.version_
    assert not (tmp_path / "home").exists()
    assert dict(os.environ) == before
    (warning,) = [one for one in caplog.records if one.name == LOGGER and one.levelno == logging.WARNING]
    reason = "TimeoutError: timed out" if kind == "silent" else "ConnectionRefusedError: "
    shown = uri.replace("s%40cret", "***")
    assert warning.getMessage().startswith(f"MLflow at {shown} is left out: {reason}")


def test_a_wait_that_mlflow_cannot_end_is_ended(
    mlflow: Any, silent: int, caplog: pytest.LogCaptureFixture
) -> None:
    limits = TrackingLimits(reaching=1, answering=300)
    tracker = MlflowTracker(f"http://127.0.0.1:{silent}", limits=limits)
    tracker.mirror("a", ["a"])
    expected = f"MLflow at http://127.0.0.1:{silent} is left out: there was no answer within 1 s"
    assert [one.getMessage() for one in caplog.records if one.name == LOGGER] == [expected]


@theirs
@pytest.mark.proof
def test_a_run_that_could_not_be_opened_is_made_later(
    mlflow: Any, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.write_text("in the way")
    tracker = open_tracker(home)
    assert isinstance(tracker, MlflowTracker)
    tracker.started("late", {"seed": 7}, parent="abc")
    tracker.failed(ValueError("there is no run to end"))
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1
    home.unlink()
    tracker.finished(trained, document(trained))
    client = mlflow.MlflowClient(tracker.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("rayon").experiment_id])
    assert (run.info.run_name, run.info.status, run.data.params["seed"]) == ("late", "FINISHED", "7")
    assert run.data.tags["rayon.parent"] == "abc"


@theirs
@pytest.mark.proof
def test_what_mlflow_refuses_is_said_and_kept_with_the_run(
    mlflow: Any, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = MlflowTracker(uri, tmp_path / "artifacts", registered_model="no/such:name")
    tracker.started("refused", {})
    tracker.finished(trained, document(trained))
    (warning,) = [one for one in caplog.records if one.name == LOGGER]
    assert "no/such:name" in warning.getMessage()
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("rayon").experiment_id])
    assert run.info.status == "FAILED"
    assert run.data.tags["rayon.error"].startswith("The model was made, and MLflow could not take it: ")


def test_a_folder_that_is_no_model_is_said(
    mlflow: Any, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = open_tracker(tmp_path / "home")
    tracker.finished(tmp_path / "none", document(trained))
    (warning,) = [one for one in caplog.records if one.name == LOGGER]
    assert f"is left out: There is no model folder {tmp_path / 'none'}. " in warning.getMessage()


def test_without_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    tracker: Tracker = open_tracker(tmp_path, "http://127.0.0.1:9")
    assert isinstance(tracker, NoTracker)
    tracker.started("a", {})
    tracker.finished(tmp_path / "none", {})
    tracker.failed(ValueError("x"))
    tracker.mirror(None, [])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MissingExtraError) as caught:
        open_tracker(tmp_path, required=True)
    assert str(caught.value) == (
        "Tracking with MLflow needs the package 'mlflow', which is not installed. "
        "Install it with: pip install mlflow"
    )


def test_a_folder_of_that_name_is_not_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ModuleType("mlflow")
    folder.__spec__ = ModuleSpec("mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow", folder)
    assert isinstance(open_tracker(tmp_path), NoTracker)


class Noting(NoTracker):
    """Notes what it is told, and has it wait at the first time."""

    def __init__(self) -> None:
        self.told: list[str | None] = []
        self.entered, self.go_on = threading.Event(), threading.Event()

    def mirror(self, champion: str | None, names: Sequence[str]) -> None:
        self.told.append(champion)
        self.entered.set()
        assert self.go_on.wait(60)


def test_the_background_mirrors_once_more_for_all_that_came_meanwhile(trained: Path, tmp_path: Path) -> None:
    database, tracker = Database(f"sqlite:///{tmp_path / 'rayon.db'}"), Noting()
    upgrade_schema(database)
    registry = Registry(database, tmp_path / "models")
    mirror = BackgroundMirror(tracker, registry)
    assert mirror.wait(0)
    mirror.refresh()
    assert tracker.entered.wait(60)
    name = registry.register(trained, "ann").name
    registry.promote(name, "ann", "good")
    mirror.refresh()
    mirror.refresh()
    assert not mirror.wait(0)
    tracker.go_on.set()
    assert mirror.wait(60)
    assert tracker.told == [None, name]
    mirror.refresh()
    assert mirror.wait(60)
    assert tracker.told == [None, name, name]
    database.close()


def test_a_registry_that_cannot_be_read_is_said_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database, tracker = Database(f"sqlite:///{tmp_path / 'rayon.db'}"), Noting()
    mirror_registry(tracker, Registry(database, tmp_path / "models"))
    assert tracker.told == []
    (warning,) = caplog.records
    assert warning.getMessage().startswith("The registry could not be read to show it elsewhere: ")
    database.close()


def run_python(code: str, *, given: str = "", home: Path) -> str:
    """Run Python where nothing says that it is a test, and give what it says on standard error."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        input=given,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stderr


def test_tracking_never_imports_mlflow(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        import rayon.operations.training
        from rayon.operations.tracking import open_tracker
        tracker = open_tracker(Path("home").absolute(), "http://127.0.0.1:9")
        tracker.started("a", {})
        print(sorted(name for name in sys.modules if name.split(".")[0] == "mlflow"), file=sys.stderr)
    """
    assert run_python(code, home=tmp_path).splitlines()[-1] == "[]"


def test_nothing_is_reported_to_the_makers_of_mlflow(mlflow: Any, tmp_path: Path) -> None:
    # MLflow's own default is to report, outside of tests; it would also keep a file below the user's home.
    telemetry = """if True:
        import sys
        from mlflow.telemetry.client import get_telemetry_client
        print(get_telemetry_client(), file=sys.stderr)
    """
    request = {
        "uri": f"sqlite:///{tmp_path / 'mlflow.db'}",
        "call": "mirror",
        "arguments": {"registered_model": "rayon", "champion": None, "challenger": None},
        "limits": asdict(TrackingLimits()),
    }
    code = f"from rayon.operations.mlflow_calls import main; main()\n{telemetry}"
    assert run_python(code, given=json.dumps(request), home=tmp_path).splitlines()[-1] == "None"
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_parameters_and_figures_have_flat_names() -> None:
    assert as_text(True) == "true"
    assert as_text(None) == "null"
    assert as_text(0.5) == "0.5"
    assert as_text("é") == "é"
    assert as_text([Path("a"), 1]) == '["a", 1]'
    assert as_text("x" * 1000) == "x" * LONGEST_VALUE
    model = {
        "random_state": 0,
        "folds": 5,
        "codes": ["10", "40"],
        "promise": {"precision": 0.9, "confidence": 0.95, "min_code_listings": 30, "threshold": None},
        "data": {"trusted": 9, "fingerprint": "abc"},
        "encoders": {"text": {"name": "ngrams", "chars": [3, 4]}},
        "heads": {"text": {"kind": "TextHead", "params": {"C": 1.5}}},
        "figures": {
            "modalities": {"fused": {"n": 9, "ece": None, "accuracy": 1.0, "intervals": {"ece": [0, 1]}}}
        },
    }
    assert run_params(model) == {
        "random_state": "0",
        "folds": "5",
        "codes": "2",
        "promise.precision": "0.9",
        "promise.confidence": "0.95",
        "promise.min_code_listings": "30",
        "data.trusted": "9",
        "data.fingerprint": "abc",
        "encoders.text.name": "ngrams",
        "encoders.text.chars": "[3, 4]",
        "heads.text.kind": "TextHead",
        "heads.text.params.C": "1.5",
    }
    assert run_metrics(model) == {"fused.n": 9.0, "fused.accuracy": 1.0}


@theirs
@pytest.mark.proof
def test_a_server_takes_it_all(
    mlflow: Any, trained: Path, tmp_path: Path, refusing: int, until: Callable[..., None]
) -> None:
    pytest.importorskip("flask", reason="mlflow-skinny has no server")
    uri = f"http://127.0.0.1:{refusing}"
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(refusing), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    server = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        until(lambda: answers(refusing))
        tracker = MlflowTracker(uri)
        tracker.started("over there", {}, parent="abc")
        tracker.finished(trained, document(trained))
        name = ProductClassifier.load(trained).version_[:12]
        tracker.mirror(name, [name])
        version = mlflow.MlflowClient(uri).get_model_version_by_alias("rayon", "champion")
        assert version.tags["rayon.name"] == name
        kept = {path.name for path in (tmp_path / "artifacts").rglob("*") if path.is_file()}
        assert {path.name for path in trained.iterdir()} < kept
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
