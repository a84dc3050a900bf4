"""The same on Ray Data, for archives beyond one machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from covidscan.scoring.rows import Status
from covidscan.scoring.run import BATCH_FILES
from covidscan.scoring.scorer import ScoreOptions, Scorer
from covidscan.scoring.table import SCHEMA

_CPUS: Final = 0.25
"""That a reader or a worker counts for: both wait most of the time, and if workers alone took every
core there would be nobody to read for them."""


def score_on_ray(path: str, options: ScoreOptions, out: Path, *, workers: int) -> dict[str, int]:
    """Score a folder, which may be wherever Ray Data reads from, such as ``s3://``.

    Args:
        path: the folder.
        options: the same for all files; every machine must reach their model server.
        out: the table.
        workers: actors that read and ask.

    Returns:
        How many rows have which status.
    """
    with ray.init():
        return _write(_rows(path, options, workers), out)


def _rows(path: str, options: ScoreOptions, workers: int) -> Iterator[pa.Table]:
    root = str(Path(path).resolve()) if Path(path).exists() else path.partition("://")[2]
    files = ray.data.read_binary_files(
        path, include_paths=True, ray_remote_args={"num_cpus": _CPUS}
    )
    rows = files.map_batches(
        Scorer,
        fn_constructor_args=(options, root),
        batch_size=BATCH_FILES,
        concurrency=workers,
        num_cpus=_CPUS,
    )
    batches: Iterator[pa.Table] = iter(rows.iter_batches(batch_size=None, batch_format="pyarrow"))
    return batches


def _write(batches: Iterator[pa.Table], out: Path) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(map(str, Status), 0)
    draft = out.with_name(f".{out.name}")
    with pq.ParquetWriter(draft, SCHEMA) as writer:
        for batch in batches:
            writer.write_table(batch.select(SCHEMA.names).cast(SCHEMA))
            for status in batch["status"].to_pylist():
                counts[status] += 1
    draft.rename(out)
    return counts
