"""The token store: what the tokenizer would give, cut as asked, from the cache the second time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel

from tunebook.data import Split, TokenStore, tokenise
from tunebook.data.dataset import make_split
from tunebook.data.tokens import tokenise_now
from tunebook.data.windows import Cutter, PairCutter, special_tokens
from tunebook.errors import DataRejected, UsageError

FAMILIES = ("bert", "roberta", "deberta-v2", "albert")
TEXTS = [
    "a film",
    "",
    "good " * 50,
    "x" * 300,
    " lots\n of   space ",
    "the plot, the cast; the end. " * 300,
    "word" + " " * 5000 + "far away",
    "😀 naïve café 好" * 40,
]


def make(texts: list[str], pairs: list[str] | None = None) -> Split:
    columns = {"id": [str(i) for i in range(len(texts))], "text": texts, "label": [0] * len(texts)}
    return make_split("train", pa.table(columns | ({"pair": pairs} if pairs else {})))


@pytest.fixture(params=["bert", "roberta"])
def tokenizer(request: pytest.FixtureRequest, tiny_checkpoint: Callable[..., Path]) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_checkpoint(request.param) / "tokenizer.json"))


def store(
    split: Split, tokenizer: Tokenizer, tmp_path: Path, length: int = 16, long: str = "head"
) -> TokenStore:
    return tokenise(split, tokenizer, tokenizer_hash="t", max_length=length, long=long, cache=tmp_path)


def windows(tokens: TokenStore) -> list[list[int]]:
    return [tokens.window(index).tolist() for index in range(len(tokens.lengths))]


def test_heads_are_what_the_tokenizer_cuts(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokens = store(make(TEXTS), tokenizer, tmp_path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(16)
    expected = tokenizer.encode_batch(TEXTS)
    assert windows(tokens) == [encoding.ids for encoding in expected]
    assert tokens.meta["cut"] == sum(bool(encoding.overflowing) for encoding in expected)
    assert tokens.ids.dtype == np.uint16 and tokens.type_ids is None
    assert tokens.rows.tolist() == [1] * len(TEXTS)
    assert tokens.widths.tolist() == tokens.lengths.tolist() == tokens.text_lengths.tolist()
    assert len(tokens) == len(TEXTS) and tokens.meta["longest"] == tokens.lengths.max()


def test_the_tokenizer_is_left_as_it_was(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.enable_truncation(9)
    tokenizer.enable_padding(length=11)
    before = tokenizer.to_str()
    tokens = store(make(TEXTS), tokenizer, tmp_path)
    assert tokenizer.to_str() == before
    assert max(tokens.lengths) == 16 and min(tokens.lengths) < 11


def test_both_ends_and_windows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    first, last = special_tokens(tokenizer)
    assert len(first) == len(last) == 1
    text = TEXTS[2] + "and a last word here"
    tokenizer.no_truncation()
    tokenizer.no_padding()
    content = tokenizer.encode(text, add_special_tokens=False).ids
    (ends,) = windows(store(make([text]), tokenizer, tmp_path, long="head+tail"))
    assert ends == first + content[:7] + content[-7:] + last
    tokens = store(make([text, "a film", ""]), tokenizer, tmp_path, long="windows")
    pieces = [content[start : start + 14] for start in range(0, len(content), 14)]
    assert windows(tokens)[: len(pieces)] == [first + piece + last for piece in pieces]
    assert tokens.rows.tolist() == [len(pieces), 1, 1]
    assert tokens.widths[0] == 16 and tokens.text_lengths[0] == sum(len(piece) + 2 for piece in pieces)
    assert windows(tokens)[-1] == first + last
    assert tokens.meta["cut"] == 0


def test_at_most_sixteen_windows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokens = store(make(["good " * 9000, "a"]), tokenizer, tmp_path, long="windows")
    assert tokens.rows.tolist() == [16, 1] and tokens.meta["cut"] == 1


@pytest.mark.parametrize("long", ["head", "head+tail", "windows"])
def test_cutting_characters_first_changes_nothing(
    long: str, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [text * repeat for text in TEXTS for repeat in (1, 9, 90)]
    texts = [text for text in texts if "    " not in text and "xxxx" not in text]
    early = Cutter(tokenizer, max_length=20, long=long).cut(texts)
    monkeypatch.setattr("tunebook.data.windows._CHARACTERS_PER_TOKEN", 10**6)
    assert Cutter(tokenizer, max_length=20, long=long).cut(texts) == early


@pytest.mark.alone
@pytest.mark.parametrize("long", ["head", "head+tail", "windows"])
@pytest.mark.parametrize("text", ["good film ", "a", "  ", "好", "😀"])
def test_a_million_characters_take_less_than_a_second(
    text: str, long: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    texts = [(text * 1_000_000)[:999_990] + " last word"]
    start = time.perf_counter()
    tokens = store(make(texts), tokenizer, tmp_path, 512, long)
    assert time.perf_counter() - start < 1
    assert tokens.meta["cut"] == 1 and tokens.lengths.max() <= 512


def test_pairs_are_cut_longest_first(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = [*TEXTS[::-1]]
    tokens = store(make(TEXTS, pairs), tokenizer, tmp_path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(16, strategy="longest_first")
    expected = tokenizer.encode_batch(list(zip(TEXTS, pairs, strict=True)))
    assert windows(tokens) == [encoding.ids for encoding in expected]
    assert tokens.meta["cut"] == sum(bool(encoding.overflowing) for encoding in expected)
    types = [kind for encoding in expected for kind in encoding.type_ids]
    assert (tokens.type_ids is None) == (not any(types))
    assert tokens.type_ids is None or tokens.type_ids.tolist() == types
    with pytest.raises(UsageError, match="not possible for pairs"):
        store(make(TEXTS, pairs), tokenizer, tmp_path, long="windows")


@pytest.mark.alone
def test_a_pair_of_very_long_texts(tokenizer: Tokenizer) -> None:
    start = time.perf_counter()
    result = PairCutter(tokenizer, max_length=128).cut([("good film " * 100_000, "bad " * 200_000)])
    assert time.perf_counter() - start < 1
    assert result.lengths == [128] and result.cut == 1


def test_the_second_time_comes_from_the_cache(tokenizer: Tokenizer, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    split = make(["a film"] * 5000)

    def stores() -> int:
        return len(list((tmp_path / "tokens").iterdir()))

    def again(**options: object) -> TokenStore:
        settings = {"tokenizer_hash": "t", "max_length": 16, "long": "head", "cache": tmp_path} | options
        return tokenise(split, tokenizer, progress=lambda done, all_: seen.append((done, all_)), **settings)  # type: ignore[arg-type]

    first = again()
    assert seen == [(4096, 5000), (5000, 5000)]
    assert again().ids.tolist() == first.ids.tolist() and len(seen) == 2 and stores() == 1
    again(max_length=8)
    again(tokenizer_hash="u")
    assert stores() == 3


def test_a_damaged_store_is_written_again(tokenizer: Tokenizer, tmp_path: Path) -> None:
    split = make(TEXTS)
    whole = store(split, tokenizer, tmp_path).ids.tolist()
    (path,) = (tmp_path / "tokens").rglob("ids.bin")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-4] + bytes([content[-4] ^ 1]) + content[-3:])
    assert store(split, tokenizer, tmp_path).ids.tolist() == whole


@pytest.mark.parametrize("long", ["head", "head+tail", "windows"])
def test_tokenising_now_gives_the_same_store(long: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    kept = store(make(TEXTS), tokenizer, tmp_path, long=long)
    now = tokenise_now(TEXTS, tokenizer, max_length=16, long=long)
    assert windows(now) == windows(kept) and now.rows.tolist() == kept.rows.tolist()
    assert {**now.meta}.items() <= kept.meta.items() and now.ids.dtype == kept.ids.dtype
    with pytest.raises(UsageError, match="no text"):
        tokenise_now([], tokenizer, max_length=16, long=long)


def test_tokenising_pairs_now(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = [["a film", "good"], ["x", "y z"]]
    kept = store(make(["a film", "x"], ["good", "y z"]), tokenizer, tmp_path)
    now = tokenise_now(pairs, tokenizer, max_length=16)
    assert windows(now) == windows(kept) and (now.type_ids is None) == (kept.type_ids is None)


def test_what_cannot_be_done_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown way with long texts 'tail'"):
        store(make(TEXTS), tokenizer, tmp_path, long="tail")
    with pytest.raises(UsageError, match="max_length = 2 leaves no room"):
        store(make(TEXTS), tokenizer, tmp_path, length=2)


def test_large_vocabularies_take_wider_ids(tmp_path: Path) -> None:
    words = {f"w{index}": index for index in range(70_000)}
    tokens = store(make(["w69999"]), Tokenizer(WordLevel(words, unk_token="w0")), tmp_path)
    assert tokens.ids.dtype == np.int32


def test_a_text_without_a_token_is_refused_by_number(tmp_path: Path) -> None:
    """A tokenizer that puts nothing around a text, and drops what it does not know."""
    letters = Tokenizer(BPE({"a": 0, "b": 1}, []))
    texts = ["ab", "???", "ba"]
    refusal = r"text 2, '\?\?\?', has no token: the tokenizer drops all of it"
    with pytest.raises(DataRejected, match=refusal):
        tokenise_now(texts, letters, max_length=4)
    with pytest.raises(DataRejected, match=refusal):
        tokenise(make(texts), letters, tokenizer_hash="x", max_length=4, cache=tmp_path)
    assert not list((tmp_path / "tokens").glob("*/meta.json")), "nothing half written is left"
