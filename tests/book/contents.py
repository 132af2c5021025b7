"""What the book should contain, read from its sources."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def pages() -> list[str]:
    """Every document that _toc.yml names, in its order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    found, left = [toc["root"]], [chapter for part in toc["parts"] for chapter in part["chapters"]]
    while left:
        chapter = left.pop(0)
        found.append(chapter["file"])
        left = chapter.get("sections", []) + left
    return found
