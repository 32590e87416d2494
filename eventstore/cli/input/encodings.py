"""Input that is no JSON lines in UTF-8: what it is instead, and how to make it so."""

import codecs

from eventstore.errors import InvalidInputError

_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip -c"),
    b"BZh": ("bzip2", "bunzip2 -c"),
    b"\xfd7zXZ\x00": ("xz", "xz -dc"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    b"PK\x03\x04": ("zip", "unzip -p"),
}

_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"{\x00\x00\x00": "UTF-32LE",
    b"\x00\x00\x00{": "UTF-32BE",
    b"{\x00": "UTF-16LE",
    b"\x00{": "UTF-16BE",
}
"""By their first bytes, the longer ones first, since UTF-16's mark begins that of UTF-32."""


def check_first_line(line: bytes) -> None:
    """Refuse an input by its first line that is not blank.

    Args:
        line: The line, without the byte-order mark of UTF-8.

    Raises:
        InvalidInputError: It is compressed, in UTF-16 or UTF-32, or JSON that goes over several lines.
    """
    for magic, (name, command) in _COMPRESSED.items():
        if line.startswith(magic):
            raise InvalidInputError("input", f"is compressed by {name}: unpack it first, as `{command} FILE | …` does")
    for magic, name in _WIDE.items():
        if line.startswith(magic):
            raise InvalidInputError("input", f"is in {name}: write it in UTF-8, as `iconv -f {name} -t UTF-8` does")
    if line.strip() == b"{" or line.lstrip().startswith(b"["):
        what = "a list" if line.lstrip().startswith(b"[") else "an object"
        raise InvalidInputError("input", f"is {what} of JSON over several lines, not JSON lines: {_ONE_A_LINE}")


def hint(line: bytes, error: Exception) -> str:
    """Return what else to say of a line that is no JSON; empty when there is nothing."""
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        byte = f"byte {wrong.start + 1} of the line is {line[wrong.start]:#04x}"
        return f"; it is not in UTF-8 ({byte}): write it so, as `iconv -f WINDOWS-1252 -t UTF-8` does of Western text"
    if b"\r" in line.strip():
        return "; there is a CR inside of it: lines end with LF, or with CR and LF"
    return f"; the line ends in the middle of JSON: {_ONE_A_LINE}" if "truncated" in str(error) else ""


_ONE_A_LINE = "each stands on one line of its own, as `jq -c .` writes it (`jq -c '.[]'` of a list)"
