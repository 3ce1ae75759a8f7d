"""The call graph as Graphviz draws it: functions with their shares, arrows for who called whom."""

from __future__ import annotations

from apm_agent.exporters.naming import visible
from apm_agent.exporters.sampled import callgraph_of
from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.profile import Profile

#: Less than this share of all time is not drawn, nor more functions than this: nobody could read it.
_LEAST = 0.005
_MOST = 200
_LONGEST = 60

_HEAD = """digraph "apm-agent" {
graph [fontname="Helvetica", nodesep=0.25, labelloc=t, label="%s"];
node [fontname="Helvetica", shape=box, style="filled,rounded", penwidth=0, fontcolor="#ffffff"];
edge [fontname="Helvetica", fontsize=10];
"""


def export(source: Callgraph | Profile) -> bytes:
    """`own_ns` and `total_ns` are attributes of every node; what is not drawn is one node with the rest."""
    sampled = not isinstance(source, Callgraph)
    graph = callgraph_of(source) if not isinstance(source, Callgraph) else source
    all_ns = sum(call.own_ns for call in graph.functions.values())
    ranked = sorted(graph.functions.items(), key=lambda item: (-item[1].total_ns, -item[1].own_ns, item[0]))
    drawn = [(node, call) for node, call in ranked[:_MOST] if call.total_ns >= all_ns * _LEAST]
    number = {node: at for at, (node, _) in enumerate(drawn)}
    lines = [_HEAD % _quoted(_title(sampled, all_ns, len(ranked) - len(drawn)))]
    lines += [_node(number[node], node, call, all_ns, sampled) for node, call in drawn]
    rest = sum(call.own_ns for node, call in ranked if node not in number)
    if len(ranked) > len(drawn):
        lines.append(_rest(len(ranked) - len(drawn), rest, all_ns))
    lines += [
        _edge(number[caller], number[callee], call, all_ns, sampled)
        for callee, callers in graph.callers.items()
        if callee in number
        for caller, call in callers.items()
        if caller in number and call.total_ns >= all_ns * _LEAST
    ]
    return ("".join(lines) + "}\n").encode()


def _title(sampled: bool, all_ns: int, left_out: int) -> str:
    how = "sampled, calls are not known" if sampled else "measured call by call, times are inflated"
    more = f"; {left_out} functions too small to draw" if left_out else ""
    return f"{all_ns / 1e6:,.3f} ms; {how}{more}"


def _node(number: int, node: Node, call: Call, all_ns: int, sampled: bool) -> str:
    place = f"{visible(node.path, _LONGEST)}:{node.line}" if node.line else visible(node.path, _LONGEST)
    rows = [visible(node.function, _LONGEST) or "?"]
    rows += [place] if node.path not in ("", "~") else []
    rows.append(f"{_share(call.total_ns, all_ns)} total, {_share(call.own_ns, all_ns)} own")
    rows += [] if sampled else [f"{call.calls}×"]
    text = "\\n".join(map(_quoted, rows))
    colour = _colour(call.total_ns / all_ns if all_ns else 0.0)
    facts = f"own_ns={call.own_ns}, total_ns={call.total_ns}" + ("" if sampled else f", calls={call.calls}")
    return f'n{number} [label="{text}", color="{colour}", {facts}];\n'


def _rest(count: int, own_ns: int, all_ns: int) -> str:
    text = f"{count} smaller functions\\n{_share(own_ns, all_ns)} own"
    return f'rest [label="{text}", color="#767676", own_ns={own_ns}];\n'


def _edge(caller: int, callee: int, call: Call, all_ns: int, sampled: bool) -> str:
    share = call.total_ns / all_ns if all_ns else 0.0
    text = _share(call.total_ns, all_ns) + ("" if sampled else f"\\n{call.calls}×")
    return f'n{caller} -> n{callee} [label="{text}", penwidth={0.5 + 4 * share:.2f}, color="{_colour(share)}"];\n'


def _share(ns: int, all_ns: int) -> str:
    return f"{100 * ns / all_ns if all_ns else 0:.1f} %"


def _colour(share: float) -> str:
    """From blue to red; white text stands out from all of them."""
    red, green, blue = (
        round(a + (b - a) * min(1.0, share)) for a, b in ((0x2F, 0xB4), (0x5D, 0x23), (0x8C, 0x18))
    )
    return f"#{red:02x}{green:02x}{blue:02x}"


def _quoted(text: str) -> str:
    """Between double quotes; a backslash begins an escape there."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
