"""Load on a vigie whose acknowledgements are remembered, and an alarm that comes and goes."""

import collections
import contextlib
import http.client
import re
import threading
import time

from fault import SECONDS, count

from vigie import sample, wait_until  # where fault finds them


class Load:
    """Clients that PUT batches of three samples, some of which send again what was not taken, as collectors do; and a host of
    which nothing is written any more, which is read all the time."""

    BATCH = 3
    CLIENTS = 4
    STILL = 200  # samples of the host that is read

    def __init__(self, vigie, name=0, pause_s=0.005):
        self.vigie, self.name, self.pause_s = vigie, name, pause_s
        self.sent = {}          # (ip, ms): whether it was acknowledged
        self.statuses = collections.Counter()
        self.odd = []           # answers that tell neither that it was done nor to come back
        self.slowest_s = 0
        self.wrong = []         # answers to reads that are not what was written
        self.done = threading.Event()
        self.still_ip = f"10.22.{name}.1"
        self.still_path = f"get-all-detailed?timestamps=1&resource=mem&ip={self.still_ip}"
        self.begun_ms = int(time.time() * 1000) - 60000
        self.calm = threading.Condition()
        self.held, self.busy = False, 0
        self.threads = [threading.Thread(target=self.write, args=(number,)) for number in range(1, self.CLIENTS + 1)]
        self.threads.append(threading.Thread(target=self.read))

    def start(self):
        self.still = [[(self.begun_ms + second) / 1000, second % 100] for second in range(self.STILL)]
        answer = self.vigie.save(self.still_ip, *(sample("p", "mem", value, at) for at, value in self.still))
        if answer.status != 200:
            raise AssertionError(f"the load cannot begin: {answer}")
        # An engine may take its time to show what was written.
        wait_until(lambda: not self.is_wrong(self.ask("GET", self.still_path)), SECONDS, "what was written is read")
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.done.set()
        for thread in self.threads:
            if thread.ident:
                thread.join()

    @contextlib.contextmanager
    def holding(self):
        """No request of the clients is under way until the end of the block."""
        with self.calm:
            self.held = True
            self.calm.wait_for(lambda: not self.busy)
        try:
            yield
        finally:
            with self.calm:
                self.held = False
                self.calm.notify_all()

    @contextlib.contextmanager
    def turn(self):
        """Of one client."""
        with self.calm:
            self.calm.wait_for(lambda: not self.held)
            self.busy += 1
        try:
            yield
        finally:
            with self.calm:
                self.busy -= 1
                self.calm.notify_all()

    def ask(self, method, path, body=None):
        """The answer; None where there was none."""
        begun = time.monotonic()
        try:
            answer = self.vigie.request(method, path, body, timeout=SECONDS)
        except (OSError, http.client.HTTPException):
            answer = None
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        self.statuses[answer.status if answer else None] += 1
        if answer and answer.status not in (200, 500, 502, 503, 504):
            self.odd.append((method, answer.status, answer.body[:300]))
        return answer

    def write(self, number):
        ip, again, at_ms = f"10.20.{self.name}.{number}", number % 2, 0
        while not self.done.is_set():
            at_ms = max(at_ms + 1, int(time.time() * 1000))
            body = {"ipaddress": ip, "data": [sample(f"p{item}", "mem", at_ms % 1000, at_ms / 1000) for item in range(self.BATCH)]}
            self.sent[ip, at_ms] = False
            while not self.done.is_set():
                with self.turn():
                    answer = self.ask("PUT", "save-all", body)
                self.sent[ip, at_ms] = bool(answer and answer.status == 200)
                if self.sent[ip, at_ms] or not again:
                    break
                self.done.wait(0.05)
            self.done.wait(self.pause_s)

    def read(self):
        while not self.done.is_set():
            with self.turn():
                answer = self.ask("GET", self.still_path)
            if answer and answer.status == 200 and self.is_wrong(answer):
                self.wrong.append(answer.body[:300])
            self.done.wait(0.02)

    def is_wrong(self, answer):
        return answer.json() != {"p": self.still}

    def acknowledged(self):
        return sum(self.sent.values())

    def unlike(self, stored, whole=True):
        """What is not as it was told, of what is stored: {(ip, process): [(ms, value), …]}. `whole`: batches are stored whole or not
        at all."""
        seen = collections.Counter((ip, at_ms) for (ip, process), points in stored.items() for at_ms, _ in points)
        twice = [key for key, points in stored.items() if len({at_ms for at_ms, _ in points}) != len(points)]
        other = [(key, at_ms, value) for key, points in stored.items() for at_ms, value in points if value != at_ms % 1000]
        return {name: found[:5] + ([f"… {len(found)}"] if len(found) > 5 else []) for name, found in {
            "acknowledged and lost": [key for key, taken in self.sent.items() if taken and seen[key] != self.BATCH],
            "there twice": twice, "not what was sent": other, "never sent": [key for key in seen if key not in self.sent],
            "half a batch": [key for key, number in seen.items() if whole and number != self.BATCH],
            "read wrong": self.wrong}.items() if found}

    def stored(self):
        """What the server has of the clients."""
        stored = {}
        for ip in sorted({ip for ip, _ in self.sent}):
            answer = self.vigie.get(f"get-all-detailed?timestamps=1&resource=mem&window=1h&ip={ip}", timeout=SECONDS)
            if answer.status != 200:
                raise AssertionError(f"the samples cannot be read: {answer}")
            for process, points in answer.json().items():
                stored[ip, process] = [(round(at * 1000), value) for at, value in points]
        return stored

    def check(self, whole=True):
        count("batches acknowledged", self.acknowledged())
        count("lost", 0)
        unlike = self.unlike(self.stored(), whole)
        count("lost", len(unlike.get("acknowledged and lost", [])))
        if unlike:
            raise AssertionError(unlike)


class Alarms:
    """A process that goes over its limit and comes back, as soon as alert.log has each: its lines are those and no others."""

    IP = "10.21.0.1"

    def __init__(self, vigie, log):
        self.vigie, self.log, self.value, self.words, self.failure = vigie, log, 10, [], None
        self.ended = threading.Event()
        self.turning_ended = threading.Event()
        self.writer = threading.Thread(target=self.write)
        self.turner = threading.Thread(target=self.turn)

    def start(self):
        self.writer.start()
        self.turner.start()

    def stop(self):
        self.turning_ended.set()
        for thread, ended in ((self.turner, self.turning_ended), (self.writer, self.ended)):
            ended.set()
            if thread.ident:
                thread.join()

    def write(self):
        while not self.ended.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.vigie.save(self.IP, sample("hot", "mem", self.value, int(time.time())))
            self.ended.wait(0.5)

    def told(self):
        """The words of the lines in alert.log."""
        return self.words_of(self.log)

    def words_of(self, path):
        text = path.read_text() if path.exists() else ""
        return re.findall(rf'^(?:\S+Z )?([A-Z]+) ip={self.IP} process="?hot"? ', text, re.MULTILINE)

    def turn(self):
        """Until it is told to end, with nothing that stands."""
        while not self.turning_ended.is_set() or self.value == 90:
            self.value, word = (90, "RED") if self.value == 10 else (10, "CLEAR")
            self.words.append(word)
            try:
                wait_until(lambda: len(self.told()) >= len(self.words), SECONDS, "")
            except AssertionError:
                self.failure = f"no {word}"
                return

    def check(self, unheard=0):
        """`unheard`: how many of them may not have come to the hook, which hears nothing twice."""
        told = self.told()
        count("alarms told", len(told))
        if self.failure or told != self.words:
            raise AssertionError(f"alarms: {self.failure}; told {told}, not {self.words}")
        path = self.vigie.folder / "told"

        def heard():
            return len(self.words_of(path)) + unheard >= len(told)
        wait_until(heard, SECONDS, lambda: f"the hook has heard of {told}: {self.words_of(path)}")
        rest = iter(told)
        if not all(word in rest for word in self.words_of(path)):
            raise AssertionError(f"the hook has heard {self.words_of(path)} of {told}")
        count("alarms that the hook did not hear", len(told) - len(self.words_of(path)))
