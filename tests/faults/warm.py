"""What the server process has done before it is forked, so that no agent has to: it checks the cryptography, once."""

from __future__ import annotations

from app.core.crypto import self_test

self_test.ensure()
