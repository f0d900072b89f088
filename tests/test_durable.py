"""Durable files, folders and lines: damage is found, refusals of the disk are told, leftovers go."""

from __future__ import annotations

import errno
import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunebook import durable
from tunebook.durable import disk, lines
from tunebook.errors import Failure, IntegrityError, NoSpace, UsageError

FILES = {"model.safetensors": b"weights" * 30, "state.json": b'{"step": 3}', "empty": b"", "deep/er/x": b"x"}


def fill(folder: Path) -> None:
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    durable.write_folder(tmp_path / "folder", fill, manifest_extra={"step": 3})
    return tmp_path / "folder"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files of this process may have so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- files --------------------------------------------------------------------------------------------------


def test_equal_values_are_equal_bytes(tmp_path: Path) -> None:
    for name, value in (("a", {"x": 1, "y": [1e-5, None]}), ("b", {"y": [1e-5, None], "x": 1})):
        durable.write_json(tmp_path / name, value)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert durable.read_json(tmp_path / "a") == {"x": 1, "y": [1e-5, None]}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, {"x": [-math.inf]}])
def test_json_holds_no_nan_and_nothing_is_written(tmp_path: Path, value: Any) -> None:
    durable.write_json(tmp_path / "a", 1)
    for write in (durable.write_json, lambda path, value: durable.append_line(path, {"value": value})):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write(tmp_path / "a", value)
    assert (tmp_path / "a").read_bytes() == b"1\n"
    with pytest.raises(ValueError, match="not JSON compliant"):
        durable.canonical_json(value)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_json_that_is_none_is_damage(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(IntegrityError, match=r"a\.json is damaged: expected JSON"):
        durable.read_json(tmp_path / "a.json")


def test_a_file_too_large_leaves_the_old_one(tmp_path: Path) -> None:
    durable.write_file(tmp_path / "a", b"old")
    with largest_file(1000), pytest.raises(NoSpace, match=r"at least 5,000 bytes, [\d,]+ are free") as caught:
        durable.write_file(tmp_path / "a", b"x" * 5000)
    assert caught.value.exit_code == 6
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


# --- folders ------------------------------------------------------------------------------------------------


def test_a_folder_is_what_it_was(folder: Path) -> None:
    manifest = durable.check_folder(folder)
    assert manifest["extra"] == {"step": 3}
    assert {name: entry["bytes"] for name, entry in manifest["files"].items()} == {
        name: len(data) for name, data in FILES.items()
    }
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_a_folder_is_not_written_over(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        durable.write_folder(folder, lambda path: None, manifest_extra={})
    durable.check_folder(folder)


def test_of_two_writers_of_one_folder_one_is_first(tmp_path: Path) -> None:
    def slow(path: Path) -> None:
        durable.write_folder(tmp_path / "folder", fill, manifest_extra={"who": "fast"})

    with pytest.raises(FileExistsError):
        durable.write_folder(tmp_path / "folder", slow, manifest_extra={"who": "slow"})
    assert durable.check_folder(tmp_path / "folder")["extra"] == {"who": "fast"}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fail(path: Path) -> None:
        fill(path)
        raise error

    with pytest.raises(type(error)):
        durable.write_folder(tmp_path / "folder", fail, manifest_extra={})
    assert list(tmp_path.iterdir()) == []


def big_python(folder: Path) -> None:
    (folder / "weights").write_bytes(b"x" * 5000)


def big_safetensors(folder: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(5000)}, folder / "weights")


def big_parquet(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [str(number**9) for number in range(5000)]}), folder / "weights")


@pytest.mark.parametrize("fill_big", [big_python, big_safetensors, big_parquet])
def test_no_space_is_told_whichever_library_finds_out(
    tmp_path: Path, fill_big: Callable[[Path], None]
) -> None:
    fill_big(tmp_path)  # imports what it needs while files may be of any size
    (tmp_path / "weights").unlink()
    with (
        largest_file(1000),
        pytest.raises(NoSpace, match=r"File too large\): it needs at least [\d,]+ bytes"),
    ):
        durable.write_folder(tmp_path / "folder", fill_big, manifest_extra={})
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_refusal_of_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        durable.write_folder(tmp_path / "folder", fail, manifest_extra={})


def cuts(size: int) -> list[int]:
    return sorted({cut for cut in (0, 4, 50, size // 2, size - 1) if 0 <= cut < size})


def test_a_truncated_file_is_found(folder: Path) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        data = path.read_bytes()
        for cut in cuts(len(data)):
            path.write_bytes(data[:cut])
            with pytest.raises(
                IntegrityError, match=path.name if path.name != durable.MANIFEST else "folder"
            ):
                durable.check_folder(folder)
        path.write_bytes(data)
    durable.check_folder(folder)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_a_flipped_bit_is_found_wherever_it_is(folder: Path, data: st.DataObject) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(paths))
    before = path.read_bytes()
    position = data.draw(st.integers(0, 8 * len(before) - 1))
    flipped = bytearray(before)
    flipped[position // 8] ^= 1 << position % 8
    path.write_bytes(flipped)
    try:
        with pytest.raises(IntegrityError):
            durable.check_folder(folder)
    finally:
        path.write_bytes(before)


def test_without_the_manifest_a_flipped_bit_loads(tmp_path: Path) -> None:
    """What the manifest is for: the libraries that read weights notice nothing."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    save_file({"x": np.zeros(100, np.float32)}, tmp_path / "x.safetensors")
    data = bytearray((tmp_path / "x.safetensors").read_bytes())
    data[-1] ^= 0x40
    (tmp_path / "x.safetensors").write_bytes(data)
    assert load_file(tmp_path / "x.safetensors")["x"][-1] == 2.0


def test_a_file_missing_or_too_many_is_found(folder: Path) -> None:
    (folder / "more").write_bytes(b"")
    with pytest.raises(IntegrityError, match="more is not in the manifest"):
        durable.check_folder(folder)
    (folder / "more").unlink()
    (folder / "empty").unlink()
    with pytest.raises(IntegrityError, match="empty is missing"):
        durable.check_folder(folder)
    (folder / "empty").symlink_to("/dev/null")
    durable.check_folder(folder)  # the same bytes


def test_a_folder_without_manifest_was_not_saved_whole(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(IntegrityError, match="was not saved whole"):
            durable.check_folder(path)


@pytest.mark.parametrize("manifest", ["[]", "3", '{"files": {}}', '{"files": {}, "sha256": 1}'])
def test_a_foreign_manifest_is_damage(tmp_path: Path, manifest: str) -> None:
    (tmp_path / durable.MANIFEST).write_text(manifest)
    with pytest.raises(IntegrityError):
        durable.check_folder(tmp_path)


# --- lines --------------------------------------------------------------------------------------------------

RECORDS = [{"step": step, "loss": 0.1 * step, "text": "é\n"} for step in range(4)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for record in RECORDS:
        durable.append_line(tmp_path / "log.jsonl", record)
    return tmp_path / "log.jsonl"


def test_lines_are_what_they_were(log: Path) -> None:
    assert durable.read_lines(log) == RECORDS
    assert durable.read_lines(log.with_name("none")) == []
    assert all("crc" in json.loads(line) for line in log.read_text().splitlines())


def test_a_torn_last_line_is_left_out_and_cut_off_by_the_next(log: Path) -> None:
    whole = log.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        log.write_bytes(whole[:end])
        assert durable.read_lines(log) == RECORDS[:3]
        durable.append_line(log, RECORDS[3])
        assert log.read_bytes() == whole


def test_without_cutting_off_the_next_line_would_be_lost(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_cut_unfinished", lambda descriptor: 0)
    log.write_bytes(log.read_bytes()[:-5])
    for record in RECORDS[:2]:
        durable.append_line(log, record)
    with pytest.raises(IntegrityError):
        durable.read_lines(log)


def test_damage_in_the_middle_is_found(log: Path) -> None:
    whole = log.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for position in range(0, last, 3):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        log.write_bytes(damaged)
        with pytest.raises(IntegrityError, match=r"log\.jsonl is damaged: line \d"):
            durable.read_lines(log)


@pytest.mark.parametrize("count", range(5))
def test_lines_are_cut_to_a_count(log: Path, count: int) -> None:
    with log.open("ab") as file:
        file.write(b"\0\0garbage\n{}\n")
    durable.truncate_lines(log, count)
    assert durable.read_lines(log) == RECORDS[:count]


def test_lines_that_should_be_there_and_are_not(log: Path) -> None:
    with pytest.raises(IntegrityError, match="has 4 lines, expected at least 5"):
        durable.truncate_lines(log, 5)
    log.write_bytes(log.read_bytes()[:-3])
    with pytest.raises(IntegrityError, match="line 4"):
        durable.truncate_lines(log, 4)
    durable.truncate_lines(log.with_name("none"), 0)


def test_a_line_that_does_not_fit_leaves_the_lines_before(log: Path) -> None:
    whole = log.read_bytes()
    with largest_file(len(whole) + 10), pytest.raises(NoSpace):
        durable.append_line(log, RECORDS[0])
    assert log.read_bytes() == whole


# --- leftovers, permissions, crash points -------------------------------------------------------------------


def test_leftovers_of_the_dead_are_swept_and_work_in_progress_is_not(tmp_path: Path) -> None:
    (tmp_path / f".tmp-x-{os.getpid()}-00000000").mkdir()
    (tmp_path / ".tmp-y-1-00000000").write_bytes(b"half")
    with disk.temporary(tmp_path / "z", Path.mkdir) as unfinished:
        assert [path.name[:6] for path in durable.leftovers(tmp_path)] == [".tmp-x", ".tmp-y"]
        assert durable.sweep(tmp_path) == 2
        assert unfinished.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_discarded_at_once(folder: Path) -> None:
    disk.discard(folder)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_disk_that_refuses_is_a_failure_and_never_silent(tmp_path: Path, number: int) -> None:
    def refuse(path: Path) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(Failure, match=os.strerror(number)) as caught:
        durable.write_folder(tmp_path / "folder", refuse, manifest_extra={})
    assert caught.value.exit_code == 1


@pytest.mark.skipif(
    not Path("/proc/self/fdinfo").is_dir(), reason="needs a file system nobody can write: /proc"
)
def test_a_place_that_cannot_be_written_is_refused_at_the_start() -> None:
    with pytest.raises(UsageError, match="cannot write in /proc/self/fdinfo"):
        durable.require_writable(Path("/proc/self/fdinfo/book"))
    with pytest.raises(UsageError, match="cannot write in /proc/self/fdinfo"):
        durable.require_writable(Path("/proc/self/fdinfo"))


def test_a_file_in_place_of_the_folder_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "book").write_text("a file")
    with pytest.raises(UsageError, match=r"cannot write in .*book"):
        durable.require_writable(tmp_path / "book")


def test_a_writable_place_is_made_and_left_empty(tmp_path: Path) -> None:
    durable.require_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("wanted, passed", [("here", 0), ("here#3", 2), ("elsewhere", 5)])
def test_a_crash_point_kills_at_its_passing(wanted: str, passed: int) -> None:
    code = "from tunebook import durable\nfor k in range(5):\n durable.point('here')\n print(k, flush=True)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TUNEBOOK_CRASH": wanted},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (-9 if passed < 5 else 0), done.stderr
    assert len(done.stdout.split()) == passed
