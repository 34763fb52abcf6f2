"""What a JUnit file of pytest's is counted as."""

from __future__ import annotations

from pathlib import Path

from tools.junit import counts


def test_errors_count_as_failures_and_skips_as_skips(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(
        "<testsuites><testsuite><testcase/><testcase><failure/></testcase><testcase><error/></testcase>"
        "<testcase><skipped/></testcase><testcase/></testsuite></testsuites>"
    )
    assert counts(junit) == {"passed": 2, "failed": 2, "skipped": 1}
