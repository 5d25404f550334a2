"""Found names: where in a text a name stands that may say that a secret follows, and how much it says.

What follows is the business of `assignments`; which names say something, of `names`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from isengard.core.redaction.names import KEY_OWNERS, Sensitivity, sensitivity
from isengard.core.redaction.notation import name_start

KEYWORD = re.compile(
    r"(?i)(?:token|passwor[dt]|passwd|passphrase|passcode|pass|pwd|pw|secret|key|credential|auth|jwt|bearer|psk|sas"
    r"|otp|cred|pat|session[_.-]?id|sessid|dsn|string)(?:s|_?id)?(?:[_-]?\d{1,2})?(?![A-Za-z0-9_])(?!-[A-Za-z])"
)
"""The last word of every name that may say something."""

_SPACED_OWNER = re.compile(
    r"(?i)(?:api|access|secret|private|auth|bearer|refresh|encryption|signing|master|account"
    r"|wandb|civitai|kaggle|ngc|fal|openai|anthropic|hugging ?face|replicate|runpod)[ ]$"
)
_CALLED_WITH_KEY = re.compile(r"(?i)(?:login|config|configure|init|client|api)\((?:[^()\n]{0,80}[, ])?$")

_MARKS = ("=", '"', "'", ":", "\\", "%3", "&quot;")
_WORDS = (
    "token passw passphrase passcode sshpass pwd _pass -pass secret _key -key .key (key= credential auth jwt bearer "
    "psk sas otp cred sessid sessionid session_id session-id session.id dsn connectionstring connection_string -pat"
)
_SPACED = (
    "api access private encryption signing master account wandb civitai kaggle ngc fal openai anthropic face "
    "huggingface replicate runpod"
)
LITERALS = (
    *_WORDS.split(),
    *(f"{word}{mark}" for word in ("pass", "pw", "_pat") for mark in _MARKS),
    *("_pat ", " key="),
    *(f"{owner}key" for owner in sorted(KEY_OWNERS)),
    *(f"{owner} key" for owner in _SPACED.split()),
)
"""Texts of which one stands wherever such a name does; see `rules.Rule`."""


@dataclass(frozen=True, slots=True)
class FoundName:
    """A name found in a text: where it stands and how much it says."""

    text: str
    start: int
    end: int
    level: Sensitivity

    @property
    def is_flag(self) -> bool:
        """Whether it is written as an option of a command line."""
        return self.text.startswith("-")


def name_at(shadow: str, keyword: re.Match[str]) -> FoundName:
    """The name whose last word is `keyword`."""
    start = name_start(shadow, keyword.start())
    text = shadow[start : keyword.end()]
    level = sensitivity(text)
    spaced = text.lower() in ("key", "keys", "token", "secret") and _SPACED_OWNER.search(
        shadow, max(0, start - 12), start
    )
    if spaced:
        level = Sensitivity.NORMAL
    elif text == "--key" or (text == "key" and _CALLED_WITH_KEY.search(shadow, max(0, start - 96), start)):
        level = Sensitivity.WEAK
    return FoundName(text, start, keyword.end(), level)
