"""Names are written once, each is used, and those of the documents are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from loopscope import conventions

ROOT = Path(__file__).parents[2]
SOURCE = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "src" / "loopscope").rglob("*.py"))}
CONSTANTS = {name: value for name, value in vars(conventions).items() if name.isupper()}

_NAME = re.compile(r"`((?:asyncio\.(?:task|step|loop|link)|thread|code|error)\.[a-z_.{},]+|asyncio\.link)`")


def expanded(name: str) -> list[str]:
    """`a.{b,c}.d` as its names."""
    found = re.search(r"\{([^}]*)\}", name)
    if found is None:
        return [name.rstrip(".")]
    return [one for part in found[1].split(",") for one in expanded(name[: found.start()] + part + name[found.end() :])]


def test_every_name_is_used() -> None:
    """A constant that nothing writes is a promise that nobody keeps."""
    text = "\n".join(text for path, text in SOURCE.items() if path.name != "conventions.py")
    unused = [
        name for name in CONSTANTS
        if not re.search(rf"\b(?:c|conventions)\.{name}\b", text) and not re.search(rf"import .*\b{name}\b", text)
    ]  # fmt: skip
    assert unused == []


def test_every_name_is_written_once() -> None:
    """No two constants of one value, and no attribute's name outside of conventions."""
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)
    attribute = re.compile(
        r"[\"'](asyncio\.(?:(?:task|step|loop)\.[a-z_.]+|link)|thread\.(?:id|name)|code\.[a-z.]+|error\.type)[\"']"
    )
    strays = {
        f"{path.name}: {found}"
        for path, text in SOURCE.items()
        if path.name != "conventions.py"
        for found in attribute.findall(text)
    }
    assert strays == set()


def test_documented_names_exist() -> None:
    """README and ARCHITECTURE name no attribute that the code does not write."""
    documents = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "ARCHITECTURE.md")}
    named = {
        f"{document}: {one}"
        for document, text in documents.items()
        for found in _NAME.findall(text)
        for one in expanded(found)
        if one not in CONSTANTS.values()
    }
    assert named == set()


def test_documented_settings_exist() -> None:
    """The same for variables; and README names every setting."""
    from loopscope.settings import PREFIX, known_settings

    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "ARCHITECTURE.md"))
    assert set(re.findall(PREFIX + r"([A-Z_]+[A-Z])", text)) <= set(known_settings())
    assert set(re.findall(r"`([A-Z_]+)`", text)) >= set(known_settings())
