"""Prefix tuning: every family against plain attention over prefix and text, our own layers against stock ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from tests import tiny
from tests.stores import store_of
from tests.training import load_encoder
from tunebook import methods
from tunebook.environment import hardware
from tunebook.models import compiled, grouped, targets
from tunebook.models.compiled import CompiledAttention
from tunebook.models.dropout import Words
from tunebook.models.grouped import GroupedAttention
from tunebook.models.load import Encoder
from tunebook.models.packing import lay_out
from tunebook.models.stack import Stack
from tunebook.paths import PackedPath, PaddedPath, choose

Tiny = Callable[..., Path]
CPU = hardware("cpu", "float32")
LENGTH = 5
LENGTHS = [64, 33, 20, 9, 5, 1]
OWN_LAYERS = ["bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"]
DISPATCHING = [*OWN_LAYERS, "albert", "modernbert"]
HOOKED = ["deberta", "deberta-v2", "mpnet"]


def spread_out(encoder: Encoder) -> Encoder:
    """The encoder with weights so large that attention is far from even, and with biases that are not zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter += 0.15 * torch.randn(parameter.shape, generator=generator)
    return encoder


def prefixed(
    folder: Path,
    *,
    length: int = LENGTH,
    hidden: int = 0,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
) -> Encoder:
    """A checkpoint with prefixes as large as the keys and values beside them, ready to predict."""
    encoder = load_encoder(folder, dropout=dropout, attention_dropout=attention_dropout)
    spread_out(encoder)
    methods.apply("prefix_tuning", {"length": length, "hidden": hidden}, encoder, seed=0)
    encoder.model.eval()
    return encoder


def prefixes(encoder: Encoder) -> list[Any]:
    return [module.prefix for module in targets.attention(encoder)]


def texts_of(path: PackedPath | PaddedPath, lengths: list[int]) -> Any:
    config = path.stack.model.config
    return store_of(lengths, vocabulary=min(100, config.vocab_size), avoid=config.pad_token_id or 0)


def padded(encoder: Encoder) -> PaddedPath:
    return PaddedPath(Stack(encoder.model), CPU.device, encoder.pad_id, "stock")


def packed(encoder: Encoder, kernel: str = "compiled") -> PackedPath:
    """The packed path with attention "compiled", "grouped", or in the family's own "stock" layers."""
    path = choose(encoder, CPU)
    assert isinstance(path, PackedPath), path.note
    if kernel == "grouped":
        path.stack.compiled = None
    elif kernel == "stock":
        path.stack.has_own_layers = False
    elif path.stack.has_own_layers and path.stack.compiled is None:
        pytest.skip("no C compiler here: attention is grouped")
    return path


def logits(path: PackedPath | PaddedPath, lengths: list[int], texts: list[int] | None = None) -> torch.Tensor:
    store = texts_of(path, lengths)
    chosen = np.arange(len(store)) if texts is None else np.array(texts)
    with torch.no_grad():
        return path.logits(path.load(chosen, store))


def outcome(
    path: PackedPath | PaddedPath, lengths: list[int], seed: int = 0
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits of a batch, and the gradients of a loss that weighs each of them differently."""
    model, store = path.stack.model, texts_of(path, lengths)
    model.zero_grad(set_to_none=True)
    torch.manual_seed(seed)
    found = path.logits(path.load(np.arange(len(store)), store))
    (found * torch.linspace(-1, 1, found.numel()).view(found.shape)).sum().backward()
    return found.detach(), {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def assert_same(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found[0], wanted[0], atol=1e-5, rtol=1e-5)
    assert found[1].keys() == wanted[1].keys() and any(name.endswith("prefix.start") for name in wanted[1])
    total = float(torch.stack([gradient.norm() for gradient in wanted[1].values()]).norm())
    for name, gradient in wanted[1].items():
        slack = 0.0 if name.endswith("prefix.start") else 1e-3 * total
        error = float((found[1][name] - gradient).norm())
        assert error <= 1e-4 * (float(gradient.norm()) + slack), name


# --- every family ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", DISPATCHING + HOOKED)
def test_company_does_not_matter(family: str, tiny_checkpoint: Tiny) -> None:
    encoder = prefixed(tiny_checkpoint(family))
    stock = padded(encoder)
    together = logits(stock, LENGTHS)
    for text in range(len(LENGTHS)):
        torch.testing.assert_close(logits(stock, LENGTHS, [text])[0], together[text], atol=1e-5, rtol=0)
    path = choose(encoder, CPU)
    assert path.name == ("packed" if family in DISPATCHING else "micro-batched")
    assert path.stack.has_own_layers == (family in OWN_LAYERS)
    if isinstance(path, PackedPath):
        for texts in (None, [2, 5, 0], [4]):
            expected = together if texts is None else together[texts]
            torch.testing.assert_close(logits(path, LENGTHS, texts), expected, atol=1e-5, rtol=0)


def plain_softmax(scores: torch.Tensor) -> torch.Tensor:
    powers = torch.exp(scores - scores.amax(-1, keepdim=True))
    return powers / powers.sum(-1, keepdim=True)


def by_head(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows `(..., tokens, width)` as `(..., heads, tokens, head_width)`."""
    return rows.view(*rows.shape[:-1], heads, -1).transpose(-2, -3)


def concatenated(start: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> list[torch.Tensor]:
    """Keys and values `(texts, heads, tokens, head_width)` after a prefix `(2, length, width)`."""
    before = [by_head(part, key.shape[1]).expand(len(key), -1, -1, -1) for part in start]
    return [torch.cat(both, 2) for both in zip(before, (key, value), strict=True)]


def plain_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as a family that looks its up by name calls it; the mask is added to the scores of the text."""
    length = module.prefix.start.shape[1]
    key, value = concatenated(module.prefix.start, key, value)
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores[..., length:] += attention_mask
    return (plain_softmax(scores) @ value).transpose(1, 2), None


@pytest.mark.parametrize("family", DISPATCHING)
def test_it_is_attention_over_prefix_and_text(family: str, tiny_checkpoint: Tiny) -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    encoder = prefixed(tiny_checkpoint(family))
    found = [logits(padded(encoder), LENGTHS), logits(packed(encoder), LENGTHS)]
    AttentionInterface.register("plain", plain_attention)
    AttentionMaskInterface.register("plain", eager_mask)
    encoder.model.config._attn_implementation = "plain"
    expected = logits(padded(encoder), LENGTHS)
    for one in found:
        torch.testing.assert_close(one, expected, atol=1e-5, rtol=0)
    for prefix in prefixes(encoder):
        prefix.start.data[0].zero_()
    assert float((logits(padded(encoder), LENGTHS) - expected).abs().max()) > 1e-3, "keys matter"


def plain_deberta(
    module: Any,
    start: torch.Tensor,
    hidden_states: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    relative_pos: torch.Tensor,
    rel_embeddings: torch.Tensor,
) -> torch.Tensor:
    """Either DeBERTa's mixed values: scores by content, content to position, and back; a prefix is at distance 0."""
    heads = partial(by_head, heads=module.num_attention_heads)
    length, tokens = start.shape[1], hidden_states.shape[1]
    if hasattr(module, "in_proj"):
        query, key, value = heads(module.in_proj(hidden_states)).chunk(3, -1)
        query, value = (
            part + heads(bias[None]) for part, bias in ((query, module.q_bias), (value, module.v_bias))
        )
        start = torch.stack([start[0], start[1] + module.v_bias])  # a value has its bias, the prefix's too
        positions = module.pos_q_proj(rel_embeddings), module.pos_proj(rel_embeddings)
        zero = module.max_relative_positions
    else:
        project = module.query_proj, module.key_proj, module.value_proj
        query, key, value = (heads(one(hidden_states)) for one in project)
        positions = module.query_proj(rel_embeddings), module.key_proj(rel_embeddings)
        zero = module.pos_ebd_size
    key, value = concatenated(start, key, value)
    distances = pad(relative_pos.view(tokens, tokens), (length, 0)) + zero
    of_query, of_key = (heads(part)[:, distances] for part in positions)
    scores = query @ key.transpose(2, 3)
    scores = scores + torch.einsum("thid,hijd->thij", query, of_key)
    scores = scores + torch.einsum("thjd,hijd->thij", key, of_query)
    sees = pad(attention_mask.bool(), (length, 0), value=True)
    shares = plain_softmax((scores / (3 * query.shape[-1]) ** 0.5).masked_fill(~sees, -1e30))
    return (shares @ value).transpose(1, 2).flatten(2)


def deberta_forward(
    module: Any,
    start: torch.Tensor,
    hidden_states: torch.Tensor,
    attention_mask: torch.Tensor,
    output_attentions: bool = False,
    query_states: None = None,
    **positions: Any,
) -> tuple[torch.Tensor, None]:
    return plain_deberta(module, start, hidden_states, attention_mask, **positions), None


def mpnet_forward(
    module: Any,
    start: torch.Tensor,
    hidden_states: torch.Tensor,
    attention_mask: torch.Tensor | None,
    position_bias: torch.Tensor,
    output_attentions: bool = False,
) -> tuple[torch.Tensor]:
    heads = partial(by_head, heads=module.num_attention_heads)
    key, value = concatenated(start, heads(module.k(hidden_states)), heads(module.v(hidden_states)))
    scores = heads(module.q(hidden_states)) @ key.transpose(2, 3) / module.attention_head_size**0.5
    scores[..., start.shape[1] :] += position_bias + (0.0 if attention_mask is None else attention_mask)
    return (module.o((plain_softmax(scores) @ value).transpose(1, 2).flatten(2)),)


@pytest.mark.parametrize("family", HOOKED)
def test_prefix_rows_are_at_distance_zero(
    family: str, tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = prefixed(tiny_checkpoint(family))
    plain = spread_out(load_encoder(tiny_checkpoint(family), dropout=0.0, attention_dropout=0.0))
    plain.model.eval()
    for module, prefix in zip(targets.attention(plain), prefixes(encoder), strict=True):
        forward = mpnet_forward if family == "mpnet" else deberta_forward
        monkeypatch.setattr(module, "forward", partial(forward, module, prefix.start))
    for lengths in (LENGTHS, [3, 2], [1]):
        found, expected = (logits(padded(one), lengths) for one in (encoder, plain))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    with torch.no_grad():
        prefixes(encoder)[0].start[0].mul_(-1)
    assert float((logits(padded(encoder), [1]) - expected).abs().max()) > 1e-3, "keys matter"


@pytest.mark.parametrize("family", DISPATCHING + HOOKED)
def test_it_starts_as_the_keys_and_values_of_words(family: str, tiny_checkpoint: Tiny) -> None:
    """As large as those beside them, different ones in every layer, functions of the seed."""
    first, again, other = (load_encoder(tiny_checkpoint(family)) for _ in range(3))
    for encoder, seed in ((first, 0), (again, 0), (other, 1)):
        methods.apply("prefix_tuning", {"length": 70, "hidden": 0}, encoder, seed=seed)
    starts = [
        torch.stack([prefix.start.detach() for prefix in prefixes(one)]) for one in (first, again, other)
    ]
    assert starts[0].shape[1:] == (2, 70, tiny.WIDTH)
    assert torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])
    assert float(starts[0].std(2).min()) > 0, "each place has another word"


@pytest.mark.parametrize("family", DISPATCHING + HOOKED)
def test_a_mask_that_is_not_given_hides_no_prefix(family: str, tiny_checkpoint: Tiny) -> None:
    encoder = prefixed(tiny_checkpoint(family))
    ids = torch.randint(5, 60, (2, 7))
    with torch.no_grad():
        without, given = encoder.model(ids).logits, encoder.model(ids, torch.ones_like(ids)).logits
    torch.testing.assert_close(without, given, atol=1e-6, rtol=0)


@pytest.mark.parametrize("family", [*DISPATCHING, *HOOKED])
def test_texts_are_as_long_as_without_it(family: str, tiny_checkpoint: Tiny) -> None:
    """And every place of every layer's prefix has its gradient."""
    encoder = prefixed(tiny_checkpoint(family))
    assert encoder.longest == load_encoder(tiny_checkpoint(family)).longest >= tiny.LONGEST
    lengths = [tiny.LONGEST, tiny.LONGEST, 7]
    wanted = outcome(padded(encoder), lengths)
    for name, gradient in wanted[1].items():
        assert not name.endswith("prefix.start") or float(gradient.norm(dim=-1).min()) > 0, name
    if family in DISPATCHING:
        assert_same(outcome(packed(encoder), lengths), wanted)
    assert sum(name.endswith("prefix.start") for name in wanted[1]) == len(set(prefixes(encoder)))


@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_minilm_has_its_gradient_at_512_tokens(kernel: str, minilm: Path) -> None:
    encoder = load_encoder(minilm, dropout=0.0, attention_dropout=0.0)
    methods.apply("prefix_tuning", {"length": 20}, encoder, seed=0)
    encoder.model.eval()
    wanted = outcome(padded(encoder), [512, 40])
    starts = [value for name, value in wanted[1].items() if name.endswith("prefix.start")]
    assert len(starts) == 6 and all(float(start.norm(dim=-1).min()) > 0 for start in starts)
    assert_same(outcome(packed(encoder, kernel), [512, 40]), wanted)


@pytest.mark.parametrize("family", ["bert", "modernbert", "mpnet"])
def test_the_network_that_makes_it_is_dropped(family: str, tiny_checkpoint: Tiny) -> None:
    from tunebook.models.prefix import PrefixAdapter

    encoder = prefixed(tiny_checkpoint(family), hidden=24)
    path = choose(encoder, CPU)
    _, gradients = outcome(path, LENGTHS)
    networks = [name for name in gradients if ".prefix.make." in name]
    assert len(networks) == 2 * len(prefixes(encoder)) + 2, "the first of its layers is shared, and all train"
    before = logits(path, LENGTHS)
    PrefixAdapter(prefixes(encoder)).finish(encoder.model)
    assert not any(".prefix.make." in name for name in encoder.parameter_names)
    assert all(prefix.start.shape == (2, LENGTH, tiny.WIDTH) for prefix in prefixes(encoder))
    for after in (logits(path, LENGTHS), logits(choose(encoder, CPU), LENGTHS)):
        torch.testing.assert_close(after, before, atol=1e-6, rtol=0)


# --- our own layers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["compiled", "grouped", "stock"])
@pytest.mark.parametrize("family", OWN_LAYERS)
def test_own_layers_are_the_stock_ones(family: str, kernel: str, tiny_checkpoint: Tiny) -> None:
    encoder = prefixed(tiny_checkpoint(family))
    path = packed(encoder, kernel)
    assert path.kernel.startswith("the family's layers" if kernel == "stock" else f"own layers, {kernel}")
    assert_same(outcome(path, LENGTHS), outcome(padded(encoder), LENGTHS))


@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_a_prefix_that_does_not_train_has_no_gradient(kernel: str, tiny_checkpoint: Tiny) -> None:
    encoder = prefixed(tiny_checkpoint("bert"))
    path = packed(encoder, kernel)
    expected = outcome(path, LENGTHS)
    for prefix in prefixes(encoder):
        prefix.requires_grad_(False)
    found = outcome(path, LENGTHS)
    assert torch.equal(found[0], expected[0])
    assert expected[1].keys() - found[1].keys() == {
        f"bert.encoder.layer.{number}.attention.self.prefix.start" for number in range(2)
    }
    assert all(torch.equal(gradient, expected[1][name]) for name, gradient in found[1].items())


@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_masks_are_functions_of_the_seed(kernel: str, tiny_checkpoint: Tiny) -> None:
    encoder = prefixed(tiny_checkpoint("bert"), dropout=0.2, attention_dropout=0.2)
    path = packed(encoder, kernel)
    encoder.model.train()
    first, again, other = (outcome(path, LENGTHS, seed) for seed in (1, 1, 2))
    name = "bert.encoder.layer.0.attention.self.prefix.start"
    assert torch.equal(first[0], again[0])
    assert all(torch.equal(first[1][key], again[1][key]) for key in first[1])
    assert not torch.equal(first[1][name], other[1][name])


@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_half_precision_is_close(kernel: str, tiny_checkpoint: Tiny) -> None:
    encoder = prefixed(tiny_checkpoint("bert"))
    path = packed(encoder, kernel)
    exact = outcome(path, LENGTHS)[1]
    with hardware("cpu", "bfloat16").autocast():
        found = outcome(path, LENGTHS)[1]
    for name in (name for name in exact if name.endswith("prefix.start")):
        assert found[name].dtype == torch.float32
        assert float((found[name] - exact[name]).norm()) < 0.05 * float(exact[name].norm()), name


# --- attention by itself --------------------------------------------------------------------------------------

MANY = np.sort(np.random.default_rng(0).integers(1, 30, 40))[::-1].copy()
"""More texts than there are parts in which the gradient of a prefix is summed."""
HEADS, WIDTH = 3, 16


def attention_of(kernel: str, prefix: torch.Tensor, *, dropout: float = 0.0, seed: int = 1) -> Any:
    layout = lay_out(MANY)
    options: dict[str, Any] = {
        "num_heads": HEADS,
        "dropout": dropout,
        "words": Words(seed) if dropout else None,
        "prefix": prefix,
    }
    if kernel == "grouped":
        return GroupedAttention(layout, masks=grouped.masks(layout, HEADS, prefix.dtype), **options)
    library = compiled.library(WIDTH)
    if library is None:
        pytest.skip("no C compiler here: attention is grouped")
    return CompiledAttention(library, layout, **options)


def drawn(*, is_single: bool = False, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
    """Random prefix, queries, projections and gradient of what is mixed from them."""
    layout, generator = lay_out(MANY), torch.Generator().manual_seed(0)
    draw = partial(torch.randn, generator=generator)
    prefix = draw(2, LENGTH, HEADS * WIDTH).to(dtype)
    rest = draw(len(layout.positions), (2 if is_single else 3) * HEADS * WIDTH).to(dtype)
    query = draw(len(layout.first), HEADS * WIDTH).to(dtype) if is_single else None
    gradient = draw(len(layout.first) if is_single else len(rest), HEADS * WIDTH).to(dtype)
    return prefix, query, rest, gradient


def text_by_text(prefix: torch.Tensor, query: torch.Tensor | None, rest: torch.Tensor) -> torch.Tensor:
    mixed, ends = [], lay_out(MANY).ends.tolist()
    for text, (begin, end) in enumerate(pairwise(ends)):
        rows = rest[begin:end]
        own = rows[:, : HEADS * WIDTH] if query is None else query[text : text + 1]
        both = rows[:, -2 * HEADS * WIDTH :].chunk(2, 1)
        key, value = concatenated(prefix, *(by_head(part, HEADS)[None] for part in both))
        shares = plain_softmax(by_head(own, HEADS) @ key[0].transpose(1, 2) * WIDTH**-0.5)
        mixed.append((shares @ value[0]).transpose(0, 1).flatten(1))
    return torch.cat(mixed)


@pytest.mark.parametrize("is_single", [False, True], ids=["all queries", "one query each"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_attention_is_autograds(kernel: str, dtype: torch.dtype, tolerance: float, is_single: bool) -> None:
    prefix, query, rest, gradient = drawn(is_single=is_single, dtype=dtype)
    exact = [part.float().clone().requires_grad_() for part in (prefix, query, rest) if part is not None]
    expected = text_by_text(exact[0], exact[1] if is_single else None, exact[-1])
    expected.backward(gradient.float())
    attention = attention_of(kernel, prefix)
    found = attention.forward(query, rest)
    backward = attention.backward(gradient, is_single=is_single, needs_prefix=True)
    gradients = (attention.d_prefix, *(part for part in backward if part is not None))
    assert attention.d_prefix.dtype == torch.float32 and attention.d_prefix.shape == prefix.shape
    torch.testing.assert_close(found.float(), expected, atol=tolerance, rtol=tolerance)
    for one, of in zip(gradients, exact, strict=True):
        assert of.grad is not None
        size = max(1.0, float(of.grad.abs().max()))
        torch.testing.assert_close(one.float(), of.grad, atol=tolerance * size, rtol=tolerance)


@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_attention_has_the_gradient_of_its_own_masks(kernel: str) -> None:
    """With dropout: against differences of the function itself, in the direction of a random vector."""
    prefix, _, rest, gradient = drawn()
    direction = torch.randn(prefix.shape, generator=torch.Generator().manual_seed(1))
    moved = [
        attention_of(kernel, prefix + step * direction, dropout=0.3).forward(None, rest).double()
        for step in (1e-2, -1e-2)
    ]
    measured = float(((moved[0] - moved[1]) / 2e-2 * gradient).sum())
    at = attention_of(kernel, prefix, dropout=0.3)
    at.forward(None, rest)
    at.backward(gradient, is_single=False, needs_prefix=True)
    assert float((at.d_prefix * direction).sum()) == pytest.approx(measured, rel=1e-2)


@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_places_of_the_prefix_are_dropped_too(kernel: str) -> None:
    """Of equal shares with the prefix's places alone worth 1, a head gives one value per query: the places kept."""
    _, _, rest, _ = drawn()
    prefix = torch.zeros(2, WIDTH, HEADS * WIDTH)
    prefix[1] = torch.eye(WIDTH).repeat(1, HEADS)
    mixed = attention_of(kernel, prefix, dropout=0.25).forward(None, torch.zeros_like(rest))
    assert abs(float((mixed == 0).float().mean()) - 0.25) < 0.02
    queries = np.repeat(np.diff(lay_out(MANY).ends), np.diff(lay_out(MANY).ends))
    shares = torch.from_numpy(1 / (WIDTH + queries) / 0.75).float()[:, None].expand_as(mixed)
    torch.testing.assert_close(mixed[mixed != 0], shares[mixed != 0], rtol=1e-5, atol=0)


@pytest.mark.parametrize("is_single", [False, True], ids=["all queries", "one query each"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_threads_do_not_matter_in_c(dropout: float, is_single: bool) -> None:
    prefix, query, rest, gradient = drawn(is_single=is_single)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            attention = attention_of("compiled", prefix, dropout=dropout)
            mixed = attention.forward(query, rest)
            _, d_rest = attention.backward(gradient, is_single=is_single, needs_prefix=True)
            found.append((mixed, d_rest, attention.d_prefix))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(*pair) for pair in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_without_need_the_prefix_has_no_gradient(kernel: str) -> None:
    prefix, _, rest, gradient = drawn()
    with_it, without = (attention_of(kernel, prefix) for _ in range(2))
    for attention in (with_it, without):
        attention.forward(None, rest)
    _, d_rest = without.backward(gradient, is_single=False)
    assert without.d_prefix is None
    assert torch.equal(with_it.backward(gradient, is_single=False, needs_prefix=True)[1], d_rest)


@pytest.mark.parametrize("which", [0, 1], ids=["key", "value"])
@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_a_prefix_that_is_not_finite_is_not_hidden(kernel: str, which: int) -> None:
    prefix, _, rest, gradient = drawn()
    prefix[which, 2, 1] = float("nan")
    attention = attention_of(kernel, prefix)
    assert not torch.isfinite(attention.forward(None, rest)[:, :WIDTH]).all(1).any(), "every token sees it"
    attention.backward(gradient, is_single=False, needs_prefix=True)
    assert not torch.isfinite(attention.d_prefix).all()
