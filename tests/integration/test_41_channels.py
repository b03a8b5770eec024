"""Alarms that reach people: Alertmanager, and the hooks that are ready, each with its real counterpart."""

import contextlib
import datetime
import email
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from alertmanager import PROGRAM, SOON, Alertmanager, Receiver
from vigie import BUILD, PREFIX, ROOT, Vigie, free_port, sample, wait_until

NAMES = {"10.6.0.1": "db1", "10.6.0.2": "web \"2\""}


def seconds(time_text):
    """Of a time in RFC 3339, whatever its decimals."""
    whole, _, fraction = time_text.removesuffix("Z").partition(".")
    return datetime.datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")


class Feeder:
    """{host: {process: (percent of the memory, probability or None)}}, saved again and again."""

    def __init__(self, vigie):
        self.vigie, self.hosts, self.stopped = vigie, {}, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped.wait(0.25):
            for ip, processes in dict(self.hosts).items():
                with contextlib.suppress(OSError):
                    self.vigie.save(ip, sample("bash", "mem", 1), *(sample(name, "mem", value) for name, (value, _) in processes.items()),
                                    collector={"hostname": NAMES[ip]})
                    self.vigie.put("save-forecasts", {"data": [
                        {"ipaddress": ip, "process_name": name, "type_data": "mem", "probability": probability, "forecast": 91.2,
                         "expected_at": time.time() + 600} for name, (_, probability) in processes.items() if probability is not None]})

    def stop(self):
        self.stopped.set()
        self.thread.join()


class ChannelTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)


class AlertTest(ChannelTest):
    """vigie-alert by itself, with a server that all tests share and the test feeds."""

    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ninterval = 1s\ncache = 0\n").start()
        cls.addClassCleanup(cls.vigie.stop)

    def setUp(self):
        super().setUp()
        self.feeder = Feeder(self.vigie)
        self.addCleanup(self.feeder.stop)

    def start(self, *options, environment=None):
        command = [BUILD / "vigie-alert"]
        for option in (f"url=http://user:secret@127.0.0.1:{self.vigie.port}{PREFIX}", f"state={self.folder}/state", f"log={self.folder}/alert.log",
                       "interval=1s", "phase=300ms", "clear_after=1", *options):
            command += ["--set", f"alert.{option}"]
        with open(self.folder / "output", "ab") as output:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       env=dict(os.environ, **(environment or {})))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def said(self):
        return (self.folder / "output").read_text(errors="replace")

    def words(self, process):
        path = self.folder / "alert.log"
        return re.findall(rf'^\S+ ([A-Z]+) ip=\S+ process="{re.escape(process)}"', path.read_text(), re.M) if path.exists() else []

    def wait_for_words(self, process, *words):
        wait_until(lambda: self.words(process) == list(words), SOON, lambda: f"{process} {words}: {self.words(process)} {self.said()}")


@unittest.skipUnless(PROGRAM, "prometheus-alertmanager is not installed")
class AlertmanagerTest(AlertTest):
    def setUp(self):
        super().setUp()
        self.alertmanager = Alertmanager(self.receiver)
        self.addCleanup(self.alertmanager.remove)
        self.alertmanager.start()
        self.options = (f"alertmanager={self.alertmanager.url}",)

    def told(self, **labels):
        """What was sent about these labels, as words."""
        return [alert["status"] for alert in self.receiver.alerts() if labels.items() <= alert["labels"].items()]

    def wait_for_told(self, *words, **labels):
        wait_until(lambda: self.told(**labels) == list(words), SOON,
                   lambda: f"{labels} {words}: {self.told(**labels)} {self.said()} {self.alertmanager.log()}")

    def end_of(self, process):
        """When Alertmanager lets an alert end, as things are; None: it knows none."""
        return next((seconds(alert["endsAt"]) for alert in self.alertmanager.get("alerts")
                     if alert["labels"].get("process") == process), None)

    def test_what_stands_is_told_and_its_end(self):
        nobody = f"http://127.0.0.1:{free_port()}"
        self.feeder.hosts = {"10.6.0.1": {"java": (83.1, None), "leak": (61, 0.83)}, "10.6.0.2": {}}
        alert = self.start(*self.options, f"alertmanager={nobody}")
        self.wait_for_told("firing", process="java")
        [red] = [one for one in self.receiver.alerts() if one["labels"].get("process") == "java"]
        self.assertEqual(red["labels"], {"alertname": "vigie", "colour": "red", "host": "10.6.0.1", "hostname": "db1",
                                         "process": "java", "resource": "mem"})
        self.assertEqual(red["annotations"], {"summary": "java on db1: mem 83.10 %, limit 80 %", "value": "83.10", "threshold": "80"})
        self.assertEqual(red["generatorURL"], f"http://127.0.0.1:{self.vigie.port}{PREFIX}get-all-detailed?window=1h&timestamps=1"
                         "&resource=mem&ip=10.6.0.1&process=java")
        since = re.search(r'process="java".* since=(\S+)', (self.folder / "alert.log").read_text())[1]
        self.assertEqual(seconds(red["startsAt"]), seconds(since))
        # It ends 24 s after it was posted, unless it is renewed.
        first = self.end_of("java")
        self.assertAlmostEqual(first, time.time() + 21, delta=7)
        # One that is away is told of once, and delays nobody.
        self.assertEqual(self.said().count("telling the Alertmanager"), 1)
        self.assertIn(f"telling the Alertmanager {nobody} fails: ", self.said())

        # An AMBER that becomes a RED is another alert, since the colour is a label.
        self.wait_for_told("firing", process="leak", colour="amber")
        [amber] = [one for one in self.receiver.alerts() if one["labels"].get("process") == "leak"]
        self.assertEqual(amber["annotations"]["summary"], "leak on db1: mem 61.00 %, expected over 80 %")
        self.assertEqual(set(amber["annotations"]), {"summary", "value", "threshold", "forecast", "probability", "expected_at"})
        self.feeder.hosts["10.6.0.1"] = {"java": (83.1, None), "leak": (90, 0.9)}
        self.feeder.hosts.pop("10.6.0.2")
        self.wait_for_told("firing", "resolved", process="leak", colour="amber")
        self.wait_for_told("firing", process="leak", colour="red")

        # A host's alert has no process.
        self.wait_for_told("firing", hostname=NAMES["10.6.0.2"])
        [unknown] = [one for one in self.receiver.alerts() if one["labels"]["colour"] == "unknown"]
        self.assertEqual(unknown["labels"], {"alertname": "vigie", "colour": "unknown", "host": "10.6.0.2", "hostname": NAMES["10.6.0.2"]})
        self.assertEqual(unknown["annotations"], {"summary": 'web "2" is silent'})
        self.feeder.hosts["10.6.0.2"] = {}
        self.wait_for_told("firing", "resolved", colour="unknown")

        # By now it was, or is soon: well before that end.
        wait_until(lambda: self.end_of("java") > first, SOON, "it is renewed")
        self.feeder.hosts["10.6.0.1"] = {"java": (20, None), "leak": (20, 0)}
        self.wait_for_told("firing", "resolved", process="java")
        self.wait_for_told("firing", "resolved", process="leak", colour="red")
        begun = time.monotonic()
        alert.terminate()
        self.assertEqual(alert.wait(30), 0)
        self.assertLess(time.monotonic() - begun, 10)

    def test_restarts_and_kills_of_either_side_lose_no_end_and_repeat_nothing(self):
        self.feeder.hosts = {"10.6.0.1": {"java": (83.1, None), "perl": (84, None)}}
        alert = self.start(*self.options)
        self.wait_for_told("firing", process="java")
        self.wait_for_told("firing", process="perl")

        # A reload or a kill of ours: no second notification, and it is renewed.
        end = self.end_of("java")
        alert.send_signal(signal.SIGHUP)
        wait_until(lambda: self.end_of("java") > end, SOON, "it is renewed")
        alert.kill()
        alert.wait()
        end = self.end_of("java")
        alert = self.start(*self.options)
        wait_until(lambda: self.end_of("java") > end, SOON, "it is renewed")
        self.assertEqual(self.told(process="java"), ["firing"])

        # Alertmanager is away while an alarm ends, and we are killed before it is back.
        self.alertmanager.stop()
        self.feeder.hosts["10.6.0.1"] = {"java": (20, None), "perl": (84, None)}
        self.wait_for_words("java", "RED", "CLEAR")
        wait_until(lambda: '"ended": 1' in (self.folder / "state.alertmanager").read_text() and "telling" in self.said(), SOON, self.said)
        alert.kill()
        alert.wait()
        self.alertmanager.start()
        self.assertEqual(self.alertmanager.get("alerts"), [])
        alert = self.start(*self.options)
        self.wait_for_told("firing", "resolved", process="java")
        self.assertEqual(self.told(process="perl"), ["firing"])

        # A kill of Alertmanager: it has lost its own record of what it has said.
        self.alertmanager.stop(signal.SIGKILL)
        self.alertmanager.start()
        wait_until(lambda: self.end_of("perl"), SOON, "it is posted again")
        self.feeder.hosts["10.6.0.1"] = {"perl": (20, None)}
        wait_until(lambda: self.told(process="perl")[-1] == "resolved", SOON, self.alertmanager.log)
        self.feeder.hosts["10.6.0.1"] = {"perl": (85, None)}
        wait_until(lambda: self.told(process="perl")[-1] == "firing", SOON, self.alertmanager.log)


HOSTILE = '"a\\nBcc: b\\é", "line": "$(id)'  # as a process may be called, with a backslash in the place of a line's end


class HookTest(ChannelTest):
    """The hooks that are ready, each set up."""

    HOOKS = ROOT / "deploy" / "hooks"

    def setUp(self):
        super().setUp()
        # As an administrator sets them up: links, with the one option in a file beside.
        self.where = {"webhook.url": self.receiver.url + "/webhook?\"token\"", "mail.to": "root, ops@example.org",
                      "apprise.url": f"json://127.0.0.1:{self.receiver.port}/apprise"}
        for name, content in self.where.items():
            (self.folder / name).write_text(content + "\n")
            (self.folder / pathlib.Path(name).stem).symlink_to(self.HOOKS / pathlib.Path(name).stem)
        programs = self.folder / "programs"
        programs.mkdir()
        (programs / "sendmail").write_text(f"#!/bin/sh\n[ \"$*\" = '-i -t' ] && cat > {self.folder}/new && mv {self.folder}/new {self.folder}/sent\n")
        (programs / "sendmail").chmod(0o755)
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}"}

    def posts(self, path):
        return [json.loads(body) for at, _, body in list(self.receiver.posts) if at.startswith(path)]

    def mail(self):
        """Its headers and its body, once it is there."""
        wait_until((self.folder / "sent").exists, SOON, "a mail is sent")
        return email.message_from_bytes((self.folder / "sent").read_bytes())


class ReadyHookTest(HookTest):
    def run_hook(self, name, *arguments, **environment):
        return subprocess.run([self.folder / name, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, env=dict(os.environ, **self.environment, **environment))

    def test_a_line_alone_comes_as_arguments(self):
        arguments = ("CLEAR", "ip=10.6.0.1", f"process={HOSTILE}", "resource=mem", "value=20.00", "threshold=80", "since=2026-11-22T14:00:10Z")
        for name in ("webhook", "mail", *(["apprise"] if shutil.which("apprise") else [])):
            run = self.run_hook(name, *arguments)
            self.assertEqual((run.returncode, run.stdout), (0, ""))
        self.assertEqual(self.posts("/webhook"), [[{"word": "CLEAR", "ip": "10.6.0.1", "process": HOSTILE, "resource": "mem", "value": 20,
                                                    "threshold": 80, "since": "2026-11-22T14:00:10Z"}]])
        mail = self.mail()
        self.assertIsNone(mail["Bcc"])
        self.assertEqual(mail.get_payload(decode=True).decode(), " ".join(arguments) + "\n")
        for told in self.posts("/apprise"):
            self.assertEqual((told["message"], told["type"]), (" ".join(arguments), "success"))

    def test_what_was_killed_is_a_failure_and_its_kills_a_number(self):
        for name in ("webhook", *(["apprise"] if shutil.which("apprise") else [])):
            run = self.run_hook(name, "OOM", "ip=10.6.0.1", "process=java", "kills=2", "since=2026-11-22T14:00:10Z")
            self.assertEqual((run.returncode, run.stdout), (0, ""))
        self.assertEqual(self.posts("/webhook"), [[{"word": "OOM", "ip": "10.6.0.1", "process": "java", "kills": 2,
                                                    "since": "2026-11-22T14:00:10Z"}]])
        for told in self.posts("/apprise"):
            self.assertEqual((told["title"], told["type"]), ("vigie: OOM ip=10.6.0.1 process=java kills=2", "failure"))

    def test_what_goes_wrong_is_said(self):
        for name, file in (("webhook", "webhook.url"), ("mail", "mail.to"), ("apprise", "apprise.url")):
            (self.folder / file).unlink()
            run = self.run_hook(name, "RED", "ip=10.6.0.1")
            self.assertEqual(run.returncode, 1)
            self.assertRegex(run.stdout, rf"^\S+/{name}: neither VIGIE_\w+ in the environment nor the file \S+/{file} says where to\n$")
        run = self.run_hook("webhook", "RED", "ip=10.6.0.1", VIGIE_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("curl: (7)", run.stdout)
        # Who sends elsewhere has not taken it.
        self.receiver.status = 301
        run = self.run_hook("webhook", "RED", "ip=10.6.0.1", VIGIE_WEBHOOK_URL=self.receiver.url)
        self.assertEqual((run.returncode, run.stdout), (1, f"{self.folder}/webhook: the answer's status is 301\n"))

    def test_a_url_is_taken_as_it_is(self):
        path = '/webhook?a={b,c}&d=[1-3]&e=$(id)`id`;\\n'
        run = self.run_hook("webhook", "RED", "ip=10.6.0.1", VIGIE_WEBHOOK_URL=self.receiver.url + path)
        self.assertEqual((run.returncode, run.stdout), (0, ""))
        self.assertEqual([at for at, _, _ in self.receiver.posts], [path])

    @unittest.skipUnless(shutil.which("apprise"), "apprise is not installed")
    def test_a_message_is_as_long_as_the_service_takes(self):
        lines = [{"word": "RED", "line": f"2026-11-22T14:00:15.000Z RED ip=10.6.0.{i} " + "x" * 100} for i in range(100)]
        urls = [f"mmost://127.0.0.1:{self.receiver.port}/{token}" for token in ("one", "two?image=no", "three?overflow=upstream")]
        run = subprocess.run([self.folder / "apprise"], input="[\n" + ",\n".join(map(json.dumps, lines)) + "\n]\n", timeout=60, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, VIGIE_APPRISE_URL=", ".join(urls[:2]) + " " + urls[2]))
        self.assertEqual((run.returncode, run.stdout), (0, ""))
        texts = {at: json.loads(body)["text"] for at, _, body in self.receiver.posts}
        # Mattermost takes 4,000 characters.
        self.assertEqual([len(texts[f"/hooks/{token}"]) <= 4000 for token in ("one", "two", "three")], [True, True, False])
        self.assertIn(lines[0]["line"], texts["/hooks/one"])

    @unittest.skipUnless(shutil.which("apprise"), "apprise is not installed")
    def test_an_end_is_a_success_whatever_the_process_is_called(self):
        run = self.run_hook("apprise", "CLEAR", "ip=10.6.0.1", "process=a RED ip=10.6.0.1", "since=2026-11-22T14:00:10Z")
        self.assertEqual((run.returncode, [told["type"] for told in self.posts("/apprise")]), (0, ["success"]))


class HookCallTest(HookTest, AlertTest):
    def test_one_call_for_all_lines_of_a_time(self):
        hooks = " ".join(pathlib.Path(name).stem for name in self.where if shutil.which("apprise") or name != "apprise.url")
        (self.folder / "all").write_text(f'#!/bin/sh\ncd {self.folder}\ncat > input\nfor hook in {hooks}; do ./$hook "$@" < input; done\n')
        (self.folder / "all").chmod(0o755)
        self.feeder.hosts = {"10.6.0.1": {"java": (83.1, None), HOSTILE: (84, None)}, "10.6.0.2": {"perl": (85, None)}}
        wait_until(lambda: {"10.6.0.1", "10.6.0.2"} <= set(self.vigie.get("latest").json()), SOON, "both hosts are there")
        self.start(f"hook={self.folder}/all", "hook_wait=1s", "hook_timeout=60s", environment=self.environment)
        for process in ("java", HOSTILE, "perl"):
            wait_until(lambda one=process: any(line["process"] == one for lines in self.posts("/webhook") for line in lines), SOON, self.said)
        lines = [line for some in self.posts("/webhook") for line in some]
        self.assertEqual([list(line) for line in lines], 3 * [["time", "word", "ip", "process", "resource", "value", "threshold", "since", "line"]])
        self.assertEqual({(line["word"], line["ip"], line["process"], line["value"]) for line in lines},
                         {("RED", "10.6.0.1", "java", 83.1), ("RED", "10.6.0.1", HOSTILE, 84), ("RED", "10.6.0.2", "perl", 85)})
        said = (self.folder / "alert.log").read_text().splitlines()
        self.assertEqual([line["line"] for line in lines], said)
        self.assertEqual(len(self.posts("/webhook")), 1, "all of a round in one call")
        self.assertEqual(self.receiver.posts[0][0], "/webhook?\"token\"")
        mail = self.mail()
        self.assertEqual(mail["To"], self.where["mail.to"])
        self.assertRegex(mail["Subject"], "^vigie: RED ip=.* resource=mem and 2 more$")
        self.assertIsNone(mail["Bcc"])
        self.assertEqual(mail.get_payload(decode=True).decode().splitlines(), said)
        if "apprise" in hooks:
            [told] = wait_until(lambda: self.posts("/apprise"), SOON, self.said)
            self.assertEqual((told["message"], told["type"]), ("\n".join(said), "failure"))
            self.assertRegex(told["title"], "^vigie: RED ip=.* resource=mem and 2 more$")


if __name__ == "__main__":
    unittest.main()
