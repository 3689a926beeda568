"""The taxonomy: product type codes with their labels and, where there is one, their parent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from rayon.errors import TaxonomyError


@dataclass(frozen=True, slots=True)
class Category:
    """One product type: its code, what people call it, and where it hangs in the tree."""

    code: str
    label_fr: str = ""
    label_en: str = ""
    parent: str | None = None

    def label(self, language: str = "en") -> str:
        """Label in ``"fr"`` or ``"en"``, in the other language where one is missing, else the code."""
        first, second = (self.label_fr, self.label_en) if language == "fr" else (self.label_en, self.label_fr)
        return first or second or self.code


class Taxonomy:
    """An ordered set of categories; flat, or a tree by way of the parents.

    Parameters
    ----------
    categories
        In the order that every `[N, K]` array follows. Codes are unique text; a parent is either the code
        of another category or the name of a department that holds no listing itself.
    """

    def __init__(self, categories: Iterable[Category]) -> None:
        self._categories: dict[str, Category] = {}
        for category in categories:
            if not category.code.strip():
                raise TaxonomyError(
                    "A category of the taxonomy has an empty code", "Give each category a code"
                )
            if category.code in self._categories:
                raise TaxonomyError(
                    f"The code {category.code!r} is twice in the taxonomy", "Keep one of the two"
                )
            self._categories[category.code] = category
        self._refuse_cycles()

    @classmethod
    def of_codes(cls, codes: Iterable[str]) -> Taxonomy:
        """A flat taxonomy of bare codes, sorted as `sort_codes` does."""
        return cls(Category(code) for code in sort_codes(set(codes)))

    @classmethod
    def rakuten_france(cls) -> Taxonomy:
        """The 27 codes of the Rakuten France challenge, with readable labels and departments."""
        text = resources.files("rayon.data").joinpath("rakuten_france.json").read_text(encoding="utf-8")
        return cls._from_rows(json.loads(text), "rakuten_france.json")

    @classmethod
    def known(cls, codes: Iterable[str]) -> Taxonomy | None:
        """The built-in taxonomy that has all these codes; ``None`` where there is none."""
        rakuten = cls.rakuten_france()
        return rakuten if all(code in rakuten for code in set(codes)) else None

    @classmethod
    def load(cls, path: Path | str) -> Taxonomy:
        """Read a JSON list of objects with ``code`` and, optionally, ``label_fr``, ``label_en``, ``parent``.

        Raises
        ------
        TaxonomyError
            When the file is missing, not JSON, or holds something else.
        """
        path = Path(path)
        try:
            rows = json.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise TaxonomyError(f"There is no taxonomy file {path}", "Check the path") from None
        except (OSError, ValueError) as error:
            raise TaxonomyError(f"The taxonomy {path} cannot be read ({error})", _FORMAT_HINT) from None
        return cls._from_rows(rows, path.name)

    @classmethod
    def _from_rows(cls, rows: Any, name: str) -> Taxonomy:
        if not isinstance(rows, list) or not rows:
            raise TaxonomyError(f"The taxonomy {name} is not a list of categories", _FORMAT_HINT)
        categories = []
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict) or "code" not in row:
                raise TaxonomyError(f"Category {number} of the taxonomy {name} has no code", _FORMAT_HINT)
            unknown = set(row) - {"code", "label_fr", "label_en", "parent"}
            if unknown:
                raise TaxonomyError(
                    f"Category {number} of the taxonomy {name} has an unknown field {sorted(unknown)[0]!r}",
                    _FORMAT_HINT,
                )
            parent = row.get("parent")
            categories.append(
                Category(
                    str(row["code"]),
                    str(row.get("label_fr") or ""),
                    str(row.get("label_en") or ""),
                    None if parent in (None, "") else str(parent),
                )
            )
        return cls(categories)

    def save(self, path: Path | str) -> None:
        """Write what `load` reads."""
        Path(path).write_text(
            json.dumps(self.to_rows(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )

    def to_rows(self) -> list[dict[str, str | None]]:
        """The categories as JSON-ready objects, in order."""
        return [asdict(category) for category in self]

    @property
    def codes(self) -> list[str]:
        """All codes, in the taxonomy's order: K of them."""
        return list(self._categories)

    def label(self, code: str, language: str = "en") -> str:
        """Readable label of a code; the code itself where the taxonomy has no better name."""
        category = self._categories.get(code)
        return category.label(language) if category else code

    def parent(self, code: str) -> str | None:
        """Code or name of the parent; ``None`` at the top or for an unknown code."""
        category = self._categories.get(code)
        return category.parent if category else None

    def require(self, codes: Iterable[str]) -> None:
        """Check that every code is known.

        Raises
        ------
        TaxonomyError
            Naming the first unknown code, with the closest known one as a hint.
        """
        for code in codes:
            if code not in self._categories:
                close = get_close_matches(code, self._categories, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else "Add it to the taxonomy file"
                raise TaxonomyError(f"The taxonomy has no code {code!r}", hint)

    def subset(self, codes: Iterable[str]) -> Taxonomy:
        """Only these codes, in the taxonomy's order; unknown ones are refused as by `require`."""
        wanted = set(codes)
        self.require(sort_codes(wanted))
        return Taxonomy(category for category in self if category.code in wanted)

    def __iter__(self) -> Iterator[Category]:
        return iter(self._categories.values())

    def __len__(self) -> int:
        return len(self._categories)

    def __contains__(self, code: object) -> bool:
        return code in self._categories

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taxonomy) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # a mutable-looking collection compared by value

    def __repr__(self) -> str:
        return f"Taxonomy({len(self)} codes)"

    def _refuse_cycles(self) -> None:
        for start in self._categories:
            seen, code = {start}, self.parent(start)
            while code is not None:
                if code in seen:
                    raise TaxonomyError(
                        f"The code {start!r} is its own ancestor", "Mend the parents in the taxonomy"
                    )
                seen.add(code)
                code = self.parent(code)


_FORMAT_HINT = 'Write a JSON list such as [{"code": "10", "label_fr": "Livres", "label_en": "Books"}]'


def sort_codes(codes: Iterable[str]) -> list[str]:
    """Codes in the order people expect: whole numbers by value first, then other text by alphabet."""
    return sorted(codes, key=lambda code: (0, int(code), code) if code.isdecimal() else (1, 0, code))
