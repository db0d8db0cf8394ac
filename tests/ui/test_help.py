"""Help: every page exists in every language, says true things, is found, and its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from PySide6.QtCore import QUrl
from pytestqt.qtbot import QtBot

from app.cli.main import commands
from app.core.paths import resource
from app.core.preparation.mapping_reading import parse_mapping
from app.texts import LANGUAGES, use_language
from app.ui.context import Context
from app.ui.models.help import PAGES, find, page, page_of
from app.ui.theme import theme
from app.ui.views.help import HelpView
from app.ui.window import VIEWS

LINK = re.compile(r"\]\(([^)]+)\)")
CODE = re.compile(r"```\n(.*?)```|`([^`]+)`", re.DOTALL)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    use_language(request.param)
    yield str(request.param)
    use_language("en")


@pytest.fixture
def view(qtbot: QtBot, context: Context) -> HelpView:
    made = HelpView(context)
    qtbot.addWidget(made)
    made.resize(1196, 740)
    made.show()
    return made


def test_every_page_exists_in_every_language_and_no_other(language: str) -> None:
    assert {path.stem for path in resource("help", language).glob("*.md")} == set(PAGES)
    titles = [page(name).title for name in PAGES]
    assert all(titles)
    assert len(set(titles)) == len(PAGES)


def test_pages_have_the_same_parts_in_every_language(language: str) -> None:
    for name in PAGES:
        shape = [line[:2] for line in page(name).text.splitlines() if line.startswith(("#", "|", "-", "```"))]
        use_language("en")
        english = [line[:2] for line in page(name).text.splitlines() if line.startswith(("#", "|", "-", "```"))]
        use_language(language)
        assert shape == english, name


def test_links_lead_to_pages(language: str) -> None:
    for name in PAGES:
        for target in LINK.findall(page(name).text):
            assert target.removesuffix(".md") in PAGES, f"{name}: {target}"


def commands_in(text: str) -> Iterator[list[str]]:
    """Yield the words of every command that a page gives."""
    for block, inline in CODE.findall(text):
        for line in (block or inline).replace("\n  ", " ").splitlines():
            if line.startswith("consilium "):
                yield line.split()[1:]


def test_every_command_in_the_help_exists_with_its_options(language: str) -> None:
    root = typer.main.get_command(commands)
    seen = set()
    for name in PAGES:
        for words in commands_in(page(name).text):
            found: Any = root
            for word in words:
                if word not in getattr(found, "commands", {}):
                    break
                found = found.commands[word]
            known = {option for parameter in found.params for option in parameter.opts}
            assert found is not root, f"{name}: {words}"
            assert {word for word in words if word.startswith("--")} <= known, f"{name}: {words}"
            seen.add(found.name)
    assert {"prepare", "inspect", "verify", "export-public", "backup", "restore", "check", "agent"} <= seen


def test_the_mapping_in_the_help_is_one(language: str) -> None:
    written = re.search(r"```\n(format = .*?)```", page("data").text, re.DOTALL)
    assert written is not None
    assert parse_mapping(written[1].encode(), "mapping.toml").site == "Lausanne"


def test_every_screen_has_its_page(view: HelpView) -> None:
    for name in VIEWS:
        view.open(name)
        assert view.reader.title == page(page_of(name)).title
        assert view.list.selected == page_of(name)
    assert page_of("data") == "data"
    assert page_of("nowhere") == PAGES[0]


def test_a_search_finds_pages_and_marks_the_word(view: HelpView, qtbot: QtBot) -> None:
    view.search.setText("six words")
    with qtbot.waitSignal(view.search.wanted):
        pass
    assert [entry.key for entry in view.list.entries.entries] == ["first-steps", "federation"]
    marked = [each.cursor.selectedText().casefold() for each in view.reader.extraSelections()]
    assert set(marked) == {"six", "words"}
    view.search.clear()
    with qtbot.waitSignal(view.search.wanted):
        pass
    assert view.list.entries.rowCount() == len(PAGES)
    assert view.reader.extraSelections() == []


def test_a_search_goes_to_a_page_that_has_the_word(view: HelpView) -> None:
    assert view.reader.title == page("first-steps").title
    view.search.wanted.emit("thirty")
    assert view.reader.title == page("backup").title


def test_a_search_without_a_hit_says_so_and_leaves_the_page(view: HelpView) -> None:
    view.search.wanted.emit("zeppelin")
    assert view._nothing.isVisible()
    assert "zeppelin" in view._nothing.text()
    assert view.reader.title == page("first-steps").title


def test_an_excerpt_is_of_whole_words_and_without_marks() -> None:
    (hit, *_) = find("quorum")
    assert hit.excerpt.startswith("…")
    inside = hit.excerpt.strip("…").split()
    assert set(inside) <= set(hit.page.plain.split())
    assert not re.search(r"[*`|]|\]\(", hit.page.plain)


def test_a_link_opens_its_page_and_nothing_else(view: HelpView) -> None:
    view.reader.anchorClicked.emit(QUrl("backup.md"))
    assert view.reader.title == page("backup").title
    for elsewhere in ("https://example.org/data.md", "file:///etc/passwd", "../data.md"):
        view.reader.anchorClicked.emit(QUrl(elsewhere))
        assert view.reader.title == page("backup").title


def test_a_page_follows_the_look(view: HelpView) -> None:
    view.open("data")
    theme().set_mode("dark")
    html = view.reader.document().toHtml()
    assert theme().colours["sunken"].lower() in html.lower()
