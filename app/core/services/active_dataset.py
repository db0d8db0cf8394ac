"""The active dataset of a site, as far as asking and showing need it; taken apart once, not for every question."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.catalogue.holding import pack
from app.core.catalogue.model import Catalogue
from app.core.errors import ProtocolViolation
from app.core.federation.contributing import dataset_shape
from app.core.federation.known_catalogues import KnownCatalogues
from app.core.query.plan import DatasetShape
from app.core.services.profile import OpenProfile
from app.core.store.datasets import DatasetRow
from app.core.store.documents import Header


@dataclass(frozen=True)
class KnownDataset:
    """One dataset version. ``held`` has a bit for each variable of the catalogue in force that can be used here."""

    id: bytes
    version: int
    imported: int
    created: int
    shape: DatasetShape
    held: bytes
    codes: frozenset[str]
    patients: int | None
    """How many patients its report counts; None if that cannot be read."""


class ActiveDataset:
    """Knows the active dataset of an open profile."""

    def __init__(self, profile: OpenProfile, catalogues: KnownCatalogues) -> None:
        self._profile = profile
        self._catalogues = catalogues
        self._known: KnownDataset | None = None
        self._catalogue = b""

    def find(self) -> KnownDataset | None:
        """Return the active dataset, or None."""
        id_ = self._profile.store.datasets.active_id()
        if id_ is None:
            return None
        if self._known is None or (self._known.id, self._catalogue) != (id_, self._catalogues.hash):
            row = self._profile.store.datasets.get(id_)
            self._known = None if row is None else self._read(row, self._catalogues.in_force)
            self._catalogue = self._catalogues.hash
        return self._known

    @property
    def held(self) -> bytes:
        """The bits of what is held; empty without a dataset."""
        found = self.find()
        return b"" if found is None else found.held

    @property
    def blocks(self) -> int:
        """How many blocks of patients there are; 0 without a dataset."""
        found = self.find()
        return 0 if found is None else found.shape.blocks

    def _read(self, row: DatasetRow, catalogue: Catalogue) -> KnownDataset:
        header = Header.decode(row.header)
        shape = dataset_shape(header)
        columns = set(shape.columns)
        codes = {
            variable.code
            for variable in catalogue
            if shape.meanings.get(variable.code) == catalogue.meaning(variable.code)
            and all((column.variable, column.part) in columns for column in variable.columns)
        }
        held = pack(catalogue, codes)
        patients = self._patients(row)
        return KnownDataset(row.id, row.version, row.imported, header.created, shape, held, frozenset(codes), patients)

    def _patients(self, row: DatasetRow) -> int | None:
        from app.core.services.data import open_report  # noqa: PLC0415  (brings what reads tables)

        try:
            return open_report(self._profile, row).patients
        except ProtocolViolation:
            return None
