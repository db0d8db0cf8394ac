"""Saved cohorts, the draft, and questions that use saved cohorts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import UserError
from app.core.query.canonical import query_hash
from app.core.query.model import Query, expanded
from app.core.query.text import format as format_cohort
from app.core.query.text import parse
from app.core.services import cohorts
from app.core.store.profile import Profile
from tests.cohorts import CATALOGUE

DAY = 86_400_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Profile]:
    with Profile.create(tmp_path / "profile", program="tests", now=0) as profile:
        yield profile


def save(store: Profile, name: str, text: str, now: int = 0) -> int:
    return cohorts.save(store, CATALOGUE, name, text, now).version


def test_saving_again_makes_the_next_version(store: Profile) -> None:
    assert save(store, "Smokers", "smoker", 1) == 1
    assert save(store, " smokers ", "smoker and age >= 50", 2) == 2
    assert save(store, "Smokers", "age >= 50 and smoker", 3) == 3
    assert save(store, "Smokers", "age >= 50 and smoker", 4) == 3
    assert [(row.name, row.version) for row in store.cohorts.all()] == [("Smokers", 3)]
    assert [row.text for row in store.cohorts.versions("smokers")] == [
        "age >= 50 and smoker",
        "smoker and age >= 50",
        "smoker",
    ]
    assert cohorts.show(store, "SMOKERS", 1).text == "smoker"
    with pytest.raises(UserError, match=r"cohort\.unknown"):
        cohorts.show(store, "Smokers", 9)


@pytest.mark.parametrize("name", ["", "  ", 'say "a"', "“a”", "a\nb", "x" * 101])
def test_what_cannot_be_a_name(store: Profile, name: str) -> None:
    with pytest.raises(UserError, match=r"cohort\.bad_name"):
        save(store, name, "smoker")


def test_renaming_and_deleting(store: Profile) -> None:
    save(store, "Smokers", "smoker")
    save(store, "Smokers", "not smoker")
    save(store, "Women", "sex = female")
    with pytest.raises(UserError, match=r"cohort\.exists"):
        cohorts.rename(store, "Smokers", "women")
    assert cohorts.rename(store, "smokers", "SMOKERS").version == 2
    assert cohorts.rename(store, "SMOKERS", "People who smoke").name == "People who smoke"
    assert cohorts.delete(store, "people who smoke") == 2
    assert [row.name for row in store.cohorts.all()] == ["Women"]
    with pytest.raises(UserError, match=r"cohort\.unknown"):
        cohorts.delete(store, "Smokers")


def test_a_saved_cohort_is_a_term_and_the_same_question_as_its_definition(store: Profile) -> None:
    save(store, "Old smokers", "smoker and age >= 60")
    named = cohorts.read(store, CATALOGUE, 'not Cohort:"old Smokers" or sex = female')
    plain = parse("not (smoker and age >= 60) or sex = female", CATALOGUE)
    assert format_cohort(named) == 'not cohort:"old Smokers" or sex = female'
    assert query_hash(Query(named), CATALOGUE) == query_hash(Query(plain), CATALOGUE)
    assert Query.from_cbor(Query(expanded(named)).to_cbor()).cohort == plain


def test_what_is_asked_names_no_saved_cohort(store: Profile) -> None:
    save(store, "Smokers", "smoker or age >= 60")
    text, query = cohorts.question(store, CATALOGUE, 'cohort:"Smokers" and sex = female')
    assert text == "(smoker or age >= 60) and sex = female"
    assert query.cohort == parse(text, CATALOGUE)
    as_typed = "sex = female  and  smoker"
    assert cohorts.question(store, CATALOGUE, as_typed)[0] == as_typed


def test_a_saved_cohort_stands_on_its_own(store: Profile) -> None:
    save(store, "Inner", "smoker")
    save(store, "Outer", 'cohort:"Inner" and age >= 50')
    save(store, "Inner", "not smoker")
    assert cohorts.show(store, "Outer").text == "smoker and age >= 50"


def test_a_cohort_that_is_not_there_is_pointed_at(store: Profile) -> None:
    with pytest.raises(UserError) as caught:
        cohorts.read(store, CATALOGUE, 'smoker and cohort:"Nobody"')
    assert (caught.value.code, caught.value.params["column"]) == ("query.no_such_cohort", 12)


def test_a_cohort_of_an_older_catalogue_is_refused_with_its_name(store: Profile) -> None:
    save(store, "Smokers", "smoker")
    newer = type(CATALOGUE)("Newer", 2, CATALOGUE.variables[1:])
    with pytest.raises(UserError) as caught:
        cohorts.read(store, newer, 'cohort:"Smokers"')
    assert (caught.value.code, caught.value.params["name"]) == ("query.cohort_outdated", "Smokers")


def test_the_draft_gathers_changes_into_versions(store: Profile) -> None:
    assert cohorts.save_draft(store, "smoker", {}, 0).version == 1
    assert cohorts.save_draft(store, "smoker and", {}, 1000).version == 1
    assert cohorts.save_draft(store, "smoker and", {"epsilon": ""}, DAY).version == 1
    assert cohorts.save_draft(store, "smoker or age >= 50", {}, DAY).version == 2
    assert cohorts.save_draft(store, "smoker or age >= 50", {}, DAY + 5).saved == DAY
    assert cohorts.clear_draft(store, 2 * DAY).version == 3
    assert cohorts.clear_draft(store, 3 * DAY).version == 3
    assert [row.text for row in store.drafts.all()] == ["", "smoker or age >= 50", "smoker and"]


def test_only_the_latest_versions_of_the_draft_are_kept(store: Profile) -> None:
    for day in range(60):
        cohorts.save_draft(store, f"day {day}", {}, day * DAY)
    kept = store.drafts.all()
    assert len(kept) == cohorts.KEPT_DRAFTS
    assert (kept[0].text, kept[-1].text) == ("day 59", "day 10")


def test_a_draft_has_its_limits(store: Profile) -> None:
    with pytest.raises(UserError, match=r"cohort\.draft_too_large"):
        cohorts.save_draft(store, "x" * (cohorts.MAX_DRAFT + 1), {}, 0)
    with pytest.raises(UserError, match=r"cohort\.draft_too_large"):
        cohorts.save_draft(store, "", {"a": "x" * 5000}, 0)
