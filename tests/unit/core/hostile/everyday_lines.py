"""Everyday text of trainings and of what surrounds them, made by grammars: none of it holds a secret, all of it is to
come through byte for byte."""

# ruff: noqa: E501 - one kind, one line
from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable

Rng = random.Random
Line = Callable[[Rng], str]


def _table(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SUSPICIOUS = _table(
    """
    token tokens tokenizer tokenized password passwords passphrase secret secrets secretly key keys keyframe keyboard
    api auth author authority bearer basic cookie cookies credential credentials session pass passes passport bypass
    compass signature sign private public access login login-free machine vault jwt otp pat pin sas psk turkey monkey
    """
)
PLAIN = _table(
    """
    a an the of and with in on from by for model training loss step epoch image caption prompt dataset sample checkpoint
    rank alpha unet vae text encoder scheduler noise latent resolution bucket batch seed gradient optimizer rate cache
    attention block weight bias woman man dog cat castle forest river portrait cinematic lighting masterpiece detailed
    """
)
MODELS = ("openai/clip-vit-large-patch14", "xai-org/grok-1", "stabilityai/sdxl-turbo", "black-forest-labs/FLUX.1-dev", "google/t5-v1_1-xxl", "Qwen/Qwen2-VL-7B-Instruct", "hf-internal-testing/tiny-stable-diffusion-pipe", "meta-llama/Llama-3.2-1B")  # fmt: skip
PACKAGES = ("torch", "tokenizers", "python-jose", "pyjwt", "passlib", "keyring", "secretstorage", "authlib", "oauthlib", "tiktoken", "sentencepiece", "xformers", "bitsandbytes", "keras", "pycryptodome", "cookiecutter")  # fmt: skip


def _words(rng: Rng, count: int) -> str:
    return " ".join(rng.choice(SUSPICIOUS if rng.random() < 0.35 else PLAIN) for _ in range(count))


def _hex(rng: Rng, size: int) -> str:
    return "".join(rng.choices("0123456789abcdef", k=size))


def _uuid(rng: Rng) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _version(rng: Rng) -> str:
    return f"{rng.randrange(9)}.{rng.randrange(40)}.{rng.randrange(9)}"


def _path(rng: Rng) -> str:
    root = rng.choice(
        [
            "/workspace",
            "/root/.cache/huggingface/hub",
            "C:\\Users\\bob\\lora",
            "~/sd-scripts",
            "./output",
            "s3://bucket",
        ]
    )
    joint = "\\" if "\\" in root else "/"
    return joint.join([root, rng.choice(SUSPICIOUS), f"{rng.choice(PLAIN)}_{rng.randrange(10**4):06d}"]) + rng.choice([".png", ".safetensors", ".txt", ".json", ".pt"])  # fmt: skip


def _module(rng: Rng) -> str:
    return f"lora_{rng.choice(['unet', 'te1', 'te2'])}_{rng.choice(['down', 'up'])}_blocks_{rng.randrange(4)}_attentions_{rng.randrange(3)}_transformer_blocks_{rng.randrange(10)}_attn{rng.randrange(1, 3)}_to_{rng.choice(['q', 'k', 'v', 'out_0'])}"


def _bar(rng: Rng) -> str:
    done, total = rng.randrange(1000), 1000
    return f"{done * 100 // total:3d}%|{'█' * (done // 100)}{rng.choice('▏▎▍▌▋▊▉ ')}{' ' * (9 - done // 100)}| {done}/{total} [{rng.randrange(60):02d}:{rng.randrange(60):02d}<{rng.randrange(60):02d}:{rng.randrange(60):02d}, {rng.random() * 9:5.2f}{rng.choice(['it/s', 's/it'])}"


def _stamp(rng: Rng) -> str:
    clock = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"
    return rng.choice([f"2026-01-{rng.randrange(1, 29):02d} {clock}", f"01/02/2026 {clock}", f"[2026-01-02 {clock},{rng.randrange(999):03d}]", f"2026-01-02T{clock}.{rng.randrange(999999):06d}Z", f"Jan  2 {clock} host"])  # fmt: skip


def _tokenizer(rng: Rng) -> str:
    kind = rng.choice(["pad", "eos", "bos", "unk", "mask", "sep", "cls"])
    value = rng.choice(["<|endoftext|>", "<s>", "</s>", "[MASK]", "<pad>", "<unk>", "!", "<|im_end|>"])
    return rng.choice([
        json.dumps({f"{kind}_token": value, "model_max_length": 77}),
        json.dumps({f"{kind}_token": {"content": value, "lstrip": False, "normalized": True}, "added_tokens_decoder": {"0": {"content": value}}}, indent=2),
        f"tokenizer.{kind}_token = tokenizer.eos_token",
        f"Setting `{kind}_token_id` to `eos_token_id`:{rng.randrange(60000)} for open-end generation.",
        f"{kind}_token_id: {rng.randrange(60000)}, {kind}_token: {value}",
    ])  # fmt: skip


def _settings(rng: Rng) -> str:
    name, value = rng.choice([
        ("max_token_length", "225"), ("max_tokens", str(rng.randrange(4096))), ("keep_tokens", "1"), ("use_auth_token", "False"), ("hub_token", "None"), ("token_string", "ohwx"),
        ("shuffle_tokens", "true"), ("num_tokens", "75"), ("password", "None"), ("api_key", "null"), ("HF_TOKEN", "${HF_TOKEN}"), ("WANDB_API_KEY", "$WANDB_API_KEY"), ("secret", "null"),
        ("cache_key", "latents"), ("sort_key", "created_at"), ("foreign_key", "job_id"), ("key_padding_mask", "None"), ("tokenizer_max_length", "512"), ("token_drop", "0.1"), ("weighted_tokens", "True"),
    ])  # fmt: skip
    return rng.choice(
        [
            f"{name}={value}",
            f"{name}: {value}",
            f"--{name}={value}",
            f"--{name} {value}",
            f"  {name:<28} {value}",
            f"{name} = {value}",
            f'"{name}": {value if value[0] not in "$olc" else json.dumps(value)},',
        ]
    )


def _code(rng: Rng) -> str:
    name = rng.choice(["token", "api_key", "password", "hf_token", "secret", "access_token"])
    return rng.choice([
        f"    def login(self, {name}: str | None = None) -> None:", f"    self.{name} = {name}", f"    {name} = os.environ.get('HF_TOKEN')", f"    if {name} is None:", "    use_auth_token=hf_token,", "    hub_token=token)", f"        raise ValueError('{name} is required')",
        f"    {name} = get_{name}()", f"    assert {name}, 'no {name} given'", f"    parser.add_argument('--{name}', type=str, default=None, help='the {name} to use')", f"    headers = build_headers({name}=args.{name})", f"    {name}: Optional[str] = field(default=None, metadata={{'help': 'your {name}'}})",
        "    for token in tokens:", "    tokens = self.tokenizer(prompt, return_tensors='pt')", "    key, value = line.split('=', 1)", "    for key in state_dict.keys():", "    new_key = key.replace('lora_down', 'lora_A')", "    state_dict[key] = weights.pop(key)", "    return {k: v for k, v in sd.items() if k.startswith('lora_')}",
        f"    print(f'{name}: {{{name}}}')", f"    del {name}", f"    kwargs.pop('{name}', None)", f"    @property\n    def {name}(self) -> str:\n        return self._{name}", "    q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)", f"    from huggingface_hub import {rng.choice(['hf_hub_download', 'login', 'get_token'])}",
    ])  # fmt: skip


def _message(rng: Rng) -> str:
    return rng.choice([
        "Token is valid (permission: read).", "The token `laptop` has been saved to /root/.cache/huggingface/stored_tokens", "Invalid user token.", "Invalid credentials in Authorization header", "Your session has expired; please log in again",
        "wandb: Currently logged in as: bob (team) to https://api.wandb.ai. Use `wandb login --relogin` to force relogin", "wandb: WARNING If you're specifying your api key in code, ensure this code is not shared publicly.", "wandb: (1) Create a W&B account", "wandb: You can find your API key in your browser here: https://wandb.ai/authorize",
        "401 Client Error. (Request ID: Root=1-65f0a1b2-" + _hex(rng, 24) + ";" + _uuid(rng) + ")", f"Cannot access gated repo for url https://huggingface.co/{rng.choice(MODELS)}/resolve/main/config.json.", "Password authentication was removed on August 13, 2021.",
        "fatal: could not read Username for 'https://github.com': No such device or address", "git@github.com: Permission denied (publickey).", "Permission denied, please try again. (publickey,password)", "Enter passphrase for key '/root/.ssh/id_ed25519': ", "Generating public/private ed25519 key pair.", f"The key fingerprint is: SHA256:{base64.b64encode(rng.randbytes(32)).decode().rstrip('=')} root@host",
        "KeyError: 'token'", "KeyError: 'api_key'", "ValueError: secret must be a string, not NoneType", "TypeError: login() got an unexpected keyword argument 'password'", "AttributeError: 'NoneType' object has no attribute 'pad_token'", "RuntimeError: Error(s) in loading state_dict: Missing key(s) in state_dict: \"text_model.embeddings.token_embedding.weight\"",
        "UserWarning: use_auth_token is deprecated, use token instead", "FutureWarning: The `use_auth_token` argument is deprecated. Please use `token` instead.", "Repo card metadata block was not found. Setting CardData to empty.", "Set the environment variable HF_TOKEN or pass a token", "Using token from environment variable HF_TOKEN", "no API key found, logging offline",
        "the password must have at least 12 characters", "a secret is never written down", "bearer of the ring", "press any key to continue", "cookies are disabled", "basic auth is not supported", "API key: not set", "token: expired", "password: required", "secret: missing", "auth: none", "login failed: wrong password for user bob", "password reset link sent",
    ])  # fmt: skip


LINES: dict[str, Line] = {
    "kohya step": lambda rng: f"steps: {_bar(rng)}, avr_loss={rng.random():.4f}]",
    "kohya start": lambda rng: f"  num train images * repeats / 学習画像の数×繰り返し回数: {rng.randrange(999)}\n  max_token_length: {rng.choice([75, 150, 225])}\n  keep_tokens: {rng.randrange(3)}, keep_tokens_separator: \n  class_tokens: {rng.choice(['woman', 'dog', 'style'])}",
    "kohya module": lambda rng: f"create LoRA for Text Encoder: {rng.randrange(300)} modules. {_module(rng)} dim={rng.choice([4, 8, 16])} key={_module(rng)}.alpha",
    "ai-toolkit": lambda rng: f"my_first_lora_v1: {_bar(rng)}, lr: {rng.random() / 1e4:.1e} loss: {rng.random():.3e}]",
    "accelerate": lambda rng: f"{_stamp(rng)} - INFO - __main__ -   Total optimization steps = {rng.randrange(10**4)}",
    "diffusers": lambda rng: f"Loading pipeline components...: {_bar(rng)}]",
    "transformers": lambda rng: f"{{'loss': {rng.random():.4f}, 'grad_norm': {rng.random():.4f}, 'learning_rate': {rng.random() / 1e4:.3e}, 'epoch': {rng.random() * 3:.2f}, 'num_tokens': {rng.randrange(10**7)}.0, 'mean_token_accuracy': {rng.random():.4f}}}",
    "torch": lambda rng: f"[rank{rng.randrange(8)}]:[W{rng.randrange(10**9)} ProcessGroupNCCL.cpp:{rng.randrange(4000)}] Warning: using GPU {rng.randrange(8)} to perform barrier",
    "cuda": lambda rng: f"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {rng.randrange(999)}.00 MiB. GPU {rng.randrange(8)} has a total capacity of 23.64 GiB of which {rng.randrange(99)}.{rng.randrange(99)} MiB is free.",
    "nccl": lambda rng: f"host-{rng.randrange(99)}:{rng.randrange(99999)}:{rng.randrange(99999)} [{rng.randrange(8)}] NCCL INFO Channel {rng.randrange(32):02d}/0 : {rng.randrange(8)}[{rng.randrange(8)}] -> {rng.randrange(8)}[{rng.randrange(8)}] via P2P/CUMEM comm 0x{_hex(rng, 12)} commId 0x{_hex(rng, 16)}",
    "pip": lambda rng: f"Collecting {rng.choice(PACKAGES)}=={_version(rng)} (from -r requirements.txt (line {rng.randrange(40)}))\n  Downloading {rng.choice(PACKAGES)}-{_version(rng)}-py3-none-any.whl.metadata ({rng.random() * 9:.1f} kB)",
    "pip hash": lambda rng: f"{rng.choice(PACKAGES)}=={_version(rng)} --hash=sha256:{_hex(rng, 64)}",
    "pip list": lambda rng: f"{rng.choice(PACKAGES):<28} {_version(rng)}",
    "npm": lambda rng: f"npm warn deprecated {rng.choice(['har-validator', '@types/keyv', 'jsonwebtoken', 'cookie'])}@{_version(rng)}: this library is no longer supported",
    "lock file": lambda rng: f'      "integrity": "sha512-{base64.b64encode(rng.randbytes(64)).decode()}",',
    "git": lambda rng: rng.choice([f"commit {_hex(rng, 40)}", f"   {_hex(rng, 7)}..{_hex(rng, 7)}  main       -> origin/main", f"index {_hex(rng, 7)}..{_hex(rng, 7)} 100644", f"oid sha256:{_hex(rng, 64)}", f"HEAD is now at {_hex(rng, 7)} {_words(rng, 5)}", "origin  git@github.com:org/repo.git (fetch)"]),
    "docker": lambda rng: rng.choice([f"{_hex(rng, 12)}: Pull complete", f"Digest: sha256:{_hex(rng, 64)}", f" ---> Running in {_hex(rng, 12)}", f"#{rng.randrange(20)} [stage-{rng.randrange(3)} {rng.randrange(9)}/9] RUN pip install {rng.choice(PACKAGES)}=={_version(rng)}", f"{_hex(rng, 64)}"]),
    "hash list": lambda rng: f"{_hex(rng, rng.choice([32, 40, 56, 64, 96, 128]))}  {_path(rng)}",
    "uuid": lambda rng: f"{rng.choice(['run', 'job', 'request', 'trace', 'span', 'session', 'node'])} {_uuid(rng)} {_words(rng, 3)}",
    "traceparent": lambda rng: f"traceparent: 00-{_hex(rng, 32)}-{_hex(rng, 16)}-01 tracestate: isengard={_hex(rng, 8)}",
    "etag": lambda rng: f'ETag: "{_hex(rng, 32)}-{rng.randrange(99)}" X-Request-Id: {_hex(rng, 32)} X-Amz-Cf-Id: none',
    "path": lambda rng: f"saving {_path(rng)} ({rng.random() * 900:.1f} MB)",
    "key of weights": lambda rng: f"missing keys: ['{_module(rng)}.lora_down.weight', '{_module(rng)}.alpha'], unexpected keys: []",
    "shape table": lambda rng: f"{_module(rng):<80} {rng.randrange(99999):>9} torch.float16  key",
    "prompt": lambda rng: json.dumps({"prompt": _words(rng, 14), "negative_prompt": _words(rng, 8), "seed": rng.randrange(2**32)}),
    "caption": lambda rng: f"{_path(rng)}: {', '.join(_words(rng, 2) for _ in range(6))}",
    "tags": lambda rng: json.dumps({"ss_tag_frequency": {"10_sks": {word: rng.randrange(99) for word in rng.choices(SUSPICIOUS, k=7) if word != "password"}}}),
    "prose": lambda rng: f"{_words(rng, 18).capitalize()}.",
    "list of words": lambda rng: f"{rng.choice(SUSPICIOUS).removeprefix('pass')}: {_words(rng, 6)}",
    "tokenizer": _tokenizer,
    "settings": _settings,
    "code": _code,
    "numbered code": lambda rng: f"  File \"/opt/venv/lib/python3.11/site-packages/{rng.choice(['huggingface_hub/utils/_auth.py', 'requests/sessions.py', 'keyring/core.py'])}\", line {rng.randrange(999)}, in {rng.choice(['get_token', 'login', 'password', 'set_key'])}\n{_code(rng)}",
    "message": _message,
    "access log": lambda rng: f'10.0.0.{rng.randrange(255)} - - [02/Jan/2026:03:04:05 +0000] "GET /api/jobs/train-{_hex(rng, 12)}/logs/view?level=INFO&search={rng.choice(SUSPICIOUS)}&limit=100&offset={rng.randrange(999)} HTTP/1.1" 200 {rng.randrange(99999)} "-" "Mozilla/5.0 (X11; Linux x86_64)"',
    "url": lambda rng: f"https://huggingface.co/{rng.choice(MODELS)}/resolve/{_hex(rng, 40)}/tokenizer/{rng.choice(['vocab.json', 'tokenizer_config.json', 'special_tokens_map.json'])}?download=true&page={rng.randrange(9)}#usage-of-tokens",
    "encoded url": lambda rng: f"GET /search?q={_words(rng, 3).replace(' ', '%20')}&next=%2Fjobs%2F{_uuid(rng)}%3Fsort%3Dcreated_at%26order%3Ddesc HTTP/1.1",
    "url with port": lambda rng: f"tcp://10.0.0.{rng.randrange(255)}:{rng.randrange(1024, 65535)}/a@b http://[::1]:{rng.randrange(1024, 65535)}/x?y=a:b@c",
    "environment": lambda rng: rng.choice(["TOKENIZERS_PARALLELISM=false", "PWD=/workspace", "SSH_AUTH_SOCK=/run/user/1000/keyring/ssh", "GPG_KEY=" + _hex(rng, 40).upper(), "npm_config_cache=/root/.npm", "XDG_SESSION_ID=c2", "KEYTIMEOUT=1", "HF_TOKEN_PATH=/root/.cache/huggingface/token", "NVIDIA_REQUIRE_CUDA=cuda>=12.4", "PYTHON_SHA256=" + _hex(rng, 64), "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus", f"MASTER_PORT={rng.randrange(20000, 40000)}"]),
    "tensor": lambda rng: f"tensor([{', '.join(f'{rng.gauss(0, 1):.4e}' for _ in range(6))}], device='cuda:{rng.randrange(8)}', dtype=torch.bfloat16)",
    "base64 image": lambda rng: f'<img alt="sample" src="data:image/png;base64,{base64.b64encode(rng.randbytes(rng.randrange(60, 400))).decode()}">',
    "base64 lines": lambda rng: "\n".join(base64.b64encode(rng.randbytes(57)).decode() for _ in range(4)),
    "model card": lambda rng: f"---\nlicense: mit\nbase_model: {rng.choice(MODELS)}\ninstance_prompt: a photo of sks {rng.choice(PLAIN)}\ntags:\n- text-to-image\n- lora\nwidget:\n- text: {_words(rng, 6)}\n---\n## Trigger words\nYou should use `sks` to trigger the image generation.",
    "markdown table": lambda rng: f"| {rng.choice(SUSPICIOUS)} | {rng.random():.4f} | {_words(rng, 4)} |\n|---|---|---|",
    "rich table": lambda rng: f"│ {rng.choice(SUSPICIOUS)} │ {_words(rng, 2)} │ {rng.randrange(99)} │",
    "usage": lambda rng: f"  --{rng.choice(['token', 'hub_token', 'api-key', 'password', 'secret-name'])} {rng.choice(['TOKEN', 'HUB_TOKEN', 'KEY', 'PASSWORD', 'NAME'])}  {_words(rng, 5)} (default: None)",
    "yaml": lambda rng: f"model:\n  name_or_path: {rng.choice(MODELS)}\n  tokens: {rng.randrange(999)}\ntrain:\n  batch_size: 1\nkeys:\n  - {rng.choice(PLAIN)}\n  - {rng.choice(PLAIN)}\ncaption: >\n  {_words(rng, 8)}\n",
    "toml": lambda rng: f'[general]\nkeep_tokens = {rng.randrange(3)}\nclass_tokens = "{rng.choice(PLAIN)}"\n[[datasets]]\nresolution = {rng.choice([512, 768, 1024])}\n',
    "json config": lambda rng: json.dumps({"_class_name": "UNet2DConditionModel", "_diffusers_version": _version(rng), "cross_attention_dim": 768, "key": None, "tokenizer": ["transformers", "CLIPTokenizer"], "secret": None, "token": None}),
    "journal": lambda rng: json.dumps({"seq": rng.randrange(10**6), "ts": "2026-01-02T03:04:05.678901Z", "level": "INFO", "event": "log", "msg": _words(rng, 9), "service": "runner", "job_id": f"train-{_hex(rng, 12)}", "correlation_id": _uuid(rng), "fields": {"path": _path(rng), "message": _message(rng)}}),
    "escaped json": lambda rng: json.dumps(json.dumps({"step": rng.randrange(999), "text": _words(rng, 5), "pad_token": "<pad>", "token_ids": [rng.randrange(50000) for _ in range(5)]})),
    "repr": lambda rng: repr({"input_ids": [rng.randrange(50000) for _ in range(5)], "text": _words(rng, 6), "token_type_ids": [0, 1], "key": rng.choice(PLAIN)}),
    "windows": lambda rng: f"{_stamp(rng)} INFO {_path(rng)}\r\n{_words(rng, 6)}\r\n",
    "coloured": lambda rng: f"\x1b[32mINFO\x1b[0m {_words(rng, 4)} \x1b[1m{rng.choice(PLAIN)}\x1b[0m {_hex(rng, 40)}",
    "names of shapes": lambda rng: rng.choice(["task-42", "risk-free", "disk-cache", "hf_hub_download", "hf_transfer", "hf_token", "sk-learn", "sk-SK", "lora_r8_alpha16", "xai-org/grok-1", "ASIAN_FACES_01.png", "package@1.6.30", "git@host:", "max_tokens=512", "tokens/s", "local-path", "local-attention", "SG.1", "ya29", "npm_config_cache", "glpat", "sk_ratio_0.5", "pk_field", "rk_steps=4", "dapix", "key-value", "r8_b16", "pa-rank-16", "fw_kernel", "hf_quantizer", "gsk_loss", "AKIRA_1988.png", "ASIA-PACIFIC", "eyJ", "eyJoe.png", "hvs.py", "shpat", "as-is-and-so-on", "ak-47"]) + f" {_words(rng, 3)}",
    "chinese": lambda rng: f"训练步骤 {rng.randrange(999)}: 损失 {rng.random():.4f}, 令牌长度 {rng.randrange(77)}, 密码学 {_words(rng, 2)}",
    "seconds": lambda rng: f"forward_pass={rng.random():.3f}s backward_pass={rng.random():.3f}s pass {rng.randrange(9)} of 9 tokens_per_second={rng.random() * 1e4:.1f}",
    "gpu": lambda rng: f"GPU-{_uuid(rng)} 00000000:{_hex(rng, 2)}:00.0 {rng.randrange(99)} %, {rng.randrange(24000)} MiB, key {rng.randrange(9)}",
    "html": lambda rng: f'<td class="token">{rng.choice(PLAIN)}</td><input type="password" name="password" value=""><label for="token">{_words(rng, 3)}</label>',
    "lsof": lambda rng: f"python {rng.randrange(99999)} root {rng.randrange(99)}u IPv4 {rng.randrange(10**6)} 0t0 TCP 127.0.0.1:{rng.randrange(65535)} (LISTEN)",
}  # fmt: skip
"""Kinds of everyday text."""
