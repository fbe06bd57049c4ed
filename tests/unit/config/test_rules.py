"""Rules in the configuration: what is wrong with them, and which one decides on a call that is described."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from siprec_src.cli import main
from siprec_src.communication import CallDirection
from siprec_src.config import Config, InvalidConfiguration, from_values, load

HEAD = """\
[[trunk]]
name = "pbx"
from = ["192.0.2.5"]
to = "carrier"
uri = "sip:192.0.2.5"
direction = "outbound"
[[trunk]]
name = "carrier"
from = ["192.0.2.6"]
to = "pbx"
uri = "sip:192.0.2.6"
"""
SRS = '[[srs]]\nuri = "sip:127.0.0.1:5090"\n'
CONNECTOR = '[[connector]]\nname = "Grid"\nuri = "sip:127.0.0.1:5091"\nfailover = ["sip:127.0.0.1:5092"]\n'
RULE_LINE = HEAD.count("\n") + SRS.count("\n") + 1


def read(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "siprec-src.toml"
    file.write_text(text)
    return load(file, {}, {})


@pytest.mark.parametrize(
    ("keys", "line", "problem"),
    [
        ('trunk = "pbs"', 1, "rule.1.trunk: no trunk 'pbs' (did you mean 'pbx'?)"),
        ('trunk = ["pbx", "other"]', 1, "rule.1.trunk: no trunk 'other'"),
        ('connector = "Gird"', 1, "rule.1.connector: no connector 'Gird' that calls may use"),
        ('time = "mon"\ntime_zone = "Europe/Berlim"', 2, "rule.1.time_zone: this system knows no time zone"),
        ('time_zone = "../../etc/passwd"', 1, "rule.1.time_zone: this system knows no time zone"),
        ('caller = ["+49*", ""]', 1, "rule.1.caller: expected a pattern of 1 to 256"),
        ("caller = 49", 1, "rule.1.caller: "),
        ('header = { "X:Y" = "a" }', 1, "rule.1.header: 'X:Y' is no name"),
        ('time = "8-18"', 1, "rule.1.time: '8-18': expected hours"),
        ("percentage = -1", 1, "rule.1.percentage: expected 0 to 100"),
        ('record = "always"', 1, "rule.1.record: "),
        ('track = "inbound"', 1, "rule.1.track: "),
        ('policy = "strict"', 1, "rule.1.policy: "),
        ('record = "no"\npolicy = "required"', 2, 'rule.1.policy: needs record = "force" or "yes"'),
        ('parameters = { a = "{b}" }', 1, "rule.1.parameters: unknown placeholder"),
        ('callers = "a"', 1, "rule.1.callers: unknown key (did you mean 'caller'?)"),
        ('name = "a"\n[[rule]]\nname = "a"', 3, "rule.2.name: rule 'a' is there already"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_with_line_and_key(
    tmp_path: Path, keys: str, line: int, problem: str
) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read(tmp_path, f"{HEAD}{SRS}[[rule]]\n{keys}\n")
    (told,) = caught.value.problems
    assert told.startswith(f"{tmp_path / 'siprec-src.toml'}:{RULE_LINE + line}: {problem}")


def test_a_parameter_that_cannot_be_the_header_field_it_is_to_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"rule\.1\.parameters: 'a b' cannot be"):
        read(tmp_path, f'{HEAD}{SRS}parameters_as_headers = true\n[[rule]]\nparameters = {{ "a b" = "c" }}\n')


def test_a_rule_that_records_needs_somewhere_to_record_at(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"rule\.1\.connector: missing: there is no \[\[srs\]\]"):
        read(tmp_path, f"{HEAD}{CONNECTOR}[[rule]]\n")
    assert read(tmp_path, f'{HEAD}{CONNECTOR}[[rule]]\nconnector = "Grid"\n').rules[0].via is not None


def test_rules_and_directions_are_the_same_for_the_processes_that_read_them_again(tmp_path: Path) -> None:
    rule = '[[rule]]\ntime = "mon"\ntime_zone = "Europe/Berlin"\nconnector = "Grid"\n'
    config = read(tmp_path, HEAD + SRS + CONNECTOR + rule)
    again = from_values(config.values)
    assert again.rules == config.rules
    assert config.rules[0].name == "rule 1"
    summer = dt.datetime(2026, 7, 1, tzinfo=config.rules[0].zone)
    assert summer.utcoffset() == dt.timedelta(hours=2)
    assert [trunk.direction for trunk in again.trunks] == [CallDirection.OUTBOUND, CallDirection.INBOUND]


# check --call

RULES = """\
[[rule]]
name = "board"
callee = "+4930123*"
record = "never"
[[rule]]
name = "sales"
trunk = "carrier"
header = { "X-Queue" = "sales*" }
time = "mon-fri 08:00-18:00"
time_zone = "Europe/Berlin"
record = "force"
policy = "required"
connector = "Grid"
track = "outbound_track"
parameters = { Custom1 = "Bob", Queue = "{header:X-Queue}", Who = "{from.user}" }
[[rule]]
name = "some"
percentage = 25
[[rule]]
name = "rest"
record = "no"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "siprec-src.toml"
    file.write_text(HEAD + SRS + CONNECTOR + RULES)
    return file


def check(file: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["check", "--config", str(file), *words])


def tried(file: Path, *words: str) -> dict[str, Any]:
    result = check(file, "--call", "--json", *words)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_described_call_is_told_its_rule_and_what_is_recorded_where(file: Path) -> None:
    words = ("from=+4940555", "to=+4930999", "trunk=carrier", "header.X-Queue=sales-1")
    found = tried(file, *words, "at=2026-11-20T17:30+01:00")
    assert (found["rule"], found["record"], found["recorded"]) == ("sales", "force", True)
    assert (found["policy"], found["connector"]) == ("required", "Grid")
    assert found["parameters"] == {"Custom1": "Bob", "Queue": "sales-1", "Who": "+4940555"}
    (copy,) = found["copies"]
    assert copy["srs"] == ["sip:127.0.0.1:5091", "sip:127.0.0.1:5092"]
    assert copy["tracks"] == ["outbound_track"] * 2
    assert found["call"]["direction"] == "inbound"
    late = tried(file, *words, "at=2026-11-20T17:30+00:00")
    (sales,) = [rule for rule in late["rules"] if rule["name"] == "sales"]
    assert sales["holds"] is False
    assert sales["condition"] == 'time = "mon-fri 08:00-18:00" (Europe/Berlin)'


def test_every_rule_is_told_with_why_it_does_not_decide(file: Path) -> None:
    found = tried(file, "from=sip:a@x.example", "to=tel:+49-30-1234", "trunk=pbx")
    assert (found["rule"], found["recorded"], found["reason"]) == ("board", False, "rule")
    assert found["copies"] == []
    assert found["call"]["direction"] == "outbound"
    assert [(rule["name"], rule["why"], rule["condition"]) for rule in found["rules"]] == [
        ("board", "decides: the first force or never that holds", ""),
        ("sales", "trunk does not hold", 'trunk = "carrier"'),
        ("some", "holds, but 'board' is stronger; holds for 25 % of such calls", ""),
        ("rest", "holds, but 'board' is stronger", ""),
    ]


def test_of_a_call_whose_session_is_known_also_the_percentage_is(file: Path) -> None:
    assert tried(file, "session=AAAAAAAAAAAAAAAAAAAAAA==")["rule"] == "some"
    assert tried(file, "session=AAAAAAAAAAAAAAAAAAAAAQ==")["rule"] == "rest"


def test_it_is_written_for_people_too(file: Path) -> None:
    result = check(file, "--call", "from=1", "to=2", "trunk=pbx", "session=AAAAAAAAAAAAAAAAAAAAAA==")
    assert "* some (yes): decides: the first yes or no that holds" in result.stdout
    assert '  board (never): callee does not hold: callee = "+4930123*"' in result.stdout
    assert "recorded at sip:127.0.0.1:5090 (both_tracks)" in result.stdout
    result = check(file, "--call", "to=+49301234")
    assert "not recorded: rule" in result.stdout


def test_without_a_rule_that_decides_automatic_does(file: Path) -> None:
    file.write_text(HEAD + SRS + "[recording]\nautomatic = false\n")
    found = tried(file, "from=1", "to=2")
    assert (found["rule"], found["rules"], found["reason"]) == ("", [], "on-command")
    assert "no rule decides" in check(file, "--call").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--call", "from"),
        ("--call", "form=1"),
        ("--call", "from=1", "from=2"),
        ("--call", "trunk=other"),
        ("--call", "direction=up"),
        ("--call", "at=noon"),
        ("--call", "at=2026-11-20T10:00"),
        ("--call", "at=9999-12-31T23:59+00:00", "from=+4940555", "to=+4930999", "trunk=carrier"),
        ("--call", "at=0001-01-01T00:00+14:00", "from=+4940555", "to=+4930999", "trunk=carrier"),
        ("--call", "session=short"),
        ("--call", "header.X Y=1"),
        ("--call", "from=sip:a b@c"),
        ("--json",),
        ("from=1",),
    ],
)
def test_a_wrong_description_is_a_wrong_command_line(file: Path, words: tuple[str, ...]) -> None:
    result = check(file, *words)
    assert result.exit_code == 64
    assert "Error: " in result.stderr


def test_a_configuration_that_cannot_be_used_is_that_first(file: Path) -> None:
    file.write_text("[[rule]]\n")
    assert check(file, "--call", "from=1").exit_code == 78
