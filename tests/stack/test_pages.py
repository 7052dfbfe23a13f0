"""The pages: CONVENTIONS.md is what the code says, SIZING.md what was measured, links lead somewhere, and shown commands, settings and names exist."""

from __future__ import annotations

import re
from pathlib import Path

from click import Command, Context

from loopscope import conventions
from loopscope.activation.cli import commands
from loopscope.pipeline.metrics.instruments import HISTOGRAMS, OBSERVED
from loopscope.settings import PREFIX, known_settings
from tests.benchmarks import page as costs_page
from tests.processes.program import ROOT
from tests.stack import conventions_page, sizing_page

PAGES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
]
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PAGES}
#: what the log says begins with "loopscope" too
LOGGED = [
    message
    for path in (ROOT / "src").rglob("*.py")
    for message in re.findall(r"logger\.\w+\(\s*\"([^\"]*)\"", path.read_text(encoding="utf-8"))
]
NAMES = {value for name, value in vars(conventions).items() if name.isupper()}


def test_conventions_are_up_to_date() -> None:
    assert TEXTS["CONVENTIONS.md"] == conventions_page.page(), "run `make pages`"


def test_sizing_is_up_to_date() -> None:
    assert TEXTS["deploy/scale/SIZING.md"] == sizing_page.page(), "run `make pages`"


def test_costs_are_those_measured_last() -> None:
    _, block, _ = costs_page.parts(TEXTS["README.md"])
    assert block.strip() == costs_page.shown(costs_page.kept()).strip(), "run `python -m tests.benchmarks.page`"


def test_conventions_tell_every_name() -> None:
    """Each constant has a comment, but for metrics, which have a description; and each stands in the page."""
    told = set(re.findall(r"^\| `(.*?)(?: …)?` \|", conventions_page.page(), re.M))
    about = {conventions.SCOPE, conventions.VERSION, conventions.SCHEMA_URL}
    assert {name.strip() for name in NAMES - about} == told
    assert {each.name for each in OBSERVED} | {name for name, _ in HISTOGRAMS} <= told


def test_links_lead_somewhere() -> None:
    """Relative ones: to a file, and to a heading where one is named."""
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in PAGES
        for target in re.findall(r"(?:\]\(|(?:src|srcset|href)=\")([^)\s\"]+)", path.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", target) and not leads(path, target)
    ]
    assert not broken


def leads(page: Path, target: str) -> bool:
    """Whether a link on this page does."""
    name, _, heading = target.partition("#")
    path = page.parent / name if name else page
    return path.exists() and (not heading or heading in anchors(path.read_text(encoding="utf-8")))


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_a_broken_link_is_seen() -> None:
    page = ROOT / "README.md"
    assert leads(page, "LICENSE") and leads(page, "#metrics") and leads(page, "examples/seed.py")
    assert not leads(page, "NOWHERE.md") and not leads(page, "#nowhere")


def shown() -> set[tuple[str, ...]]:
    """(page, subcommand, options...) of every command that is shown as code."""
    found = set()
    for page, text in TEXTS.items():
        blocks = re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", text, re.S | re.M)
        lines = [line.split(" #")[0] for block in blocks for line in block.splitlines()]
        for code in lines + re.findall(r"`([^`\n]+)`", text):
            said = re.match(r"(?:\w+=\S+ )*loopscope ([a-z].*)", code.strip())
            if said and not any(logged.startswith(code.split("…")[0].strip()) for logged in LOGGED):
                name, *rest = said[1].split()
                found.add((page, name, *own_options(name, rest)))
    return found


def own_options(name: str, rest: list[str]) -> list[str]:
    """Those of loopscope itself: what `run` runs has its own."""
    options = []
    for word in rest:
        if name == "run" and (word == "-m" or word.endswith(".py")):
            break
        if word.startswith("-") and word != "-":
            options.append(word.split("=")[0])
    return options


def known(name: str, *options: str) -> bool:
    """Whether there is such a command, with such options."""
    command: Command | None = commands.commands.get(name)
    if command is None:
        return False
    its = {one for parameter in command.get_params(Context(command)) for one in parameter.opts}
    return set(options) <= its


def test_shown_commands_exist() -> None:
    wrong = [said for said in shown() if not known(*said[1:])]
    assert not wrong
    assert {said[1] for said in shown()} == set(commands.commands)
    assert not known("draw") and not known("view", "--nothing")


def test_shown_names_exist() -> None:
    """Attributes, metrics and settings, on every page."""
    for page, text in TEXTS.items():
        settings = set(re.findall(PREFIX + r"([A-Z_]+[A-Z])", text))
        assert settings <= set(known_settings()), page
        names = {
            one.rstrip(".")
            for one in re.findall(
                r"`((?:asyncio\.(?:task|step|wait|stall|eventloop|executor)|loopscope)\.[a-z_.]+)`", text
            )
        }
        assert names <= NAMES, page
