"""Perturbations: the same for a seed everywhere, never blank, no character broken, nothing else changed."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.behaviour import perturbations
from tunebook.behaviour.perturbations import CAPABILITIES, perturb, rows, tokens
from tunebook.behaviour.perturbations.row import perturbation
from tunebook.errors import UsageError

NAMES = list(rows())
EXAMPLES = {
    "swapped_letters": ("a charming story", None),
    "dropped_letter": ("a charming story", None),
    "neighbouring_key": ("a charming story", None),
    "lower_case": (
        "I LOVED it :D @Anna http://A.example/B #Fun",
        "i loved it :D @Anna http://A.example/B #Fun",
    ),
    "upper_case": ("Loved it &amp; you :p<br />bye", "LOVED IT &amp; YOU :p<br />BYE"),
    "punctuation_removed": ("Well, it's 3.5 hours... Great! :)", "Well it's 3.5 hours Great :)"),
    "final_punctuation_changed": ("Great!!", "Great."),
    "spaces_doubled": ("so good", "so  good"),
    "spaces_stretched": ("so good", None),
    "repeated_letters": ("it was so dark", None),
    "contractions_expanded": ("it 's not that i do n't care", "it is not that i do not care"),
    "contractions_made": ("It is late and I do not care.", "It's late and I don't care."),
    "neutral_emoji_removed": ("my trip 🇩🇪 ☎️ was fun 😀", "my trip was fun 😀"),
    "emoji_run_shortened": ("ha 😂😂 😂 👍🏽👍🏽 👍🏿", "ha 😂 👍🏽 👍🏿"),
    "hashtag_sign_removed": ("#sunny day #1 #not", "sunny day #1 #not"),
    "negation_added": ("The film is good.", "The film is not good."),
    "neutral_sentence_added": ("good film", None),
    "link_added": ("good film", None),
    "person_swapped": ("Anna liked it, so Anna stayed.", None),
    "place_swapped": ("We met in Paris and in Rome.", None),
    "number_changed": ("It runs for 90 minutes without a pause and ends in the rain: 8/10.", None),
    "sentences_swapped": (
        "The plot is thin. My seat was near the door. I left early.",
        "My seat was near the door. The plot is thin. I left early.",
    ),
}
"""A text that each perturbation changes, and what it becomes where only one outcome is possible."""

UNCHANGED = {
    "swapped_letters": [
        "",
        "a",
        "it is so",
        "@charming http://charming.example",
        "never without",
        "电影很好看",
        "well-known",
        "#charming",
    ],
    "dropped_letter": ["", "x", "was bad", "charming@example.org", "isn't", "good", "#wonderful"],
    "neighbouring_key": ["", "Привет", "שלום", "&quot;", "<br />"],
    "lower_case": ["all small", "İ", "电影", ":D XD", "@Anna"],
    "upper_case": ["ALL BIG", "ß", "مرحبا"],
    "punctuation_removed": ["no marks", "3.5", "a.b", ":)", "No, good", "...", "http://a.example/?b=1."],
    "final_punctuation_changed": [
        "Really?",
        "Well...",
        "ok :)",
        "so 😀",
        "see http://a.example/b",
        "很好",
        "#fun",
    ],
    "spaces_doubled": ["one", "<br />", "\u3000", "电影很好看", " "],
    "spaces_stretched": ["one", "two  spaces"],
    "repeated_letters": ["the table", "god", "#good @good", "lose"],
    "contractions_expanded": ["the film 's end", "isn't it", "Why don't they", "I'd go", "ain't", "it's own"],
    "contractions_made": ["that is what it is.", "it was NOT good", "is not only"],
    "neutral_emoji_removed": ["😀", "☎️", "❤️ love", "🇫🇴🇱🇱", "👩‍👧", "1️⃣"],
    "emoji_run_shortened": ["😀😁😀", "👍🏽👍🏿", "🇩🇪🇫🇷", "haha"],
    "hashtag_sign_removed": ["#not", "#1", "&#39;", "http://a.example/#b", "a#b"],
    "negation_added": ["It is not good.", "Is it good?", "if it is good", "Good film.", "nothing is good"],
    "neutral_sentence_added": ["", "  ", "电影很好看", "שלום עולם", "😀"],
    "link_added": ["", " \n"],
    "person_swapped": ["nobody", "Debby Anna", "@Anna", "an Edward", "Annabel", "Will and Grace"],
    "place_swapped": ["home", "New Londoner", "#London", "Turkey"],
    "number_changed": [
        "10/10",
        "5 stars",
        "3 out of 10",
        "a solid 7",
        "rated 4 by 20 people",
        "in 1999",
        "$5",
        "100%",
        "1 hour",
        "7",
        "top 10 films",
        "8-10 hours",
        "10:30",
        "3 of 5 stars after 2 days",
    ],
    "sentences_swapped": [
        "One only.",
        "It is thin here. But I did like it. The end.",
        "so . it . is .",
        "Is it so? I do not know. Well.",
    ],
}
"""Texts that each perturbation has nothing to do on."""

STRANGE = [
    "",
    " ",
    "\t\n",
    "a",
    ".",
    "!",
    "#",
    "@",
    "'",
    "n't",
    "é",
    "e\u0301",
    "\u0301",
    "\u200d",
    "\ufe0f",
    "😀",
    "👩‍👩‍👧‍👦",
    "👍🏽",
    "🇩🇪",
    "🏽",
    "🇩",
    "1️⃣",
    "#️⃣ tag",
    "❤️‍🔥 so good 👨🏿‍🚀👨🏿‍🚀",
    "cafe\u0301 was wonderful e\u0301e\u0301",
    "שלום עולם, זה סרט נהדר מאוד!",
    "هذا الفيلم رائع جدا.",
    "مَرْحَبًا بِكُمْ",
    "电影很好看。我喜欢!",
    "とても良い映画です。",
    "한국어 영화는 훌륭해요.",
    "हिन्दी फिल्म अच्छी है।",
    "ภาพยนตร์ดีมาก",
    "\ud800 lone is good",
    "it 's not n't good .",
    "good.<br /><br />Bad & &amp; it's",
    "http://a.b/c?d=e#f is good @anna_1 #nice",
    "\u202eevil\u202c is good",
    "so\u00a0good\u2028it is",
    "\u0600. is good",
    "a\r\n.b is good",
    "x" * 300,
    "ﬁne straße is good ΣΊΣΥΦΟΣ İstanbul",
]
FIXED = {
    "swapped_letters": "A charming story with wonderful people in it, I would watch it agian tomorrow.",
    "neighbouring_key": "A charming story with winderful people in it, I would watch it again tomorrow.",
}
MIXED = st.text(
    st.sampled_from(
        [
            *"abeo ABN.,!?'#@:)(-/0123\n<>&;",
            "\u0301",
            "\u200d",
            "\ufe0f",
            "\u20e3",
            "😀",
            "👩",
            "🏽",
            "🇩",
            "🇪",
            "ש",
            "م",
            "电",
            "ि",
        ]
    )
)
SENTENCES = st.lists(
    st.sampled_from(
        [
            "is",
            "not",
            "it 's",
            "don't",
            "good",
            "wonderful",
            "😂",
            "😂",
            "👍🏽",
            "🇩🇪",
            "☎️",
            "#fun",
            "@anna",
            "Anna",
            "London",
            "90 minutes",
            "10/10",
            ".",
            ",",
            "The",
            "cafe\u0301",
            "סרט",
            "电影",
            "<br />",
            "http://a.example/b",
            ":)",
            "I love",
            "he was",
            "very",
            "5 stars",
        ]
    )
).map(" ".join)


def links(text: str) -> list[str]:
    """Links, mentions, HTML and emoticons of a text, in their order."""
    return [match.group() for match in re.compile(tokens.LINKS, re.VERBOSE).finditer(text)]


# --- every perturbation ----------------------------------------------------------------------------------------


def test_rows_are_complete_and_in_the_order_of_capabilities() -> None:
    places = [CAPABILITIES.index(row.capability) for row in rows().values()]
    assert places == sorted(places) and set(places) == set(range(len(CAPABILITIES)))
    assert set(NAMES) == set(EXAMPLES) == set(UNCHANGED)
    for name, row in rows().items():
        assert row.name == name == row.function.__name__ and row.source and row.function.__doc__


def test_what_keeps_the_label_is_to_stay_and_what_may_not_is_only_not_to_grow_surer() -> None:
    assert {name for name, row in rows().items() if not row.keeps_label} == {"negation_added"}
    assert all((row.expectation == "same") == row.keeps_label for row in rows().values())


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown perturbation 'uper_case'; did you mean 'upper_case'"):
        perturb("uper_case", "a", seed=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_suitable_text_is_changed(name: str) -> None:
    before, after = EXAMPLES[name]
    changed = perturb(name, before, seed=0)
    assert changed != before
    assert after is None or changed == after


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_changed_comes_back(name: str) -> None:
    assert {text: perturb(name, text, seed=seed) for text in UNCHANGED[name] for seed in (0, 1)} == {
        text: text for text in UNCHANGED[name]
    }


@pytest.mark.parametrize("name", NAMES)
def test_strange_texts_are_never_blank_or_broken(name: str) -> None:
    for text in STRANGE:
        check(name, text)


def check(name: str, text: str) -> None:
    """What holds for any perturbation on any text."""
    changed = perturb(name, text, seed=0)
    assert changed == perturb(name, text, seed=0)
    assert changed.strip() or changed == text
    assert tokens.keeps_characters(text, changed)
    if name not in ("link_added", "negation_added", "hashtag_sign_removed"):
        assert links(changed) == links(text)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
@given(text=st.one_of(MIXED, SENTENCES, st.text()))
def test_any_text_is_never_blank_or_broken(name: str, text: str) -> None:
    changed = perturb(name, text, seed=0)
    assert changed == perturb(name, text, seed=0)
    assert changed.strip() or changed == text
    assert tokens.keeps_characters(text, changed)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
@given(text=SENTENCES)
def test_links_mentions_html_and_emoticons_stay(name: str, text: str) -> None:
    changed = perturb(name, text, seed=0)
    assert [link for link in links(changed) if "example.org" not in link] == links(text)


def test_another_process_gives_the_same() -> None:
    texts = [before for before, _ in EXAMPLES.values()] + [text for text in STRANGE if "\ud800" not in text]
    code = (
        "import json, sys\n"
        "from tunebook.behaviour.perturbations import perturb, rows\n"
        "print(json.dumps([perturb(name, text, seed=7) for name in rows() for text in json.loads(sys.argv[1])]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(texts)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )
    assert json.loads(done.stdout) == [perturb(name, text, seed=7) for name in NAMES for text in texts]


def test_the_outcome_is_fixed_for_ever() -> None:
    """A stored result: a change here changes every published table of behaviour."""
    text = "A charming story with wonderful people in it, I would watch it again tomorrow."
    assert perturb("swapped_letters", text, seed=0) == FIXED["swapped_letters"]
    assert perturb("neighbouring_key", text, seed=0) == FIXED["neighbouring_key"]


def test_another_seed_gives_another_typo() -> None:
    text = "A charming story with wonderful people in it"
    assert len({perturb("dropped_letter", text, seed=seed) for seed in range(20)}) > 5


def test_the_guard_takes_back_what_is_blank_or_broken() -> None:
    """The decorator is shown a change that empties a text, and ones that tear characters apart."""

    @perturbation(capability="typos", source="planted")
    def planted(text: str, generator: random.Random) -> str:
        """Drop the last code point."""
        return text[:-1]

    for text in ("a", "👩‍👧", "🇩🇪", "👍🏽", "e\u0301\u0323"):
        assert planted.function(text, random.Random(0)) == text
    assert planted.function("ab", random.Random(0)) == "a"


@pytest.mark.alone
@pytest.mark.parametrize("name", NAMES)
def test_long_texts_take_well_under_a_second(name: str) -> None:
    long = [
        "It's a wonderful film, and Anna saw it in London for 90 minutes. " * 1600,
        "😂😂 سرt 🇩🇪 " * 10_000,
        "e\u0301" * 50_000,
        *("a" * 100_000, " " * 99_999 + "a", "(:" * 50_000, "a." * 50_000, "! " * 50_000, "it is " * 16_000),
    ]
    for text in long:
        begin = time.process_time()
        perturb(name, text, seed=0)
        assert time.process_time() - begin < 1.0, (name, text[:20])


# --- single ones -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["swapped_letters", "dropped_letter", "neighbouring_key"])
@pytest.mark.parametrize(
    "text",
    ["a wonderful thing happened there " * 10, "שלום עולם נהדר מאוד", "приятный фильм", "cafe\u0301\u0323s"],
)
def test_typos_touch_one_word_in_ten_and_keep_its_ends(name: str, text: str) -> None:
    before, after = text.split(), perturb(name, text, seed=1).split()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    candidates = [word for word in before if len(tokens.characters(word)) >= 4]
    assert len(changed) <= max(1, len(candidates) // 10)
    assert all(tokens.characters(old)[0] == tokens.characters(new)[0] for old, new in changed)
    assert all(tokens.characters(old)[-1] == tokens.characters(new)[-1] for old, new in changed)


def test_no_typo_makes_another_word() -> None:
    avoided = set(tokens.lists()["slips"].split())
    for word in ("good", "form", "best", "hate", "less", "with", "worst", "threw", "loved", "waste"):
        for name in ("swapped_letters", "dropped_letter", "neighbouring_key"):
            for seed in range(30):
                changed = perturb(name, word, seed=seed)
                assert changed == word or changed not in avoided


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I can't, won't and shan't.", "I cannot, will not and shall not."),
        ("you ca n't", "you can not"),
        ("Don't go", "Do not go"),
        ("It's been long, she's here", "It has been long, she is here"),
        ("IT'S BAD", "IT IS BAD"),
        ("they’re late", "they are late"),
        ("let's go; I'm, I've, I'll", "let us go; I am, I have, I will"),
        ("I DIDN'T", "I DID NOT"),
        ("who's there", "who is there"),
    ],
)
def test_contractions_are_expanded(before: str, after: str) -> None:
    assert perturb("contractions_expanded", before, seed=0) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("you cannot and will not", "you can't and won't"),
        ("it is good , you can not stop", "it 's good , you ca n't stop"),
        ("Do not go", "Don't go"),
        ("I am here, you are there", "I'm here, you're there"),
    ],
)
def test_contractions_are_made(before: str, after: str) -> None:
    assert perturb("contractions_made", before, seed=0) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I love this film", "I do not love this film"),
        ("they really enjoyed it", "they did not really enjoy it"),
        ("it 's a charming film .", "it 's not a charming film ."),
        ("That's great", "That's not great"),
        ("What a day! The food was bad.", "What a day! The food was not bad."),
    ],
)
def test_negations_are_added_once(before: str, after: str) -> None:
    assert perturb("negation_added", before, seed=0) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Good", "Good."),
        ("Good.", "Good"),
        ("good .", "good"),
        ("it 's good", "it 's good ."),
        ("很好。", "很好"),
        ("Good! ", "Good. "),
    ],
)
def test_final_marks(before: str, after: str) -> None:
    assert perturb("final_punctuation_changed", before, seed=0) == after


def test_a_neutral_sentence_is_written_as_the_text_is() -> None:
    for seed in range(10):
        assert perturb("neutral_sentence_added", "it 's good .", seed=seed).islower()
        assert " ." in perturb("neutral_sentence_added", "it 's good .", seed=seed).replace("good .", "")
        assert perturb("neutral_sentence_added", "no mark", seed=seed).endswith(". no mark")
        assert "It's good." in perturb("neutral_sentence_added", "It's good.", seed=seed)


def test_swaps_change_one_name_everywhere_within_its_group() -> None:
    for seed in range(20):
        changed = perturb("person_swapped", "Anna liked it, so Anna stayed.", seed=seed)
        (name,) = set(re.findall(r"^(\w+) liked|so (\w+)", changed.replace("so ", "so "))[0]) - {""}
        assert changed == f"{name} liked it, so {name} stayed." and name != "Anna"
        assert name in re.split(r"[,\s]+", tokens.lists()["people"][0])
        city = re.fullmatch(
            r"i saw (.+) by night", perturb("place_swapped", "i saw rome by night", seed=seed)
        )
        assert city is not None and city.group(1).islower() and city.group(1) != "rome"


def test_lists_hold_no_name_twice_and_no_kind_of_two() -> None:
    for kind in ("people", "places"):
        names = [
            name.strip()
            for group in tokens.lists()[kind]
            for name in re.split("[,\n]", group)
            if name.strip()
        ]
        assert len(names) == len(set(names)) >= 70


def test_numbers_change_to_near_ones() -> None:
    for seed in range(30):
        changed = perturb(
            "number_changed", "It runs for 90 minutes without a pause and ends in the rain: 8/10.", seed=seed
        )
        number = re.fullmatch(
            r"It runs for (\d+) minutes without a pause and ends in the rain: 8/10\.", changed
        )
        assert number is not None and 81 <= int(number.group(1)) <= 99 and int(number.group(1)) != 90
        assert perturb("number_changed", "two days", seed=seed) == "three days"
        assert not re.search(r"\ba 8|\ba 11\b", perturb("number_changed", "a 10 minute walk", seed=seed))


def test_stretched_and_doubled_spaces_change_nothing_else() -> None:
    text = "one two three four five six seven eight nine ten eleven"
    assert (
        perturb("spaces_doubled", text, seed=0).split()
        == perturb("spaces_stretched", text, seed=0).split()
        == text.split()
    )
    assert perturb("spaces_doubled", text, seed=0).count("  ") == 2


# --- real texts ------------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_real_texts_keep_their_links_and_are_changed_where_they_should_be(real_data: Path) -> None:
    sentences = [line.split("\t")[1] for line in (real_data / "sst2/dev.tsv").read_text().splitlines()[1:120]]
    with (real_data / "sentiment140/sample-20000.csv").open(encoding="utf-8") as file:
        tweets = [row[-1] for row in csv.reader(file)][1:100]
    with gzip.open(real_data / "imdb/test.csv.gz", "rt", encoding="utf-8") as file:
        reviews = [row[-1] for row, _ in zip(csv.reader(file), range(10), strict=False)][1:]
    for name in NAMES:
        for text in (*sentences, *tweets, *reviews):
            changed = perturb(name, text, seed=0)
            assert changed.strip()
            assert [link for link in links(changed) if "example.org" not in link] == links(text), (name, text)
        if perturbations.rows()[name].capability in ("typos", "whitespace", "irrelevant clause"):
            assert sum(perturb(name, text, seed=0) != text for text in sentences) > 0.95 * len(sentences)
