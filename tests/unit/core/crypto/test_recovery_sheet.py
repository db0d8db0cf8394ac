"""The sheet that is printed: complete, readable by a scanner, and nothing on it comes from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from app.core.crypto.identity import MemberKey
from app.core.crypto.recovery import make_words, read_words
from app.core.crypto.recovery_sheet import Sheet, SheetTexts, short_fingerprint
from app.core.secret import SecretBytes

ROOT = SecretBytes(bytes(range(32)))
TEXTS = SheetTexts(
    language="en",
    title="Recovery sheet",
    federation="Federation",
    site="Site",
    date="Made on",
    key="Member key",
    instructions=("Keep it.", "Type it."),
    warning="Secret.",
    code="The same.",
)
SHEET = Sheet(
    words=make_words(ROOT, bytes(32)),
    federation_name="Lung & <b>heart</b>",
    site_name='Hôpital "Nord"',
    date="2026-01-02",
    member=MemberKey.from_root(ROOT).public,
    texts=TEXTS,
)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.lists: dict[str, list[str]] = {"ol": [], "ul": [], "dl": []}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        within = next((each for each in reversed(self.tags) if each in self.lists), None)
        if within and data.strip():
            self.lists[within].append(data)


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


def test_the_page_holds_the_words_in_order_and_who_they_belong_to() -> None:
    page = read(SHEET.to_html())
    words = page.lists["ol"][:30]
    assert read_words(" ".join(words)).root == ROOT
    assert page.lists["dl"][:8] == [
        "Federation",
        "Lung & <b>heart</b>",
        "Site",
        'Hôpital "Nord"',
        "Made on",
        "2026-01-02",
        "Member key",
        short_fingerprint(SHEET.member),
    ]
    assert page.lists["ul"] == ["Keep it.", "Type it."]


def test_the_page_runs_nothing_and_fetches_nothing() -> None:
    page = read(SHEET.to_html())
    assert not page.links
    assert not {"script", "b", "img", "link", "iframe"} & {*page.tags}
    assert "default-src 'none'" in SHEET.to_html()
    assert "svg" in page.tags


def test_the_terminal_shows_the_same() -> None:
    text = SHEET.to_text()
    numbered = {int(number): word for number, word in re.findall(r"(\d+)\. ([a-z]+)", text)}
    assert tuple(numbered[number] for number in range(1, 31)) == SHEET.words.words
    for part in (TEXTS.title, TEXTS.warning, SHEET.federation_name, SHEET.site_name, *TEXTS.instructions):
        assert part in text


def test_a_fingerprint_is_read_out_in_groups() -> None:
    assert re.fullmatch(r"([0-9a-f]{4} ){7}[0-9a-f]{4}", short_fingerprint(SHEET.member))
