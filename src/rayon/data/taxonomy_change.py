"""What became of the codes of a taxonomy: renamed, merged, split or retired, as people wrote it down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rayon.data.taxonomy import Taxonomy
from rayon.errors import TaxonomyError

_FORMAT_HINT = 'Write a JSON object such as {"10": "11", "20": ["21", "22"], "30": []}'


@dataclass(frozen=True, slots=True)
class MappedCode:
    """Codes before and after a change that cannot be told apart across it.

    Parameters
    ----------
    old, new
        The codes before and after; nothing is new where a code was retired, and nothing old where one was
        added.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people: the one code on the side that has one, the new side first."""
        for side in (self.new, self.old):
            if len(side) == 1:
                return side[0]
        return " + ".join(self.new)

    @property
    def retired(self) -> bool:
        """Whether no code is left that could be right."""
        return not self.new


@dataclass(frozen=True, slots=True)
class TaxonomyChange:
    """What became of old codes; those that are not named stay as they are.

    A code may be taken away and given to something else by the same change, as where all are renumbered.

    Parameters
    ----------
    named
        Old code to its new codes: several where it was split, none where it was retired.
    """

    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str) -> TaxonomyChange:
        """Read a JSON object of old codes and, for each, its new code, or a list of new codes.

        Raises
        ------
        TaxonomyError
            When the file is missing, not JSON, or holds something else, or a code is named twice.
        """
        path = Path(path)
        try:
            pairs = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_Pairs)
        except FileNotFoundError:
            raise TaxonomyError(f"There is no change file {path}", "Check the path") from None
        except (OSError, ValueError, RecursionError) as error:
            raise TaxonomyError(f"The change file {path} cannot be read ({error})", _FORMAT_HINT) from None
        if not isinstance(pairs, _Pairs):
            raise TaxonomyError(f"The change file {path.name} is not an object of codes", _FORMAT_HINT)
        named: dict[str, tuple[str, ...]] = {}
        for code, value in pairs:
            if code in named:
                raise TaxonomyError(
                    f"The change file {path.name} names the code {code!r} twice",
                    "Give all its new codes in one list",
                )
            named[code] = _new_codes(path.name, code, value)
        return cls(named)

    def to_dict(self) -> dict[str, str | list[str]]:
        """What `load` reads."""
        return {code: new[0] if len(new) == 1 else list(new) for code, new in self.named.items()}

    def targets(self, code: str) -> tuple[str, ...]:
        """What an old code may be now; itself where it is not named."""
        return self.named.get(code, (code,))

    def apply(self, code: str) -> str | None:
        """The new code, where it is certain; ``None`` where the old one was split or retired."""
        new = self.targets(code)
        return new[0] if len(new) == 1 else None

    def check(self, old: Taxonomy | None, new: Taxonomy) -> None:
        """Check the change against the taxonomies before and after it.

        Parameters
        ----------
        old
            ``None`` where it is not at hand: then only the new codes are checked.
        new
            After all of it.

        Raises
        ------
        TaxonomyError
            When a code is named that the taxonomies do not have, when a code is taken away that the new one
            has still, or when the new one lacks a code that is not named.
        """
        self.check_names(old, new)
        for code in self.unsettled(old, new) if old is not None else ():
            raise TaxonomyError(
                f"The new taxonomy lacks the code {code!r}, and the change does not say what became of it",
                f"Name it in the change: {json.dumps(code)}: [] where it was retired",
            )

    def check_names(self, old: Taxonomy | None, new: Taxonomy) -> None:
        """Do what `check` does, and let pass codes that the new taxonomy lacks and nobody named."""
        given = {target for targets in self.named.values() for target in targets}
        for code, targets in self.named.items():
            if old is not None:
                _require(old, code, f"The change names the code {code!r}, which the old taxonomy lacks")
            for target in targets:
                message = f"The change turns {code!r} into {target!r}, which the new taxonomy lacks"
                _require(new, target, message)
            if code in new and code not in given:
                kept = json.dumps([code, *targets], ensure_ascii=False)
                raise TaxonomyError(
                    f"The change takes the code {code!r} away, and the new taxonomy has it still",
                    f"Write {json.dumps(code)}: {kept} where a part of it stays, or take it out of the "
                    "taxonomy",
                )

    def unsettled(self, old: Taxonomy, new: Taxonomy) -> list[str]:
        """Codes that the new taxonomy lacks and that are not named, in the order of the old one."""
        return [code for code in old.codes if code not in self.named and code not in new]

    def components(self, old_codes: Iterable[str], new_codes: Iterable[str]) -> list[MappedCode]:
        """Connected components of the relation between old codes and what they may be now.

        Parameters
        ----------
        old_codes, new_codes
            What there is on either side, beside the new codes of the old ones.

        Returns
        -------
        list of MappedCode
            Each code in exactly one of them for each side that it is on; in the order of the old codes, then
            of the new ones.
        """
        after = {code: self.targets(code) for code in old_codes}
        before: dict[str, list[str]] = {}
        for code, targets in after.items():
            for target in targets:
                before.setdefault(target, []).append(code)
        for code in new_codes:
            before.setdefault(code, [])
        found, seen_old, seen_new = [], set[str](), set[str]()
        for old, new in (*(([code], []) for code in after), *(([], [code]) for code in before)):
            if seen_old.issuperset(old) and seen_new.issuperset(new):
                continue
            old, new = _connected(old, new, after, before)
            seen_old.update(old)
            seen_new.update(new)
            found.append(MappedCode(tuple(old), tuple(new)))
        return found

    def groups(self, old_codes: Iterable[str], new_codes: Iterable[str]) -> dict[str, MappedCode]:
        """Map codes from before and after the change to what can be told apart across it.

        What two models answer is compared on the mapped codes: codes that were merged count as the one that
        they are now, and the parts of a code that was split as the one that they were.

        Parameters
        ----------
        old_codes, new_codes
            What the two models know. All codes that the change names are mapped as well.

        Raises
        ------
        TaxonomyError
            When a code stands for one thing before the change and for another after it, so that a label does
            not say which is meant.
        """
        mapped: dict[str, MappedCode] = {}
        for one in self.components(dict.fromkeys([*old_codes, *self.named]), new_codes):
            for code in (*one.old, *one.new):
                if mapped.setdefault(code, one) is not one:
                    raise TaxonomyError(
                        f"The change takes the code {code!r} away, and it is a code after the change as well",
                        "Train on migrated catalogues, and give what is new a code of its own",
                    )
        return mapped


def compose(first: TaxonomyChange, second: TaxonomyChange) -> TaxonomyChange:
    """One change that does what two do, the first before the second.

    Codes that there were only in between are named as well, so that labels from that time find their place.

    Parameters
    ----------
    first, second
        The new codes of the first are the old codes of the second.
    """
    named: dict[str, tuple[str, ...]] = {}
    for code in (*first.named, *second.named):
        through = (second.targets(between) for between in first.targets(code))
        new = tuple(dict.fromkeys(target for targets in through for target in targets))
        if new != (code,):
            named[code] = new
    return TaxonomyChange(named)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it stands there, so that a key that is there twice is noticed."""


def _new_codes(source: str, code: str, value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) and not isinstance(value, _Pairs) else [value]
    if not code.strip() or not all(_is_code(one) for one in values):
        raise TaxonomyError(
            f"The change file {source} has something other than codes at {code!r}", _FORMAT_HINT
        )
    new = tuple(map(str, values))
    if len(set(new)) < len(new):
        raise TaxonomyError(
            f"The change file {source} names a new code of {code!r} twice", "Name each of them once"
        )
    return new


def _is_code(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else type(value) is int


def _require(taxonomy: Taxonomy, code: str, message: str) -> None:
    if code not in taxonomy:
        close = get_close_matches(code, taxonomy.codes, n=1)
        raise TaxonomyError(
            message, f"Did you mean {close[0]!r}?" if close else "Mend the change or the taxonomy"
        )


def _connected(
    old: list[str], new: list[str], after: Mapping[str, Iterable[str]], before: Mapping[str, Iterable[str]]
) -> tuple[list[str], list[str]]:
    """All codes that can be reached from these, over and back."""
    olds, news = dict.fromkeys(old), dict.fromkeys(new)
    while old or new:
        new = [*new, *(code for known in old for code in after[known] if code not in news)]
        news.update(dict.fromkeys(new))
        old = [code for known in new for code in before[known] if code not in olds]
        olds.update(dict.fromkeys(old))
        new = []
    return list(olds), list(news)
