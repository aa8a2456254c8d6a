"""What `make demo` has to compile on a machine that has nothing yet, in seconds and in a unit that machines share.

The program is built as the demo builds it, from nothing, into a folder of its own that is deleted afterwards (but not
what cargo has downloaded: the network is no part of the figure). Wall is the time until cargo ended; CPU is the user
and system time of cargo and all compilers it started, as the operating system accounts for them.

Machines differ several-fold, so the CPU time is also told in units: one unit is what compiling one crate, sqlparser at
opt-level 2, takes alone on the same machine a minute earlier. The dearest crates and their wall seconds are cargo's own
(`--timings`, whose page is kept beside the folder); two crates are compiled at a time on two cores, so these add up to
more than the wall time, and each is a little dearer than it would be alone.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

UNIT = "sqlparser"


def spent(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command that builds into `folder`. Ends the program where the command fails."""
    # Paths of a wrapper or flags of a developer's own would be measured with it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RUSTC_", "RUSTFLAGS"))}
    environment |= {"CARGO_TARGET_DIR": str(folder), "CARGO_INCREMENTAL": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=environment, check=False)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command)}` ended with {done.returncode}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def unit_seconds(folder: Path) -> float:
    """CPU seconds of one unit. What the crate itself depends on is compiled before the clock starts.

    How it is compiled is said here, with cargo's defaults, so that a change of the profile does not change the unit.
    """
    package = f"profile.dev.package.{UNIT}"
    settings = [f"{package}.opt-level=2", f"{package}.codegen-units=16", "profile.dev.lto=false"]
    at_two = [part for setting in settings for part in ("--config", setting)]
    build = ["cargo", "build", "--quiet", "--locked", "--package", UNIT, *at_two]
    spent(build, folder)
    spent(["cargo", "clean", "--quiet", "--locked", "--package", UNIT], folder)
    return spent(build, folder)[1]


def dearest_crates(page: Path, count: int) -> list[tuple[str, float]]:
    """The crates that took longest, by the page that `cargo build --timings` writes: name and wall seconds."""
    found = re.search(r"const UNIT_DATA = (\[.*?\]);\n", page.read_text(), re.DOTALL)
    if found is None:
        sys.exit(f"{page} holds no timings; this cargo writes them in another form")
    seconds: dict[str, float] = {}
    for unit in json.loads(found.group(1)):
        kind = " (build script)" if "build script" in unit.get("target", "") or unit["mode"] == "run-custom-build" else ""
        name = unit["name"] + kind
        seconds[name] = seconds.get(name, 0.0) + unit["duration"]
    return sorted(seconds.items(), key=lambda item: -item[1])[:count]


def machine() -> str:
    """Processor, cores at hand and compiler."""
    described = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*: (.*)$", described, re.MULTILINE)
    compiler = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{model.group(1) if model else 'unknown processor'}, {os.cpu_count()} cores, {compiler}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where to build; deleted before and after")
    parser.add_argument("--profile", default="dev", help="cargo's profile: dev, as the demo, or dist")
    parser.add_argument("--crates", type=int, default=10, help="how many of the dearest crates to name")
    asked = parser.parse_args()

    subprocess.run(["cargo", "fetch", "--quiet", "--locked"], check=True)
    shutil.rmtree(asked.folder, ignore_errors=True)
    unit = unit_seconds(asked.folder / "unit")
    whole = asked.folder / "whole"
    # The same command as the Makefile's.
    wall, cpu = spent(["cargo", "build", "--locked", "--workspace", "--timings", "--profile", asked.profile], whole)
    crates = dearest_crates(whole / "cargo-timings" / "cargo-timing.html", asked.crates)
    built = whole / ("debug" if asked.profile == "dev" else asked.profile) / "throughline"
    megabytes = built.stat().st_size / 1e6
    page = asked.folder.with_suffix(".html")
    shutil.copy(whole / "cargo-timings" / "cargo-timing.html", page)
    shutil.rmtree(asked.folder)

    print(f"{machine()}, profile {asked.profile}, from nothing")
    print(f"  wall {wall:,.0f} s   CPU {cpu:,.0f} s   program {megabytes:,.0f} MB")
    print(f"  one unit ({UNIT} alone, opt-level 2) {unit:,.1f} s of CPU, so the build costs {cpu / unit:.1f} units")
    print("  dearest crates, seconds of wall:")
    for name, seconds in crates:
        print(f"    {seconds:7.1f}  {name}")
    print(f"  all crates: {page}")


if __name__ == "__main__":
    main()
