# SPDX-License-Identifier: Apache-2.0
"""Every way to edit a log that we know of, on a real small log."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import anyio
import pytest
from audit_samples import RealClock, intent, outcome

from yett.action import canonical_json
from yett.audit import verify as verify_module
from yett.audit.checkpoint import Checkpoint, PublicKey, SigningKey
from yett.audit.log import AuditLog
from yett.audit.record import FIRST_PREVIOUS, draft, read_link
from yett.audit.settings import AuditSettings
from yett.audit.verify import verify


def write_log(folder: Path, calls: int, **settings: float) -> None:
    async def main() -> None:
        with AuditLog(folder, AuditSettings(**settings), RealClock()) as log:
            for number in range(calls):
                await log.commit(intent(f"act-{number}", argument='"sequence":7,"uid":"\\'))
                log.note(outcome(f"act-{number}"))

    anyio.run(main)


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A closed log of three segments."""
    folder = tmp_path_factory.mktemp("good") / "audit"
    write_log(folder, 4, segment_bytes=2_500)
    assert len(list(folder.glob("*.jsonl"))) == 3
    assert verify(folder).ok
    return folder


@pytest.fixture
def log(good, tmp_path) -> Path:
    """A copy to tamper with."""
    for path in good.iterdir():
        path.chmod(0o600)
    return Path(shutil.copytree(good, tmp_path / "audit"))


def lines_of(folder: Path) -> list[tuple[Path, bytes]]:
    return [
        (path, line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_bytes().splitlines(keepends=True)
    ]


def rewrite(folder: Path, lines: list[tuple[Path, bytes]]) -> None:
    for path in folder.glob("*.jsonl"):
        path.write_bytes(b"".join(line for place, line in lines if place == path))


def rechained(lines: list[bytes]) -> list[bytes]:
    """What someone without the key can do: hash everything again after an edit."""
    previous, done = FIRST_PREVIOUS, []
    for line in lines:
        record = json.loads(line)
        own = record["unmapped"]["yett"]
        own.pop("hash")
        own["prev"] = previous
        own["hash"] = previous = hashlib.sha256(canonical_json(record)).hexdigest()
        done.append(canonical_json(record) + b"\n")
    return done


def test_a_line_is_the_canonical_json_of_its_record_and_the_hash_covers_all_else(good):
    lines = [line for _, line in lines_of(good)]
    assert all(canonical_json(json.loads(line)) + b"\n" == line for line in lines)
    assert rechained(lines) == lines


def test_every_flipped_bit_of_every_file_is_detected(tmp_path):
    folder = tmp_path / "audit"
    write_log(folder, 1)
    names = [path.name for path in folder.glob("*.jsonl")] + ["checkpoint", "key.pub"]
    missed = []
    for name in names:
        path = folder / name
        whole = path.read_bytes()
        for place in range(len(whole)):
            for bit in (1, 32, 128):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
                if verify(folder).ok:
                    missed.append((name, place, bit))
        path.write_bytes(whole)
    assert missed == []
    assert verify(folder).ok


def test_an_edited_field_is_named_with_its_file_line_and_number(log):
    path = sorted(log.glob("*.jsonl"))[1]
    text = path.read_bytes()
    path.write_bytes(text.replace(b"shell_run", b"file_read", 1))
    (problem,) = verify(log).problems
    assert problem.file == path.name
    assert path.read_bytes().splitlines()[problem.line - 1].count(b"file_read") == 1
    assert problem.sequence == int(path.stem) + problem.line - 1
    assert "was changed" in problem.what


def test_cutting_the_log_after_any_line_is_detected(log):
    lines = lines_of(log)
    for keep in range(len(lines)):
        rewrite(log, lines[:keep])
        report = verify(log)
        assert not report.ok
        assert f"{len(lines)} records were signed but the log ends at record {keep}" in str(
            report.problems[-1]
        )


def test_cutting_the_log_inside_any_line_is_detected(log):
    lines = lines_of(log)
    for keep in range(len(lines)):
        place, line = lines[keep]
        rewrite(log, [*lines[:keep], (place, line[:-1])])
        assert not verify(log).ok


def test_a_removed_repeated_or_swapped_line_is_detected(log):
    lines = lines_of(log)
    for place in range(len(lines)):
        rewrite(log, lines[:place] + lines[place + 1 :])
        assert not verify(log).ok
        rewrite(log, [*lines[: place + 1], lines[place], *lines[place + 1 :]])
        assert not verify(log).ok
        if place:
            swapped = lines.copy()
            swapped[place - 1], swapped[place] = (
                (lines[place - 1][0], lines[place][1]),
                (lines[place][0], lines[place - 1][1]),
            )
            rewrite(log, swapped)
            assert not verify(log).ok
    rewrite(log, lines)
    assert verify(log).ok


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_missing_segment_is_detected(log, which):
    sorted(log.glob("*.jsonl"))[which].unlink()
    assert not verify(log).ok


def test_a_renamed_segment_is_detected(log):
    last = max(log.glob("*.jsonl"))
    last.rename(log / f"{int(last.stem) + 1:020}.jsonl")
    assert any("segment is missing" in problem.what for problem in verify(log).problems)


@pytest.mark.parametrize("name", ["checkpoint", "key.pub"])
def test_a_missing_signature_or_key_is_detected(log, name):
    (log / name).unlink()
    assert [(problem.file, problem.what) for problem in verify(log).problems] == [(name, "is missing")]


def test_a_log_hashed_again_after_an_edit_is_detected_by_the_signature(log):
    lines = lines_of(log)
    edited = [line.replace(b"shell_run", b"file_read") for _, line in lines]
    rewrite(log, [(place, line) for (place, _), line in zip(lines, rechained(edited), strict=True)])
    problems = verify(log).problems
    assert [problem.what for problem in problems] == [f"record {len(lines)} is not the one that was signed"]


def test_a_log_signed_by_another_key_is_detected_by_the_saved_key(log, tmp_path):
    saved = (log / "key.pub").read_text()
    (tmp_path / "new").mkdir()
    forger = SigningKey.load_or_make(tmp_path / "new", fresh=True)
    lines = lines_of(log)
    edited = rechained([line.replace(b"shell_run", b"file_read") for _, line in lines])
    rewrite(log, [(place, line) for (place, _), line in zip(lines, edited, strict=True)])
    head = read_link(edited[-1][:-1]).hash
    (log / "key.pub").write_text(forger.public.text())
    (log / "checkpoint").write_text(forger.sign(Checkpoint(origin=forger.origin, size=len(lines), head=head)))
    assert verify(log).ok, "without a key from elsewhere this can't be seen; docs/audit.md says so"
    assert not verify(log, public_key=saved).ok


def test_a_log_rolled_back_with_its_checkpoint_is_detected_by_a_saved_checkpoint(tmp_path):
    folder = tmp_path / "audit"
    write_log(folder, 2)
    old = Path(shutil.copytree(folder, tmp_path / "old"))
    write_log(folder, 2)
    saved = (folder / "checkpoint").read_text()
    assert verify(folder, checkpoints=[saved, (old / "checkpoint").read_text()]).ok
    assert verify(old).ok, "a local checkpoint alone can't show this; docs/audit.md says so"
    assert not verify(old, checkpoints=[saved]).ok


def test_records_after_the_checkpoint_count_as_unsigned_and_must_be_canonical_json(tmp_path):
    folder = tmp_path / "audit"
    write_log(folder, 1)
    (segment,) = folder.glob("*.jsonl")
    text = segment.read_bytes()
    head, count = read_link(text.splitlines()[-1]).hash, len(text.splitlines())
    origin = PublicKey.parse((folder / "key.pub").read_text()).name
    line, own = draft(intent("late"), 1.0).seal(count + 1, head, origin)
    segment.write_bytes(text + line)
    report = verify(folder)
    assert report.ok
    assert report.unsigned == 1
    bad = b'{"sequence":5,"uid":"'.replace(b"5", str(count + 1).encode())
    tail = b',"prev":"' + head.encode() + b'"}}}'
    own = hashlib.sha256(bad + tail).hexdigest().encode()
    segment.write_bytes(text + bad + b',"hash":"' + own + b'","prev":"' + head.encode() + b'"}}}\n')
    assert [problem.what for problem in verify(folder).problems] == ["this is not canonical JSON"]


def test_a_line_being_written_is_a_note_and_not_a_problem(tmp_path):
    folder = tmp_path / "audit"
    write_log(folder, 1)
    (segment,) = folder.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes() + b'{"half')
    report = verify(folder)
    assert report.ok
    assert "incomplete last line" in report.notes[0].what


def test_a_clock_that_goes_back_is_a_note(tmp_path):
    folder, clock = tmp_path / "audit", RealClock()

    async def main() -> None:
        with AuditLog(folder, AuditSettings(), clock) as log:
            await log.commit(intent("act-1"), outcome("act-1"))
            clock.offset = -3600
            await log.commit(intent("act-2"))

    anyio.run(main)
    report = verify(folder)
    assert report.ok
    assert [note.what[:19] for note in report.notes] == ["the clock went back"]
    assert report.unfinished == ("act-2",)


def test_a_folder_without_a_log_is_not_good(tmp_path):
    assert not verify(tmp_path).ok
    assert not verify(tmp_path / "absent").ok


def test_a_line_over_the_limit_is_refused_without_being_held(log, monkeypatch):
    monkeypatch.setattr(verify_module, "LINE_LIMIT", 100)
    assert not verify(log).ok


def test_a_log_of_nonsense_stops_at_the_problem_limit(log, monkeypatch):
    monkeypatch.setattr(verify_module, "PROBLEM_LIMIT", 5)
    path = min(log.glob("*.jsonl"))
    path.write_bytes(b"nonsense\n" * 1_000)
    assert 5 <= len(verify(log).problems) <= 6
