"""Tests that the typed service account operations of every language are those of bindings/service_accounts/operations.json.

    python3 tests/generated.py
"""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINDINGS = ROOT / "bindings"
sys.path.insert(0, str(BINDINGS / "service_accounts"))
sys.dont_write_bytecode = True
import common  # noqa: E402
import generate  # noqa: E402


class Files(unittest.TestCase):
    def test_every_file_is_current(self):
        for path, content in generate.files(common.read()).items():
            with self.subTest(path):
                if (BINDINGS / path).read_text(encoding="utf-8") != content:
                    self.fail(f"bindings/{path} is stale: run `make service-accounts` and commit the result")

    def test_every_change_of_the_description_changes_every_file(self):
        description = common.read()
        before = generate.files(description)
        for change in (
            lambda changed: changed.update(version="2099-01-01"),
            lambda changed: changed["levels"].update(project="/another/{project}"),
            lambda changed: changed["operations"][2].update(path="/{client_id}/other"),
            lambda changed: changed["operations"][3].update(method="PUT"),
            lambda changed: changed["types"][0]["fields"].append({"name": "new_field", "json": "newField", "type": "string", "documentation": "New."}),
            lambda changed: changed["types"][1]["fields"][3].update(aliases=["older"]),
            lambda changed: changed["operations"][5]["body"]["fields"][0].update(json="otherHours"),
        ):
            changed = copy.deepcopy(description)
            change(changed)
            for path, content in generate.files(changed).items():
                if not path.endswith(".d.ts"):
                    self.assertNotEqual(content, before[path], path)

    def test_every_operation_and_type_is_in_every_file(self):
        description = common.read()
        names = [each["name"] for each in description["operations"]]
        types = [each["name"] for each in description["types"] + description["results"]]
        self.assertEqual((len(names), len(types)), (12, 6))
        for path, content in generate.files(description).items():
            words = {word.lower() for word in re.findall("[A-Za-z_]+", content)}
            missing = [name for name in names if not {name, name.replace("_", "")} & words]
            if not path.endswith(".js"):
                missing += [name for name in types if name.lower() not in words]
            self.assertEqual(missing, [], path)

    def test_the_operations_are_those_of_the_rust_module(self):
        source = (ROOT / "src/admin/service_accounts/accounts.rs").read_text(encoding="utf-8")
        public = re.findall(r"^    pub fn (\w+)\(&self", source, re.MULTILINE)

        self.assertCountEqual([each["name"] for each in common.read()["operations"]], [name for name in public if name != "level"])

    def test_the_lives_at_both_levels_use_every_operation(self):
        lives = json.loads((BINDINGS / "service_accounts/life.json").read_text(encoding="utf-8"))
        calls = [{(step["call"], step.get("level", life["level"])) for step in life["steps"]} for life in lives]

        self.assertEqual([life["level"] for life in lives], ["organization", "project"])
        for life, made in zip(lives, calls):
            expected = {(each["name"], each.get("level", life["level"])) for each in common.read()["operations"]}
            if life["level"] == "project":
                expected.remove(("invite", "project"))
            self.assertEqual(expected - made, set())

    def test_a_description_with_a_mistake_is_an_error(self):
        for path, wrong in ((("operations", 2, "result"), "NoType"), (("operations", 2, "level"), "team"), (("types", 0, "fields", 0, "type"), "NoType")):
            description = common.read()
            part = description
            for name in path[:-1]:
                part = part[name]
            part[path[-1]] = wrong
            with self.assertRaises(SystemExit) as caught:
                common.check(description)
            self.assertIn(wrong, str(caught.exception))

    def test_gofmt_changes_nothing(self):
        root = subprocess.run([os.environ.get("GO", "go"), "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
        files = [str(BINDINGS / path) for path in generate.FILES if path.endswith(".go")]
        self.assertEqual(subprocess.run([f"{root}/bin/gofmt", "-l", *files], capture_output=True, text=True, check=True).stdout, "")


result = unittest.main(exit=False, verbosity=0).result
failed = len(result.failures) + len(result.errors)
print(f"generated: {result.testsRun - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
