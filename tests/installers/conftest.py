"""These tests build, install and remove packages: minutes, not seconds, and much of it as root.

They run when they are asked for, as a stage of their own after ``installers/build.py``, and not with everything else::

    python -m pytest tests/installers
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out unless it, or something in it, is named."""
    named = [(config.invocation_params.dir / each.partition("::")[0]).resolve() for each in config.args]
    return None if any(each.is_relative_to(HERE) for each in named) else True
