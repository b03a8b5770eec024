"""Silences, and processes that must run: the server, vigie-alert, its hook and its Alertmanager, whoever is restarted."""

import signal
import subprocess
import threading
import time
import unittest

from alertmanager import Alertmanager, Receiver
from test_09_security import bearer, write_tokens
from vigie import BUILD, PREFIX, ServerTest, Vigie, sample, wait_until

ADMIN = bearer("admin-1")
OPTIONS = ("interval=1s", "phase=300ms", "threshold=80", "clear=70", "clear_after=1", "hook=./hook",
           "rule=process=nginx ip=10.32.0.* must_run=yes raise_after=2 threshold=1000")
HOOK = "#!/bin/sh\necho \"$*\" >> hook.output\n"


class Ticks(threading.Thread):
    """Sends what `hosts` has, {address: ({process: value}, partial)}, each second."""

    def __init__(self, vigie, **hosts):
        super().__init__(daemon=True)
        self.vigie, self.hosts, self.ended = vigie, hosts, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(1 - time.time() % 1):
            now = time.time() // 1
            for name, (processes, partial) in list(self.hosts.items()):
                self.vigie.save("10.32.0." + name[1:], *(sample(process, "mem", value, now) for process, value in processes.items()),
                                collector={"hostname": name, "interval_s": 1, "partial": partial})

    def stop(self):
        self.ended.set()
        self.join()


class AlertTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ncache = 0\ninterval = 1s\nadmin_tokens = admin.tokens\n")
        write_tokens(cls.vigie, "admin", ["admin-1"])
        cls.vigie.start()
        cls.addClassCleanup(cls.vigie.stop)
        receiver = Receiver()
        cls.addClassCleanup(receiver.close)
        cls.manager = Alertmanager(receiver)
        cls.addClassCleanup(cls.manager.remove)
        cls.manager.start()

    def setUp(self):
        self.folder = self.vigie.folder / self.id().rpartition(".")[2]
        self.folder.mkdir()
        (self.folder / "hook").write_text(HOOK)
        (self.folder / "hook").chmod(0o755)
        self.log, self.told = self.folder / "alert.log", self.folder / "hook.output"
        wait_until(lambda: self.vigie.get("silences").status == 200, 5, "the store has told")

    def start_alert(self):
        options = (f"url=http://127.0.0.1:{self.vigie.port}{PREFIX}", "log=alert.log", "state=alert.state",
                   f"alertmanager={self.manager.url}", *OPTIONS)
        with open(self.folder / "stderr", "ab") as stderr:
            self.alert = subprocess.Popen([BUILD / "vigie-alert", *(word for option in options for word in ("--set", "alert." + option))],
                                          cwd=self.folder, stderr=stderr)
        self.addCleanup(self.alert.wait)
        self.addCleanup(self.alert.kill)

    def kill_alert(self):
        self.alert.send_signal(signal.SIGKILL)
        self.alert.wait()

    def ticks(self, **hosts):
        ticks = Ticks(self.vigie, **hosts)
        self.addCleanup(ticks.stop)
        return ticks.hosts

    @staticmethod
    def lines(path, process):
        """Of a process, without their times, as {word: fields} each."""
        text = path.read_text() if path.exists() else ""
        return [line.split() for line in text.replace('"', "").splitlines() if f"process={process} " in line]

    def wait_for_lines(self, path, process, *words):
        def found():
            return [next(word for word in line if word.isalpha() and word.isupper()) for line in self.lines(path, process)]
        wait_until(lambda: found() == list(words), 20, lambda: f"{words}, not {found()}; {(self.folder / 'stderr').read_text()}")

    def silence(self, seconds, **members):
        until = time.time() + seconds
        answer = self.vigie.put("silences", {"until": until, "by": "Anna", "comment": "a deploy", **members}, headers=ADMIN)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["id"], until

    def alarms(self, process):
        return [alarm for alarm in self.vigie.get("query-alarm").json()["alarms"] if alarm["process"] == process]

    def alerts(self, process):
        """The labels of those that stand in Alertmanager."""
        return [alert["labels"] for alert in self.manager.get("alerts") if alert["labels"].get("process") == process]

    def test_silenced_alarm_is_told_when_the_silence_ends(self):
        ended, _ = self.silence(3600, process="java*", ip="10.32.0.*")
        self.silence(3600, process="other", ip="10.32.1.*")
        hosts = self.ticks(h1=({"java": 90, "bash": 1, "nginx": 1}, False))
        self.start_alert()
        self.wait_for_lines(self.log, "java", "RED")
        self.assertTrue(self.lines(self.log, "java")[0][-1].startswith("silenced="))
        [alarm] = wait_until(lambda: self.alarms("java"), 5, "it is in query-alarm")
        self.assertEqual((alarm["color"], alarm["silenced_until"] > time.time() + 3000), ("red", True))

        # Whoever is restarted or killed, it is silenced, and said once.
        self.kill_alert()
        os_pid = self.vigie.pid_of("vigie-fcgi")
        subprocess.run(["kill", "-KILL", str(os_pid)], check=True)
        wait_until(lambda: self.vigie.pid_of("vigie-fcgi") not in (None, os_pid), 20, "the server is back")
        wait_until(lambda: self.vigie.get("silences").status == 200, 20, "the store has told")
        self.assertEqual(len(self.vigie.get("silences").json()), 2)
        self.start_alert()
        wait_until(lambda: self.alarms("java"), 20, "it is in query-alarm")
        hosts["h1"][0]["bash"] = 90  # is told: so is all before it
        self.wait_for_lines(self.told, "bash", "RED")
        self.wait_for_lines(self.log, "java", "RED")
        wait_until(lambda: self.alerts("bash"), 10, "Alertmanager is told of it")
        self.assertEqual((self.lines(self.told, "java"), self.alerts("java")), ([], []))

        # One ends it, and it goes on by another that ends by itself.
        _, until = self.silence(2, resource="m?m", process="java")
        self.assertEqual(self.vigie.request("DELETE", "silences/" + ended, headers=ADMIN).status, 200)
        self.assertEqual(self.vigie.request("DELETE", "silences/" + ended, headers=ADMIN).status, 404)
        self.wait_for_lines(self.told, "java", "RED")
        self.assertGreater(time.time(), until)
        self.wait_for_lines(self.log, "java", "RED", "RED")
        self.assertNotIn("silenced", self.log.read_text().splitlines()[-1])
        wait_until(lambda: self.alerts("java"), 10, "Alertmanager is told of it")
        self.assertNotIn("silenced_until", self.alarms("java")[0])
        self.assertIn(f"the silence {ended} of process ", (self.folder / "stderr").read_text())

    def test_what_must_run_is_missing_until_it_is_back(self):
        hosts = self.ticks(h2=({"bash": 1, "nginx": 1}, False), h3=({"bash": 1}, True))
        self.start_alert()
        wait_until(lambda: self.vigie.get("latest?ip=10.32.0.2&process=nginx").json(), 10, "it runs")
        del hosts["h2"][0]["nginx"]
        self.wait_for_lines(self.told, "nginx", "MISSING")
        self.assertIn("ip=10.32.0.2", self.lines(self.log, "nginx")[0])
        found = wait_until(lambda: self.alarms("nginx"), 5, "it is in query-alarm")
        self.assertEqual([(alarm["ip"], alarm["color"], alarm["missing"]) for alarm in found], [("10.32.0.2", "red", True)] * 2)
        wait_until(lambda: self.alerts("nginx"), 10, "Alertmanager is told of it")
        self.assertEqual(self.alerts("nginx"), [{"alertname": "vigie", "colour": "red", "host": "10.32.0.2", "hostname": "h2", "process": "nginx"}])
        self.kill_alert()
        self.start_alert()
        hosts["h2"][0]["bash"] = 90
        self.wait_for_lines(self.told, "bash", "RED")
        self.wait_for_lines(self.log, "nginx", "MISSING")
        hosts["h2"][0]["nginx"] = 1
        self.wait_for_lines(self.told, "nginx", "MISSING", "CLEAR")
        wait_until(lambda: not self.alarms("nginx"), 5, "query-alarm has it no more")
        wait_until(lambda: not self.alerts("nginx"), 10, "Alertmanager has it no more")
        # Who is silent is UNKNOWN, and lacks nothing; who saw only a part did not know.
        self.assertNotIn("ip=10.32.0.3", self.log.read_text())
        del hosts["h2"]
        hosts["h3"] = ({"bash": 1}, False)
        wait_until(lambda: "MISSING ip=10.32.0.3 " in self.log.read_text(), 20, "it sees all now")
        wait_until(lambda: "UNKNOWN ip=10.32.0.2 " in self.log.read_text(), 20, "it is silent")
        self.assertEqual(self.log.read_text().count("MISSING ip=10.32.0.2 "), 1)


if __name__ == "__main__":
    unittest.main()
