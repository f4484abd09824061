"""What is typed about a policy, and what it answers."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from desk.__main__ import main
from schemas.policy import Policy

POLICIES = Path(__file__).parents[3] / "deploy" / "policies"
CLASSIC = POLICIES / "classic-50" / "1.yaml"
TEXT = CLASSIC.read_text("utf-8")


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, ["policy", *map(str, words)])


def a_file(folder: Path, name: str = "draft.yaml", **replaced: str) -> Path:
    """classic-50 with the words replaced that `replaced` names, under a name of its own."""
    text = TEXT
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder / name


def line_of(text: str, words: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if words in line)


@pytest.mark.parametrize(("name", "rules"), [("balanced", 10), ("classic-50", 9), ("strict-70", 9), ("demo", 9)])
def test_the_policies_that_are_shipped_are_valid_without_a_warning(name: str, rules: int) -> None:
    for path in (POLICIES / name, POLICIES / name / "1.yaml"):
        answer = typed("validate", path)
        assert (answer.exit_code, answer.output) == (
            0,
            f"valid: {name} version 1 from 2026-01-01T00:00:00+00:00 on: {rules} rules, 3 bands, 5 clocks\n",
        )


def test_all_that_is_wrong_is_told_with_file_line_and_field(tmp_path: Path) -> None:
    draft = a_file(tmp_path, **{"fast_track: true": "fast_track: perhaps", "points: 25": "points: many"})
    answer = typed("validate", draft)
    first, second = answer.output.splitlines()
    assert answer.exit_code == 1
    assert first.startswith(
        f"{draft}:{line_of(TEXT, 'ind_tech')}: scoring.rules[2].points: Input should be a valid number"
    )
    assert second.startswith(f"{draft}:{line_of(TEXT, 'fast_track')}: gate.fast_track: Input should be a valid boolean")


def test_a_warning_has_its_line_and_its_reason_and_the_policy_is_valid(tmp_path: Path) -> None:
    draft = a_file(
        tmp_path,
        **{
            "exclusive: size, attribute: {name: company_size, between: [10, 500]}": (
                "exclusive: size, attribute: {name: company_size, between: [10, 2000]}"
            )
        },
    )
    answer = typed("validate", draft)
    warning, valid = answer.output.splitlines()
    assert answer.exit_code == 0
    assert warning == (
        f"{draft}:{line_of(TEXT, 'size_mid')}: scoring.rules[1]: warning: size_mid can never pay: "
        'whenever it is true, so is size_small before it, and of "size" only the first pays'
    )
    assert valid.startswith("valid: classic-50 version 1")
    told = json.loads(typed("validate", draft, "--json").output)
    assert told == {"valid": True, "problems": [], "warnings": [warning]}


def test_a_file_called_by_a_number_has_to_be_that_version(tmp_path: Path) -> None:
    answer = typed("validate", a_file(tmp_path, "2.yaml"))
    assert answer.exit_code == 1
    assert answer.output.endswith(f"2.yaml:{line_of(TEXT, 'version')}: version: expected the file's name, 2\n")
    assert typed("validate", a_file(tmp_path, "2.yaml", **{"version: 1": "version: 2"})).exit_code == 0


def test_of_a_folder_only_versions_in_force_or_to_come_are_warned_of(tmp_path: Path) -> None:
    odd = {"high_intent: [demo_requested, sales_inquired]": "high_intent: []"}
    folder, later = tmp_path / "classic-50", "2026-01-02T00"
    a_file(folder, "1.yaml", **odd)
    assert "warning" in typed("validate", folder).output
    a_file(folder, "2.yaml", **{"version: 1": "version: 2", "2026-01-01T00": later})
    answer = typed("validate", folder)
    assert (answer.exit_code, answer.output.count("\n")) == (0, 1)
    a_file(folder, "3.yaml", **odd, **{"version: 1": "version: 3", "2026-01-01T00": "2999-01-01T00"})
    answer = typed("validate", folder)
    assert {line.split(":")[0] for line in answer.output.splitlines()} == {f"{folder}/3.yaml", "valid"}
    assert "version 2 from" in answer.output.splitlines()[-1]
    assert "version 3 from" in answer.output.splitlines()[-1]
    a_file(folder, "3.yaml", **{"version: 1": "version: 3"})
    assert typed("validate", folder).exit_code == 1


def test_show_tells_the_policy_in_force_by_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BATON_POLICIES", str(POLICIES / "strict-70"))
    answer = typed("show")
    assert (answer.exit_code, answer.output) == (0, typed("show", POLICIES / "strict-70" / "1.yaml").output)
    assert answer.output.startswith("strict-70, version 1, from 2026-01-01 00:00 UTC on\n")
    assert Policy.model_validate_json(typed("show", "--json").output).ref.name == "strict-70"
    monkeypatch.setenv("BATON_POLICIES", str(tmp_path / "nowhere"))
    answer = typed("show")
    assert answer.exit_code == 1
    assert "nowhere: is no folder" in answer.stderr


def test_of_a_folder_the_version_in_force_is_shown_and_compared(tmp_path: Path) -> None:
    folder = tmp_path / "classic-50"
    a_file(folder, "1.yaml")
    a_file(
        folder, "2.yaml", **{"version: 1": "version: 2", "2026-01-01T00": "2999-01-01T00", "points: 10,": "points: 9,"}
    )
    assert typed("show", folder).output.startswith("classic-50, version 1,")
    assert typed("show", folder / "2.yaml").output.startswith("classic-50, version 2, from 2999-01-01")
    assert typed("diff", CLASSIC, folder).exit_code == 0
    assert typed("diff", folder, folder / "2.yaml").exit_code == 1


def test_diff_answers_in_words_and_by_its_exit_code_as_diff_does(tmp_path: Path) -> None:
    draft = a_file(tmp_path, **{"points: 10, engagement": "points: 15, engagement", 'op: ">", n: 50': 'op: ">", n: 60'})
    same = typed("diff", CLASSIC, CLASSIC.parent)
    assert (same.exit_code, same.output) == (0, "no difference\n")
    told = typed("diff", CLASSIC, draft)
    lines = ["downloading a case study: 15 points, were 10", "band pass begins above 60, was above 50"]
    assert (told.exit_code, told.output.splitlines()) == (1, lines)
    told = typed("diff", CLASSIC, draft, "--json")
    assert (told.exit_code, json.loads(told.output)["differences"]) == (1, lines)


def test_diff_tells_a_reason_and_finds_no_difference_of_terms(tmp_path: Path) -> None:
    draft = a_file(tmp_path, **{"content: case_study}": "content: case_study}, because: proof"})
    told = typed("diff", CLASSIC, draft)
    reason = "the reason of dl_case is given now: proof"
    assert (told.exit_code, told.output) == (0, f"no difference of terms\n{reason}\n")
    answer = json.loads(typed("diff", CLASSIC, draft, "--json").output)
    assert (answer["differences"], answer["reasons"]) == ([], [reason])


def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("policy: [")
    for before, after in ((CLASSIC, broken), (broken, CLASSIC), (tmp_path, CLASSIC)):
        answer = typed("diff", before, after)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr.startswith("The policy cannot be used:\n")
    for verb, *others in (("diff", CLASSIC), ("validate",), ("show",)):
        answer = typed(verb, *others, tmp_path / "none")
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert "exist" in answer.stderr
    assert typed("validate", broken).exit_code == typed("show", broken).exit_code == 1


def test_a_stranger_s_words_do_not_steer_the_terminal(tmp_path: Path) -> None:
    draft = a_file(tmp_path, **{"name: Grace": 'name: "Gr\\e[2Jace"'})
    assert "Gr\\x1b[2Jace" in typed("show", draft).output
    assert "Gr\\x1b[2Jace" in typed("diff", CLASSIC, draft).output
