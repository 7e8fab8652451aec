"""Print the Grafana dashboard, made from the table in `dashboard_panels.py`.

    python scripts/dashboard.py > helm/files/dashboard.json

The data source, the fleet (cluster, namespace and job) and the account are variables.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import dashboard_tls
from dashboard_panels import FLEET, OURS, ROWS, Panel

COLUMNS: Final = 24
"""The width of Grafana's grid."""

Json = dict[str, Any]

_SOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> Json:
    """The dashboard as Grafana imports it."""
    return {
        "uid": "zoom-gateway",
        "title": "zoom-gateway",
        "description": "Calls, tokens and replicas of zoom-gateway. See docs/runbook.md.",
        "tags": ["zoom-gateway"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "browser",
        "time": {"from": "now-3h", "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "links": [
            {
                "title": "Runbook",
                "type": "link",
                "icon": "doc",
                "url": "https://github.com/zoom-gateway/zoom-gateway/blob/main/docs/runbook.md",
                "targetBlank": True,
            }
        ],
        "annotations": {"list": [_starts()]},
        "templating": {"list": list(_variables())},
        "panels": list(_panels()),
    }


def _starts() -> Json:
    return {
        "name": "Starts",
        "enable": True,
        "datasource": _SOURCE,
        "expr": f"changes(process_start_time_seconds{{{FLEET}}}[2m]) > 0 {OURS}",
        "iconColor": "purple",
        "titleFormat": "{{instance}} started",
    }


def _variables() -> Iterator[Json]:
    yield {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
    }
    narrower = ""
    for name in ("cluster", "namespace", "job", "account"):
        metric = "zoom_gateway_token_usable" if name == "account" else "zoom_gateway_build_info"
        query = f"label_values({metric}{{{narrower}}}, {name})"
        narrower = ", ".join(filter(None, (narrower, f'{name}=~"${name}"')))
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": query, "refId": name},
            "definition": query,
            "includeAll": True,
            # Without a cluster or a namespace an empty one has to match, too.
            "allValue": ".*",
            "multi": True,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
            "refresh": 2,
            "sort": 1,
            "hide": 0,
        }


def _panels() -> Iterator[Json]:
    """Left to right, row by row; each takes the next free place."""
    top = number = 0
    for title, panels in (*ROWS, *dashboard_tls.ROWS):
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        }
        top += 1
        left = tallest = 0
        for panel in panels:
            if left + panel.width > COLUMNS:
                left, top, tallest = 0, top + tallest, 0
            number += 1
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield {"id": number, **_panel(panel), "gridPos": place}
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _panel(panel: Panel) -> Json:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": "ABCDEFG"[place],
                "datasource": _SOURCE,
                "expr": expr,
                "legendFormat": legend,
                "range": panel.kind != "stat",
                "instant": panel.kind == "stat",
                "editorMode": "code",
            }
            for place, (expr, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


def _defaults(panel: Panel) -> Json:
    custom: Mapping[str, Json] = {
        "stat": {},
        "state-timeline": {"fillOpacity": 80, "lineWidth": 0},
        "timeseries": {
            "drawStyle": "line",
            "fillOpacity": 25 if panel.stacked else 0,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        },
    }
    by_step = panel.kind == "stat"
    return {
        "unit": panel.unit,
        "color": {"mode": "thresholds" if by_step or panel.words else "palette-classic"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in panel.steps],
        },
        "mappings": [
            {
                "type": "value",
                "options": {str(value): {"text": text, "color": colour, "index": value}},
            }
            for value, (text, colour) in panel.words.items()
        ],
        "custom": custom[panel.kind],
    }


_OPTIONS: Final[Mapping[str, Json]] = {
    "stat": {
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "value",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "state-timeline": {
        "mergeValues": True,
        "showValue": "auto",
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
    },
}


def text() -> str:
    """`helm/files/dashboard.json`."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
