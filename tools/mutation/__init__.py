"""Changes the code in small ways and counts which changes a test notices: ``make mutants``."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
