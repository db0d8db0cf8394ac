"""The six words that two people compare on the telephone, so that nobody can stand in between.

They are the first 66 bits of :func:`binding`, which covers the federation, both sites' keys and a nonce. The nonce is
the invited site's, drawn after the invitation, which fixes the creator's key, was made: whoever replaces the invitation
must then find a key with the same words, one try in 2^66. Keys found in advance to make two sets of words meet (2^33
tries) are worth nothing.
"""

from __future__ import annotations

from app.core import codec
from app.core.crypto.word_list import to_words, typed_words, word_number
from app.core.errors import UserError

SIX = 6
_BITS = 11 * SIX


def binding(federation_id: bytes, creator: bytes, invited: bytes, nonce: bytes) -> bytes:
    """Return what both sides confirm: 32 bytes over federation, both fingerprints and the invited site's nonce."""
    return codec.digest(["consilium six words v1", federation_id, creator, invited, nonce])


def six_words(bound: bytes) -> tuple[str, ...]:
    """Return the words that stand for a :func:`binding`."""
    return to_words(int.from_bytes(bound, "big") >> 8 * len(bound) - _BITS, SIX)


def check_words(typed: str, bound: bytes, site: str) -> None:
    """Check words as a person typed them: any case, numbered or not, four letters or more of each.

    Raises UserError ``joining.word_count``, ``joining.unknown_word`` (its position), or ``joining.words_differ``:
    somebody may stand between this site and ``site``.
    """
    words = typed_words(typed)
    if len(words) != SIX:
        raise UserError("joining.word_count", found=len(words), wanted=SIX)
    numbers = [word_number(word) for word in words]
    if None in numbers:
        raise UserError("joining.unknown_word", position=numbers.index(None) + 1)
    if numbers != [word_number(word) for word in six_words(bound)]:
        raise UserError("joining.words_differ", site=site)
