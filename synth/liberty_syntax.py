"""Liberty text as a tree of groups: the syntax only, no meaning.

A Liberty file is a nesting of ``name (arguments) { ... }`` groups that hold
``name : value ;`` and ``name (values) ;`` attributes.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Group", "LibertyError", "read_groups"]

_COMMENT = re.compile(r"/\*.*?\*/|^[ \t]*//[^\n]*", re.DOTALL | re.MULTILINE)
_SKIP = re.compile(r"(?:[\s;]|\\\n)+")
_STATEMENT = re.compile(
    r"""(?P<name>[A-Za-z_][\w.\-]*)\s*
        (?: :\s*(?P<value>"[^"]*"|[^;{}\n]*?)\s*(?=[;}\n])
          | \((?P<arguments>(?:"[^"]*"|[^"()])*)\)\s*(?P<open>\{)? )""",
    re.VERBOSE,
)
_ARGUMENT = re.compile(r'"([^"]*)"|([^\s,"\\]+)')


class LibertyError(ValueError):
    """A file that cannot be read as Liberty; the message names file, line and remedy."""


@dataclass
class Group:
    """One Liberty group.

    Attributes
    ----------
    kind
        The word before the parenthesis: ``library``, ``cell``, ``pin``, ``timing``, ...
    arguments
        What stands in the parentheses, without quotes.
    values
        Simple attributes ``name : value``, without quotes; the last one wins.
    lists
        Complex attributes ``name (values)``; the last one wins.
    groups
        Sub-groups in file order.
    """

    kind: str
    arguments: tuple[str, ...]
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: "list[Group]" = field(default_factory=list)

    def children(self, kind: str) -> "Iterator[Group]":
        """Sub-groups of one kind."""
        return (group for group in self.groups if group.kind == kind)

    def child(self, kind: str) -> "Group | None":
        """The first sub-group of one kind, or None."""
        return next(self.children(kind), None)


def read_groups(path: Path) -> Group:
    """Read one Liberty file, plain or gzip (told by its first bytes).

    Returns
    -------
    Group
        The file's ``library`` group.

    Raises
    ------
    LibertyError
        The file cannot be opened or unpacked, is not text, is not Liberty, or is cut off.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LibertyError(
            f"{path}: cannot be read ({error.strerror or error}); give a readable Liberty file"
        ) from error
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise LibertyError(f"{path}: broken gzip file ({error}); fetch it again") from error
    text = raw.decode("utf-8", errors="replace")
    if "\0" in text[:4096]:
        raise LibertyError(
            f"{path}: not a Liberty file (binary data); must be Liberty text or gzip"
        )
    return _parse(path, text)


def _parse(path: Path, text: str) -> Group:
    # Comments become the newlines they held, so that line numbers stay true.
    text = _COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    statement, skip = _STATEMENT.match, _SKIP.match
    position, end = 0, len(text)
    root = Group("file", ())
    stack = [root]
    while True:
        gap = skip(text, position)
        if gap:
            position = gap.end()
        if position >= end:
            break
        if text[position] == "}":
            if len(stack) == 1:
                raise LibertyError(f"{_place(path, text, position)}: closing brace without a group")
            stack.pop()
            position += 1
            continue
        match = statement(text, position)
        if match is None:
            shown = text[position : position + 40].split("\n")[0]
            what = "not a Liberty file" if len(stack) == 1 else "not Liberty syntax"
            raise LibertyError(
                f"{_place(path, text, position)}: {what}: {shown!r}; "
                "must be 'name : value ;' or 'name (...)'"
            )
        name, value, arguments, opens = match.group("name", "value", "arguments", "open")
        position = match.end()
        if arguments is None:
            stack[-1].values[name] = value.strip().strip('"')
            continue
        parsed = tuple(quoted or bare for quoted, bare in _ARGUMENT.findall(arguments))
        if opens:
            group = Group(name, parsed)
            stack[-1].groups.append(group)
            stack.append(group)
        else:
            stack[-1].lists[name] = parsed
    if len(stack) > 1:
        raise LibertyError(
            f"{path}: ends inside group {stack[-1].kind!r}; the file is cut off, fetch it again"
        )
    library = root.child("library")
    if library is None:
        raise LibertyError(f"{path}: not a Liberty file: it has no library (...) group")
    return library


def _place(path: Path, text: str, position: int) -> str:
    return f"{path}:{text.count(chr(10), 0, position) + 1}"
