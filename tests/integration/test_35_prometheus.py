"""What Prometheus has of all processes: Debian's scrapes a server, and is asked, as by the dashboards for Grafana."""

import json
import re
import subprocess
import unittest

from engines import Prometheus
from test_09_security import bearer, write_tokens
from test_37_grafana import assert_promql_answers, fill
from vigie import Vigie, sample, wait_until

HOSTILE = ("plain", 'a"b', "a\\b", "a\\\\\"b", "a\\n", 'x"} 1', "# HELP x", "{}", "a,b=c", "ünï €", "%s", "a b", "=1", "'", "$(x)")
CPU = "vigie_process_cpu_percent"
MINE = CPU + '{ip=~"10.34.*|2001:db8::34"}'
SAID = '{__name__=~"vigie_process_forecast_probability|vigie_alarm",ip="10.34.0.1"}'


class PrometheusTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ninterval = 1s\ncache = 0\nread_tokens = read.tokens\n")
        write_tokens(cls.vigie, "read", ["reader-1"])
        # It takes seconds until it begins to scrape.
        cls.prometheus = cls.enterClassContext(Prometheus(cls.vigie, "reader-1"))
        cls.vigie.start()
        cls.addClassCleanup(cls.vigie.stop)

    def save(self, ip, hostname, names):
        samples = [sample(name, resource, number) for number, name in enumerate(names) for resource in ("mem", "cpu")]
        answer = self.vigie.save(ip, *samples, collector={"hostname": hostname, "interval_s": 1})
        self.assertEqual(answer.status, 200, answer)

    def find(self, expression, save=lambda: None):
        """{labels as a tuple: value} of what Prometheus has of it now, after samples of now are saved."""
        save()
        return {tuple(sorted(labels.items())): value for labels, value in self.prometheus.query(expression)}

    def series(self, name, ip, hostname, process, **more):
        return tuple(sorted({"__name__": name, "ip": ip, "hostname": hostname, "process": process, **more}.items()))

    def save_all(self, names):
        self.save("10.34.0.1", 'h"1\\', names)
        self.save("2001:db8::34", "h2", ["a\nb"])
        item = {"ipaddress": "10.34.0.1", "process_name": "a b"}
        alarms = [{**item, "type_data": "cpu", "color": "red"}, {**item, "type_data": "mem", "color": "orange"},
                  {**item, "process_name": "calm", "type_data": "mem", "color": "green"}]
        self.assertEqual(self.vigie.put("save-alarms", {"data": alarms}).status, 200)
        forecasts = [{**item, "type_data": "mem", "probability": 0.75, "forecast": 90}]
        self.assertEqual(self.vigie.put("save-forecasts", {"data": forecasts}).status, 200)

    def test_processes_come_with_their_names_and_go_with_them(self):
        first = ("10.34.0.1", 'h"1\\')

        def expected(names):
            return {self.series(CPU, "2001:db8::34", "h2", "a?b"): 0,
                    **{self.series(CPU, *first, name): number for number, name in enumerate(names)}}
        name, alarm = "vigie_process_forecast_probability", "vigie_alarm"
        said = {self.series(name, *first, "a b", resource="mem"): 0.75, self.series(alarm, *first, "a b", resource="cpu", color="red"): 1,
                self.series(alarm, *first, "a b", resource="mem", color="orange"): 1}
        # A scrape may have come before what was saved last.
        wait_until(lambda: self.find(MINE, lambda: self.save_all(HOSTILE)) == expected(HOSTILE) and self.find(SAID) == said, 30,
                   lambda: f"{expected(HOSTILE)} and {said}, and not {self.find(MINE)} and {self.find(SAID)}")
        self.assertEqual([value for _, value in self.prometheus.query('up{job="vigie"}')], [1])

        # What has ended is gone, and not for five minutes more there, while the others go on.
        def gone():
            self.save("2001:db8::34", "h2", ["a\nb"])
            return self.find('{__name__=~"vigie_.*",ip="10.34.0.1"}') == {} and self.find(MINE) == expected(())
        wait_until(gone, 60, lambda: f"a silent host is gone, and not {self.find(MINE)}")

    def test_every_query_of_the_dashboards_finds_something(self):
        def ask(address):
            fill(self.vigie)
            return json.loads(self.prometheus.request("GET", address)[1])["data"]
        assert_promql_answers(self, ask, "prometheus")

    def test_text_is_right_and_every_line_another_series(self):
        self.save("10.34.0.3", "h4", HOSTILE)
        self.vigie.put("save-alarms", {"data": [{"ipaddress": "10.34.0.3", "process_name": "*", "type_data": "cpu", "color": "unknown"}]})
        answer = self.vigie.get("metrics/processes?ip=10.34.0.3", headers=bearer("reader-1"))
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        check = subprocess.run(["promtool", "check", "metrics"], input=answer.body, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((check.returncode, check.stdout.decode()), (0, ""))
        lines = answer.body.decode().splitlines()
        series = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
        self.assertEqual(len(series), 2 * len(HOSTILE) + 1)
        self.assertEqual(len(set(series)), len(series))
        names = re.findall(r"^# TYPE (\S+) gauge$", answer.body.decode(), re.MULTILINE)
        self.assertEqual([line.split("{")[0] for line in series], sorted((line.split("{")[0] for line in series), key=names.index))


if __name__ == "__main__":
    unittest.main()
