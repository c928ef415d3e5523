"""What a pickle of torch may build, judged from its operations before any of them runs.

Torch's restricted unpickler runs no code. But a few bytes can still ask it for gigabytes, or for
the hash of a tuple that holds itself a trillion times.
"""

import pickletools
from dataclasses import dataclass
from typing import BinaryIO

PICKLE_BYTES_A_TENSOR = 256

_MOST_HASHED = 2_048  # values in a tuple and the tuples within; a state of `random` has 626
_MOST_COPIED = 8  # bytes of arguments for each byte of the pickle
# `bytearray(n)` writes n zeros.
_NO_CHECKPOINT_NEEDS = frozenset({"builtins bytearray", "__builtin__ bytearray"})
_TUPLES = frozenset({"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_ADDS = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"})
_CALLS = frozenset({"REDUCE", "BUILD", "NEWOBJ"})


@dataclass(slots=True)
class _Value:
    """A value on the stack of the unpickler.

    Attributes:
        length: its letters, or the lengths of what it holds.
        hashed: how many values its hash visits; that of a list is refused.
    """

    length: int = 1
    hashed: int = 1


class _Stack:
    def __init__(self) -> None:
        self.values: list[_Value] = []
        self.marks: list[int] = []
        self.memo: dict[int, _Value] = {}
        self.copied = 0

    def run(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        name = opcode.name
        if name == "MARK":
            self.marks.append(len(self.values))
        elif name in _PUTS and isinstance(argument, int):
            self.memo[argument] = self.values[-1]
        elif name in _GETS and isinstance(argument, int):
            self.values.append(self.memo[argument])
        elif name in _ADDS:
            added = self._popped(opcode, kept=1)
            self.values[-1].length += sum(value.length for value in added)
        elif name in _CALLS:
            self.copied += sum(value.length for value in self._popped(opcode, kept=1))
            self.values[-1] = _Value() if name != "BUILD" else self.values[-1]
        else:
            self._push(opcode, argument)

    def _push(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        parts = self._popped(opcode)
        length = len(argument) if isinstance(argument, str | bytes) else 1
        value = _Value(length + sum(part.length for part in parts))
        if opcode.name in _TUPLES:
            value.hashed += sum(part.hashed for part in parts)
            if value.hashed > _MOST_HASHED:
                raise ValueError("it holds tuples in one another without an end")
        if opcode.stack_after:
            self.values.append(value)

    def _popped(self, opcode: pickletools.OpcodeInfo, *, kept: int = 0) -> list[_Value]:
        if pickletools.markobject in opcode.stack_before:
            start = self.marks.pop()
        else:
            start = len(self.values) - len(opcode.stack_before) + kept
        popped = self.values[start:]
        del self.values[start:]
        return popped


def fault_of_pickle(stream: BinaryIO, most_bytes: int) -> str | None:
    """What in the next pickle of a stream no checkpoint needs; None if all is as torch writes.

    Args:
        stream: behind the pickle afterwards.
        most_bytes: what it may have beside what the names of its tensors need.
    """
    stack, tensors, start, position = _Stack(), 0, stream.tell(), 0
    try:
        for opcode, argument, place in pickletools.genops(stream):
            position = (place or 0) - start
            if argument in _NO_CHECKPOINT_NEEDS:
                return "its pickle asks for bytes that the file has not"
            tensors += opcode.name == "BINPERSID"
            if position > most_bytes + PICKLE_BYTES_A_TENSOR * tensors:
                return f"its pickle has more than the {position:,} bytes that its tensors explain"
            stack.run(opcode, argument)
            if stack.copied > _MOST_COPIED * (position + most_bytes):
                return "its pickle copies the same values over and over"
    except (ValueError, IndexError, KeyError) as error:
        return f"its pickle is damaged: {error}"
    return None
