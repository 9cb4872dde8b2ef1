"""Tests of packaging/licenses.py, and that what it writes is up to date.

    python3 tests/licenses.py
"""

import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "packaging"))
import licenses  # noqa: E402


class Page(unittest.TestCase):
    def test_the_list_has_the_locked_crates_and_their_texts(self):
        crates = licenses.crates()

        self.assertGreater(len(crates), 100)
        if licenses.render(crates) != licenses.PAGE.read_text(encoding="utf-8"):
            self.fail("packaging/licenses/THIRD-PARTY.txt is not what the crates of Cargo.lock require: run `make licenses`")

    def test_a_crate_that_is_added_changes_the_page(self):
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / "LICENSE").write_text("Copyright A. N. Other\r\n\r\nPermission  \r\n", encoding="utf-8")
            crate = {"name": "added", "version": "1.2.3", "license": "MIT", "manifest_path": f"{directory}/Cargo.toml"}

            page = licenses.render([crate])

        self.assertIn("\n  added 1.2.3: MIT\n", page)
        self.assertIn("\nFor added 1.2.3:\n\nCopyright A. N. Other\n\nPermission\n", page)


class Choice(unittest.TestCase):
    def test_the_first_accepted_license_is_chosen(self):
        for expression, chosen in [
            ("MIT", ["MIT"]),
            ("MIT OR Apache-2.0", ["Apache-2.0"]),
            ("MIT/Apache-2.0", ["Apache-2.0"]),
            ("Unlicense OR MIT", ["MIT"]),
            ("GPL-3.0-only OR MIT", ["MIT"]),
            ("Apache-2.0 AND ISC", ["Apache-2.0", "ISC"]),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", ["Apache-2.0", "Unicode-3.0"]),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", ["Apache-2.0"]),
        ]:
            with self.subTest(expression):
                self.assertEqual(licenses.choose("name 1.0.0", expression), chosen)

    def test_any_other_license_is_an_error(self):
        for expression in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-3.0-only OR MPL-2.0)",
            "Apache-2.0 WITH LLVM-exception",
            "MIT AND",
            "(MIT",
            "MIT)",
            "MIT ISC",
            "",
            None,
        ]:
            with self.subTest(expression), self.assertRaises(licenses.LicenseError):
                licenses.choose("name 1.0.0", expression)

    def test_a_crate_without_the_text_of_its_license_is_an_error(self):
        with tempfile.TemporaryDirectory() as directory:
            crate = {"name": "bare", "version": "1.0.0", "license": "MIT", "manifest_path": f"{directory}/Cargo.toml"}

            with self.assertRaisesRegex(licenses.LicenseError, "bare 1.0.0 has no file"):
                licenses.render([crate])

    def test_a_text_that_is_elsewhere_is_for_the_license_that_it_contains(self):
        with tempfile.TemporaryDirectory() as directory:
            crate = {"name": "jaq-core", "version": "1.0.0", "license": "MIT", "manifest_path": f"{directory}/Cargo.toml"}

            self.assertIn("Copyright Michael Färber", licenses.render([crate]))
            with self.assertRaisesRegex(licenses.LicenseError, "jaq-core 1.0.0 has no file"):
                licenses.render([{**crate, "license": "ISC"}])


result = unittest.main(exit=False, verbosity=0).result
failed = len(result.failures) + len(result.errors)
print(f"licenses: {result.testsRun - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
