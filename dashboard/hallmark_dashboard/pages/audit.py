"""The audit page: who decided what, and is the record whole?"""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from hallmark_dashboard.audits import AuditQuery, Soundness, matching, visible
from hallmark_dashboard.pages.render import Frame, page
from hallmark_dashboard.services import services_of
from hallmark_dashboard.signed_in import Person
from hallmark_dashboard.views.decisions import of_records
from hallmark_dashboard.views.parts import number_of
from hallmark_dashboard.views.standing import State
from hallmark_dashboard.views.words import plural

router = APIRouter(include_in_schema=False)

SHOWN = 100
_FIELDS = tuple(AuditQuery.__dataclass_fields__)


@router.get("/audit")
async def audit(request: Request, caller: Person) -> Response:
    """Show records, the newest first, and whether the log is whole."""
    services = services_of(request)
    given = request.query_params
    wanted = AuditQuery(**{name: given.get(name, "")[:253].strip() for name in _FIELDS})
    records, sentence = await services.audits.records()
    sight = await services.rights.sight(caller, {one.namespace for one in records if one.namespace})
    mine = visible(records, sight)
    try:
        found = matching(mine, wanted)[::-1]
    except ValueError:
        sentence = "'Since' and 'Until' are moments such as 2027-01-31T00:00:00Z."
        found = []
    offset = number_of(given.get("offset", ""))
    shown = found[offset : offset + SHOWN]
    sound: Soundness | None = None
    if given.get("verify") == "1":
        seen = await services.seen(caller)
        try:
            sound = await services.audits.soundness(seen.policies(), await services.anchor())
        except OSError as error:
            sentence = f"The audit log cannot be read ({type(error).__name__})."
    older = {name: value for name, value in asdict(wanted).items() if value}
    older["offset"] = str(offset + SHOWN)
    return page(
        request,
        "audit.html",
        Frame("Audit", "Audit", caller),
        headline=_headline(sound, len(found), len(records)),
        records=list(zip(shown, of_records(shown), strict=True)),
        wanted=asdict(wanted),
        sound=sound,
        sound_state=State.GOOD if sound and sound.ok else State.STOPPED,
        sentence=sentence,
        older=f"/audit?{urlencode(older)}" if len(found) > offset + SHOWN else "",
    )


def _headline(sound: Soundness | None, found: int, kept: int) -> str:
    """Return the first line: whether the record is whole, and how much of it is seen."""
    seen = f"{plural(found, 'decision')} that you may see, of the newest {kept:,} on record"
    if sound is None:
        return f"{seen}; whether the record is whole was not looked at."
    if sound.ok:
        return f"The record is whole: {plural(sound.records, 'record')}. You see {found:,}."
    return f"The record cannot be relied on: {plural(len(sound.problems), 'problem')}. {seen}."
