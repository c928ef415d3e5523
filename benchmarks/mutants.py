"""Mutations of files: bytes, numbers, lines, and the insides of PNG and zip archives."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

Mutation = Callable[[random.Random, bytes], bytes]

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_WORDS = (b"nan", b"inf", b"-1", b"0", b"1e999", b"99999999999999999999", b"x", b"", b"\xff")
_PNG = b"\x89PNG\r\n\x1a\n"


def mutated(random_: random.Random, content: bytes) -> bytes:
    """Content with one to three changes; sometimes with its check sums made right again."""
    if content.startswith(b"PK") and random_.random() < 0.5:
        return _within_zip(random_, content)
    for _ in range(random_.choice((1, 1, 1, 2, 3))):
        content = random_.choice(MUTATIONS)(random_, content)
    return with_right_sums(content) if random_.random() < 0.7 else content


def _flip(random_: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random_.randint(1, 8) if content else 0):
        changed[_place(random_, content)] ^= 1 << random_.randrange(8)
    return bytes(changed)


def _number(random_: random.Random, content: bytes) -> bytes:
    """An extreme whole number somewhere, in either order of bytes."""
    place, form = _place(random_, content), random_.choice("BHIQ")
    value = random_.choice(_NUMBERS) % (1 << 8 * struct.calcsize(form))
    word = struct.pack(random_.choice("<>") + form, value)
    return content[:place] + word + content[place + len(word) :]


def _cut(random_: random.Random, content: bytes) -> bytes:
    return content[: _place(random_, content)]


def _remove(random_: random.Random, content: bytes) -> bytes:
    place = _place(random_, content)
    return content[:place] + content[place + random_.randint(1, 64) :]


def _repeat(random_: random.Random, content: bytes) -> bytes:
    place, length = _place(random_, content), random_.randint(1, 64)
    return content[: place + length] + content[place:]


def _insert(random_: random.Random, content: bytes) -> bytes:
    place = _place(random_, content)
    return content[:place] + random_.randbytes(random_.randint(1, 16)) + content[place:]


def _word(random_: random.Random, content: bytes) -> bytes:
    """One word of a text is another."""
    words = content[: 1 << 16].split(b" ")
    words[random_.randrange(len(words))] = random_.choice(_WORDS)
    return b" ".join(words) + content[1 << 16 :]


def _line(random_: random.Random, content: bytes) -> bytes:
    """Lines are removed, repeated or ended otherwise; or the file begins with a mark."""
    lines = content.split(b"\n")
    number, kind = random_.randrange(len(lines)), random_.randrange(4)
    if kind == 0:
        del lines[number]
    elif kind == 1:
        lines.insert(number, lines[number])
    elif kind == 2:
        return b"\r\n".join(lines)
    else:
        return b"\xef\xbb\xbf" + content
    return b"\n".join(lines)


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _number, _number, _cut, _remove),
    *(_repeat, _insert, _word, _line),
)


def _place(random_: random.Random, content: bytes) -> int:
    """A place, as often as not near the start, where headers are."""
    span = min(len(content), 256) if random_.random() < 0.5 else len(content)
    return random_.randrange(span) if span else 0


def with_right_sums(content: bytes) -> bytes:
    """A PNG whose chunks have the right check sums, so that what is in them is read."""
    if not content.startswith(_PNG):
        return content
    parts, position = [_PNG], len(_PNG)
    while position + 12 <= len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        body = content[position + 4 : position + 8 + length]
        if position + 12 + length > len(content):
            break
        parts.append(content[position : position + 4] + body + struct.pack(">I", zlib.crc32(body)))
        position += 12 + length
    return b"".join([*parts, content[position:]])


def _within_zip(random_: random.Random, content: bytes) -> bytes:
    """An archive of torch in which one file is changed; its sums are right."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        pickles = [name for name in names if name.endswith("data.pkl")]
        chosen = random_.choice(pickles if pickles and random_.random() < 0.8 else names)
        for name in names:
            body = old.read(name)
            new.writestr(name, random_.choice(MUTATIONS)(random_, body) if name == chosen else body)
    return stream.getvalue()
