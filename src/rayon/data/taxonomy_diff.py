"""Two taxonomies side by side: what differs, and which codes were likely renamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from rayon.data.taxonomy import Category, Taxonomy
from rayon.data.taxonomy_change import MappedCode, TaxonomyChange

ChangeKind = Literal[
    "gone", "retired", "renamed", "merged", "split", "regrouped", "added", "relabelled", "moved"
]


@dataclass(frozen=True, slots=True)
class RenamingThresholds:
    """When a code that is gone is taken for one that is new; the one place where it is written.

    Parameters
    ----------
    similarity
        What the labels have in common in one language at least, from 0 to 1: twice the letters that match
        by all letters (Ratcliff and Metzener, "Pattern matching: the gestalt approach", 1988).
    """

    similarity: float = 0.85


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One thing that differs between two taxonomies.

    Parameters
    ----------
    kind
        ``"gone"``: not in the new taxonomy, and nobody said why. ``"retired"``, ``"renamed"``, ``"merged"``,
        ``"split"``, ``"regrouped"`` (several to several): as the change says. ``"added"``. ``"relabelled"``:
        the same code under another label. ``"moved"``: under another parent, unless the parent was renamed.
    old, new
        The codes on both sides.
    """

    kind: ChangeKind
    old: tuple[str, ...]
    new: tuple[str, ...]


def taxonomy_changes(old: Taxonomy, new: Taxonomy, change: TaxonomyChange | None = None) -> list[CodeChange]:
    """Find all that differs, in the order of the old taxonomy, then of the new one.

    Parameters
    ----------
    old, new
        Before and after.
    change
        What became of codes; nothing where not given.

    Raises
    ------
    TaxonomyError
        When the change names codes that the taxonomies do not have, see `TaxonomyChange.check_names`.
    """
    change = change or TaxonomyChange()
    change.check_names(old, new)
    return [
        CodeChange(kind, one.old, one.new if kind != "gone" else ())
        for one in change.components(old.codes, new.codes)
        for kind in _kinds(one, old, new, change)
    ]


def likely_renamings(
    old: Taxonomy,
    new: Taxonomy,
    change: TaxonomyChange | None = None,
    thresholds: RenamingThresholds | None = None,
) -> TaxonomyChange:
    """Propose codes that were renamed: of those not named, what is gone and what is new with like labels.

    Each of the two has to be more like the other than like anything else; where two are alike, none is
    proposed. A proposal is for a person to read.

    Parameters
    ----------
    old, new
        Before and after.
    change
        What is known already.
    thresholds
        What is alike.
    """
    change, asked = change or TaxonomyChange(), thresholds or RenamingThresholds()
    given = {target for targets in change.named.values() for target in targets}
    gone = set(change.unsettled(old, new))
    pairs = _alike(
        [category for category in old if category.code in gone],
        [category for category in new if category.code not in old and category.code not in given],
        asked.similarity,
    )
    best_new, best_old = (_only_best(pairs, side) for side in (0, 1))
    return TaxonomyChange(
        {code: (target,) for code, target in best_new.items() if best_old.get(target) == code}
    )


def _kinds(one: MappedCode, old: Taxonomy, new: Taxonomy, change: TaxonomyChange) -> Iterator[ChangeKind]:
    if not one.old:
        yield "added"
    elif one.retired:
        yield "retired"
    elif len(one.old) > 1:
        yield "merged" if len(one.new) == 1 else "regrouped"
    elif len(one.new) > 1:
        yield "split"
    elif one.new[0] not in new:
        yield "gone"
    else:
        before, after = one.old[0], one.new[0]
        if before != after:
            yield "renamed"
        elif _labels(old, before) != _labels(new, after):
            yield "relabelled"
        parent = old.parent(before)
        expected = change.targets(parent) if parent is not None else (None,)
        if new.parent(after) not in expected:
            yield "moved"


def _labels(taxonomy: Taxonomy, code: str) -> tuple[str, str]:
    return taxonomy.label(code, "fr"), taxonomy.label(code, "en")


def _alike(
    gone: Iterable[Category], added: Sequence[Category], at_least: float
) -> list[tuple[str, str, float]]:
    """Old code, new code and similarity of all pairs that are alike."""
    found: dict[tuple[str, str], float] = {}
    for language in ("label_fr", "label_en"):
        there = [(one.code, label.casefold()) for one in added if (label := getattr(one, language).strip())]
        matcher: SequenceMatcher[str] = SequenceMatcher(autojunk=False)
        for before in gone:
            label = getattr(before, language).strip().casefold()
            matcher.set_seq2(label)
            for code, other in there if label else ():
                matcher.set_seq1(other)
                # The first two are upper bounds that cost less.
                if all(
                    ratio() >= at_least
                    for ratio in (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
                ):
                    pair = (before.code, code)
                    found[pair] = max(found.get(pair, 0.0), matcher.ratio())
    return [(*pair, similarity) for pair, similarity in found.items()]


def _only_best(pairs: Iterable[tuple[str, str, float]], side: Literal[0, 1]) -> dict[str, str]:
    """For each code of a side, the one of the other that is most like it, where no other is as much."""
    best: dict[str, tuple[float, str | None]] = {}
    for pair in pairs:
        code, other, similarity = pair[side], pair[1 - side], pair[2]
        most = best.get(code, (0.0, None))[0]
        if similarity > most:
            best[code] = (similarity, str(other))
        elif similarity == most:
            best[code] = (similarity, None)
    return {str(code): other for code, (_, other) in best.items() if other is not None}
