"""Policies: the version in force, and errors that say where and what was expected, all at once."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from chassis.policy import PolicyError, load_policies, load_version
from schemas.policy import Policy

POLICIES = Path(__file__).parents[3] / "deploy" / "policies"
DATE = "effective_from: 2026-03-01T00:00:00Z"
CLASSIC = (POLICIES / "classic-50" / "1.yaml").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "classic-50"
    made.mkdir()
    return made


def write(folder: Path, name: str = "1.yaml", **replaced: str) -> int:
    """Writes classic-50 with the lines replaced that start so; gives the number of the last of them."""
    lines = CLASSIC.splitlines()
    for start, line in replaced.items():
        lines[line_of(start) - 1] = line
    (folder / name).write_text("\n".join(lines), "utf-8")
    return line_of([*replaced][-1]) if replaced else 0


def line_of(word: str) -> int:
    """The number of classic-50's first line that starts with the word."""
    return next(
        n for n, text in enumerate(CLASSIC.splitlines(), 1) if text.strip().startswith((f"{word}:", f"{word},"))
    )


def problems(folder: Path) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load_policies(folder, Policy)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def test_the_version_in_force_is_the_latest_whose_date_has_come(folder: Path) -> None:
    write(folder)
    write(folder, "2.yaml", version="version: 2", effective_from="effective_from: 2026-06-01T00:00:00+02:00")
    policies = load_policies(folder, Policy)
    change = datetime(2026, 5, 31, 22, tzinfo=UTC)
    assert [version.version for version in policies.versions] == [1, 2]
    assert policies.at(change).version == 2
    assert policies.at(change.replace(hour=21, minute=59, second=59, microsecond=999_999)).version == 1
    assert policies.at(datetime(2026, 1, 1, tzinfo=UTC)).version == 1


def test_before_the_first_version_none_is_in_force(folder: Path) -> None:
    write(folder)
    with pytest.raises(PolicyError, match=r"no version is in force at 2025-12-31T23:59:59.*from 2026-01-01"):
        load_policies(folder, Policy).at(datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC))


def test_ten_versions_are_in_the_order_of_numbers(folder: Path) -> None:
    for n in range(1, 12):
        write(folder, f"{n}.yaml", version=f"version: {n}", effective_from=f"effective_from: 2026-02-{n:02}T00:00:00Z")
    assert [policy.version for policy in load_policies(folder, Policy).versions] == list(range(1, 12))


def test_a_wrong_field_is_told_with_file_line_path_and_expectation(folder: Path) -> None:
    line = write(folder, fast_track="  fast_track: perhaps")
    [problem] = problems(folder)
    assert problem.startswith(f"{folder}/1.yaml:{line}: gate.fast_track: ")
    assert "valid boolean" in problem


def test_all_that_is_wrong_in_all_files_is_told_at_once(folder: Path) -> None:
    track = write(folder, fast_track="  fast_track: perhaps")
    rule = line_of("- {id: dl_case")
    text = (folder / "1.yaml").read_text("utf-8").replace("points: 10, engagement", "points: ten, engagement")
    (folder / "1.yaml").write_text(text, "utf-8")
    window = write(folder, "2.yaml", version="version: 2", intent_window="  intent_window: a week")
    found = problems(folder)
    assert len(found) == 3
    assert found[0].startswith(f"{folder}/1.yaml:{rule}: scoring.rules[5].points: Input should be a valid number")
    assert found[1].startswith(f"{folder}/1.yaml:{track}: gate.fast_track: ")
    assert found[2].startswith(f"{folder}/2.yaml:{window}: gate.intent_window: ")
    assert "90s, 30m, 24h or 5d" in found[2]


def test_a_misspelt_field_is_told_at_its_own_line_and_a_missing_one_at_its_parent_s(folder: Path) -> None:
    line = write(folder, band="  bands: pass")
    assert [problem.split(": ")[:2] for problem in problems(folder)] == [
        [f"{folder}/1.yaml:{line_of('gate')}", "gate.band"],
        [f"{folder}/1.yaml:{line}", "gate.bands"],
    ]


def test_a_key_that_stands_twice_is_an_error_and_not_the_last_one_wins(folder: Path) -> None:
    line = write(folder, cool_off="  cool_off: 30d\n  cool_off: 1d") + 1
    assert problems(folder) == [f"{folder}/1.yaml:{line}: gate.cool_off: stands here a second time; expected once"]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("policy: a\n  b: [", 2, "not YAML"),
        ("gate:\n  op: >=\n", 2, "not YAML"),
        ("policy: !!python/object:os.system x\n", 1, "not YAML"),
        ("", 1, "the document"),
        ("just words", 1, "the document"),
        ("\x07", 1, "cannot be read as YAML"),
        ("a: 1\n---\nb: 2\n", 2, "not YAML"),
    ],
)
def test_a_file_that_is_no_policy_at_all_is_told_with_its_line(folder: Path, text: str, where: int, what: str) -> None:
    (folder / "1.yaml").write_text(text, "utf-8")
    [problem] = problems(folder)
    assert problem.startswith(f"{folder}/1.yaml:{where}: {what}")


def test_a_file_that_is_not_text_is_told(folder: Path) -> None:
    (folder / "1.yaml").write_bytes(b"policy: \xff\xfe")
    assert problems(folder) == [f"{folder}/1.yaml:1: cannot be read as YAML: UnicodeDecodeError"]


def test_names_and_dates_must_agree(folder: Path) -> None:
    write(folder)
    write(folder, "2.yaml", version="version: 2", policy="policy: strict-70", effective_from=DATE)
    write(folder, "3.yaml", version="version: 2", effective_from=DATE)
    assert problems(folder) == [
        f"{folder}/2.yaml:{line_of('policy')}: policy: expected the folder's name, 'classic-50'",
        f"{folder}/3.yaml:{line_of('version')}: version: expected the file's name, 3",
        f"{folder}/3.yaml:{line_of('effective_from')}: effective_from: "
        "expected an instant after 2026-03-01T00:00:00+00:00, version 2's",
    ]


def test_a_date_without_a_time_zone_is_no_instant(folder: Path) -> None:
    line = write(folder, effective_from="effective_from: 2026-01-01")
    [problem] = problems(folder)
    assert problem.startswith(f"{folder}/1.yaml:{line}: effective_from: ")


@pytest.mark.parametrize("name", ["3.yaml", "01.yaml", "2.yml", "draft.yaml"])
def test_a_gap_or_another_name_is_an_error(folder: Path, name: str) -> None:
    write(folder)
    write(folder, name, version="version: 2", effective_from=DATE)
    assert problems(folder) == [f"{folder / name}: expected versions to be named 1.yaml, 2.yaml, ... without a gap"]


def test_an_empty_or_missing_folder_is_an_error(folder: Path) -> None:
    (folder / "README.md").write_text("notes")
    assert "holds no policy" in problems(folder)[0]
    assert "is no folder" in problems(folder / "missing")[0]


def test_one_file_of_any_name_is_read_outside_a_folder_of_versions(tmp_path: Path) -> None:
    write(tmp_path, "draft of may.yml")
    found = load_version(tmp_path / "draft of may.yml", Policy)
    assert (found.version.policy, found.version.version) == ("classic-50", 1)
    line = found.located(("gate", "fast_track"), "said of it")
    assert line == f"{tmp_path}/draft of may.yml:{line_of('fast_track')}: gate.fast_track: said of it"


def test_what_is_wrong_with_one_file_is_told_as_of_a_folder_s(tmp_path: Path) -> None:
    line = write(tmp_path, "draft.yaml", fast_track="  fast_track: perhaps")
    with pytest.raises(PolicyError, match=f"draft.yaml:{line}: gate.fast_track: .*valid boolean"):
        load_version(tmp_path / "draft.yaml", Policy)
    with pytest.raises(PolicyError, match=r"missing\.yaml:1: cannot be read as YAML: FileNotFoundError"):
        load_version(tmp_path / "missing.yaml", Policy)


def test_an_alias_is_refused_with_its_line_before_it_is_expanded(folder: Path) -> None:
    names = ["a", *(f"b{i}" for i in range(30))]
    bomb = "a: &a [x, x]\n" + "".join(f"{name}: &{name} [*{of}, *{of}]\n" for of, name in pairwise(names))
    (folder / "1.yaml").write_text(f"{bomb}{CLASSIC}")
    file = folder / "1.yaml"
    assert problems(folder) == [f"{file}:2: an alias, *a, is not allowed; write the value out instead"]


def test_a_merge_key_is_refused_with_its_line(folder: Path) -> None:
    (folder / "1.yaml").write_text(CLASSIC.replace("\ngate:\n", "\ngate:\n  <<: {band: hot}\n"))
    line = CLASSIC.splitlines().index("gate:") + 2
    file = folder / "1.yaml"
    assert problems(folder) == [f"{file}:{line}: a merge key, <<, is not allowed; write the value out instead"]


@pytest.mark.parametrize("value", ["!!int ''", "!!timestamp x", "!!bool x", "!!float ''"])
def test_a_tag_that_the_value_does_not_fit_is_an_error(folder: Path, value: str) -> None:
    (folder / "1.yaml").write_text(f"{CLASSIC}\nx: {value}\n")
    assert "cannot be read as YAML" in "".join(problems(folder))


def test_yaml_that_is_nested_too_deep_is_told(folder: Path) -> None:
    (folder / "1.yaml").write_text(f"about: {'[' * 3_000}")
    assert problems(folder) == [f"{folder}/1.yaml:1: cannot be read as YAML: RecursionError"]


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
def test_a_threshold_that_is_no_number_is_told(folder: Path, number: str) -> None:
    text = CLASSIC.replace('count: {op: ">", n: 3}', f'count: {{op: ">", n: {number}}}')
    (folder / "1.yaml").write_text(text, "utf-8")
    [problem] = problems(folder)
    assert "scoring.rules[7].count.n: Input should be a finite number" in problem
