"""A page in Chromium without a window, driven over its debugging pipe."""

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page. Commands are those of the Chrome DevTools Protocol."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._numbers = send, itertools.count(1)
        self._stream = os.fdopen(receive, "rb", buffering=0)
        self._rest, self._session = b"", {}
        self.requests: list[str] = []
        self.errors: list[str] = []
        targets = self.command("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        attached = self.command("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Network", "Runtime"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params, **self._session}
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address: str) -> None:
        self.command("Page.navigate", url=address)
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def value(self, expression: str) -> Any:
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self.command("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def drag(self, start: tuple[int, int], end: tuple[int, int], modifiers: int = 0) -> None:
        options = {"button": "left", "clickCount": 1, "modifiers": modifiers}
        for kind, place in (("Pressed", start), ("Moved", end), ("Released", end)):
            buttons = 0 if kind == "Released" else 1
            at = {"x": place[0], "y": place[1], "buttons": buttons}
            self.command("Input.dispatchMouseEvent", type=f"mouse{kind}", **at, **options)

    def touch(self, kind: str, *places: tuple[int, int]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self.command("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=points)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = self._stream.read(1 << 16)
            assert part, "Chromium ended"
            self._rest += part
        line, self._rest = self._rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.errors.append(str(message["params"]))
        return message


@contextmanager
def page(profile: Path) -> Iterator[Page]:
    """A new page; WebGL is computed by the processor."""
    assert PROGRAM is not None
    read_theirs, write_ours = os.pipe()
    read_ours, write_theirs = os.pipe()
    options = f"--headless=new --no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader \
        --remote-debugging-pipe --no-first-run --window-size=1000,700 --user-data-dir={profile}"
    # Chromium reads commands from descriptor 3 and writes to 4.
    script = f"exec {PROGRAM} {options} about:blank 3<&{read_theirs} 4>&{write_theirs}"
    process = subprocess.Popen(
        ["/bin/bash", "-c", script],
        pass_fds=(read_theirs, write_theirs),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_theirs)
    os.close(write_theirs)
    try:
        yield Page(write_ours, read_ours)
    finally:
        os.close(write_ours)  # it ends when its pipe does
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
