"""Looks the installed packages up among known weaknesses, and says what could not be looked up.

Ends with 1 only if a package has a known weakness that a newer version mends. Where the index
cannot be reached, or knows no weaknesses (as many mirrors do not), that is said and is no failure:
pip-audit alone would then print that it found none.
"""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("pip-audit: NOT AUDITED: no answer from the package index on known weaknesses.")
        return 0
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    audited = [one for one in packages if "vulns" in one]
    weak = [(one, known) for one in audited for known in one["vulns"]]
    print(
        f"pip-audit: {len(audited)} packages looked up, {len(weak)} known weaknesses; "
        f"NOT AUDITED: {len(skipped)} that the index tells nothing of."
    )
    for one, known in weak:
        mended = ", ".join(known["fix_versions"]) or "no version yet"
        print(f"  {one['name']} {one['version']}: {known['id']}, mended in {mended}")
    return 1 if any(known["fix_versions"] for _, known in weak) else 0


if __name__ == "__main__":
    sys.exit(main())
