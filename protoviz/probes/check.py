"""Whether a new probe keeps what `Probe` promises: one finding a promise, in words with the cure.

    from protoviz.probes.check import assert_probe

    def test_my_probe():
        assert_probe(MyProbe)

`protoviz check-probe my_module:MyProbe` prints the same findings. All is tested on random tokens.
"""

from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import torch

from protoviz.encoders.check import Check, CheckResult, failures, run_checks
from protoviz.encoders.check.subject import EXACT, Fault, apart, listed
from protoviz.named import is_place
from protoviz.probes.base import Family, Probe, ProbeError
from protoviz.probes.methods import PROBES, built, name_of, probe_class, untrained
from protoviz.probes.storage import load_probe, save_probe

DIM, CLASSES, GRID = 96, 3, (5, 3)  # a width that the numbers of heads and queries divide
ROWS = 3  # of GRID, that hold the clip in a test of padding
SHIFT = 0.1  # of weights from their start, where many are equal or zero


class Subject:
    """A class of probes under test."""

    call = "the probe"

    def __init__(self, probe: type[Probe]):
        self.found = probe
        self.last = f"random tokens (2, {GRID[0] * GRID[1]}, {DIM}), a grid of {GRID[0]} x {GRID[1]}"

    def made(self, grid=GRID, **options) -> Probe:
        """Return a probe with weights away from their start, in evaluation mode."""
        probe = untrained(built(self.found, self.found.__name__, DIM, CLASSES, grid, **options), 0)
        dice = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weights in probe.parameters():
                weights += SHIFT * torch.randn(weights.shape, generator=dice)
        return probe

    @cached_property
    def probe(self) -> Probe:
        """The one that most checks ask."""
        return self.made()

    def tokens(self, clips: int = 2, rows: int = GRID[0]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens (b n d) and [cls] (b d), always the same."""
        dice = torch.Generator().manual_seed(2)
        cls = torch.randn(clips, DIM, generator=dice)
        return torch.randn(clips, rows * GRID[1], DIM, generator=dice), cls

    def logits(self, probe: Probe, *inputs) -> torch.Tensor:
        """Return logits without a gradient."""
        with torch.no_grad():
            return probe(*inputs)


def attributes(subject: Subject) -> str:
    """Check name, family, what it reads, and options that a saved probe keeps."""
    found, probe = subject.found, subject.probe
    lost = [name for name in found.own_options() if name not in probe.hyper]
    wanted = [
        (found.name, "name, a text that tables and figures show"),
        (PROBES.get(found.name, found) is found, f"another name: protoviz has a probe {found.name!r}"),
        (found.family in get_args(Family), f"family, one of {', '.join(get_args(Family))}"),
        (set(probe.reads) <= {"tokens", "cls"}, "reads, of 'tokens' and 'cls'"),
        (
            not lost,
            f"its options where they are kept: super().__init__(dim, classes, grid, {', '.join(lost)}=...)",
        ),
    ]
    if faults := [cure for holds, cure in wanted if not holds]:
        raise Fault(f"give the class {listed(faults)}")
    return f"{found.name}, of the family {found.family}; its options: {', '.join(found.options()) or 'none'}"


def shapes(subject: Subject) -> str:
    """Check that logits are (b c), or (b t c) of a probe that answers frame by frame, and finite."""
    logits = subject.logits(subject.probe, *subject.tokens())
    if logits.shape not in ((2, CLASSES), (2, GRID[0], CLASSES)):
        raise Fault(f"logits of 2 clips and {CLASSES} classes are {tuple(logits.shape)}; give (b c)")
    if not logits.isfinite().all():
        raise Fault("logits of random tokens hold NaN or infinity; mind divisions, logarithms and -inf")
    return f"logits {tuple(logits.shape)}"


def repeated(subject: Subject) -> str:
    """Check that the same bits come twice, and the same first weights from the same seed."""
    inputs = subject.tokens()
    if not torch.equal(*(subject.logits(subject.probe, *inputs) for _ in range(2))):
        raise Fault("the same tokens give other logits the second time; draw nothing in evaluation mode")
    one, other = (list(subject.made().parameters()) for _ in range(2))
    if not all(map(torch.equal, one, other)):
        raise Fault("one seed gives other first weights; draw them by torch's global generator alone")
    return "the same bits twice"


def mask(subject: Subject) -> str:
    """Check that padding changes nothing, whatever it holds."""
    (tokens, cls), real = subject.tokens(), ROWS * GRID[1]
    keep = (torch.arange(tokens.shape[1]) < real).expand(tokens.shape[:2])
    alone = subject.logits(subject.probe, tokens[:, :real], cls)
    frames = slice(ROWS) if alone.ndim == 3 else slice(None)
    for what, padding in (("zeros", 0.0), ("large numbers", 1e3)):
        padded = subject.logits(subject.probe, tokens.masked_fill(~keep[..., None], padding), cls, keep)
        if apart(alone, padded[:, frames]) > EXACT:
            raise Fault(f"padding tokens, which hold {what}, change logits; leave out where mask is False")
    nothing = subject.logits(subject.probe, tokens, cls, torch.zeros_like(keep))
    if not nothing.isfinite().all():
        raise Fault("a clip of padding alone gives NaN or infinity; clamp what is divided by")
    return f"padding changes no logit by more than {EXACT:g}"


def grids(subject: Subject) -> str:
    """Check a clip of another length at the same height, and a probe without a grid."""
    longer = subject.logits(subject.probe, *subject.tokens(rows=2 * GRID[0]))
    if not longer.isfinite().all():
        raise Fault("a clip of twice the length gives NaN or infinity; ask grid_of(count) for its grid")
    try:
        subject.logits(subject.made(grid=None), *subject.tokens())
    except ProbeError as error:
        return f"any length; without a grid: {error}"
    return "any length, and mere rows of tokens"


def batch(subject: Subject) -> str:
    """Check that a clip alone is scored as in a batch, and without [cls] by the mean of its tokens."""
    tokens, cls = subject.tokens(4)
    together = subject.logits(subject.probe, tokens, cls)
    alone = torch.cat([subject.logits(subject.probe, tokens[i : i + 1], cls[i : i + 1]) for i in range(4)])
    if apart(alone, together) > EXACT:
        raise Fault("a clip's logits depend on what else is in its batch; pool over tokens, never over clips")
    if not subject.logits(subject.probe, tokens).isfinite().all():
        raise Fault("without cls logits are NaN or infinite; `prepare` gives the mean token in its place")
    return "a clip alone is scored as in a batch"


def gradient(subject: Subject) -> str:
    """Check that training reaches every parameter."""
    probe = subject.made().train()
    (probe(*subject.tokens(4)).square().mean() + probe.penalty()).backward()
    if missed := [name for name, weights in probe.named_parameters() if weights.grad is None]:
        raise Fault(f"no gradient reaches {', '.join(missed)}; use them in pool or classify without detach()")
    return f"a gradient reaches all {sum(1 for _ in probe.parameters())} parameters"


def layers(subject: Subject) -> str:
    """Check that it reads several layers, or their mixture, and that training reaches every parameter."""
    probe, (tokens, cls) = subject.made(layers=[1, 2]).train(), subject.tokens()
    logits = probe(torch.stack([tokens, 2 * tokens], 1), torch.stack([cls, 2 * cls], 1))
    if logits.shape != subject.logits(subject.probe, tokens, cls).shape or not logits.isfinite().all():
        raise Fault(f"two layers give logits {tuple(logits.shape)}; leave them to `prepare` and `mixed`")
    (logits.square().mean() + probe.penalty()).backward()
    if missed := [name for name, weights in probe.named_parameters() if weights.grad is None]:
        raise Fault(f"with two layers no gradient reaches {', '.join(missed)}")
    return "of several layers it reads all" if probe.several else "of several layers it reads a mixture"


def centred(subject: Subject) -> str:
    """Check that a probe centred on clips scores as another one does on tokens without their clip's mean."""
    tokens, cls = subject.tokens()
    if "tokens" not in subject.probe.reads:
        return "it reads [cls] alone, which nothing is taken off"
    apart_by_hand = subject.logits(subject.probe, tokens - tokens.mean(1, keepdim=True), cls)
    if apart(apart_by_hand, subject.logits(subject.made(centre="clip"), tokens, cls)) > EXACT:
        raise Fault("centre='clip' is not what the mean token off gives; leave it to `prepare`")
    return "centred on clips it reads tokens without their mean"


def explained(subject: Subject) -> str:
    """Check that contributions and bias sum to the logits, and attention to one."""
    inputs = subject.tokens()
    told, logits = subject.probe.explain(*inputs), subject.logits(subject.probe, *inputs)
    if apart(logits, told.logits) > EXACT:
        raise Fault("explain gives other logits than the probe; call pool and classify in _explain")
    if apart(logits, told.contributions.sum(-1) + (0 if told.bias is None else told.bias)) > EXACT:
        raise Fault("contributions and bias do not sum to the logits; write an _explain for this pooling")
    if told.attention is not None and apart(torch.ones(()), told.attention.sum((2, 3))) > EXACT:
        raise Fault("attention does not sum to 1 over the cells")
    return f"contributions of {told.kind} and the bias sum to the logits"


def saved(subject: Subject) -> str:
    """Check that a saved probe scores the same bits when it is loaded."""
    inputs = subject.tokens()
    with TemporaryDirectory() as folder:
        path = save_probe(subject.probe, Path(folder) / "probe.safetensors")
        back = load_probe(path, allow=[subject.found])
    if not torch.equal(subject.logits(back, *inputs), subject.logits(subject.probe, *inputs)):
        raise Fault("a loaded probe scores otherwise; register what decides: parameters, buffers or options")
    name = name_of(subject.found)
    allowed = f"; load_probe(path, allow=[{name.partition(':')[0]!r}]) loads it" if is_place(name) else ""
    return f"saved and loaded it scores the same{allowed}"


def types(subject: Subject) -> str:
    """Check that it reads float16, in which caches keep tokens, and computes in its own type."""
    (tokens, cls), probe = subject.tokens(), subject.made()
    for kind in (torch.float32, torch.float64):
        logits = subject.logits(probe.to(kind), tokens.half(), cls)
        if logits.dtype != kind:
            raise Fault(f"a probe of {kind} gives {logits.dtype}; begin pool with tokens.to(self.dtype)")
    return "float16 tokens give logits of the probe's own type"


CHECKS = (
    Check("attributes", attributes, ()),
    Check("shapes", shapes, ()),
    Check("repeat", repeated, ("shapes",)),
    Check("mask", mask, ("shapes",)),
    Check("grids", grids, ("shapes",)),
    Check("batch", batch, ("shapes",)),
    Check("gradient", gradient, ("shapes",)),
    Check("layers", layers, ("gradient",)),
    Check("centre", centred, ("shapes",)),
    Check("explain", explained, ("shapes",)),
    Check("saved", saved, ("repeat",)),
    Check("types", types, ("shapes",)),
)


def check_probe(probe: type[Probe]) -> list[CheckResult]:
    """Return the findings about a class of probes, in the order of CHECKS; no fault of it is raised."""
    return list(run_checks(Subject(probe), CHECKS))


def check_named(name: str) -> list[CheckResult]:
    """Return the findings about the probe of a name (as in `build_probe`); the first is "import"."""
    try:
        found = probe_class(name)
    except ProbeError as error:
        return [CheckResult("import", "fail", str(error))]
    return [CheckResult("import", "pass", f"{name} is the class {found.__name__}"), *check_probe(found)]


def assert_probe(probe: type[Probe]) -> None:
    """Raise AssertionError that lists what failed, where anything did."""
    failed = failures(check_probe(probe))
    assert not failed, f"{probe.__name__}:\n" + "\n".join(f"  {one.name}: {one.says}" for one in failed)
