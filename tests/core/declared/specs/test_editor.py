"""What an editor shows of a spec: answers of the language server that VS Code and others use.

They are skipped where there is no such server: npm install --global yaml-language-server@1
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
SPECS = sorted((*(ROOT / "specs").glob("v1/*.yaml"), *(ROOT / "specs").glob("profiles/*.yaml")))
DISTILL = ROOT / "specs" / "v1" / "distill.yaml"
SERVER = shutil.which("yaml-language-server")
PATIENCE = 60.0  # seconds until a server that does not answer is killed

served = pytest.mark.skipif(SERVER is None, reason="needs yaml-language-server, a package of npm")
Message = dict[str, Any]


class Editor:
    """A client that opens files, and asks as an editor asks."""

    def __init__(self, folder: Path, settings: Message) -> None:
        command = [str(SERVER), "--stdio"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.folder = folder
        self.number = self.opened = 0
        self.uri = ""
        self.found: dict[str, list[Message]] = {}
        # Without the catalogue of schemas the server needs no network.
        self.yaml = {"schemaStore": {"enable": False}, "validate": True, "hover": True}
        self.yaml |= {"completion": True, "schemas": settings}
        capabilities = {
            "textDocument": {"hover": {"contentFormat": ["markdown"]}},
            "workspace": {"configuration": True},
        }
        place = {"uri": folder.as_uri(), "name": "dust"}
        self.ask(
            "initialize",
            {"rootUri": folder.as_uri(), "workspaceFolders": [place], "capabilities": capabilities},
        )
        self.say("initialized", {})
        self.say("workspace/didChangeConfiguration", {"settings": {"yaml": self.yaml}})

    def open(self, name: str, text: str) -> list[str]:
        """Open a new file like `name` with this text; the diagnostics as `line: message`."""
        path = self.folder / name
        self.opened += 1
        # The server may answer for the last text of a file that was open before.
        uri = path.with_stem(f"{path.stem}-{self.opened}").as_uri()
        self.uri = uri
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.say("textDocument/didOpen", {"textDocument": document})
        while uri not in self.found:
            self._handle(self._read())
        return [
            f"{item['range']['start']['line'] + 1}: {item['message']}" for item in self.found[uri]
        ]

    def at(self, verb: str, text: str, after: str) -> Any:
        """Ask for what is at the end of the first `after` in the text that was opened last."""
        before = text[: text.index(after) + len(after)]
        place = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        asked = {"textDocument": {"uri": self.uri}, "position": place}
        return self.ask(f"textDocument/{verb}", asked)

    def ask(self, method: str, params: Message) -> Any:
        """Send a request, and wait for its result."""
        self.number += 1
        self._send({"id": self.number, "method": method, "params": params})
        while "method" in (message := self._read()) or message["id"] != self.number:
            self._handle(message)
        assert "error" not in message, message["error"]
        return message["result"]

    def say(self, method: str, params: Message) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def _handle(self, message: Message) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self.found[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif message.get("method") == "workspace/configuration":
            sections = [item.get("section") for item in message["params"]["items"]]
            answer = [self.yaml if section == "yaml" else {} for section in sections]
            self._send({"id": message["id"], "result": answer})
        elif "id" in message:
            self._send({"id": message["id"], "result": None})

    def _send(self, message: Message) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        self.process.stdin.flush()

    def _read(self) -> Message:
        assert self.process.stdout is not None
        size = 0
        while header := self.process.stdout.readline().strip():
            name, _, value = header.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        assert size, "the server ended, or did not answer in time"
        message: Message = json.loads(self.process.stdout.read(size))
        return message


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    """An editor in this repository, with the settings of .vscode."""
    opened = Editor(ROOT, bound())
    watch = Timer(PATIENCE, opened.process.kill)
    watch.start()
    yield opened
    watch.cancel()
    opened.process.kill()
    opened.process.wait()


def vscode(name: str) -> Message:
    """A file of .vscode, which is JSON with comments on lines of their own."""
    lines = (ROOT / ".vscode" / name).read_text().splitlines()
    content: Message = json.loads(
        "\n".join(line for line in lines if not line.strip().startswith("//"))
    )
    return content


def bound() -> dict[str, str]:
    """The patterns of files by the schema that .vscode binds them to."""
    schemas: dict[str, str] = vscode("settings.json")["yaml.schemas"]
    return schemas


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_file_without_its_modeline_has_the_same_schema(path: Path) -> None:
    schema = (path.parent / path.read_text().splitlines()[0].split("$schema=")[1]).resolve()
    patterns = [bound()[schema.relative_to(ROOT).as_posix()]]
    others = [pattern for pattern in bound().values() if pattern not in patterns]
    assert path.match(patterns[0])
    assert not any(path.match(pattern) for pattern in others)


def test_the_task_of_the_editor_reads_what_the_validator_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dust_core.cli import main

    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    copy = tmp_path / "specs" / "v1" / "distill.yaml"
    copy.write_text(copy.read_text().replace("needs: [P0-2]", "needs: [P0-9]", 1))
    monkeypatch.chdir(tmp_path)
    (task,) = vscode("tasks.json")["tasks"]
    program, *words = task["command"].split()
    assert program == "dust"
    with pytest.raises(SystemExit):
        main(words)
    pattern = task["problemMatcher"]["pattern"]
    found = re.search(pattern["regexp"], capsys.readouterr().out, re.MULTILINE)
    assert found is not None
    assert found[pattern["file"]] == "specs/v1/distill.yaml"
    line = copy.read_text().splitlines()[int(found[pattern["line"]]) - 1]
    assert line[int(found[pattern["column"]]) - 1 :].startswith("P0-9")
    assert found[pattern["code"]] == "REF001"


@served
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_no_spec_is_underlined(editor: Editor, path: Path) -> None:
    assert editor.open(path.relative_to(ROOT).as_posix(), path.read_text()) == []


@served
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("      beta: 0.5", "      betta: 0.5", "Property betta is not allowed."),
        ("      gamma: 0.0\n", "", 'Missing property "gamma".'),
        ("      T: 3\n", "      T: 900\n", "Value is above the maximum of 20."),
        ("      T: 3\n", '      T: "3"\n', 'Incorrect type. Expected "number".'),
        ("    K-1:", "    L-1:", "Property L-1 is not allowed."),
        ("does: distill\n", "does: distil\n", 'Valid values: "distill", "select-student".'),
    ],
)
def test_a_fault_is_underlined_where_it_is(editor: Editor, old: str, new: str, said: str) -> None:
    text = DISTILL.read_text()
    line = text[: text.index(old)].count("\n") + 1
    found = editor.open("specs/v1/distill.yaml", text.replace(old, new, 1))
    assert any(said in message for message in found), found
    if new:
        assert any(message.startswith(f"{line}: ") for message in found), found


@served
def test_completion_lists_executors_and_says_what_they_do(editor: Editor) -> None:
    text = DISTILL.read_text() + "    K-9:\n      does: \n"
    editor.open("specs/v1/distill.yaml", text)
    found = editor.at("completion", text, "K-9:\n      does: ")
    assert {item["label"]: item["documentation"] for item in found["items"]} == {
        "distill": "Executor: Train one student.",
        "select-student": "Executor: Evaluate every student and keep the best.",
    }


@served
def test_completion_lists_the_keys_of_the_chosen_executor(editor: Editor) -> None:
    text = DISTILL.read_text() + "    K-9:\n      does: select-student\n      c\n"
    editor.open("specs/v1/distill.yaml", text)
    found = editor.at("completion", text, "does: select-student\n      c")
    labels = [item["label"] for item in found["items"]]
    assert "candidates" in labels
    assert "beta" not in labels


@served
def test_hover_describes_a_key(editor: Editor) -> None:
    text = DISTILL.read_text()
    editor.open("specs/v1/distill.yaml", text)
    shown = editor.at("hover", text, "\n      T")
    assert "Temperature of the KL term." in shown["contents"]["value"]
    shown = editor.at("hover", text, "      do")
    assert "* `distill`: Train one student." in shown["contents"]["value"]


@served
def test_a_new_profile_without_a_modeline_is_checked(editor: Editor) -> None:
    text = (ROOT / "specs" / "profiles" / "small.yaml").read_text().partition("\n")[2]
    assert editor.open("specs/profiles/mine.yaml", text) == []
    (said,) = editor.open("specs/profiles/mine.yaml", text.replace("threads: 2", "threads: two"))
    assert 'Expected "integer"' in said
