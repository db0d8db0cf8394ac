"""How long clinical exports take to be staged: ``python -m tests.benchmarks.clinical i2b2|omop|fhir [PATIENTS]``.

A million patients of i2b2 are twelve million facts; 33,000 of FHIR are a Bundle of 100 MB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from app.core.preparation.sources.source import Format
from tests.clinical_extracts import people, write_bundle, write_i2b2, write_omop
from tests.clinical_staging import staging


def main() -> None:
    """Write an export into a temporary folder, stage it, and print what that took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("format", choices=["i2b2", "omop", "fhir"])
    parser.add_argument("patients", type=int, nargs="?", default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / ("bundle.json" if asked.format == "fhir" else "export")
        cohort = people(asked.patients, labs=7)
        {"i2b2": write_i2b2, "omop": write_omop, "fhir": write_bundle}[asked.format](export, cohort)
        files = list(export.iterdir()) if export.is_dir() else [export]
        print(f"{sum(path.stat().st_size for path in files) / 1e6:.0f} MB")
        began, used = time.monotonic(), time.process_time()
        with staging(Format(asked.format), export, memory=1536 << 20) as look:
            seconds, of_processors = time.monotonic() - began, time.process_time() - used
            rows = {name: table.rows for name, table in look.tables.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(f"{rows}: {seconds:.1f} s, {of_processors:.1f} s of processors, {peak:.0f} MB at the most")


if __name__ == "__main__":
    main()
