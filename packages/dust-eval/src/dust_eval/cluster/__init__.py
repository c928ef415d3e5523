"""`dust repro --on`: the stale stages of a pipeline on the workers of a dask scheduler.

`graph` reads what DVC says is stale, `source` checks what workers have to fetch, `scheduler`
connects, `workers` chooses those that take stages, `stages` gives them the stages. `worker` and
`clone` run on the workers.
"""
