"""The vectors of what small counts are withheld with, in ``crypto/smallest-v1.json``: SHA-256 of its bytes.

``python -m tests.vectors.make_smallest_vectors`` writes them once and replaces none: masks have to come out the same
after an update as before it, and every site of a quorum has to compute the same pair.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from app.core.crypto import refresh, sampling, smallest_count
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES
from app.core.crypto.release import Contribution
from app.core.crypto.ring import Array
from app.core.crypto.smallest_count import COUNT_LEVEL, Hidden, SmallestCountRule
from app.core.secret import SecretBytes

FILE = Path(__file__).parent / "crypto" / "smallest-v1.json"
P = INSECURE_TEST_PARAMETERS
RESULTS = 4
RULES = [(least, zeros) for least in smallest_count.LEAST_COUNTS for zeros in (False, True)]


def _ciphertext(name: str, level: int) -> Array:
    rows = [sampling.uniform(b"vectors", name, (prime,), prime, 2 * P.ring_degree) for prime in P.data_primes[:level]]
    return np.stack(rows).reshape(level, 2, P.ring_degree).swapaxes(0, 1).copy()


def hidden(rule: SmallestCountRule) -> Hidden:
    """What a site hides counts with, of uniform residues."""
    zeros = []
    for name in ("first", "second"):
        mask, values = _ciphertext(name, RELEASE_PRIMES)
        zeros.append(Contribution(P, mask, values[:, :RESULTS].copy()))
    return Hidden(
        rule,
        tested=_ciphertext("tested", rule.level),
        random=_ciphertext("random", rule.random_level),
        counts=_ciphertext("counts", COUNT_LEVEL),
        zeros=(zeros[0], zeros[1]),
    )


def dropped(product: Array) -> Array:
    """Stands in for relinearization, which is SEAL's."""
    return product[:2, :-1].copy()


def expected() -> dict[str, object]:
    """Everything, as it comes out now."""
    made: dict[str, object] = {}
    for least, zeros in RULES:
        site = hidden(SmallestCountRule(P, least, zeros))
        numbers = np.arange(RESULTS, dtype=np.int64) * 1_000_003 % P.plain_modulus
        pair = smallest_count.pair([site, site], tested=numbers, counts=numbers, relinearize=dropped)
        made[f"{least} {'shown' if zeros else 'hidden'}"] = {
            "hidden": hashlib.sha256(site.to_bytes()).hexdigest(),
            "pair": [each.hash().hex() for each in pair],
        }
    seed = SecretBytes(bytes(range(32)))
    names = ("total", "others", "random")
    return {"masks": {name: refresh.draw(P, seed, name, RESULTS).tolist() for name in names}, "rules": made}


if __name__ == "__main__":
    with open(FILE, "x", encoding="utf-8") as file:
        json.dump(expected(), file, indent=2)
        file.write("\n")
