"""Ordinary text of trainings, written by hand and generated: none of it may change by a byte."""

# ruff: noqa: E501 - one kind, one line
from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable, Iterator

Rng = random.Random

HAND_WRITTEN = r"""
task-42 done
session_id=42 Session ID: 12 "ss_session_id": "3419871263" session_id = uuid.uuid4() session_id=self.session_id
wandb session_id='20260102_030405-8x1k2m3n' XDG_SESSION_ID=c2 session id of the notebook; sessions: 3
running on Erlang/OTP 26, otp_release: 26, the otp module, adopt=123456, otp=None otp: ${OTP}
SENTRY_DSN= SENTRY_DSN=${SENTRY_DSN} dsn=mysql DATABASE_DSN=sqlite:///x.db {"dsn": null} ODBC dsn=Warehouse
sentry_sdk.init(dsn=SENTRY_DSN) dsn=postgresql://isengard@db/isengard --dsn postgres://u@h/db mail to a:b@tcp.example.org
risk-free and disk-cache and desk-lamp and mask-rcnn and ask-me
from huggingface_hub import hf_hub_download, hf_transfer
HF_HUB_ENABLE_HF_TRANSFER=1 uses hf_transfer
the word hf_token alone is no secret
import sk-learn as sklearn; locale sk-SK; sk-learn-contrib
max_tokens=512 max_new_tokens: 256 num_tokens=77 total_tokens: 1234567
12345.6 tokens/s, 77 tokens per prompt
"pad_token": "<|endoftext|>", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "[UNK]"
"mask_token": "[MASK]", "sep_token": "[SEP]", "cls_token": "[CLS]"
{"pad_token": "!", "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
"eos_token_id": 49407, "pad_token_id": 1, "bos_token_id": 49406
{"add_bos_token": true, "add_eos_token": false, "clean_up_tokenization_spaces": true}
"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<|vision_start|>"]
"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"
"added_tokens_decoder": {"49406": {"content": "<|startoftext|>", "lstrip": false, "special": true}}
use_auth_token=False use_auth_token=True use_auth_token=None
max_token_length=225 token_string=ohwx keep_tokens=1 shuffle_tokens=False caption_dropout_rate=0.05
--max_token_length=225 --keep_tokens 1 --keep_tokens_separator="|||" --shuffle_caption
tokenizer=CLIPTokenizer tokenizer_max_length=77 tokenizer_name_or_path=openai/clip-vit-large-patch14
d41d8cd98f00b204e9800998ecf8427e  model.safetensors
da39a3ee5e6b4b0d3255bfef95601890afd80709 refs/heads/main
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  dataset.zip
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855: Pull complete
commit 9fceb02d0ae598e95dc970b74767f19372d61af8
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
job 123e4567-e89b-12d3-a456-426614174000 queued
lora_r8_alpha16 lora_r8_alpha16_dropout0.1 r8_g64
xai-org/grok-1 loaded
ASIAN_FACES_01.png AKIARA.txt ASIA.png
npm_config_cache=/root/.npm npm_lifecycle_event=build npm_package_version=1.0.0
package@1.6.30 vite@5.4.11 @types/react@18.3.12
http://host:80/a@b and git@host: and git@github.com:org/repo.git
ssh://git@github.com/org/repo.git https://user@example.org/x
bearer of the ring, bearer token required, Bearer authentication failed
Basic training is over; basic usage: isengard train
{"hf_token": null, "token": null, "password": null, "api_key": null}
token: ${HF_TOKEN}
HF_TOKEN=${HF_TOKEN} WANDB_API_KEY=$WANDB_API_KEY
api_key: ${{ secrets.WANDB_API_KEY }}
"HF_TOKEN": "${HF_TOKEN}"
password: "{{ vault_password }}"
WANDB_API_KEY=None HF_TOKEN=none OPENAI_API_KEY=
Token is valid (permission: fineGrained).
Your token has been saved to /root/.cache/huggingface/token
Token has not been saved to git credential helper. Pass `add_to_git_credential=True` if you want to set it.
You are not authenticated. Please set HF_TOKEN or run `hf auth login`.
Set the environment variable HF_TOKEN to your access token (https://huggingface.co/settings/tokens).
401 Client Error: Unauthorized for url: https://huggingface.co/api/models/black-forest-labs/FLUX.1-dev
Invalid username or password.
Password authentication is not supported for Git operations.
Enter your password:
To use --token, pass it after the command
use --token to pass an access token, or --api-key for the key
usage: isengard train [--token TOKEN] [--password PASSWORD] [--api-key <API_KEY>]
  --hf_token HF_TOKEN   access token for gated repositories
  --password            ask for the password
Unexpected token: } in JSON at position 12
SyntaxError: Unexpected token < in JSON at position 0
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
invalid token: expected string, got int
the secret of a good dataset is variety
secret: not found
api key: not set
API key missing, set WANDB_API_KEY
wandb: Currently logged in as: bob (team). Use `wandb login --relogin` to force relogin
wandb: Run data is saved locally in /root/wandb/run-20260101_120000-abc12345
wandb: Syncing run dandy-sun-42
key: unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight
key=lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight shape=(16, 320)
missing keys: ['text_model.embeddings.position_ids'] unexpected keys: []
missing_keys=[] unexpected_keys=['text_model.embeddings.position_ids']
state_dict_key=model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_k.weight
primary_key=id foreign_key=job_id sort_key=created_at cache_key=latents_512
idempotency_key: 4e1243bd-22c6-4c8f-9a3e-8d3c7a1e2f11
PRIMARY_KEY=id PARTITION_KEY=character_id SORT_KEY=step
public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8 bob@host
keyboard=us hotkey=ctrl+s monkey=1 donkey: 2 turkey
author=bob authority=root authentic=yes authored_by: alice
auth: basic
auth=none auth_method=ldap
The cookie jar is empty; cookies: disabled
pass 1 of 3, forward_pass=0.123s backward_pass: 0.245s pass=2
first_pass: ok, second_pass: ok, tests pass: 120
PWD=/root/project OLDPWD=/root HOME=/root SHELL=/bin/bash
SSH_AUTH_SOCK=/tmp/ssh-abc/agent.1 XAUTHORITY=/run/user/1000/gdm/Xauthority
GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/service-account.json
private_key: /root/.ssh/id_ed25519
ssl_key=/etc/ssl/private/server.key
TOKENIZERS_PARALLELISM=false CUDA_VISIBLE_DEVICES=0,1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
HF_HOME=/data/hf HF_HUB_OFFLINE=1 HF_HUB_DISABLE_IMPLICIT_TOKEN=1 TRANSFORMERS_CACHE=/data/tf
LD_LIBRARY_PATH=/usr/local/cuda/lib64:/usr/lib NCCL_DEBUG=INFO MASTER_ADDR=127.0.0.1 MASTER_PORT=29500
PATH=/usr/local/bin:/usr/bin:/bin LANG=en_US.UTF-8 TERM=xterm-256color
 10%|█         | 100/1000 [00:10<01:30, 10.0it/s, loss=0.123, lr=1e-4]
Steps:  50%|█████     | 500/1000 [02:30<02:30,  3.33it/s, step_loss=0.0812, lr=0.0001]
Downloading shards: 100%|██████████| 2/2 [00:00<00:00, 1234.56it/s]
model-00001-of-00002.safetensors:  45%|████▌     | 2.24G/4.98G [00:21<00:25, 107MB/s]
epoch 3/10 step 120/400 loss 0.08123 lr 9.87e-05 grad_norm 0.4321 eta 0:12:34
{'loss': 0.4321, 'learning_rate': 0.0001, 'epoch': 1.5}
{"step": 100, "loss": 0.123, "lr": 0.0001, "tokens_per_second": 1234.5, "grad_norm": null}
loss=nan detected at step 123, skipping
CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 23.69 GiB total capacity; 21.50 GiB already allocated)
torch.cuda.OutOfMemoryError: CUDA out of memory.
Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/diffusers/pipelines/pipeline_utils.py", line 1234, in from_pretrained
    raise ValueError(f"Cannot load {name} from {path}.")
    headers = build_hf_headers(hf_token, library_name=library_name)
    token = get_token()
    api_key = os.environ["OPENAI_API_KEY"]
    self.password = password
    api_key=self.api_key,
    password=settings.database_password,
    def login(self, token: str | None = None, password: Optional[str] = None) -> None:
    hf_token: str = Field(default=None)
    assert isinstance(token, str), f"got {type(token)}"
    for token in tokens:
    if token == self.eos_token:
    tokens = tokenizer.tokenize(text)
    token_ids = self.tokenizer(prompt, padding="max_length", max_length=77, truncation=True).input_ids
    secret = secrets.token_urlsafe(32)
    password = getpass.getpass("Password: ")
    api_key = get_secret("wandb")
    hidden_states = hidden_states + self.cls_token.expand(batch_size, -1, -1)
requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: https://civitai.com/api/download/models/12345
OSError: You are trying to access a gated repo. Make sure to have access to it at https://huggingface.co/black-forest-labs/FLUX.1-dev.
Collecting torch==2.6.0 (from -r requirements.txt (line 1))
  Downloading torch-2.6.0-cp311-cp311-manylinux1_x86_64.whl (766.7 MB)
Requirement already satisfied: tokenizers<0.22,>=0.21 in ./venv/lib/python3.11/site-packages
Successfully installed accelerate-1.10.0 diffusers-0.36.0 peft-0.18.0 safetensors-0.5.0 tokenizers-0.21.0
Installing collected packages: python-jose, pyjwt, passlib, tokenize-rt, secretstorage, keyring
[notice] A new release of pip is available: 24.0 -> 25.0
a photo of ohwx woman, token on the table, secret garden, password written on a note
prompt: a knight with a key, bearer of the ring, cookie monster, highly detailed
"sample_prompts": ["a photo of sks dog", "a secret agent, cinematic lighting", "key visual, masterpiece"]
negative_prompt: lowres, bad anatomy, bad hands, text, error, missing fingers
instance_prompt="a photo of sks dog" class_prompt="a photo of dog" placeholder_token="<cat-toy>" initializer_token="toy"
trigger_word: ohwx, class_tokens = "woman", caption_extension=".txt"
network_module=networks.lora network_dim=16 network_alpha=8 network_args=["conv_dim=4"]
optimizer: AdamW8bit betas=(0.9, 0.999) weight_decay=0.01 eps=1e-08
saving checkpoint to /data/logs/jobs/train-8s0j1k2m3n4p/checkpoints/step_001000.safetensors
uploads/char-0123456789ab/0001_a_photo.png loras/char-0123456789ab/pip-lora.safetensors
docker pull ghcr.io/org/image@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
docker run -u 1000:1000 -p 8000:8000 --gpus all image
curl -fsSL https://example.org/install.sh | sh
curl http://127.0.0.1:8000/api/training/train-8s0j1k2m3n4p
GET /api/jobs/train-8s0j1k2m3n4p/stream?after=120 HTTP/1.1" 200
127.0.0.1:54321 - "POST /api/training HTTP/1.1" 201
Set ISENGARD_TOKEN to reach it from other machines.
postgresql://localhost:5432/isengard redis://127.0.0.1:6379/0 sqlite:////data/isengard.db
postgresql://isengard@db/isengard s3://bucket/models/flux@v1 file:///data/x
https://huggingface.co/black-forest-labs/FLUX.1-dev/resolve/main/flux1-dev.safetensors
https://docs.python.org/3/library/secrets.html#secrets.token_hex
https://example.org/?page=2&sort=created_at&key=name&token_count=5
https://example.org/a?next=%2Fb%3Fc%3Dd&e=f
-----BEGIN CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
no -----BEGIN PRIVATE KEY----- line was found in the file
expected "-----BEGIN RSA PRIVATE KEY-----" at the start
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA is base64 of something public
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
Accept: application/json; Content-Type: text/event-stream; Authorization: required
ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4" X-Request-ID: 7b0d4f3e9a
X-Correlation-ID: corr-4bf92f3577b34da6a3ce929d0e0e4736
access-control-allow-headers: authorization, content-type, x-api-key
WWW-Authenticate: Bearer realm="isengard"
csrf check failed; session expired; cookie missing
2026-01-02T03:04:05.678901Z INFO runner job.stage preparing_dataset
[2026-01-02 03:04:05,678][isengard.execution.runner][INFO] - started
INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)
W0102 03:04:05.678901 140000000000000 torch/distributed/run.py:793] *****************************************
Loading pipeline components...:  60%|██████    | 3/5 [00:00<00:00,  8.12it/s]
The config attributes {'scaling_factor': 0.18215} were passed to AutoencoderKL, but are not expected and will be ignored
Some weights of the model checkpoint were not used when initializing CLIPTextModel: ['vision_model.embeddings.class_embedding']
Token indices sequence length is longer than the specified maximum sequence length for this model (84 > 77).
The following part of your input was truncated because CLIP can only handle sequences up to 77 tokens: ['highly detailed']
gpu 0: NVIDIA GeForce RTX 4090, 24564 MiB, 98 %, 71 C, 412.33 W
GPU-8a6b2c4d-1e2f-3a4b-5c6d-7e8f9a0b1c2d 00000000:01:00.0
MAC 00:1a:2b:3c:4d:5e inet6 fe80::21a:2bff:fe3c:4d5e/64
0x7f3a4c2b1d00 <module 'torch' from '/usr/lib/python3/torch/__init__.py'>
ss_network_dim=16 ss_base_model_version=sd_v1-5 sshs_model_hash=2c3e5a6b7d8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b
{"modelspec.architecture": "stable-diffusion-v1/lora", "modelspec.hash_sha256": "0x2c3e5a6b7d8f9a0b"}
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x512, Model hash: 6ce0161689, Model: v1-5-pruned
samples_per_token=320 pixels_per_token: 256 ms_per_token=1.25 atoms_per_token
num_image_tokens: 1024, prompt_tokens=12, completion_tokens=34, cached_tokens: 0
secrets_path=/run/secrets secret_name: none password_hash: none
has_password=True password_required=False needs_token: yes token_count=3 token_type_ids=[0, 0, 1]
passwordless sudo, password-protected zip, tokenized 1200 captions, secretly, keyframe 12
<Token 3: 'the'> token 7 of 77 Token(id=5) TOKENS=77
fingerprint: SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDQKtcMOw2cOcFzgBo
nvidia-smi -q -d POWER; ls -la /root/.cache/huggingface/hub/models--openai--clip-vit-large-patch14
version: 1.6.30-rc.1+build.5 git-lfs/3.4.0 (GitHub; linux amd64; go 1.21.1)
I/O error: /dev/nvme0n1p2: no space left on device (28)
process 1234 exited with signal SIGKILL (9): out of memory?
{"seq":1,"ts":"2026-01-02T03:04:05.678901Z","level":"INFO","event":"training.step","msg":"","service":"runner","fields":{}}
""".strip("\n").split("\n")

WORDS = [
    "a",
    "the",
    "of",
    "model",
    "training",
    "loss",
    "step",
    "epoch",
    "image",
    "caption",
    "token",
    "tokens",
    "tokenizer",
    "prompt",
    "key",
    "keys",
    "author",
    "auth",
    "secret",
    "pass",
    "basic",
    "bearer",
    "cookie",
    "session",
    "dataset",
    "sample",
    "checkpoint",
    "lora",
    "rank",
    "alpha",
    "unet",
    "vae",
    "text",
    "encoder",
    "scheduler",
    "noise",
    "latent",
    "resolution",
    "bucket",
    "batch",
    "seed",
    "gradient",
    "optimizer",
    "learning",
    "rate",
    "cache",
    "disk",
    "task",
    "risk",
    "mask",
    "attention",
    "block",
    "weight",
    "bias",
]


def _hash(rng: Rng, length: int) -> str:
    return "".join(rng.choices("0123456789abcdef", k=length))


def _job(rng: Rng) -> str:
    return "train-" + "".join(rng.choices("0123456789abcdefghjkmnpqrstvwxyz", k=12))


def _module(rng: Rng) -> str:
    block = f"{rng.choice(['down', 'up'])}_blocks.{rng.randrange(4)}.attentions.{rng.randrange(3)}.transformer_blocks.0"
    return f"unet.{block}.attn{rng.randrange(1, 3)}.to_{rng.choice('qkv')}.lora_{rng.choice('AB')}.weight"


GENERATED: dict[str, Callable[[Rng], str]] = {
    "step line": lambda rng: f"step {rng.randrange(10**5)} loss={rng.random():.5f} lr={rng.random() / 1e4:.3e} tokens/s={rng.random() * 1e4:.1f}",
    "progress bar": lambda rng: f"\rSteps: {rng.randrange(101):3d}%|{'█' * rng.randrange(10)}| {rng.randrange(999)}/1000 [{rng.randrange(60):02d}:{rng.randrange(60):02d}<00:10, {rng.random() * 9:.2f}it/s, loss={rng.random():.4f}]",
    "journal line": lambda rng: json.dumps({"seq": rng.randrange(10**6), "ts": "2026-01-02T03:04:05.678901Z", "level": "INFO", "event": "training.step", "msg": "", "service": "runner", "job_id": _job(rng), "correlation_id": "corr-" + _hash(rng, 32), "fields": {"step": rng.randrange(10**4), "loss": rng.random(), "lr": rng.random() / 1e4, "attempt": 1, "metrics": {"grad_norm": rng.random()}}}),
    "md5": lambda rng: f"{_hash(rng, 32)}  file_{rng.randrange(99)}.png",
    "sha1": lambda rng: f"HEAD is now at {_hash(rng, 40)}",
    "sha256": lambda rng: f"sha256:{_hash(rng, 64)} verified",
    "uuid": lambda rng: f"run {uuid.UUID(int=rng.getrandbits(128))} started",
    "traceparent": lambda rng: f"traceparent=00-{_hash(rng, 32)}-{_hash(rng, 16)}-01",
    "safetensors key": lambda rng: f"{_module(rng)}: torch.Size([{2 ** rng.randrange(4, 8)}, 320]) torch.float16",
    "kohya key": lambda rng: "lora_unet_" + _module(rng).replace(".", "_") + f" alpha={rng.randrange(1, 64)}",
    "missing keys": lambda rng: f"missing_keys={[_module(rng) for _ in range(3)]!r}",
    "path": lambda rng: f"/data/logs/jobs/{_job(rng)}/samples/step_{rng.randrange(10**6):06d}_{rng.randrange(9):02d}.png",
    "url": lambda rng: f"https://huggingface.co/org/model-{rng.randrange(99)}/resolve/{_hash(rng, 40)}/model-0000{rng.randrange(9)}-of-00009.safetensors?download=true",
    "host and port": lambda rng: f"connected to http://10.0.{rng.randrange(255)}.{rng.randrange(255)}:{rng.randrange(1024, 65535)}/a@b",
    "prompt": lambda rng: f'"prompt": "{" ".join(rng.choices(WORDS, k=12))}"',
    "sentence": lambda rng: " ".join(rng.choices(WORDS, k=16)) + ".",
    "caption": lambda rng: "a photo of ohwx, " + ", ".join(rng.choices(WORDS, k=8)),
    "tokenizer": lambda rng: json.dumps({f"{rng.choice(['pad', 'eos', 'bos', 'unk', 'mask', 'sep', 'cls'])}_token": rng.choice(["<|endoftext|>", "</s>", "[PAD]", "!", "<pad>"]), "model_max_length": 77}),
    "token numbers": lambda rng: f"max_tokens={rng.randrange(4096)} n_token={rng.randrange(99)} eos_token_id: {rng.randrange(50000)} tokens_per_s={rng.random() * 999:.1f}",
    "boolean names": lambda rng: f"use_auth_token={rng.choice(['True', 'False', 'None'])} has_secret={rng.choice(['true', 'false'])} api_key: {rng.choice(['null', 'None', 'false'])}",
    "reference": lambda rng: f"{rng.choice(['HF_TOKEN', 'WANDB_API_KEY', 'DB_PASSWORD'])}=${{{rng.choice(['HF_TOKEN', 'SOME_VAR', 'X'])}}}",
    "thumbnail": lambda rng: "data:image/png;base64," + base64.b64encode(rng.randbytes(300)).decode(),
    "base64 line": lambda rng: base64.b64encode(rng.randbytes(57)).decode(),
    "array": lambda rng: "tensor([[" + ", ".join(f"{rng.gauss(0, 1):.4f}" for _ in range(8)) + "]], device='cuda:0')",
    "pip": lambda rng: f"  Downloading {rng.choice(['tokenizers', 'safetensors', 'torch', 'pyjwt', 'passlib'])}-{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(9)}-cp311-cp311-manylinux_2_17_x86_64.whl ({rng.random() * 99:.1f} MB)",
    "npm": lambda rng: f"added {rng.choice(['vite', 'react', '@types/node', 'jsonwebtoken', 'keyv'])}@{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(40)}",
    "traceback line": lambda rng: f'  File "/usr/lib/python3.11/site-packages/{rng.choice(WORDS)}/{rng.choice(WORDS)}_utils.py", line {rng.randrange(2000)}, in {rng.choice(WORDS)}_{rng.choice(WORDS)}',
    "gpu": lambda rng: json.dumps({"index": 0, "utilization_pct": rng.randrange(101), "memory_used_mb": rng.randrange(24564), "temperature_c": rng.randrange(90), "power_w": round(rng.random() * 450, 2)}),
    "argv": lambda rng: repr(["accelerate", "launch", "--num_processes", "1", "train.py", "--max_token_length", "225", "--seed", str(rng.randrange(10**6)), "--output_dir", f"/data/{_job(rng)}"]),
    "yaml": lambda rng: f"  network:\n    type: lora\n    linear: {rng.randrange(64)}\n  datasets:\n    - folder_path: /data/{rng.choice(WORDS)}\n      shuffle_tokens: false\n      keep_tokens: {rng.randrange(4)}\n",
    "toml": lambda rng: f'max_token_length = 225\nkeep_tokens = {rng.randrange(4)}\nseed = {rng.randrange(10**6)}\ncaption_extension = ".txt"\n',
    "access log": lambda rng: f'127.0.0.1:{rng.randrange(1024, 65535)} - "GET /api/jobs/{_job(rng)}/logs/view?level=INFO&event=training.step&limit=100&offset={rng.randrange(9999)} HTTP/1.1" 200 OK',
    "download": lambda rng: f"model.safetensors: {rng.randrange(101)}%|{'█' * rng.randrange(10)}| {rng.random() * 9:.2f}G/9.98G [00:{rng.randrange(60):02d}<00:25, {rng.randrange(300)}MB/s]",
    "metadata": lambda rng: json.dumps({"ss_network_dim": "16", "ss_tag_frequency": {"10_ohwx": {word: rng.randrange(30) for word in rng.choices(WORDS, k=5)}}, "sshs_model_hash": _hash(rng, 64)}),
    "parameters": lambda rng: f"{', '.join(rng.choices(WORDS, k=6))}\nNegative prompt: lowres\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: {rng.randrange(2**32)}, Size: 512x512, Model hash: {_hash(rng, 10)}",
    "class name": lambda rng: f"<{rng.choice(['CLIPTokenizer', 'AddedToken', 'SecretStr', 'KeyError', 'TokenizerFast'])} object at 0x{_hash(rng, 12)}>",
    "kv cache": lambda rng: f"key_states: torch.Size([1, {rng.randrange(32)}, 77, 64]) past_key_values=None cache_position={rng.randrange(77)}",
    "version": lambda rng: f"sk-learn-{rng.randrange(9)}.{rng.randrange(9)} task-{rng.randrange(999)} disk-{rng.randrange(9)} mask-{rng.randrange(9)} r8_{rng.randrange(99)}",
}  # fmt: skip
"""Kinds of ordinary text, each drawn anew."""


def lines(rng: Rng, of_each: int) -> Iterator[str]:
    """Every hand-written line, then `of_each` of every generated kind."""
    yield from HAND_WRITTEN
    for make in GENERATED.values():
        yield from (make(rng) for _ in range(of_each))
