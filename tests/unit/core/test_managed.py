"""What IT fixes in a file: read strictly, above every site's policy, and never changed from within."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from app.core import managed, paths
from app.core.disclosure.policy import BudgetRules, Mode, Never, People, Policy, Projects, Rule
from app.core.errors import EnvironmentProblem
from app.core.managed import NOTHING, Managed, read_managed


def written(directory: Path, text: str) -> Path:
    file = directory / "managed.toml"
    file.write_text(text, "utf-8")
    return file


def test_no_file_fixes_nothing(tmp_path: Path) -> None:
    assert read_managed(tmp_path / "managed.toml") == NOTHING
    assert read_managed(written(tmp_path, "")).policy == {}
    assert NOTHING.over(Policy(others=3), 2).policy == Policy(others=3)


def test_the_example_of_the_documentation_is_read_whole(tmp_path: Path) -> None:
    assert managed.__doc__ is not None
    example = managed.__doc__.split("::\n")[1].split("\nA field that is there")[0]
    found = read_managed(written(tmp_path, example)).over(Policy.default(9), 1)
    assert found.policy == Policy(
        Mode.ASK,
        exact=False,
        others=3,
        rules=(Rule(Mode.NEVER, analysis="regress"),),
        min_patients=500,
        never=(Never("postcode"), Never("stage", "iv")),
        projects=Projects.APPROVED,
        people=People.ENDORSED,
        epsilon=Fraction(1, 2),
        smallest=11,
        zeros=False,
        enforced=True,
        budget=BudgetRules(Fraction(10), Fraction(1), 365, Fraction(5), None, 100),
    )
    assert found.managed == set(Policy().to_plain())


def test_what_is_fixed_outranks_and_the_rest_stays() -> None:
    fixed = Managed({"exact": False, "budget": {**BudgetRules().to_plain(), "cap": "1"}})
    found = fixed.over(Policy(others=4, budget=BudgetRules(exact=3)), 7)
    assert (found.policy, found.version) == (Policy(others=4, exact=False, budget=BudgetRules(Fraction(1))), 7)
    assert found.managed == {"exact", "budget"}


def test_a_fixed_mode_is_loosened_by_no_exception() -> None:
    own = (Rule(Mode.AUTOMATIC, site=2), Rule(Mode.ASK, site=3), Rule(Mode.NEVER, site=4))
    policy = Policy(Mode.AUTOMATIC, rules=own)
    assert Managed({"mode": "ask"}).over(policy, 1).policy.rules == own[1:]
    assert Managed({"mode": "never"}).over(policy, 1).policy.rules == own[2:]
    both = Managed({"mode": "ask", "rules": [own[0].to_plain()]})
    assert both.over(policy, 1).policy.rules == own[:1]  # the exception is IT's own


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ("[policy", "managed.not_toml", {}),
        ("\udcff", "managed.not_toml", {}),
        ("version = 2", "managed.newer", {"version": "2"}),
        ("#\n\npolicies = 1", "managed.unknown_key", {"line": 3, "key": "policies"}),
        ("[policy]\nexact = false\nothres = 3", "managed.unknown_key", {"line": 3, "key": "policy.othres"}),
        ("[policy.budget]\nlimit = 3", "managed.unknown_key", {"line": 2, "key": "budget.limit"}),
        ("[policy]\nbudget = { limit = 3 }", "managed.unknown_key", {"line": 2, "key": "budget.limit"}),
        ("[policy]\nothers = 0", "managed.bad_value", {"line": 2, "key": "others"}),
        ("[policy]\nmode = 'maybe'\n", "managed.bad_value", {"line": 2, "key": "mode"}),
        ("[policy]\n\nepsilon = 0.5\n", "managed.bad_value", {"line": 3, "key": "epsilon"}),
        ("[policy]\nnever = [['a']]", "managed.bad_value", {"line": 2, "key": "never"}),
        ("policy = 3", "managed.bad_value", {"line": 1, "key": "policy"}),
        ("#" * 70_000, "managed.too_large", {"limit": 1 << 16}),
    ],
)
def test_what_is_wrong_names_file_line_and_key(tmp_path: Path, text: str, code: str, params: dict[str, Any]) -> None:
    file = tmp_path / "managed.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(EnvironmentProblem) as raised:
        read_managed(file)
    assert raised.value.code == code
    assert {"file": str(file), **params}.items() <= raised.value.params.items()


def test_a_file_that_may_not_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "managed.toml").mkdir()
    with pytest.raises(EnvironmentProblem, match=r"file\."):
        read_managed(tmp_path / "managed.toml")


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("linux", "/etc/consilium/managed.toml"),
        ("darwin", "/Library/Application Support/Consilium/managed.toml"),
        ("win32", "D:/Shared/Consilium/managed.toml"),
    ],
)
def test_where_the_file_lies(platform: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv("PROGRAMDATA", "D:/Shared")
    assert paths.managed_settings().as_posix() == place
