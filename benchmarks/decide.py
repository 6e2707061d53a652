# SPDX-License-Identifier: Apache-2.0
"""How long one decision takes at 10, 100, 1,000 and 10,000 rules. Prints a table.

Layout: ten rules a tool (six allow, two ask, one deny, one escalate), a hundred agents, each with
one of twenty roles that inherit, conditions on arguments and facts. The first call of a tool, which
builds its enforcer, is shown apart. `cpu` is the thread's own time, which other load does not touch
(it still slows caches). Run: `PYTHONPATH=src python benchmarks/decide.py`.
"""

from __future__ import annotations

import gc
import time

from yett.action import Action, JsonObject, Kind, Principal, ToolDefinition
from yett.policy.compiled import CompiledPolicy
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource

AGENTS, ROLES, PER_TOOL = 100, 20, 10


def source(rules: int) -> PolicySource:
    """A policy of so many rules."""
    return PolicySource(
        roles={f"role{n}": (f"role{n - 1}",) if n % 4 else () for n in range(ROLES)},
        agents={f"agent{n}": AgentSpec(roles=(f"role{n % ROLES}",)) for n in range(AGENTS)},
        rules=tuple(rule(n) for n in range(rules)),
    )


def rule(n: int) -> JsonObject:
    """The n-th rule."""
    kind = ("allow",) * 6 + ("ask",) * 2 + ("deny", "escalate")
    when: JsonObject = {
        "args.path": {"under": f"/workspace/{n % 7}", "not_match": ["**/.env", "**/.ssh/**"]},
        "args.amount": {"max": 100 + n},
        "time": {"between": "08:00-18:00", "days": "mon-fri", "tz": "Europe/Berlin"},
    }
    return {"id": f"r{n}", kind[n % PER_TOOL]: f"tool{n // PER_TOOL}", "to": f"role{n % ROLES}", "when": when}


def action(n: int) -> Action:
    """One call."""
    tool = ToolDefinition(name=f"tool{n}", description="", input_schema={})
    principal = Principal(agent=f"agent{n % AGENTS}", id="x")
    arguments: JsonObject = {"path": f"/workspace/{n % 7}/a/b.txt", "amount": 50}
    return Action(
        id="x", kind=Kind.TOOL, tool=tool, arguments=arguments, principal=principal, received_at=1767610800.0
    )


def measure(
    policy: CompiledPolicy, actions: list[Action], rounds: int, clock=time.perf_counter_ns
) -> list[float]:
    """Microseconds of each decision, sorted."""
    taken = []
    for n in range(rounds):
        each = actions[n % len(actions)]
        start = clock()
        policy.decide(each)
        taken.append((clock() - start) / 1000)
    return sorted(taken)


def main() -> None:
    """Print the table."""
    print(
        f"{'rules':>7} {'compile ms':>11} {'first p50':>10} {'p50 us':>8} {'p95 us':>8} {'p99 us':>8} {'cpu p50':>8} {'cpu p99':>8}"
    )
    for rules in (10, 100, 1_000, 10_000):
        start = time.perf_counter()
        policy = compile_policy(source(rules))
        compiled = (time.perf_counter() - start) * 1000
        actions = [action(n) for n in range(max(1, rules // PER_TOOL))]
        first = measure(policy, actions, len(actions))
        measure(policy, actions, 500)
        gc.collect()
        taken = measure(policy, actions, 5000)
        p50, p95, p99 = (taken[int(len(taken) * share)] for share in (0.5, 0.95, 0.99))
        own = measure(policy, actions, 5000, time.thread_time_ns)
        cpu = f"{own[2500]:>8.1f} {own[4950]:>8.1f}"
        middle = first[len(first) // 2]
        print(f"{rules:>7,} {compiled:>11.1f} {middle:>10.0f} {p50:>8.1f} {p95:>8.1f} {p99:>8.1f} {cpu}")


if __name__ == "__main__":
    main()
