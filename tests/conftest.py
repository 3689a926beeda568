"""What several tests share."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image
from sqlalchemy import create_engine, make_url

from rayon.data.sample import make_sample
from rayon.learning.model import ProductClassifier
from rayon.operations.training import train
from rayon.store.database import Database
from rayon.store.schema import upgrade_schema

settings.register_profile("rayon", deadline=None)  # a busy machine is not a failure
settings.load_profile("rayon")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data, where there is one."""
    folder = Path(os.environ.get("RAYON_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the real data is not here: set RAYON_SHARED to its folder")
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what Rayon stores between runs out of the home of whoever runs the tests, and from MLflow."""
    monkeypatch.setenv("RAYON_HOME", str(tmp_path_factory.getbasetemp() / "rayon-home"))
    monkeypatch.setenv("RAYON_TRACKING", "off")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Look again and again, for a minute at the most, whether something has come about elsewhere."""

    def look(condition: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come about in time"
            time.sleep(0.05)

    return look


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample catalogue in the challenge's layout; not to be changed."""
    folder = tmp_path_factory.mktemp("sample") / "shop"
    make_sample(folder, 400, seed=1)
    return folder


@pytest.fixture(scope="session")
def trained(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that was trained on the shop, on text and images; not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    train(ProductClassifier(precision=0.8, folds=3), [shop], folder, lambda stage, done, total: None)
    return folder


@pytest.fixture(scope="session")
def model(trained: Path) -> ProductClassifier:
    """The trained model, loaded."""
    return ProductClassifier.load(trained)


@pytest.fixture(scope="session")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand labelled listings like those of the shop, which no model has seen; not to be changed."""
    folder = tmp_path_factory.mktemp("held-out") / "shop"
    make_sample(folder, 1000, seed=9)
    return folder


@pytest.fixture(scope="session")
def better_trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that was trained on five times as many listings; not to be changed."""
    folder = tmp_path_factory.mktemp("better")
    make_sample(folder / "shop", 2000, seed=2)
    classifier = ProductClassifier(precision=0.8, folds=3)
    train(classifier, [folder / "shop"], folder / "model", lambda stage, done, total: None)
    return folder / "model"


@pytest.fixture(scope="session")
def text_models(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of small models of texts alone: a champion, one that is better, three that are its equals."""
    folder = tmp_path_factory.mktemp("texts")
    make_sample(folder / "more", 2000, seed=2)
    for name, catalogue in (("champion", shop), ("better", folder / "more")):
        classifier = ProductClassifier(image="none", precision=0.8, folds=3)
        train(classifier, [catalogue], folder / name, lambda stage, done, total: None)
    for number in (1, 2, 3):
        equal = ProductClassifier.load(folder / "champion")
        equal.precision = 0.7 + number / 100  # which changes no answer
        equal.save(folder / f"equal {number}")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def picture() -> bytes:
    """A large JPEG that says more about its maker than it should."""
    buffer = io.BytesIO()
    image = Image.new("RGB", (1600, 900), (200, 20, 20))
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    image.save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real PostgreSQL server: the one that is named, or one from a wheel."""
    if named := os.environ.get("RAYON_TEST_POSTGRESQL"):
        yield named
        return
    # The server's socket needs a short path; its package warns where the system names no runtime folder.
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")
        server = pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Make an empty database of a kind, and give its address."""

    def make(kind: str) -> str:
        name = f"rayon_{secrets.token_hex(6)}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        server = make_url(request.getfixturevalue("postgresql")).set(drivername="postgresql+psycopg")
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, empty_database: Callable[[str], str]) -> str:
    """Address of an empty database of each kind."""
    return empty_database(request.param)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database of each kind, its tables made."""
    database = Database(database_url)
    upgrade_schema(database)
    yield database
    database.close()


@pytest.fixture
def closed() -> Iterator[Path]:
    """An empty folder that this process may not write to, also where root runs the tests.

    Root may write anywhere, so the process becomes nobody for as long as the test takes.
    """
    parent = Path(tempfile.mkdtemp())  # pytest's own folders cannot even be entered by nobody
    folder = parent / "closed"
    folder.mkdir()
    parent.chmod(0o755)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(parent)
