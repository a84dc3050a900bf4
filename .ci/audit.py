"""Hold constraints.txt against the database of known vulnerabilities, where it can be reached.

Exits with 1 where a pinned version has one. pip-audit itself calls it a success when the database
knows none of the packages, as behind a mirror without one; here that is said to be no audit.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def main() -> int:
    """Audit and say what came out."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps"]
    options = ["--disable-pip", "--progress-spinner=off", "--format=json", "--timeout=30"]
    result = subprocess.run(  # noqa: S603 - nothing of it comes from outside
        [*command, *options], capture_output=True, text=True, check=False
    )
    dependencies = _dependencies(result.stdout)
    audited = [each for each in dependencies if "vulns" in each]
    vulnerable = [each for each in audited if each["vulns"]]
    if not audited:
        answer = "knows none of the packages" if dependencies else "cannot be reached"
        _say(f"audit SKIPPED: the database of vulnerabilities {answer}")
        return 0
    for dependency in vulnerable:
        identifiers = ", ".join(vulnerability["id"] for vulnerability in dependency["vulns"])
        _say(f"{dependency['name']} {dependency['version']}: {identifiers}")
    _say(f"audit: {len(audited)} packages, {len(vulnerable)} with known vulnerabilities")
    return 1 if vulnerable else 0


def _dependencies(output: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except ValueError:
        return []
    return found


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
