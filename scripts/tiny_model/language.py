"""The words: a CLIP tokenizer whose vocabulary is made on the spot, and a small CLIP text model for it.

Every word of the captions is one token; any other word falls apart into letters, so that no prompt is impossible.
"""

from __future__ import annotations

import json
import string

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tiny_model.scenes import words

MAX_TOKENS = 24
WIDTH = 96
START, END = "<|startoftext|>", "<|endoftext|>"
_END_OF_WORD = "</w>"


def _merges() -> list[tuple[str, str]]:
    """Byte-pair merges by which each caption word becomes one token."""
    learned = Tokenizer(BPE(end_of_word_suffix=_END_OF_WORD))
    learned.pre_tokenizer = Whitespace()
    trainer = BpeTrainer(vocab_size=4000, min_frequency=1, end_of_word_suffix=_END_OF_WORD, show_progress=False)
    learned.train_from_iterator(words(), trainer)
    state = json.loads(learned.to_str())
    return [(left, right) for left, right in state["model"]["merges"]]


def tokenizer() -> CLIPTokenizer:
    """The tokenizer; the same at every call."""
    letters = [chr(code) for code in range(33, 127)]
    merges = _merges()
    tokens = [*letters, *(letter + _END_OF_WORD for letter in letters), *(a + b for a, b in merges), START, END]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    made = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)
    for word in words():
        if word not in string.punctuation and len(made.tokenize(word)) != 1:
            raise AssertionError(f"{word!r} is not one token: {made.tokenize(word)}")
    return made


def text_encoder(tokens: CLIPTokenizer) -> CLIPTextModel:
    """A fresh text model of 0.2 million parameters."""
    config = CLIPTextConfig(
        vocab_size=len(tokens),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        projection_dim=WIDTH,
        bos_token_id=tokens.bos_token_id,
        eos_token_id=tokens.eos_token_id,
        pad_token_id=tokens.pad_token_id,
    )
    return CLIPTextModel(config)
