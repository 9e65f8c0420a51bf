"""`make try-wheel`: a wheel from a clean clone, in an empty environment, runs all that README shows.

Every command and every block of Python is read from README.md. Lines that install run first, then the network
goes. A block runs from top to bottom in one folder, a command of the prose or a table in a folder of its own.
Each finds there what README says is the user's: sounds, weights, a module, a grid. What is not run is
counted, with its rule. Argument: the Python that the environment is made with, by default this one.
"""

import fcntl
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 60_000_000  # of a wheel
PORT = 5078
REGION = re.compile(r"<!-- protoviz table .*?<!-- end -->", re.DOTALL)  # names the command that wrote it
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(protoviz|make|pip|uv|conda|source|py|jupyter|docker|[.]venv\S+) ")
LEFT_OUT = (
    (r"make ", "needs a checkout: `make test` is one, and the tests ask whether the targets are there"),
    (r"conda |docker ", "another way to install, which is not here"),
    (r"py |\.venv\\", "for Windows"),
    (r"source |uv venv|uv build", "makes or enters an environment, as this script did"),
    (r"jupyter ", "stays open until it is ended"),
)
ANSWERS = "mini-mae\nfolder\nclips\nlinear,protobin\nn\n"  # for a command that asks
FROZEN = """class MyEncoder(MelPatches):
    def __init__(self):
        super().__init__()
        self.eval().requires_grad_(False)
"""
UNREACHABLE = """import errno, socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    raise SystemExit(error.errno != errno.ENETUNREACH)
raise SystemExit(1)
"""
GUARD = """import errno, socket
there = socket.socket.connect

def connect(self, address):
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(errno.ENETUNREACH, "no other machine is to be asked")
    return there(self, address)

socket.socket.connect = connect
"""
GRID = """name = "mine"
seeds = [0]
epochs = 1
[search]
sobol = 1
tpe = 1
tpe_round = 1
epochs = 1
rungs = [1]
[datasets.folder]
use = "folder"
options = { root = "clips", seconds = 1.0 }
[encoders.mini-mae]
[probes]
linear = {}
"""


@dataclass(frozen=True)
class Line:
    """A command of README, or a block of its Python; lines of one block share a place."""

    text: str
    place: int
    python: bool = False

    @property
    def why_not(self) -> str | None:
        """The rule by which it is not run."""
        return next((why for rule, why in LEFT_OUT if not self.python and re.match(rule, self.text)), None)

    @property
    def installs(self) -> bool:
        """Whether it needs the network."""
        return not self.python and re.match(r"(uv )?pip install ", self.text) is not None


def lines(readme: str) -> list[Line]:
    """Return what README shows, in its order, nothing twice."""
    readme, found = REGION.sub("", readme), []
    for place, match in enumerate(re.finditer(rf"{FENCE.pattern}|`([^`\n]+)`", readme, FENCE.flags)):
        kind, block, inline = match.groups()
        if kind == "python":
            found.append(Line(block, place, python=True))
        elif kind == "":
            texts = (line.split("  #")[0].strip() for line in block.splitlines())
            found += [Line(text, place) for text in texts if text]
        elif inline and COMMAND.match(inline):
            found.append(Line(inline, place))
    return list({line.text: line for line in found}.values())


def main() -> None:
    shown = lines((ROOT / "README.md").read_text(encoding="utf-8"))
    if sys.argv[1:2] == ["offline"]:
        loopback()
        return offline(Path(sys.argv[2]), shown)
    with TemporaryDirectory(prefix="protoviz-wheel-") as folder:
        place = Path(folder)
        install(place, shown, (sys.argv[1:] or [sys.executable])[0])
        # A network of its own, in which there is nobody; as anyone but root it needs a user of its own, too.
        alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        if subprocess.run([*alone, "true"], capture_output=True).returncode:
            print("`unshare --net` is not allowed here: Python's sockets refuse other machines", flush=True)
            packages = next((place / "env" / "lib").glob("python*")) / "site-packages"
            (packages / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
            return offline(place, shown)
        call = [*alone, sys.executable, "-m", "benchmarks.wheel", "offline", folder]
        if subprocess.run(call).returncode:
            sys.exit(1)


def install(place: Path, shown: list[Line], python: str) -> None:
    """Build from a clone of what is committed, and install as README says, with the pinned versions."""
    uv, pins = [sys.executable, "-m", "uv"], ROOT / "constraints.txt"
    run = partial(subprocess.run, check=True, cwd=place)
    run(["git", "clone", "--quiet", str(ROOT), "clone"])
    run([*uv, "build", "--quiet", "--out-dir", "dist", "clone"])  # the sdist, and the wheel from it
    for file in sorted((place / "dist").glob("protoviz*")):
        print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")
        if file.stat().st_size > MOST_BYTES:
            sys.exit(f"{file.name} is too large: {MOST_BYTES / 1e6:.0f} MB at most")
    run([*uv, "venv", "--quiet", "--seed", "--python", python, "env"])
    shutil.copy(next((place / "dist").glob("*.whl")), place)
    env = environment(place) | {"UV_CONSTRAINT": str(pins), "PIP_CONSTRAINT": str(pins)}
    for line in filter(lambda line: line.installs, shown):
        print(f"$ {line.text}", flush=True)
        call = shlex.split(line.text)
        # Named outright: as a module of this environment uv would install into this one.
        own = [*uv, *call[1:], "--python", str(place / "env")]
        call = own if call[0] == "uv" else [str(place / "env/bin/pip"), *call[1:]]
        if not subprocess.run(call, cwd=place, env=env, stdout=subprocess.DEVNULL).returncode:
            continue
        if "--torch-backend" not in call:
            sys.exit(f"failed: {line.text}")
        print("  the CPU build is not to be had that way here: pip brings torch, uv the rest", flush=True)
        torch = next(pin for pin in pins.read_text().split() if pin.startswith("torch=="))
        run([place / "env/bin/pip", "install", "--quiet", torch], env=env)
        at = call.index("--torch-backend")
        run([*call[:at], "--quiet", *call[at + 2 :]], env=env)


def offline(place: Path, shown: list[Line]) -> None:
    """Run everything else, where no address but this machine's own is to be reached."""
    if subprocess.run([place / "env/bin/python", "-c", UNREACHABLE]).returncode:
        sys.exit("the network is still there")
    counts = {"run": 0, "installed": sum(line.installs for line in shown)}
    for line in shown:
        if line.installs:
            continue
        if line.why_not:
            counts[line.why_not] = counts.get(line.why_not, 0) + 1
            continue
        folder = place / "here" / str(line.place)
        if not folder.exists():
            theirs(folder, place / "clone")
        start = time.monotonic()
        done, said = carried_out(line, folder, environment(place))
        if not done:
            sys.exit(f"failed: {line.text}\n{said}")
        counts["run"] += 1
        print(f"{time.monotonic() - start:6.1f} s  {line.text.splitlines()[0]}", flush=True)
    print("\n".join(f"{count:3d}  {what}" for what, count in counts.items()))


def carried_out(line: Line, folder: Path, env: dict[str, str]) -> tuple[bool, str]:
    """Whether a line did what it should, and what it printed."""
    if line.python:
        call = [str(Path(env["VIRTUAL_ENV"]) / "bin/python"), "-c", line.text]
    else:
        call = shlex.split(line.text.replace("DIR", "clips"))
    if call[:2] == ["protoviz", "serve"]:
        return served([*call, "--no-show", "--port", str(PORT)], folder, env)
    asked, answers = os.openpty()
    os.write(asked, ANSWERS.encode())
    options = {"cwd": folder, "env": env, "stdin": answers, "text": True}
    done = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    os.close(asked), os.close(answers)
    return done.returncode == 0, done.stdout


def served(call: list[str], folder: Path, env: dict[str, str]) -> tuple[bool, str]:
    """Whether a server answers with the explorer's page."""
    with subprocess.Popen(
        call, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        until = time.monotonic() + 300
        while time.monotonic() < until and server.poll() is None:
            try:
                with urlopen(f"http://127.0.0.1:{PORT}/app", timeout=60) as answer:
                    good = answer.status == 200
                break
            except OSError:
                time.sleep(0.5)
        else:
            good = False
        server.send_signal(signal.SIGINT)
        return good, server.stdout.read()


def theirs(folder: Path, clone: Path) -> None:
    """What README takes for granted in a user's folder: clips, weights, a module, a grid; small ones."""
    rng, seconds = np.random.default_rng(0), np.arange(16000) / 16000
    for number, label in enumerate(("bell", "rain", "whistle"), 1):
        for clip in range(8):
            path = folder / "clips" / label / f"{clip}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = 0.1 * rng.standard_normal(len(seconds))
            soundfile.write(path, noise + 0.3 * np.sin(2 * np.pi * 300 * number * seconds), 16000)
    golden = clone / "tests" / "golden" / "encoders" / "eat" / "model.safetensors"
    shutil.copy(golden, folder / "model.safetensors")  # of the published layout, and small
    shutil.copy(golden, folder / "eat.safetensors")
    sys.path.insert(0, str(clone / "tests"))
    from own_classes import notebooks_encoder

    module = f"{notebooks_encoder()}\n\n{FROZEN}"
    (folder / "my_module.py").write_text(module, encoding="utf-8")
    (folder / "mine.toml").write_text(GRID, encoding="utf-8")


def environment(place: Path) -> dict[str, str]:
    """The variables of a user who has entered the environment; nothing of this process's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PROTOVIZ"))}
    own = {"PROTOVIZ_CACHE": str(place / "cache"), "PROTOVIZ_WEIGHTS": ".", "VIRTUAL_ENV": str(place / "env")}
    return kept | own | {"PATH": f"{place / 'env' / 'bin'}:{os.environ['PATH']}"}


def loopback() -> None:
    """Bring up the address 127.0.0.1, which a new network has asleep."""
    flags, up = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, flags, struct.pack("16sh14x", b"lo", up))


if __name__ == "__main__":
    main()
