from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.core.crypto import exchange, keygen, packing, parameters, release, ring, seal, self_test
from app.core.errors import EnvironmentProblem
from app.texts import LANGUAGES, explain

STEPS = (
    "memory",
    "library",
    "scheme",
    "ciphertext format",
    "order",
    "public key",
    "relinearization key",
    "rotation keys",
    "product",
    "packing",
    "release",
)


def test_this_installation_passes() -> None:
    findings = self_test.run()
    assert tuple(finding.step for finding in findings) == STEPS
    assert all(finding.seconds >= 0 for finding in findings)


def test_it_needs_no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed program refuses the insecure parameters for work, and still tests itself with them."""
    monkeypatch.delenv(parameters.INSECURE_SWITCH)
    monkeypatch.setattr("sys.frozen", True, raising=False)
    assert len(self_test.run()) == len(STEPS)


def wrong(*_: object, **__: object) -> object:
    raise TypeError("incompatible function arguments")


def altered(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The same function, whose result is off by one in one place."""

    def other(*arguments: object, **named: object) -> np.ndarray:
        result = np.array(function(*arguments, **named))
        result.reshape(-1)[-1] ^= 1
        return result

    return other


@pytest.mark.parametrize(
    ("step", "target", "replacement"),
    [
        ("memory", (exchange, "path"), lambda: "/nowhere/at/all"),
        ("library", (self_test, "import_module"), wrong),
        ("product", (seal, "_BGV"), 1),
        ("scheme", (seal, "_BGV"), 99),
        ("scheme", (seal, "_MAGIC"), 0xA15F),
        ("ciphertext format", (seal.Context, "_saved_body"), staticmethod(lambda target: b"")),
        ("ciphertext format", (seal.Context, "read"), altered(seal.Context.read)),
        ("order", (ring.Field, "forward"), altered(ring.Field.forward)),
        ("order", (seal.Context, "multiply_monomial"), wrong),
        ("public key", (seal.Context, "public_key"), wrong),
        ("relinearization key", (seal.Context, "load_relinearization_key"), wrong),
        ("rotation keys", (seal.Context, "load_rotation_keys"), wrong),
        ("product", (seal.Context, "relinearize"), wrong),
        ("packing", (packing, "pack"), wrong),
        ("release", (keygen.RelinearizationProtocol, "finish"), lambda self, one, two: np.stack([two, two], axis=1)),
        ("release", (packing, "pack"), lambda context, keys, results, result: result(0)),
        ("release", (release, "lagrange"), lambda modulus, quorum, position: 1),
    ],
)
def test_what_does_not_work_is_named(
    monkeypatch: pytest.MonkeyPatch, step: str, target: tuple[object, str], replacement: object
) -> None:
    monkeypatch.setattr(*target, replacement)
    with pytest.raises(EnvironmentProblem, match=r"crypto\.self_test_failed") as caught:
        self_test.run()
    assert caught.value.params == {"step": step}
    for language in LANGUAGES:
        explanation = explain(caught.value, language)
        assert step in explanation.what
        assert explanation.next


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    self_test.run()
    assert os.listdir(tmp_path) == []
