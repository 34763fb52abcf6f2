"""``make diagnosis-page``: writes the tables of docs/diagnosis.md anew."""

from tools.diagnosis.page import PAGE, renewed

PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
print(PAGE)
