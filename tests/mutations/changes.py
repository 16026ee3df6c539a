"""The kinds of change: each takes a folder's files and changes one thing in them.

A *plain* change leaves the index as it was. After a *covered* one the index is made anew, as
somebody would who knows the format: then only what is signed can tell.
"""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from hallmark.supply_chain.manifest import FileFact
from hallmark.verification.files import HEAD, INDEX, LOG, REGISTRY, build_index
from hallmark.verification.registry import Registry

Folder = dict[str, bytes]
Change = Callable[[Folder, random.Random], str | None]
"""Changes one thing, and says which; None where there was nothing of that kind to change."""


def covered(change: Change) -> Change:
    """Return a change after which the index is made anew."""

    def changed(folder: Folder, draw: random.Random) -> str | None:
        said = change(folder, draw)
        rest = {name: FileFact.of(data) for name, data in folder.items() if name != INDEX}
        folder[INDEX] = build_index(rest).to_bytes()
        return said

    return changed


def _pick(folder: Folder, draw: random.Random, *, index: bool = True) -> str:
    return draw.choice(sorted(name for name in folder if index or name != INDEX))


# -- bytes --------------------------------------------------------------------------------------


def flip_bit(folder: Folder, draw: random.Random) -> str:
    """Flip one bit of one file."""
    name = _pick(folder, draw)
    data = bytearray(folder[name])
    place = draw.randrange(len(data))
    data[place] ^= 1 << draw.randrange(8)
    folder[name] = bytes(data)
    return f"{name} at {place}"


def insert_bytes(folder: Folder, draw: random.Random) -> str:
    """Insert a few bytes, often such as mean nothing to a parser."""
    name = _pick(folder, draw)
    data = folder[name]
    place = draw.randint(0, len(data))
    more = draw.choice([b" ", b"\n", b"\t", b"\0", b"{}", b",", draw.randbytes(3)])
    folder[name] = data[:place] + more + data[place:]
    return f"{more!r} in {name} at {place}"


def remove_bytes(folder: Folder, draw: random.Random) -> str:
    """Remove a few bytes."""
    name = _pick(folder, draw)
    data = folder[name]
    place = draw.randrange(len(data))
    folder[name] = data[:place] + data[place + draw.randint(1, 8) :]
    return f"{name} at {place}"


def cut_file(folder: Folder, draw: random.Random) -> str:
    """Cut a file's end off."""
    name = _pick(folder, draw)
    place = draw.randrange(len(folder[name]))
    folder[name] = folder[name][:place]
    return f"{name} at {place}"


# -- files --------------------------------------------------------------------------------------


def remove_file(folder: Folder, draw: random.Random) -> str:
    """Remove a file."""
    name = _pick(folder, draw)
    del folder[name]
    return name


def add_file(folder: Folder, draw: random.Random) -> str:
    """Add a file that is a copy of another, beside it."""
    name = _pick(folder, draw, index=False)
    where = name.rpartition("/")[0]
    made = f"{where}/{draw.randbytes(3).hex()}.{name.rpartition('.')[2]}"
    folder[made] = folder[name]
    return made


def rename_file(folder: Folder, draw: random.Random) -> str:
    """Move a file to another name."""
    name = _pick(folder, draw)
    made = f"{name}.{draw.randbytes(2).hex()}"
    folder[made] = folder.pop(name)
    return made


def swap_files(folder: Folder, draw: random.Random) -> str | None:
    """Exchange what two files hold."""
    one, other = _pick(folder, draw), _pick(folder, draw)
    if folder[one] == folder[other]:
        return None
    folder[one], folder[other] = folder[other], folder[one]
    return f"{one} and {other}"


# -- records ------------------------------------------------------------------------------------


def _lines(folder: Folder) -> list[bytes]:
    return folder[LOG].splitlines(keepends=True)


def remove_record(folder: Folder, draw: random.Random) -> str:
    """Remove a record of the log."""
    lines = _lines(folder)
    gone = draw.randrange(len(lines))
    folder[LOG] = b"".join(lines[:gone] + lines[gone + 1 :])
    return f"record {gone + 1}"


def repeat_record(folder: Folder, draw: random.Random) -> str:
    """Put a record into the log a second time."""
    lines = _lines(folder)
    again, place = draw.randrange(len(lines)), draw.randint(0, len(lines))
    folder[LOG] = b"".join([*lines[:place], lines[again], *lines[place:]])
    return f"record {again + 1} before {place + 1}"


def move_record(folder: Folder, draw: random.Random) -> str | None:
    """Put two records in each other's place."""
    lines = _lines(folder)
    one, other = draw.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    folder[LOG] = b"".join(lines)
    return f"records {one + 1} and {other + 1}"


def cut_log(folder: Folder, draw: random.Random) -> str:
    """Cut the log's last records off."""
    lines = _lines(folder)
    kept = draw.randrange(len(lines))
    folder[LOG] = b"".join(lines[:kept])
    return f"after record {kept}"


# -- fields of JSON documents -------------------------------------------------------------------


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Yield the path of every value in a JSON document."""
    inner: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    for key, item in inner:
        yield (*path, key)
        yield from _places(item, (*path, key))


def _inside(document: Any, path: tuple[Any, ...]) -> Any:  # noqa: ANN401
    for key in path:
        document = document[key]
    return document


def _other(value: Any, draw: random.Random) -> Any:  # noqa: ANN401
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + draw.choice([-1, 1, 10])
        case str():
            return _other_text(value, draw)
        case list() if len(value) > 1 and draw.random() < 0.5:
            return value[1:] + value[:1]
        case list():
            return [*value, value[0] if value else "x"]
        case dict():
            return {**value, "x" + draw.randbytes(2).hex(): 1}
    return draw.choice([0, "", [], {}])


def _other_text(text: str, draw: random.Random) -> str:
    place = draw.randrange(len(text) + 1)
    letter = draw.choice("0123456789abcdefghijklmnopqrstuvwxyzABCXYZ -_./")
    if draw.random() < 0.2:
        return text[:place] + letter + text[place:]
    return text[: max(place - 1, 0)] + letter + text[place:]


def _changed_field(document: Any, draw: random.Random) -> str | None:  # noqa: ANN401
    """Change, remove, repeat or reorder one value of a document in place; return which."""
    path = draw.choice(list(_places(document)))
    parent, key = _inside(document, path[:-1]), path[-1]
    before = copy.deepcopy(parent)
    how = draw.choice(["change", "remove", "copy"])
    if how == "remove":
        del parent[key]
    elif how == "copy":
        other = _inside(document, draw.choice(list(_places(document))))
        parent[key] = copy.deepcopy(other)
    else:
        parent[key] = _other(parent[key], draw)
    if parent == before and type(parent) is type(before):
        return None
    return f"{how} {'.'.join(map(str, path))}"


def registry_field(folder: Folder, draw: random.Random) -> str | None:
    """Change a field of an object, and write the registry in its one form."""
    document = json.loads(folder[REGISTRY])
    said = _changed_field(document, draw)
    try:
        folder[REGISTRY] = Registry.model_validate(document).to_text()
    except ValueError:
        folder[REGISTRY] = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    return said


def registry_object(folder: Folder, draw: random.Random) -> str | None:
    """Remove, repeat, or rename a whole object of the registry, or put two in another order."""
    document = json.loads(folder[REGISTRY])
    lists = [name for name, found in document.items() if isinstance(found, list) and found]
    name = draw.choice(lists)
    found = document[name]
    at = draw.randrange(len(found))
    how = draw.choice(["remove", "repeat", "twin", "reorder"])
    if how == "remove":
        del found[at]
    elif how == "twin" and isinstance(found[at], dict):
        twin = {**found[at], "uid": f"twin-{draw.randbytes(4).hex()}"}
        twin["name"] = f"{twin['name']}-twin"
        found.insert(at + 1, twin)
    elif how == "reorder" and len(found) > 1:
        found.append(found.pop(at))
        if at == len(found) - 1:
            return None
    else:
        found.insert(at, found[at])
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    folder[REGISTRY] = text.encode() + b"\n"
    return f"{how} {name}[{at}]"


_KINDS = {
    "runs": "TrainingRun",
    "versions": "ModelVersion",
    "approvals": "ModelApproval",
    "deployments": "Deployment",
}


def hide_object(folder: Folder, draw: random.Random) -> str:
    """Remove an object with all that is about it, and list it as gone, as an exporter might."""
    document = json.loads(folder[REGISTRY])
    field = draw.choice([name for name in _KINDS if document.get(name)])
    hidden = [(field, draw.choice(document[field]))]
    if field == "versions":
        uid = hidden[0][1]["uid"]
        decided = [
            one for one in document["approvals"] if one["spec"]["modelVersion"]["uid"] == uid
        ]
        hidden += [("approvals", one) for one in decided]
        _remove_bundle(folder, hidden[0][1]["spec"]["artifact"]["manifestDigest"])
    for name, one in hidden:
        document[name].remove(one)
        whose = {key: one[key] for key in ("namespace", "name", "uid")}
        document.setdefault("gone", []).append({"kind": _KINDS[name], **whose})
    document["gone"].sort(key=lambda one: (one["kind"], one["name"], one["uid"]))
    folder[REGISTRY] = Registry.model_validate(document).to_text()
    return f"{field} {hidden[0][1]['name']}"


def _remove_bundle(folder: Folder, digest: str) -> None:
    """Remove a version's sealed files, and their copies for readers."""
    run_ids = set()
    for name in [name for name in folder if f"/{digest.removeprefix('sha256:')}/" in name]:
        if "/model_" in name:
            run_ids.add(name.rpartition("/model_")[2].partition(".")[0])
        del folder[name]
    for name in [name for name in folder if any(run_id in name for run_id in run_ids)]:
        del folder[name]


def exchange_objects(folder: Folder, draw: random.Random) -> str | None:
    """Let two objects of a kind say what the other one says, or be called what it is called."""
    document = json.loads(folder[REGISTRY])
    field = draw.choice([name for name in _KINDS if len(document.get(name, ())) > 1])
    one, other = draw.sample(document[field], 2)
    what = draw.choice(["spec", "uid", "name"])
    one[what], other[what] = other[what], one[what]
    document[field].sort(key=lambda entry: (entry["namespace"], entry["name"], entry["uid"]))
    folder[REGISTRY] = Registry.model_validate(document).to_text()
    return f"{what} of {one['name']} and {other['name']}"


def json_field(folder: Folder, draw: random.Random) -> str | None:
    """Change a field of any JSON file, written as compactly as it was."""
    names = [name for name in folder if name.endswith(".json") and name not in {INDEX, REGISTRY}]
    name = draw.choice(sorted([*names, HEAD]))
    document = json.loads(folder[name])
    said = _changed_field(document, draw)
    folder[name] = _compact(document)
    return said and f"{name}: {said}"


def record_field(folder: Folder, draw: random.Random) -> str | None:
    """Change a field of a record, written as compactly as it was."""
    lines = _lines(folder)
    at = draw.randrange(len(lines))
    document = json.loads(lines[at])
    said = _changed_field(document, draw)
    lines[at] = _compact(document) + b"\n"
    folder[LOG] = b"".join(lines)
    return said and f"record {at + 1}: {said}"


def field_order(folder: Folder, draw: random.Random) -> str | None:
    """Put the members of a JSON object, or of a record, in another order."""
    names = [name for name in folder if name.endswith(".json") and name != REGISTRY]
    name = draw.choice(sorted([*names, HEAD, LOG]))
    if name == LOG:
        lines = _lines(folder)
        at = draw.randrange(len(lines))
        lines[at] = _shuffled(lines[at], draw) + b"\n"
        after = b"".join(lines)
    else:
        after = _shuffled(folder[name], draw)
    if after == folder[name]:
        return None
    folder[name] = after
    return name


def _shuffled(data: bytes, draw: random.Random) -> bytes:
    document = json.loads(data)
    members = list(document.items())
    draw.shuffle(members)
    return json.dumps(dict(members), separators=(",", ":"), ensure_ascii=False).encode()


def signed_payload(folder: Folder, draw: random.Random) -> str | None:
    """Change a field inside a signed envelope, whose base64 is made anew."""
    names = sorted(name for name in folder if "sigstore" in name or "/provenance/" in name)
    name = draw.choice(names)
    document = json.loads(folder[name])
    envelope = document.get("dsseEnvelope", document)
    payload = json.loads(base64.b64decode(envelope["payload"]))
    said = _changed_field(payload, draw)
    envelope["payload"] = base64.b64encode(_compact(payload)).decode()
    folder[name] = _compact(document)
    return said and f"{name}: {said}"


def _compact(document: Any) -> bytes:  # noqa: ANN401
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


PLAIN: dict[str, Change] = {
    "flip a bit": flip_bit,
    "insert bytes": insert_bytes,
    "remove bytes": remove_bytes,
    "cut a file": cut_file,
    "remove a file": remove_file,
    "add a file": add_file,
    "rename a file": rename_file,
    "swap two files": swap_files,
    "remove a record": remove_record,
    "repeat a record": repeat_record,
    "move a record": move_record,
    "cut the log": cut_log,
    "change a field of an object": registry_field,
    "change the objects": registry_object,
    "hide an object": hide_object,
    "exchange two objects": exchange_objects,
    "change a field of a JSON file": json_field,
    "change a field of a record": record_field,
    "reorder fields": field_order,
    "change a signed payload": signed_payload,
}
KINDS = {
    **PLAIN,
    **{f"{name}, index anew": covered(change) for name, change in PLAIN.items()},
}
"""Every kind of change by its name."""
