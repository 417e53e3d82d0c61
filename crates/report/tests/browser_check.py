"""Checks one report file statically and in headless Chromium; standard library only.

Usage: browser_check.py REPORT.html [CHROMIUM]

Static: size, title, no resource loaded from anywhere, every figure with picture, alternative text, data table and CSV link.
In the browser, cut off from the network: no console message (an attempt to fetch anything would be one, for the page's
policy forbids it), and as many interactive plots as figures.
"""

import html.parser
import os
import re
import subprocess
import sys
import tempfile

SIZE_LIMIT = 3_000_000
LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}
VOID = {"meta", "br", "input", "img", "link", "hr"}


class Page(html.parser.HTMLParser):
    """Collects what the checks ask for."""

    def __init__(self):
        super().__init__()
        self.problems, self.figures, self.stack = [], [], []
        self.title, self.attributes_of_html, self.ids, self.targets = "", {}, [], []
        self.plots_drawn = 0

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "html":
            self.attributes_of_html = attributes
        if tag == "figure":
            self.figures.append({"plot": "data-plot" in attributes, "svg": 0, "title": "", "desc": "", "table": 0, "csv": 0,
                                 "caption": ""})
        if "figure" in self.stack and tag in ("svg", "table"):
            self.figures[-1][tag] += 1
        classes = (attributes.get("class") or "").split()
        self.plots_drawn += "js-plotly-plot" in classes
        if attributes.get("id"):
            self.ids.append(attributes["id"])
        for name, value in attributes.items():
            if name.startswith("on"):
                self.problems.append(f"event handler {name} on <{tag}>")
            if name in LOADING:
                self.problems.append(f"<{tag} {name}={value!r}> loads something")
        target = attributes.get("href")
        if target is not None:
            if target.startswith("#"):
                self.targets.append(target[1:])
            if target.startswith("data:text/csv") and "figure" in self.stack:
                self.figures[-1]["csv"] += 1
            if tag != "a" or not re.match(r"#|data:text/csv[;,]|https?://", target):
                self.problems.append(f"<{tag} href={target[:80]!r}>")
        if tag in ("link", "iframe", "object", "embed", "img", "base", "form"):
            self.problems.append(f"<{tag}> has no place in the file")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data):
        if not self.stack:
            return
        inside = self.stack[-1]
        if inside == "title" and "svg" not in self.stack:
            self.title += data
        if self.figures and "figure" in self.stack:
            if inside in ("title", "desc") and "svg" in self.stack:
                self.figures[-1][inside] += data
            if "figcaption" in self.stack:
                self.figures[-1]["caption"] += data
        if inside == "style" and re.search(r"url\((?!['\"]?#)|@import", data):
            self.problems.append("the style sheet loads something")


def read(text):
    page = Page()
    page.feed(text)
    page.close()
    return page


def static_problems(path):
    size = os.path.getsize(path)
    with open(path, encoding="utf-8") as file:
        page = read(file.read())
    problems = list(page.problems)
    if size >= SIZE_LIMIT:
        problems.append(f"{size} bytes, the limit is {SIZE_LIMIT}")
    if not page.title.strip():
        problems.append("no title")
    if len(page.ids) != len(set(page.ids)):
        problems.append("identifiers used twice: " + ", ".join(sorted({i for i in page.ids if page.ids.count(i) > 1})[:5]))
    missing = set(page.targets) - set(page.ids)
    if missing:
        problems.append("links without target: " + ", ".join(sorted(missing)[:5]))
    for number, figure in enumerate(page.figures, 1):
        for part in ("svg", "title", "desc", "table", "csv", "caption"):
            if not figure[part]:
                problems.append(f"figure {number} lacks its {part}")
        if not re.search(r"\d", figure["desc"]):
            problems.append(f"figure {number}: the alternative text tells no range")
    return problems, sum(f["plot"] for f in page.figures), size


def browse(path, chromium):
    """The document after the scripts ran, and the browser's messages."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            f"--user-data-dir={profile}", "--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND",
            "--window-size=1280,1600", "--virtual-time-budget=60000", "--enable-logging=stderr", "--dump-dom",
            "file://" + os.path.abspath(path),
        ]
        done = subprocess.run(command, capture_output=True, timeout=180, check=False)
    return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    path, chromium = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "chromium"
    problems, plots, size = static_problems(path)
    dom, messages = browse(path, chromium)
    console = [line for line in messages.splitlines() if "CONSOLE" in line]
    problems += [f"console: {line}" for line in console]
    page = read(dom)
    told = page.attributes_of_html.get("data-drawn")
    if told != str(plots) or page.plots_drawn != plots:
        problems.append(f"{plots} figures, {page.plots_drawn} plots in the document, the page counted {told}")
    for problem in problems:
        print(f"{path}: {problem}")
    if problems:
        sys.exit(1)
    print(f"{path}: {size} bytes, {plots} interactive figures drawn, no request, no console message")


if __name__ == "__main__":
    main()
