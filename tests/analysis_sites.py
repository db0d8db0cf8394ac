"""Sites in one program that hold a ceremony, seal their patients, and answer whole questions: what analyses are
tested with. Profiles, databases, keys, sealing, import, policy and protocol are real; messages are carried by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, ParameterSet
from app.core.disclosure.policy import Policy
from app.core.federation import decisions
from app.core.federation.contributing import asked_cells
from app.core.federation.mailroom import LocalPost
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.sealing import Target, seal_table, worker_arguments
from app.core.query.canonical import canonical_query
from app.core.query.model import Query
from app.core.query.oracle import numbers
from app.core.query.text import parse_query
from app.core.secret import SecretBytes
from app.core.services import asking
from app.core.services.answers import exact_result
from app.core.services.data import import_dataset
from app.core.services.member import Member
from app.core.services.profile import OpenProfile, create_profile
from tests.clear_tables import clear_table
from tests.federation_sites import Inline
from tests.founding import found, hold_ceremony, settle

PREPARER = PreparerKey(SecretBytes(b"p" * 32))


class AnalysisSites:
    """One site for each list of patients; an empty one has no dataset. The first site asks."""

    def __init__(
        self,
        directory: Path,
        catalogue: Catalogue,
        patients: Sequence[Sequence[Mapping[str, object]]],
        *,
        parameters: ParameterSet = INSECURE_TEST_PARAMETERS,
        residues: int = 6,
        policy: Policy | None = None,
        sharing: int = 1,
    ) -> None:
        """``sharing`` is how many columns may share a ciphertext where the patients are few."""
        self.catalogue, self.patients = catalogue, patients
        self.post = LocalPost()
        names = [f"Site {number}" for number in range(1, len(patients) + 1)]
        profiles = [_profile(directory / name, name) for name in names]
        found(profiles, name="Test", catalogue=catalogue, parameters=parameters)
        self.members = [Member(profile, Inline(), self.post) for profile in profiles]
        hold_ceremony(self.members, self.post)
        for member, rows in zip(self.members, patients, strict=True):
            decisions.set_policy(member.site, policy or Policy(per_site=True))
            if rows:
                self._seal(directory, member, rows, residues, sharing)
        settle(self.members, self.post)  # sites tell what they hold

    def _seal(
        self, directory: Path, member: Member, rows: Sequence[Mapping[str, object]], residues: int, sharing: int
    ) -> None:
        federation = member.profile.federation
        assert federation is not None
        target = Target(
            federation=federation.federation_id,
            transcript=federation.transcript,
            catalogue=self.catalogue.hash,
            parameters=federation.parameters,
            public_key=federation.public_key,
            site=member.profile.member_public,
            residues=residues,
            sharing=sharing,
        )
        begin_worker(*worker_arguments(target))
        path = directory / f"{member.profile.site_name}.consilium"
        table = clear_table(self.catalogue, rows)
        seal_table(table, target, path, preparer=PREPARER, executor=Inline(), in_flight=2, now=1)
        import_dataset(path, member.profile)

    def close(self) -> None:
        """Close the profiles."""
        for member in self.members:
            member.profile.close()

    def asked(
        self,
        text: str,
        *,
        sites: Sequence[str] = (),
        minimum: int | None = None,
        epsilon: Fraction | None = None,
        per_site: bool = False,
    ) -> dict[str, Any]:
        """Ask, let all sites work, and return what ``query.show`` says."""
        asker = self.members[0]
        session = asking.ask(
            asker, text, epsilon=epsilon, purpose="A test", sites=sites, minimum=minimum, per_site=per_site
        )
        settle(self.members, self.post)
        asker.desk.finish(session) if asker.desk.status(session).state == "open" else None
        settle(self.members, self.post)
        return asking.told(asker, asking.show(asker, session))

    def expected(self, text: str, positions: Sequence[int]) -> dict[str, Any]:
        """Return the result on the pooled clear patients of some sites (counted from 0), by the oracle's numbers."""
        query = parse_query(text, self.catalogue)
        rows = [row for position in positions for row in self.patients[position]]
        return self.analysed(query, rows)

    def analysed(self, query: Query, rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
        """Return the exact result on clear patients, as it travels."""
        values = numbers(canonical_query(query, self.catalogue), rows, self.catalogue)
        return exact_result(query, self.catalogue, asked_cells(query, self.catalogue), values)


def _profile(directory: Path, name: str) -> OpenProfile:
    return create_profile(directory, name=name, contact="–", passphrase=lambda: SecretBytes(b"correct horse battery"))
