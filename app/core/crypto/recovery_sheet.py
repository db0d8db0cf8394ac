"""The printable recovery sheet: one self-contained page, or plain text for a terminal."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.crypto.identity import MemberPublicKey
from app.core.crypto.recovery import RecoveryWords

if TYPE_CHECKING:
    import segno

_COLUMNS = 3
_STYLE = """
@page { margin: 18mm }
body { font: 11pt/1.45 system-ui, sans-serif; color: #000; background: #fff; max-width: 42em; margin: 2em auto }
h1 { font-size: 18pt; margin-bottom: .4em }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1.2em }
dt { font-weight: 600 } dd { margin: 0 }
.words { columns: 3; font: 13pt/1.9 ui-monospace, monospace; border: 1pt solid #000; padding: .6em 1em .6em 3em }
.warning { font-weight: 600 }
figure { margin: 1em 0; text-align: center; break-inside: avoid }
"""


@dataclass(frozen=True, slots=True)
class SheetTexts:
    """The sheet's sentences in the reader's language (``language`` is its two-letter code)."""

    language: str
    title: str
    federation: str
    site: str
    date: str
    key: str
    instructions: tuple[str, ...]
    warning: str
    code: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One site's recovery sheet; ``date`` as it is to be printed."""

    words: RecoveryWords
    federation_name: str
    site_name: str
    date: str
    member: MemberPublicKey
    texts: SheetTexts

    def to_html(self) -> str:
        """Return a page that needs nothing from elsewhere and runs nothing. It is secret until it is paper."""
        rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in self._facts())
        steps = "".join(f"<li>{html.escape(step)}</li>" for step in self.texts.instructions)
        words = "".join(f"<li>{word}</li>" for word in self.words.words)
        code = self._code().svg_inline(scale=4)
        texts = self.texts
        return (
            f'<!DOCTYPE html><html lang="{html.escape(texts.language)}"><head><meta charset="utf-8">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            f"<title>{html.escape(texts.title)}</title><style>{_STYLE}</style></head><body>"
            f"<h1>{html.escape(texts.title)}</h1><dl>{rows}</dl>"
            f'<p class="warning">{html.escape(texts.warning)}</p><ol class="words">{words}</ol>'
            f"<figure>{code}<figcaption>{html.escape(texts.code)}</figcaption></figure>"
            f"<ul>{steps}</ul></body></html>\n"
        )

    def to_text(self) -> str:
        """Return the sheet for a terminal or a text printer, words numbered down the columns."""
        width = max(len(name) for name, _ in self._facts())
        facts = [f"{name.ljust(width)}  {value}" for name, value in self._facts()]
        rows = len(self.words.words) // _COLUMNS
        numbered = [f"{number:2}. {word}" for number, word in enumerate(self.words.words, 1)]
        words = ["".join(entry.ljust(20) for entry in numbered[row::rows]).rstrip() for row in range(rows)]
        code = io.StringIO()
        self._code().terminal(code, compact=True)
        steps = [f"- {step}" for step in self.texts.instructions]
        parts = [self.texts.title, "\n".join(facts), self.texts.warning, "\n".join(words), self.texts.code]
        return "\n\n".join([*parts, code.getvalue(), "\n".join(steps)]) + "\n"

    def _code(self) -> segno.QRCode:
        import segno  # noqa: PLC0415 - commands that draw nothing start without it

        return segno.make(self.words.short, error="m", micro=False)

    def _facts(self) -> list[tuple[str, str]]:
        texts = self.texts
        return [
            (texts.federation, self.federation_name),
            (texts.site, self.site_name),
            (texts.date, self.date),
            (texts.key, short_fingerprint(self.member)),
        ]


def short_fingerprint(member: MemberPublicKey) -> str:
    """Return the first 16 bytes of a member key's fingerprint in groups of four hexadecimal digits."""
    digits = member.fingerprint[:16].hex()
    return " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))
