"""What Grafana asks its data sources: the queries of the dashboards in deploy/grafana, with their variables and macros
replaced as it does."""

import json
import re

from vigie import ROOT

FOLDER = ROOT / "deploy" / "grafana"
STEP_S = 10


def dashboards(engine):
    """{name: dashboard}"""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob(f"{engine}-*.json"))}


def as_regex(values):
    """How a variable stands in a regular expression: `values` that are chosen, or None, all of them."""
    if values is None:
        return ".*"
    escaped = [re.sub(r"[\\^$*+?.()|\[\]{}/]", lambda found: "\\" + found[0], value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def filled(query, variables, macros):
    """A query with `variables` {name: values or None} and `macros` {text: what stands for it}."""
    for text, value in macros.items():
        query = query.replace(text, value)
    for name, values in variables.items():
        # In a string of PromQL a backslash is doubled; a quote is let be, without prometheusSpecialCharsInLabelValues.
        regex = as_regex(values)
        query = query.replace(f"${{{name}:regex}}", regex)
        query = query.replace(f'"${name}"', '"' + regex.replace("\\", "\\\\") + '"').replace(f"${name}", regex)
    if "$" in re.sub(r"\$/", "", query):
        raise AssertionError(f"what is {query}?")
    return query


def targets(engine, key, variables, macros):
    """(dashboard, panel, query, target) of each query of an engine's dashboards."""
    for name, dashboard in dashboards(engine).items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield name, panel["title"], filled(target[key], variables, macros), target


def promql(engine, variables):
    """(what it is of, query, whether it is of a moment) of each query in PromQL."""
    for name, title, query, target in targets(engine, "expr", variables, {"$__interval": f"{STEP_S}s"}):
        yield f"{name}: {title}: {query}", query, target.get("instant", False)
