"""Failures on the way to the base model: the hub, its tokens, the network."""

from __future__ import annotations

from isengard.trainers.causes.rule import Cause, named, rule

_ELSEWHERE = "gated-weights hub-forbidden bad-token network tls hub-busy disk-full"

RULES = (
    rule(
        r"(GatedRepoError|Cannot access gated repo|trying to access a gated repo|access to model \S+ is restricted"
        r"|awaiting a review from the repo|public gated repositories"
        r"|403 (?:Client Error|Forbidden)[^\n]{0,200}(?:gated|resolve))",
        Cause(
            "gated-weights",
            "The base model is gated",
            "The model exists, but its owner lets in only people who have accepted its terms.",
            (
                "Accept the terms on the model's page with the account whose token you use.",
                "Give the job that account's token as the secret HF_TOKEN; a fine-grained one must be allowed to read "
                "gated repositories.",
            ),
        ),
    ),
    rule(
        r"(403 (?:Client Error|Forbidden)(?!\), domain: )(?::? ?([^\n]{1,160}))?|don't have the rights to"
        r"|token has the correct permissions)",
        Cause(
            "hub-forbidden",
            "The hub does not allow it",
            "The token is valid, but may not do this: {name}",
            (
                "Give the token the permission it lacks (read or write, and for which account).",
                "Or turn off what asks for it, such as pushing the result to the hub.",
            ),
        ),
        named,
    ),
    rule(
        r"(RepositoryNotFoundError|RevisionNotFoundError|(?<!Local)EntryNotFoundError|404 (?:Client Error|Not Found)"
        r"|Repository Not Found)",
        Cause(
            "missing-weights",
            "The base model was not found",
            "The hub knows no such model, revision or file; a private model looks the same without a token.",
            ("Check the spelling of the base model.", "For a private model, give the job the secret HF_TOKEN."),
        ),
    ),
    rule(
        r"(api_key not configured \(no-tty\)|wandb\.login\(|wandb\.errors\.\w*Auth\w*"
        r"|CommError: [^\n]{0,60}(?:permission|unauthorized|401))",
        Cause(
            "tracker-login",
            "The experiment tracker wants a login",
            "The script reports to Weights & Biases, and has no key for it.",
            (
                "Give the job the secret WANDB_API_KEY.",
                "Or set WANDB_MODE=offline, or turn the tracker off (--report_to, --log_with): Isengard records too.",
            ),
        ),
    ),
    rule(
        r"(401 (?:Client Error|Unauthorized)|Invalid (?:user )?token|Invalid credentials in Authorization header"
        r"|Invalid username or password|LocalTokenNotFoundError|but no token found)",
        Cause(
            "bad-token",
            "The token was refused",
            "The model hub did not accept the token: it is missing, mistyped, revoked or expired.",
            ("Give the job a valid token as the secret HF_TOKEN.",),
        ),
    ),
    rule(
        r"(CERTIFICATE_VERIFY_FAILED|certificate verify failed|self[- ]signed certificate|SSLCertVerificationError"
        r"|WRONG_VERSION_NUMBER|SSLError)",
        Cause(
            "tls",
            "The connection could not be trusted",
            "The certificate of the server is not one that this machine trusts; often a proxy of a company or school "
            "puts its own in between, sometimes the clock is wrong.",
            (
                "Give the trainer the proxy's certificate: SSL_CERT_FILE and REQUESTS_CA_BUNDLE name a PEM file.",
                "Look at the machine's date.",
                "Use a local folder as base_model.",
            ),
        ),
    ),
    rule(
        r"(\b429 (?:Client Error|Too Many Requests)|Too Many Requests for url|\b50[0234] (?:Server Error|Bad Gateway"
        r"|Service Unavailable|Gateway)|Rate limit)",
        Cause(
            "hub-busy",
            "The server is overloaded or limits requests",
            "It answered, but not with what was asked for: too many requests, or a failure on its side.",
            (
                "Try again later: finished files are kept.",
                "Give the job the secret HF_TOKEN: the limits are higher with an account.",
                "Use a local folder as base_model.",
            ),
            retry=True,
        ),
    ),
    rule(
        r"(OfflineModeIsEnabled|offline mode is enabled|HF_HUB_OFFLINE=1|local_files_only=True)",
        Cause(
            "offline",
            "The model is not on this machine, and the hub may not be asked",
            "The trainer runs in offline mode (HF_HUB_OFFLINE), and the file is not in its cache.",
            ("Download the model once with the network on.", "Use a local folder as base_model."),
        ),
    ),
    rule(
        r"(Max retries exceeded|Temporary failure in name resolution|Name or service not known|Failed to resolve"
        r"|\bConnectionError|ConnectionResetError|Connection reset by peer|RemoteDisconnected|Connection aborted"
        r"|ConnectError|ConnectTimeout|ConnectionRefusedError|Connection refused|Network is unreachable"
        r"|No route to host"
        r"|ReadTimeout|Read timed out|IncompleteRead|ChunkedEncodingError|RemoteProtocolError|ProxyError"
        r"|xethub\.hf\.co|CAS service error|Consistency check failed: file should be of size)",
        Cause(
            "network",
            "The network failed",
            "A server could not be reached, or broke off in the middle of a download; most often the model hub.",
            ("Try again: finished files are kept.", "Use a local folder as base_model."),
            retry=True,
        ),
    ),
    rule(
        r"(LocalEntryNotFoundError|We couldn't connect to|couldn't find them in the cached files)",
        Cause(
            "network",
            "The network failed",
            "The model hub could not be reached, and the file is not in this machine's cache.",
            (
                "Try again: finished files are kept.",
                "Look at the network, at HTTPS_PROXY and at HF_ENDPOINT.",
                "Use a local folder as base_model.",
            ),
            retry=True,
        ),
        yields_to=f"{_ELSEWHERE} offline missing-weights".replace("network ", ""),
    ),
    rule(
        r"(is not a local folder and is not a valid model identifier|neither a valid local path nor a valid repo id"
        r"|make sure you don't have a local directory with the same name|Can't load (?:tokenizer|model|config\w*) for)",
        Cause(
            "missing-weights",
            "The base model was not found",
            "The hub knows no such model, revision or file; a private model looks the same without a token.",
            ("Check the spelling of the base model.", "For a private model, give the job the secret HF_TOKEN."),
        ),
        yields_to=f"{_ELSEWHERE} offline",
    ),
)
