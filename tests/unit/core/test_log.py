from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import log
from app.core.errors import UserError
from app.core.secret import SecretBytes


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    log.write_to(tmp_path / "logs")
    yield tmp_path / "logs"
    log.write_to(tmp_path)  # closes the file


def lines(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / log.FILE_NAME).read_text("utf-8").splitlines()]


def test_there_is_no_file_before_the_first_line(directory: Path) -> None:
    assert not directory.exists()
    log.logger("test").info("begun")
    assert directory.exists()
    assert log.location() == directory / log.FILE_NAME


def test_a_line_says_when_where_and_what(directory: Path) -> None:
    log.logger("store").info("opened", version=3, name="Zürich")
    (line,) = lines(directory)
    assert line.pop("timestamp").endswith("Z")  # type: ignore[attr-defined]
    assert line == {"area": "store", "event": "opened", "level": "info", "version": 3, "name": "Zürich"}


def test_secrets_stay_out(directory: Path) -> None:
    class Holder:
        def __repr__(self) -> str:
            return "hunter2"

    log.logger("test").warning(
        "all kinds",
        secret=SecretBytes(b"hunter2"),
        data=b"hunter2",
        nested={"a": [b"hunter2", SecretBytes(b"hunter2")]},
        unknown=Holder(),
        foreign=ValueError("hunter2"),
        ours=UserError("some.code", row=2),
        path=Path("a"),
    )
    assert "hunter2" not in (directory / log.FILE_NAME).read_text()
    (line,) = lines(directory)
    assert line["secret"] == line["data"] == "<7 bytes>"
    assert line["unknown"] == "<Holder>"
    assert line["ours"] == "some.code(row=2)"
    assert line["path"] == "a"


def test_places_name_files_and_lines_without_messages() -> None:
    def fail() -> None:
        try:
            raise ValueError("hunter2")
        except ValueError as error:
            raise UserError("some.code") from error

    with pytest.raises(UserError) as caught:
        fail()
    places = log.places(caught.value)
    assert [each for each in places if ":" not in each] == ["UserError", "ValueError"]
    assert any("test_log.py" in each and each.endswith(" fail") for each in places)
    assert "hunter2" not in str(places)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_only_this_user_reads_it_also_after_a_rotation(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "FILE_BYTES", 300)
    log.write_to(directory)
    for _ in range(20):
        log.logger("test").info("a line that is long enough")
    files = sorted(directory.iterdir())
    assert len(files) == log.FILES_KEPT + 1
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    log.write_to(blocked / "logs")
    log.logger("test").info("lost")
    assert capsys.readouterr() == ("", "")


def test_details_below_info_are_left_out(directory: Path) -> None:
    log.logger("test").debug("noise")
    assert not directory.exists()
    assert logging.getLogger("consilium").propagate is False
