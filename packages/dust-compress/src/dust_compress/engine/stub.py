"""A shared library with one function, written without a compiler.

TensorRT's Python bindings load only if libnvinfer_plugin exports `initLibNvInferPlugins`. TensorRT
for RTX has no plugin library, and our graphs use no plugin, so a function that returns true is
enough. Format: System V ABI, chapters 4 and 5, https://gabi.xinuos.com.
"""

import struct

_PAGE = 0x1000
_RETURN_TRUE = bytes.fromhex("b801000000c3")  # mov eax, 1; ret
_SHARED_OBJECT, _X86_64, _CURRENT = 3, 62, 1
_LOAD, _DYNAMIC, _GNU_STACK = 1, 2, 0x6474E551
_READ_EXECUTE, _READ_WRITE = 5, 6
_DT_NULL, _DT_HASH, _DT_STRTAB, _DT_SYMTAB = 0, 4, 5, 6
_DT_STRSZ, _DT_SYMENT, _DT_SONAME = 10, 11, 14
_GLOBAL_FUNCTION = 0x12


def stub_library(soname: str, function: str) -> bytes:
    """An ELF shared object `soname` for x86-64, in which `function` returns true."""
    code = _RETURN_TRUE
    strings = b"\0" + function.encode() + b"\0" + soname.encode() + b"\0"
    headers = 64 + 4 * 56
    symbols_at = headers
    strings_at = symbols_at + 2 * 24
    hash_at = _aligned(strings_at + len(strings))
    code_at = _aligned(hash_at + 5 * 4)
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, _GLOBAL_FUNCTION, 0, 1, code_at, len(code))
    # One bucket that begins at symbol 1, whose chain ends there.
    table = struct.pack("<5I", 1, 2, 1, 0, 0)
    dynamic = b"".join(
        struct.pack("<QQ", tag, value)
        for tag, value in (
            (_DT_HASH, hash_at),
            (_DT_STRTAB, strings_at),
            (_DT_SYMTAB, symbols_at),
            (_DT_STRSZ, len(strings)),
            (_DT_SYMENT, 24),
            (_DT_SONAME, 2 + len(function)),
            (_DT_NULL, 0),
        )
    )
    read_only = code_at + len(code)
    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH", _SHARED_OBJECT, _X86_64, _CURRENT, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0
    )
    header += _segment(_LOAD, _READ_EXECUTE, 0, read_only, _PAGE)
    header += _segment(_LOAD, _READ_WRITE, _PAGE, len(dynamic), _PAGE)
    header += _segment(_DYNAMIC, _READ_WRITE, _PAGE, len(dynamic), 8)
    header += _segment(_GNU_STACK, _READ_WRITE, 0, 0, 16)
    first = header + symbols + strings
    first = first.ljust(hash_at, b"\0") + table
    first = first.ljust(code_at, b"\0") + code
    return first.ljust(_PAGE, b"\0") + dynamic


def _segment(kind: int, flags: int, offset: int, size: int, align: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, offset, offset, offset, size, size, align)


def _aligned(offset: int) -> int:
    return (offset + 15) // 16 * 16
