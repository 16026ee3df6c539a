"""The page of what is served here: what it is, how to ask it, and what its traffic looks like.

It needs nothing from elsewhere: no font, no script of others. Everything in it that somebody else
wrote (names of columns and categories) is escaped by the template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from jinja2 import Environment, StrictUndefined

from hallmark.api.served import ServedFeature, ServedSchema
from hallmark.api.trust import Trust
from hallmark_predictor.example import example_row

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ trust.model_version }} · Hallmark on this machine</title>
<style>
:root { color-scheme: light dark; --line: #8884; --accent: light-dark(#0b57d0, #a8c7fa); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 32px auto; max-width: 60rem; padding: 0 16px }
h1 { font-size: 28px; line-height: 1.2 } h2 { font-size: 20px; margin-top: 32px }
code, pre, textarea { font-family: ui-monospace, monospace; font-size: 13px }
pre, textarea { border: 1px solid var(--line); padding: 8px; width: 100%; box-sizing: border-box;
  overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid var(--line); padding: 4px 8px 4px 0; text-align: left;
  vertical-align: top }
a, button { color: var(--accent) } button { font: inherit; padding: 4px 16px }
</style></head><body>
<h1>{{ schema.model }} serves version {{ trust.version }}
 ({{ trust.model_version }})</h1>
<p>Drift: <strong>{{ drift.verdict }}</strong>, after {{ drift.rows }} rows
 (a window has {{ drift.window }}, {{ drift.consecutive }} in a row decide;
 limit PSI {{ drift.threshold }}).
{% if drift.lastRollback %} Rolled back from {{ drift.lastRollback.from }}:
 {{ drift.lastRollback.message }}{% endif %}</p>
<p>Signature, approval and every byte were checked when it was loaded.
 Manifest <code>{{ trust.manifestDigest }}</code>.</p>
<h2>Ask it</h2>
<form><label for="body">A request to <code>POST /predict</code></label>
<textarea id="body" rows="{{ example.count('\\n') + 2 }}">{{ example }}</textarea>
<p><button>Predict</button></p><pre id="answer" aria-live="polite">&nbsp;</pre></form>
<pre>{{ curl }}</pre>
<h2>Features</h2>
<table><thead><tr><th>name</th><th>type</th><th>values</th><th>null</th></tr></thead><tbody>
{% for feature in features %}<tr><td><code>{{ feature.name }}</code></td>
<td>{{ feature.type }}</td><td>{{ feature.values }}</td><td>{{ feature.null }}</td></tr>
{% endfor %}</tbody></table>
<p>Answers with <code>{{ schema.target }}</code>, one of {{ schema.classes | join(", ") }},
 and the probability of each.</p>
{% if drift.top %}<h2>What moved most</h2>
<table><thead><tr><th>feature</th><th>PSI (limit {{ drift.threshold }})</th>
<th>evidence (needed 10^{{ drift.needed }})</th><th>Jensen-Shannon distance</th>
<th>nulls (in training)</th></tr></thead><tbody>
{% for moved in drift.top %}<tr><td><code>{{ moved.feature }}</code></td>
<td>{{ moved.psi }}</td><td>{% if moved.evidence %}10^{{ moved.evidence }}{% endif %}</td>
<td>{{ moved.jensenShannon }}</td>
<td>{% if moved.nulls %}{{ moved.nulls }} ({{ moved.trainingNulls }}){% endif %}</td></tr>
{% endfor %}</tbody></table>{% endif %}
<h2>More</h2>
<ul><li><a href="/openapi.json">openapi.json</a>: all endpoints, with the Open Inference Protocol
</li><li><a href="/drift">drift</a>: counts per bin and the verdict, as JSON</li>
<li><a href="/metrics">metrics</a> for Prometheus</li></ul>
<script>
document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = document.getElementById("answer");
  const body = document.getElementById("body").value;
  const headers = {"Content-Type": "application/json"};
  try {
    const response = await fetch("/predict", {method: "POST", headers, body});
    answer.textContent = response.status + " " + JSON.stringify(await response.json(), null, 1);
  } catch (error) { answer.textContent = String(error); }
});
</script></body></html>
"""
_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)


def docs_page(schema: ServedSchema, trust: Trust, drift: Mapping[str, object], url: str) -> str:
    """Return the page as HTML.

    Args:
        schema: what is served.
        trust: what it was started with.
        drift: what is known of the traffic; see ``drift_here``.
        url: where it is served.
    """
    body = {"instances": [example_row(schema)]}
    shown = trust.model_dump(mode="json", by_alias=True, include={"manifest_digest"})
    return _TEMPLATE.render(
        schema={"model": schema.model, "target": schema.target, "classes": schema.classes},
        trust={"version": trust.version, "model_version": trust.model_version, **shown},
        drift=drift,
        features=[
            {
                "name": feature.name,
                "type": feature.type,
                "values": _values(feature),
                "null": "may be null" if feature.nullable else "",
            }
            for feature in schema.features
        ],
        example=json.dumps(body, indent=1, ensure_ascii=False),
        curl=curl_of(schema, url),
    )


def curl_of(schema: ServedSchema, url: str) -> str:
    """Return a command that asks for a prediction."""
    body = json.dumps({"instances": [example_row(schema)]}, ensure_ascii=False)
    quoted = body.replace("'", "'\\''")
    return f"curl -s {url}/predict -H 'Content-Type: application/json' -d '{quoted}'"


def _values(feature: ServedFeature) -> str:
    if feature.categories:
        shown = ", ".join(feature.categories[:12])
        more = len(feature.categories) - 12
        return f"{shown} and {more} more" if more > 0 else shown
    low, high = feature.minimum, feature.maximum
    if low is None and high is None:
        return "any"
    if high is None:
        return f"from {low:g}"
    return f"up to {high:g}" if low is None else f"{low:g} to {high:g}"
