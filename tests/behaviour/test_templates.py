"""Minimum-functionality tests: unique, balanced, the same for a seed, and labelled as a reader would label them."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tunebook.behaviour import templates
from tunebook.behaviour.templates import Example, suite

CAPABILITIES = [
    "vocabulary", "negation", "negation at a distance", "intensifiers and reducers", "temporal change", "comparison",
    "sarcasm", "irrelevant content", "author and others", "questions",
]  # fmt: skip
BY_HAND = {
    "This is a wonderful film.": "positive",
    "This is not a great film.": "negative",
    "I have no complaints about this hotel.": "positive",
    "I thought the meal would be great, but it wasn't.": "negative",
    "I used to hate this airline, but now I love it.": "positive",
    "I used to love this airline, but now I hate it.": "negative",
    "Of all that I saw this year, this movie was the worst.": "negative",
    "Oh great, another broken charger. Just what I needed.": "negative",
    "Some people think the book is terrible, but I think it is wonderful.": "positive",
    "Do I think the show is good? No.": "negative",
}
"""Sentences that templates can make, in the words of the lists, with the label that a reader gives them."""


def label_of(text: str) -> str:
    """The label of the one template that can make a text."""

    def pattern(wording: str) -> str:
        either = {name: "|".join(map(re.escape, words)) for name, words in templates._file()["words"].items()}
        parts = re.split(r"\{(\w+)\}", wording)
        whole = "".join(
            f"(?:{either[part]})" if place % 2 else re.escape(part) for place, part in enumerate(parts)
        )
        return re.sub(r"(?<![\w])([Aa])\\ (?=\(\?:)", r"\1n?\\ ", whole)

    labels = {
        label
        for template in templates._file()["template"]
        for label in templates.LABELS
        if label in template and re.fullmatch(pattern(template[label]), text, re.IGNORECASE)
    }
    (label,) = labels
    return label


def test_texts_are_unique_whatever_the_number() -> None:
    for wanted in (1, 5, 20):
        texts = [example.text for example in suite(per_template=wanted)]
        assert len(texts) == len(set(texts))


def test_a_seed_gives_the_same_texts_and_another_seed_others() -> None:
    assert suite(seed=3) == suite(seed=3)
    assert suite(seed=0)[:2] == (
        Example(suite()[0].text, "negative", "vocabulary", "This is a {strong_negative} {thing}."),
        suite()[1],
    )
    assert {example.text for example in suite(seed=1)} != {example.text for example in suite(seed=2)}


def test_more_of_a_template_keeps_what_fewer_had() -> None:
    assert {example.text for example in suite(per_template=2)} <= {
        example.text for example in suite(per_template=6)
    }


def test_every_capability_has_thirty_to_sixty_texts_balanced_between_labels() -> None:
    counts = Counter((example.capability, example.label) for example in suite())
    assert list(dict.fromkeys(example.capability for example in suite())) == CAPABILITIES
    for capability in CAPABILITIES:
        negative, positive = counts[capability, "negative"], counts[capability, "positive"]
        assert 30 <= negative + positive <= 60, capability
        assert positive == (0 if capability == "sarcasm" else negative), capability


@pytest.mark.parametrize("wanted", [1, 12, 25])
def test_a_template_with_few_fillings_stays_balanced(wanted: int) -> None:
    counts = Counter((e.capability, e.label) for e in suite(per_template=wanted) if e.capability != "sarcasm")
    assert all(counts[name, "negative"] == counts[name, "positive"] for name, _ in counts)


@pytest.mark.parametrize(("text", "label"), BY_HAND.items())
def test_labels_are_a_readers(text: str, label: str) -> None:
    assert label_of(text) == label


def test_a_text_has_one_label() -> None:
    labels = {example.text: example.label for seed in range(5) for example in suite(seed=seed)}
    assert all(
        labels[example.text] == example.label for seed in range(5) for example in suite(seed=seed, per_template=9)
        if example.text in labels
    )  # fmt: skip


def test_words_of_praise_and_of_blame_are_on_one_list_each() -> None:
    words = templates._file()["words"]
    praise = {
        w
        for name in ("positive", "strong_positive", "plain_positive", "like", "liked", "helpful")
        for w in words[name]
    }
    blame = {
        w
        for name in ("negative", "strong_negative", "plain_negative", "dislike", "disliked", "rude")
        for w in words[name]
    }
    assert praise & blame == set()
    assert all(len(names) == len(set(names)) for names in words.values())


def test_a_plain_template_uses_words_of_its_own_label_only() -> None:
    """Where nothing is denied, compared or said by others, a label's wording holds words of that label alone."""
    for template in templates._file()["template"]:
        if template["capability"] in ("vocabulary", "intensifiers and reducers", "irrelevant content"):
            slots = {label: set(re.findall(r"\{(\w+)\}", template[label])) for label in templates.LABELS}
            assert (
                slots["positive"]
                & {"negative", "strong_negative", "plain_negative", "dislike", "disliked", "rude"}
                == set()
            )
            assert (
                slots["negative"]
                & {"positive", "strong_positive", "plain_positive", "like", "liked", "helpful"}
                == set()
            )


def test_slots_are_filled_and_articles_fit() -> None:
    for example in suite(per_template=20):
        assert not re.search(r"[{}]", example.text)
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", example.text), example.text
        assert example.text[0].isupper() or example.text[0] == "@"


def test_no_text_takes_a_word_of_a_list_twice() -> None:
    for example in suite(per_template=20):
        if example.template.count("{neutral}") == 2:
            said = [one for one in templates._file()["words"]["neutral"] if one in example.text]
            assert len(said) == 2, example.text


def test_none_of_a_template_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        suite(per_template=0)
