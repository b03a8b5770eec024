"""A chromium of its own, without a window, and pages in it that are used as people use them: by what the accessibility
tree says there is (role and name, as a screen reader has them), by the mouse and by keys.

It is spoken to by the DevTools protocol over a pipe: that needs no package but chromium, no port and no second program
whose version must fit, and tells what WebDriver does not: every request, refusals of the policy, the heap, the time of
the main thread. https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import collections
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

from vigie import is_sanitized, wait_until

PATIENCE_S = 30  # of what is to come, on a machine that has other work
ANSWER_S = 180  # of a command, which may be to wait for many refreshes
OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu",
    "--no-sandbox",             # which root has none of
    "--disable-dev-shm-usage",  # which is small or missing in containers
    # What is not ours: no questions to its maker; no name resolves.
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    # Pages that nobody looks at run like the others.
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--force-color-profile=srgb", "--hide-scrollbars", "--mute-audio", "--ignore-certificate-errors",
)
KEYS = {  # {name: (virtual key code, text)}
    "Enter": (13, "\r"), "Escape": (27, ""), "Backspace": (8, ""),
    "ArrowUp": (38, ""), "ArrowDown": (40, ""), "ArrowLeft": (37, ""), "ArrowRight": (39, ""),
}
# What an element must not be covered by, but for what is in it.
POINT = """function(part) {
	this.scrollIntoView({block: 'nearest', inline: 'nearest', behavior: 'instant'});
	const box = this.getBoundingClientRect(), x = box.x + box.width * part, y = box.y + box.height / 2;
	const top = document.elementFromPoint(x, y);
	return [x, y, box.width > 0 && this.contains(top)];
}"""


class Gone(Exception):
    """What was asked about is no longer in the page."""


class Browser:
    """Use it as a context. One thread alone."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-browser-"))
        self.pipe, other = socket.socketpair()
        self.pipe.settimeout(ANSWER_S)
        # It reads from descriptor 3 and writes to 4; neither is to be the other's source.
        end = fcntl.fcntl(other.fileno(), fcntl.F_DUPFD, 20)
        other.close()
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "bash", "-c", 'end=$1; shift; exec "$@" 3<&"$end" 4>&"$end"', "browser",
             str(end), "chromium", *OPTIONS, f"--user-data-dir={self.folder}/profile", "about:blank"],
            env=dict(os.environ, HOME=str(self.folder), TZ="UTC", LANG="C.UTF-8"), pass_fds=[end],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        os.close(end)
        self.unread, self.number, self.answers, self.pages = b"", 0, {}, {}

    def __enter__(self):
        try:
            self.call("Browser.getVersion")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        with contextlib.suppress(OSError, AssertionError, subprocess.TimeoutExpired):
            self.pipe.settimeout(5)
            self.call("Browser.close")
            self.process.wait(10)
        self.pipe.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, session=None, **parameters):
        """The result of a command. What happens until it is there is told to the pages."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self.pipe.sendall(json.dumps(message).encode() + b"\0")
        number = self.number
        while number not in self.answers:
            self.read()
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Gone(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def read(self):
        while b"\0" not in self.unread:
            try:
                some = self.pipe.recv(1 << 20)
            except socket.timeout:
                some = b""
            if not some:
                log = (self.folder / "log").read_text(errors="replace")
                raise AssertionError(f"chromium does not answer: {log[-2000:]}")
            self.unread += some
        line, self.unread = self.unread.split(b"\0", 1)
        message = json.loads(line)
        if "id" in message:
            self.answers[message["id"]] = message
        elif message.get("sessionId") in self.pages:
            self.pages[message["sessionId"]].happened(message["method"], message["params"])

    def open(self, url, width=1280, height=900, dark=False, script=""):
        """A new page that knows nothing of the others; `script` runs before the page's own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, context, session)
        page.begin(width, height, dark, script)
        page.go(url)
        return page


class Node:
    """Something in the accessibility tree of a page, as it was when it was found."""

    def __init__(self, page, said):
        self.page, self.id = page, said.get("backendDOMNodeId")
        self.role, self.name = said["role"]["value"], said.get("name", {}).get("value", "")
        self.value = said.get("value", {}).get("value")
        self.properties = {one["name"]: one["value"].get("value") for one in said.get("properties", [])}

    def __repr__(self):
        return f"{self.role} {self.name!r}"

    def run(self, function, *arguments):
        """What a function gives of the element, which is its `this`."""
        remote = self.page.call("DOM.resolveNode", backendNodeId=self.id, objectGroup="tests")["object"]["objectId"]
        return self.page.result(self.page.call(
            "Runtime.callFunctionOn", functionDeclaration=function, objectId=remote, returnByValue=True, awaitPromise=True,
            arguments=[{"value": value} for value in arguments]))

    def text(self):
        return self.run("function() { return this.innerText ?? this.textContent; }")

    def attribute(self, name):
        return self.run("function(name) { return this.getAttribute(name); }", name)

    def nodes(self, role, name=""):
        return self.page.nodes(role, name, self.id)

    def find(self, role, name=""):
        return self.page.find(role, name, self)

    def point(self, part=0.5):
        """A place on it, so much of its width from its left, where nothing else lies over it; scrolled to."""
        def place():
            x, y, free = self.run(POINT, part)
            return (x, y) if free else None
        return wait_until(place, PATIENCE_S, f"{self!r} can be reached")

    def click(self):
        point = self.point()
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.page.mouse(kind, *point, held=kind != "mouseMoved")

    def drag(self, begin, end):
        """The mouse, pressed, from one part of its width to another."""
        begin, end = self.point(begin), self.point(end)
        for kind, point, held in (("mouseMoved", begin, False), ("mousePressed", begin, True), ("mouseMoved", end, True),
                                  ("mouseReleased", end, True)):
            self.page.mouse(kind, *point, held=held)

    def focus(self):
        self.page.call("DOM.focus", backendNodeId=self.id)

    def clear(self):
        self.focus()
        self.run("function() { this.select(); }")
        self.page.press("Backspace")

    def fill(self, value):
        """What a field of a time, or a list by the words of an option, becomes; in text fields people type."""
        self.run("""function(value) {
			const options = [...this.options ?? []], words = value.toLowerCase();
			const option = options.find(one => one.label.toLowerCase().includes(words));
			if (this.options && !option) throw new Error(`no option ${value} in ${options.map(one => one.label)}`);
			this.value = option ? option.value : value;
			for (const kind of ['input', 'change']) this.dispatchEvent(new Event(kind, {bubbles: true}));
		}""", value)


class Page:
    def __init__(self, browser, context, session):
        self.browser, self.context, self.session = browser, context, session
        self.problems = []  # what a developer's console would show in red, but for answers that are errors
        self.failures = []  # answers that are errors, and requests without one
        self.requests = collections.deque(maxlen=1000)  # the newest URLs, oldest first
        self.counts = collections.Counter()  # of requests, by the last part of the path
        self.origins, self.own, self.loaded = set(), None, False

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def begin(self, width, height, dark, script):
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            self.call(f"{domain}.enable")
        self.look(width, height, dark)
        if script:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def look(self, width, height, dark):
        """The window, and what its user prefers, from now on."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        wishes = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        self.call("Emulation.setEmulatedMedia", features=[{"name": name, "value": wishes[name]} for name in wishes])

    def happened(self, event, said):
        if event == "Runtime.exceptionThrown":
            details = said["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(one.get("value", one.get("description"))) for one in said["args"]))
        elif event == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            entry = said["entry"]
            where = self.failures if entry["source"] == "network" else self.problems
            where.append(f"{entry['text']} ({entry.get('url')})")
        elif event == "Page.javascriptDialogOpening":
            self.problems.append(f"a dialog: {said['message']}")
        elif event == "Page.loadEventFired":
            self.loaded = True
        elif event == "Network.requestWillBeSent":
            url = said["request"]["url"]
            self.requests.append(url)
            self.counts[urllib.parse.urlsplit(url).path.rpartition("/")[2]] += 1
            self.origins.add(urllib.parse.urlsplit(url)[:2])

    def result(self, answer):
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def evaluate(self, expression):
        return self.result(self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True))

    def object(self, expression):
        return self.call("Runtime.evaluate", expression=expression, objectGroup="tests")["result"]["objectId"]

    def go(self, url):
        self.own = urllib.parse.urlsplit(url)[:2]
        self.loaded = False
        self.call("Page.navigate", url=url)
        wait_until(lambda: self.call("Page.getLayoutMetrics") and self.loaded, PATIENCE_S, f"{url} is there")

    def back(self):
        self.evaluate("history.back()")

    def url(self):
        return self.evaluate("location.href")

    def query(self):
        return self.evaluate("location.search")

    def title(self):
        return self.evaluate("document.title")

    def icon(self):
        return self.evaluate("document.querySelector('link[rel=icon]').href")

    def text(self):
        return self.evaluate("document.body.innerText")

    def nodes(self, role, name="", within=None):
        """What there is of a role, for screen readers, whose name has a part, in any case, in the page's order."""
        try:
            root = {"backendNodeId": within} if within else {"objectId": self.object("document")}
            said = self.call("Accessibility.queryAXTree", role=role, **root)["nodes"]
        except Gone:
            return []
        nodes = [Node(self, one) for one in said if not one["ignored"]]
        return [node for node in nodes if name.lower() in node.name.lower()]

    def find(self, role, name="", within=None):
        """The first of them, once it is there; one that has this very name before others."""
        found = wait_until(lambda: self.nodes(role, name, within and within.id), PATIENCE_S,
                           lambda: f"there is a {role} {name!r} in: {self.text()[:2000]}")
        return next((node for node in found if node.name == name), found[0])

    def mouse(self, kind, x, y, held):
        """`held` tells that it is about the left button, or that this one is down."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if held else "none", buttons=int(held),
                  clickCount=int(kind != "mouseMoved"))

    def wait_for_text(self, words):
        wait_until(lambda: words.lower() in self.text().lower(), PATIENCE_S,
                   lambda: f"{words!r} stands in: {self.text()[:2000]}")

    def press(self, key):
        """A key that has a name, or a character."""
        code, text = KEYS.get(key, (0, key))
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def type(self, text):
        for character in text:
            self.press(character)

    def focused(self):
        """What has the focus."""
        active = self.object("document.activeElement")
        [said] = self.call("Accessibility.getPartialAXTree", objectId=active, fetchRelatives=False)["nodes"]
        return Node(self, said)

    def asked(self, name):
        """How often it has asked for an address, by the last part of its path."""
        self.evaluate("0")  # what has happened until now is told
        return self.counts[name]

    def strangers(self):
        """The other origins than the page's own that it has asked."""
        return [origin for origin in self.origins if origin != self.own and origin[0] not in ("data", "blob", "about")]

    def heap(self):
        """The bytes of the page's objects that somebody holds, and how many nodes there are."""
        self.call("Runtime.releaseObjectGroup", objectGroup="tests")  # what was looked at is held until then
        for _ in range(2):
            self.call("HeapProfiler.collectGarbage")
        figures = {one["name"]: one["value"] for one in self.call("Performance.getMetrics")["metrics"]}
        return figures["JSHeapUsedSize"], figures["Nodes"]

    def screenshot(self, path, whole=False):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        self.browser.pages.pop(self.session, None)
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    def settle(self, seconds=0.2):
        """Reads what has happened in the page meanwhile."""
        time.sleep(seconds)
        self.evaluate("0")


class BrowserTest(unittest.TestCase):
    """Tests that share a browser, which their module starts. No page has an error, or asks another origin."""

    @classmethod
    def start_browser(cls):
        """For all tests of the present module, from its setUpModule(). Under sanitizers the page is no other."""
        if is_sanitized() or not shutil.which("chromium"):
            raise unittest.SkipTest("the programs have sanitizers" if is_sanitized() else "chromium is not installed")
        cls.browser = unittest.enterModuleContext(Browser())

    def open(self, url, **options):
        page = self.browser.open(url, **options)
        self.addCleanup(self.check, page)
        return page

    def check(self, page):
        page.settle()
        page.close()
        self.assertEqual((page.problems, page.strangers()), ([], []))
