"""Both pages: safe, complete, offline, and the same bytes for the same figures."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from rayon.data.inspection import LabelIssue, inspect_catalogue
from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.errors import OutputError
from rayon.learning.evaluation import evaluate
from rayon.reports.console import inspection_tables
from rayon.reports.evaluation import MAX_MISTAKES, Mistake, find_worst_mistakes, write_evaluation_report
from rayon.reports.inspection import write_inspection_report

HOSTILE = "<script>alert(1)</script> \"'& $\\frac{ \x00\x1b[31m {{ 7*7 }} 漢字 \ud800"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that tags are balanced, and collects what the page would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.ids: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._look(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self._look(attrs)

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def _look(self, attrs):
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                self.sources.append(value)
            if name == "id":
                self.ids.append(value)
            if name.startswith("on"):
                self.handlers.append(name)


def check(text: str) -> Page:
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    assert page.handlers == []
    assert all(source.startswith(("#", "data:image/jpeg;base64,")) for source in page.sources)
    assert {source[1:] for source in page.sources if source.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    outside = [
        url for url in re.findall(r"https?://[^\"' ]+", text) if not url.startswith("http://www.w3.org/")
    ]
    assert outside == []
    assert "@import" not in text
    assert all(one.startswith("#") for one in re.findall(r"url\(([^)]*)\)", text))
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text
    assert "prefers-color-scheme: dark" in text
    return page


def jpeg(shade: int = 120) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), shade, dtype=np.uint8)).save(buffer, format="JPEG")
    return buffer.getvalue()


def evaluation_of(
    n: int, k: int = 27, *, accept: float = 0.6, label: str = "A rather long label of a code", seed: int = 0
):
    rng = np.random.default_rng(seed)
    codes = [str(10 * (index + 1)) for index in range(k)]
    y = rng.integers(k, size=n)
    proba = rng.dirichlet(np.full(k, 0.3), size=n) + 1.5 * np.eye(k)[y] * rng.random((n, 1))
    proba /= proba.sum(axis=1, keepdims=True)
    labels = {code: f"{label} {code}" for code in codes}
    return evaluate({"text": proba}, proba, y, proba.max(axis=1) > accept, codes, labels=labels, resamples=50)


@pytest.fixture(scope="module")
def usual():
    return evaluation_of(400)


def test_the_evaluation_report_is_a_page_and_a_text(tmp_path, usual):
    mistake = Mistake(Listing("Roman policier", image=jpeg()), "10", "20", 0.934)

    files = write_evaluation_report(
        tmp_path / "new", usual, title="Shop", promised=0.9, worst_mistakes=[mistake]
    )

    assert [file.name for file in files] == ["report.html", "report.txt"]
    text = files[0].read_text()
    page = check(text)
    assert page.tags.count("svg") == 3
    assert page.tags.count("img") == 1
    assert f"{usual.fused.weighted_f1:.3f}" in text
    assert "Roman policier" in text
    assert "93.4 %" in text
    assert all(one.label in text for one in usual.per_code)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["report.html", "report.txt"]


def test_the_text_report_fits_80_columns_and_names_every_code(tmp_path, usual):
    _, file = write_evaluation_report(tmp_path, usual, promised=0.9)

    lines = file.read_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert all(any(line.startswith(f"{one.code} ") for line in lines) for one in usual.per_code)
    assert any(re.match(r"weighted F1 +0\.\d{3} +0\.\d{3}$", line) for line in lines)


def test_hostile_text_is_shown_and_never_run(tmp_path):
    evaluation = evaluation_of(60, 3, label=HOSTILE)
    mistake = Mistake(Listing(HOSTILE, HOSTILE, jpeg()), "10", "20", 0.9, HOSTILE, HOSTILE)

    file, _ = write_evaluation_report(
        tmp_path, evaluation, title=HOSTILE, subtitle=HOSTILE, promised=None, promise_note=HOSTILE,
        facts={HOSTILE: HOSTILE}, worst_mistakes=[mistake],
    )  # fmt: skip

    text = file.read_text()
    check(text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7*7 }}" in text
    assert "\x00" not in text
    assert "\x1b" not in text


def test_the_same_figures_give_the_same_bytes(tmp_path, usual):
    first, _ = write_evaluation_report(tmp_path / "a", usual)
    again, _ = write_evaluation_report(tmp_path / "b", usual)

    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("promised", [None, 0.98])
def test_tiny_input_still_makes_a_page(tmp_path, n, promised):
    file, text = write_evaluation_report(tmp_path, evaluation_of(n, accept=2), promised=promised)

    check(file.read_text())
    assert "nan" not in text.read_text()
    assert "nan" not in re.sub(r"<style>.*</style>", "", file.read_text(), flags=re.DOTALL)


def test_the_promise_is_judged(tmp_path, usual):
    def sentence(evaluation, promised):
        return write_evaluation_report(tmp_path, evaluation, promised=promised)[1].read_text().splitlines()[3]

    assert sentence(usual, 0.5) == "The promise of 50 % was kept."
    assert sentence(usual, None) == "Nothing was promised for the accepted listings."
    assert (
        sentence(evaluation_of(50, accept=2), 0.98) == "No listing was accepted; 98 % precision was promised."
    )
    fused = replace(usual.fused, accepted_precision=0.5)
    beyond = replace(fused, intervals={"accepted_precision_exact": (0.4, 0.55)})
    assert sentence(replace(usual, modalities={"fused": beyond}), 0.6) == "The promise of 60 % was broken."
    within = replace(fused, intervals={"accepted_precision_exact": (0.4, 0.7)})
    assert (
        sentence(replace(usual, modalities={"fused": within}), 0.6) == "Slightly below the promise of 60 %."
    )


def test_figures_on_training_listings_judge_no_promise(tmp_path, usual):
    page, text = write_evaluation_report(tmp_path, usual, promised=0.5, warning="It was trained on them.")
    for file in (page, text):
        assert "These figures cannot tell whether the promise is kept." in file.read_text()
        assert "It was trained on them." in file.read_text()
        assert "was kept" not in file.read_text()


def test_many_codes_and_mistakes_stay_readable_and_small(tmp_path):
    evaluation = evaluation_of(900, 120)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, size=(300, 300, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="JPEG", quality=95)
    mistakes = [Mistake(Listing("x" * 9000, "y " * 9000, buffer.getvalue()), "10", "20", 0.5)] * 200

    file, _ = write_evaluation_report(tmp_path, evaluation, worst_mistakes=mistakes)

    page = check(file.read_text())
    assert page.tags.count("img") == MAX_MISTAKES
    assert "81 other codes" in file.read_text()
    assert file.stat().st_size < 3_000_000


def test_unreadable_pictures_leave_a_placeholder(tmp_path, usual):
    mistakes = [
        Mistake(Listing("a", image=b"no picture"), "10", "20", 0.5),
        Mistake(Listing("b"), "10", "20", 0.4),
    ]

    text = write_evaluation_report(tmp_path, usual, worst_mistakes=mistakes)[0].read_text()

    assert text.count("unreadable picture") == 1
    assert text.count("no picture") == 1


def test_the_worst_mistakes_are_the_surest_errors():
    listings = [Listing(str(index)) for index in range(4)]
    fused = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [np.nan, np.nan]])

    found = find_worst_mistakes(
        listings, fused, ["1", "1", "1", "1"], ["1", "2"], np.array([1, 0, 1, 1], bool)
    )

    assert [(one.listing.designation, one.predicted, one.accepted) for one in found] == [
        ("1", "2", False),
        ("2", "2", True),
    ]


def test_a_place_that_cannot_be_written_is_named(tmp_path, usual):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder" / "report.html").mkdir(parents=True)

    with pytest.raises(OutputError, match=r"file/report\.html cannot be written") as caught:
        write_evaluation_report(tmp_path / "file", usual)
    assert caught.value.hint == "Check the permissions and the free space, or choose another place"
    with pytest.raises(OutputError, match="it is a folder"):
        write_evaluation_report(tmp_path / "folder", usual)
    assert [one.name for one in (tmp_path / "folder").iterdir()] == ["report.html"]


@pytest.fixture
def catalogue(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(jpeg())
    (tmp_path / "pictures" / "b.jpg").write_bytes(b"broken")
    title = "Piscine ronde en bois avec pompe et filtre <script>alert(1)</script>"
    rows = [f"{title},,a.jpg,10", f"{title},,a.jpg,20", "Roman policier,un livre,b.jpg,10"]
    file = tmp_path / "shop.csv"
    file.write_text("designation,description,image,prdtypecode\n" + "\n".join(rows) + "\n")
    return read_catalogue([file], images=tmp_path / "pictures")


def test_the_inspection_report_shows_what_was_found(tmp_path, catalogue):
    inspection = inspect_catalogue(catalogue, issues=[LabelIssue(1, "20", "10", 0.1)])

    file = write_inspection_report(
        tmp_path / "out" / "page.html", inspection, listings=catalogue.listings, codes=catalogue.codes
    )

    text = file.read_text()
    page = check(text)
    assert page.tags.count("svg") == 3
    assert page.tags.count("img") >= 3
    assert "Text: the same under different codes" in text
    assert "Suspicious labels" in text
    assert "Unreadable pictures" in text
    assert '<h2 id="pictures">' in text
    again = write_inspection_report(
        tmp_path / "again.html", inspection, listings=catalogue.listings, codes=catalogue.codes
    )
    assert again.read_bytes() == file.read_bytes()


def test_the_inspection_fits_a_terminal(catalogue):
    buffer = io.StringIO()

    tables = inspection_tables(inspect_catalogue(catalogue, issues=[LabelIssue(1, "20", "10", 0.1)]))
    Console(file=buffer, width=80, color_system=None).print(tables)

    lines = buffer.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.match(r" nearly the same text, different codes +2 +66\.7 %", line) for line in lines)
    assert any(re.match(r" unreadable picture +1 +33\.3 %", line) for line in lines)
    assert any(line.startswith(" Piscine ronde") for line in lines)


def test_an_inspection_without_pictures_or_issues_says_so(tmp_path, catalogue):
    inspection = inspect_catalogue(catalogue, images=False)

    text = write_inspection_report(tmp_path / "page.html", inspection).read_text()

    check(text)
    assert text.count("not checked") == 2
    assert '<h2 id="pictures">' not in text
