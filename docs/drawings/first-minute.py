#!/usr/bin/env python3
"""Draws the first minute in a terminal: real programs run, and what they print becomes an SVG.

    docs/drawings/first-minute.py CHANCERY COSIGN > docs/src/images/first-minute.svg

CHANCERY and COSIGN (version 3) are programs. Only the path of the directory is replaced by ~, and the identity token by the
command that gives it, as a person would type it. Python 3, nothing else.
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

COLUMNS, WIDTH, LINE, LEFT, TOP = 104, 8.43, 19, 20, 56
URL = "http://127.0.0.1:8080"
TRUST = "chancery-dev/trust"
COMMANDS = [
    "# in another shell\necho hello > hello.txt",
    f"cosign sign-blob --yes --bundle hello.txt.sigstore.json \\\n"
    f"    --signing-config {TRUST}/signing_config.json \\\n"
    f"    --trusted-root {TRUST}/trusted_root.json \\\n"
    '    --identity-token "$(chancery token alice@example.test)" hello.txt',
    f"cosign verify-blob --bundle hello.txt.sigstore.json \\\n"
    f"    --trusted-root {TRUST}/trusted_root.json --certificate-identity alice@example.test \\\n"
    f"    --certificate-oidc-issuer {URL}/oidc hello.txt",
]


def record(chancery, cosign):
    """Everything that is typed and printed: pairs of a kind and a line."""
    with tempfile.TemporaryDirectory(prefix="first-minute-") as home:
        os.mkdir(f"{home}/bin")
        for name, program in (("chancery", chancery), ("cosign", cosign)):
            shutil.copy(program, f"{home}/bin/{name}")
        environment = {"HOME": home, "PATH": f"{home}/bin:/usr/bin:/bin", "CLICOLOR_FORCE": "1"}

        def tidy(text):
            return text.replace(f"{home}/bin/", "").replace(home, "~").rstrip("\n").split("\n")

        lines = [("typed", "chancery dev")]
        with open(f"{home}/banner", "w+") as banner:
            server = subprocess.Popen(["chancery", "dev"], cwd=home, env=environment, stdout=banner, stderr=subprocess.DEVNULL)
            try:
                for _ in range(200):
                    try:
                        urllib.request.urlopen(f"{URL}/readyz").read()
                        if "Ctrl-C" in open(f"{home}/banner").read():
                            break
                    except OSError:
                        pass
                    time.sleep(0.1)
                printed = tidy(open(f"{home}/banner").read())
                if len(printed) > 30:
                    sys.exit("the banner does not fit one screen")
                lines += [("printed", line) for line in printed]
                for command in COMMANDS:
                    lines.append(("gap", ""))
                    for index, line in enumerate(command.split("\n")):
                        is_continued = index > 0 and not command.startswith("#")
                        lines.append(("more" if is_continued else "typed", line))
                    run = subprocess.run(["bash", "-c", command], cwd=home, env=environment, text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
                    lines += [("printed", line) for line in tidy(run.stdout) if line.strip()]
            finally:
                server.terminate()
                server.wait()
        return lines


def spans(line):
    """A line with its bold parts; other colours are left out."""
    if len(re.sub(r"\x1b\[\d*m", "", line)) > COLUMNS:
        sys.exit(f"too wide: {line}")
    parts = re.split(r"\x1b\[(\d*)m", line)
    drawn, bold = html.escape(parts[0]), False
    for code, text in zip(parts[1::2], parts[2::2]):
        bold = code == "1"
        if text:
            drawn += f'<tspan class="b">{html.escape(text)}</tspan>' if bold else html.escape(text)
    return drawn


def draw(lines):
    """The SVG: text, so that it can be read and searched."""
    height = TOP + LINE * len(lines) + 20
    width = int(2 * LEFT + COLUMNS * WIDTH)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
          'aria-label="A terminal: chancery dev starts a server, cosign signs a file and verifies it">')
    print("<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d7dce4;"
          "white-space:pre}.b{font-weight:700;fill:#fff}.p{fill:#e8a0a8;font-weight:700}.t{fill:#fff}.ok{fill:#7fd6a0;"
          "font-weight:700}</style>")
    print(f'<rect width="{width}" height="{height}" rx="10" fill="#14171c"/>')
    for index, colour in enumerate(("#e06c75", "#e5c07b", "#7fd6a0")):
        print(f'<circle cx="{LEFT + 8 + 22 * index}" cy="24" r="6.5" fill="{colour}"/>')
    for number, (kind, line) in enumerate(lines):
        if not line.strip():
            continue
        y = TOP + LINE * number + 6
        text = spans(line)
        if kind == "typed":
            text = f'<tspan class="p">$ </tspan><tspan class="t">{text}</tspan>'
        elif kind == "more":
            text = f'<tspan class="t">{text}</tspan>'
        elif line.strip() == "Verified OK":
            text = f'<tspan class="ok">{text}</tspan>'
        print(f'<text x="{LEFT}" y="{y}">{text}</text>')
    print("</svg>")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    draw(record(*map(os.path.abspath, sys.argv[1:])))
