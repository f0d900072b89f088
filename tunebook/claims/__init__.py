"""Numbers that others published, and whether our runs agree with them."""

from tunebook.claims.agreement import WIDEST, WORDS, Verdict, Word, declared, hundredths, verdicts
from tunebook.claims.counterparts import canonical, counterpart
from tunebook.claims.ledger import Claim, read_claims

__all__ = [
    "WIDEST",
    "WORDS",
    "Claim",
    "Verdict",
    "Word",
    "canonical",
    "counterpart",
    "declared",
    "hundredths",
    "read_claims",
    "verdicts",
]
