"""What the package is made of, and under which licences: ``make sbom``."""
