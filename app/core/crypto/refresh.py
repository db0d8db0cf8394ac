"""Collective refresh: a quorum turns an opened-to-nobody total into a fresh encryption of it, in one round.

Each site of the quorum adds a uniform mask mᵢ (modulo t) to its decryption share, and encrypts −mᵢ afresh. What the
quorum opens is the total plus Σmᵢ: uniform numbers that say nothing. Added in the clear to the sum of the encrypted
−mᵢ they are a fresh encryption of the total, at as many primes as the −mᵢ were encrypted at.

*Spread.* m numbers (a power of two) are encrypted as the polynomial in X^(N/m) that has the j-th of them in the slots
j·N/m … (j+1)·N/m − 1. Such plaintexts are closed under addition and multiplication, and all their coefficients but
the m at the multiples of N/m are zero: whatever is computed of them slot by slot is opened at the same m positions as
any other result. A public linear map of the numbers costs nothing either: it is applied to what was opened, and by
each site to its mask before it encrypts it.

That masks and encryptions are committed to before anyone reveals theirs is the caller's duty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from app.core.crypto import ring, sampling
from app.core.crypto.parameters import ParameterSet
from app.core.crypto.release import (
    DecryptionProtocol,
    DecryptionTicket,
    Opening,
    flooding_bits,
    place_order,
    positions,
    total_noise_bound,
)
from app.core.crypto.ring import Array
from app.core.errors import Bug
from app.core.secret import SecretBytes


def spread(parameters: ParameterSet, numbers: Array) -> Array:
    """Return the N slots, in NTT order modulo t, that hold ``numbers`` (m of them, in any range)."""
    values = np.asarray(numbers, np.int64) % parameters.plain_modulus
    return np.repeat(values, parameters.ring_degree // len(values))


def spread_form(parameters: ParameterSet, numbers: Array, level: int) -> Array:
    """Return the polynomial that holds ``numbers``, its coefficients centred modulo t, as NTT forms (level, N)."""
    plain = ring.field(parameters.plain_modulus, parameters.ring_degree).backward(spread(parameters, numbers))
    centred = plain - (plain > parameters.plain_modulus // 2) * parameters.plain_modulus
    return np.stack([each.forward(centred) for each in ring.fields(parameters, parameters.data_primes[:level])])


def read_spread(parameters: ParameterSet, coefficients: Sequence[int]) -> Array:
    """Return the m numbers, in [0, t), whose polynomial has these coefficients at the m used positions."""
    plain = np.zeros(parameters.ring_degree, np.int64)
    plain[list(positions(parameters, len(coefficients)))] = coefficients
    slots = ring.field(parameters.plain_modulus, parameters.ring_degree).forward(plain)
    return slots[:: parameters.ring_degree // len(coefficients)].copy()


def draw(parameters: ParameterSet, seed: SecretBytes, name: str, results: int) -> Array:
    """Return ``results`` secret numbers uniform modulo t, the same for the same seed and name.

    The seed is 32 reserved bytes, stored before anything is computed of them: a share that has to be computed once more
    after a crash has to carry the same mask.
    """
    return sampling.uniform(seed.reveal(), "collective refresh", (*name.encode(),), parameters.plain_modulus, results)


class RefreshProtocol:
    """A decryption whose every share carries its site's mask: what is opened is uniform.

    It has the pads, the flooding and the single use of any decryption.
    """

    def __init__(self, opening: Opening, bits: int) -> None:
        self.opening = opening
        self.parameters = opening.total.parameters
        self._decryption = DecryptionProtocol(opening, bits)

    def generate_share(
        self,
        ticket: DecryptionTicket,
        position: int,
        dealt: Array,
        pad_keys: Mapping[int, SecretBytes],
        masks: Array,
    ) -> Array:
        """Return this site's share, shape (level, m); ``masks`` are its m numbers by place, in [0, t)."""
        results = self.opening.total.results
        if masks.shape != (results,):
            raise Bug("refresh.masks", count=masks.size, results=results)
        share = self._decryption.generate_share(ticket, position, dealt, pad_keys)
        unscale = results * pow(self.parameters.ring_degree, -1, self.parameters.plain_modulus)
        plain = np.zeros(results, np.int64)
        for place, used in enumerate(place_order(results)):
            plain[used] = int(masks[place]) * unscale % self.parameters.plain_modulus
        moduli = np.array(self.parameters.data_primes[: len(share)], np.int64)[:, None]
        masked: Array = (share + plain) % moduli
        return masked

    def finish(self, shares: Mapping[int, Array]) -> Array:
        """Return the total plus all masks by place, in [0, t), from the shares of the whole quorum."""
        return np.array(self._decryption.finish(shares), np.int64) % self.parameters.plain_modulus


def masked_flooding_bits(
    parameters: ParameterSet, *, sites: int, contributors: int, noise_bits: float, quorum: int, results: int
) -> int:
    """Return F for a masked opening: as for any release, the masks adding up to at most one t a site beyond."""
    bound = total_noise_bound(parameters, sites, contributors, noise_bits) + quorum
    return flooding_bits(parameters, bound, results)


def refreshed(parameters: ParameterSet, opened: Array, encryptions: Sequence[Array]) -> Array:
    """Return the fresh encryption, shape (2, level, N), of what was opened less all masks.

    ``encryptions`` are those of −mᵢ, spread; ``opened`` is the total plus Σmᵢ, under the same public map as they.
    """
    level = encryptions[0].shape[1]
    total = np.zeros_like(encryptions[0])
    plain = spread_form(parameters, opened, level)
    for index, field in enumerate(ring.fields(parameters, parameters.data_primes[:level])):
        for encryption in encryptions:
            total[:, index] = field.add(total[:, index], encryption[:, index])
        total[0, index] = field.add(total[0, index], plain[index])
    return total
