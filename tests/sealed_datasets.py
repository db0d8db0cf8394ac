"""Datasets sealed for a federation whose secrets the test knows, and the key files that workers read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.core.catalogue.model import PRESENT, PRESENT_MEANING, Catalogue
from app.core.crypto import format as own_format
from app.core.crypto import seal
from app.core.crypto.parameters import RELEASE_PRIMES, ROTATION_PRIMES
from app.core.crypto.release import Contribution
from app.core.preparation.encrypting import shared_slots
from app.core.query import worker
from app.core.query.keys import (
    EARLY_FILE,
    PUBLIC_KEY_FILE,
    ROTATION_FILE,
    extraction_file,
    key_files,
    relinearization_file,
)
from app.core.query.model import Cohort, Query
from app.core.query.oracle import Row
from app.core.query.plan import DatasetShape, Plan
from app.core.query.planner import Openers, make_plan
from app.core.store.dataset_file import DatasetReader, open_for_writing, residue_id
from app.core.store.documents import Header, SealedColumn
from tests.crypto_parties import Parties


def write_keys(people: Parties, directory: Path, levels: Sequence[int] = range(3, 9)) -> Path:
    """Write what the ceremony leaves for workers, and return the directory."""
    directory.mkdir(exist_ok=True)
    (directory / PUBLIC_KEY_FILE).write_bytes(people.public_key)
    for level in levels:
        data = seal.context(people.parameters, level).switching_key_bytes(1, {0: people.relinearization_key})
        (directory / relinearization_file(level)).write_bytes(data)
    release = seal.context(people.parameters, RELEASE_PRIMES)
    rotation = release.switching_key_bytes(people.parameters.ring_degree, people.rotation_keys)
    (directory / ROTATION_FILE).write_bytes(rotation)
    write_early_keys(people, directory)
    return directory


def write_early_keys(people: Parties, directory: Path) -> None:
    """Write the keys of the lowest nodes of the pack tree."""
    lowest = {index: people.rotation_keys[index] for index in (1, 2)}
    data = seal.context(people.parameters, ROTATION_PRIMES).switching_key_bytes(people.parameters.ring_degree, lowest)
    (directory / EARLY_FILE).write_bytes(data)


def write_extraction_keys(people: Parties, directory: Path, levels: Sequence[int] = range(4, 9)) -> None:
    """Write the keys that extract columns from shared ciphertexts."""
    for level in levels:
        context = seal.context(people.parameters, level)
        data = context.switching_key_bytes(people.parameters.ring_degree, people.extraction_keys)
        (directory / extraction_file(level)).write_bytes(data)


@dataclass(frozen=True)
class SealedDataset:
    """A dataset file and everything needed to ask it."""

    people: Parties = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    path: Path
    keys: Path
    shape: DatasetShape = field(repr=False)

    def plan(self, cohort: Cohort) -> Plan:
        """Plan a count."""
        return make_plan(Query(cohort), self.catalogue, self.shape, Openers(self.people.sites, self.people.quorum))

    def ciphertext(self, plan: Plan) -> np.ndarray:
        """Compute a plan here, and return the result's ciphertext before the encryption of zero is added."""
        with DatasetReader(self.path, plan.parameters) as reader:
            return worker.whole(plan, reader, key_files(plan.parameters, self.keys))

    def work(self, plan: Plan) -> worker.Work:
        """The task of a plan."""
        return worker.Work(plan, self.path, self.keys)

    def opened(self, plan: Plan, *contributions: bytes) -> int:
        """Open the sum of contributions to a count."""
        return self.numbers(plan, *contributions)[0]

    def numbers(self, plan: Plan, *contributions: bytes) -> list[int]:
        """Open the sum of contributions: the number at every place."""
        shape = plan.release_level, plan.results
        parsed = [Contribution.from_bytes(plan.parameters, data, *shape) for data in contributions]
        return self.people.open(parsed, plan.noise_bits)


def seal_columns(
    path: Path, people: Parties, columns: Sequence[tuple[SealedColumn, np.ndarray]], residues: int, sharing: int = 1
) -> DatasetShape:
    """Seal columns of slots (whole blocks) into a dataset file; ``sharing`` of them a ciphertext, of fewer slots."""
    parameters = people.parameters
    slots = parameters.slots
    blocks = len(columns[0][1]) * sharing // slots
    header = Header(
        federation=bytes(32),
        transcript=bytes(32),
        catalogue=bytes(32),
        dataset=bytes(16),
        parameters=parameters.name,
        residues=residues,
        blocks=blocks,
        columns=tuple(column for column, _ in columns),
        created=0,
        columns_per_ciphertext=sharing,
    )
    encryptor = people.encryptor(residues)
    connection = open_for_writing(path, durable=False)
    connection.execute("BEGIN")
    connection.execute("INSERT INTO document VALUES ('header', ?)", (header.encode(),))
    for index in range(header.groups):
        values = columns[index][1]
        if sharing > 1:
            group = [values for _, values in columns[index * sharing : (index + 1) * sharing]]
            group += [np.zeros_like(group[0])] * (sharing - len(group))
            values = shared_slots(parameters, np.stack(group))
        sealed = [encryptor.encrypt(values[block * slots : (block + 1) * slots]) for block in range(blocks)]
        connection.executemany(
            "INSERT INTO residue VALUES (?, ?)",
            (
                (
                    residue_id(index, prime, block),
                    own_format.pack_residue(parameters, residues, prime, each[:, prime], sharing),
                )
                for prime in range(residues)
                for block, each in enumerate(sealed)
            ),
        )
    connection.execute("COMMIT")
    connection.close()
    return shape_of(header, people)


def shape_of(header: Header, people: Parties) -> DatasetShape:
    """What the planner knows of a dataset."""
    return DatasetShape(
        parameters=people.parameters,
        residues=header.residues,
        blocks=header.blocks,
        columns=tuple((column.variable, column.part) for column in header.columns),
        meanings={column.variable: column.meaning for column in header.columns if column.variable},
        columns_per_ciphertext=header.columns_per_ciphertext,
    )


def seal_rows(
    path: Path,
    keys: Path,
    people: Parties,
    catalogue: Catalogue,
    rows: Sequence[Row],
    residues: int,
    sharing: int = 1,
) -> SealedDataset:
    """Seal patients; the slots that they leave are empty."""
    slots = people.parameters.slots // sharing
    size = -(-len(rows) // slots) * slots

    def padded(bits: Sequence[bool]) -> np.ndarray:
        values = np.zeros(size, np.int64)
        values[: len(bits)] = bits
        return values

    columns = [(SealedColumn(PRESENT.variable, PRESENT_MEANING, PRESENT.part), padded([True] * len(rows)))]
    for variable in catalogue:
        bits = [variable.encode(row.get(variable.code)) for row in rows]
        for place, column in enumerate(variable.columns):
            sealed = SealedColumn(column.variable, variable.meaning, column.part)
            columns.append((sealed, padded([each[place] for each in bits])))
    return SealedDataset(people, catalogue, path, keys, seal_columns(path, people, columns, residues, sharing))
