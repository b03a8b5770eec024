"""Services that are stopped and started through the server: its collectors, alert and forecast service, whoever restarts."""

import signal
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

    def seen(self, ip):
        return self.vigie.get("hosts").json()[ip]["last_seen"]

    def test_collector_of_one_host_is_stopped_until_it_is_started(self):
        url = f"http://127.0.0.1:{self.vigie.port}{PREFIX}"
        stopped, other = (self.collector(url, ip).start() for ip in ("10.26.0.1", "10.26.0.2"))
        self.wait_for(("10.26.0.1", "run"), ("10.26.0.2", "run"), ("alert", "run"), ("forecast", "run"))
        wait_until(lambda: "10.26.0.1" in self.vigie.get("hosts").json(), 10, "it has samples")
        self.post("collector/stop?ip=10.26.0.1")
        # Both come over one address, as through a NAT.
        self.wait_for(("10.26.0.1", "stop"), ("10.26.0.2", "run"))
        self.assertEqual(stopped.log().count("stopped by the server"), 1)
        last = self.seen("10.26.0.1")

        # Who restarts finds it stopped: the server, and it.
        self.restart_server()
        self.wait_for(("10.26.0.1", "stop"), ("10.26.0.2", "run"), ("alert", "run"))
        said = self.restart(stopped)
        wait_until(lambda: "stopped by the server" in said(), 10, said)
        self.wait_for(("10.26.0.1", "stop"), ("10.26.0.2", "run"))
        host = self.vigie.get("hosts").json()["10.26.0.1"]
        self.assertEqual((host["state"], host["last_seen"]), ("stop", last))
        self.assertNotIn("stopped by the server", other.log())

        # It is there, and silent about its processes alone; who has ended is unknown.
        latest = wait_until(lambda: (lambda all: all if "10.26.0.2" in all else None)(self.vigie.get("latest").json()), 10,
                            "the other one has samples")
        self.assertEqual(latest["10.26.0.1"], {})
        self.assertEqual(list(latest), sorted(latest))
        self.assertEqual(self.vigie.get("latest?ip=10.26.0.1").json(), {"10.26.0.1": {}})

        self.post("collector/start?ip=10.26.0.1")
        self.wait_for(("10.26.0.1", "run"))
        wait_until(lambda: self.seen("10.26.0.1") > last, 10, "it has samples again")
        self.assertIn("started by the server", stopped.log())
        self.assertNotIn("UNKNOWN", (self.vigie.state / "alert.log").read_text())

    def test_all_are_stopped_and_the_newest_wish_counts(self):
        url = f"http://127.0.0.1:{self.vigie.port}{PREFIX}"
        for ip in ("10.26.1.1", "10.26.1.2"):
            self.collector(url, ip).start()
        self.wait_for(("10.26.1.1", "run"), ("10.26.1.2", "run"), ("alert", "run"), ("forecast", "run"))
        self.post("collector/stop")
        self.post("collector/start?ip=10-26-1-1")
        for service in ("alert", "forecast"):
            self.post(f"{service}/stop")
        everything = (("10.26.1.1", "run"), ("10.26.1.2", "stop"), ("alert", "stop"), ("forecast", "stop"))
        self.wait_for(*everything)
        health = self.vigie.get("health").json()
        self.assertEqual((health["status"], health["alert"]["status"], health["forecast"]["status"]), ("ok", "stopped", "stopped"))
        self.assertEqual(self.vigie.get("query-alarm").json()["color"], "unknown")
        self.restart_server()
        self.wait_for(*everything)
        self.assertEqual(self.vigie.get("services").json()["collector"]["wish"], "stop")

        for service in ("alert", "forecast", "collector"):
            self.post(f"{service}/start")
        self.wait_for(("10.26.1.1", "run"), ("10.26.1.2", "run"), ("alert", "run"), ("forecast", "run"))
        wait_until(lambda: self.vigie.get("query-alarm").json()["color"] != "unknown", 10, "it evaluates")
        for name in ("vigie-alert", "vigie-forecast"):
            self.assertIn("started by the server", self.vigie.logs()[name + ".log"])


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
                ("collector/stop?ip=10.26", "admin-1", 400, "ip"), ("collector/stop?ip=10.26.9.9", "admin-1", 404, "ip"),
                ("collector/stop?host=a", "admin-1", 400, "host"), ("alert/stop?ip=10.26.9.9", "admin-1", 400, "ip")):
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
        self.assertEqual(self.save_as("10.26.2.1", self.SERVICE), "run")
        self.assertIsNone(self.save_as("10.26.2.2", {}))
        self.vigie.put("save-all", {"ipaddress": "10.26.2.3", "data": [sample("bash", "mem", 1)]}, headers=bearer("writer-1"))
        self.assertEqual(states(self.vigie, "10.26.2.1", "10.26.2.2", "10.26.2.3"),
                         [("run", "run"), ("run", "unsupported"), ("run", "unsupported")])
        self.assertEqual(self.post("collector/stop?ip=10.26.2.1").status, 200)
        self.assertEqual(self.save_as("10.26.2.1", self.SERVICE), "stop")
        self.assertEqual(self.save_as("10.26.2.2", self.SERVICE), "run")
        # Whose address is not known is told that some are stopped; what is shared is the same for all.
        for service, state in (("collector", "stop"), ("alert", "run"), ("nobody", None)):
            for path in ("health", "latest"):
                answer = self.vigie.get(path, headers={"X-Vigie-Service": service})
                self.assertEqual(answer.headers["X-Vigie-State"], state, (service, path))
        self.assertEqual(self.post("collector/start").status, 200)
        self.assertEqual(self.save_as("10.26.2.1", self.SERVICE), "run")

    def test_silent_collector_is_unknown_and_one_address_can_be_asked_for(self):
        self.save_as("10.26.3.1", self.SERVICE, interval_s=1)
        wait_until(lambda: states(self.vigie, "10.26.3.1") == [("run", "unknown")], 10, "it is silent")
        only = self.vigie.get("services?ip=10.26.3.1").json()
        self.assertEqual(list(only["collector"]["hosts"]), ["10.26.3.1"])


class NoAdminTest(ServerTest):
    def test_without_an_admin_token_nobody_may(self):
        for headers in ({}, ADMIN):
            refused = self.assert_refused(self.vigie.request("POST", "services/alert/stop", headers=headers), 403)
            self.assertIn("admin_tokens", refused["error"])


if __name__ == "__main__":
    unittest.main()
