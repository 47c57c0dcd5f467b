"""What every test begins with, so that they may run in any order."""

from __future__ import annotations

import pytest

from torchlock import redaction


@pytest.fixture(autouse=True)
def _nothing_learned() -> None:
    """No secrets: a message would have stars in place of what another test read."""
    redaction.forget()
