"""Save a small model so that transformers and vLLM load it as one more `LlamaForCausalLM`.

Written by hand, in the formats of Hugging Face, so that training needs no transformers.

Servers have kernels for attention heads of 32 dimensions and more. Narrower ones are written wider,
with zeros in between, which changes nothing of what the model says, and read back as they were.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from tokenizers import Tokenizer
from torch import Tensor

from tracefactory.errors import SourceError
from tracefactory.prove.model import Size, SmallLlama
from tracefactory.prove.tokens import CHAT_TEMPLATE, END, PAD, UNKNOWN, Tokens
from tracefactory.store.files import write_atomic

WEIGHTS = "model.safetensors"
NARROWEST_HEAD = 32


def save_model(folder: Path, model: SmallLlama, tokens: Tokens) -> None:
    """Write weights, config and tokeniser; the weights last, so that they say it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    size = model.size
    head = size.width // size.heads
    wider = _wider(head)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": size.vocabulary,
        "hidden_size": size.width,
        "intermediate_size": size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads,
        "head_dim": wider * head,
        "max_position_embeddings": size.positions,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokens.end,
        "pad_token_id": tokens.pad,
        "dtype": "float32",
        "torch_dtype": "float32",
    }
    generation = {"eos_token_id": tokens.end, "pad_token_id": tokens.pad, "do_sample": False}
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "clean_up_tokenization_spaces": False,
        "model_max_length": size.positions,
        "chat_template": CHAT_TEMPLATE,
    }
    for name, data in (
        ("config.json", config),
        ("generation_config.json", generation),
        ("tokenizer_config.json", tokenizer),
    ):
        write_atomic(folder / name, orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    write_atomic(folder / "tokenizer.json", tokens.tokenizer.to_str().encode())
    weights = {name: w.detach().cpu().contiguous() for name, w in model.named_parameters()}
    widened = _widened(weights, size.heads, head, wider)
    write_atomic(folder / WEIGHTS, save(widened, metadata={"format": "pt"}))


def load_model(folder: Path) -> tuple[SmallLlama, Tokens]:
    """Read back what `save_model` wrote.

    Raises:
        SourceError: there is no such model.
    """
    try:
        config = orjson.loads((folder / "config.json").read_bytes())
        tokens = Tokens(Tokenizer.from_file(str(folder / "tokenizer.json")))
        weights = load_file(folder / WEIGHTS)
        size = Size(
            config["vocab_size"],
            config["hidden_size"],
            config["num_hidden_layers"],
            config["num_attention_heads"],
            config["intermediate_size"],
            config["max_position_embeddings"],
        )
        model = SmallLlama(size, 0)
        head = size.width // size.heads
        narrow = _narrowed(weights, size.heads, head, int(config["head_dim"]) // head)
        model.load_state_dict(narrow)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise SourceError(f"{folder} holds no model that `prove` saved: {error}") from error
    return model.train(False), tokens


def _wider(head: int) -> int:
    """How many times as wide a head is written: a power of 4, for its root is exact in floats."""
    wider = 1
    while wider * head < NARROWEST_HEAD:
        wider *= 4
    return wider


def _places(head: int, wider: int) -> Tensor:
    """Where the dimensions of a head go in one that is wider: where positions turn them as far."""
    half = wider * torch.arange(head // 2)
    return torch.cat([half, half + wider * head // 2])


def _widened(weights: Mapping[str, Tensor], heads: int, head: int, wider: int) -> dict[str, Tensor]:
    places = _places(head, wider)

    def widened(rows: Tensor) -> Tensor:
        wide = rows.new_zeros(heads, wider * head, rows.shape[1])
        wide[:, places] = _split(rows, heads)
        return wide.flatten(0, 1)

    # Scores are divided by the root of the head's width.
    return _in_heads(weights, wider, widened, wider**0.5)


def _narrowed(
    weights: Mapping[str, Tensor], heads: int, head: int, wider: int
) -> dict[str, Tensor]:
    places = _places(head, wider)

    def narrowed(rows: Tensor) -> Tensor:
        return _split(rows, heads)[:, places].flatten(0, 1)

    return _in_heads(weights, wider, narrowed, 1 / wider**0.5)


def _in_heads(
    weights: Mapping[str, Tensor], wider: int, change: Callable[[Tensor], Tensor], q_factor: float
) -> dict[str, Tensor]:
    """All weights, those of attention changed row by row of their heads; queries scaled too."""
    found = dict(weights)
    if wider == 1:
        return found
    for name, weight in weights.items():
        if ".self_attn." not in name:
            continue
        is_output = ".o_proj." in name
        changed = change(weight.T if is_output else weight)
        changed = changed * q_factor if ".q_proj." in name else changed
        found[name] = (changed.T if is_output else changed).contiguous()
    return found


def _split(rows: Tensor, heads: int) -> Tensor:
    return rows.reshape(heads, rows.shape[0] // heads, rows.shape[1])
