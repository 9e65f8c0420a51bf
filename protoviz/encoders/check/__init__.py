"""Whether a new encoder keeps what `Encoder` promises: one finding a promise, in words with the cure.

    from protoviz.encoders.check import assert_encoder

    def test_my_encoder():
        assert_encoder(MyEncoder())

`protoviz check-encoder my_module:MyEncoder` prints the same findings. All is tested from outside, by what
comes out for known sounds; the encoder is not changed. Some sixty clips are encoded, most of its full length.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from protoviz.encoders import load_encoder
from protoviz.encoders.base import Encoder, EncoderError
from protoviz.encoders.check.cells import heard, mask, padding
from protoviz.encoders.check.device import other_device
from protoviz.encoders.check.identity import fingerprint
from protoviz.encoders.check.layers import block_outputs
from protoviz.encoders.check.numbers import (
    alone_and_together,
    attention,
    finite,
    float16,
    gradient,
    mean_token,
    repeated,
)
from protoviz.encoders.check.place import at_place, attention_at_place, order
from protoviz.encoders.check.promises import attributes, frozen, inputs, length, settings, shapes, weights
from protoviz.encoders.check.subject import Fault, NotTested, Subject, own_line
from protoviz.encoders.own import own_encoder
from protoviz.encoders.weights import WeightsError
from protoviz.named import is_place

Status = Literal["pass", "fail", "skip"]


@dataclass(frozen=True)
class CheckResult:
    """One finding. `says`: what was found, and where it failed what to do about it."""

    name: str
    status: Status
    says: str


@dataclass(frozen=True)
class Check:
    """One promise, and how it is tested."""

    name: str
    run: Callable[[Any], str]  # what was found; raises Fault or NotTested
    needs: tuple[str, ...] = ("attributes",)  # checks without which this one would only repeat their fault


CHECKS = (
    Check("attributes", attributes, ()),
    Check("frozen", frozen),
    Check("settings", settings),
    Check("fingerprint", fingerprint, ("frozen", "settings")),
    Check("weights", weights),
    Check("shapes", shapes),
    Check("repeat", repeated, ("shapes",)),
    Check("inputs", inputs, ("repeat",)),
    Check("length", length, ("repeat",)),
    Check("finite", finite, ("shapes",)),
    Check("float16", float16, ("finite",)),
    Check("device", other_device, ("repeat",)),
    Check("order", order, ("settings", "repeat", "finite")),
    Check("place", at_place, ("order",)),
    Check("heard", heard, ("place",)),
    Check("mask", mask, ("order",)),
    Check("padding", padding, ("mask",)),
    Check("cls", mean_token, ("mask",)),
    Check("batch", alone_and_together, ("repeat",)),
    Check("attention", attention, ("repeat",)),
    Check("attention place", attention_at_place, ("attention", "place")),
    Check("layers", block_outputs, ("place",)),
    Check("gradient", gradient, ("finite", "heard", "device")),
)


def check_encoder(encoder: Encoder) -> list[CheckResult]:
    """Return the findings about an encoder, in the order of CHECKS; nothing is raised
    for what is wrong with it.

    A check that another's fault would decide is skipped and says so.
    """
    return list(findings(encoder))


def findings(encoder: Encoder) -> Iterator[CheckResult]:
    """Yield the same one by one, each when it is made: whoever asks for no more spares the rest."""
    return run_checks(Subject(encoder), CHECKS)


def run_checks(subject: Any, checks: Iterable[Check]) -> Iterator[CheckResult]:
    """Return the findings of checks about a subject, which says its name (`call`) and on what (`last`)."""
    unsound = set()
    for check in checks:
        first = [name for name in check.needs if name in unsound]
        says = f"put right first: {', '.join(first)}"
        result = CheckResult(check.name, "skip", says) if first else _result(check, subject)
        if first or result.status == "fail":
            unsound.add(check.name)
        yield result


def check_named(where: str) -> list[CheckResult]:
    """Return the findings about the encoder of a name (as in `load_encoder`); the first is "import"."""
    try:
        encoder = own_encoder(where) if is_place(where) else load_encoder(where)  # one's own as it was left
    except (EncoderError, WeightsError) as error:
        return [CheckResult("import", "fail", str(error))]
    made = CheckResult("import", "pass", f"{where} gives a {type(encoder).__name__}")
    return [made, *check_encoder(encoder)]


def assert_encoder(encoder: Encoder) -> None:
    """Raise AssertionError that lists what failed, unless every check passes or does not apply."""
    failed = failures(check_encoder(encoder))
    assert not failed, f"{getattr(encoder, 'name', encoder)}:\n" + "\n".join(
        f"  {result.name}: {result.says}" for result in failed
    )


def failures(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return the findings that something is wrong."""
    return [result for result in results if result.status == "fail"]


def _result(check: Check, subject: Any) -> CheckResult:
    try:
        return CheckResult(check.name, "pass", check.run(subject))
    except Fault as fault:
        return CheckResult(check.name, "fail", str(fault))
    except NotTested as reason:
        return CheckResult(check.name, "skip", str(reason))
    except (Exception, SystemExit) as error:  # whatever an author's code may raise is a finding about it
        text = " ".join(str(error).split())
        said = f"raised {type(error).__name__}: {text}{own_line(error)}"
        says = f"{said}; run {subject.call} in a debugger on {subject.last}"
        return CheckResult(check.name, "fail", says)
