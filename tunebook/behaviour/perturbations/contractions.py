"""Contractions written out, and made."""

from __future__ import annotations

import re
from random import Random

from tunebook.behaviour.perturbations.row import perturbation
from tunebook.behaviour.perturbations.tokens import edited, found, is_tokenised

_CHECKLIST = "CheckList (Ribeiro et al. 2020), arXiv:2005.04118"
_SUBJECT = r"i|you|he|she|it|we|they|there"
_VERB = "is|are|was|were|do|does|did|has|have|had|would|could|should|must|need"
_IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall"}
_ENDINGS = {"m": "am", "re": "are", "ve": "have", "ll": "will", "s": "is"}

_LONG_NOT = (
    rf"(?i:\b(?P<verb>{_VERB}|ca|wo|sha) ?n['\u2019]t\b"
    rf"(?! (?:{_SUBJECT}|anyone|everyone|people)\b)(?!-))"  # "isn't it": an inverted question
)
_LONG_SUBJECT = (
    r"(?i:\b(?:(?P<i>i) ?['\u2019](?P<m>m)"
    r"|(?P<plural>you|we|they) ?['\u2019](?P<re>re)"
    r"|(?P<having>i|you|we|they|would|could|should|might|must) ?['\u2019](?P<ve>ve)"
    r"|(?P<future>i|you|he|she|it|we|they|that|there) ?['\u2019](?P<ll>ll)"
    r"|(?P<lets>let) ?['\u2019](?P<us>s)"
    r"|(?P<being>it|he|she|that|there|here|what|who|where|how) ?['\u2019](?P<s>s)(?! (?:own|come|taken|lost|grown)\b)"
    r")\b(?!-))"
)
_PERFECT = re.compile(r" (?:been|got|gotten|had|become)\b", re.IGNORECASE)
_QUESTION = re.compile(r"(?:^|[.!?…\"“(] ?|\bwhy )$", re.IGNORECASE)


def _cased(word: str, like: str) -> str:
    return word.upper() if like.isupper() else word


@perturbation(capability="contractions", source=_CHECKLIST)
def contractions_expanded(text: str, generator: Random) -> str:
    """All contractions are written out ("it's" to "it is", "won't" to "will not"), set apart by spaces or not.

    What cannot be told from its letters stays: "'d" (had, would), "ain't", "'s" after a noun, and questions ("isn't
    it", "why don't they").
    """
    edits = []
    for match in found(f"{_LONG_NOT}|{_LONG_SUBJECT}", text):
        new = _long_not(match, text) if match["verb"] else _long_subject(match, text)
        edits.append((*match.span(), new))
    return edited(text, edits)


def _long_not(match: re.Match[str], text: str) -> str:
    verb, whole = match["verb"], match.group()
    starts_question = _QUESTION.search(text[max(0, match.start() - 4) : match.start()])
    if starts_question and verb.lower() not in ("do", "ca", "wo"):
        return whole
    long = _IRREGULAR.get(verb.lower(), verb)
    long = long.upper() if verb.isupper() else verb[0] + long[1:]
    joined = "" if long.lower() == "can" and " " not in whole else " "
    return long + joined + _cased("not", whole[-3:])


def _long_subject(match: re.Match[str], text: str) -> str:
    groups = {
        name: value for name, value in match.groupdict().items() if value and name not in ("kept", "ours")
    }
    (_, subject), (kind, ending) = groups.items()
    long = _ENDINGS.get(kind, "us")
    if kind == "s" and _PERFECT.match(text[match.end() : match.end() + 10]):
        long = "has"
    return f"{subject} {_cased(long, ending)}"


_CLAUSE_BEGINS = (
    r"(?:(?<=[.,;:!?(\"“] )|(?<=\band )|(?<=\bbut )|(?<=\bthat )|(?<=\bbecause )|(?<=\bthink )|(?<=\A))"
)
_GOES_ON = r"(?= (?!(?:and|or|but|because|if|in|too|indeed|to|that)\b)[^\W\d_])"  # not "that is what it is"
_SHORT = (
    rf"{_CLAUSE_BEGINS}(?:(?P<subject>(?i:it|he|she|there)) (?P<s>is)|(?P<i>[Ii]) (?P<m>am)"
    r"|(?P<plural>(?i:you|we|they)) (?P<re>are)|(?P<future>(?i:i|you|it|he|she|we|they)) (?P<ll>will))"
    rf"{_GOES_ON}"
    r"|\b(?P<verb>(?i:is|are|was|were|do|does|did|has|have|had|would|could|should|can|will)) ?(?<=[ nN])not\b"
    r"(?! (?:only|just|merely|simply)\b)"
)
_NO_SHORT = {"can": "ca", "will": "wo"}


@perturbation(capability="contractions", source=_CHECKLIST)
def contractions_made(text: str, generator: Random) -> str:
    """All pairs of words that have a contraction get it ("do not" to "don't", "it is" to "it's" where a clause begins).

    Set apart by a space where the text sets its marks apart. A "NOT" in capitals stays.
    """
    space = " " if is_tokenised(text) else ""
    edits = []
    for match in found(_SHORT, text):
        if verb := match["verb"]:
            short = verb[0] + _NO_SHORT.get(verb.lower(), verb)[1:] + space + "n't"
            edits.append((*match.span(), short))
        else:
            (kind,) = (name for name in ("s", "m", "re", "ll") if match[name])
            subject = match.group().split(" ")[0]
            edits.append((*match.span(), f"{subject}{space}'{kind}"))
    return edited(text, edits)
