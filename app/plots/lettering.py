"""How words are set: their type, how wide they are, and breaking or shortening them to the room that there is."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from app.plots.look import FAMILY

FIXED = "DejaVu Sans Mono"
LEADING = 1.42
"""Line height, in sizes of the type."""


@dataclass(frozen=True)
class Type:
    """How something is set."""

    size: float
    colour: str
    bold: bool = False
    family: str = FAMILY

    @property
    def font(self) -> FontProperties:
        """For measuring."""
        return FontProperties(family=self.family, size=self.size, weight="bold" if self.bold else "normal")

    def width(self, words: str) -> float:
        """Return how wide ``words`` are, in points."""
        return float(text_to_path.get_text_width_height_descent(words, self.font, ismath=False)[0]) if words else 0.0


def wrapped(words: str, kind: Type, room: float) -> list[str]:
    """Break ``words`` into lines no wider than ``room`` points; a word that is too long is cut."""
    lines: list[str] = []
    for paragraph in words.splitlines() or [""]:
        line = ""
        for word in paragraph.split(" "):
            for piece in _pieces(word, kind, room):
                longer = f"{line} {piece}" if line else piece
                if line and kind.width(longer) > room:
                    lines.append(line)
                    line = piece
                else:
                    line = longer
        lines.append(line)
    return lines


def _pieces(word: str, kind: Type, room: float) -> list[str]:
    pieces = []
    while kind.width(word) > room and len(word) > 1:
        length = max(1, int(len(word) * room / kind.width(word)))
        while length > 1 and kind.width(word[:length]) > room:
            length -= 1
        pieces.append(word[:length])
        word = word[length:]
    return [*pieces, word]


def fitted(words: str, kind: Type, room: float, lines: int = 1) -> list[str]:
    """Break ``words`` into at most so many ``lines`` no wider than ``room`` points; what is left out shows as "…"."""
    found = wrapped(words, kind, room)
    if len(found) <= lines:
        return found
    last = found[lines - 1]
    while last and kind.width(f"{last}…") > room:
        last = last[:-1]
    return [*found[: lines - 1], f"{last.rstrip(' ,;:·–-')}…"]
