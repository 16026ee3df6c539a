"""Secrets and tokens: whoever reads one can act as somebody."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter

import polars as pl

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors.column import TextColumn, only, union, vocabulary


class Secret:
    """A key or token by its issuer's form, a private key, or what is assigned to a password.

    A digest, a UUID or a random text alone is no secret: no form tells them apart.
    """

    kind = PIIDetector.SECRET
    _names = vocabulary(
        "password passwd pwd passphrase passcode userpassword secret secretkey clientsecret "
        "apikey apisecret accesstoken refreshtoken authtoken bearertoken privatekey "
        "accesskey secretaccesskey credential credentials passwort kennwort motdepasse "
        "contraseña senha hasło"
    )
    # The forms that issuers publish for secret scanning.
    _issued = (
        r"(?:^|[^A-Za-z0-9_])(?:"
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"  # Amazon
        r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}"
        r"|glpat-[A-Za-z0-9_\-]{20,}"  # GitLab
        r"|xox[abeoprs]-[A-Za-z0-9\-]{10,}"  # Slack
        r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
        r"|sk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_\-]{20,}"
        r"|AIza[A-Za-z0-9_\-]{35}"  # Google
        r"|hf_[A-Za-z]{30,}"  # Hugging Face
        r"|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_\-]{50,}"
        r"|SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}"  # SendGrid
        r")(?:$|[^A-Za-z0-9_])"
    )
    _private_key = r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    _token = re.compile(
        r"(?<![A-Za-z0-9_\-])(eyJ[A-Za-z0-9_\-]{8,})\.eyJ[A-Za-z0-9_\-]{2,}\.[A-Za-z0-9_\-]*"
    )
    _in_url = r"[A-Za-z][A-Za-z0-9+.\-]+://[^/\s:@]*:[^/\s:@${<]{3,}@[A-Za-z0-9]"
    _word = (
        r"(?:pass(?:word|wd|phrase|code)|pwd|secret"
        r"|(?:api|access|auth|private|secret|client|account)[_\- ]?(?:key|token|secret)"
        r"|token|credentials?|passwort|kennwort|mot de passe|contraseña|senha)"
    )
    _assigned_fast = rf"(?i){_word}[\"']?\s{{0,2}}[:=]"
    _assigned = re.compile(
        rf"(?i)(?:^|[^a-z]|_)({_word})[\"']?\s{{0,2}}[:=]{{1,2}}\s{{0,2}}[\"']?([^\s\"',;&]{{6,}})"
    )

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that are or hold a secret."""
        if column.is_named(self._names):
            hits = column.mostly(only(column.texts, _may_be_password))
            if len(hits):
                return hits
        if column.numeric:
            return column.nothing()
        return union(
            (
                column.matching(self._issued),
                column.matching(self._private_key),
                column.matching(self._in_url),
                only(column.matching(r"eyJ[A-Za-z0-9_\-]{8,}\.eyJ"), self._has_token),
                only(column.matching(self._assigned_fast), self._has_assignment),
            )
        )

    def _has_token(self, text: str) -> bool:
        return any(_is_jwt_header(header) for header in self._token.findall(text))

    def _has_assignment(self, text: str) -> bool:
        return any(_is_random(value) for _, value in self._assigned.findall(text))


def _is_jwt_header(header: str) -> bool:
    """Whether it is a JSON object with an algorithm (RFC 7515)."""
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return False
    return isinstance(decoded, dict) and "alg" in decoded


def _entropy(text: str) -> float:
    """Return Shannon's entropy, in bits per character."""
    return -sum(
        count / len(text) * math.log2(count / len(text)) for count in Counter(text).values()
    )


def _is_random(value: str) -> bool:
    """Whether a value is neither a word, a placeholder nor a reference."""
    if value[0] in "<$%{*[(" or value.lower().startswith(("process.env", "os.environ", "env.")):
        return False
    kinds = sum(
        bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]")
    )
    return kinds >= 2 and bool(re.search("[0-9]", value)) and _entropy(value) >= 2.3


def _may_be_password(text: str) -> bool:
    return 6 <= len(text) <= 512 and not re.search(r"\s", text.strip()) and _entropy(text) > 1.5
