"""The tokeniser loses nothing, and is the one that transformers loads."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracefactory.prove.model import Size, SmallLlama
from tracefactory.prove.save import save_model
from tracefactory.prove.tokens import MIN_COUNT, asked, tokens_of

TEXTS = ["Work out 19-3+16 mod 7.", "0+19=19≡5\n5-3=2≡2\n2+16=18≡4"] * MIN_COUNT
TOKENS = tokens_of(TEXTS)


@given(st.lists(st.text(), min_size=1, max_size=4))
@example(["x" * 500])
@example(["≡≡ \n\t\r\n \u2028 日本 👩‍👩‍👧 e\u0301"])
@example(["<|unknown|> <|end|>"])
def test_its_own_texts_come_back(texts):
    tokens = tokens_of(texts)
    for text, ids in zip(texts, tokens.encode(texts), strict=True):
        assert tokens.tokenizer.decode(ids, skip_special_tokens=False) == text
        assert all(0 <= i < len(tokens) for i in ids)


@pytest.mark.parametrize(
    ("text", "read"), [("19 mod Ω7", "19 mod 7"), ("modΩmod", "modmod"), ("日", ""), ("a b", " ")]
)
def test_bytes_of_other_texts_are_unknown_and_nothing_else_is_lost(text, read):
    (ids,) = TOKENS.encode([text])
    assert TOKENS.decode(ids) == read


def test_what_is_said_often_is_one_token():
    (ids,) = TOKENS.encode(["0+19=19≡5"])
    assert len(ids) == 7
    (ids,) = TOKENS.encode(["0+20=20≡5"])  # 20 was never seen
    assert len(ids) == 9


def test_the_same_texts_make_the_same_tokeniser():
    assert tokens_of(TEXTS[::-1]).tokenizer.to_str() == TOKENS.tokenizer.to_str()


@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "Be brief."}]])
def test_transformers_asks_in_the_same_words(tmp_path, system):
    from transformers import AutoTokenizer

    save_model(tmp_path, SmallLlama(Size(len(TOKENS)), 0), TOKENS)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    turns = [*system, {"role": "user", "content": TEXTS[0]}]
    said = theirs.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    assert said == asked(turns)
    assert theirs(said)["input_ids"] == TOKENS.encode([said])[0]
    whole = theirs.apply_chat_template(
        [*turns, {"role": "assistant", "content": "5"}], tokenize=False
    )
    assert whole == f"{asked(turns)}5<|end|>"
