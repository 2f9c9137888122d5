"""What can go wrong, by the codes of docs/ERRORS.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Optional

if TYPE_CHECKING:
    from .writes import Origin, Write

#: The codes this client gives by itself, each with what to do about it; a replica sends the advice with its own.
ADVICE: Mapping[str, str] = {
    "ERR_DEP": "The replica lacks what the session needs. Reach one that has it, or wait for anti-entropy.",
    "ERR_CONN": "Check that a replica is running at that address, and the link to it; a retry is safe.",
    "ERR_TIMEOUT": (
        "The replica hangs or is overloaded. The operation may have taken effect; a retry with the same client time is "
        "safe."
    ),
    "ERR_INVALID_ID": "Ids are 1 to 256 bytes of UTF-8 without control characters.",
    "ERR_INVALID_KEY": "Keys are 1 to 4,096 bytes of UTF-8.",
    "ERR_INVALID_VALUE": "Values are at most 1,048,576 bytes, and what the codec of the session takes; members of a set"
    " 4,096 bytes of UTF-8; increments whole numbers within 2^53 - 1; merge procedures are named as keep-both@1.",
    "ERR_BATCH": (
        "A batch writes 1 to 128 keys, each once; keys and operations take at most 1,048,576 bytes. Divide it, or write key "
        "by key."
    ),
    "ERR_PROTOCOL": (
        "The bytes are not what barista.thrift describes: framed, binary, multiplexed. Compare the versions on both "
        "sides."
    ),
    "ERR_FRAME_TOO_LARGE": "Send less at a time, or raise the frame limit on both sides.",
    "ERR_UNKNOWN_METHOD": "Names are Service:method, as in barista.thrift. Compare the versions on both sides.",
    "ERR_OVERLOADED": "Too much is waiting on this replica. Wait and retry.",
    "ERR_OPTION": "See --help for the options, and docs/guide for those of the library.",
    "ERR_GONE": (
        "Write what it was anew, if that is known. What its own client overwrote goes at once, the rest when every member "
        "has held it for two retry windows."
    ),
    "ERR_TOKEN": (
        "Begin a new session, or take the token from where it was made anew, whole and in the same cluster."
    ),
    "ERR_CLOSED": "It was closed; open it again.",
    "ERR_INTERNAL": "This is a bug in Barista; please report it with this message.",
}


class BaristaError(Exception):
    """A call that failed.

    ``code`` is stable and for programs, ``message`` says the particulars, ``advice`` what to do. ``write`` is set if
    the call was a write that may have taken effect all the same: ``session.send(error.write)`` tries it again so that
    it takes effect once.
    """

    def __init__(self, code: str, message: str, advice: Optional[str] = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.advice = advice if advice is not None else ADVICE.get(code, "See docs/ERRORS.md.")
        self.write: Optional[Write] = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}\n  {self.advice}"


class MissingError(BaristaError):
    """ERR_DEP: replicas answered, and none of them holds what the session needs. Nothing was written."""

    def __init__(self, message: str, missing: Mapping[Origin, int]) -> None:
        super().__init__("ERR_DEP", message)
        #: What the last replica that answered lacks: the accept time, for each origin, that it has yet to reach.
        self.missing = dict(missing)


class UnreachableError(BaristaError):
    """ERR_CONN: no replica answered. A write may have taken effect all the same."""

    def __init__(self, message: str) -> None:
        super().__init__("ERR_CONN", message)
