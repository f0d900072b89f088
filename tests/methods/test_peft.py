"""What is PEFT's is read by PEFT: `PeftModel.from_pretrained` answers what the run answered, on every family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.methods import cells
from tests.methods.cells import CELLS, PEFTS, Ran

Run = Callable[[str, str], Ran]

pytestmark = [  # peft 0.21 asks transformers 5 for an old name, and warns of norms, which it adapts all the same
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Unsupported layer type:UserWarning"),
]


def peft_logits(found: Ran, folder: Path) -> np.ndarray:
    """What PEFT answers to the run's test texts, `(texts, 2)`, on the stock checkpoint in `folder`."""
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, local_files_only=True)
    model = PeftModel.from_pretrained(base, str(found.folder))
    tokenizer = AutoTokenizer.from_pretrained(found.folder, local_files_only=True)
    return cells.stock_logits(model, tokenizer, found.test_texts())


@pytest.mark.parametrize(("method", "family"), [cell for cell in CELLS if cell[0] in PEFTS])
def test_peft_reads_what_is_its(method: str, family: str, ran: Run, checkpoint: Callable[..., Path]) -> None:
    found = ran(method, family)
    np.testing.assert_allclose(peft_logits(found, checkpoint(family)), found.logits(), atol=1e-5, rtol=1e-5)
