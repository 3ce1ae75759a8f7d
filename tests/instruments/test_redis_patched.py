"""What is patched of redis and valkey keeps kind, signature and name, and comes back as it was."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
from typing import Any

import pytest

from apm_agent.instruments import patching


@pytest.mark.parametrize(("system", "client"), [("redis", "Redis"), ("valkey", "Valkey")])
def test_r12_r43_clients_are_what_they_were(system: str, client: str) -> None:
    module = importlib.import_module(system)
    for name in ("asyncio", "cluster", "asyncio.cluster"):
        importlib.import_module(f"{system}.{name}")
    owners = [
        (getattr(module, client), "execute_command"),
        (module.client.Pipeline, "execute"),
        (module.client.Pipeline, "immediate_execute_command"),
        (getattr(module.asyncio, client), "execute_command"),
        (module.asyncio.client.Pipeline, "execute"),
        (module.asyncio.client.Pipeline, "immediate_execute_command"),
        (getattr(module.cluster, f"{client}Cluster"), "execute_command"),
        (getattr(module.asyncio.cluster, f"{client}Cluster"), "execute_command"),
        (module.cluster.ClusterPipeline, "execute"),
        (module.asyncio.cluster.ClusterPipeline, "execute"),
    ]

    def facts() -> list[Any]:
        found = []
        for owner, name in owners:
            function = getattr(owner, name)
            found += [
                str(inspect.signature(function)),
                inspect.getfullargspec(function)._replace(annotations={}),
                inspect.iscoroutinefunction(function),
                function.__qualname__,
                pickle.loads(pickle.dumps(function)) is function,
                copy.copy(function) is function,
            ]
        return found

    untouched = (module.client.PubSub, module.asyncio.client.PubSub)
    pubsub = [dict(vars(owner)) for owner in untouched]
    objects, before = [vars(owner)[name] for owner, name in owners], facts()
    patching.apply()
    try:
        state = {name: (state, detail) for name, state, detail in patching.states()}
        assert state[system] == ("patched", "")
        assert all(
            vars(owner)[name] is not found for (owner, name), found in zip(owners, objects, strict=True)
        )
        assert facts() == before
        assert [dict(vars(owner)) for owner in untouched] == pubsub
    finally:
        patching.remove()
    assert all(vars(owner)[name] is found for (owner, name), found in zip(owners, objects, strict=True))
