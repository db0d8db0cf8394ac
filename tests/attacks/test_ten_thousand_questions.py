"""Ten thousand automated questions against one site: the attacker learns no more of a patient than the budget allows.

The site's own functions decide, add noise and write down charges; the numbers are the plaintext oracle's, encryption is
left out. The attacker is as strong as can be. It knows every patient of the site but one, and wonders whether that one
is there at all; all other sites collude with it, so that it sees this site's noised numbers by themselves; and it
reckons with the exact probabilities of every draw that it sees. That is the best test there is (Neyman, Pearson), and
its advantage is at most tanh(ε/2), ε being all that was spent.
"""

from __future__ import annotations

import hashlib
import math
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.core.crypto.identity import SealingKey
from app.core.disclosure.noise import Noise, laplace_scale
from app.core.disclosure.policy import Policy
from app.core.disclosure.policy_parts import BudgetRules
from app.core.disclosure.sensitivity import sensitivities
from app.core.errors import UserError
from app.core.federation import charging, decisions, sets_of_sites
from app.core.federation.contributing import asked_cells
from app.core.federation.query_messages import Close, Request
from app.core.federation.query_rounds import QueryHeard
from app.core.query.analyses import Attrition, Breakdown, Count, Histogram, Summary
from app.core.query.canonical import query_hash
from app.core.query.model import All, Cohort, Flag, Levels, Not, Query, Range
from app.core.query.model import Any as AnyOf
from app.core.query.oracle import Row, cell_numbers
from app.core.secret import SecretBytes
from tests.cohorts import CLINICAL, patients
from tests.federation_sites import Federation, Node

QUESTIONS = 10_000
CAP = Fraction(2)
SITES = 6
ASKER, TARGETED = 1, 2
TARGET: Row = {"smoker": True, "dx:C50": True, "sex": "female", "stage": "II", "age": 55}
EPSILONS = (Fraction(1, 5), Fraction(1, 10), Fraction(1, 20))
CUTS = CLINICAL.variable("age").cut_points
HER: Cohort = All((Flag("smoker"), Flag("dx:C50"), Levels("sex", frozenset(["female"]))))
"""What the attacker knows of the patient."""
ROOM: Cohort = Levels("stage", frozenset(["II", "III"]))

Question = tuple[Query, Fraction, tuple[int, ...], int]
"""What is asked, ε, of which sites, of which version of the dataset."""


# --- the attacker's questions -------------------------------------------------------------------------------------


def averaging(draw: random.Random) -> Query:
    return Query(HER)


def differences(draw: random.Random) -> Query:
    """A cohort, and the same without her."""
    wide = draw.choice([ROOM, Flag("smoker"), Levels("sex", frozenset(["female"]))])
    return Query(draw.choice([wide, All((wide, Not(HER)))]))


def trackers(draw: random.Random) -> Query:
    """The general tracker: what is too small to ask for is padded, and the padding taken away again."""
    return Query(draw.choice([AnyOf((HER, ROOM)), AnyOf((HER, Not(ROOM))), ROOM, Not(ROOM), Not(HER)]))


def nested(draw: random.Random) -> Query:
    cohort: Cohort = Range("age", draw.choice(CUTS), None)
    analysis = draw.choice([Count(), Histogram("age"), Breakdown("stage"), Attrition(), Summary(("age",))])
    return Query(draw.choice([cohort, All((cohort, Flag("smoker")))]), analysis)


def changing_sets(draw: random.Random) -> Query:
    return Query(draw.choice([HER, Flag("smoker")]))


def new_versions(draw: random.Random) -> Query:
    return Query(draw.choice([HER, ROOM, Flag("dx:C50")]))


def per_site(draw: random.Random) -> Query:
    """The number of each site, and the total that it should differ from by nothing but other noise."""
    return Query(draw.choice([HER, Flag("smoker")]), per_site=draw.random() < 0.5)


def rewritten(draw: random.Random) -> Query:
    """Equal questions in other words; some are not recognised, and charged."""
    a, b, c = (Flag("smoker"), Flag("dx:C50"), Range("age", draw.choice(CUTS), None))
    cohort: Cohort = draw.choice(
        [
            All((a, b)),
            All((b, a, a)),
            Not(AnyOf((Not(a), Not(b)))),
            Not(Not(All((a, AnyOf((b, b)))))),
            All((a, AnyOf((b, c)))),
            AnyOf((All((a, b)), All((a, c)))),
        ]
    )
    for _ in range(draw.randrange(3)):
        cohort = Not(Not(cohort)) if draw.random() < 0.5 else All((cohort, cohort))
    return Query(cohort)


STRATEGIES: tuple[Callable[[random.Random], Query], ...] = (
    averaging,
    differences,
    trackers,
    nested,
    changing_sets,
    new_versions,
    per_site,
    rewritten,
)


def questions(seed: int) -> Iterator[Question]:
    """All strategies in turn; the dataset has a new version every now and then, the set of sites always changes."""
    draw = random.Random(seed)
    others = [site for site in range(1, SITES + 1) if site not in (ASKER, TARGETED)]
    for number in range(QUESTIONS):
        query = STRATEGIES[number % len(STRATEGIES)](draw)
        sites = tuple(sorted({ASKER, TARGETED, *draw.sample(others, draw.randint(1, len(others)))}))
        yield query, draw.choice(EPSILONS), sites, 1 + number * 4 // QUESTIONS


# --- the site -----------------------------------------------------------------------------------------------------


def version_of(number: int, *, present: bool) -> list[Row]:
    """The patients of a version of the dataset: one more in each, and the target or not."""
    return [*patients(20 + number, 7, CLINICAL), *([TARGET] if present else [])]


@dataclass
class Seen:
    """What the attacker knows of one release: the numbers without and with the target, the scales of the noise."""

    without: list[int]
    with_: list[int]
    scales: list[Fraction]
    epsilon: Fraction
    draw: Callable[[Noise], list[int]] = field(repr=False)

    def evidence(self, noise: list[int], *, present: bool) -> float:
        """The logarithm of how much likelier what is seen is if the target is there."""
        total = 0.0
        for without, with_, scale, drawn in zip(self.without, self.with_, self.scales, noise, strict=True):
            seen = (with_ if present else without) + drawn
            total += (abs(seen - without) - abs(seen - with_)) / float(scale)
        return total


class Target:
    """The site that is asked, with its real ledger; it allows numbers per site, so that no set of sites is refused."""

    def __init__(self, node: Node) -> None:
        self.site, self.mailroom = node.site, node.mailroom
        self.key = SealingKey.generate(os.urandom).public
        self.seen: dict[bytes, Seen] = {}
        self.answered = 0
        self.charged: Counter[str] = Counter()
        """How many releases each strategy paid for."""
        self.noised: dict[bytes, list[int]] = {}
        self._numbers: dict[tuple[bytes, int], tuple[list[int], list[int], list[int]]] = {}
        self._noise = Noise(self.site.root.derive("noise key v1"))

    def ask(self, question: Question) -> bool:
        """Decide on a question as the site does; keep what the attacker sees of an answer."""
        query, epsilon, sites, version = question
        dataset: Any = SimpleNamespace(id=b"version %d" % version, version=version)
        asked = charging.Asked(query, epsilon, sites, ())
        price = charging.priced(self.site, asked, CLINICAL, dataset, ())
        request: Any = SimpleNamespace(authority=None)
        try:
            with self.site.profile.database.atomic():
                charging.charge(self.site, os.urandom(32), ASKER, request, price)
        except UserError as refused:
            if refused.code != "budget.exhausted_site":
                raise
            return False
        self.answered += 1
        seen = self._look(replace(query, per_site=False), price.query_hash, epsilon, version)
        numbers = seen.draw(self._noise)
        assert self.noised.setdefault(price.release, numbers) == numbers, "the same release has other noise"
        self.seen.setdefault(price.release, seen)
        return True

    def _look(self, query: Query, hash_: bytes, epsilon: Fraction, version: int) -> Seen:
        key = hash_, version
        if key not in self._numbers:
            cells = asked_cells(query, CLINICAL)
            without, with_ = (
                list(cell_numbers(cells, version_of(version, present=present), CLINICAL)) for present in (False, True)
            )
            self._numbers[key] = without, with_, list(sensitivities(cells))
        without, with_, needed = self._numbers[key]

        def draw(noise: Noise) -> list[int]:
            dataset = b"version %d" % version
            return [noise.laplace(hash_, dataset, epsilon, each, place) for place, each in enumerate(needed)]

        return Seen(without, with_, [laplace_scale(epsilon, each) for each in needed], epsilon, draw)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The site after ten thousand questions."""
    with Federation(tmp_path_factory.mktemp("sites"), SITES, SITES) as federation:
        node = federation[TARGETED]
        decisions.set_policy(node.site, Policy(others=1, per_site=True, budget=BudgetRules(cap=CAP)))
        asked = Target(node)
        for number, question in enumerate(questions(1)):
            before = len(asked.seen)
            asked.ask(question)
            asked.charged[STRATEGIES[number % len(STRATEGIES)].__name__] += len(asked.seen) - before
        yield asked


def bound(epsilon: float) -> float:
    """How often the best guess can be right, if both are as likely before: 1/2 + tanh(ε/2)/2."""
    return math.exp(epsilon) / (1 + math.exp(epsilon))


# --- what becomes of it -------------------------------------------------------------------------------------------


def test_all_that_was_told_was_paid_for_and_no_more_than_the_cap(target: Target) -> None:
    spent = sum((each.epsilon for each in target.seen.values()), Fraction(0))
    assert spent == sum((each.epsilon for each in charging.spends(target.site)), Fraction(0))
    assert CAP - min(EPSILONS) < spent <= CAP
    assert target.answered > 5 * len(target.seen), "asking again costs nothing"
    assert sum(count > 0 for count in target.charged.values()) > len(STRATEGIES) // 2, target.charged


def test_what_the_attacker_can_believe_is_bounded_by_what_was_spent(target: Target) -> None:
    """Whatever the noise was: the odds change by no more than e^ε, and ε is the cap."""
    for present in (False, True):
        evidence = sum(each.evidence(target.noised[id], present=present) for id, each in target.seen.items())
        assert abs(evidence) <= float(CAP) + 1e-9
        wrong = 1 / (1 + math.exp(evidence if present else -evidence))
        assert wrong >= 1 - bound(float(CAP)) - 1e-9


def test_its_best_guess_is_wrong_as_often_as_the_bound_says(target: Target) -> None:
    """The same questions at many sites, each with its own noise key, where she is a patient or not."""
    trials, right, draw = 1500, 0, random.Random(3)
    for trial in range(trials):
        noise, present = Noise(SecretBytes(hashlib.sha256(b"%d" % trial).digest())), draw.random() < 0.5
        evidence = sum(each.evidence(each.draw(noise), present=present) for each in target.seen.values())
        right += (evidence > 0) == present if evidence else draw.random() < 0.5
    spread = 4 * math.sqrt(0.25 / trials)
    assert right / trials <= bound(float(CAP)) + spread
    assert right / trials > 1 / 2 + spread, "the attack is no straw man"


def test_without_budget_and_sticky_noise_the_same_attacker_wins(target: Target) -> None:
    """Fresh noise each time, and nothing refused: she is found, and found missing, long before the end."""
    noise = Noise(SecretBytes(bytes(32)))
    for present in (False, True):
        evidence = 0.0
        for number, (query, epsilon, _, version) in enumerate(questions(1)):
            plain = replace(query, per_site=False)
            fresh = hashlib.sha256(query_hash(plain, CLINICAL) + b"%d" % number).digest()
            hash_ = query_hash(plain, CLINICAL)
            seen = target._look(plain, hash_, epsilon, version)
            needed = target._numbers[hash_, version][2]
            drawn = [noise.laplace(fresh, b"d", epsilon, each, place) for place, each in enumerate(needed)]
            evidence += seen.evidence(drawn, present=present)
            if abs(evidence) > 20:
                break
        assert (evidence > 20) if present else (evidence < -20)  # wrong once in 10^8


# --- sets of sites ------------------------------------------------------------------------------------------------


def worked_out(rows: list[list[int]]) -> list[int]:
    """The sites but the asker's whose number follows from the totals that were told."""
    if not rows:
        return []
    matrix = np.array(rows, float)
    known = np.vstack([matrix, np.eye(SITES)[ASKER - 1]])
    rank = np.linalg.matrix_rank(known)
    units = np.eye(SITES)
    found = [site for site in range(SITES) if np.linalg.matrix_rank(np.vstack([known, units[site]])) == rank]
    return [site + 1 for site in found if site != ASKER - 1]


def test_exact_totals_over_changing_sets_give_no_sites_number(tmp_path: Path) -> None:
    """Every set there is, in any order, of equal cohorts in other words; without the rule two are enough."""
    draw = random.Random(5)
    sets = [
        tuple(sorted({ASKER, *chosen})) for size in (2, 3, 4, 5) for chosen in combinations(range(2, SITES + 1), size)
    ]
    with Federation(tmp_path, SITES, SITES) as federation:
        node = federation[TARGETED]
        decisions.set_policy(node.site, Policy(others=2, smallest=0))
        key = SealingKey.generate(os.urandom).public
        told: dict[bytes, list[list[int]]] = {}
        every: list[list[int]] = []
        for number in range(1000):
            sites, query = draw.choice(sets), draw.choice([Query(Flag("smoker")), Query(Not(Not(Flag("smoker"))))])
            row = [int(site in sites) for site in range(1, SITES + 1)]
            every.append(row)
            meanings = {code: node.site.catalogue.meaning(code) for code in query.codes}
            request = Request(query, None, sites, (1, 2), 3, key, meanings, "An attack")
            heard = QueryHeard(TARGETED, ASKER, request, close=Close(sites, (bytes(32),) * len(sites)))
            try:
                sets_of_sites.check_closed(node.site, node.mailroom, b"%032d" % number, heard)
            except UserError as refused:
                if refused.code != "budget.similar_set":
                    raise
                continue
            told.setdefault(query_hash(query, node.site.catalogue), []).append(row)
    assert len(told) == 1  # both are one question
    [answered] = told.values()
    assert len(answered) > 1
    assert worked_out(answered) == []
    assert worked_out(every) == list(range(2, SITES + 1))
