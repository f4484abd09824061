"""What services/README.md names on the path of one event exists, and its files are numbered in order and counted."""

import re
from pathlib import Path

import chassis
from schemas.topics import TOPICS

SERVICES = Path(chassis.__file__).parents[3]
SECTION = (SERVICES / "README.md").read_text().partition("## The path of one event")[2].partition("\n## ")[0]
STOP = re.compile(r"^(\d+)\. `(\w+/[^`]+)` \(([^)]*)\)", re.MULTILINE)
FILES = {
    str(path.relative_to(src)): path.read_text()
    for src in (*SERVICES.glob("*/src"), SERVICES.parent / "schemas" / "src")
    for path in src.rglob("*.py")
}


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def has(code: str, name: str) -> bool:
    """Whether the code defines the name; of `Class.method` both."""
    return all(re.search(rf"(def|class) {part}\b|^{part} =", code, re.MULTILINE) for part in name.split("."))


def test_the_files_are_numbered_in_order_and_counted() -> None:
    stops = STOP.findall(SECTION)
    assert len(stops) == len(re.findall(r"^\d+\.", SECTION, re.MULTILINE))
    assert [int(number) for number, *_ in stops] == list(range(1, len(stops) + 1))
    of_chassis = sum(file.startswith("chassis/") for _, file, _ in stops)
    assert f"These are {len(stops)} files, {of_chassis} of them in the chassis" in SECTION
    assert f"goes through {of_chassis - 1} files of the chassis: all but 13," in SECTION
    assert stops[13 - 1][1] == "chassis/partition/supervisor.py"


def test_each_file_on_the_path_has_the_functions_named() -> None:
    for _, file, named in STOP.findall(SECTION):
        for name in quoted(named):
            assert has(FILES[file], name), f"{file} has no {name}"


def test_everything_else_that_is_named_exists() -> None:
    modules = {Path(file).stem for file in FILES}
    topics = {*TOPICS, *(kind.model_fields["type"].default for topic in TOPICS.values() for kind in topic.events)}
    for name in quoted(STOP.sub("", SECTION)):
        there = name in FILES or name in modules or name in topics or f"baton.{name}.v1" in topics
        assert there or any(has(code, name) for code in FILES.values()), f"there is no {name}"
