"""What the server knows of the hosts: whose an address is, how often each reports, and which of its names are alive."""

import pathlib
import time
import unittest

from vigie import Vigie, sample, wait_until

OF_ONE_SECOND = """
[server]
interval = 1s
cache = 0
max_series_per_host = 40
[alert]
interval = 1s
phase = 500ms
"""


def report(hostname, **more):
    return {"hostname": hostname, "version": "0", "state": "run", **more}


class HostsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config=OF_ONE_SECOND).start()

    @classmethod
    def tearDownClass(cls):
        cls.vigie.stop()

    def put(self, ip, *samples, hostname="", **more):
        answer = self.vigie.put("save-all", {"ipaddress": ip, "data": list(samples), "collector": report(hostname, **more)})
        self.assertEqual(answer.status, 200, answer)

    def lines(self):
        return "\n".join(self.vigie.logs().values()).splitlines()

    def host(self, ip):
        return self.vigie.get("hosts").json()[ip]


class SharedAddressTest(HostsTest):
    def test_two_hosts_behind_one_address_are_flagged_and_said_once(self):
        for _ in range(3):
            for hostname in ("hosta", "hostb"):
                self.put("10.1.0.1", sample("bash", "cpu", 1), hostname=hostname)
        self.assertEqual(sorted(self.host("10.1.0.1")["shared_by"]), ["hosta", "hostb"])
        health = self.vigie.get("health")
        self.assertEqual(health.status, 200)
        self.assertIn("10.1.0.1", health.json()["shared_addresses"])
        said = [line for line in self.lines() if "10.1.0.1" in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn("[collector] ip", said[0])

    def test_three_hosts_in_turns_are_flagged(self):
        for hostname in ("a", "b", "c", "a"):
            self.put("10.1.0.3", sample("bash", "cpu", 1), hostname=hostname)
        self.assertEqual(sorted(self.host("10.1.0.3")["shared_by"]), ["a", "b", "c"])

    def test_host_that_is_renamed_is_one(self):
        for hostname in ("localhost", "localhost", "db1", "db1"):
            self.put("10.1.0.2", sample("bash", "cpu", 1), hostname=hostname)
        host = self.host("10.1.0.2")
        self.assertEqual((host["hostname"], host["shared_by"]), ("db1", None))


class AddressTest(HostsTest):
    def test_ipv4_address_in_ipv6_is_the_same_host(self):
        self.put("10.3.0.1", sample("a", "mem", 10))
        self.put("::ffff:10.3.0.1", sample("b", "mem", 20))
        self.put("::FFFF:0a03:0001", sample("c", "mem", 30))
        hosts = self.vigie.get("hosts").json()
        self.assertIn("10.3.0.1", hosts)
        self.assertEqual([ip for ip in hosts if "ffff" in ip.lower()], [])
        wanted = {"a": [10, None], "b": [20, None], "c": [30, None]}
        for name in ("10.3.0.1", "10-3-0-1", "::ffff:10.3.0.1", "--ffff-10.3.0.1", "--ffff-10-3-0-1", "::ffff:a03:1"):
            self.assertEqual(self.vigie.get(f"get-all/{name}").json(), wanted, name)
            self.assertEqual(self.vigie.get(f"get-all?ip={name}").json(), wanted, name)
            self.assertEqual(list(self.vigie.get(f"hosts?ip={name}").json()), ["10.3.0.1"], name)


class LimitTest(HostsTest):
    def names(self, ip):
        return self.vigie.get(f"get-all/{ip}?window=1h").json()

    def test_new_process_is_shown_though_hundreds_of_names_came_and_went(self):
        begun = time.time() - 60
        for tick in range(30):
            short = [sample(f"job-{tick}-{i}", "cpu", 1, begun + tick) for i in range(8)]
            long_lived = [sample("postgres", "cpu", 2, begun + tick)]
            if tick >= 25:
                long_lived.append(sample("java", "cpu", 3, begun + tick))
            self.put("10.4.0.1", *short, *long_lived)
        names = self.names("10.4.0.1")
        self.assertEqual(names["java"], [None, 3])
        self.assertEqual(names["postgres"], [None, 2])
        self.assertEqual({f"job-29-{i}" for i in range(8)} - set(names), set())
        self.assertLessEqual(len(names), 41)
        # What has taken a name's place has nothing of what that one had.
        self.assertTrue(all(values in ([None, 1], [None, 2], [None, 3]) for name, values in names.items() if name != "other"),
                        names)
        self.assertTrue(self.host("10.4.0.1")["at_series_limit"])
        said = [line for line in self.lines() if "max_series_per_host" in line]
        self.assertEqual(len(said), 1, said)

    def test_live_names_are_not_dropped_for_new_ones(self):
        begun = time.time() - 60
        for tick in range(5):
            self.put("10.4.0.2", *(sample(f"live-{i}", "cpu", 1, begun + tick) for i in range(40)),
                     *(sample(f"new-{i}", "cpu", 1, begun + tick) for i in range(5)))
        names = self.names("10.4.0.2")
        self.assertEqual(set(names), {f"live-{i}" for i in range(40)} | {"other"})
        self.assertEqual(names["other"], [None, 5])


class LimitOfAllTest(unittest.TestCase):
    def test_limit_of_all_hosts_is_not_taken_for_that_of_one(self):
        vigie = Vigie("--server", config="[server]\ncache = 0\nmax_series = 20\n").start()
        self.addCleanup(vigie.stop)
        self.assertEqual(vigie.save("10.5.0.1", *(sample(f"name-{i}", "cpu", 1) for i in range(30))).status, 200)
        self.assertEqual(len(vigie.get("get-all/10.5.0.1").json()), 21)
        self.assertFalse(vigie.get("hosts").json()["10.5.0.1"]["at_series_limit"])
        lines = "\n".join(vigie.logs().values()).splitlines()
        self.assertEqual([line for line in lines if "max_series_per_host" in line], [])
        self.assertEqual(len([line for line in lines if "server.max_series (20)" in line]), 1)


class RestartedTest(unittest.TestCase):
    """Over restarts of the server."""

    def test_slow_host_is_in_latest_for_three_of_its_intervals(self):
        vigie = Vigie("--server", config=OF_ONE_SECOND).start()
        self.addCleanup(vigie.stop)
        now = time.time()
        for ip, age, interval in (("10.6.0.1", 100, 60), ("10.6.0.2", 200, 60), ("10.6.0.3", 100, None), ("10.6.0.4", 2.5, 1)):
            told = {} if interval is None else {"interval_s": interval}
            vigie.put("save-all", {"ipaddress": ip, "data": [sample("bash", "cpu", 1, now - age)],
                                   "collector": report("h", **told)})
        expected = {"10.6.0.1", "10.6.0.4"}
        self.assertEqual(set(vigie.get("latest").json()), expected)
        self.assertEqual(set(vigie.get("latest?ip=10.6.0.1").json()), {"10.6.0.1"})
        self.assertEqual(vigie.get("latest?ip=10.6.0.3").json(), {})
        self.assertEqual(vigie.get("hosts").json()["10.6.0.1"]["interval_s"], 60)

        vigie.end()
        again = Vigie("--server", config=OF_ONE_SECOND, state=vigie.state).start()
        self.addCleanup(again.stop)
        # It has not reported since, and is not silent yet.
        self.assertEqual(set(again.get("latest").json()) - {"10.6.0.4"}, {"10.6.0.1"})

    def test_many_slow_hosts(self):
        vigie = Vigie("--server", config=OF_ONE_SECOND).start()
        self.addCleanup(vigie.stop)
        now = time.time()
        for i in range(20):
            vigie.put("save-all", {"ipaddress": f"10.7.0.{i}", "data": [sample("bash", "cpu", 1, now - 25)],
                                   "collector": report("h", interval_s=10)})
        vigie.put("save-all", {"ipaddress": "10.7.1.1", "data": [sample("bash", "cpu", 1, now - 25)], "collector": report("h")})
        self.assertEqual(set(vigie.get("latest").json()), {f"10.7.0.{i}" for i in range(20)})

    def test_names_that_took_a_place_keep_it_over_a_restart(self):
        vigie = Vigie("--server", config=OF_ONE_SECOND).start()
        self.addCleanup(vigie.stop)
        begun = time.time() - 60
        for tick in range(8):
            vigie.put("save-all", {"ipaddress": "10.8.0.1", "data": [sample(f"job-{tick}-{i}", "cpu", tick, begun + tick)
                                                                     for i in range(10)]})
        before = vigie.get("get-all/10.8.0.1?window=1h").json()
        self.assertEqual(before["job-7-0"], [None, 7])
        vigie.end()
        again = Vigie("--server", config=OF_ONE_SECOND, state=vigie.state).start()
        self.addCleanup(again.stop)
        self.assertEqual(again.get("get-all/10.8.0.1?window=1h").json(), before)


class SilenceTest(unittest.TestCase):
    def test_slow_host_is_not_unknown_each_interval(self):
        """vigie-alert looks each second at a host of six seconds: no UNKNOWN while it reports."""
        vigie = Vigie(config=OF_ONE_SECOND + "[collector]\ninterval = 1h\n").start()
        self.addCleanup(vigie.stop)
        log = pathlib.Path(vigie.state) / "alert.log"
        for _ in range(2):
            vigie.put("save-all", {"ipaddress": "10.9.0.1", "data": [sample("bash", "cpu", 1)],
                                   "collector": report("slow", interval_s=6)})
            time.sleep(6)
        self.assertNotIn("10.9.0.1", log.read_text() if log.exists() else "")
        # Then it is silent for three of its intervals.
        wait_until(lambda: log.exists() and "UNKNOWN ip=10.9.0.1" in log.read_text(), 30, "UNKNOWN")


if __name__ == "__main__":
    unittest.main()
