"""Names: which names of variables, keys, flags and headers say that what follows is a secret.

Decides by the words of a name (``HF_TOKEN``, ``accessToken``, ``x-api-key``), never by a value.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache


class Sensitivity(IntEnum):
    """How much a name says about its value."""

    NONE = 0
    """Nothing."""
    WEAK = 1
    """It may be a secret: only a value that looks like one is masked."""
    NORMAL = 2
    """It is a secret unless it is a boolean, a number, null or a reference such as ``${VAR}``."""
    STRONG = 3
    """A password: a number is masked too."""
    TOKEN = 4
    """Exactly ``token``: after ``=`` anything is masked."""


_NAME = re.compile(r"[\w. -]{1,160}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_PASSWORDS = ("password", "passwd", "passphrase", "passwort", "passcode", "pwd", "sshpass")
_NORMAL_ENDS = ("secret", "token", "apikey", "apikeys", "accesskey", "secretkey", "privatekey", "authkey", "accountkey")


def _table(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NORMAL_WORDS = _table(
    """
    secrets passwords credential credentials authorization connectionstring sessionid phpsessid jsessionid masterkey
    sharedkey signingkey encryptionkey subscriptionkey licensekey sastoken
    """
)
_WEAK_WORDS = _table("auth pass pat jwt bearer psk sas otp totp hotp cred creds cookie dsn")

_TOKENIZER = _table(
    """
    pad eos bos unk mask sep cls sot eot eod bod eof boi eoi fim image img video audio vision speech placeholder
    initializer instance class trigger prompt special added stop start end word sub first last next previous new control
    prefix suffix middle delimiter break lang language patch tile utterance register newline space blank separator per
    to num dummy avg max min total multi single tik de pre query time
    """
)
"""What stands before ``_token`` where it is a piece of text, or a number of them, and no credential."""

_PLURAL_OWNERS = _table("api access auth refresh secret bearer bot")

_KEY_OWNERS = _table(
    """
    api access secret private auth account storage encryption decryption signing master shared service subscription
    license session consumer deploy webhook admin root crypto priv aes rsa hmac jwt ssh tls ssl client app apim
    application
    """
)

_KEY_VENDORS = _table(
    """
    openai anthropic hf huggingface wandb kaggle fal ngc civitai replicate runpod gemini google azure aws github gitlab
    slack stripe sendgrid twilio mistral cohere groq together perplexity pinecone langsmith langfuse comet neptune
    clearml deepseek xai nvidia modal vastai elevenlabs stability bfl fireworks openrouter datadog sentry tailscale
    cloudflare digitalocean heroku vault supabase firebase algolia mapbox mailgun telegram discord ngrok s3 r2 b2 minio
    snowflake databricks
    """
)
"""Vendors whose variable is simply ``<VENDOR>_KEY``."""

KEY_OWNERS = _KEY_OWNERS | _KEY_VENDORS
"""What stands before ``key`` where it is a credential."""

_PASS_OWNERS = _table(
    """
    db database smtp imap user mysql redis ftp sftp mail email admin root sudo proxy ssh key postgres pg rabbitmq mqtt
    http auth login client cert keystore truststore broker registry sasl
    """
)


def words_of(name: str) -> list[str]:
    """The words of `name` in lower case: ``accessToken_2`` gives ``["access", "token", "2"]``."""
    return [word.lower() for word in _WORD.findall(name)]


@lru_cache(maxsize=4096)
def sensitivity(name: str) -> Sensitivity:
    """How much `name` says about its value; any letter case, ``_``, ``-``, ``.``, a space between words, camelCase."""
    if not _NAME.fullmatch(name):
        return Sensitivity.NONE
    words = words_of(name)
    level = _of_words(name, words)
    if level is Sensitivity.NONE and any(len(word) == 1 for word in words):  # cAMELcASE, or no case at all
        return _of_words(name, words_of(name.lower()))
    return level


def _of_words(name: str, words: list[str]) -> Sensitivity:
    numbered = len(words) > 2 and words[-1].isdigit()
    if numbered:
        words = words[:-1]
    if not words:
        return Sensitivity.NONE
    if words[-1] in ("key", "keys", "id"):
        return _of_key(name, words)
    return _of_last_word(name, words)


def _of_last_word(name: str, words: list[str]) -> Sensitivity:
    last, owner = words[-1], words[-2] if len(words) > 1 else ""
    if last.endswith(_PASSWORDS) or (last.endswith("pass") and last.removesuffix("pass") in _PASS_OWNERS):
        return Sensitivity.STRONG
    if last.endswith("token"):
        return _of_token(last, owner, words)
    if last == "tokens":
        return Sensitivity.NORMAL if owner in _PLURAL_OWNERS else Sensitivity.NONE
    if last.endswith(_NORMAL_ENDS) or last in _NORMAL_WORDS or (last == "string" and owner == "connection"):
        return Sensitivity.NORMAL
    if last in ("pass", "pw"):
        return Sensitivity.STRONG if owner in _PASS_OWNERS else Sensitivity.WEAK if not owner else Sensitivity.NONE
    return Sensitivity.WEAK if last in _WEAK_WORDS else Sensitivity.NONE


def _of_token(last: str, owner: str, words: list[str]) -> Sensitivity:
    if words == ["token"]:
        return Sensitivity.TOKEN
    stem = owner if last == "token" else last.removesuffix("token")
    return Sensitivity.NONE if stem in _TOKENIZER else Sensitivity.NORMAL


def _of_key(name: str, words: list[str]) -> Sensitivity:
    if words[-1] == "id":
        if words[-2:-1] == ["session"]:
            return Sensitivity.WEAK
        return Sensitivity.NORMAL if words[-3:-1] in (["access", "key"], ["private", "key"]) else Sensitivity.NONE
    owner = words[-2] if len(words) > 1 else ""
    if owner in ("gpg", "pgp"):
        return Sensitivity.NONE  # a fingerprint, as images of Python and Node carry it; private ones come as blocks
    if owner in KEY_OWNERS:
        return Sensitivity.NORMAL
    return Sensitivity.WEAK if owner and name.isupper() else Sensitivity.NONE


def names_a_secret(name: str) -> bool:
    """Whether a variable or key called `name` is taken to hold a secret, whatever its value looks like."""
    return sensitivity(name) >= Sensitivity.NORMAL
