"""The dashboards for Grafana: that they are whole, and that each of their queries finds what there is in the real engines.
(Prometheus': test_35_prometheus.py.)

InfluxDB 3 has the InfluxQL of Debian's InfluxDB 1, and is asked itself where VIGIE_TEST_INFLUXDB3_URL names one, with
VIGIE_TEST_INFLUXDB3_TOKEN; InfluxDB 2 where VIGIE_TEST_INFLUXDB2_URL does, with VIGIE_TEST_INFLUXDB2_TOKEN and
VIGIE_TEST_INFLUXDB2_ORG (myorg)."""

import json
import os
import re
import time
import unittest
import urllib.parse
import urllib.request

import grafana
from engines import Influxd, VictoriaMetrics
from vigie import ROOT, Vigie, sample, wait_until

ENGINES = {"prometheus": "prometheus", "victoriametrics": "prometheus", "influxdb2": "influxdb", "influxdb3": "influxdb"}
HOSTS, PROCESSES = ["10.36.0.1", "2001:db8::36"], ["a.b/c", "x\"y'z"]


AGES_S = (0, 20, 40)  # VictoriaMetrics leaves the last half minute out of what goes over a time


def fill(vigie):
    """Samples, alarms and forecasts until now, of each kind that a panel shows."""
    items = [{"ipaddress": host, "process_name": process, "type_data": resource}
             for host in HOSTS for process in PROCESSES for resource in ("cpu", "mem")]
    colors = ("red", "orange", "unknown", "orange", "red", "red", "orange", "unknown")
    now = time.time()
    for at in (now - age for age in AGES_S):
        answers = [vigie.save(host, *(sample(process, resource, 12.5, at) for process in PROCESSES for resource in ("cpu", "mem")),
                              collector={"hostname": "mast"}) for host in HOSTS]
        answers.append(vigie.put("save-alarms", {"data": [{**item, "timestamp": at, "color": color} for item, color in zip(items, colors)]}))
        answers.append(vigie.put("save-forecasts", {"data": [{**item, "timestamp": at, "probability": 0.75, "forecast": 90}
                                                             for item in items]}))
        assert all(answer.status == 200 for answer in answers), answers


CHOICES = ({"host": None, "process": PROCESSES}, {"host": HOSTS, "process": ["a.b/c"]})


def assert_promql_answers(test, ask, name):
    """Each query of an engine's dashboards, of one moment or of the last minute, finds something, and so do the variables.
    `ask` gives what its API says at an address, under `data`."""
    for variables in CHOICES:
        for what, query, instant in grafana.promql(name, variables):
            with test.subTest(what):
                form = {"query": query, "nocache": 1}  # VictoriaMetrics remembers what was not there
                if not instant:
                    form.update(start=time.time() - 60, end=time.time(), step=grafana.STEP_S)
                address = f"/api/v1/{'query' if instant else 'query_range'}?" + urllib.parse.urlencode(form)
                wait_until(lambda: ask(address)["result"], 20, what)
    for variable in grafana.dashboards(name)[f"{name}-process"]["templating"]["list"][1:]:
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
        form = urllib.parse.urlencode({"match[]": grafana.filled(series, {"host": HOSTS}, {})})
        test.assertEqual(ask(f"/api/v1/label/{label}/values?{form}"), {"host": HOSTS, "process": PROCESSES}[variable["name"]])


class DashboardTest(unittest.TestCase):
    def test_dashboards_are_whole(self):
        self.assertEqual({path.name for path in grafana.FOLDER.glob("*.json")},
                         {f"{engine}-{board}.json" for engine in ENGINES for board in ("fleet", "process")})
        for engine, kind in ENGINES.items():
            titles = []
            for name, dashboard in grafana.dashboards(engine).items():
                with self.subTest(name):
                    self.assertEqual(dashboard["uid"], f"vigie-{name.partition('-')[2]}-{engine}")
                    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
                    self.assertEqual(variables["datasource"]["query"], kind)
                    panels = dashboard["panels"]
                    self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
                    for thing in [*panels, *(variables[one] for one in variables if one != "datasource")]:
                        self.assertEqual(thing["datasource"], {"type": kind, "uid": "${datasource}"})
                    cells = [(x, y) for place in (panel["gridPos"] for panel in panels)
                             for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
                    self.assertEqual(len(set(cells)), len(cells))
                    self.assertLess(max(x for x, _ in cells), 24)
                    titles.append([(panel["type"], panel["title"]) for panel in panels])
                    used = set(re.findall(r"\$\{?(host|process)\b", json.dumps(panels)))
                    self.assertEqual(used, set(variables) - {"datasource"})
                    for panel in panels:
                        references = [target["refId"] for target in panel["targets"]]
                        self.assertEqual(references, sorted(set(references)))
            self.assertEqual(titles, [[(panel["type"], panel["title"]) for panel in dashboard["panels"]]
                                      for dashboard in grafana.dashboards("prometheus").values()])

    def test_queries_name_measurements_that_there_are(self):
        known = {f"{resource}_{name}" for name in re.findall(r'OF_BOTH\("(\w+)"\)', (ROOT / "fcgi" / "sample.c").read_text())
                 for resource in ("mem", "cpu")}
        known |= set(re.findall(r'row\(\w+, "\w+", "(\w+)"', (ROOT / "common" / "resource.h").read_text()))
        for engine in ("victoriametrics", "influxdb2", "influxdb3"):
            text = json.dumps(grafana.dashboards(engine)).replace("(cpu|mem)_", "cpu_")
            named = {name.removesuffix("_value") for name in re.findall(r"\b(?:cpu|mem)_[a-z]\w*", text)}
            self.assertEqual(named - known, set())
            self.assertEqual({re.sub("^..._", "", name) for name in named}, {"usage_percent", "forecast_probability", "alarm"})


class PromqlTest(unittest.TestCase):
    def test_victoriametrics_answers_every_query(self):
        with VictoriaMetrics() as engine, Vigie("--server", config=f"[server]\nstore = victoriametrics\n{engine.config()}") as vigie:
            wait_until(lambda: vigie.get("health").status == 200, 20, "the store is there")
            fill(vigie)
            engine.settle()
            assert_promql_answers(self, lambda address: json.loads(engine.request("GET", address)[1])["data"], "victoriametrics")


def influxql_of_all():
    now = f"{time.time_ns() // 1000000}ms"
    macros = {"$__interval": f"{grafana.STEP_S}s", "$timeFilter": f"time >= {now} - 5m and time <= {now} + 1m"}
    for variables in CHOICES:
        for name, title, query, _ in grafana.targets("influxdb3", "query", variables, macros):
            yield f"{name}: {title}: {query}", query


class InfluxqlTest(unittest.TestCase):
    def assert_answers(self, query):
        for what, statement in influxql_of_all():
            with self.subTest(what):
                self.assertTrue(query(statement), what)
        dashboard = grafana.dashboards("influxdb3")["influxdb3-process"]
        for variable, values in (("host", HOSTS), ("process", PROCESSES)):
            statement = next(one for one in dashboard["templating"]["list"] if one["name"] == variable)["query"]
            rows = query(grafana.filled(statement, {"host": None}, {}))
            self.assertEqual(sorted(row[-1] for row in rows), values)

    def test_influxdb1_answers_every_query(self):
        with Influxd() as engine, Vigie("--server", config=f"[server]\nstore = influxql\n{engine.config()}") as vigie:
            wait_until(lambda: vigie.get("health").status == 200, 20, "the store is there")
            fill(vigie)
            self.assert_answers(lambda statement: engine.query(statement, "monitoring"))

    @unittest.skipUnless(os.environ.get("VIGIE_TEST_INFLUXDB3_URL"), "no InfluxDB 3 is named")
    def test_influxdb3_answers_every_query(self):
        url, token = os.environ["VIGIE_TEST_INFLUXDB3_URL"], os.environ.get("VIGIE_TEST_INFLUXDB3_TOKEN", "")
        config = f"[server]\nstore = influxdb3\n[influxdb3]\nurl = {url}\ndatabase = vigie-grafana\n"
        with Vigie("--server") as written:
            secret = written.folder / "token"
            secret.touch(0o600)
            secret.write_text(token)
            with Vigie("--server", config=config + (f"token_file = {secret}\n" if token else "")) as vigie:
                wait_until(lambda: vigie.get("health").status == 200, 20, "the store is there")
                fill(vigie)
        headers = {"Authorization": f"Bearer {token}"} if token else {}

        def query(statement):
            form = urllib.parse.urlencode({"db": "vigie-grafana", "q": statement})
            with urllib.request.urlopen(urllib.request.Request(f"{url}/query?{form}", headers=headers), timeout=20) as answer:
                results = json.load(answer)["results"]
            return [row for result in results for series in result.get("series", []) for row in series["values"]]
        self.assert_answers(query)


def flux_of_all():
    """Each query in Flux, of the variables, too."""
    macros = {"v.timeRangeStart": "-5m", "v.timeRangeStop": "1m", "v.windowPeriod": f"{grafana.STEP_S}s",
              "v.defaultBucket": '"vigie-grafana"'}
    for variables in CHOICES:
        for name, title, query, _ in grafana.targets("influxdb2", "query", variables, macros):
            yield f"{name}: {title}", query
    for variable in grafana.dashboards("influxdb2")["influxdb2-process"]["templating"]["list"][1:]:
        yield variable["name"], grafana.filled(variable["query"], {"host": None}, macros)


class FluxTest(unittest.TestCase):
    # What of Flux is used: each is in its library since InfluxDB 2.0.
    FUNCTIONS = {"from", "range", "filter", "last", "group", "count", "rename", "keep", "top", "aggregateWindow", "sum", "sort",
                 "schema.measurementTagValues", "schema.tagValues"}

    def test_queries_are_of_known_parts(self):
        for what, query in flux_of_all():
            with self.subTest(f"{what}: {query}"):
                plain = re.sub(r'"(\\.|[^"\\])*"|/(\\.|[^/\\])*/', "0", query.replace('import "influxdata/influxdb/schema" ', ""))
                for opened, closed in ("()", "[]", "{}"):
                    self.assertEqual(plain.count(opened), plain.count(closed))
                self.assertEqual(set(re.findall(r"([\w.]+)\(", plain.replace("fn: (r) =>", "").replace("predicate: (r) =>", "")))
                                 - self.FUNCTIONS, set())
                self.assertEqual(plain.count("=="), len(re.findall(r"r\._(?:measurement|value) == (?:0|\d\.0)", plain)))
                self.assertNotRegex(plain, r"[$;]")

    @unittest.skipUnless(os.environ.get("VIGIE_TEST_INFLUXDB2_URL") and os.environ.get("VIGIE_TEST_INFLUXDB2_TOKEN"),
                         "no InfluxDB 2 is named")
    def test_influxdb2_answers_every_query(self):
        url, token = os.environ["VIGIE_TEST_INFLUXDB2_URL"], os.environ["VIGIE_TEST_INFLUXDB2_TOKEN"]
        org = os.environ.get("VIGIE_TEST_INFLUXDB2_ORG", "myorg")
        with Vigie("--server") as written:
            secret = written.folder / "token"
            secret.touch(0o600)
            secret.write_text(token)
            with Vigie("--server", config=f"[server]\nstore = influxdb2\n[influxdb2]\nurl = {url}\norg = {org}\n"
                       f"bucket = vigie-grafana\ntoken_file = {secret}\n") as vigie:
                wait_until(lambda: vigie.get("health").status == 200, 20, "the store is there")
                fill(vigie)
        for what, query in flux_of_all():
            with self.subTest(f"{what}: {query}"):
                request = urllib.request.Request(f"{url}/api/v2/query?org={org}", query.encode(), {
                    "Authorization": f"Token {token}", "Content-Type": "application/vnd.flux", "Accept": "application/csv"})
                with urllib.request.urlopen(request, timeout=20) as answer:
                    self.assertGreater(len(answer.read().decode().strip().splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
