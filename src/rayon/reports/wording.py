"""How plots say things: in English, unless a page in another language draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _as_it_is(text: str) -> str:
    return text


def _english_number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


@dataclass(frozen=True, slots=True)
class Wording:
    """Words, figures and days in the language of whoever looks.

    Parameters
    ----------
    say
        Turns an English text of a plot into one of the language.
    number
        Writes a figure with so many decimals.
    """

    say: Callable[[str], str] = _as_it_is
    number: Callable[[float, int], str] = _english_number

    def percent(self, share: float) -> str:
        """A share as a percentage, with a decimal where it is not a whole one."""
        hundredths = round(100 * share, 1)
        return f"{self.number(hundredths, 0 if hundredths == round(hundredths) else 1)} %"

    def day(self, day: date) -> str:
        """A day without its year."""
        return f"{day.day} {self.month(day)}"

    def month(self, day: date) -> str:
        """The month of a day."""
        return self.say(MONTHS[day.month - 1])


ENGLISH = Wording()
