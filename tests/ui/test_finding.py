"""Catalogues are read and searched without keeping the window waiting."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.catalogue.writing import format_catalogue
from app.core.errors import ConsiliumError
from app.ui.models import finding
from app.ui.models.finding import Finder, Loader
from tests.cohorts import CATALOGUE


def of_size(count: int) -> Catalogue:
    variables = (Variable(f"x:{place}", Kind.FLAG, Label(f"Disease {place}")) for place in range(count))
    return Catalogue("Many", 1, tuple(variables))


def test_a_small_catalogue_is_there_at_once(qapp: object) -> None:
    read: list[Catalogue] = []
    Loader().load(CATALOGUE.to_cbor(), read.append)
    assert read == [CATALOGUE]
    finder = Finder()
    finder.index(CATALOGUE)
    assert finder.find("smoker", None) == [0]


def test_a_large_one_comes_from_a_thread_and_the_latest_wins(qtbot: QtBot) -> None:
    large, read, threads = of_size(finding._SMALL_BYTES // 20), list[Catalogue](), list[object]()
    loader = Loader()
    loader.load(large.to_cbor(), lambda _catalogue: read.append(CATALOGUE))

    def take(catalogue: Catalogue) -> None:
        read.append(catalogue)
        threads.append(QThread.currentThread())

    loader.load(large.to_cbor(), take)
    qtbot.waitUntil(lambda: bool(read), timeout=30_000)
    assert read == [large]
    assert threads == [loader.thread()]


def test_a_large_file_is_read_aside_and_a_wrong_one_is_told(qtbot: QtBot, tmp_path: Path) -> None:
    large, small, wrong = tmp_path / "large.toml", tmp_path / "small.toml", tmp_path / "wrong.toml"
    many = of_size(finding._SMALL_BYTES // 60)
    large.write_text(format_catalogue(many), "utf-8")
    small.write_text(format_catalogue(CATALOGUE), "utf-8")
    wrong.write_text("#" * (finding._SMALL_BYTES + 1), "utf-8")
    assert large.stat().st_size > finding._SMALL_BYTES
    read, told = list[Catalogue](), list[ConsiliumError]()
    loader = Loader()
    loader.load_file(small, read.append, told.append)
    assert read == [CATALOGUE]
    loader.load_file(large, read.append, told.append)
    assert len(read) == 1
    qtbot.waitUntil(lambda: len(read) == 2, timeout=30_000)
    assert read[1] == many
    loader.load_file(wrong, read.append, told.append)
    loader.load_file(tmp_path / "nowhere.toml", read.append, told.append)
    assert [each.code for each in told] == ["file.not_found"]


def test_the_index_of_a_large_one_says_when_it_is_ready(qtbot: QtBot) -> None:
    finder = Finder()
    with qtbot.waitSignal(finder.ready, timeout=30_000):
        finder.index(of_size(finding._SMALL + 1))
        assert finder.find("disease", None) is None
    assert finder.find("disease 499", None) == [499]
