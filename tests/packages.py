"""A small catalogue, CSV files for it, and packages made of them at test parameters."""

from __future__ import annotations

import hashlib
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.catalogue.model import Catalogue, Column, Kind, Label, Level, Variable
from app.core.crypto import ring
from app.core.crypto.identity import MemberKey
from app.core.crypto.parameters import EXTRACTION_PRIMES, INSECURE_TEST_PARAMETERS, ParameterSet
from app.core.jobs.job import Job
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.mapping import Mapping
from app.core.preparation.mapping_reading import parse_mapping
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.sealing import Target, seal_table, worker_arguments
from app.core.preparation.table import ClearTable
from app.core.secret import SecretBytes
from app.core.store.dataset_file import DatasetReader
from app.core.store.documents import Header
from app.core.store.importing import Expected
from tests.clear_tables import clear_table
from tests.crypto_parties import Parties

TEST = INSECURE_TEST_PARAMETERS
NOW = 1_780_000_000_000

CATALOGUE = Catalogue(
    "Test",
    1,
    (
        Variable("smoker", Kind.FLAG, Label("Smoker")),
        Variable("sex", Kind.CATEGORY, Label("Sex"), levels=(Level("f", Label("f")), Level("m", Label("m")))),
        Variable("age", Kind.NUMBER, Label("Age"), cut_points=(Decimal(50), Decimal(60)), unit="a"),
    ),
)
MAPPING = b"""
format = "consilium-mapping"
version = 1
site = "A"
patient = "id"
[variables.sex]
values = { "2" = "f" }
"""


class Inline(Executor):
    """Runs tasks at once, in this process."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        future: Future[object] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def mapping(text: bytes = MAPPING) -> Mapping:
    """Return the mapping that fits :func:`write_csv`."""
    return parse_mapping(text, "mapping.toml")


def rows(patients: int, seed: int = 1) -> list[tuple[str, str, str, str]]:
    """Return rows of (id, smoker, sex, age); some values are missing."""
    random = np.random.default_rng(seed)
    return [
        (f"p{i}", str(random.integers(2)), ["f", "m", "2", ""][random.integers(4)], ["", "49.9", "50", "77"][i % 4])
        for i in range(patients)
    ]


def write_csv(path: Path, table: list[tuple[str, ...]]) -> Path:
    """Write rows below the usual header."""
    path.write_text("id,smoker,sex,age\n" + "".join(",".join(row) + "\n" for row in table), "utf-8")
    return path


@cache
def _people() -> Parties:
    return Parties(TEST, 2, 2)


@dataclass
class Maker:
    """Makes packages of one federation, by one preparer, for one site."""

    directory: Path
    parameters: ParameterSet = TEST
    residues: int = 3
    people: Parties = field(default_factory=_people)
    federation: bytes = hashlib.sha256(b"federation").digest()
    transcript: bytes = hashlib.sha256(b"transcript").digest()
    preparer: PreparerKey = field(default_factory=lambda: PreparerKey(SecretBytes(b"p" * 32)))
    site: MemberKey = field(default_factory=lambda: MemberKey.from_root(SecretBytes(b"r" * 32)))
    catalogue: Catalogue = CATALOGUE
    sharing: int = 1

    @property
    def target(self) -> Target:
        """Whom the packages are for."""
        return Target(
            federation=self.federation,
            transcript=self.transcript,
            catalogue=self.catalogue.hash,
            parameters=self.parameters,
            public_key=self.people.public_key,
            site=self.site.public,
            residues=self.residues,
            sharing=self.sharing,
        )

    @property
    def expected(self) -> Expected:
        """What a site of the federation expects."""
        extraction = EXTRACTION_PRIMES if self.sharing > 1 else 0
        return Expected(self.federation, self.transcript, self.catalogue, self.parameters, extraction=extraction)

    def table(self, patients: int = 30, seed: int = 1) -> ClearTable:
        """Return a table of made-up patients."""
        values = {"": None, "2": "f"}
        return clear_table(
            self.catalogue,
            [
                {"smoker": smoker == "1", "sex": values.get(sex, sex), "age": Decimal(age) if age else None}
                for _, smoker, sex, age in rows(patients, seed)
            ],
        )

    def package(
        self,
        table: ClearTable,
        name: str = "a.consilium",
        *,
        executor: Executor | None = None,
        job: Job | None = None,
    ) -> tuple[Path, Header]:
        """Seal ``table``, in this process unless an executor is given."""
        if executor is None:
            begin_worker(*worker_arguments(self.target))
        path = self.directory / name
        header = seal_table(
            table,
            self.target,
            path,
            preparer=self.preparer,
            executor=executor or Inline(),
            in_flight=2,
            now=NOW,
            job=job,
        )
        return path, header

    def slots(self, path: Path, column: int) -> NDArray[np.int64]:
        """Decrypt one column of a dataset file, block after block."""
        with DatasetReader(path, self.parameters) as reader:
            primes, sharing = range(reader.header.residues), reader.header.columns_per_ciphertext
            blocks = [
                np.stack([reader.residue(column // sharing, prime, block) for prime in primes], axis=1)
                for block in range(reader.header.blocks)
            ]
        slots = np.concatenate([self.people.decrypt(block) for block in blocks])
        return slots if sharing == 1 else taken_apart(self.parameters, slots, sharing)[column % sharing]

    def counts(self, path: Path) -> list[int]:
        """Decrypt every column of a dataset file, which must hold bits or digits, and count who has another than 0."""
        with DatasetReader(path, self.parameters) as reader:
            bounds = [Column(column.variable, column.part).bound for column in reader.header.columns]
        found = [self.slots(path, column) for column in range(len(bounds))]
        assert all(slots.min() >= 0 and slots.max() < bound for slots, bound in zip(found, bounds, strict=True))
        return [int(np.count_nonzero(slots)) for slots in found]

    def rows(self, path: Path, patients: int) -> list[tuple[int, ...]]:
        """Decrypt every patient's values, sorted; the slots after theirs must be empty."""
        with DatasetReader(path, self.parameters) as reader:
            count = len(reader.header.columns)
        values = np.stack([self.slots(path, column) for column in range(count)])
        assert not values[:, patients:].any()
        return sorted(map(tuple, values[:, :patients].T.tolist()))


def taken_apart(parameters: ParameterSet, slots: NDArray[np.int64], sharing: int) -> NDArray[np.int64]:
    """The columns that share a plaintext, shape (sharing, N/sharing): column r has the coefficients r, r + sharing, …

    Each is an element of a subring, so its slots come in runs of equal values.
    """
    plain = ring.field(parameters.plain_modulus, parameters.ring_degree)
    coefficients = plain.backward(slots)
    columns = []
    for place in range(sharing):
        own = np.zeros_like(coefficients)
        own[::sharing] = coefficients[place::sharing]
        runs = (plain.forward(own) * sharing % parameters.plain_modulus).reshape(-1, sharing)
        assert (runs == runs[:, :1]).all()
        columns.append(runs[:, 0])
    return np.stack(columns)


def clear_rows(table: ClearTable) -> list[tuple[int, ...]]:
    """Return every patient's values of a clear table, as :meth:`Maker.rows`."""
    values = np.stack([table.values(column) for column in range(len(table.columns))])
    return sorted(map(tuple, values.T.tolist()))
