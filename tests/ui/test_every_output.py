"""No way out of the program tells a small number: two federations that differ in withheld numbers alone look the same.

In the one, seven patients are of stage a; in the other, six, and one more is of stage b. Both answer the same
questions over real sites, under a policy that withholds 1 to 10. Whatever the program then says, draws, saves or copies
must be the same to the byte: a number that is withheld can have no influence on anything.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.cli.query import _for_json, _line, _result_lines
from app.core.analysis.results import withheld_of
from app.core.catalogue.scales import FollowUp
from app.core.disclosure.policy import Policy
from app.core.federation import decisions
from app.core.services import asking, explaining, exporting
from app.core.services.runs import Run
from app.plots.exporting import exported
from app.ui.models.answers import facts
from app.ui.models.funnel import funnels_of
from app.ui.models.statistics import notes, statistics
from app.ui.models.told import EACH, TOTAL, Told, with_results
from app.ui.models.twin import differences, several, twin_of
from app.ui.views.home import _counted
from app.ui.views.results import wording
from app.ui.views.results.answer import headline_of
from app.ui.views.results.drawing import Wish
from app.ui.views.results.parts import strip_facts
from app.ui.views.results.protection import facts_of
from app.ui.views.results.twin_table import separated
from tests.analysis_sites import AnalysisSites
from tests.clear_tables import KINDS

QUESTIONS = (
    ("stage = a", False),
    ("stage = a", True),
    ("breakdown stage", False),
    ("breakdown stage", True),
    ("breakdown smoker where stage = a", False),
    ("histogram weight", False),
    ("histogram weight", True),
    ("table stage x smoker", False),
    ("table smoker x weight", True),
    ("attrition where weight known and stage = a", False),
    ("attrition where weight known and stage = a", True),
    ("summary weight where stage = a", False),
    ("compare weight by smoker where stage = a", False),
    ("correlate weight, smoker where stage = a", False),
    ("regress weight on smoker where stage = a", False),
    ("survival os by stage", False),
    ("survival os by stage", True),
    ("survival os where stage = a", False),
)
STRICT, OPEN = Policy(per_site=True, smallest=11), Policy(per_site=True)


def patients(moved: bool) -> list[list[dict[str, object]]]:
    """Return the patients of three sites; ``moved`` is one from stage a to stage b, and one's follow-up is lost."""
    made: list[list[dict[str, object]]] = []
    for site in range(3):
        few = [_patient("a", 40, number) for number in range(7 if site == 0 else 0)]
        some = [_patient("b", 60, number) for number in range(22 + site)]
        many = [_patient("c", 100, number) for number in range(60 + 3 * site)]
        made.append([*few, *some, *many])
    made[0][0]["os"] = None
    if moved:
        made[0][0] |= {"stage": "b", "weight": Decimal(60)}
        made[0][1] |= {"os": None}
    return made


def _patient(stage: str, weight: int, number: int) -> dict[str, object]:
    return {
        "stage": stage,
        "weight": Decimal(weight),
        "smoker": number % 2 == 0,
        "os": FollowUp(Decimal(30 + 7 * number % 330), number % 3 == 0),
    }


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[AnalysisSites]]:
    made = [
        AnalysisSites(tmp_path_factory.mktemp("world"), KINDS, patients(moved), policy=STRICT)
        for moved in (False, True)
    ]
    yield made
    for world in made:
        world.close()


_asked: dict[tuple[int, str, bool], bytes] = {}


def told_by(world: AnalysisSites, question: str, per_site: bool, policy: Policy = STRICT) -> dict[str, Any]:
    """Ask once, and return what ``query.show`` says under a policy, without what no two queries have in common."""
    key, asker = (id(world), question, per_site), world.members[0]
    if key not in _asked:
        _asked[key] = bytes.fromhex(world.asked(question, per_site=per_site)["id"])
    decisions.set_policy(asker.site, policy)
    view = asking.show(asker, _asked[key])
    catalogue = asker.site.catalogue_of(asker.desk.heard(view.id).request.meanings)
    told = {**asking.told(asker, view), "catalogue": explaining.part_of(catalogue, view.query).to_cbor()}
    same = {"id": "ab" * 32, "asked": 1000, "closed": 2000, "ended": 3000, "under": {}}
    return {**told, **same, "sites": [{**each, "since": 0} for each in told["sites"]]}


def outputs(told: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Everything that is said, drawn, saved or copied of an answer, each with its name."""
    yield "show --json", json.dumps(_for_json(dict(told)), sort_keys=True)
    yield "show", [_line(dict(told)), *_result_lines(told)]
    found = exporting.gather(lambda name, _values: told if name == "query.show" else {"site": "Site 1"}, told["id"])
    data = exported(found, exporting.BUNDLE, "en")  # the report, the table and the figure in every format are in it
    with zipfile.ZipFile(BytesIO(data)) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)
    yield "bundle", data
    yield from _window(told)


def _window(told: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    about = Told.from_plain(told)
    run = with_results(Run.from_plain(told), about)
    yield "home", _counted(told["answer"]["count"])
    yield "funnel", funnels_of([told])
    yield "spoken", wording.spoken_answer(run)
    yield "protection", facts_of(run)
    for site in (TOTAL, *about.sites, EACH):
        yield f"headline {site}", headline_of(run, about, site)
        yield f"strip {site}", strip_facts(run, about, site)
        panels = about.shown(site, run)
        twins = [(each.name, twin_of(each.result, each.words)) for each in panels]
        yield f"facts {site}", [facts(each.result, each.words) for each in panels]
        yield f"statistics {site}", [statistics(each.result, each.words) for each in panels]
        yield f"notes {site}", [notes(each.result, each.words) for each in panels]
        twin = twins[0][1] if len(twins) == 1 else several(twins, "site")
        # what the table puts into the clipboard, for spreadsheets and as CSV
        yield f"clipboard {site}", separated(twin.columns, twin.rows, "\t", local=True)
        yield f"clipboard as CSV {site}", separated(twin.columns, twin.rows, ",", local=False)
        yield f"compared {site}", differences(twins[0][1], twins[-1][1], ("A", "B"))
        if site not in (TOTAL, EACH):
            continue
        drawn = Wish(panels, _options(), False, (640, 400), 1.0).draw()
        yield f"drawn {site}", (bytes(drawn.image.constBits()), drawn.spots)


def _options() -> Any:
    from app.plots.options import Options

    return Options()


@pytest.mark.parametrize(("question", "per_site"), QUESTIONS)
def test_what_is_withheld_has_no_influence_on_anything(
    worlds: list[AnalysisSites], qtbot: QtBot, question: str, per_site: bool
) -> None:
    one, other = (told_by(world, question, per_site) for world in worlds)
    assert _marks(one), "something is withheld"
    shown = [list(outputs(told)) for told in (one, other)]
    for (name, here), (_, there) in zip(*shown, strict=True):
        assert here == there, name


@pytest.mark.parametrize(("question", "per_site"), QUESTIONS)
def test_without_the_rule_the_two_can_be_told_apart(worlds: list[AnalysisSites], question: str, per_site: bool) -> None:
    one, other = (told_by(world, question, per_site, OPEN) for world in worlds)
    assert not _marks(one)
    assert one["answer"] != other["answer"]


@pytest.mark.parametrize("language", ["en", "fr", "de"])
def test_a_withheld_number_is_said_in_words(worlds: list[AnalysisSites], tmp_path: Path, language: str) -> None:
    """The terminal says fewer than what, the table of a file too, and the report why."""
    from app.plots.words import Words

    told = told_by(worlds[0], "stage = a", False)
    assert withheld_of(told["answer"]["count"]) is not None
    found = exporting.gather(lambda name, _values: told if name == "query.show" else {"site": "Site 1"}, told["id"])
    assert b"<11" in exported(found, exporting.CSV, language)
    said = Words(found.catalogue, language).withheld(found.answer.withheld)  # type: ignore[arg-type]
    assert "11" in said
    figure = exported(found, exporting.SVG, language).decode()
    assert said in figure


def _marks(told: Mapping[str, Any]) -> int:
    return json.dumps(told["answer"]).count('"withheld":')
