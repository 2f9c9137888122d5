"""What ids, keys and values may be; the same as src/base/checks.ts, so that what is wrong never leaves the program."""

from __future__ import annotations

import unicodedata
from typing import Any, Mapping, Optional, Union

from .errors import BaristaError

ID_BYTES_MAX = 256
KEY_BYTES_MAX = 4 * 1024
VALUE_BYTES_MAX = 1024 * 1024
MEMBER_BYTES_MAX = 4 * 1024
BATCH_PARTS_MAX = 128
BATCH_BYTES_MAX = 1024 * 1024
#: Times are exact integers in every language that speaks the protocol.
TIME_MAX = 2**53 - 1
#: Ten years, in milliseconds.
TTL_MS_MAX = 10 * 365 * 24 * 60 * 60 * 1_000


#: What an operation carries.
Operand = Union[bytes, int, str, None, Mapping[str, Any]]


def check_id(text: str) -> str:
    """The id; raises ERR_INVALID_ID."""
    wrong = _wrong_text(text, ID_BYTES_MAX)
    if wrong is None and any(unicodedata.category(character) == "Cc" for character in text):
        wrong = "holds a control character"
    if wrong is not None:
        raise BaristaError("ERR_INVALID_ID", f"the id {wrong}")
    return text


def check_key(key: str) -> str:
    """The key; raises ERR_INVALID_KEY."""
    wrong = _wrong_text(key, KEY_BYTES_MAX)
    if wrong is not None:
        raise BaristaError("ERR_INVALID_KEY", f"the key {wrong}")
    return key


def check_value(value: Union[bytes, bytearray, memoryview]) -> bytes:
    """A copy of the value's bytes; raises ERR_INVALID_VALUE."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise BaristaError("ERR_INVALID_VALUE", f"the value is {type(value).__name__}, not bytes: encode it")
    size = memoryview(value).nbytes
    if size > VALUE_BYTES_MAX:
        raise BaristaError("ERR_INVALID_VALUE", f"the value takes {size} bytes, the limit is {VALUE_BYTES_MAX}")
    return bytes(value)


def check_member(member: str) -> str:
    """The member of a set, which may be empty; raises ERR_INVALID_VALUE."""
    wrong = None if member == "" else _wrong_text(member, MEMBER_BYTES_MAX)
    if wrong is not None:
        raise BaristaError("ERR_INVALID_VALUE", f"the member {wrong}")
    return member


def check_number(number: int) -> int:
    """The number; raises ERR_INVALID_VALUE."""
    if not isinstance(number, int) or isinstance(number, bool) or not -TIME_MAX <= number <= TIME_MAX:
        raise BaristaError("ERR_INVALID_VALUE", f"{number!r} is no whole number within 2^53 - 1")
    return number


def check_ttl(ms: int) -> int:
    """The time to live; raises ERR_INVALID_VALUE."""
    if not isinstance(ms, int) or isinstance(ms, bool) or not 1 <= ms <= TTL_MS_MAX:
        raise BaristaError("ERR_INVALID_VALUE", f"a time to live of {ms!r} ms is no whole number from 1 to {TTL_MS_MAX}")
    return ms


def check_batch(operands: Mapping[str, Operand]) -> None:
    """What each key of a batch is to get, each good by itself; raises ERR_BATCH if together they are none."""
    if not 1 <= len(operands) <= BATCH_PARTS_MAX:
        raise BaristaError("ERR_BATCH", f"a batch of {len(operands)} writes, where 1 to {BATCH_PARTS_MAX} are allowed")
    size = sum(len(key.encode("utf-8")) + _size_of(operand) for key, operand in operands.items())
    if size > BATCH_BYTES_MAX:
        message = f"the keys and operations of a batch take {size} bytes, the limit is {BATCH_BYTES_MAX}"
        raise BaristaError("ERR_BATCH", message)


def _size_of(operand: Operand) -> int:
    if operand is None or operand is True:
        return 0
    if isinstance(operand, Mapping):
        return sum(_size_of(part) for part in operand.values())
    return len(operand) if isinstance(operand, bytes) else len(str(operand).encode("utf-8"))


def _wrong_text(text: str, bytes_max: int) -> Optional[str]:
    if not isinstance(text, str):
        return f"is {type(text).__name__}, not str"
    if text == "":
        return "is empty"
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which has no UTF-8 form"
    return f"takes {size} bytes, the limit is {bytes_max}" if size > bytes_max else None
