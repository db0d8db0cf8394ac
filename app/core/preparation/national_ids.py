"""Numbers that a state gives to one person, recognised by their form and check digits.

``typical`` ones (a prefix of their own, letters, or two check digits) are hardly ever met by chance: one is enough. The
others are digits with one check digit, which every tenth number has: only a column that is full of them counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_SEPARATORS = re.compile(r"[ ./-]")
_ITALIAN_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"


def _weighted(digits: str, *weights: int) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _ean_13(digits: str) -> bool:
    return _weighted(digits, *(1, 3) * 6, 1) % 10 == 0


def _french(text: str) -> bool:
    corsican = text.replace("2A", "19").replace("2B", "18")
    return 97 - int(corsican[:13]) % 97 == int(corsican[13:])


def _social_security(digits: str) -> bool:
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def _german_insurance(text: str) -> bool:
    digits = f"{ord(text[0]) - 64:02}{text[1:9]}"
    products = (int(digit) * weight for digit, weight in zip(digits, (1, 2) * 5, strict=True))
    return sum(each // 10 + each % 10 for each in products) % 10 == int(text[9])


def _german_tax(digits: str) -> bool:
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return digits[0] != "0" and (11 - product) % 10 == int(digits[10])


def _british(digits: str) -> bool:
    return (11 - _weighted(digits, 10, 9, 8, 7, 6, 5, 4, 3, 2) % 11) % 11 == int(digits[9])


def _austrian(digits: str) -> bool:
    return _weighted(digits, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6) % 11 == int(digits[3])


def _italian(text: str) -> bool:
    def worth(place: int, sign: str) -> int:
        value = int(sign) if sign.isdigit() else ord(sign) - 65
        return _ITALIAN_ODD[value] if place % 2 == 0 else value

    return chr(65 + sum(worth(place, sign) for place, sign in enumerate(text[:15])) % 26) == text[15]


def _dutch(digits: str) -> bool:
    return digits != "0" * 9 and _weighted(digits, 9, 8, 7, 6, 5, 4, 3, 2, -1) % 11 == 0


def _swedish(digits: str) -> bool:
    products = (int(digit) * weight for digit, weight in zip(digits[-10:], (2, 1) * 5, strict=True))
    return sum(each // 10 + each % 10 for each in products) % 10 == 0


def _spanish(text: str) -> bool:
    number = text[:8].translate(str.maketrans("XYZ", "012"))
    return _SPANISH[int(number) % 23] == text[8]


def _belgian(digits: str) -> bool:
    return any(97 - int(century + digits[:9]) % 97 == int(digits[9:]) for century in ("", "2"))


@dataclass(frozen=True, slots=True)
class NationalId:
    """One sort of number: ``pattern`` is how it is written, ``valid`` checks it without its separators."""

    name: str
    pattern: str
    valid: Callable[[str], bool]
    typical: bool

    def fits(self, text: str) -> bool:
        """Return whether ``text``, which has the form of :attr:`pattern`, also has the right check digits."""
        return self.valid(_SEPARATORS.sub("", text.upper()))


NATIONAL_IDS = (
    NationalId("AHV", r"756[. -]?[0-9]{4}[. -]?[0-9]{4}[. -]?[0-9]{2}", _ean_13, typical=True),
    NationalId("NIR", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9ABab] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", _french, typical=True),
    NationalId("SSN", r"[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}", _social_security, typical=True),
    NationalId("KVNR", r"[A-Z][0-9]{9}", _german_insurance, typical=False),
    NationalId("IdNr", r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", _german_tax, typical=False),
    NationalId("NHS", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", _british, typical=False),
    NationalId("SVNR", r"[1-9][0-9]{3} ?[0-9]{6}", _austrian, typical=False),
    NationalId(
        "codice fiscale",
        r"[A-Za-z]{6}[0-9]{2}[A-EHLMPRSTa-ehlmprst][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]",
        _italian,
        typical=True,
    ),
    NationalId("BSN", r"[0-9]{9}", _dutch, typical=False),
    NationalId("personnummer", r"((19|20)[0-9]{2}|[0-9]{2})[01][0-9][0-3][0-9]-?[0-9]{4}", _swedish, typical=False),
    NationalId("DNI", r"[0-9XYZxyz][0-9]{7}[ -]?[A-Za-z]", _spanish, typical=True),
    NationalId("NISS", r"[0-9]{2}[.]?[0-9]{2}[.]?[0-9]{2}[ -]?[0-9]{3}[. ]?[0-9]{2}", _belgian, typical=True),
)
