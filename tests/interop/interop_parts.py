"""What the scripts that run trainers share: a tiny model that knows nothing, and its tokenizer.

Scripts run in processes of their own (trainers warn, patch and keep state), and print JSON last.
"""

import json
import sys
import tempfile
from typing import Any

TEMPLATE = """\
{%- for m in messages -%}
<|{{ m.role }}|>
{% if m.reasoning_content is defined and m.reasoning_content -%}
<think>
{{ m.reasoning_content }}
</think>

{% endif -%}
{{ m.content }}<|end|>
{% endfor -%}
{%- if add_generation_prompt %}<|assistant|>
{% endif -%}
"""


def tokenizer() -> Any:
    """One token a byte, and a chat template that reads both forms of reasoning."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    found = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token="<|end|>", pad_token="<|pad|>")
    found.chat_template = TEMPLATE
    return found


def model(words: Any) -> Any:
    """A Llama of 2 layers, untrained."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=4096,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )


def two_steps() -> dict[str, Any]:
    """The settings of every trainer: where to write, how long, on what; nothing about the data."""
    return {
        "output_dir": tempfile.mkdtemp(),
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "save_strategy": "no",
        "logging_steps": 1,
    }


def tell(found: object) -> None:
    """Print the result, as the last line."""
    sys.stdout.flush()
    print("\n" + json.dumps(found))
