"""Services that are stopped and started through the server: its collectors, alert and forecast service, whoever restarts."""

import signal
import time
import unittest

from test_08_collector import Collector, CollectorTest
from test_09_security import bearer, write_tokens
from vigie import PREFIX, ServerTest, Vigie, sample, wait_until

CONFIG = """
[server]
interval = 1s
cache = 0
admin_tokens = admin.tokens
[collector]
interval = 1s
include = vigie-collector
[alert]
interval = 1s
phase = 300ms
rule = threshold=1000000
[forecast]
refresh = 1s
phase = 600ms
step = 3s
"""
ADMIN = bearer("admin-1")
FIRST, SECOND = "10.31.0.1", "10.31.0.2"


def states(vigie, *names):
    """Of each: the wish and the state, of a host's collector by its address."""
    answer = vigie.get("services")
    if answer.status != 200:
        return None  # the store has not told yet
    services = answer.json()
    found = [services["collector"]["hosts"].get(name, {}) if name[0].isdigit() else services[name] for name in names]
    return [(each.get("wish"), each.get("state")) for each in found]


class ServicesTest(CollectorTest):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie(config=CONFIG)
        write_tokens(cls.vigie, "admin", ["admin-1"])
        cls.vigie.start()
        cls.addClassCleanup(cls.vigie.stop)

    def post(self, path):
        answer = self.vigie.request("POST", "services/" + path, headers=ADMIN)
        self.assertEqual((answer.status, answer.json()), (200, {"Response": "Ok"}))

    def wait_for(self, *pairs):
        """Until a service each, or a host, is wished to be, and is, in a state."""
        names = [name for name, _ in pairs]
        wait_until(lambda: states(self.vigie, *names) == [(state, state) for _, state in pairs], 15,
                   lambda: f"{pairs}, and not {states(self.vigie, *names)}: {self.vigie.logs()}")

    def restart_server(self):
        begun = self.vigie.printed().count("Ctrl-C")
        self.assertEqual(self.vigie.end(), 0)
        self.vigie.output.close()
        self.vigie.spawn()
        wait_until(lambda: self.vigie.printed().count("Ctrl-C") > begun, 20, self.vigie.printed)

    def restart(self, collector):
        """Ends a collector and starts it; what it has logged since."""
        begun = len(collector.log())
        collector.signal(signal.SIGTERM)
        collector.process.wait(10)
        collector.start()
        return lambda: collector.log()[begun:]

    def test_services_are_stopped_until_they_are_started(self):
        url = f"http://127.0.0.1:{self.vigie.port}{PREFIX}"
        stopped, other = (self.collector(url, ip).start() for ip in (FIRST, SECOND))
        self.wait_for((FIRST, "run"), (SECOND, "run"), ("alert", "run"), ("forecast", "run"))
        wait_until(lambda: FIRST in self.vigie.get("hosts").json(), 10, "it has samples")
        self.post(f"collector/stop?ip={FIRST}")
        # Both come over one address, as through a NAT.
        self.wait_for((FIRST, "stop"), (SECOND, "run"))
        self.assertEqual(stopped.log().count("stopped by the server"), 1)
        host = self.vigie.get("hosts").json()[FIRST]
        self.assertEqual(host["state"], "stop")

        # It is there, and says nothing of its processes: a host that is silent would be UNKNOWN by now.
        wait_until(lambda: self.vigie.get("latest?ip=" + FIRST).json() == {FIRST: {}}, 10, "it has no samples")
        latest = self.vigie.get("latest").json()
        self.assertEqual((latest[FIRST], list(latest)), ({}, sorted(latest)))
        time.sleep(3)
        self.assertNotIn("UNKNOWN", (self.vigie.state / "alert.log").read_text())

        # The newest wish counts, whoever restarts.
        self.post("collector/stop")
        self.post(f"collector/start?ip={SECOND.replace('.', '-')}")
        for service in ("alert", "forecast"):
            self.post(f"{service}/stop")
        everything = ((FIRST, "stop"), (SECOND, "run"), ("alert", "stop"), ("forecast", "stop"))
        self.wait_for(*everything)
        health = self.vigie.get("health").json()
        self.assertEqual((health["status"], health["alert"]["status"], health["forecast"]["status"]), ("ok", "stopped", "stopped"))
        self.assertEqual(self.vigie.get("query-alarm").json()["color"], "unknown")
        self.restart_server()
        said = self.restart(stopped)
        wait_until(lambda: "stopped by the server" in said(), 10, said)
        self.wait_for(*everything)
        self.assertEqual(self.vigie.get("services").json()["collector"]["wish"], "stop")
        self.assertEqual(self.vigie.get("hosts").json()[FIRST]["last_seen"], host["last_seen"])

        for service in ("alert", "forecast", "collector"):
            self.post(f"{service}/start")
        self.wait_for((FIRST, "run"), (SECOND, "run"), ("alert", "run"), ("forecast", "run"))
        wait_until(lambda: self.vigie.get("hosts").json()[FIRST]["last_seen"] > host["last_seen"], 10, "it has samples again")
        wait_until(lambda: self.vigie.get("query-alarm").json()["color"] != "unknown", 10, "it evaluates")
        for log in (stopped.log(), self.vigie.logs()["vigie-alert.log"], self.vigie.logs()["vigie-forecast.log"]):
            self.assertIn("started by the server", log)


class RefusalTest(ServerTest):
    config = "interval = 1s\nadmin_tokens = admin.tokens\nwrite_tokens = write.tokens\n"
    SERVICE = {"X-Vigie-Service": "collector", "X-Vigie-State": "run"}

    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ncache = 0\n" + cls.config)
        write_tokens(cls.vigie, "admin", ["admin-1"])
        write_tokens(cls.vigie, "write", ["writer-1"])
        cls.vigie.start()
        cls.addClassCleanup(cls.vigie.stop)

    def save_as(self, ip, headers, **report):
        answer = self.vigie.put("save-all", {"ipaddress": ip, "data": [sample("bash", "mem", 1)], "collector": report},
                                headers={**bearer("writer-1"), **headers})
        self.assertEqual(answer.status, 200, answer)
        return answer.headers["X-Vigie-State"]

    def post(self, path, token="admin-1"):
        return self.vigie.request("POST", "services/" + path, headers=bearer(token))

    def test_what_is_not_right_is_refused(self):
        wait_until(lambda: self.vigie.get("services").status == 200, 5, "the store has told")
        for path, token, status, field in (
                ("nobody/stop", "admin-1", 404, None), ("collector/halt", "admin-1", 404, None), ("collector", "admin-1", 404, None),
                ("collector/stop/now", "admin-1", 404, None), ("collector/stop", None, 401, None),
                ("collector/stop", "nobody", 401, None), ("collector/stop", "writer-1", 403, None),
                ("collector/stop?ip=10.31", "admin-1", 400, "ip"), ("collector/stop?ip=10.31.9.9", "admin-1", 404, "ip"),
                ("collector/stop?host=a", "admin-1", 400, "host"), ("alert/stop?ip=10.31.9.9", "admin-1", 400, "ip")):
            with self.subTest(path=path, token=token):
                self.assert_refused(self.post(path, token), status, field)
        for method, allow in (("GET", "POST"), ("PUT", "POST")):
            answer = self.vigie.request(method, "services/alert/stop", headers=ADMIN)
            self.assert_refused(answer, 405)
            self.assertEqual(answer.headers["Allow"], allow)
        services = self.vigie.get("services").json()
        self.assertEqual([services[name]["wish"] for name in services], ["run"] * 3, services)

    def test_who_asks_is_told(self):
        wait_until(lambda: self.vigie.get("services").status == 200, 5, "the store has told")
        self.assertEqual(self.save_as("10.31.2.1", self.SERVICE), "run")
        self.assertIsNone(self.save_as("10.31.2.2", {}))
        self.vigie.put("save-all", {"ipaddress": "10.31.2.3", "data": [sample("bash", "mem", 1)]}, headers=bearer("writer-1"))
        self.assertEqual(states(self.vigie, "10.31.2.1", "10.31.2.2", "10.31.2.3"),
                         [("run", "run"), ("run", "unsupported"), ("run", "unsupported")])
        self.assertEqual(self.post("collector/stop?ip=10.31.2.1").status, 200)
        self.assertEqual(self.save_as("10.31.2.1", self.SERVICE), "stop")
        self.assertEqual(self.save_as("10.31.2.2", self.SERVICE), "run")
        # Whose address is not known is told that some are stopped; what is shared is the same for all.
        for service, state in (("collector", "stop"), ("alert", "run"), ("nobody", None)):
            for path in ("health", "latest"):
                answer = self.vigie.get(path, headers={"X-Vigie-Service": service})
                self.assertEqual(answer.headers["X-Vigie-State"], state, (service, path))
        self.assertEqual(self.post("collector/start").status, 200)
        self.assertEqual(self.save_as("10.31.2.1", self.SERVICE), "run")


if __name__ == "__main__":
    unittest.main()
