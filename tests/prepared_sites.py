"""Two sites that prepare what they have, import it, and answer: counts after encryption and release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, ParameterSet
from app.core.crypto.passphrase import Argon2Cost, passphrase_from_text
from app.core.crypto.vault import PassphraseFile
from app.core.federation.public_file import save_public_file
from app.core.query import worker
from app.core.query.text import parse
from app.core.services.data import import_dataset
from app.core.services.drafting import draft
from app.core.services.preparing import Prepared, prepare
from app.core.store.dataset_file import DatasetReader
from tests.crypto_parties import Parties
from tests.federations import two_sites
from tests.packages import taken_apart
from tests.sealed_datasets import SealedDataset, shape_of, write_extraction_keys, write_keys


class PreparedSites:
    """The sites A and B of a federation that agreed on ``catalogue``."""

    def __init__(
        self, directory: Path, catalogue: Catalogue, parameters: ParameterSet = INSECURE_TEST_PARAMETERS
    ) -> None:
        self.directory, self.catalogue = directory, catalogue
        self.people = Parties(parameters, 2, 2)
        self.keys = write_keys(self.people, directory / "keys", levels=range(3, 6))
        write_extraction_keys(self.people, self.keys, levels=(4, 5))
        self.federation, profiles = two_sites(directory, catalogue, parameters)
        self.profiles = dict(zip("AB", profiles, strict=True))
        self.public_file = directory / "test.federation"
        save_public_file(self.federation, self.public_file)

    def close(self) -> None:
        """Close the profiles."""
        for profile in self.profiles.values():
            profile.close()

    def suggested(self, files: dict[str, tuple[Path, ...]], site: str = "A") -> Path:
        """Write the mapping that the program suggests for some files."""
        path = self.directory / f"{site}-{'-'.join(files)}.toml"
        draft(files, self.catalogue, site=site, output=path)
        return path

    def prepared(self, mapping: Path, site: str = "A", **wishes: object) -> tuple[Prepared, SealedDataset]:
        """Seal what a mapping names, import it into the site's profile, and return what can be asked there."""
        package = mapping.with_suffix(".consilium")
        key = PassphraseFile(self.directory / "preparer.key", passphrase_from_text("a test" * 3), Argon2Cost(64, 1, 1))
        done = prepare(self.public_file, mapping, package, secrets=lambda: key, workers=1, **wishes)  # type: ignore[arg-type]
        profile = self.profiles[site]
        imported = import_dataset(package, profile)
        path = profile.store.dataset_path(imported.dataset.id)
        shape = shape_of(done.header, self.people)
        return done, SealedDataset(self.people, self.catalogue, path, self.keys, shape)

    def released(self, datasets: Sequence[SealedDataset], question: str) -> int:
        """Ask the sites with these datasets how many patients fit, and release the sum."""
        cohort = parse(question, self.catalogue)
        plans = [dataset.plan(cohort) for dataset in datasets]
        sent = [worker.run_all(each.work(plan), ()) for each, plan in zip(datasets, plans, strict=True)]
        return datasets[0].opened(max(plans, key=lambda plan: plan.noise_bits), *sent)

    def sums(self, dataset: SealedDataset, variable: str) -> dict[str, int]:
        """Decrypt the sealed columns of a variable with the collective key, and add each up over the patients."""
        found: dict[str, int] = {}
        with DatasetReader(dataset.path, self.people.parameters) as reader:
            header = reader.header
            for index, column in enumerate(header.columns):
                if column.variable == variable:
                    blocks = (self._slots(reader, index, block) for block in range(header.blocks))
                    found[column.part] = sum(int(each.sum()) for each in blocks)
        return found

    def _slots(self, reader: DatasetReader, column: int, block: int) -> np.ndarray:
        primes, sharing = range(reader.header.residues), reader.header.columns_per_ciphertext
        group = np.stack([reader.residue(column // sharing, prime, block) for prime in primes], axis=1)
        slots = self.people.decrypt(group)
        return slots if sharing == 1 else taken_apart(self.people.parameters, slots, sharing)[column % sharing]
