"""Two taxonomies side by side, and catalogues in new codes, from the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from rayon.cli.main import make_app
from rayon.data.loading import read_catalogue
from rayon.data.taxonomy import Category, Taxonomy
from rayon.errors import RayonError

RUNNER = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture
def app() -> typer.Typer:
    return make_app(["taxonomy"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a new taxonomy for Rakuten France."""
    monkeypatch.chdir(tmp_path)
    renewed: list[Category] = []
    for one in Taxonomy.rakuten_france():
        if one.code == "10":
            renewed.append(Category("11", "Livres d'occasions", "Second-hand books", one.parent))
        elif one.code == "40":
            renewed += [Category("41", "Consoles rétro"), Category("42", "Jeux rétro")]
        elif one.code == "60":
            renewed.append(Category("60", one.label_fr, "Consoles", "Multimédia"))
        elif one.code != "50":
            renewed.append(one)
    Taxonomy(renewed).save(tmp_path / "new.json")
    (tmp_path / "change.json").write_text('{"10": "11", "40": ["41", "42"], "50": []}', encoding="utf-8")
    return tmp_path


def run(app: typer.Typer, *arguments: object, code: int = 0) -> Any:
    done = RUNNER.invoke(app, ["taxonomy", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def test_what_differs_is_shown_and_a_change_file_proposed(app: typer.Typer, folder: Path) -> None:
    done = run(app, "diff", "rakuten-france", "new.json", "--write", "proposed.json", code=3)
    assert done.stdout.splitlines() == [
        "gone        10 Second-hand books; likely renamed to 11 Second-hand books",
        "gone        40 Retro video games",
        "gone        50 Gaming accessories",
        "relabelled  60: Game consoles → Consoles",
        "moved       60 Consoles: Jeux vidéo → Multimédia",
        "added       11 Second-hand books",
        "added       41 Consoles rétro",
        "added       42 Jeux rétro",
    ]
    assert done.stderr.splitlines() == [
        "proposed.json holds what is known and what is likely; read it, and mend it.",
        "3 codes are gone, and no change file says what became of them.",
    ]
    assert json.loads((folder / "proposed.json").read_text(encoding="utf-8")) == {"10": "11"}


def test_with_a_change_file_all_is_settled(app: typer.Typer, folder: Path) -> None:
    done = run(app, "diff", "rakuten-france", "new.json", "--change", "change.json")
    assert done.stdout.splitlines() == [
        "renamed     10 Second-hand books → 11 Second-hand books",
        "split       40 Retro video games → 41 Consoles rétro, 42 Jeux rétro",
        "retired     50 Gaming accessories",
        "relabelled  60: Game consoles → Consoles",
        "moved       60 Consoles: Jeux vidéo → Multimédia",
    ]
    assert done.stderr == ""
    assert run(app, "diff", "new.json", "new.json").stdout == "Nothing differs.\n"


def test_for_machines(app: typer.Typer, folder: Path) -> None:
    found = json.loads(run(app, "diff", "rakuten-france", "new.json", "--json", code=3).stdout)
    assert set(found) == {"settled", "changes", "unsettled", "likely"}
    assert (found["settled"], found["unsettled"], found["likely"]) == (
        False,
        ["10", "40", "50"],
        {"10": "11"},
    )
    assert found["changes"][0] == {"kind": "gone", "old": ["10"], "new": []}
    (folder / "some.json").write_text('{"50": []}', encoding="utf-8")
    arguments = ("diff", "rakuten-france", "new.json", "--change", "some.json")
    done = run(app, *arguments, "--json", "--write", "more.json", code=3)
    assert json.loads(done.stdout)["unsettled"] == ["10", "40"]
    assert json.loads((folder / "more.json").read_text(encoding="utf-8")) == {"50": [], "10": "11"}


def test_changes_one_after_another(app: typer.Typer, folder: Path) -> None:
    (folder / "later.json").write_text('{"11": "12", "41": "43", "42": "43"}', encoding="utf-8")
    now = [one for one in Taxonomy.load("new.json") if one.code not in ("11", "41", "42")]
    Taxonomy([*now, Category("12", "Romans", "", "Livres"), Category("43", parent="Jeux vidéo")]).save(
        "now.json"
    )
    both = ("--change", "change.json", "--change", "later.json")
    done = run(app, "diff", "rakuten-france", "now.json", *both)
    assert done.stdout.splitlines()[:3] == [
        "renamed     10 Second-hand books → 12 Romans",
        "renamed     40 Retro video games → 43",
        "retired     50 Gaming accessories",
    ]
    (folder / "in.csv").write_text("designation,prdtypecode\nRoman,10\nJeu,41\nPong,40\n", encoding="utf-8")
    run(
        app,
        "migrate",
        "in.csv",
        *both,
        "--taxonomy",
        "now.json",
        "--from",
        "rakuten-france",
        "--out",
        "o.csv",
    )
    assert read_catalogue("o.csv").codes == ["12", "43", "43"]


def test_a_catalogue_is_migrated(app: typer.Typer, folder: Path, shop: Path) -> None:
    arguments = ("migrate", shop, "--change", "change.json", "--taxonomy", "new.json")
    done = run(app, *arguments, "--out", "new.csv", code=1)
    codes = read_catalogue(shop).codes or []
    split, retired = codes.count("40"), codes.count("50")
    kept = len(codes) - split - retired
    assert done.stdout.splitlines() == [
        f"{kept} listings in new.csv, {codes.count('10')} of them with another code than before.",
        f"{split + retired} rows in new.csv.set-aside.csv:",
        f"  {split}: the code '40' was split into '41' and '42'",
        f"  {retired}: the code '50' was retired",
    ]
    pictures = shop / "images" / "image_train"
    hint = f"Their pictures lie elsewhere: read them with --images {pictures}"
    assert done.stderr.splitlines()[:2] == ["Rewriting: done (400)", hint]
    loaded = read_catalogue("new.csv", images=pictures, taxonomy=Taxonomy.load("new.json"))
    assert (len(loaded), loaded.rejected, loaded.warnings) == (kept, [], [])
    with (folder / "new.csv.set-aside.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == split + retired

    done = run(app, *arguments, "--out", "all", "--json", code=1)
    (one,) = json.loads(done.stdout)["files"]
    assert (one["out"], one["listings"]) == (f"all/{shop.name}.csv", kept)
    assert one["set_aside_file"] == f"all/{shop.name}.csv.set-aside.csv"
    (folder / "in.csv").write_text("designation,prdtypecode\nRoman,10\n", encoding="utf-8")
    run(app, "migrate", "in.csv", *arguments[2:], "--out", "out.parquet")
    assert read_catalogue("out.parquet").codes == ["11"]


def test_models_are_taxonomies_too(
    rayon: Callable[..., Any], app: typer.Typer, folder: Path, trained: Path
) -> None:
    name = json.loads(rayon("models", "import", trained, "--json").stdout)["name"]
    same = rayon("taxonomy", "diff", trained, name[:6])
    assert (same.returncode, same.stdout) == (0, "Nothing differs.\n"), same.stderr
    (folder / "model").mkdir()
    for old, message in (
        ("0ld", "There is no model '0ld'"),
        ("old.json", "There is no taxonomy file old.json"),
        ("model", "There is no taxonomy file model/taxonomy.json"),
        ("models/old", "There is no taxonomy file models/old"),
    ):
        with pytest.raises(RayonError) as error:
            run(app, "diff", old, "new.json")
        assert error.value.message == message


def test_what_cannot_be_done_is_said(rayon: Callable[..., Any], folder: Path) -> None:
    def refused(*arguments: object) -> str:
        done = rayon("taxonomy", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        return str(done.stderr)

    (folder / "wrong.json").write_text('{"1O": "11"}', encoding="utf-8")
    assert refused("diff", "rakuten-france", "new.json", "--change", "wrong.json") == (
        "Error: The change names the code '1O', which the old taxonomy lacks.\n"
        "Mend the change or the taxonomy.\n"
    )
    assert refused("diff", "rakuten-france", "new.json", "--write", "change.json") == (
        "Error: change.json is in the way.\nChoose another name with --write.\n"
    )
    assert json.loads((folder / "change.json").read_text(encoding="utf-8"))["50"] == []
    (folder / "in.csv").write_text("designation,prdtypecode\nRoman,10\n", encoding="utf-8")
    (folder / "part.json").write_text('{"10": "11"}', encoding="utf-8")
    migrate = ("migrate", "in.csv", "--taxonomy", "new.json", "--out", "out.csv")
    assert refused(*migrate, "--change", "part.json", "--from", "rakuten-france") == (
        "Error: The new taxonomy lacks the code '40', and the change does not say what became of it.\n"
        'Name it in the change: "40": [] where it was retired.\n'
    )
    done = rayon("taxonomy", *migrate, "--change", "part.json")
    assert (done.returncode, done.stdout) == (
        0,
        "1 listings in out.csv, 1 of them with another code than before.\n",
    )


def test_help_has_examples(app: typer.Typer) -> None:
    for command in ("diff", "migrate"):
        assert f"Example: rayon taxonomy {command} " in run(app, command, "--help").output
