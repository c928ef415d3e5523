import datetime as dt
import json
from pathlib import Path

import pytest
import sample_results as sample

from dust_core.declared.records import RECORD_FIELDS, Record, read_table, table_csv, table_records
from dust_core.errors import DustError

HEADER = (
    "exp_id,combo,rho,T,beta,gamma,bits_w,bits_a,keep_list,params_M,flops_G,size_MB,vram_GB,"
    "chamfer,absrel,rmse,delta1,t_pair_p50_ms,t_pair_p95_ms,t_scene_s,pairs_per_sec,gpu_hours,"
    "notes,seed,datetime"
)


def record(exp_id: str = sample.STUDENT, **fields: object) -> Record:
    record = sample.result(exp_id).record
    assert record is not None
    return Record(**record.model_dump() | fields)


def test_the_table_reads_as_documented() -> None:
    row = record(
        "KQ_INT8_run1", keep_list=("layernorm", "rope"), chamfer=0.1, absrel=0.0625, rmse=0.5,
        delta1=0.9375, t_pair_p50_ms=154.25, t_pair_p95_ms=171.0, gpu_hours=None,
        notes='FP16 took 160 ms, "measured beside it"',
    )  # fmt: skip
    assert table_csv([row]) == (
        f"{HEADER}\n"
        "KQ_INT8_run1,INT8,null,3.0,0.5,0.0,8,8,layernorm+rope,9.5,60.25,38.0,1.5,"
        "0.1,0.0625,0.5,0.9375,154.25,171.0,14.5,5.0,null,"
        '"FP16 took 160 ms, ""measured beside it""",42,2026-11-23T08:15:00Z\n'
    )


@pytest.mark.parametrize(
    "row",
    [
        record(),
        record("P_r010_run1", delta1=0.1 + 0.2, size_MB=1e-9, notes="β, 7 % – done"),
        record("KQ_INT8_run1", keep_list=(), gpu_hours=None, T=1e300),
    ],
    ids=lambda row: row.exp_id,
)
def test_reading_a_table_gives_the_records_back(tmp_path: Path, row: Record) -> None:
    path = tmp_path / "result_table.csv"
    path.write_text(table_csv([row]), encoding="utf-8")
    assert read_table(path) == [row]


def test_of_an_experiment_measured_twice_the_last_counts() -> None:
    later = sample.MOMENT + dt.timedelta(hours=1)
    first = sample.result_file(sample.result(task="K-1"))
    again = sample.result_file(
        sample.result(task="K-4", figures={"datetime": later, "size_MB": 37.0}),
        sample.result("P0_FP32_run1", task="K-4", role="baseline"),
        sample.result("K_T5B05_run1", task="K-4", role="reference"),
    )
    for files in ([first, again], [again, first]):
        (only,) = table_records(files)
        assert (only.exp_id, only.size_MB) == (sample.STUDENT, 37.0)


def test_rows_are_ordered_by_experiment() -> None:
    files = [
        sample.result_file(sample.result(exp_id, task=task))
        for exp_id, task in (
            ("P_r030_run1", "P-2"),
            ("K_T5B05_run1", "K-2"),
            ("P_r010_run1", "P-1"),
        )
    ]
    ids = [row.exp_id for row in table_records(files)]
    assert ids == ["K_T5B05_run1", "P_r010_run1", "P_r030_run1"]


GOOD = table_csv([record()]).splitlines()[1]
FIX = "\n  fix: write it again from the records: dust table"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: column 1 is 'nothing', not 'exp_id'"),
        (HEADER.replace("rho,T", "T,rho"), ":1: column 3 is 'T', not 'rho'"),
        (HEADER + ",speed", ":1: 26 columns, not 25"),
        (f"{HEADER}\n{GOOD}\nK_T3B05_run2,T3B05", ":3: 2 cells, not 25"),
        (
            f"{HEADER}\n{GOOD.replace(',42,', ',nan,')}",
            ':2: seed: found "nan", expected a whole number',
        ),
        (
            f"{HEADER}\n{GOOD.replace(',9.5,', ',nan,')}",
            ':2: params_M: found "nan", expected a finite number',
        ),
        (
            f"{HEADER}\n{GOOD.replace(',9.5,', ',0,')}",
            ':2: params_M: found "0", expected more than 0',
        ),
        (
            f"{HEADER}\n{GOOD.replace(',200.0,', ',300.0,')}",
            ":2: t_pair_p50_ms 300 exceeds t_pair_p95_ms 210",
        ),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "result_table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DustError) as error:
        read_table(path)
    assert str(error.value) == f"{path}{message}{FIX}"


def test_numbers_in_the_table_are_json_numbers() -> None:
    cells = dict(zip(RECORD_FIELDS, GOOD.split(","), strict=True))
    assert json.loads(cells["params_M"]) == 9.5 and json.loads(cells["seed"]) == 42
