"""The files and functions that services/README.md lists as the path of one event exist, and are numbered in order."""

import re
from pathlib import Path

import chassis

SERVICES = Path(chassis.__file__).parents[3]
PATH = re.compile(r"^(\d+)\. `(\w+)/([^`]+)` \(([^)]*)\)", re.MULTILINE)


def test_every_file_and_function_on_the_path_is_there() -> None:
    text = (SERVICES / "README.md").read_text().partition("## The path of one event")[2].partition("\n## ")[0]
    stops = PATH.findall(text)
    assert [int(number) for number, *_ in stops] == list(range(1, len(stops) + 1))
    assert f"These are {len(stops)} files" in text
    for _, package, file, named in stops:
        [path] = [*SERVICES.glob(f"*/src/{package}/{file}"), *SERVICES.parent.glob(f"*/src/{package}/{file}")]
        code = path.read_text()
        for name in re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", named))):
            assert re.search(rf"(def|class) {name}\b|^{name} =", code, re.MULTILINE), f"{file} has no {name}"
