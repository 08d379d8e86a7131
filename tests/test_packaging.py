"""What runs it: compose.yaml says what deployments/profile.py says, and asks for no rights."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from deployments.profile import Cluster, server_environment
from tests.fixtures_cli import Lastword

DEPLOYMENTS = Path(__file__).parent.parent / "deployments"
# The database's address has a password in it: it comes of a file, in the command.
OF_THE_PLACE = {
    "PREFECT_API_URL",
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS",
    "PREFECT_API_DATABASE_CONNECTION_URL",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((DEPLOYMENTS / "compose" / "compose.yaml").read_text())
    found: dict[str, Any] = compose["services"]
    return found


def test_prefect_runs_with_our_profile(services: dict[str, Any]) -> None:
    cluster = Cluster(SecretStr(""), SecretStr("redis://redis:6379/0"))
    home, everywhere = Path("/tmp/prefect"), "0.0.0.0"  # noqa: S104, S108
    ours = server_environment(home, "http://prefect:4200/api", everywhere, cluster)
    theirs = services["prefect"]["environment"]
    wanted = {name: value for name, value in ours.items() if name not in OF_THE_PLACE}
    assert {name: theirs.get(name) for name in wanted} == wanted


def test_nothing_is_published_but_on_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", ["prefect", "init", "lastword", "hold"])
def test_our_services_have_no_rights(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not [
        value for value in service["environment"].values() if "://" in value and "@" in value
    ]


def test_secrets_are_made_once_in_a_closed_directory(tmp_path: Path) -> None:
    script = shutil.copy(DEPLOYMENTS / "compose" / "make-secrets", tmp_path)
    subprocess.run([script], check=True, capture_output=True)  # noqa: S603
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    subprocess.run([script], check=True, capture_output=True)  # noqa: S603
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    compose = yaml.safe_load((DEPLOYMENTS / "compose" / "compose.yaml").read_text())
    assert made.keys() == compose["secrets"].keys()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_all_commands(lastword: Lastword, shell: str) -> None:
    said = lastword("completion", shell)
    assert said.code == 0
    assert all(word in said.out for word in ("accounts", "import", "dry-run", "restore"))
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=said.out, text=True, check=True)  # noqa: S607


def test_the_bill_of_materials_is_that_of_the_lock() -> None:
    root = DEPLOYMENTS.parent
    lock = (root / "requirements" / "run.txt").read_text()
    locked = set(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE))
    bom = json.loads((root / "sbom.json").read_text())
    assert {(it["name"], it["version"]) for it in bom["components"]} == locked, "run `make sbom`"
    assert len(locked) > 50


@pytest.mark.parametrize("unit", ["lastword", "lastword-hold"])
def test_what_a_unit_may_do_is_little(unit: str) -> None:
    file = DEPLOYMENTS / "systemd" / f"{unit}.service"
    told = set(file.read_text().splitlines())
    assert {"User=lastword", "UMask=0077", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= told
    assert {"CapabilityBoundingSet=", "ProtectHome=yes", "StateDirectoryMode=0700"} <= told
    if program := shutil.which("systemd-analyze"):  # systemd's own judgement, where there is one
        command = (program, "security", "--offline=true", "--threshold=20", file)
        judged = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        assert judged.returncode == 0, judged.stdout + judged.stderr
