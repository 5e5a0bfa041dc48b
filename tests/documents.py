"""What tests run of the documentation."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs"


def code_block(document: str, heading: str, language: str) -> str:
    """Returns the one block of ``language`` in a section of a document."""
    sections = re.split(r"^## ", (FOLDER / document).read_text(), flags=re.MULTILINE)
    (section,) = [section for section in sections if section.startswith(f"{heading}\n")]
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return block


def printed_by(session: str) -> list[str]:
    """Returns what a session says that it prints, line by line."""
    return re.findall(r"print\(.*\)  # (.*)", session)
