"""Rules of the house that a machine can check."""

import re
import subprocess
import unittest

from vigie import BUILD, ROOT

FOLDERS = ("common", "fcgi", "collector", "alert", "forecast")

# A library that does I/O is included in exactly one file; zlib where it deflates, inflates, or gives a checksum.
LIBRARIES = {
    r"fcgi(app|_stdio|_config|misc|os)\.h": {"fcgi/request.c"},
    r"sqlite3(ext)?\.h": {"fcgi/store_sqlite.c"},
    r"curl/.*": {"common/http.c"},
    r"libproc2/.*": {"collector/sampler.c"},
    r"zlib\.h": {"collector/batch_file.c", "common/gzip.c", "fcgi/inflate.c"},
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

    def test_libraries_are_included_in_one_file(self):
        for pattern, homes in LIBRARIES.items():
            with self.subTest(pattern):
                self.assertEqual({path for path, name, quoted in includes()
                                  if not quoted and re.fullmatch(pattern, name)}, homes)

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


if __name__ == "__main__":
    unittest.main()
