"""The documents: what they link to and name is there, and their examples work as they are printed."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from vigie import BUILD, PREFIX, ROOT, Vigie, wait_until

PROGRAMS = ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast")
NOT_OURS = ("build", ".git")
# What is named with a slash and one of these at its end is a file of the tree.
ENDINGS = (".c", ".h", ".py", ".md", ".in", ".csv", ".lua", ".model", ".html", ".css", ".conf", ".8", "/")
SOURCES = ("common", "fcgi", "collector", "alert", "forecast", "nginx", "deploy", "tests/unit", "tests/integration", "tests/bench")
README_LINES_MAX = 200


class Document:
    def __init__(self, path):
        self.path, self.name = path, str(path.relative_to(ROOT))
        self.lines = path.read_text().splitlines()
        self.blocks = []  # (language, text) of what stands between ```, in its order
        self.prose = ""   # all else
        language, block = None, []
        for line in self.lines:
            if language is None and line.startswith("```"):
                language, block = line[3:].strip(), []
            elif language is not None and line.startswith("```"):
                self.blocks.append((language, "\n".join(block) + "\n"))
                language = None
            elif language is not None:
                block.append(line)
            else:
                self.prose += line + "\n"
        assert language is None, f"{self.name}: a block does not end"

    def spans(self):
        """What stands in backticks, in a line."""
        return re.findall(r"`([^`\n]+)`", self.prose)

    def code(self):
        return [*self.spans(), *(text for _, text in self.blocks)]

    def links(self):
        return re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`[^`\n]+`", "", self.prose))

    def anchors(self):
        """As GitHub makes them of headings."""
        found = []
        for heading in re.findall(r"^#{1,6} (.+)$", self.prose, re.MULTILINE):
            anchor = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
            found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
        return found


def documents():
    for path in sorted(ROOT.iterdir()):
        if path.name not in NOT_OURS:
            yield from (Document(file) for file in ([path] if path.is_file() else sorted(path.rglob("*.md")))
                        if file.suffix == ".md")


DOCUMENTS = list(documents())


def document(name):
    return next(one for one in DOCUMENTS if one.name == name)


def paths_of(span, folders):
    """The paths, or patterns of them, that a span in backticks names: none, one, or one for each of .[ch]."""
    if not re.fullmatch(r"[\w.<>*\[\]-]+(/[\w.<>*\[\]-]*)*", span):
        return []
    first = span.split("/")[0]
    if "/" in span and (first in NOT_OURS or first.isupper()):  # what is built; STATE/…
        return []
    if not ("/" in span and (first in folders or span.endswith(ENDINGS)) or (ROOT / span).exists()):
        return []
    pattern = re.sub(r"<\w+>", "*", span)
    return [pattern.replace("[ch]", letter) for letter in "ch"] if "[ch]" in pattern else [pattern]


class TreeTest(unittest.TestCase):
    def test_readme_is_short(self):
        self.assertLessEqual(len(document("README.md").lines), README_LINES_MAX)

    def test_links_lead_somewhere(self):
        seen = 0
        for one in DOCUMENTS:
            for link in one.links():
                with self.subTest(document=one.name, link=link):
                    seen += 1
                    if re.match(r"[a-z]+:", link):
                        continue
                    path, _, anchor = link.partition("#")
                    target = (one.path.parent / path).resolve() if path else one.path
                    self.assertTrue(target.exists(), "there is no such file")
                    if anchor:
                        self.assertIn(anchor, Document(target).anchors())
        self.assertGreater(seen, 30)

    def test_paths_are_there(self):
        folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
        seen = 0
        for one in DOCUMENTS:
            for span in one.spans():
                for pattern in paths_of(span, folders):
                    with self.subTest(document=one.name, path=pattern):
                        seen += 1
                        self.assertTrue([*ROOT.glob(pattern), *one.path.parent.glob(pattern)], "there is no such path")
        self.assertGreater(seen, 100)

    def test_sources_cite_documents_that_are_there(self):
        seen = 0
        for folder in SOURCES:
            for path in sorted((ROOT / folder).rglob("*")):
                if not path.is_file() or path.suffix in (".csv", ".gz", ".pyc"):
                    continue
                for cited, anchor in re.findall(r"([\w/-]*\b[\w-]+\.md)(#[\w-]+)?", path.read_text(errors="replace")):
                    with self.subTest(path=str(path.relative_to(ROOT)), cited=cited + anchor):
                        seen += 1
                        self.assertTrue((ROOT / cited).is_file(), "there is no such file")
                        if anchor:
                            self.assertIn(anchor[1:], Document(ROOT / cited).anchors())
        self.assertGreater(seen, 0)

    def test_comments_name_files_that_are_there(self):
        folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - set(NOT_OURS)
        seen = 0
        for folder in SOURCES:
            for path in sorted((ROOT / folder).rglob("*.[ch]")):
                for comment in re.findall(r"/\*.*?\*/", path.read_text(), re.DOTALL):
                    for named in re.findall(r"(?<![\w/.<-])(?:[\w-]+/)+[\w-]+\.[ch]\b", comment):
                        if named.split("/")[0] in folders:  # others are another project's
                            with self.subTest(path=str(path.relative_to(ROOT)), named=named):
                                seen += 1
                                self.assertTrue((ROOT / named).is_file(), "there is no such file")
        self.assertGreater(seen, 50)

    def test_targets_of_make_are_there(self):
        targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        seen = set()
        for one in DOCUMENTS:
            for code in one.code():
                for target in re.findall(r"\bmake(?: +(?:-\S+|[A-Z]+=\S+))* +([a-z][a-z-]*)", code):
                    with self.subTest(document=one.name, target=target):
                        seen.add(target)
                        self.assertIn(target, targets)
        self.assertLessEqual({"run", "test", "check", "bench", "install"}, seen)

    def test_readme_has_every_folder(self):
        rows = re.findall(r"^\| `([\w.]+)/` \|", document("README.md").prose, re.MULTILINE)
        folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
        self.assertEqual(set(rows), folders - set(NOT_OURS))


def sections(text, heading):
    """(name, text) of what stands below each heading."""
    parts = re.split(heading, text, flags=re.MULTILINE)
    return zip(parts[1::2], parts[2::2])


class ManualTest(unittest.TestCase):
    def test_every_program_has_a_page_with_its_options_and_signals(self):
        for name in PROGRAMS:
            with self.subTest(name):
                text = (ROOT / "deploy" / "man" / f"{name}.8").read_text()
                printed = subprocess.run([BUILD / name, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
                for option in re.findall(r"--([a-z-]+)", printed):
                    self.assertRegex(text, rf"(?m)^\.(It )?.*Fl Fl {option}\b")
                for signal in re.findall(r"SIG[A-Z0-9]+", printed):
                    self.assertRegex(text, rf"(?m)^\.It Dv .*{signal}\b")
                for section in ("SIGNALS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "CAVEATS"):
                    self.assertIn(f"\n.Sh {section}\n", text)

    def test_manual_has_the_version_of_the_state(self):
        version = re.search(r"enum \{ VERSION = (\d+)", (ROOT / "forecast/state_file.c").read_text()).group(1)
        self.assertIn(f"\n.Ql vigie-forecast {version}\n", (ROOT / "deploy/man/vigie-forecast.8").read_text())

    def test_configuration_has_every_option_with_its_default(self):
        sample = (ROOT / "deploy" / "vigie.conf").read_text()
        expected = [(section, key, "0" if value == " 0d" else value.strip())
                    for section, lines in sections(sample, r"^\[(\w+)\]\n")
                    for key, value in re.findall(r"^(?:# )?(\w+) =(.*)$", lines, re.MULTILINE)]
        options = (BUILD / "man" / "vigie.conf.5").read_text().split("\n.Sh OPTIONS\n")[1].split("\n.Sh ")[0]
        found = []
        for section, items in sections(options, r"^\.Ss \[(\w+)\]\\&\n"):
            for key, lines in sections(items, r"^\.It Cm (\w+)\n"):
                default = re.search(r"^\.Ql (.*) \.$", lines, re.MULTILINE)
                found.append((section, key, default[1] if default else ""))
        self.assertEqual(found, expected)

    def test_installation_has_every_page(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["make", "install", f"BUILD={BUILD}", f"DESTDIR={folder}", "PREFIX=/usr"], cwd=ROOT, check=True,
                           env=environment, stdout=subprocess.DEVNULL)
            installed = {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file()}
        self.assertEqual(installed, {f"usr/bin/{name}" for name in PROGRAMS} |
                         {f"usr/share/man/man8/{name}.8" for name in PROGRAMS} |
                         {"usr/bin/vigie", "usr/share/man/man1/vigie.1", "usr/share/man/man5/vigie.conf.5"})

    def test_manual_of_what_is_done_by_hand_has_its_options_and_keys(self):
        text = (ROOT / "deploy" / "man" / "vigie.1").read_text()
        printed = subprocess.run([BUILD / "vigie", "top", "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
        for option in re.findall(r"--([a-z-]+)", printed):
            self.assertRegex(text, rf"(?m)^\.(It )?.*Fl Fl {option}\b")
        keys = text.split("\n.Sh KEYS\n")[1].split("\n.Sh ")[0]
        for key in re.findall(r"case '(.)':", (ROOT / "top" / "session.c").read_text()):
            self.assertRegex(keys, rf"(?m)^\.It Cm .*{re.escape(key)}", key)


def kind(value):
    return "number" if value is None or isinstance(value, (int, float)) else type(value).__name__


def differs(documented, real):
    """Where an answer is of another shape than the documented one; None: nowhere. An object whose members are of one
    kind is a map, of any names; any other has the same members. Numbers may be null."""
    if kind(documented) != kind(real):
        return f"{real!r} is not like {documented!r}"
    if isinstance(documented, list) and documented and all(kind(item) == "number" for item in documented):
        return None if [kind(item) for item in real] == ["number"] * len(documented) else f"{real!r} is not like {documented!r}"
    if isinstance(documented, dict) and len({kind(value) for value in documented.values()}) > 1:
        if list(documented) != list(real):
            return f"its members are {list(real)}, not {list(documented)}"
        return next((found for key in real if (found := differs(documented[key], real[key]))), None)
    if isinstance(documented, (dict, list)):
        patterns = list(documented.values()) if isinstance(documented, dict) else documented
        for value in real.values() if isinstance(real, dict) else real:
            if all(differs(pattern, value) for pattern in patterns):
                return f"{value!r} is like none of {patterns!r}"
    return None


TIME_S = 1e9  # a number over this is a time


def without_times(value):
    """The same with one time for all times, and one age for all uptimes."""
    if isinstance(value, dict):
        return {key: 0 if key == "uptime_s" else without_times(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return TIME_S if kind(value) == "number" and value is not None and value > TIME_S else value


def run_example(vigie, commands):
    """What a documented example prints, as a user of the server at `vigie` would run it."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", commands.replace("localhost:8000", f"localhost:{vigie.port}")],
                             cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, timeout=30)
    if run.returncode != 0 or run.stderr:
        raise AssertionError(f"{commands}\nended with {run.returncode}: {run.stderr}")
    return run.stdout


class ExampleTest(unittest.TestCase):
    def test_rest_examples_answer_as_printed(self):
        blocks = document("docs/rest.md").blocks
        seen = 0
        with Vigie("--server") as vigie:
            for (language, commands), (answer_language, answer) in zip(blocks, [*blocks[1:], ("", "")]):
                if language != "sh":
                    continue
                with self.subTest(commands):
                    seen += 1
                    self.assertIn(PREFIX, commands)
                    printed = run_example(vigie, commands)
                    if answer_language == "json":
                        documented, real = without_times(json.loads(answer)), without_times(json.loads(printed))
                        self.assertEqual(json.dumps(real), json.dumps(documented))
                    else:
                        self.assertEqual((answer_language, printed), ("text", answer))
        self.assertGreater(seen, 15)

    def test_readme_transcripts_have_the_shape_of_real_answers(self):
        examples = []
        for language, text in document("README.md").blocks:
            if language == "console":
                examples += re.findall(r"^\$ (curl .*)\n((?:[{[ ].*\n)+)", text, re.MULTILINE)
        self.assertGreaterEqual(len(examples), 2)
        quick = "[server]\ninterval = 1s\n[collector]\ninterval = 1s\n[alert]\ninterval = 1s\nphase = 500ms\nthreshold = 0\nclear = 0\n"
        with Vigie(config=quick) as vigie:
            wait_until(lambda: vigie.get("query-alarm").json()["alarms"] and vigie.get("get-all").json(), 30, "there are alarms")
            for commands, answer in examples:
                with self.subTest(commands):
                    self.assertIsNone(differs(json.loads(answer), json.loads(run_example(vigie, commands))))

    def test_configurations_are_right(self):
        seen = 0
        for one in DOCUMENTS:
            for language, text in one.blocks:
                if language != "ini":
                    continue
                seen += 1
                with tempfile.TemporaryDirectory() as folder:
                    for secret in re.findall(r"^(?:\w+_file|\w+_tokens) = (.+)$", text, re.MULTILINE):
                        with open(os.open(f"{folder}/{secret}", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                            file.write("secret\n")
                    with open(f"{folder}/vigie.conf", "w") as file:
                        file.write(text)
                    for name in PROGRAMS:
                        with self.subTest(document=one.name, program=name, configuration=text):
                            run = subprocess.run([BUILD / name, "--config", "vigie.conf", "--check-config"], cwd=folder,
                                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                            self.assertEqual(run.stdout, f"{name}: the configuration is right\n")
        self.assertGreaterEqual(seen, 6)

    def test_commands_have_only_options_that_there_are(self):
        seen = 0
        for one in DOCUMENTS:
            for code in one.code():
                for name, command, rest in re.findall(r"\bbuild/(vigie-[a-z]+)\b(?: ([a-z]+))?((?:\\\n|[^|<>;&\n])*)", code):
                    with self.subTest(document=one.name, program=name, command=command, options=rest):
                        seen += 1
                        self.assertIn(name, PROGRAMS)
                        run = subprocess.run([BUILD / name, *command.split(), "--help"], check=True, stdout=subprocess.PIPE,
                                             text=True)
                        for option in re.findall(r"--[a-z-]+", rest):
                            self.assertIn(option, re.findall(r"--[a-z-]+", run.stdout))
        self.assertGreater(seen, 4)


if __name__ == "__main__":
    unittest.main()
