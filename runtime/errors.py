"""What ends a program, told to its user."""

from __future__ import annotations

from collections.abc import Sequence


class PipelineError(Exception):
    """Something that ends the run, told in one sentence."""


class SettingsError(PipelineError):
    """One sentence for every setting that is missing or wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
