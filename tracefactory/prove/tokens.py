"""A tokeniser made from the texts of one dataset, of which it loses nothing.

Numbers of up to three digits, words, tags, commands of LaTeX and single other characters are one
token each where the texts have them often enough; the rest falls apart into bytes, which are tokens
too. A token for a whole number matters: with one a digit, the same model needs more than twice the
budget. A byte that none of the texts has is `<|unknown|>`: a token for each would cost time and
teach nothing.

Not here: what a real model uses. Published rows stay plain text.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from tracefactory.errors import SourceError

PAD, END, UNKNOWN = "<|pad|>", "<|end|>", "<|unknown|>"
ROLES: Mapping[str, str] = {role: f"<|{role}|>" for role in ("system", "user", "assistant")}
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""What `asked` and `Tokens.encode` do, for those who load the model with transformers or vLLM."""

MIN_COUNT = 10
"""A word seen less often would be a token that is hardly trained."""
MAX_WORDS = 8_192

_WORDS = Regex(r"</?\p{L}+>|\\\p{L}+\{?|\p{N}{1,3}| ?\p{L}+|\n+|[\s\S]")
"""Tags, commands of LaTeX, numbers, words with the space before them, line breaks, and the rest."""
_BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def asked(messages: Iterable[Mapping[str, str]]) -> str:
    """The conversation so far, ending where the assistant's turn begins."""
    return "".join(ROLES[m["role"]] + m["content"] for m in messages) + ROLES["assistant"]


class Tokens:
    """Text to numbers and back, without loss."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.pad, self.end = _number(tokenizer, PAD), _number(tokenizer, END)

    def __len__(self) -> int:
        return int(self.tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of each text; those of another dataset may lose bytes (see above)."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(list(texts))]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some numbers, marks of turns left out."""
        return str(self.tokenizer.decode(list(ids)))


def _number(tokenizer: Tokenizer, mark: str) -> int:
    found = tokenizer.token_to_id(mark)
    if found is None:
        raise SourceError(f"no tokeniser of `prove`: it has no {mark}")
    return int(found)


def tokens_of(texts: Sequence[str]) -> Tokens:
    """Make the tokeniser of some texts. The same texts, the same tokeniser."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(_WORDS, "isolated"), _BYTES])
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(text))
    # ByteLevel writes each byte as one character, so these characters are all bytes there are.
    alphabet = {character for word in counts for character in word} | set("0123456789")
    often = [word for word, n in counts.most_common(MAX_WORDS) if n >= MIN_COUNT]
    words = sorted(alphabet) + sorted(set(often) - alphabet)
    special = [PAD, END, UNKNOWN, *ROLES.values()]
    vocabulary = {word: number for number, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(
        # Greedy, longest first: a word that is no token falls apart into tokens that are.
        models.WordPiece(
            vocabulary,
            unk_token=UNKNOWN,
            continuing_subword_prefix="",
            max_input_chars_per_word=1 << 30,
        )
    )
    tokenizer.add_special_tokens([AddedToken(one, special=True) for one in special])
    # WordPiece drops a whole word for one byte that it lacks: such bytes stand alone.
    unknown = Regex("[^" + "".join(rf"\x{{{ord(one):x}}}" for one in sorted(alphabet)) + "]")
    alone = pre_tokenizers.Split(unknown, "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, alone])
    tokenizer.decoder = decoders.ByteLevel()
    return Tokens(tokenizer)
