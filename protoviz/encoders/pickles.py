"""What a pickle holds, read without running it: plain values, and an inert `Stub` for everything else.

A pickle is a small program for a stack machine. Its steps that build plain values are carried out here. A
step that would import something gives a `Name`, and a step that would call something gives a `Stub`, unless
the name is in a table of makers: functions of this project that take plain values.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import IO

import numpy as np

from protoviz.encoders.stubs import ArchiveError, Name, Stub, array_of, dtype_of, key_of, named, scalar_of

MOST_STEPS = 10_000_000  # of one pickle, with what its steps copy; the largest checkpoints need a hundredth
LONGEST_WORD = 200  # of a message, as far as a file has a say in it

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = ("PROTO", "FRAME", "READONLY_BUFFER")


class Machine:
    """Reads one pickle: `run(file)`.

    makers: name -> function of the plain arguments. persistent: the function of an id that leads out of the
    pickle. size: bytes of the file, which bounds what may be copied.
    """

    def __init__(self, makers: Mapping[str, Callable], persistent: Callable, size: int = 0):
        self.makers = {**self._plain_makers(), **makers}
        self.persistent = persistent
        self.left = MOST_STEPS + 4 * size
        self.stack: list = []
        self.outer: list[list] = []
        self.memo: dict[int, object] = {}
        self.keys: dict[int, int] = {}  # id of an object in the memo -> its key there

    def run(self, file: IO[bytes]):
        """Return the value in the pickle that begins where `file` stands; ArchiveError if it is unsound."""
        try:
            for opcode, arg, _ in pickletools.genops(file):
                self.spend(1)
                if opcode.name == "STOP":
                    return self.stack.pop()
                self._step(opcode.name, arg)
        except ArchiveError:
            raise
        # Whatever an unsound program makes of a stack of plain values.
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
            what = f"{type(error).__name__}: {error}"[:LONGEST_WORD]
            raise ArchiveError(f"is damaged or cut short: its pickle is unsound ({what})") from error
        finally:  # nothing of the file stays with a machine that nobody uses
            self.makers, self.memo, self.keys, self.stack, self.outer = {}, {}, {}, [], []
        raise ArchiveError("is cut short: its pickle has no end")

    def spend(self, count: int) -> None:
        """Raise ArchiveError if a pickle makes far more than its file holds."""
        self.left -= count
        if self.left < 0:
            raise ArchiveError("makes far more than any checkpoint holds")

    def _step(self, name: str, arg) -> None:
        stack = self.stack
        if name in _NOTHING:
            return
        if handler := getattr(self, f"_{name.lower()}", None):
            handler(arg)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            parts = [stack.pop() for _ in range(count)]
            stack.append(tuple(reversed(parts)))
        elif name.endswith("PUT") or name == "MEMOIZE":
            self._remember(len(self.memo) if arg is None else arg, stack[-1])
        elif name.endswith("GET"):
            stack.append(self.memo[arg])
        elif name.startswith("EXT"):
            stack.append(Stub(f"extension {arg}"))
        elif arg is not None:  # a number, text or bytes
            stack.append(arg)
        else:
            raise ArchiveError(f"is damaged: its pickle asks for {name}, which no checkpoint needs")

    def _remember(self, key: int, value) -> None:
        self.memo[key] = value
        self.keys[id(value)] = key

    def _replace(self, new) -> None:
        """Replace what is on top by `new`, in the memo too."""
        old = self.stack.pop()
        self.stack.append(new)
        key = self.keys.pop(id(old), None)
        if key is not None and self.memo.get(key) is old:
            self._remember(key, new)

    # Steps by their names in pickletools

    def _mark(self, _) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def _marked(self) -> list:
        parts, self.stack = self.stack, self.outer.pop()
        return parts

    def _pop(self, _) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._marked()

    def _pop_mark(self, _) -> None:
        self._marked()

    def _dup(self, _) -> None:
        self.stack.append(self.stack[-1])

    def _list(self, _) -> None:
        parts = self._marked()
        self.stack.append(parts)

    def _tuple(self, _) -> None:
        parts = self._marked()
        self.stack.append(tuple(parts))

    def _frozenset(self, _) -> None:
        parts = self._marked()
        self.stack.append(frozenset(map(key_of, parts)))

    def _dict(self, _) -> None:
        parts = self._marked()
        self.stack.append({})
        self._set(parts)

    def _set(self, parts: list) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise ArchiveError(f"is damaged: its pickle sets entries of a {type(target).__name__}")
        target.update((key_of(key), value) for key, value in zip(parts[::2], parts[1::2], strict=True))

    def _setitem(self, _) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _setitems(self, _) -> None:
        self._set(self._marked())

    def _append(self, _) -> None:
        value = self.stack.pop()
        target = self.stack[-1]
        (target.parts if isinstance(target, Stub) else target).append(value)

    def _appends(self, _) -> None:
        parts = self._marked()
        target = self.stack[-1]
        (target.parts if isinstance(target, Stub) else target).extend(parts)

    def _additems(self, _) -> None:
        parts = self._marked()
        target = self.stack[-1]
        if isinstance(target, Stub):
            target.parts.extend(parts)
        else:
            target.update(map(key_of, parts))

    def _global(self, arg: str) -> None:
        module, _, name = arg.partition(" ")
        self.stack.append(named(module, name))

    def _stack_global(self, _) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(named(str(module), str(name)))

    def _inst(self, arg: str) -> None:
        args = self._marked()
        self._global(arg)
        self.stack.append(self._made(self.stack.pop(), tuple(args)))

    def _obj(self, _) -> None:
        called, *args = self._marked()
        self.stack.append(self._made(called, tuple(args)))

    def _reduce(self, _) -> None:
        args, called = self.stack.pop(), self.stack.pop()
        self.stack.append(self._made(called, args))

    _newobj = _reduce

    def _newobj_ex(self, _) -> None:
        named, args, called = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(Stub(str(called) if isinstance(called, Name) else "a call", args))
        self._stated(named)

    def _made(self, called, args):
        if not isinstance(called, Name):
            return Stub("a call", (called, args))
        maker = self.makers.get(called)
        return Stub(str(called), args) if maker is None or not isinstance(args, tuple) else maker(*args)

    def _persid(self, arg) -> None:
        self.stack.append(self.persistent(arg))

    def _binpersid(self, _) -> None:
        self.stack.append(self.persistent(self.stack.pop()))

    def _build(self, _) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, np.dtype) and isinstance(state, tuple) and len(state) > 1:
            if state[1] in ("<", ">"):
                self._replace(target.newbyteorder(state[1]))
        elif isinstance(target, Stub) and target.name.endswith("multiarray._reconstruct"):
            self._array(state)
        elif isinstance(target, Stub):
            self._stated(state)

    def _stated(self, state) -> None:
        """Give the stub on top the attributes in `state`: a dict, or one and that of its slots."""
        stub = self.stack[-1]
        for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
            if isinstance(part, dict):
                self.spend(len(part))
                stub.update(part)
            elif part is not None:
                stub.parts.append(part)

    def _array(self, state) -> None:
        """Put the NumPy array in `state` in the place of its stub, unless it holds objects."""
        if isinstance(state, tuple) and len(state) == 5 and isinstance(state[4], bytes):
            _, shape, dtype, fortran, raw = state
            self._replace(array_of(raw, dtype, shape, "F" if fortran else "C"))

    def _plain_makers(self) -> dict[str, Callable]:
        return {
            "_codecs.encode": self._encoded,
            "builtins.bytes": lambda value=b"": value if isinstance(value, bytes) else Stub("bytes"),
            "builtins.bytearray": self._encoded,
            "builtins.complex": lambda real, imag=0.0: complex(float(real), float(imag)),
            "builtins.set": lambda parts=(): set(map(key_of, self._copied(parts))),
            "builtins.frozenset": lambda parts=(): frozenset(map(key_of, self._copied(parts))),
            "collections.OrderedDict": self._pairs,
            "collections.Counter": self._pairs,
            "collections.defaultdict": lambda factory=None, *pairs: self._pairs(*pairs),
            "copyreg._reconstructor": lambda kind, base, state: Stub(str(kind), (state,)),
            "copyreg.__newobj__": lambda kind, *args: self._made(kind, args),
            "numpy.dtype": dtype_of,
            "numpy._core.multiarray.scalar": scalar_of,
            "numpy._core.numeric._frombuffer": lambda raw, dtype, shape, order="C": array_of(
                raw, dtype, shape, order
            ),
            "torch.Size": lambda sizes=(): tuple(self._copied(sizes)),
            "torch.device": lambda *place: ":".join(map(str, place)),
        }

    def _copied(self, parts):
        if not isinstance(parts, (list, tuple, set, frozenset)):
            raise ArchiveError(f"is damaged: its pickle makes a collection of a {type(parts).__name__}")
        self.spend(len(parts))
        return parts

    def _pairs(self, pairs=()) -> dict:
        if isinstance(pairs, dict):
            self.spend(len(pairs))
            return dict(pairs)
        return {key_of(key): value for key, value in self._copied(pairs)}

    def _encoded(self, text="", encoding="latin1", *_):
        """Bytes as protocol 2 writes them: text with a character for each."""
        if isinstance(text, bytes):
            return text
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            return Stub("_codecs.encode", (text, encoding))
        self.spend(len(text))
        return text.encode("latin-1")
