"""Evidence on disk, and the read-only views made of it: Allure, JUnit, the HTML report, tables,
pcapng.

``recorder`` writes a case's facts as they happen, ``evidence`` reads them back; every other module
here is a reader of :class:`~harness.report.evidence.CaseEvidence`. Nothing here holds a live object
or imports a phone or the simulation.
"""
