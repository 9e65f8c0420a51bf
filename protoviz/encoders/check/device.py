"""Whether an encoder would run on a GPU, tried on a device that only pretends to be another one."""

import copy
import warnings

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from protoviz.encoders.base import Encoding
from protoviz.encoders.check.subject import Fault, NotTested, Subject, own_line

ELSEWHERE = torch.device("cuda", 99)  # no machine has so many: what is kept by its name serves nobody else
_DEVICE, _IS_CUDA = Tensor.device.__get__, Tensor.is_cuda.__get__
_INDEXED = (Tensor.__getitem__, Tensor.__setitem__)  # an index or a value may lie on the processor
_FOLLOWS = (Tensor.to, Tensor.type_as)  # the result lies where the other tensor does
_ANYWHERE = (Tensor.copy_, Tensor.expand_as, Tensor.view_as, Tensor.reshape_as, *_FOLLOWS, *_INDEXED)
_LENGTHS = ("pack_padded_sequence", "pad_packed_sequence")  # second in and out is on the processor always
_PACKED = (*_LENGTHS, "gru", "lstm", "rnn_tanh", "rnn_relu")  # these take it
_AS_ARRAY = (Tensor.numpy, Tensor.__array__)


class OtherDevice(RuntimeError):
    """What a GPU would refuse."""


class _There(Tensor):
    """A tensor that counts as one of the other device; its values lie here."""


def other_device(subject: Subject) -> str:
    """Check that all tensors are made where the encoder lies, so that it runs on a GPU."""
    if subject.encoder.device.type != "cpu":
        return f"it ran on {subject.encoder.device}"
    encoder, clips = copy.deepcopy(subject.encoder), subject.unequal  # it may keep what it made
    weights = {f"encoder.{name}": value for name, value in encoder.state_dict(keep_vars=True).items()}
    buffers = {f"encoder.{name}": value for name, value in encoder.named_buffers()}
    moved = {name: value.detach().as_subclass(_There) for name, value in (weights | buffers).items()}
    if not moved:
        raise NotTested("it has no weights that could be moved to another device")
    subject.last = "noises, with the weights on another device"
    try:
        with _Pretending(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a torch without CUDA, for one, about its other device
            made = functional_call(_Encodes(encoder), moved, (clips,))
    except OtherDevice as error:
        raise Fault(
            f"on a GPU it fails: {error}{own_line(error)}; make tensors where the others lie "
            "(device=x.device, x.new_zeros(...)), and keep constants with self.register_buffer"
        ) from error
    except Exception as error:
        raise NotTested(f"another device could not be tried: {type(error).__name__}: {error}") from error
    parts = {name: getattr(made, name) for name in ("tokens", "cls", "mask")}
    if left := [name for name, value in parts.items() if not isinstance(value, _There)]:
        raise Fault(
            f"with the encoder on a GPU, {', '.join(left)} would lie on the CPU; make tensors where the "
            "weights lie: device=self.device"
        )
    return "all tensors are made where its weights lie"


class _Encodes(nn.Module):
    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, clips: list) -> Encoding:
        return self.encoder.encode(clips)


class _Pretending(TorchFunctionMode):
    """Lets tensors of `ELSEWHERE` meet no others, as a GPU would; what it computes is computed here."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func == _DEVICE:
            return ELSEWHERE if isinstance(args[0], _There) else func(*args)
        if func == _IS_CUDA:
            return isinstance(args[0], _There)
        _refuse(func, args, kwargs)
        named = [_place(leaf) for leaf in tree_leaves((args[1:], kwargs)) if _place(leaf) is not None]
        others = [leaf for leaf in tree_leaves(args[1:]) if isinstance(leaf, Tensor)]
        if named:
            there = named[-1]
        elif func in (Tensor.cpu, Tensor.tolist):
            there = False
        elif func in _FOLLOWS and others:
            there = isinstance(others[0], _There)
        elif func in _INDEXED:
            there = isinstance(args[0], _There)
        else:
            there = any(isinstance(leaf, _There) for leaf in tree_leaves((args, kwargs)))
        args, kwargs = tree_map(_here, (args, kwargs))
        kind = _There if there else Tensor
        made = func(*args, **kwargs)
        if there and _name(func) in _LENGTHS:
            return made[0].as_subclass(_There), made[1].as_subclass(Tensor)
        return tree_map(lambda leaf: leaf.as_subclass(kind) if isinstance(leaf, Tensor) else leaf, made)


def _refuse(func, args: tuple, kwargs: dict) -> None:
    """Raise OtherDevice where the call would meet tensors of two devices."""
    if func in _AS_ARRAY and isinstance(args[0], _There):
        raise OtherDevice("a tensor of the GPU is made a NumPy array without .cpu()")
    if func in _INDEXED:
        if not isinstance(args[0], _There) and _sides(args[1])[0]:
            raise OtherDevice("a tensor on the CPU is indexed with one on the GPU")
        return
    name = _name(func)
    if name in _PACKED and isinstance(args[1], Tensor) and args[1].ndim == 1:
        if isinstance(args[1], _There):
            raise OtherDevice(f"{name} is given lengths on the GPU and wants them on the CPU")
        args = (args[0], *args[2:])
    there, here = _sides((args, kwargs))
    if there and here and func not in _ANYWHERE:
        raise OtherDevice(f"{name} is given a tensor on the CPU beside one on the GPU")


def _name(func) -> str:
    return getattr(func, "__name__", str(func)).strip("_")


def _sides(values) -> tuple[bool, bool]:
    """Whether there is a tensor of the other device, and one of this; single numbers may be anywhere."""
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor) and leaf.ndim]
    found = [isinstance(leaf, _There) for leaf in tensors]
    return any(found), not all(found)


def _place(value) -> bool | None:
    """Whether a device that a call names is the other one; None: it is no device."""
    if isinstance(value, torch.device):
        return value == ELSEWHERE
    if isinstance(value, str):
        return {str(ELSEWHERE): True, "cpu": False}.get(value)
    return None


def _here(value):
    return torch.device("cpu") if _place(value) else value
