"""Small files in the formats in which the owners distribute their datasets, with the traps of each."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

ROWS = 60


def _write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def _words(index: int) -> str:
    return f"text number {index} of them"


def sentiment140(folder: Path) -> None:
    rows = [
        f'"{4 * (i % 2)}","{1000 + i // 2}","Mon Apr 06 22:19:45 PDT 2009","NO_QUERY","user{i}",'
        f'"@friend café, ""{_words(i)}"" "\n'
        for i in range(ROWS)
    ]
    _write(folder / "training.1600000.processed.noemoticon.csv", "".join(rows), "latin-1")
    manual = [
        f'"{label}","{i}","date","kindle","user","{_words(900 + i)}"\n' for i, label in enumerate("0244")
    ]
    _write(folder / "testdata.manual.2009.06.14.csv", "".join(manual), "latin-1")


def imdb(folder: Path) -> None:
    for part in ("train", "test"):
        for label, rating in (("neg", 2), ("pos", 9)):
            for i in range(20):
                text = f"{part} {label} {i}<br /><br />A film, “quoted”."
                _write(folder / "aclImdb" / part / label / f"{i}_{rating}.txt", text)
    _write(folder / "aclImdb" / "train" / "unsup" / "0_0.txt", "no label")
    _write(folder / "aclImdb" / "train" / "urls_neg.txt", "http://example.org\n")


def amazon_polarity(folder: Path) -> None:
    inner = folder / "amazon_review_polarity_csv"
    for part in ("train", "test"):
        rows = [f'"{1 + i % 2}","Title {i}","{part} said ""so"" \\n{_words(i)}"\n' for i in range(ROWS)]
        _write(inner / f"{part}.csv", "".join(rows))


def amazon_reviews(folder: Path) -> None:
    for domain in ("books", "dvd", "electronics", "kitchen"):
        for label in ("negative", "positive"):
            reviews = [
                f"<review>\n<unique_id>\n{i}\n</unique_id>\n<title>\nA & B\n</title>\n<reviewer>\nSomebody\n"
                f"</reviewer>\n<review_text>\n{domain} {label} & {i} &lt;3\n\nmore\n</review_text>\n"
                "</review>\n"
                for i in range(10)
            ]
            _write(folder / "sorted_data_acl" / domain / f"{label}.review", "".join(reviews))


def movie_reviews(folder: Path) -> None:
    for label in ("neg", "pos"):
        lines = [f"{label} cliché \x85 {_words(i)} . \n" for i in range(30)]
        _write(folder / "rt-polaritydata" / f"rt-polarity.{label}", "".join(lines), "latin-1")


def subjectivity(folder: Path) -> None:
    for kind, name in (("objective", "plot"), ("subjective", "quote")):
        lines = [f"{kind} é {_words(i)}\n" for i in range(30)]
        _write(folder / f"{name}.tok.gt9.5000", "".join(lines), "latin-1")


def customer_reviews(folder: Path) -> None:
    for label in ("neg", "pos"):
        _write(folder / f"custrev.{label}", "".join(f"{label} {_words(i)}\n" for i in range(30)) + " \n")


def trec(folder: Path) -> None:
    labels = ("ABBR:exp", "DESC:def", "ENTY:animal", "HUM:ind", "LOC:city", "NUM:date")
    for name, rows in (("train_5500.label", 120), ("TREC_10.label", 12)):
        lines = [f"{labels[i % 6]} What is {name} \xf0 {i} ?\n" for i in range(rows)]
        _write(folder / name, "".join(lines), "latin-1")


def ag_news(folder: Path) -> None:
    for part in ("train", "test"):
        rows = [f'"{1 + i % 4}","Title {i}","{part}\\nof ""{_words(i)}"", Reuters"\n' for i in range(ROWS)]
        _write(folder / "ag_news_csv" / f"{part}.csv", "".join(rows))


def sst2(folder: Path) -> None:
    for part in ("train", "dev"):
        rows = [f'{part} "{_words(i)} \t{i % 2}\n' for i in range(ROWS)]
        _write(folder / "SST-2" / f"{part}.tsv", "sentence\tlabel\n" + "".join(rows))
    rows = [f"{i}\tunlabelled {i}\n" for i in range(5)]
    _write(folder / "SST-2" / "test.tsv", "index\tsentence\n" + "".join(rows))


def cola(folder: Path) -> None:
    for part in ("train", "dev"):
        rows = [f'gj04\t{i % 2}\t{"" if i % 2 else "*"}\t{part} "{_words(i)}.\n' for i in range(ROWS)]
        _write(folder / "CoLA" / f"{part}.tsv", "".join(rows))


def mrpc(folder: Path) -> None:
    for part in ("train", "test"):
        rows = [f'{i % 2}\t{i}\t{i + 1}\t{part} "A {_words(i)}\tB {_words(i)}"\n' for i in range(ROWS)]
        header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
        _write(folder / "MRPC" / f"msr_paraphrase_{part}.txt", header + "".join(rows), "utf-8-sig")


def rte(folder: Path) -> None:
    for part in ("train", "dev"):
        labels = ("entailment", "not_entailment")
        rows = [f'{i}\t{part} "A {_words(i)}\tB {i}\t{labels[i % 2]}\n' for i in range(ROWS)]
        _write(folder / "RTE" / f"{part}.tsv", "index\tsentence1\tsentence2\tlabel\n" + "".join(rows))


def stsb(folder: Path) -> None:
    for part in ("train", "dev", "test"):
        rows = [
            f'main-news\theadlines\t2013\t{i:04}\t{i % 6}.000\t{part} A {i}\tB "{i}'
            + ("\tsource\tlicence" if i % 9 == 0 else "")
            + "\n"
            for i in range(ROWS)
        ]
        _write(folder / "stsbenchmark" / f"sts-{part}.csv", "".join(rows))


def _tweeteval(folder: Path, classes: int) -> None:
    for part in ("train", "val", "test"):
        _write(folder / f"{part}_text.txt", "".join(f"@user {part} 😀 {i} \n" for i in range(20)))
        _write(folder / f"{part}_labels.txt", "".join(f"{i % classes}\n" for i in range(20)))


def tweet_emotion(folder: Path) -> None:
    _tweeteval(folder, 4)


def tweet_irony(folder: Path) -> None:
    _tweeteval(folder, 2)


WRITERS: dict[str, Callable[[Path], None]] = {
    writer.__name__: writer
    for writer in (
        sentiment140,
        imdb,
        amazon_polarity,
        amazon_reviews,
        movie_reviews,
        subjectivity,
        customer_reviews,
        trec,
        ag_news,
        sst2,
        cola,
        mrpc,
        rte,
        stsb,
        tweet_emotion,
        tweet_irony,
    )
}


def pack(folder: Path) -> None:
    """Gzip every file, and take the plain ones away."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
