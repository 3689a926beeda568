"""A guess at the language of a listing, good enough to count a catalogue's languages.

Counts the everyday words and the letters that tell five languages apart. A library for this brings a model
of some hundred megabytes, or a pickled one, for a single statistic; and titles that are mostly brands and
numbers remain undecided, which is said so.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping

LANGUAGES = ("fr", "en", "de", "es", "it")
OTHER = "other"
UNKNOWN = "unknown"

_MAX_CHARACTERS = 2_000
_WORD = re.compile(r"[^\W\d_]+")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_OTHER_SCRIPT = re.compile("[Ͱ-᳿぀-퟿]")

_WORDS: Mapping[str, str] = {
    "fr": "le la les un une des du de et en au aux pour avec sans sur dans par est sont ce cette ces vous "
    "votre nous plus pas que qui ou où son sa ses leur très tout tous toutes être peut comme même "
    "chez entre jeu jeux livre livres enfant enfants bébé maison noir noire blanc blanche rouge bleu "
    "vert couleur taille femme homme neuf neuve piscine lampe coussin housse jouet jouets boîte "
    "pièces carte cartes édition tome français",
    "en": "the a an and of for with without on in at by is are this that these you your we it its from to "
    "as or not be can will all more new high quality home black white red blue green color colour "
    "size women men kids baby book books game games toy toys set box card cards case cover kitchen "
    "garden light lamp edition",
    "de": "der die das den dem des ein eine einen einer und für mit ohne auf im in am an bei ist sind von "
    "zu zum zur aus nicht auch oder als wie sie ihr ihre wir werden wird kann schwarz weiß weiss rot "
    "blau grün farbe größe kinder spiel spiele buch bücher spielzeug neu haus garten küche kissen "
    "lampe stück deutsch",
    "es": "el la los las un una unos unas y de del en con sin por para al es son que se su sus este esta "
    "como más muy no lo negro blanca blanco rojo azul verde tamaño niños niño bebé libro libros juego "
    "juegos juguete casa nuevo nueva cocina jardín español caja",
    "it": "il lo la i gli le un uno una e di del della dei delle in con senza per da al alla è sono che si "
    "suo sua questo questa come più non nero bianco rosso blu verde colore taglia bambini bambino "
    "libro libri gioco giochi giocattolo casa nuovo nuova cucina giardino italiano scatola",
}
_LETTERS: Mapping[str, str] = {"fr": "àâçèêëîïôœùû", "de": "äöüß", "es": "ñ¿¡áíóú", "it": "ìò", "en": ""}


def _weights() -> dict[str, dict[str, float]]:
    shared = Counter(word for words in _WORDS.values() for word in set(words.split()))
    weights: dict[str, dict[str, float]] = {}
    for language, words in _WORDS.items():
        for word in words.split():
            weights.setdefault(word, {})[language] = 1.0 / shared[word]
    return weights


_WEIGHTS = _weights()


def guess_language(text: str) -> str:
    """Language of a text: one of `LANGUAGES`, ``"other"`` for another script, ``"unknown"`` if undecided."""
    text = html.unescape(_TAG.sub(" ", text[:_MAX_CHARACTERS])).lower()
    words = _WORD.findall(text)
    if not words:
        return UNKNOWN
    if 2 * len(_OTHER_SCRIPT.findall(text)) > sum(map(len, words)):
        return OTHER
    scores = dict.fromkeys(LANGUAGES, 0.0)
    for word in words:
        for language, weight in _WEIGHTS.get(word, {}).items():
            scores[language] += weight
    if not text.isascii():
        for language, letters in _LETTERS.items():
            scores[language] += 0.5 * sum(text.count(letter) for letter in letters)
    first, second = sorted(scores.values(), reverse=True)[:2]
    if first < 0.5 or first - second < 0.1 * first:
        return UNKNOWN
    return max(scores, key=scores.__getitem__)


def count_languages(texts: Iterable[str]) -> dict[str, int]:
    """How many texts are in each language, the most frequent first; texts without anything are left out."""
    return dict(Counter(guess_language(text) for text in texts if text.strip()).most_common())
