"""Every text of a page has its French one, and there are no others."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import rayon.serving.web
from rayon.serving.web.languages import Formats, french, translate_message
from rayon.serving.web.rendering import PAGES, environment

WEB = Path(rayon.serving.web.__file__).parent
# Texts that stand in no template: what the navigation says, roles, and what statuses are called.
ELSEWHERE = re.compile(r"admin|reviewer|client|[A-Z][A-Za-z]*( [A-Z][a-z]*)*")


def texts() -> set[str]:
    found = {name for _, name, _ in PAGES}
    for path in sorted((WEB / "templates").glob("*.j2")):
        for _, _, said in environment("en").extract_translations(path.read_text(encoding="utf-8")):
            found.update([said] if isinstance(said, str) else filter(None, said or ()))
    for path in sorted(WEB.glob("*.py")):  # marked by N_ where a template shows them later
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                found.update(one.value for one in node.args if isinstance(one, ast.Constant))
    return found


def test_every_text_is_translated() -> None:
    assert texts() - set(french()) == set()


def test_no_translation_is_left_over() -> None:
    left = set(french()) - texts()
    assert {text for text in left if not ELSEWHERE.fullmatch(text)} == set()


def test_translations_have_the_gaps_of_the_texts() -> None:
    for english, text in french().items():
        assert sorted(re.findall(r"%\(\w+\)s", english)) == sorted(re.findall(r"%\(\w+\)s", text)), english


def test_no_text_is_translated_twice() -> None:
    seen: dict[str, str] = {}
    for path in sorted((WEB / "translations").glob("*.json")):
        pairs = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=list)
        for english, _ in pairs:
            assert english not in seen or "messages" in (path.stem, seen[english]), (english, path.stem)
            seen[english] = path.stem


def test_a_text_that_is_not_ours_is_escaped_all_the_same() -> None:
    for language in ("en", "fr"):
        template = environment(language).from_string("{{ _(text) }} {{ _('Sign in') }} {{ text | say }}")
        said = template.render(text="<b> 100 %(s)s")
        assert said.count("&lt;b&gt; 100 %(s)s") == 2
        assert "<" not in said


def test_messages_with_gaps_are_translated() -> None:
    assert translate_message("Try again in 8 s.", "fr") == "Réessayez dans 8 s."
    assert translate_message("Try again in 8 s.", "en") == "Try again in 8 s."
    assert translate_message("Nobody has ever said this.", "fr") == "Nobody has ever said this."
    patterns = json.loads((WEB / "translations" / "messages.json").read_text(encoding="utf-8"))
    for english, text in patterns.items():
        gaps = english.count("{}")
        filled = english.replace("{}", "7")
        plain = re.sub(r"{:(figure|list|sentence)}", "{}", text)
        if "{:word}" not in text:
            assert translate_message(filled, "fr") == plain.format(*["7"] * gaps)


def test_messages_are_translated_at_once_whatever_strangers_have_put_into_them() -> None:
    # Whoever tried all ways to divide them among the gaps would not come to an end here.
    for message in ("before " + "-" * 700 + " " * 1200, "before " + "-" * 10_000 + " " * 100_000):
        assert translate_message(message, "fr") == message


def test_figures_follow_the_language() -> None:
    english, french_ = Formats("en"), Formats("fr")
    assert english.number(12345.678, 1) == "12,345.7"
    assert french_.number(12345.678, 1) == "12\u202f345,7"
    assert english.percent(0.1234) == "12.3%"
    assert french_.percent(0.1234) == "12,3\u202f%"
    assert english.interval(0.5, 0.625) == "50.0 to 62.5%"
    assert french_.interval(0.5, 0.625) == "50,0 à 62,5\u202f%"
    assert english.number(None) == french_.percent(None) == "–"
    assert english.size(2_500_000) == "2.5\u00a0MB"
