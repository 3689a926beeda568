from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rayon import __version__

Rayon = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def rayon(tmp_path: Path) -> Rayon:
    """Run the real command, as a user would, in an empty folder."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rayon", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "RAYON_HOME": str(tmp_path / "home"), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def refused(done: subprocess.CompletedProcess[str], message: str, hint: str) -> None:
    assert done.returncode == 2
    stages = [line for line in done.stderr.splitlines() if ": done (" in line]
    assert done.stderr.splitlines() == [*stages, f"Error: {message}.", f"{hint}."]
    assert done.stdout == ""


@pytest.mark.proof
def test_no_input_is_overwritten(rayon: Rayon, trained: Path, shop: Path, tmp_path: Path) -> None:
    kept = "designation,imageid\nPiscine ronde,7\n,\n"
    (tmp_path / "in.csv").write_text(kept)
    for command in (
        ("classify", trained, "in.csv", "--out", "in.csv"),
        ("classify", trained, "in.csv", "--out", f"../{tmp_path.name}/in.csv"),
        ("inspect", "in.csv", "--report", "in.csv"),
    ):
        done = rayon(*command)
        refused(done, f"{command[-1]} belongs to the input in.csv", "Choose another name")
    refused(
        rayon("inspect", "in.csv", "--report", "in.txt"),
        "The report cannot be written as 'in.txt'",
        "End the name with .html",
    )
    assert (tmp_path / "in.csv").read_text() == kept
    done = rayon("classify", trained, "in.csv", "--out", "out.csv", "--format", "challenge", "--resume")
    assert done.returncode == 1
    assert "1 failed: they have no code there; without --format challenge" in done.stdout
    assert "1 pictures that the listings name are not there; check --images." in done.stderr
    assert "There was nothing to go on with" in done.stderr


def test_an_error_is_one_json_object_too(rayon: Rayon) -> None:
    done = rayon("evaluate", "none", "none.csv", "--json")
    assert done.returncode == 2
    assert set(json.loads(done.stdout)) == {"error", "hint"}
    assert json.loads(done.stdout)["error"] in done.stderr


def test_help_and_version_need_nothing(rayon: Rayon) -> None:
    assert rayon("--version").stdout.strip() == f"rayon {__version__}"
    for command in ("sample", "inspect", "train", "evaluate", "classify", "explain", "demo"):
        done = rayon(command, "--help")
        assert done.returncode == 0
        assert f"Example: rayon {command}" in done.stdout


def test_from_labels_to_answers(rayon: Rayon, shop: Path, tmp_path: Path) -> None:
    trained = rayon("train", shop, "--out", "model", "--image-encoder", "none", "--folds", 3, "--json")
    assert trained.returncode == 0, trained.stderr
    summary = json.loads(trained.stdout)
    assert summary["trusted"] == 400
    assert set(summary["figures"]) == {"text", "fused"}
    evaluated = rayon("evaluate", "model", shop, "--json", "--report", "report")
    figures = json.loads(evaluated.stdout)
    assert figures["n"] == 400
    assert figures["seen_in_training"] > 350
    assert "the figures flatter it" in evaluated.stderr
    assert set(figures["modalities"]["fused"]) >= {
        "n",
        "weighted_f1",
        "macro_f1",
        "accuracy",
        "log_loss",
        "ece",
        "coverage",
        "accepted_precision",
    }
    assert (tmp_path / "report" / "report.html").is_file()
    assert (tmp_path / "report" / "report.txt").is_file()
    done = rayon("classify", "model", shop / "X_test_update.csv", "--out", "codes.csv", "--json")
    with (tmp_path / "codes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert json.loads(done.stdout)["rows"] == len(rows)


@pytest.mark.proof
def test_training_twice_gives_the_same_answers(rayon: Rayon, shop: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        rayon("train", shop, "--out", name, "--image-encoder", "none", "--folds", 2)
        rayon("classify", name, shop / "X_test_update.csv", "--out", f"{name}.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_inspecting_counts_and_reports(rayon: Rayon, shop: Path, tmp_path: Path) -> None:
    done = rayon("inspect", shop, "--report", "shop.html", "--json")
    found = json.loads(done.stdout)
    assert found["listings"] == 400
    assert found["text_duplicates"]["near_listings"] > 0
    page = (tmp_path / "shop.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" in page
    assert 'src="http' not in page


def test_an_explanation_for_people_and_for_machines(rayon: Rayon, trained: Path) -> None:
    shown = rayon("explain", trained, "--designation", "Piscine tubulaire ronde avec pompe")
    assert shown.returncode == 0
    assert "Nearest known listings" in shown.stdout
    found = json.loads(rayon("explain", trained, "--designation", "Piscine ronde", "--json").stdout)
    assert found["prediction"]["code"] == found["explanation"]["code"]
    assert [word["word"] for word in found["explanation"]["words"]] == ["Piscine", "ronde"]


def test_bad_rows_are_named_and_stop_nothing(rayon: Rayon, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("productid,designation\n1,Piscine\n2,\n3,Roman,trop\n4,Table\n")
    done = rayon("classify", trained, "in.csv", "--out", "out.csv", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["failed"] == 2
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["error"]) for row in rows] == [False, True, True, False]
    assert rows[1]["error"].startswith("line 3: ")


@pytest.mark.proof
def test_what_cannot_be_done_is_one_sentence_and_a_hint(
    rayon: Rayon, trained: Path, shop: Path, tmp_path: Path
) -> None:
    refused(rayon("train", "nowhere", "--out", "model"), "There is no catalogue nowhere", "Check the path")
    refused(
        rayon("classify", "nowhere", shop, "--out", "out.csv"),
        "There is no model folder nowhere",
        "Train one with: rayon train CATALOGUE --out DIR",
    )
    refused(
        rayon("explain", trained),
        "There is no listing to explain",
        "Give --designation, --description or --image",
    )
    refused(
        rayon("train", shop, "--out", trained),
        f"There is a model in {trained} already",
        "Choose another folder, or pass --overwrite",
    )
    refused(
        rayon("inspect", shop, "--columns", "titre"),
        "The column mapping 'titre' is not of the form FIELD=NAME",
        "Write for instance --columns designation=titre",
    )
    refused(
        rayon("train", shop, "--out", "model", "--image-encoder", "vgg"),
        "There is no image encoder 'vgg'",
        "Use 'builtin' or the path of an .onnx file",
    )
    (tmp_path / "one.csv").write_text("designation,prdtypecode\n" + "roman,10\n" * 30)
    refused(
        rayon("train", "one.csv", "--out", "model"),
        "All listings have the same code, so there is nothing to tell apart",
        "Add listings of at least one other code",
    )
    broken = tmp_path / "broken"
    shutil.copytree(trained, broken)
    (broken / "fusion.npz").write_bytes((broken / "fusion.npz").read_bytes()[:-1])
    refused(
        rayon("classify", broken, shop, "--out", "out.csv"),
        f"The model file {broken / 'fusion.npz'} has changed since it was written",
        "Restore the folder from a backup, or train again",
    )
    assert not (tmp_path / "model").exists()


def test_importing_rayon_is_light() -> None:
    code = (
        "import sys, rayon; heavy = {'torch', 'mlflow', 'sklearn', 'matplotlib', 'polars', 'onnxruntime'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    later = (
        "import sys; from rayon.cli.main import make_app; make_app(); "
        "print(sorted({'torch', 'mlflow', 'cleanlab'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", later], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_command_loads_what_it_needs(tmp_path: Path) -> None:
    code = (
        "import sys; from rayon.cli.main import make_app; make_app(['users', 'list']); "
        "print(sorted({'sklearn', 'matplotlib', 'onnxruntime', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_command_is_told_what_there_is(rayon: Rayon) -> None:
    done = rayon("clasify")
    assert done.returncode == 2
    assert "No such command 'clasify'" in done.stderr
    assert "classify" in done.stderr


@pytest.mark.proof
def test_the_demonstration_does_the_whole_job(rayon: Rayon, tmp_path: Path) -> None:
    done = rayon("demo", "--no-serve", "--listings", 1000)
    assert done.returncode == 0, done.stderr
    assert "listings that the model had not seen" in done.stdout
    assert (tmp_path / "demo" / "model" / "MODEL_CARD.md").is_file()
    again = rayon("demo", "--no-serve", "--listings", 300)
    assert again.returncode == 0, again.stderr
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "love.txt").write_text("keep me")
    refused(rayon("demo", "--dir", "letters"), "letters is in the way", "Choose another folder with --dir")
