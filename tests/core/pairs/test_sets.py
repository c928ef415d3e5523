"""Sets as their users meet them: on the command line, in DALI itself, across killed processes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from miniature import AUGMENTATION, SIDE, pair
from PIL import Image

from dust_core.cli import main
from dust_core.pairs.feed.feed import FeedOptions, PairFeed
from dust_core.pairs.shards.reader import read_samples
from dust_core.pairs.shards.sample import encode
from dust_core.pairs.shards.tars import write_shards

COUNT = 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    samples = (encode(pair(n, n + 1, f"room{n % 2}"), picture="png") for n in range(COUNT))
    write_shards(samples, folder, split="training", licence="CC0-1.0", pairs_per_shard=4)
    return folder


def dust(*words: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert not ended.value.code


def test_info_says_what_a_set_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dust("data", "info", folder)
    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert said["pairs"].startswith("9 in 3 shards, 0.")
    assert said["images"] == "64x64 png"
    assert said["scenes"] == "2: room0, room1"
    assert said["licence"] == "CC0-1.0"
    assert len(said["sha256"]) == 64


def test_the_contact_sheet_shows_view_1_again_where_view_2_sees_it(
    folder: Path, tmp_path: Path
) -> None:
    dust("data", "show", folder, "--out", tmp_path / "sheet.png", "--pairs", 3, "--first", 2)
    with Image.open(tmp_path / "sheet.png") as picture:
        sheet = np.asarray(picture).astype(int)
    side = 224
    assert sheet.shape == (3 * side, 5 * side, 3)
    first, warped = sheet[:, :side], sheet[:, 4 * side :]
    visible = warped.sum(2) > 30
    assert visible.mean() > 0.6
    assert np.median(np.abs(first - warped)[visible]) < 4


def test_a_pair_beyond_the_end_is_one_message(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["data", "show", str(folder), "--first", "9"])
    assert ended.value.code == 2
    assert "there is no pair 9" in capsys.readouterr().err


def test_dalis_own_reader_takes_tars_and_indices_as_they_are(folder: Path) -> None:
    from nvidia.dali import Pipeline, fn, types

    pipeline = Pipeline(batch_size=1, num_threads=1, device_id=None, exec_dynamic=False)
    with pipeline:
        picture, depth, cameras = fn.readers.webdataset(
            paths=[str(path) for path in sorted(folder.glob("*.tar"))],
            index_paths=[str(path) for path in sorted(folder.glob("*.idx"))],
            ext=["1.jpg;1.png", "2.depth.png", "cam.bin"],
            dtypes=[types.UINT8, types.UINT8, types.FLOAT],
            missing_component_behavior="error",
        )
        colour = fn.decoders.image(picture, output_type=types.RGB)
        steps = fn.decoders.image(depth, output_type=types.ANY_DATA, dtype=types.UINT16)
        pipeline.set_outputs(colour, steps, cameras)
    pipeline.build()
    for sample in read_samples(folder):
        colour, steps, cameras = (np.array(output[0]) for output in pipeline.run())
        assert np.array_equal(colour, sample.images[0])
        metres = steps[..., 0].astype(np.float32) * cameras[35]
        assert np.array_equal(metres, sample.depths[1])
        assert np.array_equal(cameras[18:34].reshape(4, 4), sample.view1_from_view2)


# One rank of a training: prints every batch and, after it, notes its position.
_RANK = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[5])
from dust_core.pairs.feed.feed import FeedOptions, PairFeed
from miniature import AUGMENTATION
from dust_core.files import atomic_write_text

folder, state, rank, count = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:5])
options = FeedOptions(batch=2, side=48, rank=rank, world=2, augmentation=AUGMENTATION)
feed = PairFeed(folder, options)
if state.exists():
    feed.load_state_dict(json.loads(state.read_text()))
while feed.position < count:
    sums = [float(part.double().sum()) for part in next(feed)]
    print(json.dumps([feed.position, sums]), flush=True)
    atomic_write_text(state, json.dumps(feed.state_dict()))
"""


def start_rank(folder: Path, state: Path, rank: int, count: int) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", _RANK, str(folder), str(state), str(rank), str(count)]
    words.append(str(Path(__file__).parent))
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_a_rank_that_is_killed_and_started_again_goes_on_with_the_sequence(
    folder: Path, tmp_path: Path
) -> None:
    def lines(process: "subprocess.Popen[str]") -> list[tuple[int, list[float]]]:
        output, _ = process.communicate()
        return [json.loads(line) for line in output.splitlines()]

    killed = start_rank(folder, tmp_path / "state", 1, 10**6)
    assert killed.stdout is not None
    printed = [json.loads(killed.stdout.readline()) for _ in range(3)]
    killed.kill()
    printed += lines(killed)
    # What was printed after the position was last noted comes again.
    before = printed[: json.loads((tmp_path / "state").read_text())["position"]]
    after = lines(start_rank(folder, tmp_path / "state", 1, len(before) + 3))
    assert len(after) == 3
    options = FeedOptions(batch=2, side=48, rank=1, world=2, augmentation=AUGMENTATION)
    undisturbed = PairFeed(folder, options)
    for position, sums in before + after:
        assert [float(part.double().sum()) for part in next(undisturbed)] == sums
        assert position == undisturbed.position


def test_a_pass_of_two_ranks_reads_every_pair_once(folder: Path) -> None:
    places: list[float] = []
    for rank in (0, 1):
        options = FeedOptions(batch=2, side=SIDE, rank=rank, world=2, last_batch="partial")
        for batch in PairFeed(folder, options):
            places += batch.view1_from_view2[:, 0, 3].tolist()
    expected = [float(sample.view1_from_view2[0, 3]) for sample in read_samples(folder)]
    assert sorted(places) == sorted(expected)
