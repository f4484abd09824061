"""What schemas/README.md tells producers is true."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas.envelope import Decoder
from schemas.export import FOLDER
from schemas.identity import lead_id_of
from schemas.topics import TOPICS

README = (FOLDER / "README.md").read_text()
VECTORS = json.loads((FOLDER.parent / "tests/fixtures/identity/addresses.json").read_text())
ORDINARY = [vector for vector in VECTORS["addresses"] if vector["ordinary"]]


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(text)


def test_its_record_is_an_event_of_the_lead_it_names() -> None:
    event = Decoder(*TOPICS["engagements"].events).event(block("json").encode())
    assert event.subject == lead_id_of(email=event.data.identifiers.email)
    assert json.loads(block("json"))["data"].keys() <= type(event.data).model_fields.keys()


def test_its_python_lines_give_the_leads_id() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    assert names["lead_id"] == lead_id_of(email="ada.nowak@example.com")
    assert f"`ada.nowak@example.com` gives `{names['lead_id']}`" in README


JAVASCRIPT = """
import {{ readFileSync }} from "node:fs";
{sample}
const spellings = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(spellings.map(leadId)));
"""
JAVA = """
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.text.Normalizer;
import java.util.*;

public class Sample {{
{sample}
    public static void main(String[] args) throws Exception {{
        var found = new ArrayList<String>();
        // one address a line, in hexadecimal: the platform's character set does not matter
        for (String line : new String(System.in.readAllBytes(), StandardCharsets.US_ASCII).split(","))
            found.add('"' + leadId(new String(HexFormat.of().parseHex(line), StandardCharsets.UTF_8)) + '"');
        System.out.println(found);
    }}
}}
"""


@pytest.mark.parametrize(
    ("language", "program", "name", "frame"),
    [("javascript", "node", "sample.mjs", JAVASCRIPT), ("java", "java", "Sample.java", JAVA)],
)
def test_its_other_functions_give_the_same_ids(
    language: str, program: str, name: str, frame: str, tmp_path: Path
) -> None:
    command = shutil.which(program)
    if command is None:
        pytest.skip(f"the {language} sample was not run: {program} is not installed")
    (tmp_path / name).write_text(frame.format(sample=block(language)))
    spellings = [vector["spelling"] for vector in ORDINARY]
    told = json.dumps(spellings) if language == "javascript" else ",".join(one.encode().hex() for one in spellings)
    done = subprocess.run(
        [command, tmp_path / name], input=told.encode(), capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == [vector["lead_id"] for vector in ORDINARY]


def test_the_vectors_have_capitals_blanks_and_accents() -> None:
    assert len(ORDINARY) > 8
    assert any(vector["spelling"] != vector["canonical"] for vector in ORDINARY)
    assert any(not vector["canonical"].isascii() for vector in ORDINARY)


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 5
    assert [link for link in links if not (FOLDER / link).exists()] == []
