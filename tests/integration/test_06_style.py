"""Rules of the house that a machine can check."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from vigie import BUILD, ROOT

FOLDERS = ("common", "fcgi", "collector", "alert", "forecast", "top")

# A library that does I/O is included in exactly one file, SQLite in those of its wing that run statements; zlib where
# it deflates, inflates, or gives a checksum.
LIBRARIES = {
    r"fcgi(app|_stdio|_config|misc|os)\.h": {"fcgi/request.c"},
    r"sqlite3(ext)?\.h": {"fcgi/sqlite/backup.c", "fcgi/sqlite/database.c", "fcgi/sqlite/expire.c", "fcgi/sqlite/loading.c",
                            "fcgi/sqlite/names.c", "fcgi/sqlite/read.c", "fcgi/sqlite/readers.c", "fcgi/sqlite/scan.c",
                            "fcgi/sqlite/scan_count.c", "fcgi/sqlite/scan_hour.c", "fcgi/sqlite/schema.c", "fcgi/sqlite/seal.c",
                            "fcgi/sqlite/seal_piece.c", "fcgi/sqlite/seal_work.c", "fcgi/sqlite/series_rows.c", "fcgi/sqlite/timekeeper.c",
                            "fcgi/sqlite/write.c"},
    r"curl/.*": {"common/http.c"},
    r"uthash\.h": {"common/table.h"},
    r"xxhash\.h": {"common/table.c"},
    r"libproc2/.*": {"collector/sampler.c"},
    r"libmnl/.*": {"collector/exit_records.c"},
    r"(ncursesw?/)?(n?curses|term)\.h": {"top/screen.c"},
    r"zstd(_errors)?\.h": {"fcgi/sqlite/frame.c"},
    r"zlib\.h": {"collector/batch_file.c", "common/gzip.c", "fcgi/inflate.c", "forecast/prior.c"},
}


def includes():
    """(file, included name, whether in quotes) of every #include of the programs."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("**/*.[ch]")):
            for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', path.read_text(), re.MULTILINE):
                yield str(path.relative_to(ROOT)), match.group(2), match.group(1) == '"'


class IncludeTest(unittest.TestCase):
    def test_folders_include_themselves_and_common(self):
        seen = set()
        for path, name, quoted in includes():
            own = path.split("/")[0]
            seen.add(own)
            with self.subTest(path=path, name=name):
                target = name.split("/")[0]
                if quoted:
                    self.assertIn(target, {own, "common"})
                    self.assertTrue((ROOT / name).is_file())
                else:
                    self.assertNotIn(target, FOLDERS, "our own headers stand in quotes")
        self.assertEqual(seen, set(FOLDERS))

    def test_wings_know_the_house_and_not_each_other(self):
        wings = set()
        for path, name, quoted in includes():
            own = path.split("/")[1:-1]
            wings.update(own)
            with self.subTest(path=path, name=name):
                if quoted:
                    self.assertIn(name.split("/")[1:-1], ([], own), "a wing is entered through fcgi/store.h")
        self.assertEqual(wings, {"sqlite", "remote"})

    def test_the_inside_of_a_service_is_its_own_files_alone(self):
        for path, name, _ in includes():
            if name.endswith("/service_internal.h"):
                self.assertRegex(path, rf"^{name.split('/')[0]}/service(_\w+)?\.c$")

    def test_libraries_are_included_in_one_file(self):
        for pattern, homes in LIBRARIES.items():
            with self.subTest(pattern):
                self.assertEqual({path for path, name, quoted in includes()
                                  if not quoted and re.fullmatch(pattern, name)}, homes)

    def test_the_clock_that_is_set_is_read_in_one_place(self):
        """And nobody waits by it."""
        words = r"\bCLOCK_REALTIME\b|\b(gettimeofday|pthread_timedjoin_np|pthread_mutex_timedlock|sem_timedwait)\b|\btime\(NULL\)"
        readers = {str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).glob("**/*.c")
                   if re.search(words, re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL))}
        self.assertEqual(readers, {"common/clock.c"})

    def test_no_program_sets_the_locale_of_numbers(self):
        for folder in FOLDERS:
            for path in sorted((ROOT / folder).glob("**/*.c")):
                with self.subTest(path.name):
                    found = re.search(r"\buselocale\s*\(|\bsetlocale\s*\(\s*(?!LC_CTYPE\b)", path.read_text())
                    self.assertIsNone(found)


class SampleConfigurationTest(unittest.TestCase):
    def test_sample_is_what_the_programs_print(self):
        sample = (ROOT / "deploy" / "vigie.conf").read_text()
        for name in ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast"):
            with self.subTest(name):
                printed = subprocess.run([BUILD / name, "--print-config"], check=True, stdout=subprocess.PIPE, text=True)
                self.assertEqual(printed.stdout, sample)

    def test_sample_is_right(self):
        for name in ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast"):
            with self.subTest(name):
                subprocess.run([BUILD / name, "--config", ROOT / "deploy" / "vigie.conf", "--check-config"], check=True,
                               stdout=subprocess.DEVNULL)


class MakefileTest(unittest.TestCase):
    def test_help_lists_the_targets_with_what_every_debian_has(self):
        targets = re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        self.assertGreater(len(targets), 10)
        with tempfile.TemporaryDirectory() as folder:
            for tool in ("sh", "awk", "sed"):
                pathlib.Path(folder, tool).symlink_to(shutil.which(tool))
            run = subprocess.run([shutil.which("make"), "--no-print-directory", "help"], cwd=ROOT, check=True,
                                 env={"PATH": folder}, stdout=subprocess.PIPE, text=True)
        self.assertEqual([tuple(re.split("  +", line)) for line in run.stdout.splitlines()],
                         [(f"make {target}", words) for target, words in targets])


class ManualTest(unittest.TestCase):
    PATH = ROOT / "deploy" / "man" / "vigie-forecast.8"

    def items(self, section):
        """{name: text} of the items of a section's list, the text without its line breaks and macros."""
        text = self.PATH.read_text().split(f"\n.Sh {section}\n", 1)[1].split("\n.Sh ", 1)[0]
        items = re.findall(r"^\.It (?:Cm|Fl Fl|Dv) (\S+)[^\n]*\n((?:(?!\.It |\.El|\.Bl|\.Pp).*\n)*)", text + "\n", re.MULTILINE)
        return {name: " ".join(line for line in body.splitlines() if not line.startswith(".")) for name, body in items}

    def test_it_has_every_feature(self):
        source = (ROOT / "forecast" / "features.c").read_text()
        rows = {row[0]: row[1:] for row in re.findall(r'^\tROW\((\w+), "(\w+)", [^"]*"([^"]*)"\)', source, re.MULTILINE)}
        constants = re.search(r"enum feature \{(.*)FEATURE_COUNT\n", (ROOT / "forecast" / "features.h").read_text(), re.DOTALL)[1]
        features = [rows[constant] for constant in constants.replace(",", " ").split()]
        self.assertEqual(len(features), len(rows))
        self.assertEqual(list(self.items("FEATURES").items()), features)

    def test_it_has_every_option(self):
        items = self.items("CONFIGURATION")
        section = (ROOT / "deploy" / "vigie.conf").read_text().split("\n[forecast]\n")[1].split("\n[")[0]
        options = re.findall(r"^# (.*)\n(?:# )?(\w+) =", section, re.MULTILINE)
        self.assertEqual(list(items), [key for _, key in options])
        for meaning, key in options:
            with self.subTest(key):
                self.assertTrue(items[key].lower().startswith(meaning.lower() + "."), items[key])

    def test_it_has_the_options_of_every_command(self):
        text = self.PATH.read_text()
        shared = set()
        for command in ([], ["backtest"], ["explain"], ["train"]):
            with self.subTest(command):
                run = subprocess.run([BUILD / "vigie-forecast", *command, "--help"], check=True, stdout=subprocess.PIPE, text=True)
                options = set(re.findall(r"--([a-z-]+)", run.stdout))
                shared = shared or options
                for option in options - shared if command else options:
                    self.assertRegex(text, rf"(?m)^\.It .*Fl Fl {option}\b")

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_all_pages_are_right(self):
        for page in [*(ROOT / "deploy" / "man").glob("*.8"), BUILD / "man" / "vigie.conf.5"]:
            with self.subTest(page.name):
                run = subprocess.run(["mandoc", "-Tlint", page], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                # Which other manuals this machine has does not matter.
                self.assertEqual([line for line in run.stdout.splitlines() if "referenced manual not found" not in line], [])


if __name__ == "__main__":
    unittest.main()
